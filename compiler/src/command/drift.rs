//! What of the machine is another than was sealed: sources, programs, libraries, configuration and images.

use super::Failure;
use super::generation::{IMAGES, Sealed, SealedFiles};
use super::sealed_words::path_of;
use crate::machine::{Machine, tree_digest, walk};
use crate::seal;
use capc_schemas::manifest::{Execution, Integrity, Kind, Line, Manifest, Mode, SealedFile};
use capc_schemas::token::Digest;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// What an init reads.
pub const UNIT: &str = "unit";

/// Something that differs.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Drift {
    /// `source`, `program`, `library`, `config`, `image` or `unit`.
    pub kind: &'static str,
    /// The path on the machine.
    pub path: String,
    /// `changed`, `gone`, `unreadable`, and of units `not loaded`, `not sealed` or `stopped`.
    pub state: &'static str,
    /// The services that are made of it, sorted.
    pub services: Vec<String>,
    /// Whether they are refused until it is accepted or undone.
    pub refused: bool,
}

impl Drift {
    /// Returns what follows, in words.
    pub fn effect(&self) -> String {
        let services = match self.services.as_slice() {
            [] if self.kind == UNIT => return "what is sealed is not what the init does".to_owned(),
            [] => return "nothing of it takes effect until it is sealed".to_owned(),
            services if services.len() > 3 => {
                format!(
                    "{} and {} more",
                    services.iter().take(3).cloned().collect::<Vec<_>>().join(", "),
                    services.len() - 3
                )
            }
            services => services.join(", "),
        };
        match self.refused {
            true => format!("refused until then: {services}"),
            false => format!("seen by {services} as it is now"),
        }
    }
}

/// A file that manifests name with what it must hold.
struct Pinned {
    kind: &'static str,
    digest: Digest,
    integrity: Integrity,
    services: BTreeSet<String>,
}

/// What all manifests of a generation say about the machine.
pub struct Survey {
    pinned: BTreeMap<String, Pinned>,
    /// Paths of images, with who has them.
    pub images: BTreeMap<String, BTreeSet<String>>,
    /// Who starts the services.
    pub mode: Option<Mode>,
}

impl Survey {
    /// Reads every manifest.
    ///
    /// # Errors
    /// When one is not what was sealed.
    pub fn of(sealed: &Sealed) -> Result<Self, Failure> {
        let mut survey = Self { pinned: BTreeMap::new(), images: BTreeMap::new(), mode: None };
        for (name, text) in sealed.manifests()? {
            let manifest =
                Manifest::parse(&text).map_err(|error| sealed.broken(format!("`{name}`: {error}")))?;
            let programs: BTreeSet<String> = manifest
                .lines()
                .filter_map(|line| match line {
                    Line::Run { at } | Line::Prepare { at } => Some(path_of(at)),
                    _ => None,
                })
                .collect();
            for line in manifest.lines() {
                survey.take(&name, line, &programs);
            }
        }
        Ok(survey)
    }

    fn take(&mut self, service: &str, line: Line<'_>, programs: &BTreeSet<String>) {
        if let Some(SealedFile { at, from, digest, execution, integrity }) = line.sealed_file() {
            let kind = match execution {
                Execution::NoExec => "config",
                Execution::Exec if programs.contains(&path_of(at)) => "program",
                Execution::Exec => "library",
            };
            let pinned = Pinned { kind, digest, integrity, services: BTreeSet::new() };
            self.pinned.entry(path_of(from)).or_insert(pinned).services.insert(service.to_owned());
            return;
        }
        match line {
            Line::Mode { mode } => self.mode = Some(mode),
            Line::Image { from, .. } => {
                self.images.entry(path_of(from)).or_default().insert(service.to_owned());
            }
            _ => {}
        }
    }

    /// Returns how many files are kept in which way, the weakest first.
    pub fn kept(&self) -> Vec<(Integrity, usize)> {
        let number = |level: Integrity| self.pinned.values().filter(|file| file.integrity == level).count();
        Integrity::ALL
            .iter()
            .map(|level| (*level, number(*level)))
            .filter(|(_, number)| *number > 0)
            .collect()
    }
}

fn state(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "gone",
        _ => "unreadable",
    }
}

/// Returns the files and images that are not as they were sealed, sorted by path.
///
/// # Errors
/// When the generation is not what was sealed.
pub fn files(sealed: &Sealed, machine: &dyn Machine) -> Result<Vec<Drift>, Failure> {
    let survey = Survey::of(sealed)?;
    let mut found = Vec::new();
    for (path, pinned) in &survey.pinned {
        let state = match machine.digest(path) {
            Ok(digest) if digest == pinned.digest => continue,
            Ok(_) => "changed",
            Err(error) => state(&error),
        };
        let services = pinned.services.iter().cloned().collect();
        // What lies in a store is not hashed at a start: that it changed at all is the finding.
        let refused = pinned.integrity != Integrity::Store;
        found.push(Drift { kind: pinned.kind, path: path.clone(), state, services, refused });
    }
    let sealed_images: BTreeMap<String, String> = match sealed.read(IMAGES)? {
        Some(text) => serde_json::from_slice(&text).map_err(|error| sealed.broken(error))?,
        None => BTreeMap::new(),
    };
    for (path, digest) in sealed_images {
        let state = match tree_digest(machine, &path) {
            Ok(now) if now.to_string() == digest => continue,
            Ok(_) => "changed",
            Err(error) => state(&error),
        };
        let services = survey.images.get(&path).into_iter().flatten().cloned().collect();
        found.push(Drift { kind: "image", path, state, services, refused: false });
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Returns the sources that are not as they were sealed, sorted by path.
///
/// # Errors
/// When the generation is not what was sealed.
pub fn sources(sealed: &Sealed) -> Result<Vec<Drift>, Failure> {
    let files = SealedFiles::read(sealed)?;
    let differs = |(path, sealed): (&Path, &[u8])| {
        let state = match std::fs::read(path) {
            Ok(bytes) if bytes == sealed => return None,
            Ok(_) => "changed",
            Err(error) => state(&error),
        };
        let path = path.to_string_lossy().into_owned();
        Some(Drift { kind: "source", path, state, services: Vec::new(), refused: false })
    };
    Ok(files.on_disk().filter_map(differs).collect())
}

/// Returns what images hold, as a file of a generation: the digest of each, by path.
///
/// # Errors
/// When one cannot be read.
pub fn images<'a>(
    manifests: impl Iterator<Item = &'a str>,
    machine: &dyn Machine,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut paths = BTreeSet::new();
    for text in manifests {
        // Most lines are others, and reading them takes its time.
        for line in text.lines().filter(|line| line.starts_with(Kind::Image.word())) {
            if let Ok(Line::Image { from, .. }) = Line::parse(line) {
                paths.insert(path_of(from));
            }
        }
    }
    if paths.is_empty() {
        return Ok(None);
    }
    let mut digests = BTreeMap::new();
    for path in paths {
        let real =
            walk(machine, &path).map_err(|(at, error)| Failure::refused(format!("`{at}`: {error}")))?.real;
        let digest = tree_digest(machine, &real)
            .map_err(|error| Failure::refused(format!("the image `{path}` cannot be read: {error}")))?;
        digests.insert(path, digest.to_string());
    }
    let mut bytes =
        serde_json::to_vec_pretty(&digests).map_err(|error| Failure::refused(error.to_string()))?;
    bytes.push(b'\n');
    Ok(Some(bytes))
}

/// Returns the files and images of the machine that a manifest is made of.
///
/// # Errors
/// When it is no manifest.
pub fn taken_from(manifest: &str) -> Result<BTreeSet<String>, String> {
    let manifest = Manifest::parse(manifest.as_bytes()).map_err(|error| error.to_string())?;
    let path = |line: Line<'_>| match (line.sealed_file(), line) {
        (Some(file), _) => Some(path_of(file.from)),
        (None, Line::Image { from, .. }) => Some(path_of(from)),
        (None, _) => None,
    };
    Ok(manifest.lines().filter_map(path).collect())
}

/// Returns whether a configuration is the one that a generation was sealed from.
pub fn is_same_config(sealed: &capc_schemas::seal::Seal<'_>, sources: &[seal::SealedSource]) -> bool {
    let mut new: Vec<(&[u8], Digest)> =
        sources.iter().map(|source| (source.name.as_bytes(), source.digest)).collect();
    new.sort();
    new.dedup_by_key(|(name, _)| *name);
    let old = sealed.sources().map(|source| (source.name.bytes().collect::<Vec<u8>>(), source.digest));
    old.eq(new.into_iter().map(|(name, digest)| (name.to_vec(), digest)))
}

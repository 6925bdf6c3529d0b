//! From a compilation to a generation: lowered against the machine, with everything that is sealed.

use super::Failure;
use crate::Compilation;
use crate::authority::Authority;
use crate::certificate;
use crate::check::Checked;
use crate::diag::Diagnostic;
use crate::emit::harmless::write_json;
use crate::emit::selection::{Selection, Wanted};
use crate::emit::{
    graph,
    store::{self, Found},
};
use crate::holdings::Holdings;
use crate::index::{self, Index, Restored};
use crate::lower::{self, Lowered, Mode};
use crate::machine::Machine;
use crate::model::{Model, SYSTEM};
use crate::seal::{Content, SealedSource, digest, host_digest};
use crate::source::{FileId, Files, SourceMap};
use capc_schemas::token::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The authority graph, for programs.
pub const GRAPH: &str = "graph.json";
/// The same and more, for questions.
pub const INDEX: &str = "index";
/// What proves the assertions that hold.
pub const CERTIFICATE: &str = "certificate.json";
/// What images hold: the digest of each, for `capc status`.
pub const IMAGES: &str = "images.json";
/// Who has which uid.
pub const IDENTITIES: &str = "identities.json";

/// Which sealed file holds which source: `sources/index.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceIndex {
    format: String,
    /// The main file first.
    files: Vec<SourceEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceEntry {
    name: String,
    path: PathBuf,
    sealed: String,
}

/// Returns the digest that stands for this machine, or for the one whose root lies in a directory.
///
/// # Errors
/// When the machine has neither a machine id nor a boot id.
pub fn host(root: Option<&Path>) -> Result<Digest, Failure> {
    if let Some(root) = root {
        let path = root.join("etc/machine-id");
        let id = std::fs::read_to_string(&path).ok().filter(|id| !id.trim().is_empty());
        let none = || {
            Failure::refused(format!(
                "`{}` holds no machine id, and a generation is for one machine",
                path.display()
            ))
        };
        return id.map(|id| host_digest(&id)).ok_or_else(none);
    }
    let read = |path: &str| std::fs::read_to_string(path).ok().filter(|id| !id.trim().is_empty());
    let id = read("/etc/machine-id").or_else(|| read("/proc/sys/kernel/random/boot_id"));
    id.map(|id| host_digest(&id))
        .ok_or_else(|| Failure::refused("this machine has no /etc/machine-id and no boot id"))
}

/// What a generation holds to answer questions from, and what proves its assertions.
pub struct Answers(Option<Content>);

/// Lowers what was proved right, and works out beside it what answers questions.
///
/// # Errors
/// Everything that the machine does not allow.
pub fn lower(
    compilation: &Compilation,
    (model, holdings, checked): (&Model, &Holdings, &Checked),
    machine: &dyn Machine,
    options: &lower::Options,
) -> Result<(Lowered, Answers), Vec<Diagnostic>> {
    std::thread::scope(|scope| {
        let drawn = scope.spawn(|| answers(compilation));
        let lowered = lower::lower(model, holdings, checked, machine, options)?;
        // What died drawing is drawn again here, to die where it is told.
        let drawn = drawn.join().unwrap_or_else(|_| answers(compilation));
        Ok((lowered, Answers(drawn)))
    })
}

/// Returns every file of the generation but its SEAL, and the sources' digests.
///
/// # Errors
/// When something cannot be written as JSON.
pub fn content(
    compilation: &Compilation,
    lowered: &Lowered,
    answers: Answers,
) -> Result<(Content, Vec<SealedSource>), Failure> {
    let internal = |what: &str| Failure {
        exit: crate::cli::Exit::Internal,
        message: format!("cannot write {what}; please report this"),
    };
    let mut content = answers.0.ok_or_else(|| internal("what answers questions"))?;
    for (name, manifest) in &lowered.manifests {
        content.insert(format!("manifests/{name}"), manifest.clone().into_bytes());
    }
    let plan = lowered.plan.to_json().map_err(|_| internal("the plan"))?;
    content.insert("init/plan.json".to_owned(), plan.into_bytes());
    let identities: BTreeMap<&str, u32> =
        lowered.identities.iter().map(|(name, uid)| (name.as_str(), *uid)).collect();
    content.insert(IDENTITIES.to_owned(), json(&identities).ok_or_else(|| internal("the identities"))?);
    let sources = add_sources(&mut content, &compilation.sources).ok_or_else(|| internal("the sources"))?;
    Ok((content, sources))
}

fn json(value: &impl Serialize) -> Option<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

/// Returns what questions are answered from, and what proves the assertions: the graph is drawn from the index as it will be
/// read back, so that the two say the same.
fn answers(compilation: &Compilation) -> Option<Content> {
    let mut content = Content::new();
    let (model, holdings) = compilation.parts()?;
    let certificate = certificate::issue(model, holdings, compilation.checked.as_ref()?.grounds());
    content.insert(CERTIFICATE.to_owned(), json(&certificate)?);
    let authority = Authority::new(model, holdings, SYSTEM);
    let files = names(&compilation.sources);
    let bytes = index::write(&authority, &compilation.names, &compilation.sources, &files);
    let restored = Restored::read(&Index::open(&bytes).ok()?, |_| None).ok()?;
    content.insert(GRAPH.to_owned(), graph_of(restored)?);
    content.insert(INDEX.to_owned(), bytes);
    Some(content)
}

/// Returns `graph.json` as an index says it.
pub fn graph_of(restored: Restored) -> Option<Vec<u8>> {
    let Restored { model, holdings, sources, drawn, .. } = restored;
    let authority = Authority::restored(&model, &holdings, drawn);
    let document = graph::selected(&authority, &sources, &Selection::new(&authority, &Wanted::default()));
    let mut bytes = Vec::new();
    write_json(&mut bytes, &document).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

/// Returns the names of files as seen from the directory of the main file.
fn names(sources: &SourceMap) -> Vec<String> {
    let main = sources.file(FileId(0)).map_or("", |file| &file.name);
    let directory = main.rsplit_once('/').map_or("", |(directory, _)| directory);
    let inside = |name: &str| name.strip_prefix(directory)?.strip_prefix('/').map(str::to_owned);
    sources.files().map(|(_, file)| inside(&file.name).unwrap_or_else(|| file.name.clone())).collect()
}

fn add_sources(content: &mut Content, sources: &SourceMap) -> Option<Vec<SealedSource>> {
    let main = sources.file(FileId(0))?;
    let directory = main.path.parent()?;
    let mut entries = Vec::new();
    let mut sealed = Vec::new();
    for (id, file) in sources.files() {
        let place = format!("sources/{}.kdl", id.0 + 1);
        let name = file.path.strip_prefix(directory).unwrap_or(&file.path).to_string_lossy().into_owned();
        content.insert(place.clone(), file.text.as_bytes().to_vec());
        sealed.push(SealedSource { name: name.clone(), digest: digest(file.text.as_bytes()) });
        entries.push(SourceEntry { name, path: file.path.clone(), sealed: place });
    }
    let index = SourceIndex { format: "capc/sources/1".to_owned(), files: entries };
    content.insert("sources/index.json".to_owned(), json(&index)?);
    Some(sealed)
}

/// A generation that was sealed before: what is read of it is what its SEAL says, or refused.
pub struct Sealed(Found);

impl Sealed {
    /// Opens a generation.
    ///
    /// # Errors
    /// When its SEAL cannot be read, or is none.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Found::at(path).map(Self).map_err(|error| Failure::refused(error.to_string()))
    }

    /// Returns a generation that was found.
    #[must_use]
    pub const fn of(found: Found) -> Self {
        Self(found)
    }

    /// Reads a file whose digest is sealed; none when the SEAL does not name it.
    ///
    /// # Errors
    /// When it is not what was sealed.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let Some(sealed) = self.0.files.get(name) else { return Ok(None) };
        let bytes = store::read(&self.0.path.join(name)).map_err(|error| self.broken(error))?;
        match digest(&bytes) == *sealed {
            true => Ok(Some(bytes)),
            false => Err(self.broken(format!("`{name}` is not what was sealed"))),
        }
    }

    /// Reads a file that must be there.
    ///
    /// # Errors
    /// When it is not there, or not what was sealed.
    pub fn need(&self, name: &str) -> Result<Vec<u8>, Failure> {
        self.read(name)?.ok_or_else(|| self.broken(format!("it has no `{name}`")))
    }

    /// Says what is wrong with it.
    pub fn broken(&self, what: impl std::fmt::Display) -> Failure {
        Failure::refused(format!("the generation `{}` cannot be read: {what}", self.0.path.display()))
    }

    /// Returns its manifests: the services' names and their texts.
    ///
    /// # Errors
    /// When one is not what was sealed.
    pub fn manifests(&self) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let names = self.0.files.keys().filter_map(|name| name.strip_prefix("manifests/"));
        names.map(|name| Ok((name.to_owned(), self.need(&format!("manifests/{name}"))?))).collect()
    }

    /// Reads what its index says, with the texts of the files if they are wanted; none when it has no index that this capc
    /// reads, as generations that were sealed before there was one.
    ///
    /// # Errors
    /// When the index or a file is damaged.
    pub fn restored(&self, texts: Texts) -> Result<Option<Restored>, Failure> {
        let Some(bytes) = self.read(INDEX)?.filter(|bytes| Index::is_one(bytes)) else { return Ok(None) };
        let files = match texts {
            Texts::Left => BTreeMap::new(),
            Texts::Wanted => SealedFiles::read(self)?.files,
        };
        let text = |path: &str| {
            let bytes = files.get(Path::new(path))?;
            Some(Arc::from(std::str::from_utf8(bytes).ok()?))
        };
        let restored = Index::open(&bytes).and_then(|index| Restored::read(&index, text));
        restored.map(Some).map_err(|error| self.broken(error))
    }
}

/// Whether the texts of the files are wanted, or only the numbers of their lines.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Texts {
    /// They are left where they are.
    Left,
    /// They are.
    Wanted,
}

/// Returns the uids that the services of a generation have, so that the next gives them the same.
///
/// # Errors
/// When they are not what its SEAL says: a number from elsewhere could be anybody's.
pub fn identities(generation: &Path) -> Result<BTreeMap<String, u32>, Failure> {
    let identities = Sealed::open(generation).and_then(|sealed| {
        serde_json::from_slice(&sealed.need(IDENTITIES)?).map_err(|error| sealed.broken(error))
    });
    identities.map_err(|failure| {
        Failure::refused(format!("{}; remove the store to start with fresh identities", failure.message))
    })
}

/// The sources of a generation, by the paths that they were compiled from.
pub struct SealedFiles {
    files: BTreeMap<PathBuf, Vec<u8>>,
    places: BTreeMap<PathBuf, String>,
    /// The main file's path.
    pub main: PathBuf,
    /// The main file's name.
    pub name: String,
}

impl SealedFiles {
    /// Reads the sources of a generation.
    ///
    /// # Errors
    /// When they are not there, or not what was sealed.
    pub fn read(sealed: &Sealed) -> Result<Self, Failure> {
        let text = sealed.need("sources/index.json")?;
        let index: SourceIndex = serde_json::from_slice(&text).map_err(|error| sealed.broken(error))?;
        let (mut files, mut places) = (BTreeMap::new(), BTreeMap::new());
        for entry in &index.files {
            files.insert(entry.path.clone(), sealed.need(&entry.sealed)?);
            places.insert(entry.path.clone(), entry.sealed.clone());
        }
        let main = index.files.first().ok_or_else(|| sealed.broken("it has no sources"))?;
        Ok(Self { files, places, main: main.path.clone(), name: main.name.clone() })
    }
}

impl SealedFiles {
    /// Returns where in the generation a file is kept.
    pub fn place(&self, path: &Path) -> Option<&str> {
        self.places.get(path).map(String::as_str)
    }

    /// Returns the files that lie on the machine: their paths, and what they held.
    pub fn on_disk(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        let files = self.files.iter().map(|(path, bytes)| (path.as_path(), bytes.as_slice()));
        files.filter(|(path, _)| path.is_absolute())
    }
}

impl Files for SealedFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn standard(&self, name: &str) -> Option<Vec<u8>> {
        self.files.get(Path::new(name)).cloned()
    }
}

/// Returns in which way services can be started here: decided by trying, not by uid 0.
pub fn mode() -> Mode {
    // CAP_SYS_ADMIN over the machine's own mounts is what everything as root needs.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    const SYS_ADMIN: u64 = 1 << 21;
    const SETUID: u64 = 1 << 7;
    let root = rustix::process::geteuid().is_root() && effective & SYS_ADMIN != 0 && effective & SETUID != 0;
    if root { Mode::Root } else { Mode::User }
}

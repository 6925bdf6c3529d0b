//! From a compilation to a generation: lowered against the machine, with everything that is sealed.

use super::Failure;
use crate::Compilation;
use crate::emit::{diagnostics::Summary, graph, store};
use crate::lower::{Lowered, Mode};
use crate::seal::{Content, SealedSource, digest, host_digest};
use crate::source::{FileId, Files, SourceMap};
use capc_schemas::seal::Seal;
use capc_schemas::token::{Digest, RelPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

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

/// Returns the digest that stands for this machine.
///
/// # Errors
/// When the machine has neither a machine id nor a boot id.
pub fn host() -> Result<Digest, Failure> {
    let read = |path: &str| std::fs::read_to_string(path).ok().filter(|id| !id.trim().is_empty());
    let id = read("/etc/machine-id").or_else(|| read("/proc/sys/kernel/random/boot_id"));
    id.map(|id| host_digest(&id))
        .ok_or_else(|| Failure::refused("this machine has no /etc/machine-id and no boot id"))
}

/// Returns every file of the generation but its SEAL, and the sources' digests.
///
/// # Errors
/// When something cannot be written as JSON.
pub fn content(
    compilation: &Compilation,
    lowered: &Lowered,
) -> Result<(Content, Vec<SealedSource>), Failure> {
    let internal = |what: &str| Failure {
        exit: crate::cli::Exit::Internal,
        message: format!("cannot write {what}; please report this"),
    };
    let mut content = Content::new();
    for (name, manifest) in &lowered.manifests {
        content.insert(format!("manifests/{name}"), manifest.clone().into_bytes());
    }
    let plan = lowered.plan.to_json().map_err(|_| internal("the plan"))?;
    content.insert("init/plan.json".to_owned(), plan.into_bytes());
    let identities: BTreeMap<&str, u32> =
        lowered.identities.iter().map(|(name, uid)| (name.as_str(), *uid)).collect();
    content
        .insert("identities.json".to_owned(), json(&identities).ok_or_else(|| internal("the identities"))?);
    if let (Some(model), Some(holdings)) = (&compilation.model, &compilation.holdings) {
        let document = graph::document(model, holdings, &compilation.sources);
        content.insert("graph.json".to_owned(), json(&document).ok_or_else(|| internal("the graph"))?);
    }
    let sources = add_sources(&mut content, &compilation.sources).ok_or_else(|| internal("the sources"))?;
    Ok((content, sources))
}

fn json(value: &impl Serialize) -> Option<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value).ok()?;
    bytes.push(b'\n');
    Some(bytes)
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

/// Returns the uids that the services of a generation have, so that the next gives them the same.
///
/// # Errors
/// When they are not what its SEAL says: a number from elsewhere could be anybody's.
pub fn identities(generation: &Path) -> Result<BTreeMap<String, u32>, Failure> {
    const NAME: &str = "identities.json";
    let broken = |what: &dyn std::fmt::Display| {
        Failure::refused(format!(
            "`{}`: {what}; remove the store to start with fresh identities",
            generation.display()
        ))
    };
    let seal_text = store::read(&generation.join("SEAL")).map_err(|error| broken(&error))?;
    let seal = Seal::parse(&seal_text).map_err(|error| broken(&error))?;
    let text = store::read(&generation.join(NAME)).map_err(|error| broken(&error))?;
    if RelPath::new(NAME).and_then(|name| seal.digest_of(name)) != Some(digest(&text)) {
        return Err(broken(&"`identities.json` is not what was sealed"));
    }
    serde_json::from_slice(&text).map_err(|error| broken(&error))
}

/// The sources of a generation, by the paths that they were compiled from.
pub struct SealedFiles {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// The main file's path.
    pub main: PathBuf,
    /// The main file's name.
    pub name: String,
}

impl SealedFiles {
    /// Reads the sources of a generation.
    ///
    /// # Errors
    /// When they are not there.
    pub fn read(generation: &Path) -> Result<Self, Failure> {
        let broken = |what: &dyn std::fmt::Display| {
            Failure::refused(format!("the generation's sources cannot be read: {what}"))
        };
        let text = std::fs::read(generation.join("sources/index.json")).map_err(|error| broken(&error))?;
        let index: SourceIndex = serde_json::from_slice(&text).map_err(|error| broken(&error))?;
        let mut files = BTreeMap::new();
        for entry in &index.files {
            let bytes = std::fs::read(generation.join(&entry.sealed)).map_err(|error| broken(&error))?;
            files.insert(entry.path.clone(), bytes);
        }
        let main = index.files.first().ok_or_else(|| broken(&"there is none"))?;
        Ok(Self { files, main: main.path.clone(), name: main.name.clone() })
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

/// Returns one line on what a generation comes to.
pub fn summary_line(summary: Summary) -> String {
    let count = super::check::count;
    format!("{}, {}", count(summary.services, "service"), count(summary.holdings, "holding"))
}

//! Which services of a store run now, and from which generation: their worlds' keepers bear both in their command lines.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a keeper calls itself.
const KEEPER: &str = "capc-keeper\n";
/// The service's number in its world.
const SERVICE_PID: &str = "2";

/// A service that runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Running {
    /// Its name.
    pub service: String,
    /// The generation that it was started from.
    pub generation: u64,
    /// Its main process, or where nobody may look into its world, the keeper of that.
    pub pid: u32,
}

/// Returns what runs of a store, sorted; nothing where there is no `/proc`.
///
/// A keeper is the caller's or root's own, so no service passes for one, but where all services have the caller's uid.
pub fn running(store: &Path) -> Vec<Running> {
    let Ok(generations) = store.join("generations").canonicalize() else { return Vec::new() };
    let pids = processes();
    let mut found = Vec::new();
    for pid in &pids {
        if !is_keeper(*pid) {
            continue;
        }
        let Some((generation, service)) = launched(*pid) else { continue };
        let (Some(parent), Some(name)) = (generation.parent(), generation.file_name()) else { continue };
        let number = name.to_str().and_then(|name| name.parse().ok());
        if parent.canonicalize().ok().as_ref() != Some(&generations) {
            continue;
        }
        let Some(generation) = number else { continue };
        let pid = main_process(*pid, &pids).unwrap_or(*pid);
        found.push(Running { service, generation, pid });
    }
    found.sort();
    found
}

/// Returns the keepers of the machine's worlds, sorted.
pub fn keepers() -> Vec<u32> {
    let mut keepers = processes();
    keepers.retain(|pid| is_keeper(*pid));
    keepers
}

/// Returns whether a process is a world's keeper, of root's or the caller's own.
pub fn is_keeper(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok().as_deref() == Some(KEEPER) && is_trusted(pid)
}

/// Returns all processes that are seen.
pub fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Returns the generation and the service of a launcher's command line.
pub fn launched(pid: u32) -> Option<(PathBuf, String)> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).rev();
    let service = String::from_utf8(words.next()?.to_vec()).ok()?;
    Some((Path::new(std::ffi::OsStr::from_bytes(words.next()?)).to_owned(), service))
}

/// Returns whether a process is root's or the caller's own.
pub fn is_trusted(pid: u32) -> bool {
    let uid = status(pid, "Uid:").and_then(|uids| uids.split_ascii_whitespace().next()?.parse::<u32>().ok());
    uid.is_some_and(|uid| uid == 0 || uid == rustix::process::getuid().as_raw())
}

/// Returns the process that made a process.
pub fn parent(pid: u32) -> Option<u32> {
    status(pid, "PPid:")?.trim().parse().ok()
}

/// Returns the namespace of processes that a process is in.
pub fn world_of(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

fn status(pid: u32, word: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(word)).map(str::to_owned)
}

/// Returns the service's own process in a keeper's world.
fn main_process(keeper: u32, pids: &[u32]) -> Option<u32> {
    let here = world_of(keeper)?;
    let is_main = |pid: &u32| {
        let inside = status(*pid, "NSpid:");
        inside.is_some_and(|numbers| numbers.split_ascii_whitespace().last() == Some(SERVICE_PID))
    };
    pids.iter().copied().filter(|pid| world_of(*pid).as_ref() == Some(&here)).find(is_main)
}

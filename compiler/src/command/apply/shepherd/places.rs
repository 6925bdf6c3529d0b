//! Where Shepherds listen, and which processes they are.

use crate::command::running::{is_trusted, parent, processes};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A unix socket that takes connections (linux/net.h, `__SO_ACCEPTCON`).
const ACCEPTS: u32 = 1 << 16;

/// Returns where the Shepherd listens that services are given to: the one that is named, or the caller's own.
pub fn place() -> PathBuf {
    named().unwrap_or_else(|| {
        let [first, second] = usual();
        if second.exists() && !first.exists() { second } else { first }
    })
}

/// Returns every place where a Shepherd of root's or the caller's own may listen: the one that is named, the usual ones, and those that
/// the kernel tells of.
pub fn places() -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let mut places: Vec<PathBuf> = named().into_iter().chain(usual()).collect();
    for pid in herders() {
        places.extend(listens_on(pid));
    }
    places.retain(|place| {
        // One may have two names.
        fs::metadata(place).is_ok_and(|found| seen.insert((found.dev(), found.ino())))
    });
    places
}

/// Returns the Shepherd that has a service, if one has: it is the parent of `capc attend`, and that of the service. Whatever else runs
/// below a Shepherd, such as `capc up` on a system of which it is the first process, is somebody else's.
pub fn herder_of(service: u32) -> Option<u32> {
    let attendant = parent(service).filter(|pid| words(*pid).get(1).is_some_and(|word| word == "attend"))?;
    parent(attendant).filter(|pid| is_shepherd(*pid))
}

fn named() -> Option<PathBuf> {
    std::env::var_os("SHEPHERD_SOCKET").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Returns where `herd` looks.
fn usual() -> [PathBuf; 2] {
    let uid = rustix::process::geteuid();
    if uid.is_root() {
        return ["/run/shepherd/socket", "/var/run/shepherd/socket"].map(PathBuf::from);
    }
    let own = PathBuf::from(format!("/run/user/{}", uid.as_raw()));
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    [runtime.unwrap_or_else(|| own.clone()), own].map(|directory| directory.join("shepherd/socket"))
}

/// Returns the Shepherds of this system, root's and the caller's own; one of a container has services of its own.
fn herders() -> Vec<u32> {
    let spaces =
        |process: &str| ["mnt", "pid"].map(|space| fs::read_link(format!("/proc/{process}/ns/{space}")).ok());
    let here = spaces("self");
    processes().into_iter().filter(|pid| is_shepherd(*pid) && spaces(&pid.to_string()) == here).collect()
}

/// Returns whether a process is a Shepherd of root's or the caller's own: a program of Guile's, which Guix wraps.
fn is_shepherd(pid: u32) -> bool {
    let words = words(pid);
    let words: Vec<&OsStr> = words.iter().filter_map(|word| Path::new(word).file_name()).collect();
    let is_guile =
        words.iter().any(|word| word.to_string_lossy().trim_start_matches('.').starts_with("guile"));
    is_trusted(pid) && is_guile && words.iter().any(|word| *word == "shepherd" || *word == ".shepherd-real")
}

/// Returns the paths on which a process takes connections.
fn listens_on(pid: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets =
        entries.filter_map(|entry| fs::read_link(entry.path()).ok()?.into_os_string().into_string().ok());
    let own: BTreeSet<String> =
        targets.filter_map(|to| Some(to.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap_or_default();
    let path = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let flags = words.nth(3).and_then(|flags| u32::from_str_radix(flags, 16).ok())?;
        let number = words.nth(2)?;
        let path = words.next().filter(|path| path.starts_with('/'))?;
        (flags & ACCEPTS != 0 && own.contains(number)).then(|| PathBuf::from(path))
    };
    table.lines().skip(1).filter_map(path).collect()
}

fn words(pid: u32) -> Vec<OsString> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).map(|word| OsStr::from_bytes(word).to_owned()).collect()
}

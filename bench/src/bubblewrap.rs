//! Bubblewrap, the peer: a sandbox as it is usually written, and one as near to a sealed world as bubblewrap can make it.

use crate::starts::Start;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What both begin with.
const ALWAYS: [&str; 11] = [
    "bwrap",
    "--unshare-all",
    "--new-session",
    "--die-with-parent",
    "--cap-drop",
    "ALL",
    "--clearenv",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
];
/// The first descriptor that a sandbox is passed a file by.
const FIRST: i32 = 3;

/// Returns whether it is installed.
pub fn is_here() -> bool {
    Command::new("bwrap").arg("--version").output().is_ok()
}

/// Returns a program in a sandbox as people write them: /usr is there, read-only, or only the program if it is elsewhere.
pub fn usual(command: &[PathBuf]) -> Start {
    let mut words: Vec<PathBuf> = ALWAYS.iter().map(PathBuf::from).collect();
    words.extend(["--tmpfs", "/tmp", "--tmpfs", "/run"].map(PathBuf::from));
    let program = command.first().cloned().unwrap_or_default();
    match program.starts_with("/usr") {
        true => {
            let binds = ["/usr", "/etc/ld.so.cache", "/lib", "/lib64"];
            words.extend(binds.iter().flat_map(|place| ["--ro-bind", place, place]).map(PathBuf::from));
        }
        false => words.extend(["--ro-bind".into(), program.clone(), program]),
    }
    words.push("--".into());
    words.extend(command.iter().cloned());
    Start::of("bubblewrap", words)
}

/// Returns a program in a sandbox of the same places, files, sizes and filter of system calls as a sealed world; what the sandbox is
/// passed is written below `at`. There is no Landlock, no identity of its own and no digest checked.
pub fn same_world(manifest: &Path, command: &[PathBuf], at: &Path) -> Result<Start, Box<dyn Error>> {
    let mut words: Vec<PathBuf> = ALWAYS.iter().map(PathBuf::from).collect();
    let mut files = Vec::new();
    let mut filter = Vec::new();
    fs::create_dir_all(at)?;
    let mut pass = |bytes: &[u8]| -> Result<String, Box<dyn Error>> {
        let number = FIRST + i32::try_from(files.len())?;
        let path = at.join(number.to_string());
        fs::write(&path, bytes)?;
        files.push((number, path));
        Ok(number.to_string())
    };
    for line in fs::read_to_string(manifest)?.lines() {
        let tokens: Vec<&str> = line.split(' ').collect();
        let more = match *tokens {
            ["hostname", name] => vec!["--hostname".into(), name.into()],
            ["tmpfs", place, size, mode] => {
                ["--perms", mode, "--size", size, "--tmpfs", place].map(str::to_owned).to_vec()
            }
            // Bubblewrap's own /dev has these.
            ["link", place, _] if place.starts_with("/dev/") => Vec::new(),
            ["link", place, to] => vec!["--symlink".into(), to.into(), place.into()],
            ["text", place, mode, text] => {
                let number = pass(&decoded(text))?;
                vec!["--perms".into(), mode.into(), "--file".into(), number, place.into()]
            }
            ["pinned", place, source, ..] => vec!["--ro-bind".into(), source.into(), place.into()],
            ["bpf", code, jt, jf, k] => {
                filter.extend(code.parse::<u16>()?.to_le_bytes());
                filter.extend([jt.parse::<u8>()?, jf.parse()?]);
                filter.extend(k.parse::<u32>()?.to_le_bytes());
                Vec::new()
            }
            _ => Vec::new(),
        };
        words.extend(more.into_iter().map(PathBuf::from));
    }
    words.extend(["--seccomp".into(), pass(&filter)?.into(), "--".into()]);
    words.extend(command.iter().cloned());
    Ok(Start::of("bubblewrap", words).with_files(files))
}

/// Returns the bytes of a token: `%0A` is one.
fn decoded(token: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut parts = token.split('%');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        bytes.extend(u8::from_str_radix(code, 16).ok());
        bytes.extend(rest.bytes());
    }
    bytes
}

//! The second door in: what the configuration's paths and names are on the machine that is configured.
//!
//! Lowering asks it and nothing else, so that a fake machine shows every refusal in a test.
//! Paths are taken as they stand: no method follows a symbolic link, at the end or before it; [`walk`] does that in the
//! open, so that links of another system's root (`--root DIR`) cannot lead out of it.

mod real;
mod over;
mod remembered;
mod tree;
#[cfg(test)]
pub mod fake;

pub use over::Over;
pub use real::RealMachine;
pub use remembered::Remembered;
pub use tree::tree_digest;

use capc_schemas::token::Digest;
use std::io;

/// The longest chain of symbolic links that is followed, as in the kernel.
const MAX_LINKS: usize = 40;

/// What lies at a path.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A unix socket.
    Socket,
    /// A device node.
    Device,
    /// A named pipe.
    Other,
}

impl FileType {
    /// Returns it in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Regular => "a file",
            Self::Directory => "a directory",
            Self::Link => "a symbolic link",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Other => "a named pipe",
        }
    }
}

/// What the system says about a path.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub file_type: FileType,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its length in bytes.
    pub size: u64,
}

/// What a caller would do with a path.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Read it.
    Read,
    /// Write to it.
    Write,
    /// Execute or search it.
    Execute,
}

/// The capability to look at a machine, handed in by `main`.
pub trait Machine {
    /// Returns what lies at a path; of a symbolic link, the link itself.
    ///
    /// # Errors
    /// Whatever the system says.
    fn metadata(&self, path: &str) -> io::Result<Metadata>;

    /// Reads a whole file.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// Reads the first bytes of a file, at most `length`.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read_start(&self, path: &str, length: usize) -> io::Result<Vec<u8>>;

    /// Returns the digest of a file's content.
    ///
    /// # Errors
    /// Whatever the system says.
    fn digest(&self, path: &str) -> io::Result<Digest>;

    /// Returns what a symbolic link says.
    ///
    /// # Errors
    /// Whatever the system says; `InvalidData` if it is not UTF-8.
    fn read_link(&self, path: &str) -> io::Result<String>;

    /// Returns the names in a directory, sorted.
    ///
    /// # Errors
    /// Whatever the system says; `InvalidData` if one is not UTF-8.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// Returns the magic number of the file system that holds a path (statfs(2)).
    ///
    /// # Errors
    /// Whatever the system says.
    fn file_system(&self, path: &str) -> io::Result<u64>;

    /// Returns whether what a path names is mounted so that nothing can be written there.
    ///
    /// # Errors
    /// Whatever the system says.
    fn is_read_only(&self, path: &str) -> io::Result<bool>;

    /// Returns whether the caller itself may do that with a path (access(2)).
    fn may(&self, path: &str, wish: Wish) -> bool;

    /// Returns the caller's user number.
    fn caller(&self) -> u32;
}

/// Where a path leads, and the symbolic links on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The path without links.
    pub real: String,
    /// What lies there.
    pub metadata: Metadata,
    /// Each link that was crossed: where it lies, itself reached without links, and what it says.
    pub links: Vec<(String, String)>,
}

/// Follows a path from the root, each symbolic link in turn.
///
/// # Errors
/// Whatever the system says about a step, with the path of that step.
pub fn walk(machine: &dyn Machine, path: &str) -> Result<Walk, (String, io::Error)> {
    let mut links = Vec::new();
    let mut real = String::new();
    let mut metadata = None;
    // The names still to be entered, the next one last.
    let mut rest: Vec<String> = names(path).rev().map(str::to_owned).collect();
    while let Some(name) = rest.pop() {
        if name == ".." {
            real.truncate(real.rfind('/').unwrap_or(0));
            metadata = None;
            continue;
        }
        let next = format!("{real}/{name}");
        let found = machine.metadata(&next).map_err(|error| (next.clone(), error))?;
        if found.file_type != FileType::Link {
            (real, metadata) = (next, Some(found));
            continue;
        }
        let target = machine.read_link(&next).map_err(|error| (next.clone(), error))?;
        if links.len() >= MAX_LINKS {
            return Err((next, io::Error::other("too many symbolic links")));
        }
        if target.starts_with('/') {
            real.clear();
            metadata = None;
        }
        rest.extend(names(&target).rev().map(str::to_owned));
        links.push((next, target));
    }
    let real = if real.is_empty() { "/".to_owned() } else { real };
    let metadata = match metadata {
        Some(metadata) => metadata,
        None => machine.metadata(&real).map_err(|error| (real.clone(), error))?,
    };
    Ok(Walk { real, metadata, links })
}

fn names(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|name| !matches!(*name, "" | "."))
}

/// Returns the path in its shortest form, by its words alone.
#[must_use]
pub fn normal(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for name in names(path) {
        match name {
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Returns the directory that a path lies in; of `/`, itself.
#[must_use]
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => path.get(..at).unwrap_or("/"),
    }
}

/// Returns the last name of a path.
#[must_use]
pub fn last_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns the path of `name` in a directory; `name` may begin with `/` and may be empty.
#[must_use]
pub fn join(directory: &str, name: &str) -> String {
    let directory = directory.strip_suffix('/').unwrap_or(directory);
    match name.trim_start_matches('/') {
        "" if directory.is_empty() => "/".to_owned(),
        "" => directory.to_owned(),
        name => format!("{directory}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::fake::FakeMachine;
    use super::*;

    #[track_caller]
    fn check(path: &str, real: &str, links: &[&str]) {
        let mut machine = FakeMachine::default();
        machine.file("/usr/bin/dash", "").link("/bin", "usr/bin").link("/usr/bin/sh", "dash");
        machine.link("/etc/sh", "/bin/../bin/sh").link("/loop", "loop");
        match walk(&machine, path) {
            Ok(walk) => {
                assert_eq!(walk.real, real);
                assert_eq!(walk.links.iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(), links);
            }
            Err((at, error)) => assert_eq!(format!("{at}: {error}"), real),
        }
    }

    #[test]
    fn links_are_followed_within_the_root_and_told() {
        check("/usr/bin/dash", "/usr/bin/dash", &[]);
        check("/bin/sh", "/usr/bin/dash", &["/bin", "/usr/bin/sh"]);
        // `..` goes up from where the link led.
        check("/etc/sh", "/usr/bin/dash", &["/etc/sh", "/bin", "/usr/bin/sh"]);
        check("/../..", "/", &[]);
        check("/loop", "/loop: too many symbolic links", &[]);
        check("/bin/nothing", "/usr/bin/nothing: entity not found", &[]);
    }

    #[test]
    fn words_alone_make_a_path_normal() {
        assert_eq!(normal("/opt/app/bin/../lib/./x"), "/opt/app/lib/x");
        assert_eq!(normal("/../x/"), "/x");
        assert_eq!(
            (join("/", "x"), join("/a/", "/b"), join("/a", "")),
            ("/x".into(), "/a/b".into(), "/a".into())
        );
        assert_eq!((parent("/a/b"), parent("/a"), parent("/"), last_name("/a/b")), ("/a", "/", "/", "b"));
    }
}

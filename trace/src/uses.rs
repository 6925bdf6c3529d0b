//! What a program used.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// One thing of the machine that was used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// A file or a directory, without links.
    File(PathBuf, Access),
    /// A unix socket that it connected to.
    Socket(PathBuf),
    /// A remote TCP address.
    Connect(SocketAddr),
    /// A TCP address that it bound.
    Bind(SocketAddr),
    /// A UDP address that it sent to or bound.
    Udp(SocketAddr),
    /// A system call, by its number.
    Call(u32),
}

/// What was done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// It was opened for reading.
    Read,
    /// It was executed, or mapped for execution.
    Execute,
    /// It was opened for writing, or its metadata changed.
    Modify,
    /// It was made in its directory.
    Create,
    /// It was removed from its directory.
    Remove,
    /// A socket or a FIFO was made there.
    Socket,
}

/// Who used something, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The name of the first process (comm of proc(5)).
    pub by: String,
    /// The name of its system call.
    pub call: &'static str,
    /// How often it was used in all.
    pub times: u32,
}

/// Everything that was used.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    all: BTreeMap<Use, Evidence>,
    /// By which names files were asked for that have others without links.
    asked: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    /// Sockets for datagrams that were given an address to send to; naming one is not sending.
    named: BTreeMap<String, SocketAddr>,
    /// The name of a process that went on when the first had ended by itself.
    pub(crate) left: Option<String>,
}

impl Uses {
    /// Adds a use.
    pub(crate) fn add(&mut self, used: Use, call: &'static str, by: impl FnOnce() -> String) {
        let known = self.all.entry(used).or_insert_with(|| Evidence { by: by(), call, times: 0 });
        known.times = known.times.saturating_add(1);
    }

    /// Returns the name of a process that went on when the first had ended by itself, as those of daemons do that go to
    /// the background.
    #[must_use]
    pub fn left(&self) -> Option<&str> {
        self.left.as_deref()
    }

    /// Notes by which name a file was asked for.
    pub(crate) fn ask(&mut self, file: &Path, asked: PathBuf) {
        if asked != file {
            self.asked.entry(file.to_owned()).or_default().insert(asked);
        }
    }

    /// Returns the other names, with links in them, by which a file was asked for.
    pub fn asked(&self, file: &Path) -> impl Iterator<Item = &Path> {
        self.asked.get(file).into_iter().flatten().map(PathBuf::as_path)
    }

    /// Notes where a socket sends to.
    pub(crate) fn name(&mut self, socket: String, to: SocketAddr) {
        self.named.insert(socket, to);
    }

    /// Returns where a socket sends to.
    pub(crate) fn named(&self, socket: &str) -> Option<SocketAddr> {
        self.named.get(socket).copied()
    }

    /// Returns the uses in order, with their evidence.
    pub fn all(&self) -> impl Iterator<Item = (&Use, &Evidence)> {
        self.all.iter()
    }
}

//! Why nothing is started: which layer, what it was about, and what is wrong with it, in one line.

use crate::sys::{Answer, End, Errno};
use capc_schemas::token::{RelPath, Token};
use capc_schemas::{manifest, seal, trust, words};
use core::ffi::CStr;
use core::fmt;

/// The exit status of a refusal.
pub const REFUSED: u8 = 77;
/// The exit status when a program cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// The exit status when there is no such program.
pub const NOT_FOUND: u8 = 127;

words! {
    /// What refuses.
    Layer {
        /// The command line and its environment.
        Usage = "usage",
        /// The record in the launcher's image.
        Trust = "trust record",
        /// The machine's digest.
        Host = "host",
        /// The directory of the generation.
        Generation = "generation",
        /// Its index.
        Seal = "seal",
        /// The index's signature.
        Signature = "signature",
        /// The least generation that may start.
        Floor = "floor",
        /// The service's text.
        Manifest = "manifest",
        /// What the init passes.
        Descriptors = "descriptors",
        /// The init's notification socket.
        Notification = "notification",
        /// Its own mounts.
        Mounts = "mount namespace",
        /// Its own message queues and shared memory.
        Ipc = "ipc namespace",
        /// Its own host name.
        Uts = "uts namespace",
        /// Its own network.
        Network = "network namespace",
        /// Its own view of control groups.
        Cgroup = "cgroup namespace",
        /// Its own processes.
        Pids = "pid namespace",
        /// Its own identities.
        Users = "user namespace",
        /// A place in the root.
        Place = "place",
        /// A file that is taken for sealed because nothing changes where it lies.
        Store = "store",
        /// A file whose digest is sealed.
        Pinned = "pinned",
        /// A file of which a sealed copy is made.
        Memfd = "memfd",
        /// A mount that maps owners.
        IdMap = "id-mapped mount",
        /// The service's own directories.
        State = "state",
        /// A facet's directory.
        Facet = "facet",
        /// The process file system.
        Proc = "proc",
        /// The new root.
        Root = "root",
        /// Session, signals and keys.
        Session = "session",
        /// Resource limits.
        Limits = "limits",
        /// User and groups.
        Identity = "identity",
        /// Kernel privileges.
        Privileges = "privileges",
        /// Rights on files and ports.
        Landlock = "landlock",
        /// System calls.
        Seccomp = "seccomp",
        /// The first process of the world.
        Keeper = "keeper",
        /// The program that runs before the service's own.
        Prepare = "prepare",
        /// The service's program.
        Program = "program",
    }
}

/// What a refusal is about.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Subject<'m> {
    /// The layer as a whole.
    Itself,
    /// A path.
    Path(&'m CStr),
    /// A word.
    Word(&'static str),
    /// A file of the generation.
    Name(RelPath<'m>),
}

/// What is wrong.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// This.
    Words(&'static str),
    /// The kernel does not do it.
    Kernel(&'static str, Errno),
    /// The manifest does not read.
    Manifest(manifest::Error),
    /// The SEAL does not read.
    Seal(seal::Error),
    /// The trust record does not read.
    Trust(trust::Error),
    /// A number is under the least one.
    Least {
        /// What there is.
        found: u64,
        /// What there must be.
        least: u64,
    },
    /// A program ended so.
    Ended(End),
    /// A process ended that nothing was wrong with; another may fare better.
    Gone(&'static str),
    /// A program is not executed.
    Exec(Errno),
}

/// Why nothing is started.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Refusal<'m> {
    /// What refuses.
    pub layer: Layer,
    /// What it is about.
    pub subject: Subject<'m>,
    /// What is wrong.
    pub reason: Reason,
}

impl<'m> Refusal<'m> {
    /// Refuses for a reason in words.
    pub const fn of(layer: Layer, words: &'static str) -> Self {
        Self { layer, subject: Subject::Itself, reason: Reason::Words(words) }
    }

    /// Refuses a path for a reason in words.
    pub const fn at(layer: Layer, path: &'m CStr, words: &'static str) -> Self {
        Self { layer, subject: Subject::Path(path), reason: Reason::Words(words) }
    }

    /// Returns the status that the launcher exits with.
    #[must_use]
    pub const fn status(&self) -> u8 {
        match self.reason {
            Reason::Exec(Errno::ENOENT) => NOT_FOUND,
            Reason::Exec(_) | Reason::Ended(_) | Reason::Gone(_) => NOT_EXECUTABLE,
            _ => REFUSED,
        }
    }
}

/// Turns the kernel's answers into refusals.
pub trait OrRefuse<T> {
    /// Refuses if the kernel did.
    ///
    /// # Errors
    /// Names the layer and what was asked.
    fn or_refuse<'m>(self, layer: Layer, asked: &'static str) -> Result<T, Refusal<'m>>;

    /// Refuses a path if the kernel did.
    ///
    /// # Errors
    /// Names the layer, the path and what was asked.
    fn or_refuse_at<'m>(self, layer: Layer, asked: &'static str, path: &'m CStr) -> Result<T, Refusal<'m>>;
}

impl<T> OrRefuse<T> for Answer<T> {
    fn or_refuse<'m>(self, layer: Layer, asked: &'static str) -> Result<T, Refusal<'m>> {
        self.map_err(|errno| Refusal {
            layer,
            subject: Subject::Itself,
            reason: Reason::Kernel(asked, errno),
        })
    }

    fn or_refuse_at<'m>(self, layer: Layer, asked: &'static str, path: &'m CStr) -> Result<T, Refusal<'m>> {
        self.map_err(|errno| Refusal {
            layer,
            subject: Subject::Path(path),
            reason: Reason::Kernel(asked, errno),
        })
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.layer)?;
        match self.subject {
            Subject::Itself => {}
            Subject::Path(path) => write!(f, "{}: ", Token::new(path.to_bytes()))?,
            Subject::Word(word) => write!(f, "{word}: ")?,
            Subject::Name(name) => write!(f, "{name}: ")?,
        }
        match self.reason {
            Reason::Words(words) | Reason::Gone(words) => f.write_str(words),
            Reason::Kernel(asked, errno) => write!(f, "{asked}: {errno}"),
            Reason::Manifest(error) => error.fmt(f),
            Reason::Seal(error) => error.fmt(f),
            Reason::Trust(error) => error.fmt(f),
            Reason::Least { found, least } => write!(f, "it is {found}, and at least {least} is needed"),
            Reason::Ended(End::Exited(status)) => write!(f, "it ended with {status}"),
            Reason::Ended(End::Killed(signal)) => write!(f, "it was ended by signal {signal}"),
            Reason::Exec(errno) => write!(f, "it is not executed: {errno}"),
        }
    }
}

/// Text in a fixed room, as long as a path.
pub struct Sentence {
    bytes: [u8; 4096],
    length: usize,
    whole: bool,
}

impl Sentence {
    /// Returns the text of anything.
    #[must_use]
    pub fn of(text: fmt::Arguments<'_>) -> Self {
        let mut sentence = Self::raw(&[]);
        let _ = fmt::Write::write_fmt(&mut sentence, text);
        sentence
    }

    /// Returns these bytes.
    #[must_use]
    pub fn raw(bytes: &[u8]) -> Self {
        let mut sentence = Self { bytes: [0; _], length: 0, whole: true };
        sentence.add(bytes);
        sentence
    }

    /// Adds bytes; what does not fit is left out.
    pub fn add(&mut self, bytes: &[u8]) {
        // The last byte stays NUL.
        let room = self.bytes.len().saturating_sub(1 + self.length).min(bytes.len());
        let (to, from) = (self.bytes.get_mut(self.length..self.length + room), bytes.get(..room));
        if let (Some(to), Some(from)) = (to, from) {
            to.copy_from_slice(from);
            self.length += room;
        }
        self.whole &= room == bytes.len();
    }

    /// Returns its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// Returns it for the kernel; the empty string, which names nothing, if something was left out.
    #[must_use]
    pub fn c_str(&self) -> &CStr {
        let text = if self.whole { CStr::from_bytes_until_nul(&self.bytes).ok() } else { None };
        text.unwrap_or(c"")
    }
}

impl fmt::Write for Sentence {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

/// Says in one line why nothing is started.
pub fn complain(status: u8, text: fmt::Arguments<'_>) {
    let verdict = if status == REFUSED { "refused: " } else { "" };
    crate::sys::complain(Sentence::of(format_args!("capc launcher: {verdict}{text}\n")).bytes());
}

/// Says what a process of the world has told, and returns its status.
pub fn repeat(status: u8, text: &[u8]) -> u8 {
    let line = text.split(|byte| *byte == b'\n').next().and_then(|line| core::str::from_utf8(line).ok());
    complain(status, format_args!("{}", line.unwrap_or("for an unknown reason")));
    status
}

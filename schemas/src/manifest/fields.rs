//! The values that stand in manifest lines.

use crate::line::{Field, Words};
use crate::words;
use core::fmt;

words! {
    /// Who starts the service.
    Mode {
        /// With privileges: identities of their own, id-mapped mounts.
        Root = "root",
        /// A plain user: one number in a user namespace.
        User = "user",
    }
    /// Which network the service is in.
    Network {
        /// An empty one with loopback up.
        Private = "private",
        /// The host's, with the ports that are granted.
        Host = "host",
        /// The host's, with all its ports.
        Open = "open",
    }
    /// Whether programs may be executed from a place.
    Execution {
        /// They may.
        Exec = "exec",
        /// They may not.
        NoExec = "noexec",
    }
    /// What keeps a file of code from being another than was sealed, the weakest first.
    Integrity {
        /// It lies where nothing changes, which is checked; it is not hashed.
        Store = "store",
        /// It is hashed, unless it is known not to have changed since it was.
        Pinned = "pinned",
        /// What runs is a copy in memory, hashed while it was copied.
        Memfd = "memfd",
    }
    /// What a granted path must be.
    FileKind {
        /// A directory.
        Dir = "dir",
        /// Anything else.
        File = "file",
    }
    /// Whether a mount may be written to.
    Access {
        /// It may not.
        ReadOnly = "ro",
        /// It may.
        ReadWrite = "rw",
    }
    /// What the service has to do with a facet's directory.
    FacetRole {
        /// It makes sockets there.
        Make = "make",
        /// It connects to them.
        Hold = "hold",
    }
    /// A resource limit.
    Limit {
        /// Address space.
        As = "as",
        /// Core dumps.
        Core = "core",
        /// Processor time in seconds.
        Cpu = "cpu",
        /// Heap and private memory.
        Data = "data",
        /// File size.
        Fsize = "fsize",
        /// Locked memory.
        Memlock = "memlock",
        /// Message queues.
        Msgqueue = "msgqueue",
        /// Niceness.
        Nice = "nice",
        /// Open descriptors.
        Nofile = "nofile",
        /// Processes of the identity.
        Nproc = "nproc",
        /// Real-time priority.
        Rtprio = "rtprio",
        /// Queued signals.
        Sigpending = "sigpending",
        /// Stack.
        Stack = "stack",
    }
    /// What a passed descriptor is.
    DescriptorKind {
        /// A bound socket, told in `LISTEN_FDS`.
        Listen = "listen",
        /// One end of a nameless pair, told in `CAPC_FDS`.
        Channel = "channel",
    }
    /// When the service counts as ready.
    Ready {
        /// Once its program runs.
        Started = "started",
        /// Once it says so.
        Notify = "notify",
        /// Once its sockets listen.
        Socket = "socket",
    }
}

impl Integrity {
    /// The directories of package managers that never change what they once put there.
    const STORES: [&'static [u8]; 2] = [b"/gnu/store/", b"/nix/store/"];

    /// Returns whether a file is one that such a package manager put there: nobody may write to it, its owner included.
    #[must_use]
    pub fn is_store_item(path: &[u8], mode: u32) -> bool {
        mode & 0o222 == 0 && Self::STORES.iter().any(|store| path.starts_with(store))
    }
}

/// Permission bits, written in octal.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileMode(u16);

impl FileMode {
    /// Returns the mode; set-id bits are none.
    #[must_use]
    pub const fn new(bits: u16) -> Option<Self> {
        if bits & !0o1777 == 0 { Some(Self(bits)) } else { None }
    }

    /// Returns its bits.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:o}", self.0)
    }
}

impl Field<'_> for FileMode {
    fn read(words: &mut Words<'_>) -> Option<Self> {
        u16::from_str_radix(words.word()?, 8).ok().and_then(Self::new)
    }
}

/// Who owns a granted path on disk, where its mount is id-mapped.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// No mapping.
    Plain,
    /// This uid and gid appear as the service's own.
    Mapped {
        /// The uid on disk.
        uid: u32,
        /// The gid on disk.
        gid: u32,
    },
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("plain"),
            Self::Mapped { uid, gid } => write!(f, "{uid}:{gid}"),
        }
    }
}

impl Field<'_> for Owner {
    fn read(words: &mut Words<'_>) -> Option<Self> {
        match words.word()? {
            "plain" => Some(Self::Plain),
            word => {
                let (uid, gid) = word.split_once(':')?;
                Some(Self::Mapped { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
            }
        }
    }
}

/// A set of file rights, as Landlock enforces them.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Rights(u8);

impl Rights {
    /// Read files, list directories.
    pub const READ: Self = Self(1);
    /// Execute files.
    pub const EXEC: Self = Self(1 << 1);
    /// Write to files and truncate them.
    pub const MODIFY: Self = Self(1 << 2);
    /// Make files, directories and symbolic links.
    pub const CREATE: Self = Self(1 << 3);
    /// Remove them.
    pub const REMOVE: Self = Self(1 << 4);
    /// Make sockets and named pipes.
    pub const SOCKET: Self = Self(1 << 5);
    /// Control devices (ioctl).
    pub const DEVICE: Self = Self(1 << 6);
    /// No right at all.
    pub const NONE: Self = Self(0);

    const WORDS: [(Self, &'static str); 7] = [
        (Self::READ, "read"),
        (Self::EXEC, "exec"),
        (Self::MODIFY, "modify"),
        (Self::CREATE, "create"),
        (Self::REMOVE, "remove"),
        (Self::SOCKET, "socket"),
        (Self::DEVICE, "device"),
    ];

    /// Returns the rights in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether every right of `other` is in here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the right that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, name)| *name == word).map(|(right, _)| *right)
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Self::WORDS.iter().filter(|(right, _)| self.contains(*right));
        for (index, (_, word)) in held.enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl Field<'_> for Rights {
    fn read(words: &mut Words<'_>) -> Option<Self> {
        words.word()?.split(',').try_fold(Self::NONE, |rights, word| Some(rights.or(Self::from_word(word)?)))
    }
}

/// At least one supplementary group.
#[derive(Copy, Clone, Debug)]
pub struct Groups<'a>(GroupsForm<'a>);

#[derive(Copy, Clone, Debug)]
enum GroupsForm<'a> {
    Numbers(&'a [u32]),
    // INVARIANT: decimal numbers, separated by blanks.
    Written(&'a str),
}

impl<'a> Groups<'a> {
    /// Returns the groups; none of none.
    #[must_use]
    pub const fn new(gids: &'a [u32]) -> Option<Self> {
        if gids.is_empty() { None } else { Some(Self(GroupsForm::Numbers(gids))) }
    }

    /// Returns their numbers.
    pub fn gids(self) -> impl Iterator<Item = u32> + 'a {
        let (numbers, text) = match self.0 {
            GroupsForm::Numbers(numbers) => (numbers, ""),
            GroupsForm::Written(text) => (&[][..], text),
        };
        numbers.iter().copied().chain(text.split(' ').filter_map(|word| word.parse().ok()))
    }
}

impl PartialEq for Groups<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.gids().eq(other.gids())
    }
}
impl Eq for Groups<'_> {}

impl fmt::Display for Groups<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, gid) in self.gids().enumerate() {
            f.write_str(if index > 0 { " " } else { "" })?;
            write!(f, "{gid}")?;
        }
        Ok(())
    }
}

impl<'a> Field<'a> for Groups<'a> {
    fn read(words: &mut Words<'a>) -> Option<Self> {
        let text = words.rest()?;
        let all_numbers = text.split(' ').all(|word| word.parse::<u32>().is_ok());
        all_numbers.then_some(Self(GroupsForm::Written(text)))
    }
}

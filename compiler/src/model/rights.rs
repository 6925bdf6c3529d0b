//! The kinds of capability and their rights, the least first.

/// A set of rights of one kind: bit `i` is the kind's `i`th right, the least first.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rights(pub u8);

impl Rights {
    /// No right at all.
    pub const NONE: Self = Self(0);

    /// Returns whether every right of `other` is in here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Returns the rights in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// Returns the rights in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Returns the rights in here and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// Returns whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Returns each right alone, the least first.
    pub fn each(self) -> impl Iterator<Item = Self> {
        (0..8).map(|bit| Self(1 << bit)).filter(move |right| self.contains(*right))
    }
}

/// What sort of capability something is; decides its rights.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `dir`: a directory and all under it.
    Dir,
    /// `file`: one file.
    File,
    /// `state`: a directory that the launcher makes.
    State,
    /// `secret`: a file handed over without its path.
    Secret,
    /// `listen`: a listening address.
    Listen,
    /// `connect`: a remote port.
    Connect,
    /// `socket`: a unix socket of something that capc does not run.
    Socket,
    /// `device`: a device node.
    Device,
    /// `network`: the host's network, all of it.
    Network,
    /// `privilege`: a kernel privilege.
    Privilege,
    /// `tty`, `stdio`, `notify`: what whoever launches a program has at hand.
    Caller,
    /// `identity`: a Unix identity.
    Identity,
    /// A facet over a socket, a channel or a port, and `done`.
    Facet,
    /// A facet that is a mounted directory.
    Mount,
    /// The `control` of a service.
    Control,
    /// The `launch` of a program.
    Launch,
    /// The `ask` of a powerbox.
    Ask,
}

impl Kind {
    /// Returns the names of the kind's rights, the least first.
    #[must_use]
    pub const fn right_names(self) -> &'static [&'static str] {
        match self {
            Self::Dir | Self::State | Self::Mount => {
                &["read", "exec", "modify", "create", "remove", "socket"]
            }
            Self::File => &["read", "exec", "modify"],
            Self::Secret => &["read"],
            Self::Listen => &["accept", "bind"],
            Self::Connect | Self::Socket | Self::Facet => &["connect"],
            Self::Identity => &["become"],
            Self::Device => &["read", "write", "ioctl"],
            Self::Network | Self::Privilege | Self::Caller => &["use"],
            Self::Control => &["signal", "restart", "replace"],
            Self::Launch => &["launch"],
            Self::Ask => &["ask"],
        }
    }

    /// Returns the word of the language for the kind.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dir => "dir",
            Self::File => "file",
            Self::State => "state",
            Self::Secret => "secret",
            Self::Listen => "listen",
            Self::Connect => "connect",
            Self::Socket => "socket",
            Self::Identity => "identity",
            Self::Facet => "facet",
            Self::Mount => "mount",
            Self::Device => "device",
            Self::Network => "network",
            Self::Privilege => "privilege",
            Self::Caller => "caller",
            Self::Control => "control",
            Self::Launch => "launch",
            Self::Ask => "ask",
        }
    }

    /// Returns every right of the kind.
    #[must_use]
    pub const fn all(self) -> Rights {
        Rights(((1u16 << self.right_names().len()) - 1) as u8)
    }

    /// Returns the kind's least right.
    #[must_use]
    pub const fn least(self) -> Rights {
        Rights(1)
    }

    /// Returns the rights that a word stands for: one right, or `write` for all that change.
    #[must_use]
    pub fn right(self, word: &str) -> Option<Rights> {
        let named = self.right_names().iter().position(|name| *name == word).map(|bit| Rights(1 << bit));
        match (self, word) {
            (Self::Dir | Self::State | Self::Mount, "write") => Some(Self::FS_WRITE),
            (Self::File, "write") => Some(Self::FS_MODIFY),
            _ => named,
        }
    }

    /// `read` of things that have a path.
    pub const FS_READ: Rights = Rights(1);
    /// `exec` of things that have a path.
    pub const FS_EXEC: Rights = Rights(2);
    /// `modify` of things that have a path.
    pub const FS_MODIFY: Rights = Rights(4);
    /// `create` in a directory.
    pub const FS_CREATE: Rights = Rights(8);
    /// `remove` in a directory.
    pub const FS_REMOVE: Rights = Rights(16);
    /// `socket` in a directory: to make sockets and fifos.
    pub const FS_SOCKET: Rights = Rights(32);
    /// `write` = `modify` + `create` + `remove`.
    pub const FS_WRITE: Rights = Rights(4 | 8 | 16);
    /// `accept` of a `listen`.
    pub const ACCEPT: Rights = Rights(1);
    /// `bind` of a `listen`.
    pub const BIND: Rights = Rights(2);
    /// `read` of a `device`.
    pub const DEVICE_READ: Rights = Rights(1);
    /// `write` of a `device`.
    pub const DEVICE_WRITE: Rights = Rights(2);
    /// `ioctl` of a `device`.
    pub const DEVICE_IOCTL: Rights = Rights(4);
    /// `replace` of a `control`.
    pub const REPLACE: Rights = Rights(4);

    /// Returns the words of a set of rights, in the kind's order.
    pub fn words(self, rights: Rights) -> impl Iterator<Item = &'static str> {
        let named = self.right_names().iter().enumerate();
        named.filter(move |(bit, _)| rights.0 & (1 << bit) != 0).map(|(_, name)| *name)
    }
}

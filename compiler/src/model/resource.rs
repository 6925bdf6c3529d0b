//! What the machine has before any service runs.

use super::Kind;
use std::sync::Arc;

/// A transport protocol over IP.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Where a `listen` or a `tcp=` facet listens, or a `connect` goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// `ADDR:PORT` or `HOST:PORT`; the host without brackets.
    Ip {
        /// TCP or UDP.
        protocol: Protocol,
        /// An IP address; for `connect` perhaps a name.
        host: String,
        /// 1 to 65535.
        port: u16,
    },
    /// A path.
    Unix(Arc<str>),
}

impl Address {
    /// Returns whether nobody beyond the machine can use it: a loopback address (127/8, ::1, `localhost`) or a path.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Ip { host, .. } => {
                host == "localhost"
                    || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
            }
        }
    }
}

/// What a resource is beyond its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A `dir`, `file`, `state`, `device`, `secret` or `socket`.
    Path {
        /// One of those kinds.
        kind: Kind,
        /// Absolute, normal, after rewriting by aliases.
        path: Arc<str>,
    },
    /// A `listen`.
    Listen(Address),
    /// A `connect`.
    Connect(Address),
    /// An `identity`.
    Identity {
        /// `user=`.
        user: Option<String>,
        /// `group=`.
        group: Option<String>,
    },
    /// The `network` of the host.
    Network,
    /// A `privilege`: the kernel's name of it, `CAP_NET_ADMIN` (capabilities(7)).
    Privilege(Arc<str>),
    /// `tty`, `stdio` or `notify` of whoever launches a program.
    Caller(Arc<str>),
}

impl Resource {
    /// Returns the kind of capability that the resource is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Path { kind, .. } => *kind,
            Self::Listen(_) => Kind::Listen,
            Self::Connect(_) => Kind::Connect,
            Self::Identity { .. } => Kind::Identity,
            Self::Network => Kind::Network,
            Self::Privilege(_) => Kind::Privilege,
            Self::Caller(_) => Kind::Caller,
        }
    }
}

/// The kernel's privileges without `CAP_`, in the order of their numbers (linux/capability.h).
#[rustfmt::skip]
pub const PRIVILEGES: [&str; 41] = [
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
];

/// Returns the number of a privilege by its name, `CAP_NET_ADMIN`.
#[must_use]
pub fn privilege_number(name: &str) -> Option<u8> {
    let bare = name.strip_prefix("CAP_")?;
    PRIVILEGES.iter().position(|known| *known == bare).and_then(|at| u8::try_from(at).ok())
}

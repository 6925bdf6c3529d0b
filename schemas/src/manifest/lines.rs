//! One line of a manifest: its kinds in their order, its fields, reading and writing.

use super::Problem;
use super::fields::{
    Access, DescriptorKind, Execution, FacetRole, FileKind, FileMode, Groups, Integrity, Limit, Mode,
    Network, Owner, Ready, Rights,
};
use crate::line::{Field, Words, writes_line};
use crate::token::{AbsPath, Digest, Key, RelPath, Token};
use core::fmt;

/// How often lines of a kind may stand in a manifest.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Times {
    /// Exactly once.
    Once,
    /// Once or never.
    Optional,
    /// As often as one likes.
    Any,
}

macro_rules! lines {
    ($(
        $(#[$doc:meta])*
        $name:ident = $word:literal $times:ident
        $({ $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })?
    )*) => {
        /// One line of a manifest.
        #[derive(Copy, Clone, Debug, PartialEq, Eq)]
        pub enum Line<'a> {
            $($(#[$doc])* $name $({ $($(#[$field_doc])* $field: $type),* })?),*
        }

        /// What sort of line it is; the order is that of the lines in a manifest.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $name),*
        }

        impl Kind {
            /// Every kind, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the word that lines of the kind begin with.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// Returns how often it may stand.
            #[must_use]
            pub const fn times(self) -> Times {
                match self { $(Self::$name => Times::$times),* }
            }

            fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }
        }

        impl<'a> Line<'a> {
            /// Returns its kind.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$name { .. } => Kind::$name),* }
            }

            /// Writes it with its newline.
            ///
            /// # Errors
            /// When `out` does.
            pub fn write(&self, out: &mut (impl fmt::Write + ?Sized)) -> fmt::Result {
                out.write_str(self.kind().word())?;
                match self {
                    $(Self::$name $({ $($field),* })? => {
                        $($(
                            out.write_char(' ')?;
                            $field.write(out)?;
                        )*)?
                    })*
                }
                out.write_char('\n')
            }

            fn fields(kind: Kind, words: &mut Words<'a>) -> Option<Self> {
                Some(match kind {
                    $(Kind::$name => Self::$name $({ $($field: words.field::<$type>()?),* })?),*
                })
            }
        }
    };
}

lines! {
    /// What the file is.
    Format = "capc-manifest" Once {
        /// The version, which is 1.
        version: u32,
    }
    /// The object path of the service.
    Service = "service" Once {
        /// Its path.
        name: RelPath<'a>,
    }
    /// Who starts it.
    Mode = "mode" Once {
        /// Who.
        mode: Mode,
    }
    /// The least Landlock ABI that it needs.
    LandlockAbi = "landlock-abi" Once {
        /// The version.
        abi: u32,
    }
    /// Its identity; as a user, the numbers inside its own user namespace.
    Uid = "uid" Once {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    }
    /// Its supplementary groups; as root only.
    Groups = "groups" Optional {
        /// Their numbers.
        gids: Groups<'a>,
    }
    /// The host name that it sees.
    Hostname = "hostname" Once {
        /// The name.
        name: Token<'a>,
    }
    /// Its network.
    Network = "network" Once {
        /// Which.
        network: Network,
    }
    /// A private writable directory in memory, its own: nosuid, nodev, noexec.
    Tmpfs = "tmpfs" Any {
        /// Where.
        at: AbsPath<'a>,
        /// How large it may grow.
        bytes: u64,
        /// Its permissions.
        mode: FileMode,
    }
    /// A symbolic link in the root.
    Link = "link" Any {
        /// Where.
        at: AbsPath<'a>,
        /// What it says.
        target: Token<'a>,
    }
    /// A generated file of root's.
    Text = "text" Any {
        /// Where.
        at: AbsPath<'a>,
        /// Its permissions.
        mode: FileMode,
        /// What it holds.
        content: Token<'a>,
    }
    /// A device node.
    Device = "device" Any {
        /// Where.
        at: AbsPath<'a>,
        /// The host's node.
        from: AbsPath<'a>,
    }
    /// A regular file in an immutable place, bound read-only; the digest is for those who look, not for the launcher.
    Store = "store" Any {
        /// Where.
        at: AbsPath<'a>,
        /// The host's file.
        from: AbsPath<'a>,
        /// What it must hold.
        digest: Digest,
        /// Whether it may be executed.
        execution: Execution,
    }
    /// A regular file, bound read-only from the descriptor that was hashed.
    Pinned = "pinned" Any {
        /// Where.
        at: AbsPath<'a>,
        /// The host's file.
        from: AbsPath<'a>,
        /// What it must hold.
        digest: Digest,
        /// Whether it may be executed.
        execution: Execution,
    }
    /// A regular file, copied into sealed memory of the world's own and hashed on the way.
    Memfd = "memfd" Any {
        /// Where.
        at: AbsPath<'a>,
        /// The host's file.
        from: AbsPath<'a>,
        /// What it must hold.
        digest: Digest,
        /// Whether it may be executed.
        execution: Execution,
    }
    /// A directory or file, bound read-only with all that is mounted in it.
    Image = "image" Any {
        /// Where.
        at: AbsPath<'a>,
        /// The host's.
        from: AbsPath<'a>,
    }
    /// A directory of the service's own that is made if it is not there.
    State = "state" Any {
        /// The host's path; a `grant` line brings it into the world.
        from: AbsPath<'a>,
    }
    /// A granted path.
    Grant = "grant" Any {
        /// Where.
        at: AbsPath<'a>,
        /// The host's path.
        from: AbsPath<'a>,
        /// What it must be.
        kind: FileKind,
        /// Whether it may be written to.
        access: Access,
        /// Whether programs in it may be executed.
        execution: Execution,
        /// Whose it is on disk.
        owner: Owner,
    }
    /// A secret, copied into a private file.
    Secret = "secret" Any {
        /// Where.
        at: AbsPath<'a>,
        /// The host's file, which is never visible.
        from: AbsPath<'a>,
    }
    /// The directory of a facet over a socket.
    Facet = "facet" Any {
        /// Where.
        at: AbsPath<'a>,
        /// Its name beneath the runtime directory.
        key: Key<'a>,
        /// Whether the service makes or uses it.
        role: FacetRole,
        /// The maker's user.
        uid: u32,
        /// The maker's group.
        gid: u32,
    }
    /// A left-over socket in a directory that the service makes facets in.
    Unlink = "unlink" Any {
        /// Where.
        at: AbsPath<'a>,
    }
    /// `/proc` of its own processes.
    Proc = "proc" Once
    /// Where the init's notification socket is bound.
    Notify = "notify" Optional {
        /// Where.
        at: AbsPath<'a>,
    }
    /// Landlock: file rights beneath a place.
    Allow = "allow" Any {
        /// The place.
        at: AbsPath<'a>,
        /// The rights.
        rights: Rights,
    }
    /// Landlock: a TCP port to bind.
    BindPort = "bind-port" Any {
        /// The port.
        port: u16,
    }
    /// Landlock: a TCP port to connect to.
    ConnectPort = "connect-port" Any {
        /// The port.
        port: u16,
    }
    /// A resource limit.
    Rlimit = "rlimit" Any {
        /// Of what.
        limit: Limit,
        /// The limit in force; the largest number is none.
        soft: u64,
        /// How far it may be raised.
        hard: u64,
    }
    /// A kernel privilege that is kept.
    Keep = "keep" Any {
        /// The number of the capability.
        capability: u8,
    }
    /// One instruction of the seccomp program.
    Bpf = "bpf" Any {
        /// The operation.
        code: u16,
        /// How far to jump when true.
        jt: u8,
        /// How far to jump when false.
        jf: u8,
        /// The operand.
        k: u32,
    }
    /// A descriptor that the init passes.
    Descriptor = "descriptor" Any {
        /// Its number in the service.
        fd: u16,
        /// What it is.
        kind: DescriptorKind,
        /// What the service calls it.
        name: Token<'a>,
    }
    /// A variable of the environment.
    Env = "env" Any {
        /// Its name.
        name: Token<'a>,
        /// Its value.
        value: Token<'a>,
    }
    /// The working directory.
    Workdir = "workdir" Once {
        /// Where.
        at: AbsPath<'a>,
    }
    /// A program that runs to its end before the service's own.
    Prepare = "prepare" Optional {
        /// Where, and its argument 0.
        at: AbsPath<'a>,
    }
    /// An argument of that program.
    PrepareArg = "prepare-arg" Any {
        /// The argument.
        text: Token<'a>,
    }
    /// When the service counts as ready.
    Ready = "ready" Once {
        /// When.
        ready: Ready,
    }
    /// The service's program.
    Run = "run" Once {
        /// Where, and its argument 0.
        at: AbsPath<'a>,
    }
    /// An argument of the service's program.
    Arg = "arg" Any {
        /// The argument.
        text: Token<'a>,
    }
    /// The end; nothing is cut off.
    End = "end" Once
}

/// A file of which a manifest says what it must hold.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct SealedFile<'a> {
    /// Where it is in the world.
    pub at: AbsPath<'a>,
    /// The host's file.
    pub from: AbsPath<'a>,
    /// What it must hold.
    pub digest: Digest,
    /// Whether it may be executed.
    pub execution: Execution,
    /// How it is kept from changing.
    pub integrity: Integrity,
}

impl<'a> SealedFile<'a> {
    /// Returns the line that says so.
    #[must_use]
    pub const fn line(self) -> Line<'a> {
        let Self { at, from, digest, execution, integrity } = self;
        match integrity {
            Integrity::Store => Line::Store { at, from, digest, execution },
            Integrity::Pinned => Line::Pinned { at, from, digest, execution },
            Integrity::Memfd => Line::Memfd { at, from, digest, execution },
        }
    }
}

impl<'a> Line<'a> {
    /// Returns the file that it says the digest of, if it does.
    #[must_use]
    pub const fn sealed_file(self) -> Option<SealedFile<'a>> {
        let (at, from, digest, execution, integrity) = match self {
            Self::Store { at, from, digest, execution } => (at, from, digest, execution, Integrity::Store),
            Self::Pinned { at, from, digest, execution } => (at, from, digest, execution, Integrity::Pinned),
            Self::Memfd { at, from, digest, execution } => (at, from, digest, execution, Integrity::Memfd),
            _ => return None,
        };
        Some(SealedFile { at, from, digest, execution, integrity })
    }

    /// Reads one line, given without its newline.
    ///
    /// # Errors
    /// When it is no line of a manifest or not written in the one way.
    pub fn parse(line: &'a str) -> Result<Self, Problem> {
        let parsed = Self::read(line)?;
        // An instruction is read in its one spelling only.
        let same = parsed.kind() == Kind::Bpf || writes_line(line, |out| parsed.write(out));
        if same { Ok(parsed) } else { Err(Problem::BadValue(parsed.kind())) }
    }

    /// Reads one line that may be written in another way than the one.
    pub(super) fn read(line: &'a str) -> Result<Self, Problem> {
        if let Some(line) = Self::instruction(line) {
            return Ok(line);
        }
        let mut words = Words::new(line);
        let kind = words.word().and_then(Kind::from_word).ok_or(Problem::UnknownWord)?;
        match kind {
            Kind::Bpf => Err(Problem::BadValue(kind)),
            _ => Self::fields(kind, &mut words).ok_or(Problem::BadValue(kind)),
        }
    }

    /// Reads an instruction of the filter in its one spelling; none for anything else.
    ///
    /// Nine lines of ten are such, and this takes a fourth of the time of reading and writing again.
    fn instruction(line: &'a str) -> Option<Self> {
        let mut rest = line.strip_prefix(Kind::Bpf.word())?.as_bytes();
        let mut number = || canonical(&mut rest);
        let [code, jt, jf, k] = [number()?, number()?, number()?, number()?];
        rest.is_empty().then_some(())?;
        Some(Self::Bpf { code: code.try_into().ok()?, jt: jt.try_into().ok()?, jf: jf.try_into().ok()?, k })
    }
}

/// Reads a blank and a decimal number without leading zeros.
fn canonical(rest: &mut &[u8]) -> Option<u32> {
    let digit = |byte: u8| Some(byte.wrapping_sub(b'0')).filter(|digit| *digit < 10);
    let [b' ', first, after @ ..] = *rest else { return None };
    *rest = after;
    let mut number = u32::from(digit(*first)?);
    while let [next, after @ ..] = *rest
        && let Some(next) = digit(*next)
    {
        number = Some(number).filter(|number| *number > 0)?.checked_mul(10)?.checked_add(next.into())?;
        *rest = after;
    }
    Some(number)
}

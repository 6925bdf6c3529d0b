//! The configuration as a set of objects, capabilities and rule instances: what `resolve` makes and everything after it reads.
//!
//! Names are bound and modules are instantiated, so nothing here knows about scopes of names any more; a
//! scope is only a holder among others.
//! Whether a rule instance derives anything is not decided here: that is `holdings`.

use crate::source::Span;
use std::sync::Arc;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $name {
            /// Returns the index into the model's table.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// An object: an index into [`Model::objects`].
    ObjectId,
    /// A facet of an object: an index into [`Model::facets`].
    FacetId,
    /// A capability: an index into [`Model::capabilities`].
    CapId
}

/// `reconfigure` is always the first object.
pub const RECONFIGURE: ObjectId = ObjectId(0);
/// `outside` is always the second.
pub const OUTSIDE: ObjectId = ObjectId(1);
/// The system scope is always the third.
pub const SYSTEM: ObjectId = ObjectId(2);

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
    /// `identity`: a Unix identity.
    Identity,
    /// A facet over a socket, a channel or a port, and `done`.
    Facet,
    /// A facet that is a mounted directory.
    Mount,
    /// The `control` of a service.
    Control,
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
            Self::Control => &["signal", "restart", "replace"],
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
            Self::Control => "control",
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
    /// `replace` of a `control`.
    pub const REPLACE: Rights = Rights(4);

    /// Returns the words of a set of rights, in the kind's order.
    pub fn words(self, rights: Rights) -> impl Iterator<Item = &'static str> {
        let named = self.right_names().iter().enumerate();
        named.filter(move |(bit, _)| rights.0 & (1 << bit) != 0).map(|(_, name)| *name)
    }
}

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
    /// A `dir`, `file`, `state`, `secret` or `socket`.
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
        }
    }
}

/// What an object is.
#[derive(Clone, Debug)]
pub enum ObjectKind {
    /// The trust root.
    Reconfigure,
    /// Everybody beyond the machine's network.
    Outside,
    /// One instance of a configuration file.
    Scope(Box<Scope>),
    /// Something that the machine has.
    Resource(Resource),
    /// A supervised process.
    Service(Box<Service>),
}

/// One instance of a configuration file.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The scope whose file says `use`; none for the system scope.
    pub parent: Option<ObjectId>,
    /// `trust=#true` at the `use`: what the module trusts is trusted by its user too.
    pub lends_trust: bool,
}

/// An object, with the place that declares it.
#[derive(Clone, Debug)]
pub struct Object {
    /// The path of its instance and its name: `shop/nginx`. A scope's ends with `/`, the system scope's is `/`.
    pub name: Arc<str>,
    /// What it is.
    pub kind: ObjectKind,
    /// The scope that declares it; `reconfigure`, `outside` and the system scope count as their own.
    pub scope: ObjectId,
    /// Its name where it is declared.
    pub span: Span,
    /// `trusted "reason"`, with its place.
    pub trusted: Option<Span>,
}

impl Object {
    /// Returns the service, if it is one.
    #[must_use]
    pub fn service(&self) -> Option<&Service> {
        match &self.kind {
            ObjectKind::Service(service) => Some(service),
            _ => None,
        }
    }

    /// Returns the resource, if it is one.
    #[must_use]
    pub const fn resource(&self) -> Option<&Resource> {
        match &self.kind {
            ObjectKind::Resource(resource) => Some(resource),
            _ => None,
        }
    }

    /// Returns whether it can act: a service, or `outside`.
    #[must_use]
    pub const fn is_subject(&self) -> bool {
        matches!(self.kind, ObjectKind::Service(_) | ObjectKind::Outside)
    }
}

/// A path that somebody wrote, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathUse {
    /// Absolute, normal, after aliases.
    pub path: Arc<str>,
    /// Where it is written.
    pub span: Span,
}

/// When a service counts as ready.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    /// As soon as it runs.
    #[default]
    Started,
    /// When it says so.
    Notify,
    /// When its facets exist.
    Socket,
}

/// What happens when a service ends.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// Nothing.
    #[default]
    Never,
    /// It starts again unless it ended well.
    OnFailure,
    /// It starts again.
    Always,
}

/// What a service may use up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<(u64, Span)>,
    /// Processes and threads.
    pub tasks: Option<(u64, Span)>,
    /// Open files.
    pub files: Option<(u64, Span)>,
    /// Per cent of one processor.
    pub cpu: Option<(u64, Span)>,
    /// `best-effort=#true`: a limit that this machine cannot enforce is left out, and said.
    pub best_effort: bool,
}

/// A private, empty, writable place in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scratch {
    /// Where the service sees it.
    pub at: PathUse,
    /// Bytes; none is the default size.
    pub size: Option<u64>,
}

/// How a holder sees one capability that it `holds`: only `lower` asks.
#[derive(Clone, Debug)]
pub struct Placement {
    /// What is held.
    pub capability: CapId,
    /// The rights named, or the least.
    pub rights: Rights,
    /// Its name here.
    pub name: Arc<str>,
    /// `at=`: another path in its world.
    pub at: Option<PathUse>,
    /// `fd=`: the descriptor's number.
    pub fd: Option<(u32, Span)>,
    /// The whole statement.
    pub span: Span,
}

/// A supervised process.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// The program of `run`; none only when the declaration lacks it, which is an error.
    pub program: Option<PathUse>,
    /// The arguments of `run`.
    pub arguments: Vec<(Arc<str>, Span)>,
    /// The absolute paths among the arguments of `run`: whoever changes what lies there controls the service.
    pub argument_paths: Vec<PathUse>,
    /// The program and arguments of `prepare`.
    pub prepare: Option<(PathUse, Vec<Arc<str>>)>,
    /// More code it is made of.
    pub image: Vec<PathUse>,
    /// Configuration it reads.
    pub config: Vec<PathUse>,
    /// `as`: the capability of the identity it runs as.
    pub identity: Option<(CapId, Span)>,
    /// Environment variables, in source order.
    pub environment: Vec<(Arc<str>, Arc<str>)>,
    /// The working directory; `/` when none is given.
    pub workdir: Option<PathUse>,
    /// Private places in memory.
    pub scratch: Vec<Scratch>,
    /// What `holds` statements ask for, in source order.
    pub placements: Vec<Placement>,
    /// Its facets, `control` included.
    pub facets: Vec<FacetId>,
    /// It runs to its end.
    pub oneshot: bool,
    /// What happens when it ends.
    pub restart: Restart,
    /// When it counts as ready.
    pub ready: Ready,
    /// What it may use up.
    pub limits: Limits,
    /// The signal that stops it (a name without `SIG`) and how long that may take, in milliseconds.
    pub stop: Option<(String, u64)>,
    /// The signal that makes it read its configuration again.
    pub reload: Option<String>,
}

/// How a facet is talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A unix socket that the service makes at a path of its world.
    Socket(PathUse),
    /// A nameless socket pair between the service and each holder.
    Channel,
    /// A port that the service listens on.
    Tcp(Address),
    /// A `listen` that the service holds.
    Listen(CapId),
    /// A directory that the service mounts.
    Mount(PathUse),
    /// A oneshot that has ended well.
    Done,
    /// The service itself, for its supervisor.
    Control,
}

/// What a trusted object's facet lets its users reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// What is exposed.
    pub capability: CapId,
    /// The rights named; none named: all that the object holds of it.
    pub rights: Option<Rights>,
    /// The statement.
    pub span: Span,
}

/// One face of a service.
#[derive(Clone, Debug)]
pub struct Facet {
    /// The service.
    pub owner: ObjectId,
    /// Its name on the service: `sql`, `control`.
    pub name: Arc<str>,
    /// How it is talked to.
    pub transport: Transport,
    /// The init makes it first, so nobody waits for it.
    pub activated: bool,
    /// No descriptors may cross it.
    pub data_only: bool,
    /// What its users can reach through it when the service is trusted.
    pub exposes: Vec<Exposure>,
    /// Where it is provided.
    pub span: Span,
}

impl Facet {
    /// Returns the kind of capability that the facet is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.transport {
            Transport::Mount(_) => Kind::Mount,
            Transport::Control => Kind::Control,
            _ => Kind::Facet,
        }
    }
}

/// What a capability refers to.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A resource.
    Resource(ObjectId),
    /// A facet.
    Facet(FacetId),
}

/// A reference to an object, or to a part of one. Interned: two ids differ only if the references do.
#[derive(Clone, Debug)]
pub struct Capability {
    /// Its name: `site`, `site/img/logo.png` for a part, `shop/nginx.status`.
    pub name: Arc<str>,
    /// What it refers to.
    pub target: Target,
    /// `path=`: the part, relative and normal.
    pub part: Option<Arc<str>>,
    /// Decides its rights.
    pub kind: Kind,
    /// For what has a path: the absolute path of it or of the part.
    pub path: Option<Arc<str>>,
}

/// The rule that a holding comes by.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The root's own: `reconfigure` holds every resource.
    Axiom,
    /// At creation, from the scope that declares the holder.
    Endowment,
    /// From another holder that knows the receiver.
    Introduction,
    /// The maker holds what it made.
    Creation,
}

impl Rule {
    /// Returns the word that programs read.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Axiom => "axiom",
            Self::Endowment => "endowment",
            Self::Introduction => "introduction",
            Self::Creation => "creation",
        }
    }
}

/// What a rule instance needs before it derives anything.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Premise {
    /// Who must hold.
    pub holder: ObjectId,
    /// What.
    pub capability: CapId,
}

/// Whether the receiver waits for what it receives.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// It needs it at start.
    Start,
    /// `when=use`: it copes with its being late.
    Use,
}

/// What a statement asks for when it can go wrong; decides the diagnostics, never the holdings.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Cannot go wrong: an axiom, a creation.
    Given,
    /// `holds` of a subject.
    Holds,
    /// An argument of a `use`.
    Argument,
    /// `facet NAME of=…`.
    Attenuate,
    /// `gives` of a module.
    Gives,
    /// `grants`.
    Grants,
}

/// One instance of one of the three rules: if `from` is held, and the reference to `introduces` too, then
/// `holder` holds `capability` with the rights of `from` that are in `rights`.
#[derive(Clone, Debug)]
pub struct Derivation {
    /// Which rule.
    pub rule: Rule,
    /// The main premise; none for an axiom and a creation.
    pub from: Option<Premise>,
    /// Introduction: `from.holder` must also hold some facet of this object.
    pub introduces: Option<ObjectId>,
    /// Who comes to hold.
    pub holder: ObjectId,
    /// What. A part of `from.capability`, or the same.
    pub capability: CapId,
    /// At most these.
    pub rights: Rights,
    /// Whether the rights were named (or are the least by default), so that fewer are an error.
    pub exact: bool,
    /// Whether the holder waits.
    pub when: When,
    /// What sort of statement it is.
    pub statement: Statement,
    /// The statement as a whole.
    pub span: Span,
    /// The words that name the capability.
    pub capability_span: Span,
    /// The words that name the rights, or the capability again.
    pub rights_span: Span,
    /// The words that name the receiver (`to=`), or the capability again.
    pub receiver_span: Span,
}

/// A level of authority.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What a subject could come to hold.
    Hold,
    /// What it could come to learn or effect.
    Reach,
}

/// `never SUBJECT holds|reaches CAPABILITY [RIGHTS]`.
#[derive(Clone, Debug)]
pub struct Never {
    /// The scope that asserts; decides whose trust counts.
    pub scope: ObjectId,
    /// Who.
    pub subject: ObjectId,
    /// At which level.
    pub level: Level,
    /// What.
    pub capability: CapId,
    /// Any of these; all of the kind when none is named.
    pub rights: Rights,
    /// The statement.
    pub span: Span,
    /// The words that name the subject.
    pub subject_span: Span,
    /// The words that name the capability.
    pub capability_span: Span,
}

/// The paths and words of the trust root.
#[derive(Clone, Debug)]
pub struct Root {
    /// Where its inputs live.
    pub config: PathUse,
    /// Where sealed generations go.
    pub store: PathUse,
    /// The signing key.
    pub key: PathUse,
}

/// The whole configuration, resolved.
#[derive(Clone, Debug)]
pub struct Model {
    /// The name after `system`.
    pub name: Arc<str>,
    /// Every object; the first three are `reconfigure`, `outside` and the system scope.
    pub objects: Vec<Object>,
    /// Every facet, `control` of every service included.
    pub facets: Vec<Facet>,
    /// Every capability that is spoken of.
    pub capabilities: Vec<Capability>,
    /// Every rule instance, in source order.
    pub derivations: Vec<Derivation>,
    /// Every assertion, in source order.
    pub nevers: Vec<Never>,
    /// Roots of world-readable programs and libraries.
    pub code: Vec<PathUse>,
    /// What the trust root itself is made of.
    pub root: Root,
}

impl Model {
    /// Returns an object.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "ids are made by `resolve` as indices into this very table")]
    pub fn object(&self, id: ObjectId) -> &Object {
        &self.objects[id.index()]
    }

    /// Returns a facet.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "ids are made by `resolve` as indices into this very table")]
    pub fn facet(&self, id: FacetId) -> &Facet {
        &self.facets[id.index()]
    }

    /// Returns a capability.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "ids are made by `resolve` as indices into this very table")]
    pub fn capability(&self, id: CapId) -> &Capability {
        &self.capabilities[id.index()]
    }

    /// Returns every object with its id.
    pub fn objects(&self) -> impl Iterator<Item = (ObjectId, &Object)> {
        self.objects.iter().enumerate().map(|(index, object)| (ObjectId(index as u32), object))
    }

    /// Returns every service with its id.
    pub fn services(&self) -> impl Iterator<Item = (ObjectId, &Object, &Service)> {
        self.objects().filter_map(|(id, object)| object.service().map(|service| (id, object, service)))
    }

    /// Returns the service whose facet the capability is, if it is one.
    #[must_use]
    pub fn facet_owner(&self, capability: CapId) -> Option<ObjectId> {
        match self.capability(capability).target {
            Target::Facet(facet) => Some(self.facet(facet).owner),
            Target::Resource(_) => None,
        }
    }

    /// Returns whether `object` is trusted for the assertions of `scope`: its own scope's, and those of each file
    /// further out to which every `use` between lends its trust (`trust=#true`); scopes inside those too.
    #[must_use]
    pub fn is_trusted(&self, object: ObjectId, scope: ObjectId) -> bool {
        if self.object(object).trusted.is_none() {
            return false;
        }
        let mut domain = self.object(object).scope;
        while let ObjectKind::Scope(inner) = &self.object(domain).kind {
            match inner.parent {
                Some(parent) if inner.lends_trust => domain = parent,
                _ => break,
            }
        }
        let mut asker = scope;
        loop {
            if asker == domain {
                return true;
            }
            match &self.object(asker).kind {
                ObjectKind::Scope(inner) => match inner.parent {
                    Some(parent) => asker = parent,
                    None => return false,
                },
                _ => return false,
            }
        }
    }
}

/// Returns whether `outer` is `inner` or a directory above it.
#[must_use]
pub fn path_contains(outer: &str, inner: &str) -> bool {
    outer == "/" || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

//! The configuration as a set of objects, capabilities and rule instances: what `resolve` makes and everything after it reads.
//!
//! Names are bound and modules are instantiated, so nothing here knows about scopes of names any more; a
//! scope is only a holder among others.
//! Whether a rule instance derives anything is not decided here: that is `holdings`.

mod alias;
mod assertion;
mod date;
mod object;
mod passing;
mod resource;
mod rights;
mod service;
pub mod table;

pub use alias::Aliases;
pub use assertion::{Level, Never, Only, Trust, Waived, Waiver};
pub use date::Date;
pub use object::{FileKind, Object, ObjectKind, Scope};
pub use passing::{PassedAs, Passing};
pub use resource::{Address, PRIVILEGES, Protocol, Resource, privilege_number};
pub use rights::{Kind, Rights};
pub use service::{Limits, PathUse, Placement, Placing, Powerbox, Ready, Restart, Scratch, Service, User};

use crate::source::Span;
use capc_schemas::manifest::Integrity;
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
    /// A program, for whoever may start it.
    Launch,
    /// A powerbox, for whoever may ask it.
    Ask,
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
            Transport::Launch => Kind::Launch,
            Transport::Ask => Kind::Ask,
            Transport::Socket(_)
            | Transport::Channel
            | Transport::Tcp(_)
            | Transport::Listen(_)
            | Transport::Done => Kind::Facet,
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

/// The paths and words of the trust root.
#[derive(Clone, Debug)]
pub struct Root {
    /// Where its inputs live.
    pub config: PathUse,
    /// Where sealed generations go.
    pub store: PathUse,
    /// The signing key.
    pub key: PathUse,
    /// What starts the services at boot, if the file says it.
    pub init: Option<Init>,
}

/// What starts the services at boot.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Init {
    /// The embedded supervisor.
    Capc,
    /// systemd.
    Systemd,
    /// The GNU Shepherd.
    Shepherd,
}

/// The whole configuration, resolved.
#[derive(Clone, Debug)]
pub struct Model {
    /// The name after `system`, or in the header of a file that is read by itself.
    pub name: Arc<str>,
    /// What the file is: of a module or a home that is read by itself, the parameters are places that nobody knows.
    pub file: FileKind,
    /// Every object; the first three are `reconfigure`, `outside` and the system scope.
    pub objects: Vec<Object>,
    /// Every facet, `control` of every service included.
    pub facets: Vec<Facet>,
    /// Every capability that is spoken of.
    pub capabilities: Vec<Capability>,
    /// Every rule instance.
    ///
    /// INVARIANT: in the order of their places in the source, which ties in provenance go by.
    pub derivations: Vec<Derivation>,
    /// What is for whoever stands outside of the configuration: what a module that is read by itself gives, and what the
    /// person whose home it is may launch and ask there.
    pub given: Vec<CapId>,
    /// Every `never`, in source order.
    pub nevers: Vec<Never>,
    /// Every `only`, in source order.
    pub onlys: Vec<Only>,
    /// Every `trust`, in source order.
    pub trusts: Vec<Trust>,
    /// Every `allow`, in source order.
    pub waivers: Vec<Waiver>,
    /// What goes on under other names, in source order.
    pub passings: Vec<Passing>,
    /// How paths are rewritten, so that places known beforehand are compared as places too.
    pub aliases: Aliases,
    /// Roots of world-readable programs and libraries.
    pub code: Vec<PathUse>,
    /// How code below a path is kept from being another than was sealed; what no path says is pinned.
    pub integrity: Vec<(PathUse, Integrity)>,
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

    /// Returns every service and program with its id.
    pub fn processes(&self) -> impl Iterator<Item = (ObjectId, &Object, &Service)> {
        self.objects().filter_map(|(id, object)| object.process().map(|process| (id, object, process)))
    }

    /// Returns the object whose facet the capability is, if it is one.
    #[must_use]
    pub fn facet_owner(&self, capability: CapId) -> Option<ObjectId> {
        match self.capability(capability).target {
            Target::Facet(facet) => Some(self.facet(facet).owner),
            Target::Resource(_) => None,
        }
    }

    /// Returns whether `object` is trusted for the assertions of `scope`: of its own file, and of each file further out to
    /// which every `use` between lends its trust (`trust=#true`). What the system trusts is trusted by all.
    #[must_use]
    pub fn is_trusted(&self, object: ObjectId, scope: ObjectId) -> bool {
        let known = self.object(object);
        if known.lets_control.is_some() {
            return true;
        }
        if known.trusted.is_none() {
            return false;
        }
        let mut domain = known.scope;
        while domain != scope && domain != SYSTEM {
            let ObjectKind::Scope(inner) = &self.object(domain).kind else { return false };
            match inner.parent {
                Some(parent) if inner.lends_trust => domain = parent,
                _ => return false,
            }
        }
        true
    }
}

/// Compares paths by their components, so that what lies in a directory stands directly after it: `/a/b` before `/a-b`.
#[must_use]
#[inline]
pub fn by_components(a: &str, b: &str) -> std::cmp::Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = common(a, b);
    // The end comes first, then what lies inside.
    let rank = |path: &[u8]| path.get(same).map(|byte| if *byte == b'/' { 0 } else { u16::from(*byte) + 1 });
    rank(a).cmp(&rank(b))
}

/// Returns how many bytes are the same before the first that differs: eight at a time, as long as there are so many.
#[inline]
fn common(a: &[u8], b: &[u8]) -> usize {
    let mut same = 0;
    let eight = |path: &[u8], at| path.get(at..)?.first_chunk().copied().map(u64::from_le_bytes);
    while let (Some(eight_of_a), Some(eight_of_b)) = (eight(a, same), eight(b, same)) {
        let differ = eight_of_a ^ eight_of_b;
        if differ != 0 {
            return same + differ.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    while a.get(same).is_some_and(|byte| b.get(same) == Some(byte)) {
        same += 1;
    }
    same
}

/// Returns whether `outer` is `inner` or a directory above it.
#[must_use]
#[inline]
pub fn path_contains(outer: &str, inner: &str) -> bool {
    outer == "/" || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

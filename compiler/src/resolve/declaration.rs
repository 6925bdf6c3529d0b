//! What one file says, statement by statement: typed and spanned, names not yet bound.

use super::words::Word;
use crate::model::{
    Address, Date, FileKind, Init, Kind, Level, Limits, PathUse, Ready, Resource, Restart, Scratch, When,
};
use crate::source::Span;
use capc_schemas::manifest::Integrity;
use std::sync::Arc;

/// One file.
#[derive(Clone, Debug)]
pub struct Declarations {
    /// By its header.
    pub kind: FileKind,
    /// The name in its header.
    pub name: Word,
    /// Its statements in source order.
    pub items: Vec<Item>,
}

/// A statement of a file.
#[derive(Clone, Debug)]
pub enum Item {
    /// `dir`, `file`, …
    Resource(ResourceDeclaration),
    /// A name whose statement is wrong, which has been reported.
    Broken(Word),
    /// `code PATH…`
    Code(Vec<PathUse>),
    /// `integrity LEVEL PATH…`
    Integrity(Integrity, Vec<PathUse>),
    /// `alias FROM TO`
    Alias(PathUse, PathUse),
    /// `reconfigure { … }`
    Root(RootDeclaration),
    /// `service NAME { … }` and `program NAME { … }`
    Service(Box<ServiceDeclaration>),
    /// `user NAME { … }`
    User(Box<UserDeclaration>),
    /// `powerbox NAME { … }`
    Powerbox(Box<PowerboxDeclaration>),
    /// `facet NAME of=CAP …`
    Facet(FacetDeclaration),
    /// `use FILE as=NAME …`
    Use(UseDeclaration),
    /// `takes NAME KIND …`
    Takes(TakesDeclaration),
    /// `gives NAME=CAP`
    Gives(Vec<(Word, Word)>),
    /// `never SUBJECT holds|reaches CAP …`
    Never(NeverDeclaration),
    /// `only SUBJECT… hold|reach CAP …`
    Only(OnlyDeclaration),
    /// `trust SUBJECT reason=…`
    Trust(TrustDeclaration),
    /// `allow CODE on=NAME reason=… until=…`
    Allow(AllowDeclaration),
}

/// A resource of a system file.
#[derive(Clone, Debug)]
pub struct ResourceDeclaration {
    /// Its name.
    pub name: Word,
    /// What it is.
    pub resource: Resource,
    /// The statement.
    pub span: Span,
}

/// Words for the trust root.
#[derive(Clone, Debug, Default)]
pub struct RootDeclaration {
    /// `config PATH`
    pub config: Option<PathUse>,
    /// `store PATH`
    pub store: Option<PathUse>,
    /// `key PATH`
    pub key: Option<PathUse>,
    /// `init WORD`
    pub init: Option<Init>,
}

/// `holds CAP [RIGHTS] [at=] [path=] [as=] [when=] [fd=]`
#[derive(Clone, Debug)]
pub struct HoldsDeclaration {
    /// The capability.
    pub capability: Word,
    /// The rights as written.
    pub rights: Vec<Word>,
    /// What few of them say.
    pub more: Option<Box<HoldsMore>>,
    /// Whether it waits.
    pub when: When,
    /// The statement.
    pub span: Span,
}

/// What few `holds` say: of a million grants, that is most of their memory.
#[derive(Clone, Debug, Default)]
pub struct HoldsMore {
    /// Another path in its world.
    pub at: Option<PathUse>,
    /// A part.
    pub part: Option<Word>,
    /// Another name.
    pub name: Option<Word>,
    /// The descriptor's number.
    pub fd: Option<(u32, Span)>,
}

impl HoldsDeclaration {
    /// Returns the part that is held, if not the whole.
    #[must_use]
    pub fn part(&self) -> Option<&Word> {
        self.more.as_ref()?.part.as_ref()
    }

    /// Returns the name that was given to it (`as=`).
    #[must_use]
    pub fn given_name(&self) -> Option<&Word> {
        self.more.as_ref()?.name.as_ref()
    }

    /// Returns the name that its holder knows it by.
    #[must_use]
    pub fn name(&self) -> &Word {
        self.given_name().unwrap_or(&self.capability)
    }
}

/// How a facet is talked to, as written.
#[derive(Clone, Debug)]
pub enum TransportDeclaration {
    /// `socket=PATH`
    Socket(PathUse),
    /// `channel=#true`
    Channel,
    /// `tcp=ADDR:PORT`
    Tcp(Address, Span),
    /// `listen=CAP`
    Listen(Word),
    /// `mount=PATH` or `mount=CAP`
    Mount(Word),
    /// `done=#true`
    Done,
}

/// `provides NAME TRANSPORT { … }`
#[derive(Clone, Debug)]
pub struct ProvidesDeclaration {
    /// Its name.
    pub name: Word,
    /// How it is talked to.
    pub transport: TransportDeclaration,
    /// `exposes CAP [RIGHTS]`
    pub exposes: Vec<(Word, Vec<Word>, Span)>,
    /// `activated`
    pub activated: bool,
    /// `data-only`
    pub data_only: bool,
}

/// `grants CAP [RIGHTS] to=OBJECT`
#[derive(Clone, Debug)]
pub struct GrantsDeclaration {
    /// The capability.
    pub capability: Word,
    /// The rights as written.
    pub rights: Vec<Word>,
    /// The receiver.
    pub to: Word,
    /// Whether the receiver waits.
    pub when: When,
    /// The statement.
    pub span: Span,
}

/// Who starts a process.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ProcessKind {
    /// The init: a `service`.
    Service,
    /// Whoever holds its `launch`: a `program`.
    Program,
}

/// `service NAME { … }` or `program NAME { … }`
#[derive(Clone, Debug)]
pub struct ServiceDeclaration {
    /// Which of the two.
    pub kind: ProcessKind,
    /// Its name.
    pub name: Word,
    /// The program of `run`.
    pub program: Option<PathUse>,
    /// The arguments of `run`.
    pub arguments: Vec<Word>,
    /// `prepare`
    pub prepare: Option<(PathUse, Vec<Arc<str>>)>,
    /// `image`
    pub image: Vec<PathUse>,
    /// The words among them that name a list of the standard library.
    pub standard: Vec<Span>,
    /// `config`: paths, or names of taken files and directories.
    pub config: Vec<Word>,
    /// `as`
    pub identity: Option<Word>,
    /// `env`
    pub environment: Vec<(Word, Arc<str>)>,
    /// `workdir`
    pub workdir: Option<PathUse>,
    /// `scratch`
    pub scratch: Vec<Scratch>,
    /// `holds`
    pub holds: Vec<HoldsDeclaration>,
    /// `provides`
    pub provides: Vec<ProvidesDeclaration>,
    /// `grants`
    pub grants: Vec<GrantsDeclaration>,
    /// `trusted`
    pub trusted: Option<Span>,
    /// `oneshot`
    pub oneshot: Option<Span>,
    /// `restart`
    pub restart: Option<(Restart, Span)>,
    /// `ready`
    pub ready: Option<Ready>,
    /// `limits`
    pub limits: Limits,
    /// `stop`
    pub stop: Option<(String, u64)>,
    /// `reload`
    pub reload: Option<String>,
    /// `schedule`
    pub schedule: Option<Word>,
    /// `syscalls`
    pub syscalls: Vec<Word>,
    /// `unconfined`
    pub unconfined: Option<Span>,
}

impl ServiceDeclaration {
    /// Returns whether anything in the body asks for the body's own names.
    #[must_use]
    pub fn asks_for_names(&self) -> bool {
        let by_name = |provided: &ProvidesDeclaration| {
            let is_named = matches!(
                provided.transport,
                TransportDeclaration::Listen(_) | TransportDeclaration::Mount(_)
            );
            is_named || !provided.exposes.is_empty()
        };
        !self.grants.is_empty()
            || self.provides.iter().any(by_name)
            || self.holds.iter().any(|holds| holds.given_name().is_some())
    }
}

/// `user NAME { … }`
#[derive(Clone, Debug)]
pub struct UserDeclaration {
    /// Its name.
    pub name: Word,
    /// `holds`
    pub holds: Vec<HoldsDeclaration>,
}

/// `offers CAP [RIGHTS] [path=]`
#[derive(Clone, Debug)]
pub struct OffersDeclaration {
    /// The capability.
    pub capability: Word,
    /// The rights as written.
    pub rights: Vec<Word>,
    /// A part.
    pub part: Option<Word>,
    /// The statement.
    pub span: Span,
}

/// `powerbox NAME { … }`
#[derive(Clone, Debug)]
pub struct PowerboxDeclaration {
    /// Its name.
    pub name: Word,
    /// `offers`
    pub offers: Vec<OffersDeclaration>,
    /// `asks`
    pub asks: Option<Word>,
}

/// `facet NAME of=CAP [RIGHTS] [path=]`
#[derive(Clone, Debug)]
pub struct FacetDeclaration {
    /// The new name.
    pub name: Word,
    /// What it attenuates.
    pub of: Word,
    /// The rights as written.
    pub rights: Vec<Word>,
    /// A part.
    pub part: Option<Word>,
    /// The statement.
    pub span: Span,
}

/// `use FILE as=NAME PARAMETER=CAP …`
#[derive(Clone, Debug)]
pub struct UseDeclaration {
    /// The file, as written.
    pub file: Word,
    /// The instance's name.
    pub name: Word,
    /// `trust=#true`
    pub lends_trust: bool,
    /// One argument for each `takes`.
    pub arguments: Vec<(Word, Word)>,
    /// The statement.
    pub span: Span,
}

/// What a parameter may be.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ParameterKind(pub Kind);

/// `takes NAME KIND [RIGHTS] [optional=#true]`
#[derive(Clone, Debug)]
pub struct TakesDeclaration {
    /// The parameter's name.
    pub name: Word,
    /// Its kind.
    pub kind: ParameterKind,
    /// The rights as written.
    pub rights: Vec<Word>,
    /// It may be left out.
    pub optional: bool,
    /// The statement.
    pub span: Span,
}

/// `never SUBJECT holds|reaches CAP [RIGHTS]`
#[derive(Clone, Debug)]
pub struct NeverDeclaration {
    /// Who.
    pub subject: Word,
    /// At which level.
    pub level: Level,
    /// What.
    pub capability: Word,
    /// The rights as written.
    pub rights: Vec<Word>,
    /// The statement.
    pub span: Span,
}

/// `only SUBJECT… hold|reach CAP [RIGHTS]`
#[derive(Clone, Debug)]
pub struct OnlyDeclaration {
    /// Who may.
    pub subjects: Vec<Word>,
    /// At which level.
    pub level: Level,
    /// What.
    pub capability: Word,
    /// The rights as written.
    pub rights: Vec<Word>,
    /// The statement.
    pub span: Span,
}

/// `trust SUBJECT reason=…`
#[derive(Clone, Debug)]
pub struct TrustDeclaration {
    /// Who.
    pub subject: Word,
    /// The statement.
    pub span: Span,
}

/// `allow CODE on=NAME reason=… until=…`
#[derive(Clone, Debug)]
pub struct AllowDeclaration {
    /// The code of a lint.
    pub code: Word,
    /// What it is waived for.
    pub on: Option<Word>,
    /// The last day.
    pub until: Option<(Date, Span)>,
    /// The statement.
    pub span: Span,
}

//! What a service has that it could not use without sendmsg(2) and recvmsg(2): for descriptors, or for mere messages.

use super::data_only::{Holders, full_name, is_unix};
use super::seccomp::{IO_URING, uses_messages};
use crate::holdings::{Holding, Holdings};
use crate::machine::parent;
use crate::model::{
    Address, Kind, Model, ObjectId, Protocol, Ready, Resource, Rights, Service, Target, Transport,
    privilege_number,
};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// Something that takes these calls.
#[derive(Clone, Debug)]
pub struct Need {
    /// What it is.
    pub text: String,
    /// The statement.
    pub span: Span,
}

/// What one service needs them for.
#[derive(Clone, Debug, Default)]
pub struct Needed {
    /// Something that descriptors cross by right: it keeps the calls.
    pub descriptors: Option<Need>,
    /// Something that many programs use them for, and could do otherwise.
    pub messages: Option<Need>,
}

/// What services need, found when it is asked for.
pub struct Needs<'a> {
    model: &'a Model,
    holdings: &'a Holdings,
    held_by: &'a Holders,
    /// The paths of sockets that are declared.
    sockets: BTreeSet<&'a str>,
    /// Directories that services hold, and by whom.
    directories: Directories<'a>,
    /// Those of them where they may make sockets.
    meeting_places: Directories<'a>,
    found: BTreeMap<ObjectId, Needed>,
}

/// By path, the services that hold it.
type Directories<'a> = BTreeMap<&'a str, BTreeSet<ObjectId>>;

impl<'a> Needs<'a> {
    /// Looks at what is declared and held.
    #[must_use]
    pub fn new(model: &'a Model, holdings: &'a Holdings, held_by: &'a Holders) -> Self {
        let socket = |resource: &'a Resource| match resource {
            Resource::Path { kind: Kind::Socket, path } | Resource::Listen(Address::Unix(path)) => {
                Some(&**path)
            }
            _ => None,
        };
        let sockets = model.objects().filter_map(|(_, object)| object.resource().and_then(socket)).collect();
        let (mut directories, mut meeting_places) = (Directories::new(), Directories::new());
        for holding in holdings.all() {
            let is_service = model.object(holding.holder).service().is_some();
            if let Some(path) = directory(model, holding).filter(|_| is_service) {
                directories.entry(path).or_default().insert(holding.holder);
                if holding.rights.contains(Kind::FS_SOCKET) {
                    meeting_places.entry(path).or_default().insert(holding.holder);
                }
            }
        }
        Self { model, holdings, held_by, sockets, directories, meeting_places, found: BTreeMap::new() }
    }

    /// Returns what a service needs.
    pub fn of(&mut self, who: ObjectId) -> &Needed {
        if !self.found.contains_key(&who) {
            let needed = self.find(who);
            self.found.insert(who, needed);
        }
        self.found.entry(who).or_default()
    }

    fn find(&self, who: ObjectId) -> Needed {
        let Some(service) = self.model.object(who).service() else { return Needed::default() };
        let made = self.made(who, service);
        let held = || self.holdings.of(who).iter().find_map(|holding| self.held(who, service, holding));
        Needed { descriptors: made.or_else(held), messages: self.messages(who, service) }
    }

    /// What it provides to others, and what no filter sees.
    fn made(&self, who: ObjectId, service: &Service) -> Option<Need> {
        let name = &self.model.object(who).name;
        if let Some((_, span)) = service.syscalls.iter().find(|(word, _)| &**word == IO_URING) {
            let text = format!("by this `{name}` passes descriptors where no filter sees it");
            return Some(Need { text, span: *span });
        }
        let mut facets = service.facets.iter().filter(|id| self.held_by.contains_key(*id));
        facets.find_map(|id| {
            let facet = self.model.facet(*id);
            let text = format!("descriptors may cross `{}`", full_name(self.model, facet));
            (is_unix(self.model, facet) && !facet.data_only).then_some(Need { text, span: facet.span })
        })
    }

    /// What it holds of others, of the machine, and of directories where others may be met.
    fn held(&self, who: ObjectId, service: &Service, holding: &Holding) -> Option<Need> {
        let model = self.model;
        let (name, capability) = (&model.object(who).name, model.capability(holding.capability));
        let text = match (capability.kind, capability.target) {
            (Kind::Facet, Target::Facet(id)) => {
                let facet = model.facet(id);
                let crosses = facet.owner != who && is_unix(model, facet) && !facet.data_only;
                crosses
                    .then(|| format!("`{name}` holds `{}`, and descriptors may cross that", capability.name))
            }
            (Kind::Socket, _) => {
                Some(format!("`{name}` holds `{}`, and descriptors may cross that", capability.name))
            }
            (Kind::Listen, Target::Resource(resource)) => {
                let is_unix =
                    matches!(model.object(resource).resource(), Some(Resource::Listen(Address::Unix(_))));
                // It is what such a facet is talked to by.
                let is_data_only = service.facets.iter().any(|id| {
                    let facet = model.facet(*id);
                    let is_it = |listen| model.capability(listen).target == capability.target;
                    facet.data_only && matches!(facet.transport, Transport::Listen(listen) if is_it(listen))
                });
                (is_unix && !is_data_only).then(|| {
                    format!("`{name}` listens at `{}`, and descriptors may come there", capability.name)
                })
            }
            _ => {
                let at = directory(model, holding)?;
                (self.has_sockets(at) || self.meets(who, at, holding.rights))
                    .then(|| format!("`{name}` comes to other unix sockets in `{at}`"))
            }
        };
        text.map(|text| Need { text, span: self.span(who, holding) })
    }

    fn messages(&self, who: ObjectId, service: &Service) -> Option<Need> {
        let model = self.model;
        let for_holding = |holding: &Holding| {
            let capability = model.capability(holding.capability);
            let Target::Resource(resource) = capability.target else { return None };
            let held = &capability.name;
            let text = match model.object(resource).resource()? {
                Resource::Network if !looks_names_up_one_by_one(service) => format!(
                    "with `{held}` the C library asks name servers by sendmmsg, unless it says `env RES_OPTIONS=\"single-request\"`"
                ),
                Resource::Listen(Address::Ip { protocol: Protocol::Udp, .. }) => {
                    format!("many programs answer at `{held}` by sendmsg")
                }
                Resource::Privilege(privilege) if privilege_number(privilege).is_some_and(uses_messages) => {
                    format!("what `{held}` is good for is asked of the kernel by sendmsg")
                }
                _ => return None,
            };
            Some(Need { text, span: self.span(who, holding) })
        };
        let tells = service.ready == Ready::Notify;
        let tells = tells.then(|| Need {
            text: "libsystemd says by sendmsg that a service is ready, so let it say so by send".to_owned(),
            span: model.object(who).span,
        });
        tells.or_else(|| self.holdings.of(who).iter().find_map(for_holding))
    }

    fn span(&self, who: ObjectId, holding: &Holding) -> Span {
        let last = self.holdings.last_step(self.model, holding);
        last.map_or(self.model.object(who).span, |step| step.span)
    }

    fn has_sockets(&self, at: &str) -> bool {
        let below = beneath(at);
        self.sockets.range(below.as_str()..).next().is_some_and(|socket| socket.starts_with(&below))
    }

    /// Returns whether a directory is shared with somebody, and one of the two makes sockets there.
    fn meets(&self, who: ObjectId, at: &str, rights: Rights) -> bool {
        let makes = rights.contains(Kind::FS_SOCKET);
        has_others(&self.meeting_places, who, at) || makes && has_others(&self.directories, who, at)
    }
}

/// Returns whether another service has a directory, one above it or one inside it.
fn has_others(directories: &Directories<'_>, who: ObjectId, at: &str) -> bool {
    let are_there = |here: &BTreeSet<ObjectId>| here.iter().any(|other| *other != who);
    let mut above = Some(at);
    while let Some(place) = above {
        if directories.get(place).is_some_and(are_there) {
            return true;
        }
        above = (place != "/").then(|| parent(place));
    }
    let below = beneath(at);
    let mut inside = directories.range(below.as_str()..).take_while(|(path, _)| path.starts_with(&below));
    inside.any(|(_, here)| are_there(here))
}

/// Returns the path of a directory that is held.
fn directory<'a>(model: &'a Model, holding: &Holding) -> Option<&'a str> {
    let capability = model.capability(holding.capability);
    let is_directory = matches!(capability.kind, Kind::Dir | Kind::State);
    capability.path.as_deref().filter(|_| is_directory && !holding.rights.is_empty())
}

/// Returns whether the C library asks for one kind of address after the other (resolv.conf(5)), which takes no sendmmsg.
fn looks_names_up_one_by_one(service: &Service) -> bool {
    let mut options = service.environment.iter().filter(|(name, _)| &**name == "RES_OPTIONS");
    options.any(|(_, options)| options.split_ascii_whitespace().any(|option| option == "single-request"))
}

/// Returns what everything below a directory begins with.
fn beneath(at: &str) -> String {
    format!("{}/", at.trim_end_matches('/'))
}

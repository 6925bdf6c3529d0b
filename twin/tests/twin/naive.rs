//! The authority model by its letter: sets of tuples, every rule tried again until nothing is new, every pair compared.

use capc::model::*;
use std::collections::{BTreeMap, BTreeSet};

/// Holder, capability, one right.
pub type Holdings = BTreeSet<(ObjectId, CapId, u8)>;

fn each(rights: Rights) -> impl Iterator<Item = u8> {
    (0..8).filter(move |bit| rights.0 & (1 << bit) != 0)
}

pub fn holdings(model: &Model) -> Holdings {
    let mut held = Holdings::new();
    loop {
        let before = held.len();
        for rule in &model.derivations {
            for right in each(rule.rights) {
                let main = rule.from.is_none_or(|from| held.contains(&(from.holder, from.capability, right)));
                let knows = rule.introduces.is_none_or(|to| {
                    let granter = rule.from.unwrap().holder;
                    held.iter()
                        .any(|(holder, what, _)| *holder == granter && model.facet_owner(*what) == Some(to))
                });
                if main && knows {
                    held.insert((rule.holder, rule.capability, right));
                }
            }
        }
        if held.len() == before {
            return held;
        }
    }
}

/// What would be held if circles justified themselves: everything that any rule speaks of, less what nothing supports.
pub fn greatest(model: &Model) -> Holdings {
    let spoken = |rule: &Derivation| {
        each(rule.rights).map(|right| (rule.holder, rule.capability, right)).collect::<Vec<_>>()
    };
    let mut held: Holdings = model.derivations.iter().flat_map(spoken).collect();
    loop {
        let mut supported = Holdings::new();
        for rule in &model.derivations {
            for right in each(rule.rights) {
                let main = rule.from.is_none_or(|from| held.contains(&(from.holder, from.capability, right)));
                let from = rule.from.map_or(rule.holder, |from| from.holder);
                if main && rule.introduces.is_none_or(|to| knows(model, &held, from, to)) {
                    supported.insert((rule.holder, rule.capability, right));
                }
            }
        }
        if supported == held {
            return held;
        }
        held = supported;
    }
}

pub fn knows(model: &Model, held: &Holdings, holder: ObjectId, object: ObjectId) -> bool {
    held.iter().any(|(who, what, _)| *who == holder && model.facet_owner(*what) == Some(object))
}

/// The length of a shortest circle among some members; 0 if there is none.
pub fn shortest_circle(edges: &BTreeSet<(String, String)>, members: &[String]) -> usize {
    let mut shortest = 0;
    for begin in members {
        let mut at: BTreeSet<&String> = BTreeSet::from([begin]);
        for length in 1..=members.len() {
            at = edges
                .iter()
                .filter(|(from, to)| at.contains(from) && members.contains(to))
                .map(|(_, to)| to)
                .collect();
            if at.contains(begin) && (shortest == 0 || length < shortest) {
                shortest = length;
            }
        }
    }
    shortest
}

pub fn rights(held: &Holdings, holder: ObjectId, capability: CapId) -> Rights {
    let of = held.iter().filter(|(who, what, _)| (*who, *what) == (holder, capability));
    of.fold(Rights::NONE, |rights, (_, _, bit)| rights.or(Rights(1 << bit)))
}

/// Who waits for whom, for which facet, `mint` or `ready`.
pub fn waits(model: &Model, held: &Holdings) -> BTreeSet<(ObjectId, ObjectId, FacetId, &'static str)> {
    let mut waits = BTreeSet::new();
    for rule in &model.derivations {
        let brought = matches!(rule.rule, Rule::Endowment | Rule::Introduction);
        let Target::Facet(id) = model.capability(rule.capability).target else { continue };
        if !brought || rule.when == When::Use || model.object(rule.holder).service().is_none() {
            continue;
        }
        let from = rule.from.unwrap();
        let has = each(rule.rights).any(|right| held.contains(&(from.holder, from.capability, right)));
        let knows = rule.introduces.is_none_or(|to| {
            held.iter().any(|(who, what, _)| *who == from.holder && model.facet_owner(*what) == Some(to))
        });
        if !has || !knows {
            continue;
        }
        let facet = model.facet(id);
        let kind = match &facet.transport {
            Transport::Socket(_) | Transport::Tcp(_) if facet.activated => continue,
            Transport::Listen(listen) if rights(held, facet.owner, *listen).contains(Kind::ACCEPT) => {
                continue;
            }
            Transport::Channel | Transport::Control | Transport::Launch | Transport::Ask => continue,
            Transport::Done => "ready",
            Transport::Socket(_) | Transport::Tcp(_) | Transport::Listen(_) | Transport::Mount(_) => "mint",
        };
        waits.insert((rule.holder, facet.owner, id, kind));
    }
    for (id, _, service) in model.services() {
        let mut needs: Vec<(&str, bool)> = Vec::new();
        let programs = service.program.iter().chain(service.prepare.iter().map(|(path, _)| path));
        needs.extend(programs.chain(&service.image).chain(&service.config).map(|path| (&*path.path, true)));
        for (_, what, _) in held.iter().filter(|(who, _, _)| *who == id) {
            let known = model.capability(*what);
            if has_path(known.kind) && known.kind != Kind::Mount {
                needs.push((known.path.as_deref().unwrap(), false));
            }
        }
        for (path, is_code) in needs {
            for (at, facet) in model.facets.iter().enumerate() {
                let Transport::Mount(mount) = &facet.transport else { continue };
                let own = facet.owner == id && !is_code && &*mount.path == path;
                if path_contains(&mount.path, path) && !own {
                    waits.insert((id, facet.owner, FacetId(at as u32), "mint"));
                }
            }
        }
    }
    waits
}

/// What somebody counts as holding: a capability, or the path of code or configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    Capability(CapId),
    Path(String),
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Along {
    Hold,
    Learn,
    Effect,
}

/// Who counts as holding what.
type Things = BTreeMap<ObjectId, BTreeMap<Thing, Rights>>;

/// What of a capability somebody could obtain: of the whole, of parts, and of either without anybody's consent.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Obtained {
    pub whole: Rights,
    pub part: Rights,
    pub free: Rights,
}

impl Obtained {
    pub fn rights(self) -> Rights {
        self.whole.or(self.part)
    }
}

pub struct World<'m> {
    model: &'m Model,
    trusted: BTreeSet<ObjectId>,
    /// At level hold, and at level reach.
    hold: Things,
    reach: Things,
    edges: BTreeSet<(ObjectId, ObjectId, Along)>,
    /// Those that a person has to consent to.
    asked: BTreeSet<(ObjectId, ObjectId, Along)>,
}

/// "`Path` means the path of a dir, file, state, secret, device or part", and a `mount` has the rights of `dir` on its own.
fn has_path(kind: Kind) -> bool {
    matches!(kind, Kind::Dir | Kind::File | Kind::State | Kind::Secret | Kind::Device | Kind::Mount)
}

fn is_directory(kind: Kind) -> bool {
    matches!(kind, Kind::Dir | Kind::State | Kind::Mount)
}

fn related(a: &str, b: &str) -> bool {
    path_contains(a, b) || path_contains(b, a)
}

fn resource(model: &Model, capability: CapId) -> Option<&Resource> {
    let Target::Resource(object) = model.capability(capability).target else { return None };
    model.object(object).resource()
}

fn address(model: &Model, capability: CapId) -> Option<&Address> {
    match resource(model, capability) {
        Some(Resource::Listen(address) | Resource::Connect(address)) => Some(address),
        _ => None,
    }
}

/// Whether a thing of a kind comes with a right of this name.
fn may(kind: Kind, rights: Rights, words: &[&str]) -> bool {
    kind.words(rights).any(|word| words.contains(&word))
}

/// The rights of `want` that have the names of some rights of `have`.
fn named(have: Kind, rights: Rights, want: Kind) -> Rights {
    let names: Vec<&str> = have.words(rights).collect();
    let at = want.right_names().iter().enumerate().filter(|(_, name)| names.contains(name));
    at.fold(Rights::NONE, |sum, (at, _)| sum.or(Rights(1 << at)))
}

/// The rights of a kind that a traversal obtains.
fn obtained_along(along: Along, kind: Kind) -> Rights {
    let counts = |word: &str| match (along, word) {
        (Along::Hold, _) | (_, "connect" | "accept" | "launch" | "ask") => true,
        (Along::Learn, word) => ["read", "exec"].contains(&word),
        (Along::Effect, word) => !["read", "exec"].contains(&word),
    };
    let at = kind.right_names().iter().enumerate().filter(|(_, name)| counts(name));
    at.fold(Rights::NONE, |sum, (at, _)| sum.or(Rights(1 << at)))
}

fn loaders(path: &str) -> bool {
    ["/", "/usr", "/etc"].contains(&path) || path.starts_with("/usr/lib") || path.starts_with("/etc/ld.so.")
}

impl<'m> World<'m> {
    pub fn new(model: &'m Model, held: &Holdings, scope: ObjectId) -> Self {
        let trusted = model.objects().map(|(id, _)| id).filter(|id| model.is_trusted(*id, scope)).collect();
        Self::with_trust(model, held, trusted)
    }

    pub fn with_trust(model: &'m Model, held: &Holdings, trusted: BTreeSet<ObjectId>) -> Self {
        let mut hold = Things::new();
        for (id, object) in model.objects().filter(|(id, object)| object.is_subject() || *id == RECONFIGURE) {
            let things = hold.entry(id).or_default();
            for (_, what, right) in held.iter().filter(|(who, _, _)| *who == id) {
                let rights = things.entry(Thing::Capability(*what)).or_default();
                *rights = rights.or(Rights(1 << right));
            }
            // "A service's own program, interpreter and image count as holdings with `read` and `exec`, its `config` with `read`."
            if let Some(process) = object.process() {
                let programs = process.program.iter().chain(process.prepare.iter().map(|(path, _)| path));
                let code = programs.chain(&process.image).map(|path| (path, 3));
                for (path, own) in code.chain(process.config.iter().map(|path| (path, 1))) {
                    let rights = things.entry(Thing::Path(path.path.to_string())).or_default();
                    *rights = rights.or(Rights(own));
                }
            }
        }
        let reach = hold.clone();
        let mut world = Self { model, trusted, reach, hold, edges: BTreeSet::new(), asked: BTreeSet::new() };
        while world.expose() {}
        for along in [Along::Hold, Along::Learn, Along::Effect] {
            world.find_edges(along);
        }
        world
    }

    fn subjects(&self) -> Vec<ObjectId> {
        self.model.objects().filter(|(_, object)| object.is_subject()).map(|(id, _)| id).collect()
    }

    fn kind(&self, thing: &Thing) -> Kind {
        match thing {
            Thing::Path(_) => Kind::Dir,
            Thing::Capability(capability) => self.model.capability(*capability).kind,
        }
    }

    fn path<'a>(&'a self, thing: &'a Thing) -> Option<(&'a str, Kind)> {
        match thing {
            Thing::Path(path) => Some((path, Kind::Dir)),
            Thing::Capability(capability) => {
                let known = self.model.capability(*capability);
                has_path(known.kind).then(|| (known.path.as_deref().unwrap(), known.kind))
            }
        }
    }

    /// `network`, and `listen udp=`, which "in the model is `network`".
    fn is_network(&self, thing: &Thing) -> bool {
        let Thing::Capability(what) = thing else { return false };
        match resource(self.model, *what) {
            Some(Resource::Network) => true,
            Some(Resource::Listen(Address::Ip { protocol, .. })) => *protocol == Protocol::Udp,
            _ => false,
        }
    }

    /// The facets that a subject counts as holding at level reach.
    fn facets(&self, subject: ObjectId) -> BTreeSet<FacetId> {
        let mut facets = BTreeSet::new();
        for thing in self.reach[&subject].keys() {
            if let Thing::Capability(capability) = thing
                && let Target::Facet(facet) = self.model.capability(*capability).target
            {
                facets.insert(facet);
            }
        }
        for (at, facet) in self.model.facets.iter().enumerate() {
            let listens = match &facet.transport {
                Transport::Tcp(address) => Some(address),
                Transport::Listen(listen)
                    if self.hold[&facet.owner].contains_key(&Thing::Capability(*listen)) =>
                {
                    address(self.model, *listen)
                }
                _ => None,
            };
            if listens.is_some_and(|listens| self.connects(&self.reach, subject, listens)) {
                facets.insert(FacetId(at as u32));
            }
        }
        facets
    }

    /// Whether a subject can connect to an address, other than by a facet that it holds.
    fn connects(&self, things: &Things, subject: ObjectId, to: &Address) -> bool {
        if subject == OUTSIDE && !to.is_loopback() {
            return true;
        }
        things[&subject].iter().any(|(thing, rights)| match to {
            Address::Ip { protocol, port, .. } => {
                let Thing::Capability(what) = thing else { return false };
                let same = match resource(self.model, *what) {
                    Some(Resource::Connect(Address::Ip { protocol: own, port: through, .. })) => {
                        (own, through) == (protocol, port)
                    }
                    _ => false,
                };
                same || self.is_network(thing)
            }
            Address::Unix(path) => self.path(thing).is_some_and(|(directory, kind)| {
                is_directory(kind) && !rights.is_empty() && path_contains(directory, path)
            }),
        })
    }

    /// Adds what trusted objects expose; returns whether anything was new.
    fn expose(&mut self) -> bool {
        let mut news: Vec<(ObjectId, Thing, Rights)> = Vec::new();
        for subject in self.subjects() {
            for facet in self.facets(subject) {
                let facet = self.model.facet(facet);
                let closed = matches!(facet.transport, Transport::Done | Transport::Control);
                if !self.trusted.contains(&facet.owner) || facet.owner == subject || closed {
                    continue;
                }
                for exposure in &facet.exposes {
                    let kind = self.model.capability(exposure.capability).kind;
                    let thing = Thing::Capability(exposure.capability);
                    // "As far as the trusted object itself holds it".
                    let has = self.hold[&facet.owner].get(&thing).copied().unwrap_or_default();
                    let rights = has.and(exposure.rights.unwrap_or(kind.all()));
                    let never = matches!(kind, Kind::Control | Kind::Identity | Kind::Privilege);
                    if !never && !rights.is_empty() {
                        news.push((subject, thing, rights));
                    }
                }
            }
        }
        let mut grew = false;
        for (subject, thing, rights) in news {
            let known = self.reach.get_mut(&subject).unwrap().entry(thing).or_default();
            grew |= !known.contains(rights);
            *known = known.or(rights);
        }
        grew
    }

    /// The paths by which whoever changes them controls an object.
    fn made_of(&self, code: &Things, b: ObjectId) -> Vec<String> {
        let root = &self.model.root;
        let mut own: Vec<String> = Vec::new();
        if let Some(process) = self.model.object(b).process() {
            let paths = process.config.iter().chain(&process.argument_paths);
            own.extend(paths.map(|path| path.path.to_string()));
        }
        for (thing, rights) in code.get(&b).into_iter().flatten().filter(|_| b != RECONFIGURE) {
            if let Some((path, kind)) = self.path(thing)
                && may(kind, *rights, &["exec"])
            {
                own.push(path.to_owned());
            }
        }
        if b == RECONFIGURE {
            own.extend([&root.config, &root.store, &root.key].map(|place| place.path.to_string()));
            own.extend(["/run/capc", "/usr/lib/systemd/system"].map(str::to_owned));
        }
        own
    }

    fn controls(&self, things: &Things, code: &Things, a: ObjectId, b: ObjectId) -> bool {
        let model = self.model;
        let own = self.made_of(code, b);
        let unconfined = model.object(a).process().is_some_and(|process| process.unconfined.is_some());
        if b == RECONFIGURE && unconfined {
            return true;
        }
        things[&a].iter().any(|(thing, rights)| {
            if let Some((path, kind)) = self.path(thing) {
                let changes = may(kind, *rights, &["modify", "create", "remove"]) && kind != Kind::Device;
                let code = own.iter().any(|own| related(own, path)) || (loaders(path) && b != OUTSIDE);
                if changes && code {
                    return true;
                }
                let reads = may(kind, *rights, &["read"]);
                if b == RECONFIGURE && reads && related(path, &model.root.key.path) {
                    return true;
                }
                if b == RECONFIGURE && is_directory(kind) && path_contains(path, "/run/docker.sock") {
                    return true;
                }
            }
            let Thing::Capability(what) = thing else { return false };
            let known = model.capability(*what);
            match (known.kind, known.target) {
                (Kind::Control, Target::Facet(facet)) => {
                    model.facet(facet).owner == b && may(known.kind, *rights, &["replace"])
                }
                (Kind::Identity, _) => {
                    let process = model.object(b).process();
                    let runs_as = process.and_then(|process| process.identity).map(|(identity, _)| identity);
                    runs_as.is_some_and(|identity| self.same_identity(identity, *what))
                }
                (Kind::Privilege, _) => {
                    let amounts = matches!(resource(model, *what),
                        Some(Resource::Privilege(name)) if &**name == "CAP_SYS_ADMIN");
                    b == RECONFIGURE && amounts
                }
                (Kind::Device, _) => b == RECONFIGURE && known.path.as_deref() == Some("/dev/sda"),
                (Kind::Socket, _) => b == RECONFIGURE && known.path.as_deref() == Some("/run/docker.sock"),
                _ => false,
            }
        })
    }

    fn same_identity(&self, a: CapId, b: CapId) -> bool {
        let user = |capability: CapId| match resource(self.model, capability) {
            Some(Resource::Identity { user, .. }) => user.clone(),
            _ => None,
        };
        a == b || user(a).is_some_and(|name| Some(name) == user(b))
    }

    fn find_edges(&mut self, along: Along) {
        let things = if along == Along::Hold { &self.hold } else { &self.reach };
        let mut edges: Vec<(ObjectId, ObjectId)> = Vec::new();
        let mut asked: Vec<(ObjectId, ObjectId)> = Vec::new();
        let open = |id: ObjectId| !self.trusted.contains(&id);
        for a in self.subjects() {
            edges.push((RECONFIGURE, a));
            if self.controls(things, things, a, RECONFIGURE) {
                edges.push((a, RECONFIGURE));
            }
            for b in self.subjects().into_iter().filter(|b| *b != a) {
                // What is merely exposed to somebody is no code of its own: it counts only as far as that one relays.
                if self.controls(things, &self.hold, a, b) || (open(b) && self.controls(things, things, a, b))
                {
                    edges.push((a, b));
                }
                if self.controls(things, things, a, b) {
                    edges.extend(open(a).then_some((b, a)));
                }
                if self.has_facet(things, a, b, along) {
                    edges.extend(open(b).then_some((a, b)));
                    edges.extend(open(a).then_some((b, a)));
                }
                if self.may_ask(things, a, b) {
                    asked.push((a, b));
                    edges.extend((open(a) && along != Along::Hold).then_some((b, a)));
                }
                for (mine, my_rights) in &things[&a] {
                    let Some((my_path, my_kind)) = self.path(mine) else { continue };
                    for (theirs, their_rights) in &things[&b] {
                        let Some((their_path, their_kind)) = self.path(theirs) else { continue };
                        if !related(my_path, their_path) {
                            continue;
                        }
                        if may(my_kind, *my_rights, &["socket"]) && !their_rights.is_empty() {
                            edges.extend(open(b).then_some((a, b)));
                            edges.extend(open(a).then_some((b, a)));
                        }
                        let shared = may(my_kind, *my_rights, &["read", "exec"])
                            && may(their_kind, *their_rights, &["modify", "create"]);
                        if shared && along == Along::Learn {
                            edges.extend(open(b).then_some((a, b)));
                        }
                        if shared && along == Along::Effect {
                            edges.extend(open(a).then_some((b, a)));
                        }
                    }
                }
            }
        }
        let along = |(from, to)| (from, to, along);
        self.edges.extend(edges.into_iter().filter(|(_, to)| *to != OUTSIDE).map(along));
        self.asked.extend(asked.into_iter().map(along));
    }

    /// Whether `a` counts as holding the `ask` of `b`.
    fn may_ask(&self, things: &Things, a: ObjectId, b: ObjectId) -> bool {
        let ask = self.model.object(b).powerbox().and_then(|powerbox| powerbox.ask);
        things[&a].keys().any(|thing| match thing {
            Thing::Capability(what) => match self.model.capability(*what).target {
                Target::Facet(facet) => Some(facet) == ask,
                Target::Resource(_) => false,
            },
            Thing::Path(_) => false,
        })
    }

    /// Whether `a` counts as holding some facet of `b` that makes `use` and `pass` edges.
    fn has_facet(&self, things: &Things, a: ObjectId, b: ObjectId, along: Along) -> bool {
        let model = self.model;
        let held = things[&a].iter().any(|(thing, rights)| {
            let Thing::Capability(what) = thing else { return false };
            let Target::Facet(facet) = model.capability(*what).target else { return false };
            let facet = model.facet(facet);
            let carries = match &facet.transport {
                Transport::Control | Transport::Done | Transport::Ask => return false,
                Transport::Launch => true,
                Transport::Socket(_) | Transport::Channel => !facet.data_only,
                Transport::Listen(listen) => {
                    matches!(address(model, *listen), Some(Address::Unix(_))) && !facet.data_only
                }
                Transport::Tcp(_) | Transport::Mount(_) => false,
            };
            facet.owner == b && !rights.is_empty() && (carries || along != Along::Hold)
        });
        let listens = things[&b].keys().any(|thing| {
            let Thing::Capability(what) = thing else { return false };
            match resource(model, *what) {
                Some(Resource::Listen(address)) => {
                    let unix = matches!(address, Address::Unix(_));
                    // `connect` is a facet of services; `outside` has one of everybody.
                    let outside = a == OUTSIDE && !address.is_loopback();
                    let has_one = unix || outside || model.object(b).service().is_some();
                    has_one && (unix || along != Along::Hold) && self.connects(things, a, address)
                }
                Some(Resource::Connect(address)) => {
                    along != Along::Hold && a == OUTSIDE && !address.is_loopback()
                }
                _ => false,
            }
        });
        let open =
            along != Along::Hold && a == OUTSIDE && things[&b].keys().any(|thing| self.is_network(thing));
        let provides = model.facets.iter().any(|facet| {
            facet.owner == b
                && along != Along::Hold
                && matches!(&facet.transport, Transport::Tcp(address) if self.connects(things, a, address))
        });
        held || listens || open || provides
    }

    pub fn reachable(&self, from: ObjectId, along: Along, consent: bool) -> BTreeSet<ObjectId> {
        let mut reached = BTreeSet::from([from]);
        loop {
            let asked = self.asked.iter().filter(|_| consent);
            let more: Vec<ObjectId> = self
                .edges
                .iter()
                .chain(asked)
                .filter(|(a, b, edge)| *edge == along && reached.contains(a) && !reached.contains(b))
                .map(|(_, b, _)| *b)
                .collect();
            if more.is_empty() {
                return reached;
            }
            reached.extend(more);
        }
    }

    /// What of a capability somebody has by itself: of the whole, and of parts.
    fn own(&self, holder: ObjectId, asked: CapId, level: Level) -> (Rights, Rights) {
        let want = self.model.capability(asked);
        let things = if level == Level::Hold { &self.hold } else { &self.reach };
        let (mut whole, mut part) = (Rights::NONE, Rights::NONE);
        for (thing, rights) in things.get(&holder).into_iter().flatten() {
            if *thing == Thing::Capability(asked) {
                whole = whole.or(*rights);
            }
            let networked = matches!(want.kind, Kind::Connect | Kind::Network) && self.is_network(thing);
            let Some(path) = want.path.as_deref() else {
                whole = if networked { want.kind.all() } else { whole };
                continue;
            };
            if want.kind == Kind::Socket {
                let inside = self
                    .path(thing)
                    .is_some_and(|(have, kind)| is_directory(kind) && path_contains(have, path));
                let same = self.kind(thing) == Kind::Socket
                    && matches!(thing, Thing::Capability(have)
                        if self.model.capability(*have).path.as_deref() == Some(path));
                if inside || same {
                    whole = whole.or(Rights(1));
                }
            } else if let (Some((have, kind)), true) = (self.path(thing), has_path(want.kind)) {
                let rights = named(kind, *rights, want.kind);
                if path_contains(have, path) {
                    whole = whole.or(rights);
                } else if path_contains(path, have) {
                    part = part.or(rights);
                }
            }
        }
        (whole, part)
    }

    /// What of a capability somebody could obtain.
    pub fn authority(&self, subject: ObjectId, asked: CapId, level: Level) -> Obtained {
        let kind = self.model.capability(asked).kind;
        let traversals = match level {
            Level::Hold => vec![Along::Hold],
            Level::Reach => vec![Along::Learn, Along::Effect],
        };
        let mut sum = Obtained::default();
        for along in traversals {
            let about = obtained_along(along, kind);
            let freely = self.reachable(subject, along, false);
            for holder in self.reachable(subject, along, true) {
                let (whole, part) = self.own(holder, asked, level);
                sum.whole = sum.whole.or(whole.and(about));
                sum.part = sum.part.or(part.and(about));
                if freely.contains(&holder) {
                    sum.free = sum.free.or(whole.or(part).and(about));
                }
            }
        }
        sum
    }
}

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
            if matches!(known.kind, Kind::Dir | Kind::File | Kind::State | Kind::Secret) {
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

/// What somebody counts as holding: a capability, or the path of code or configuration; and whether it is really held.
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

pub struct World<'m> {
    model: &'m Model,
    trusted: BTreeSet<ObjectId>,
    /// At level hold, and at level reach.
    hold: BTreeMap<ObjectId, BTreeMap<Thing, Rights>>,
    reach: BTreeMap<ObjectId, BTreeMap<Thing, Rights>>,
    edges: BTreeSet<(ObjectId, ObjectId, Along)>,
}

fn is_file(kind: Kind) -> bool {
    matches!(kind, Kind::Dir | Kind::File | Kind::State | Kind::Secret | Kind::Mount)
}

fn related(a: &str, b: &str) -> bool {
    path_contains(a, b) || path_contains(b, a)
}

fn address(model: &Model, capability: CapId) -> Option<&Address> {
    let Target::Resource(object) = model.capability(capability).target else { return None };
    match model.object(object).resource() {
        Some(Resource::Listen(address) | Resource::Connect(address)) => Some(address),
        _ => None,
    }
}

impl<'m> World<'m> {
    pub fn new(model: &'m Model, held: &Holdings, scope: ObjectId) -> Self {
        let trusted = model.objects().map(|(id, _)| id).filter(|id| model.is_trusted(*id, scope)).collect();
        Self::with_trust(model, held, trusted)
    }

    pub fn with_trust(model: &'m Model, held: &Holdings, trusted: BTreeSet<ObjectId>) -> Self {
        let mut hold: BTreeMap<ObjectId, BTreeMap<Thing, Rights>> = BTreeMap::new();
        for (id, object) in model.objects().filter(|(id, object)| object.is_subject() || *id == RECONFIGURE) {
            let things = hold.entry(id).or_default();
            for (_, what, right) in held.iter().filter(|(who, _, _)| *who == id) {
                let rights = things.entry(Thing::Capability(*what)).or_default();
                *rights = rights.or(Rights(1 << right));
            }
            if let Some(service) = object.service() {
                let programs = service.program.iter().chain(service.prepare.iter().map(|(path, _)| path));
                for (path, own) in programs
                    .chain(&service.image)
                    .map(|path| (path, 3))
                    .chain(service.config.iter().map(|path| (path, 1)))
                {
                    let rights = things.entry(Thing::Path(path.path.to_string())).or_default();
                    *rights = rights.or(Rights(own));
                }
            }
        }
        let mut world = Self { model, trusted, reach: hold.clone(), hold, edges: BTreeSet::new() };
        while world.expose() {}
        world.find_edges(Along::Hold);
        world.find_edges(Along::Learn);
        world.find_edges(Along::Effect);
        world
    }

    fn subjects(&self) -> Vec<ObjectId> {
        self.model.objects().filter(|(_, object)| object.is_subject()).map(|(id, _)| id).collect()
    }

    fn path(&self, thing: &Thing) -> Option<(String, Kind)> {
        match thing {
            Thing::Path(path) => Some((path.clone(), Kind::Dir)),
            Thing::Capability(capability) => {
                let known = self.model.capability(*capability);
                is_file(known.kind).then(|| (known.path.as_deref().unwrap().to_owned(), known.kind))
            }
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
            if listens.is_some_and(|listens| self.connects(subject, listens)) {
                facets.insert(FacetId(at as u32));
            }
        }
        facets
    }

    /// Whether a subject can connect to an address, other than by a facet that it holds.
    fn connects(&self, subject: ObjectId, to: &Address) -> bool {
        if subject == OUTSIDE {
            return !to.is_loopback();
        }
        self.reach[&subject].iter().any(|(thing, rights)| match to {
            Address::Ip { protocol, port, .. } => match thing {
                Thing::Capability(what) if self.model.capability(*what).kind == Kind::Connect => {
                    match address(self.model, *what) {
                        Some(Address::Ip { protocol: own, port: through, .. }) => {
                            (own, through) == (protocol, port)
                        }
                        _ => false,
                    }
                }
                _ => false,
            },
            Address::Unix(path) => self.path(thing).is_some_and(|(directory, kind)| {
                matches!(kind, Kind::Dir | Kind::State | Kind::Mount)
                    && !rights.is_empty()
                    && path_contains(&directory, path)
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
                    let has = self.reach[&facet.owner].get(&thing).copied().unwrap_or_default();
                    let rights = has.and(exposure.rights.unwrap_or(kind.all()));
                    if !matches!(kind, Kind::Control | Kind::Identity) && !rights.is_empty() {
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

    fn controls(&self, things: &Things, code: &Things, a: ObjectId, b: ObjectId) -> bool {
        let (model, root) = (self.model, &self.model.root);
        let mut own: Vec<String> = Vec::new();
        if let Some(service) = model.object(b).service() {
            own.extend(
                service.config.iter().chain(&service.argument_paths).map(|path| path.path.to_string()),
            );
            for (thing, rights) in &code[&b] {
                if let Some((path, kind)) = self.path(thing)
                    && kind != Kind::Secret
                    && rights.contains(Kind::FS_EXEC)
                {
                    own.push(path);
                }
            }
        }
        if b == RECONFIGURE {
            own.extend([&root.config, &root.store, &root.key].map(|place| place.path.to_string()));
            let known = [
                "/run/capc",
                "/etc/systemd/system",
                "/run/systemd/system",
                "/usr/lib/systemd/system",
                "/usr/local/lib/systemd/system",
            ];
            own.extend(known.map(str::to_owned));
        }
        things[&a].iter().any(|(thing, rights)| {
            if let Some((path, kind)) = self.path(thing) {
                let changes = kind != Kind::Secret && !rights.and(Kind::FS_WRITE).is_empty();
                let loader = path == "/"
                    || path == "/usr"
                    || path == "/etc"
                    || path.starts_with("/usr/lib")
                    || path.starts_with("/etc/ld.so.");
                if changes && (own.iter().any(|own| related(own, &path)) || (loader && b != OUTSIDE)) {
                    return true;
                }
                if b == RECONFIGURE && rights.contains(Kind::FS_READ) && related(&path, &root.key.path) {
                    return true;
                }
            }
            let Thing::Capability(what) = thing else { return false };
            let known = model.capability(*what);
            match (known.kind, known.target) {
                (Kind::Control, Target::Facet(facet)) => {
                    model.facet(facet).owner == b && rights.contains(Kind::REPLACE)
                }
                (Kind::Identity, _) => {
                    let runs_as = model
                        .object(b)
                        .service()
                        .and_then(|service| service.identity)
                        .map(|(identity, _)| identity);
                    runs_as.is_some_and(|identity| self.same_identity(identity, *what))
                }
                _ => false,
            }
        })
    }

    fn same_identity(&self, a: CapId, b: CapId) -> bool {
        let user = |capability: CapId| match self.model.capability(capability).target {
            Target::Resource(object) => match self.model.object(object).resource() {
                Some(Resource::Identity { user, .. }) => user.clone(),
                _ => None,
            },
            Target::Facet(_) => None,
        };
        a == b || user(a).is_some_and(|name| Some(name) == user(b))
    }

    fn find_edges(&mut self, along: Along) {
        let model = self.model;
        let things = if along == Along::Hold { self.hold.clone() } else { self.reach.clone() };
        let mut edges: Vec<(ObjectId, ObjectId)> = Vec::new();
        let open = |id: ObjectId| !self.trusted.contains(&id);
        for a in self.subjects() {
            edges.push((RECONFIGURE, a));
            if self.controls(&things, &things, a, RECONFIGURE) {
                edges.push((a, RECONFIGURE));
            }
            for b in self.subjects().into_iter().filter(|b| *b != a) {
                // What is merely exposed to somebody is no code of its own: it counts only as far as that one relays.
                if self.controls(&things, &self.hold, a, b)
                    || (open(b) && self.controls(&things, &things, a, b))
                {
                    edges.push((a, b));
                }
                if self.controls(&things, &things, a, b) {
                    edges.extend(open(a).then_some((b, a)));
                }
                if self.has_facet(&things, a, b, along) {
                    edges.extend(open(b).then_some((a, b)));
                    edges.extend(open(a).then_some((b, a)));
                }
                for (mine, my_rights) in &things[&a] {
                    let Some((my_path, _)) = self.path(mine) else { continue };
                    for (theirs, their_rights) in &things[&b] {
                        let Some((their_path, _)) = self.path(theirs) else { continue };
                        if !related(&my_path, &their_path) || my_rights.is_empty() || their_rights.is_empty()
                        {
                            continue;
                        }
                        if my_rights.contains(Kind::FS_SOCKET) {
                            edges.extend(open(b).then_some((a, b)));
                            edges.extend(open(a).then_some((b, a)));
                        }
                        let shared = !my_rights.and(Rights(3)).is_empty()
                            && !their_rights.and(Rights(4 | 8)).is_empty();
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
        let _ = model;
        self.edges
            .extend(edges.into_iter().filter(|(_, to)| *to != OUTSIDE).map(|(from, to)| (from, to, along)));
    }

    /// Whether `a` counts as holding some facet of `b` that makes `use` and `pass` edges.
    fn has_facet(
        &self,
        things: &BTreeMap<ObjectId, BTreeMap<Thing, Rights>>,
        a: ObjectId,
        b: ObjectId,
        along: Along,
    ) -> bool {
        let model = self.model;
        let held = things[&a].keys().any(|thing| {
            let Thing::Capability(what) = thing else { return false };
            let Target::Facet(facet) = model.capability(*what).target else { return false };
            let facet = model.facet(facet);
            let carries = match &facet.transport {
                Transport::Control | Transport::Done => return false,
                Transport::Launch => true,
                Transport::Ask => false,
                Transport::Socket(_) | Transport::Channel => !facet.data_only,
                Transport::Listen(listen) => {
                    matches!(address(model, *listen), Some(Address::Unix(_))) && !facet.data_only
                }
                Transport::Tcp(_) | Transport::Mount(_) => false,
            };
            facet.owner == b && (carries || along != Along::Hold)
        });
        let inside = |path: &str| {
            things[&a].iter().any(|(thing, rights)| {
                self.path(thing).is_some_and(|(directory, kind)| {
                    matches!(kind, Kind::Dir | Kind::State | Kind::Mount)
                        && !rights.is_empty()
                        && path_contains(&directory, path)
                })
            })
        };
        let listens = things[&b].keys().any(|thing| {
            let Thing::Capability(what) = thing else { return false };
            let known = model.capability(*what);
            match (known.kind, address(model, *what)) {
                (Kind::Listen, Some(Address::Unix(path))) => inside(path),
                (Kind::Listen, Some(address)) => along != Along::Hold && self.connects(a, address),
                (Kind::Connect, Some(address)) => {
                    along != Along::Hold && a == OUTSIDE && !address.is_loopback()
                }
                _ => false,
            }
        });
        let provides = model.facets.iter().any(|facet| {
            facet.owner == b
                && along != Along::Hold
                && matches!(&facet.transport, Transport::Tcp(address) if self.connects(a, address))
        });
        held || listens || provides
    }

    pub fn reachable(&self, from: ObjectId, along: Along) -> BTreeSet<ObjectId> {
        let mut reached = BTreeSet::from([from]);
        loop {
            let more: Vec<ObjectId> = self
                .edges
                .iter()
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
            } else if let (Some((have, kind)), Some(path)) = (self.path(thing), want.path.as_deref()) {
                if want.kind == Kind::Socket {
                    if matches!(kind, Kind::Dir | Kind::State | Kind::Mount) && path_contains(&have, path) {
                        whole = whole.or(Rights(1));
                    }
                } else if path_contains(&have, path) {
                    whole = whole.or(rights.and(want.kind.all()));
                } else if path_contains(path, &have) {
                    part = part.or(rights.and(want.kind.all()));
                }
            } else if let Thing::Capability(have) = thing
                && want.kind == Kind::Socket
                && self.model.capability(*have).kind == Kind::Socket
                && self.model.capability(*have).path == want.path
            {
                whole = whole.or(Rights(1));
            }
        }
        (whole, part)
    }

    /// What of a capability somebody could obtain: of the whole, and of parts.
    pub fn authority(&self, subject: ObjectId, asked: CapId, level: Level) -> (Rights, Rights) {
        let kind = self.model.capability(asked).kind;
        let both = match kind {
            Kind::Connect | Kind::Socket | Kind::Facet => Rights(1),
            Kind::Listen => Rights(1),
            _ => Rights::NONE,
        };
        let learn = if is_file(kind) { kind.all().and(Rights(3)) } else { both };
        let effect = kind.all().without(learn).or(both);
        let traversals = match level {
            Level::Hold => vec![(Along::Hold, kind.all())],
            Level::Reach => vec![(Along::Learn, learn), (Along::Effect, effect)],
        };
        let mut sum = (Rights::NONE, Rights::NONE);
        for (along, about) in traversals {
            for holder in self.reachable(subject, along) {
                let (whole, part) = self.own(holder, asked, level);
                sum = (sum.0.or(whole.and(about)), sum.1.or(part.and(about)));
            }
        }
        sum
    }
}

//! The edge rules: `use`, `pass`, `share` and `meet`; `control` has a file of its own.

use super::control;
use super::effective::{Effective, Held};
use super::is_directory;
use crate::holdings::Holdings;
use crate::model::{
    Address, FacetId, Kind, Model, OUTSIDE, ObjectId, Protocol, Resource, Rights, Target, Transport,
    path_contains,
};
use crate::source::Span;

/// Along which traversals an edge leads.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Carries(u8);

impl Carries {
    /// Capabilities, at level hold.
    pub const HOLD: Self = Self(1);
    /// What is learnt, at level reach.
    pub const LEARN: Self = Self(2);
    /// What is effected, at level reach.
    pub const EFFECT: Self = Self(4);
    /// Both of level reach.
    pub const REACH: Self = Self(6);
    /// All three.
    pub const ALL: Self = Self(7);

    /// Returns the traversals in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Returns whether the edge leads along this traversal.
    #[must_use]
    pub const fn has(self, one: Self) -> bool {
        self.0 & one.0 == one.0
    }
    /// Returns the words that programs read.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let named = [(Self::HOLD, "hold"), (Self::LEARN, "learn"), (Self::EFFECT, "effect")];
        named.into_iter().filter(move |(one, _)| self.has(*one)).map(|(_, word)| word)
    }
}

/// Which rule an edge comes by.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words are the model's rules")]
pub enum EdgeRule {
    Use,
    Pass,
    Share,
    Meet,
    Control,
}

impl EdgeRule {
    /// Returns the word that programs read.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Pass => "pass",
            Self::Share => "share",
            Self::Meet => "meet",
            Self::Control => "control",
        }
    }
}

/// `from` can obtain what `to` can.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Who obtains.
    pub from: ObjectId,
    /// From whom.
    pub to: ObjectId,
    /// By which rule.
    pub rule: EdgeRule,
    /// The statement behind it; the earliest, when there are several.
    pub span: Span,
    /// Along which traversals.
    pub carries: Carries,
}

/// Collects edges; knows who is trusted.
pub struct EdgeSink<'a> {
    edges: Vec<Edge>,
    trusted: &'a [bool],
}

impl EdgeSink<'_> {
    /// Returns whether an object relays nothing but what it exposes.
    pub fn is_trusted(&self, object: ObjectId) -> bool {
        self.trusted.get(object.index()) == Some(&true)
    }

    /// Adds an edge.
    pub fn push(&mut self, edge: Edge) {
        // Nobody obtains anything from `outside`.
        if edge.from != edge.to && edge.to != OUTSIDE {
            self.edges.push(edge);
        }
    }

    /// Adds an edge from one who controls, and the one back unless that one is trusted.
    pub fn both(&mut self, from: ObjectId, to: ObjectId, rule: EdgeRule, carries: Carries, span: Span) {
        self.push(Edge { from, to, rule, carries, span });
        if !self.is_trusted(from) {
            self.push(Edge { from: to, to: from, rule, carries, span });
        }
    }

    /// Adds `from → to` unless the one that would relay is trusted.
    fn relayed(&mut self, from: ObjectId, to: ObjectId, rule: EdgeRule, carries: Carries, span: Span) {
        if !self.is_trusted(to) {
            self.push(Edge { from, to, rule, carries, span });
        }
    }
}

/// Returns every edge.
pub fn edges(model: &Model, holdings: &Holdings, effective: &Effective, trusted: &[bool]) -> Vec<Edge> {
    let mut sink = EdgeSink { edges: Vec::new(), trusted };
    facets(&mut sink, model, holdings, effective);
    ports(&mut sink, model, holdings, effective);
    places(&mut sink, model, holdings, effective);
    control::add(&mut sink, model, holdings, effective);
    sink.edges
}

/// Every subject's holdings with the traversals that they count for.
fn held<'a>(
    model: &'a Model,
    holdings: &'a Holdings,
    effective: &'a Effective,
) -> impl Iterator<Item = (ObjectId, Held, Carries)> + 'a {
    model.objects().filter(|(_, object)| object.is_subject()).flat_map(move |(id, _)| {
        let own = holdings.of(id).iter().map(move |holding| {
            (id, Held { capability: holding.capability, rights: holding.rights, through: None }, Carries::ALL)
        });
        own.chain(effective.exposed_to(id).iter().map(move |held| (id, *held, Carries::REACH)))
    })
}

/// Returns whether descriptors can cross a facet.
fn carries_capabilities(model: &Model, facet: FacetId) -> bool {
    let facet = model.facet(facet);
    let unix = match &facet.transport {
        Transport::Socket(_) | Transport::Channel => true,
        Transport::Listen(listen) => matches!(address(model, *listen), Some(Address::Unix(_))),
        Transport::Tcp(_) | Transport::Mount(_) | Transport::Done | Transport::Control => false,
    };
    unix && !facet.data_only
}

fn address(model: &Model, capability: crate::model::CapId) -> Option<&Address> {
    let Target::Resource(object) = model.capability(capability).target else { return None };
    match model.object(object).resource()? {
        Resource::Listen(address) | Resource::Connect(address) => Some(address),
        _ => None,
    }
}

/// `use` and `pass`: along every facet that somebody holds.
fn facets(sink: &mut EdgeSink<'_>, model: &Model, holdings: &Holdings, effective: &Effective) {
    for (holder, held, counts) in held(model, holdings, effective) {
        let Target::Facet(id) = model.capability(held.capability).target else { continue };
        let facet = model.facet(id);
        if facet.owner == holder || matches!(facet.transport, Transport::Control | Transport::Done) {
            continue;
        }
        let carries = match carries_capabilities(model, id) && counts == Carries::ALL {
            true => Carries::ALL,
            false => Carries::REACH,
        };
        let span = match held.through {
            None => control::sink_span(model, holdings, holder, held.capability),
            Some(through) => model.facet(through).span,
        };
        sink.relayed(holder, facet.owner, EdgeRule::Use, carries, span);
        sink.relayed(facet.owner, holder, EdgeRule::Pass, carries, span);
    }
}

/// `connect` on a port is a data-only facet of whoever listens there; `outside` has one of everybody on the network.
fn ports(sink: &mut EdgeSink<'_>, model: &Model, holdings: &Holdings, effective: &Effective) {
    let mut listeners: Vec<(Protocol, u16, ObjectId)> = Vec::new();
    let mut connectors: Vec<(Protocol, u16, ObjectId, Span)> = Vec::new();
    let mut exposed: Vec<(ObjectId, Span)> = Vec::new();
    for (id, _, service) in model.services() {
        for facet in service.facets.iter().map(|facet| model.facet(*facet)) {
            if let Transport::Tcp(address @ Address::Ip { protocol, port, .. }) = &facet.transport {
                listeners.push((*protocol, *port, id));
                if !address.is_loopback() {
                    exposed.push((id, facet.span));
                }
            }
        }
    }
    for (holder, held, _) in held(model, holdings, effective) {
        let known = model.capability(held.capability);
        let Some(address) = address(model, held.capability) else { continue };
        let span = control::sink_span(model, holdings, holder, held.capability);
        if !address.is_loopback() {
            exposed.push((holder, span));
        }
        match (known.kind, address) {
            (Kind::Listen, Address::Ip { protocol, port, .. }) => listeners.push((*protocol, *port, holder)),
            (Kind::Connect, Address::Ip { protocol, port, .. }) => {
                connectors.push((*protocol, *port, holder, span))
            }
            _ => {}
        }
    }
    listeners.sort_unstable();
    listeners.dedup();
    for (protocol, port, holder, span) in connectors {
        let from = listeners.partition_point(|listener| (listener.0, listener.1) < (protocol, port));
        let same =
            listeners.iter().skip(from).take_while(|listener| (listener.0, listener.1) == (protocol, port));
        for (_, _, listener) in same.filter(|listener| listener.2 != holder) {
            sink.relayed(holder, *listener, EdgeRule::Use, Carries::REACH, span);
            sink.relayed(*listener, holder, EdgeRule::Pass, Carries::REACH, span);
        }
    }
    for (holder, span) in exposed {
        sink.relayed(OUTSIDE, holder, EdgeRule::Use, Carries::REACH, span);
    }
}

/// Somebody's rights at a path.
struct Place<'m> {
    path: &'m str,
    holder: ObjectId,
    kind: Kind,
    rights: Rights,
    span: Span,
    hold: bool,
}

/// `share` and `meet`: where two have rights at one path, or at one inside the other's.
fn places(sink: &mut EdgeSink<'_>, model: &Model, holdings: &Holdings, effective: &Effective) {
    let mut places: Vec<Place<'_>> = Vec::new();
    for (holder, held, counts) in held(model, holdings, effective) {
        let known = model.capability(held.capability);
        let files = matches!(known.kind, Kind::Dir | Kind::State | Kind::File | Kind::Secret | Kind::Mount);
        if let (true, Some(path)) = (files, known.path.as_deref()) {
            let span = control::sink_span(model, holdings, holder, held.capability);
            places.push(Place {
                path,
                holder,
                kind: known.kind,
                rights: held.rights,
                span,
                hold: counts == Carries::ALL,
            });
        }
    }
    for (holder, _, service) in model.services() {
        for (path, rights) in control::own_paths(service) {
            places.push(Place {
                path: &path.path,
                holder,
                kind: Kind::File,
                rights,
                span: path.span,
                hold: true,
            });
        }
        for facet in &service.facets {
            if let Transport::Mount(place) = &model.facet(*facet).transport {
                let rights = Kind::Mount.all();
                places.push(Place {
                    path: &place.path,
                    holder,
                    kind: Kind::Mount,
                    rights,
                    span: place.span,
                    hold: true,
                });
            }
        }
    }
    // `/a` sorts before `/a/b`, but `/a-b` between them, so what lies inside is found by components.
    places.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')).then(a.holder.cmp(&b.holder)));
    let mut above: Vec<usize> = Vec::new();
    for (at, place) in places.iter().enumerate() {
        while let Some(outer) = above.last().and_then(|outer| places.get(*outer)) {
            if path_contains(outer.path, place.path) {
                break;
            }
            above.pop();
        }
        for outer in above.iter().filter_map(|outer| places.get(*outer)) {
            meet(sink, outer, place);
            share(sink, outer, place);
            share(sink, place, outer);
        }
        above.push(at);
    }
}

fn share(sink: &mut EdgeSink<'_>, writer: &Place<'_>, reader: &Place<'_>) {
    let writes =
        !writer.rights.and(Kind::FS_MODIFY.or(Kind::FS_CREATE)).is_empty() && writer.kind != Kind::Secret;
    let reads = !reader.rights.and(Kind::FS_READ.or(Kind::FS_EXEC)).is_empty();
    if writes && reads && writer.holder != reader.holder {
        sink.relayed(reader.holder, writer.holder, EdgeRule::Share, Carries::LEARN, writer.span);
        sink.relayed(writer.holder, reader.holder, EdgeRule::Share, Carries::EFFECT, writer.span);
    }
}

fn meet(sink: &mut EdgeSink<'_>, a: &Place<'_>, b: &Place<'_>) {
    let makes = |place: &Place<'_>| is_directory(place.kind) && place.rights.contains(Kind::FS_SOCKET);
    if a.holder == b.holder || !(makes(a) || makes(b)) {
        return;
    }
    let carries = if a.hold && b.hold { Carries::ALL } else { Carries::REACH };
    let span = if makes(a) { a.span } else { b.span };
    sink.relayed(a.holder, b.holder, EdgeRule::Meet, carries, span);
    sink.relayed(b.holder, a.holder, EdgeRule::Meet, carries, span);
}

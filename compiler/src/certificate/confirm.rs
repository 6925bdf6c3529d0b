//! The checker: believes nothing of a certificate, and shares no code with what found it.
//!
//! From the authority graph it takes the edges and what everybody counts as holding, as they are. One pass over the edges of
//! the members of each set shows that it is closed, one pass over all that is held that no holder is on the wrong side.

use super::{Certificate, CertifiedAssertion, CertifiedSet, CertifiedView, FORMAT};
use crate::authority::{Authority, Carries, Held, Node, Through};
use crate::holdings::Holdings;
use crate::model::{
    Address, CapId, Kind, Level, Model, ObjectId, Only, Protocol, RECONFIGURE, Resource, Rights, Target,
    path_contains,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// What a certificate does not prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt(String);

impl fmt::Display for Doubt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl std::error::Error for Doubt {}

fn doubt<T>(text: impl Into<String>) -> Result<T, Doubt> {
    Err(Doubt(text.into()))
}

/// Confirms that a certificate proves every assertion of a configuration, and speaks of nothing else.
///
/// # Errors
/// With the first thing that it does not prove.
pub fn confirm(model: &Model, holdings: &Holdings, certificate: &Certificate) -> Result<(), Doubt> {
    if certificate.format != FORMAT {
        return doubt("the format is another");
    }
    let mut asserted: BTreeMap<Vec<String>, Vec<Asserted>> = BTreeMap::new();
    for one in all_asserted(model) {
        asserted.entry(trusted_by(model, one.scope)).or_default().push(one);
    }
    let known: BTreeSet<&Vec<String>> = certificate.views.iter().map(|view| &view.trusted).collect();
    if known.len() != certificate.views.len() || known.into_iter().ne(asserted.keys()) {
        return doubt("trust is seen otherwise");
    }
    for view in &certificate.views {
        let trusted: BTreeSet<&str> = view.trusted.iter().map(String::as_str).collect();
        let flags: Vec<bool> = model.objects().map(|(_, object)| trusted.contains(&*object.name)).collect();
        let authority = Authority::with_trust(model, holdings, &flags);
        let asserted = asserted.get(&view.trusted).map_or(&[][..], Vec::as_slice);
        Checker::new(&authority, view)?.check(asserted)?;
    }
    Ok(())
}

/// What the configuration asserts.
struct Asserted {
    scope: ObjectId,
    is_only: bool,
    subjects: BTreeSet<ObjectId>,
    level: Level,
    capability: CapId,
    rights: Rights,
}

fn all_asserted(model: &Model) -> Vec<Asserted> {
    let mut all = Vec::new();
    for never in model.nevers.iter().filter(|never| model.object(never.subject).is_subject()) {
        all.push(Asserted {
            scope: never.scope,
            is_only: false,
            subjects: BTreeSet::from([never.subject]),
            level: never.level,
            capability: never.capability,
            rights: never.rights,
        });
    }
    let applies = |only: &&Only| only.subjects.iter().all(|(id, _)| model.object(*id).is_subject());
    for only in model.onlys.iter().filter(applies) {
        all.push(Asserted {
            scope: only.scope,
            is_only: true,
            subjects: only.subjects.iter().map(|(subject, _)| *subject).collect(),
            level: only.level,
            capability: only.capability,
            rights: only.rights,
        });
    }
    all
}

fn trusted_by(model: &Model, scope: ObjectId) -> Vec<String> {
    let trusted = model.objects().filter(|(id, _)| model.is_trusted(*id, scope));
    let mut names: Vec<String> = trusted.map(|(_, object)| object.name.to_string()).collect();
    names.sort();
    names
}

/// A set with its members found.
struct Set {
    along: Carries,
    is_reached: bool,
    members: Vec<Node>,
}

impl Set {
    fn has(&self, node: Node) -> bool {
        self.members.binary_search(&node).is_ok()
    }
}

/// That nobody on the wrong side of a set holds any of some rights of a capability.
struct Demand {
    set: usize,
    capability: CapId,
    level: Level,
    wanted: Rights,
}

struct Checker<'a, 'm> {
    authority: &'a Authority<'m>,
    view: &'a CertifiedView,
    sets: Vec<Set>,
    demands: Vec<Demand>,
}

impl<'a, 'm> Checker<'a, 'm> {
    fn new(authority: &'a Authority<'m>, view: &'a CertifiedView) -> Result<Self, Doubt> {
        let nodes: HashMap<&str, Node> =
            (0..authority.nodes() as u32).map(|node| (authority.name(Node(node)), Node(node))).collect();
        let mut sets = Vec::new();
        for set in &view.sets {
            sets.push(read(set, &nodes)?);
        }
        Ok(Self { authority, view, sets, demands: Vec::new() })
    }

    fn check(mut self, asserted: &[Asserted]) -> Result<(), Doubt> {
        for set in &self.sets {
            closed(self.authority, set)?;
        }
        let model = self.authority.model;
        let mut proved: BTreeMap<CertifiedAssertion, &[usize]> = BTreeMap::new();
        for assertion in &self.view.assertions {
            let bare = CertifiedAssertion { proof: Vec::new(), ..assertion.clone() };
            if proved.insert(bare, &assertion.proof).is_some() {
                return doubt("an assertion stands there twice");
            }
        }
        let mut met = BTreeSet::new();
        for one in asserted {
            let bare = bare(model, one);
            let Some(proof) = proved.get(&bare).copied() else {
                return doubt(format!("nothing proves what is asserted of `{}`", bare.capability));
            };
            self.proof(one, proof)?;
            met.insert(bare);
        }
        if met.len() != proved.len() {
            return doubt("something is proved that nobody asserts");
        }
        self.holdings()
    }

    /// Checks that there is a set for each traversal, with the subjects on their side, and notes what else it asks for.
    fn proof(&mut self, asserted: &Asserted, proof: &[usize]) -> Result<(), Doubt> {
        let model = self.authority.model;
        let kind = model.capability(asserted.capability).kind;
        let traversals: &[Carries] = match asserted.level {
            Level::Hold => &[Carries::HOLD],
            Level::Reach => &[Carries::LEARN, Carries::EFFECT],
        };
        let mut rest: BTreeSet<usize> = proof.iter().copied().collect();
        for along in traversals {
            let wanted = asserted.rights.and(obtained(*along, kind));
            if wanted.is_empty() {
                continue;
            }
            let fitting =
                rest.iter().copied().find(|set| self.sets.get(*set).is_some_and(|set| set.along == *along));
            let Some((at, set)) = fitting.and_then(|at| Some((at, self.sets.get(at)?))) else {
                return doubt("a traversal is missing");
            };
            rest.remove(&at);
            let subjects = model.objects().filter(|(_, object)| object.is_subject());
            let mut bound =
                subjects.map(|(id, _)| id).filter(|id| asserted.is_only != asserted.subjects.contains(id));
            let right = bound.all(|subject| set.has(Node::from(subject)) == set.is_reached);
            if !right {
                return doubt("a subject is on the wrong side of a set");
            }
            self.demands.push(Demand {
                set: at,
                capability: asserted.capability,
                level: asserted.level,
                wanted,
            });
        }
        if rest.is_empty() { Ok(()) } else { doubt("a set is no part of a proof") }
    }

    /// Checks in one pass over all that is held that every holder is on its side.
    fn holdings(&self) -> Result<(), Doubt> {
        let model = self.authority.model;
        let mut by_capability: BTreeMap<CapId, Vec<&Demand>> = BTreeMap::new();
        let mut by_path: BTreeMap<&str, Vec<&Demand>> = BTreeMap::new();
        let mut networked: Vec<&Demand> = Vec::new();
        for demand in &self.demands {
            let known = model.capability(demand.capability);
            by_capability.entry(demand.capability).or_default().push(demand);
            if let Some(path) = &known.path {
                by_path.entry(path).or_default().push(demand);
            }
            if matches!(known.kind, Kind::Connect | Kind::Network) {
                networked.push(demand);
            }
        }
        for (id, object) in model.objects() {
            if !object.is_subject() && id != RECONFIGURE {
                continue;
            }
            for held in self.authority.held(id) {
                let mut about: Vec<&&Demand> = Vec::new();
                about.extend(
                    held.capability
                        .and_then(|capability| by_capability.get(&capability))
                        .into_iter()
                        .flatten(),
                );
                if let Some(path) = path_of(self.authority, held) {
                    let inside = by_path.range(path..).take_while(|(other, _)| other.starts_with(path));
                    about.extend(
                        inside.filter(|(other, _)| path_contains(path, other)).flat_map(|(_, them)| them),
                    );
                    about.extend(above(path).filter_map(|outer| by_path.get(outer)).flatten());
                }
                if is_network(model, held) {
                    about.extend(&networked);
                }
                for demand in about {
                    let Some(set) = self.sets.get(demand.set) else { continue };
                    let wrong = set.has(Node::from(id)) == set.is_reached;
                    if wrong && counts(self.authority, held, demand) {
                        let what = &model.capability(demand.capability).name;
                        return doubt(format!("`{}` has something of `{what}`", object.name));
                    }
                }
            }
        }
        Ok(())
    }
}

fn read(set: &CertifiedSet, nodes: &HashMap<&str, Node>) -> Result<Set, Doubt> {
    let along = match set.along.as_str() {
        "hold" => Carries::HOLD,
        "learn" => Carries::LEARN,
        "effect" => Carries::EFFECT,
        _ => return doubt("a traversal is unknown"),
    };
    let is_reached = match set.side.as_str() {
        "reached" => true,
        "obtaining" => false,
        _ => return doubt("a side is unknown"),
    };
    let mut members = Vec::new();
    for member in &set.members {
        match nodes.get(member.as_str()) {
            Some(node) => members.push(*node),
            None => return doubt(format!("nothing is called `{member}`")),
        }
    }
    let count = members.len();
    members.sort_unstable();
    members.dedup();
    if members.len() != count || !set.members.is_sorted() {
        return doubt("the members of a set are in disorder");
    }
    Ok(Set { along, is_reached, members })
}

fn closed(authority: &Authority<'_>, set: &Set) -> Result<(), Doubt> {
    for member in &set.members {
        let leaves = if set.is_reached {
            let mut out = authority.edges_from(*member).iter().filter(|edge| edge.carries.has(set.along));
            out.any(|edge| !set.has(edge.to))
        } else {
            let mut into = authority.edges_into(*member).filter(|edge| edge.carries.has(set.along));
            into.any(|edge| !set.has(edge.from))
        };
        if leaves {
            return doubt(format!("a set is not closed at `{}`", authority.name(*member)));
        }
    }
    Ok(())
}

/// Returns an assertion by name, without a proof.
fn bare(model: &Model, asserted: &Asserted) -> CertifiedAssertion {
    let known = model.capability(asserted.capability);
    let mut subjects: Vec<String> =
        asserted.subjects.iter().map(|id| model.object(*id).name.to_string()).collect();
    subjects.sort();
    CertifiedAssertion {
        word: if asserted.is_only { "only" } else { "never" }.to_owned(),
        subjects,
        level: if asserted.level == Level::Hold { "hold" } else { "reach" }.to_owned(),
        capability: known.name.to_string(),
        rights: known.kind.words(asserted.rights).map(str::to_owned).collect(),
        proof: Vec::new(),
    }
}

/// Returns the rights of a kind that a traversal obtains.
fn obtained(along: Carries, kind: Kind) -> Rights {
    let counts = |word: &str| match word {
        "connect" | "accept" | "launch" | "ask" => true,
        "read" | "exec" => along != Carries::EFFECT,
        _ => along != Carries::LEARN,
    };
    rights_named(kind, counts)
}

fn rights_named(kind: Kind, is: impl Fn(&str) -> bool) -> Rights {
    let named = kind.right_names().iter().enumerate().filter(|(_, name)| is(name));
    named.fold(Rights::NONE, |sum, (at, _)| sum.or(Rights(1 << at)))
}

fn path_of<'a>(authority: &'a Authority<'_>, held: &Held) -> Option<&'a str> {
    held.place.map(|place| authority.places.path(place))
}

fn above(path: &str) -> impl Iterator<Item = &str> {
    let outer = path.match_indices('/').map(|(at, _)| path.get(..at).unwrap_or(""));
    outer.map(|outer| if outer.is_empty() { "/" } else { outer }).filter(move |outer| *outer != path)
}

fn resource(model: &Model, held: &Held) -> Option<Resource> {
    match model.capability(held.capability?).target {
        Target::Resource(object) => model.object(object).resource().cloned(),
        Target::Facet(_) => None,
    }
}

fn is_network(model: &Model, held: &Held) -> bool {
    matches!(held.kind, Kind::Network | Kind::Listen)
        && match resource(model, held) {
            Some(Resource::Network) => true,
            Some(Resource::Listen(Address::Ip { protocol, .. })) => protocol == Protocol::Udp,
            _ => false,
        }
}

/// Returns whether something held comes to any of what a demand asks for.
fn counts(authority: &Authority<'_>, held: &Held, demand: &Demand) -> bool {
    let model = authority.model;
    if demand.level == Level::Hold && matches!(held.through, Through::Exposed(_)) {
        return false;
    }
    if held.capability == Some(demand.capability) {
        return !held.rights.and(demand.wanted).is_empty();
    }
    let known = model.capability(demand.capability);
    if matches!(known.kind, Kind::Connect | Kind::Network) {
        return is_network(model, held);
    }
    let (Some(have), Some(want)) = (path_of(authority, held), known.path.as_deref()) else { return false };
    let is_directory = matches!(held.kind, Kind::Dir | Kind::State | Kind::Mount);
    match known.kind {
        Kind::Socket => {
            (is_directory && !held.rights.is_empty() && path_contains(have, want))
                || (held.kind == Kind::Socket && have == want)
        }
        Kind::Dir | Kind::State | Kind::Mount | Kind::File | Kind::Secret | Kind::Device => {
            let has_path = is_directory || matches!(held.kind, Kind::File | Kind::Secret | Kind::Device);
            let names: Vec<&str> = held.kind.words(held.rights).collect();
            let rights = rights_named(known.kind, |word| names.contains(&word)).and(demand.wanted);
            has_path && !rights.is_empty() && (path_contains(have, want) || path_contains(want, have))
        }
        _ => false,
    }
}

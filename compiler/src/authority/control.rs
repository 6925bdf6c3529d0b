//! Who could make somebody do anything at all: by their code, their configuration, their supervision, the trust root,
//! or their identity.

use super::edges::{Carries, EdgeRule, Entering, Meeting, Node, Party, Sink};
use super::effective::{Effective, Held, Through, own_paths, place_of_holding};
use super::overlap::{At, ByPlace, Overlap, Ways};
use super::places::Places;
use super::root::{Near, root_reason};
use crate::holdings::Holdings;
use crate::model::{CapId, Kind, Model, OUTSIDE, ObjectId, RECONFIGURE, Resource, Target, path_contains};
use std::collections::BTreeMap;

/// Adds every control edge.
pub fn add(sink: &mut Sink<'_>, model: &Model, holdings: &Holdings, effective: &Effective, places: &Places) {
    code(sink, model, effective, places);
    root(sink, model, effective, places);
    supervision(sink, model, holdings);
    identity(sink, model, holdings);
    for (id, object) in model.objects() {
        if object.is_subject() {
            sink.push(RECONFIGURE.into(), id.into(), EdgeRule::Control, Carries::ALL, object.span);
        }
    }
}

/// Returns for which traversals something counts.
#[must_use]
pub fn counts(held: &Held) -> Carries {
    match held.through {
        Through::Holding | Through::Own => Carries::ALL,
        Through::Exposed(_) => Carries::REACH,
    }
}

/// Returns whether a path is above, below or among the system loader's own, wherever aliases say that they are.
#[must_use]
pub fn touches_loader(model: &Model, path: &str) -> bool {
    let moved =
        |(from, to): (&str, &str)| is_loaders(from) && (path_contains(to, path) || path_contains(path, to));
    is_loaders(path) || model.aliases.own().any(moved)
}

/// Returns paths of which one is met by every path that touches the system loader's own.
pub fn loader_places(model: &Model) -> impl Iterator<Item = &str> {
    let moved = model.aliases.own().filter(|(from, _)| is_loaders(from)).map(|(_, to)| to);
    ["/usr", "/etc"].into_iter().chain(moved)
}

/// The loader's own (ld.so(8)): `/usr/lib*`, `/etc/ld.so.*`.
fn is_loaders(path: &str) -> bool {
    let mut components = path.split('/').skip(1);
    match (components.next(), components.next()) {
        (Some(""), None) | (Some("usr" | "etc"), None) => true,
        (Some("usr"), Some(inner)) => inner.starts_with("lib"),
        (Some("etc"), Some(inner)) => inner.starts_with("ld.so."),
        _ => false,
    }
}

fn code(sink: &mut Sink<'_>, model: &Model, effective: &Effective, places: &Places) {
    let mut changers: Vec<At> = Vec::new();
    let mut made_of: Vec<At> = Vec::new();
    let mut would_run: Vec<At> = Vec::new();
    let mut loader: Vec<Party> = Vec::new();
    for (id, object) in model.objects().filter(|(_, object)| object.is_subject()) {
        for held in effective.of(id) {
            let Some(place) = held.file() else { continue };
            let party = Party { who: id, span: held.span, carries: counts(held) };
            if held.changes() {
                changers.push((place, party));
                if touches_loader(model, places.path(place)) {
                    loader.push(party);
                }
            }
            if held.fs_rights().contains(Kind::FS_EXEC) {
                match held.through {
                    Through::Holding | Through::Own => &mut made_of,
                    Through::Exposed(_) => &mut would_run,
                }
                .push((place, party));
            }
        }
        let Some(service) = object.process() else { continue };
        // Programs and images are among what is held with `exec`; these are not.
        for path in service.config.iter().chain(&service.argument_paths) {
            if let Some(place) = places.find(&path.path) {
                made_of.push((place, Party { who: id, span: path.span, carries: Carries::ALL }));
            }
        }
    }
    let [changers, made_of, would_run] = [changers, made_of, would_run].map(|all| ByPlace::new(places, &all));
    let overlap = |word, entering| Overlap {
        places,
        rule: EdgeRule::Control,
        word,
        carries: Carries::ALL,
        entering,
        ways: Ways::Both,
    };
    overlap("control", Entering::Forced).add(sink, &changers, &made_of);
    // What is exposed to somebody is not in its world, so a trusted one is not controlled by it: or to trust one object could
    // add to what others obtain of another.
    overlap("control-exposed", Entering::Relaying).add(sink, &changers, &would_run);
    overlap("controlled", Entering::Relaying).add(sink, &made_of, &changers);
    overlap("controlled-exposed", Entering::Relaying).add(sink, &would_run, &changers);
    let Some(span) = loader.iter().map(|party| party.span).min() else { return };
    let meeting = |word: &str| Meeting {
        name: format!("{word}:loader"),
        kind: "place",
        span,
        subject: "the system loader's libraries".into(),
        place: None,
    };
    let all = sink.meeting(meeting("control"));
    let back = sink.meeting(meeting("controlled"));
    for party in loader {
        sink.push(party.who.into(), all, EdgeRule::Control, party.carries, party.span);
        sink.relayed(back, party.who, EdgeRule::Control, party.carries, party.span);
    }
    sink.push(all, RECONFIGURE.into(), EdgeRule::Control, Carries::ALL, span);
    for (id, object) in model.objects().filter(|(id, object)| object.is_subject() && *id != OUTSIDE) {
        sink.push(all, id.into(), EdgeRule::Control, Carries::ALL, object.span);
        sink.push(id.into(), back, EdgeRule::Control, Carries::ALL, object.span);
    }
}

fn root(sink: &mut Sink<'_>, model: &Model, effective: &Effective, places: &Places) {
    let near = Near::new(model, places);
    for (id, object) in model.objects().filter(|(_, object)| object.is_subject()) {
        if let Some(span) = object.process().and_then(|process| process.unconfined) {
            sink.push(id.into(), RECONFIGURE.into(), EdgeRule::Control, Carries::ALL, span);
        }
        for held in effective.of(id) {
            if root_reason(model, &near, places, held).is_some() {
                sink.push(id.into(), RECONFIGURE.into(), EdgeRule::Control, counts(held), held.span);
            }
        }
    }
}

fn supervision(sink: &mut Sink<'_>, model: &Model, holdings: &Holdings) {
    for holding in holdings.all().iter().filter(|holding| model.object(holding.holder).is_subject()) {
        let known = model.capability(holding.capability);
        let Target::Facet(facet) = known.target else { continue };
        if known.kind != Kind::Control || !holding.rights.contains(Kind::REPLACE) {
            continue;
        }
        let owner = model.facet(facet).owner;
        let span = place_of_holding(model, holdings, holding.holder, holding.capability);
        sink.push(holding.holder.into(), owner.into(), EdgeRule::Control, Carries::ALL, span);
        sink.relayed(owner.into(), holding.holder, EdgeRule::Control, Carries::ALL, span);
    }
}

/// Returns what tells Unix identities apart: the user's name, or for a fresh one the declaration.
#[must_use]
pub fn identity_key(model: &Model, capability: CapId) -> Option<(Option<&str>, ObjectId)> {
    let Target::Resource(object) = model.capability(capability).target else { return None };
    match model.object(object).resource() {
        Some(Resource::Identity { user: Some(user), .. }) => Some((Some(user), RECONFIGURE)),
        Some(Resource::Identity { .. }) => Some((None, object)),
        _ => None,
    }
}

/// Whoever may become an identity controls who runs as it. Both ways need a meeting of their own: who may become it does
/// not run as it, and so is controlled by nobody who comes.
fn identity(sink: &mut Sink<'_>, model: &Model, holdings: &Holdings) {
    let mut runs: BTreeMap<_, Vec<Party>> = BTreeMap::new();
    for (id, _, service) in model.processes() {
        if let Some((identity, span)) = service.identity
            && let Some(key) = identity_key(model, identity)
        {
            runs.entry(key).or_default().push(Party { who: id, span, carries: Carries::ALL });
        }
    }
    if runs.is_empty() {
        return;
    }
    let mut may: BTreeMap<_, Vec<Party>> = BTreeMap::new();
    let runs_as = |holder: ObjectId| {
        let identity = model.object(holder).process().and_then(|process| process.identity);
        identity.and_then(|(identity, _)| identity_key(model, identity))
    };
    for holding in holdings.all().iter().filter(|holding| model.object(holding.holder).is_subject()) {
        let key = identity_key(model, holding.capability);
        // Who runs as it is among those above already.
        if let Some(key) = key.filter(|key| runs.contains_key(key) && runs_as(holding.holder) != Some(*key)) {
            let span = place_of_holding(model, holdings, holding.holder, holding.capability);
            may.entry(key).or_default().push(Party { who: holding.holder, span, carries: Carries::ALL });
        }
    }
    for (key, runs) in runs {
        let span = runs.iter().map(|party| party.span).min();
        let Some(span) = span else { continue };
        let name = match key {
            (Some(user), _) => format!("user {user}"),
            (None, object) => model.object(object).name.to_string(),
        };
        let mut meeting = |word: &str| {
            sink.meeting(Meeting {
                name: format!("{word}:{name}"),
                kind: "identity",
                span,
                subject: name.as_str().into(),
                place: None,
            })
        };
        let may = may.get(&key).map_or(&[][..], Vec::as_slice);
        let node: Node = meeting("identity");
        let back = (!may.is_empty()).then(|| meeting("controlled:identity"));
        for party in &runs {
            sink.push(party.who.into(), node, EdgeRule::Control, Carries::ALL, party.span);
            sink.push(node, party.who.into(), EdgeRule::Control, Carries::ALL, party.span);
            if let Some(back) = back {
                sink.push(party.who.into(), back, EdgeRule::Control, Carries::ALL, party.span);
            }
        }
        for party in may {
            sink.push(party.who.into(), node, EdgeRule::Control, Carries::ALL, party.span);
            if let Some(back) = back {
                sink.relayed(back, party.who, EdgeRule::Control, Carries::ALL, party.span);
            }
        }
    }
}

/// Returns every path of a service that counts as its code or configuration.
pub fn paths_of(service: &crate::model::Service) -> impl Iterator<Item = &crate::model::PathUse> {
    own_paths(service).map(|(path, _)| path).chain(&service.argument_paths)
}

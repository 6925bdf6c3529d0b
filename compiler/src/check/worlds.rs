//! One place in a world used for two things, and facets whose directory is not theirs alone.
//!
//! A facet over a socket has a directory of its own in its maker's world and in each holder's: it is no place that every
//! world has, nothing else lies at it or in it, and it is shared only by facets of one maker with the same holders.

use super::conflict::twice;
use crate::diag::{Code, Diagnostic};
use crate::holdings::{Holding, Holdings};
use crate::model::{
    CapId, Facet, FacetId, Kind, Model, ObjectId, Service, Target, Transport, by_components, path_contains,
};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// Places that every world has (its layers), and that are no facet's.
const TAKEN: [&str; 7] = ["/", "/tmp", "/dev", "/proc", "/etc", "/run", "/var/tmp"];

/// What lies at a place of a world.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing<'m> {
    /// What lies at this path of the machine.
    Of(&'m str),
    /// A private place in memory.
    Scratch(Span),
    /// The directory of facets of one maker.
    Facets(ObjectId),
}

struct Place<'m> {
    at: &'m str,
    thing: Thing<'m>,
    said: Said<'m>,
}

/// Where it is said that something lies at a place.
enum Said<'m> {
    Here(Span),
    /// By what settles a holding, which is looked up only for who asks: hardly a place is in conflict.
    By(&'m Holding),
}

/// Reports every conflict of a place once, in whichever worlds it shows.
pub fn check(model: &Model, holdings: &Holdings, diagnostics: &mut Vec<Diagnostic>) {
    let mut capabilities: Vec<Option<CapId>> = vec![None; model.facets.len()];
    for (index, known) in model.capabilities.iter().enumerate() {
        if let (Target::Facet(facet), None) = (known.target, &known.part)
            && let Some(place) = capabilities.get_mut(facet.index())
        {
            *place = Some(CapId(index as u32));
        }
    }
    let holders = |facet: FacetId| -> BTreeSet<ObjectId> {
        let capability = capabilities.get(facet.index()).copied().flatten();
        let holders = capability.into_iter().flat_map(|capability| holdings.holders(capability));
        let services =
            holders.map(|holding| holding.holder).filter(|id| model.object(*id).process().is_some());
        services.collect()
    };
    let directories: Vec<Option<&str>> = model.facets.iter().map(own_directory).collect();
    let mut seen: BTreeSet<(Span, Span)> = BTreeSet::new();
    for (id, _, service) in model.processes() {
        shared_directories(model, service, &holders, diagnostics);
        for (message, second, first, help) in places_of(model, holdings, &directories, id, service) {
            if seen.insert((first.min(second), first.max(second))) {
                diagnostics.push(twice(message, second, first, help));
            }
        }
    }
}

/// Returns the directory of a facet over a socket.
fn directory(facet: &Facet) -> Option<&str> {
    let Transport::Socket(path) = &facet.transport else { return None };
    Some(above(&path.path))
}

/// Returns the directory of a facet over a socket, if it may be one: what lies in everybody's place is reported where it is provided.
fn own_directory(facet: &Facet) -> Option<&str> {
    directory(facet).filter(|directory| !TAKEN.contains(directory))
}

/// Returns the directory that a path lies in.
fn above(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((directory, _)) => directory,
    }
}

fn shared_directories(
    model: &Model,
    service: &Service,
    holders: &dyn Fn(FacetId) -> BTreeSet<ObjectId>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut first_in: BTreeMap<&str, FacetId> = BTreeMap::new();
    for id in &service.facets {
        let facet = model.facet(*id);
        let Some(directory) = directory(facet) else { continue };
        if TAKEN.contains(&directory) {
            let span = match &facet.transport {
                Transport::Socket(path) => path.span,
                _ => facet.span,
            };
            let message =
                format!("the directory of a facet belongs to it alone, and `{directory}` is everybody's");
            let owner = &model.object(facet.owner).name;
            diagnostics.push(
                Diagnostic::new(Code::Conflict, message, span, format!("lies in `{directory}`")).help(
                    format!("give it a directory of its own, like \"/run/{owner}/{}.sock\"", facet.name),
                ),
            );
            continue;
        }
        let first = *first_in.entry(directory).or_insert(*id);
        if first != *id && holders(first) != holders(*id) {
            let message = format!("two facets lie in `{directory}`, but not the same objects hold them");
            let help = "give each facet a directory of its own";
            diagnostics.push(twice(message, facet.span, model.facet(first).span, help));
        }
    }
}

type Clash = (String, Span, Span, &'static str);

/// Returns the descriptors of one world that are asked for twice, with different things.
fn descriptors_of(name: &str, service: &Service) -> Vec<Clash> {
    let mut first_as: BTreeMap<u32, (CapId, Span)> = BTreeMap::new();
    let mut clashes: Vec<Clash> = Vec::new();
    for placement in &service.placements {
        let Some((number, span)) = placement.fd() else { continue };
        let (capability, first) = *first_as.entry(number).or_insert((placement.capability, span));
        if capability != placement.capability {
            let message = format!("descriptor {number} stands for two things in the world of `{name}`");
            clashes.push((message, span, first, "choose another number, or leave `fd=` out"));
        }
    }
    clashes
}

/// Returns what is wrong with the places of one world.
fn places_of(
    model: &Model,
    holdings: &Holdings,
    directories: &[Option<&str>],
    id: ObjectId,
    service: &Service,
) -> Vec<Clash> {
    let mut places: Vec<Place<'_>> = Vec::new();
    for placement in &service.placements {
        let known = model.capability(placement.capability);
        let has_place = matches!(
            known.kind,
            Kind::Dir | Kind::State | Kind::File | Kind::Secret | Kind::Socket | Kind::Mount
        );
        if let (true, Some(path)) = (has_place, known.path.as_deref()) {
            let at = placement.at().map_or(path, |at| &at.path);
            places.push(Place { at, thing: Thing::Of(path), said: Said::Here(placement.span) });
        }
    }
    let code = service.program.iter().chain(service.prepare.iter().map(|(path, _)| path));
    for path in code.chain(&service.image).chain(&service.config) {
        places.push(Place { at: &path.path, thing: Thing::Of(&path.path), said: Said::Here(path.span) });
    }
    for scratch in &service.scratch {
        let span = scratch.at.span;
        places.push(Place { at: &scratch.at.path, thing: Thing::Scratch(span), said: Said::Here(span) });
    }
    let placed: BTreeMap<CapId, &str> = service
        .placements
        .iter()
        .filter_map(|placement| Some((placement.capability, &*placement.at()?.path)))
        .collect();
    for holding in holdings.of(id) {
        let Target::Facet(facet) = model.capability(holding.capability).target else { continue };
        let own = directories.get(facet.index()).copied().flatten();
        let at = match placed.get(&holding.capability).filter(|_| directory(model.facet(facet)).is_some()) {
            Some(at) => Some(above(at)).filter(|at| !TAKEN.contains(at)),
            None => own,
        };
        if let Some(at) = at {
            let thing = Thing::Facets(model.facet(facet).owner);
            places.push(Place { at, thing, said: Said::By(holding) });
        }
    }
    let span = |place: &Place<'_>| match place.said {
        Said::Here(span) => span,
        Said::By(holding) => {
            holdings.last_step(model, holding).map_or(model.object(id).span, |step| step.span)
        }
    };
    places.sort_by(|a, b| {
        let by_thing = || a.thing.cmp(&b.thing).then_with(|| span(a).cmp(&span(b)));
        by_components(a.at, b.at).then_with(by_thing)
    });
    let name = &model.object(id).name;
    let mut clashes: Vec<Clash> = descriptors_of(name, service);
    let mut facets: Vec<&Place<'_>> = Vec::new();
    let mut before: Option<&Place<'_>> = None;
    for place in &places {
        facets.retain(|outer| path_contains(outer.at, place.at));
        let above = facets.iter().find(|outer| outer.at != place.at);
        let same = before.filter(|before| before.at == place.at && before.thing != place.thing);
        if let Some(first) = same {
            let message = format!("`{}` stands for two things in the world of `{name}`", place.at);
            let (second, first) = (span(place).max(span(first)), span(place).min(span(first)));
            clashes.push((
                message,
                second,
                first,
                "place one of them elsewhere, with `at=` where it is held",
            ));
        } else if let Some(outer) = above {
            let message = format!(
                "`{}` lies in the directory of a facet, `{}`, in the world of `{name}`",
                place.at, outer.at
            );
            clashes.push((message, span(place), span(outer), "give the facet a directory of its own"));
        }
        // At most one facet's directory is open at each depth, and one inside another is an error already.
        if matches!(place.thing, Thing::Facets(_)) && facets.is_empty() {
            facets.push(place);
        }
        before = Some(place);
    }
    clashes
}

//! `conflict`: two claims on one port, listen, mount, state, or place in a world.

use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{
    Address, CapId, Facet, FacetId, Kind, Model, ObjectId, Protocol, Target, Transport, path_contains,
};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// Reports every conflict once.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    ports(model, holdings, &mut diagnostics);
    mounts(model, &mut diagnostics);
    states(model, holdings, &mut diagnostics);
    for (id, _, _) in model.services() {
        facet_directories(model, holdings, id, &mut diagnostics);
        places(model, id, &mut diagnostics);
    }
    diagnostics
}

fn twice(message: String, second: Span, first: Span, help: &str) -> Diagnostic {
    Diagnostic::new(Code::Conflict, message, second, "claimed again here")
        .label(first, "first claimed here")
        .help(help)
}

/// Two services that provide one port, or bind one `listen`.
fn ports(model: &Model, holdings: &Holdings, diagnostics: &mut Vec<Diagnostic>) {
    let mut provided: BTreeMap<(Protocol, u16), Vec<(&str, &Facet)>> = BTreeMap::new();
    // An address of all interfaces takes the port from every other.
    let all = |host: &str| matches!(host, "0.0.0.0" | "::");
    for facet in &model.facets {
        let Transport::Tcp(Address::Ip { protocol, host, port }) = &facet.transport else { continue };
        let known = provided.entry((*protocol, *port)).or_default();
        let other = known
            .iter()
            .find(|(other, first)| first.owner != facet.owner && (other == host || all(other) || all(host)));
        if let Some((_, first)) = other {
            let names = (&model.object(first.owner).name, &model.object(facet.owner).name);
            let message = format!("`{}` and `{}` both listen on port {port}", names.0, names.1);
            diagnostics.push(twice(message, facet.span, first.span, "give one of them another port"));
        }
        known.push((host, facet));
    }
    let mut bound: BTreeMap<CapId, (ObjectId, Span)> = BTreeMap::new();
    for holding in holdings.all() {
        let known = model.capability(holding.capability);
        let service = model.object(holding.holder).service().is_some();
        if known.kind != Kind::Listen || !holding.rights.contains(Kind::BIND) || !service {
            continue;
        }
        let span = holdings
            .steps(model, holding, Kind::BIND)
            .last()
            .map_or(model.object(holding.holder).span, |step| step.span);
        if let Some((first, place)) = bound.get(&holding.capability) {
            let message = format!(
                "`{}` and `{}` both bind `{}`",
                model.object(*first).name,
                model.object(holding.holder).name,
                known.name
            );
            diagnostics.push(twice(
                message,
                span,
                *place,
                "let the init bind it and pass it: hold it with `accept`",
            ));
        }
        bound.entry(holding.capability).or_insert((holding.holder, span));
    }
}

fn mounts(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    let mut known: BTreeMap<&str, &Facet> = BTreeMap::new();
    for facet in &model.facets {
        let Transport::Mount(place) = &facet.transport else { continue };
        if let Some(first) = known.get(&*place.path) {
            let message = format!("two facets mount `{}`", place.path);
            diagnostics.push(twice(message, facet.span, first.span, "mount one of them elsewhere"));
        }
        known.entry(&place.path).or_insert(facet);
    }
}

/// Two identities with a right to change one `state`.
fn states(model: &Model, holdings: &Holdings, diagnostics: &mut Vec<Diagnostic>) {
    let mut writers: BTreeMap<ObjectId, (ObjectId, Option<CapId>, Span)> = BTreeMap::new();
    for holding in holdings.all() {
        let known = model.capability(holding.capability);
        let Target::Resource(state) = known.target else { continue };
        let changes = !holding.rights.without(Kind::FS_READ.or(Kind::FS_EXEC)).is_empty();
        let Some(service) =
            model.object(holding.holder).service().filter(|_| known.kind == Kind::State && changes)
        else {
            continue;
        };
        let identity = service.identity.map(|(identity, _)| identity);
        let span = holdings
            .steps(model, holding, last_right(holding.rights))
            .last()
            .map_or(model.object(state).span, |step| step.span);
        match writers.get(&state) {
            Some((first, as_whom, place))
                if *first != holding.holder && (identity.is_none() || *as_whom != identity) =>
            {
                let message = format!(
                    "`{}` and `{}` both change the state `{}`, under two identities",
                    model.object(*first).name,
                    model.object(holding.holder).name,
                    model.object(state).name
                );
                diagnostics.push(twice(
                    message,
                    span,
                    *place,
                    "let both run `as` one identity, or let one of them only read",
                ));
            }
            Some(_) => {}
            None => {
                writers.insert(state, (holding.holder, identity, span));
            }
        }
    }
}

fn last_right(rights: crate::model::Rights) -> crate::model::Rights {
    rights.each().last().unwrap_or(rights)
}

/// Places that are the world's own and cannot become a facet's directory (the world's layers, `docs/manifest.md`).
const TAKEN: [&str; 7] = ["/", "/tmp", "/dev", "/proc", "/etc", "/run", "/var/tmp"];

/// A facet's directory belongs to it alone.
fn facet_directories(model: &Model, holdings: &Holdings, id: ObjectId, diagnostics: &mut Vec<Diagnostic>) {
    let Some(service) = model.object(id).service() else { return };
    let mut directories: Vec<(&str, FacetId)> = Vec::new();
    for facet_id in &service.facets {
        let facet = model.facet(*facet_id);
        let Transport::Socket(path) = &facet.transport else { continue };
        let directory = match path.path.rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((directory, _)) => directory,
        };
        if TAKEN.contains(&directory) {
            let message =
                format!("the directory of a facet belongs to it alone, and `{directory}` is everybody's");
            diagnostics.push(
                Diagnostic::new(Code::Conflict, message, path.span, format!("lies in `{directory}`")).help(
                    format!(
                        "give it a directory of its own, like \"/run/{}/{}.sock\"",
                        model.object(id).name,
                        facet.name
                    ),
                ),
            );
            continue;
        }
        for (other, first) in &directories {
            let same = *other == directory;
            let holders = |facet: FacetId| -> BTreeSet<ObjectId> {
                holdings
                    .all()
                    .iter()
                    .filter(|holding| model.capability(holding.capability).target == Target::Facet(facet))
                    .map(|holding| holding.holder)
                    .collect()
            };
            if same && holders(*first) != holders(*facet_id) {
                let message = format!("two facets lie in `{directory}`, but not the same services hold them");
                diagnostics.push(twice(
                    message,
                    path.span,
                    model.facet(*first).span,
                    "give each facet a directory of its own",
                ));
            } else if !same && (path_contains(other, directory) || path_contains(directory, other)) {
                let message = "the directory of one facet lies in that of another".to_owned();
                diagnostics.push(twice(
                    message,
                    path.span,
                    model.facet(*first).span,
                    "put them beside each other",
                ));
            }
        }
        directories.push((directory, *facet_id));
    }
}

/// One place in a world that stands for two things.
fn places(model: &Model, id: ObjectId, diagnostics: &mut Vec<Diagnostic>) {
    let Some(service) = model.object(id).service() else { return };
    let mut places: Vec<(&str, Option<CapId>, Span)> = Vec::new();
    for placement in &service.placements {
        let known = model.capability(placement.capability);
        let own = known.path.as_deref();
        let files = matches!(known.kind, Kind::Dir | Kind::State | Kind::File | Kind::Secret | Kind::Socket);
        if let (true, Some(at)) = (files, placement.at.as_ref().map(|at| at.path.as_ref()).or(own)) {
            places.push((at, Some(placement.capability), placement.span));
        }
    }
    places.extend(service.scratch.iter().map(|scratch| (&*scratch.at.path, None, scratch.at.span)));
    places.sort_by_key(|(path, _, span)| (*path, *span));
    let mut before: Option<&(&str, Option<CapId>, Span)> = None;
    for place in &places {
        if let Some(before) = before
            && before.0 == place.0
            && (before.1 != place.1 || place.1.is_none())
        {
            let message =
                format!("`{}` stands for two things in the world of `{}`", place.0, model.object(id).name);
            diagnostics.push(twice(message, place.2, before.2, "place one of them elsewhere with `at=`"));
        }
        before = Some(place);
    }
}

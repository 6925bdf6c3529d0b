//! `conflict`: two claims on one port, listen, mount or state; `worlds` has those on one place in a world.

use super::worlds;
use crate::authority::identity_key;
use crate::diag::{Code, Diagnostic};
use crate::holdings::{Holding, Holdings};
use crate::model::{
    Address, CapId, Facet, Kind, Model, ObjectId, Protocol, Resource, Rights, Target, Transport,
};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Reports every conflict once.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    listeners(model, holdings, &mut diagnostics);
    mounts(model, &mut diagnostics);
    states(model, holdings, &mut diagnostics);
    worlds::check(model, holdings, &mut diagnostics);
    diagnostics
}

/// Returns the report of two claims on one thing.
pub fn twice(message: String, second: Span, first: Span, help: &str) -> Diagnostic {
    Diagnostic::new(Code::Conflict, message, second, "claimed again here")
        .label(first, "first claimed here")
        .help(help)
}

/// Somebody who makes the system listen on an address.
struct Listener<'m> {
    /// The host, or the path.
    host: &'m str,
    /// The service.
    who: ObjectId,
    /// The `listen` by which it does; none for `tcp=`.
    by: Option<CapId>,
    /// Whether the service binds it itself, and not the init for all who accept.
    binds: bool,
    span: Span,
}

/// Two services that listen on one address, unless the init binds it once for both.
fn listeners(model: &Model, holdings: &Holdings, diagnostics: &mut Vec<Diagnostic>) {
    let mut all: BTreeMap<Option<(Protocol, u16)>, Vec<Listener<'_>>> = BTreeMap::new();
    for facet in &model.facets {
        if let Transport::Tcp(Address::Ip { protocol, host, port }) = &facet.transport {
            let listener = Listener { host, who: facet.owner, by: None, binds: true, span: facet.span };
            all.entry(Some((*protocol, *port))).or_default().push(listener);
        }
    }
    let is_listen = |resource: &Resource| matches!(resource, Resource::Listen(_));
    for holding in of_resources(model, holdings, is_listen) {
        if model.object(holding.holder).service().is_none() {
            continue;
        }
        let Target::Resource(object) = model.capability(holding.capability).target else { continue };
        let Some(Resource::Listen(address)) = model.object(object).resource() else { continue };
        let (key, host) = match address {
            Address::Ip { protocol, host, port } => (Some((*protocol, *port)), host.as_str()),
            Address::Unix(path) => (None, &**path),
        };
        let binds = holding.rights.contains(Kind::BIND);
        let span = place_of(model, holdings, holding, if binds { Kind::BIND } else { Kind::ACCEPT });
        let listener = Listener { host, who: holding.holder, by: Some(holding.capability), binds, span };
        all.entry(key).or_default().push(listener);
    }
    for (port, mut listeners) in all {
        listeners.sort_by_key(|listener| listener.span);
        clashes(model, port, &listeners, diagnostics);
    }
}

/// Reports each listener that comes after another on the same address, once.
fn clashes(
    model: &Model,
    port: Option<(Protocol, u16)>,
    listeners: &[Listener<'_>],
    diagnostics: &mut Vec<Diagnostic>,
) {
    // The first two of each host are enough to find one that is not the same service.
    let mut known: BTreeMap<&str, Vec<&Listener<'_>>> = BTreeMap::new();
    for listener in listeners {
        // An address of all interfaces takes the port from every other.
        let is_all = |host: &str| matches!(host, "0.0.0.0" | "::");
        let hosts: Vec<&str> = match is_all(listener.host) && port.is_some() {
            true => known.keys().copied().collect(),
            false => vec![listener.host, "0.0.0.0", "::"],
        };
        let others = hosts.iter().filter_map(|host| known.get(host)).flatten();
        let clash = others
            .filter(|other| other.who != listener.who)
            // The init binds one `listen` once, for all who accept on it.
            .find(|other| other.binds || listener.binds || other.by != listener.by);
        if let Some(first) = clash {
            let names = (&model.object(first.who).name, &model.object(listener.who).name);
            let message = match port {
                Some((_, port)) => format!("`{}` and `{}` both listen on port {port}", names.0, names.1),
                None => format!("`{}` and `{}` both listen at `{}`", names.0, names.1, listener.host),
            };
            let help = match first.by.is_some() && first.by == listener.by {
                true => "let the init bind it and pass it: hold it with `accept`",
                false => "give one of them another address, or let both accept on one `listen`",
            };
            diagnostics.push(twice(message, listener.span, first.span, help).about(&**names.1));
        }
        let same = known.entry(listener.host).or_default();
        let is_new = same
            .iter()
            .all(|other| (other.who, other.binds, other.by) != (listener.who, listener.binds, listener.by));
        if is_new && same.len() < 4 {
            same.push(listener);
        }
    }
}

/// Returns the holdings of some resources and their parts, by holder and capability: few of all that there are.
fn of_resources<'m>(
    model: &Model,
    holdings: &'m Holdings,
    is_one: impl Fn(&Resource) -> bool,
) -> Vec<&'m Holding> {
    let capabilities = model.capabilities.iter().zip(0..).filter(|(known, _)| match known.target {
        Target::Resource(object) => model.object(object).resource().is_some_and(&is_one),
        Target::Facet(_) => false,
    });
    let mut found: Vec<&Holding> = capabilities.flat_map(|(_, id)| holdings.holders(CapId(id))).collect();
    found.sort_unstable_by_key(|holding| (holding.holder, holding.capability));
    found
}

/// Returns the statement by which a holding has a right.
fn place_of(model: &Model, holdings: &Holdings, holding: &Holding, right: Rights) -> Span {
    let step = holdings.steps(model, holding, right).last().copied();
    step.map_or(model.object(holding.holder).span, |step| step.span)
}

fn mounts(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    let mut known: BTreeMap<&str, &Facet> = BTreeMap::new();
    for facet in &model.facets {
        let Transport::Mount(place) = &facet.transport else { continue };
        match known.get(&*place.path) {
            Some(first) if first.owner != facet.owner => {
                let names = (&model.object(first.owner).name, &model.object(facet.owner).name);
                let message = format!("`{}` and `{}` both mount `{}`", names.0, names.1, place.path);
                let report = twice(message, facet.span, first.span, "mount one of them elsewhere");
                diagnostics.push(report.about(&**names.1));
            }
            Some(_) => {}
            None => {
                known.insert(&place.path, facet);
            }
        }
    }
}

/// Whom a service runs as: an identity, or itself when it has a fresh one.
type Whom<'m> = Result<(Option<&'m str>, ObjectId), ObjectId>;

/// Two identities with a right to change one `state`.
fn states(model: &Model, holdings: &Holdings, diagnostics: &mut Vec<Diagnostic>) {
    let mut writers: BTreeMap<&Arc<str>, (ObjectId, Whom<'_>, Span)> = BTreeMap::new();
    let mut reported: BTreeSet<(&Arc<str>, ObjectId)> = BTreeSet::new();
    let is_state = |resource: &Resource| matches!(resource, Resource::Path { kind: Kind::State, .. });
    for holding in of_resources(model, holdings, is_state) {
        let known = model.capability(holding.capability);
        let Target::Resource(state) = known.target else { continue };
        let Some(Resource::Path { kind: Kind::State, path }) = model.object(state).resource() else {
            continue;
        };
        let Some(process) = model.object(holding.holder).process() else { continue };
        // What is made in it belongs to who made it, so to make sockets is to change it too.
        let Some(right) = holding.rights.without(Kind::FS_READ.or(Kind::FS_EXEC)).each().next() else {
            continue;
        };
        let whom =
            process.identity.and_then(|(identity, _)| identity_key(model, identity)).ok_or(holding.holder);
        let span = place_of(model, holdings, holding, right);
        match writers.get(path) {
            Some((first, as_whom, place)) if *as_whom != whom => {
                if reported.insert((path, holding.holder)) {
                    let names = (&model.object(*first).name, &model.object(holding.holder).name);
                    let state = &model.object(state).name;
                    let message = format!(
                        "`{}` and `{}` both change the state `{state}`, under two identities",
                        names.0, names.1
                    );
                    let help = "let both run `as` one identity, or let one of them only read";
                    diagnostics.push(twice(message, span, *place, help).about(&**names.1));
                }
            }
            Some(_) => {}
            None => {
                writers.insert(path, (holding.holder, whom, span));
            }
        }
    }
}

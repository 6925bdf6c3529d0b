//! Facets over sockets: a small directory in memory that belongs to one maker and to those who hold a facet in it.

use super::place::Place;
use super::world::World;
use super::{Run, Subject, grants};
use crate::machine::{last_name, parent};
use crate::model::{Address, Facet, FacetId, Kind, Model, ObjectId, Target, Transport};
use crate::source::Span;
use capc_schemas::manifest::FacetRole;
use std::collections::BTreeMap;

/// The directory of one or more facets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Who makes sockets there.
    pub maker: ObjectId,
    /// Its name beneath the runtime directory: the maker's, and the first facet's.
    pub key: String,
    /// Whether the init makes all of its sockets.
    pub is_activated: bool,
}

/// Every directory, by maker and place in the maker's world.
pub type Directories = BTreeMap<(ObjectId, String), Directory>;

/// Returns every directory.
#[must_use]
pub fn directories(model: &Model) -> Directories {
    let mut found = Directories::new();
    for (owner, object, service) in model.services() {
        for facet in service.facets.iter().map(|id| model.facet(*id)) {
            let Transport::Socket(path) = &facet.transport else { continue };
            let new = || Directory {
                maker: owner,
                key: format!("{}.{}", object.name.replace('/', "+"), facet.name),
                is_activated: true,
            };
            let directory = found.entry((owner, parent(&path.path).to_owned())).or_insert_with(new);
            directory.is_activated &= facet.activated;
        }
    }
    found
}

/// Adds the directories of the facets that a service makes and holds.
pub fn add<'a>(run: &mut Run<'a>, world: &mut World, subject: Subject<'a>) {
    let model = run.model;
    for facet in subject.service.facets.iter().map(|id| model.facet(*id)) {
        let Transport::Socket(path) = &facet.transport else { continue };
        put(run, world, facet, parent(&path.path), FacetRole::Make, path.span);
        if !facet.activated {
            world.unlink.insert(path.path.to_string());
        }
    }
    for held in run.held(subject) {
        let Target::Facet(id) = held.capability.target else { continue };
        let facet = model.facet(id);
        match &facet.transport {
            Transport::Socket(path) => {
                let at =
                    held.placement.and_then(|placement| placement.at()).map_or(&path.path, |at| &at.path);
                if last_name(at) != last_name(&path.path) {
                    let message = format!("`{at}` has another name than the socket `{}`", path.path);
                    let help = format!(
                        "keep its name: at=\"{}\"",
                        crate::machine::join(parent(at), last_name(&path.path))
                    );
                    run.refusals.refuse(
                        held.span,
                        message,
                        "seen in another directory, but by its own name",
                        help,
                    );
                    continue;
                }
                put(run, world, facet, parent(at), FacetRole::Hold, held.span);
            }
            Transport::Listen(listen) => {
                if let Some(path) = unix_path(model, *listen) {
                    grants::put_socket(run, world, (&path, &path), held.span);
                }
            }
            Transport::Channel
            | Transport::Tcp(_)
            | Transport::Mount(_)
            | Transport::Done
            | Transport::Control
            | Transport::Launch
            | Transport::Ask => {}
        }
    }
}

fn put(run: &mut Run<'_>, world: &mut World, facet: &Facet, at: &str, role: FacetRole, span: Span) {
    let Transport::Socket(path) = &facet.transport else { return };
    let Some(directory) = run.facets.get(&(facet.owner, parent(&path.path).to_owned())) else { return };
    // Of a directory where the init makes everything, the maker needs no more than to see it.
    let role = if directory.is_activated { FacetRole::Hold } else { role };
    let identity = run.identity(directory.maker);
    let place = Place::Facet { key: directory.key.clone(), role, uid: identity.uid, gid: identity.gid };
    world.put(at, place, span, &mut run.refusals);
}

/// Returns the path of a `listen` over a unix socket.
#[must_use]
pub fn unix_path(model: &Model, listen: crate::model::CapId) -> Option<String> {
    match super::network::listen_address(model, listen)? {
        Address::Unix(path) => Some(path.to_string()),
        Address::Ip { .. } => None,
    }
}

/// Returns the services that hold a facet, its maker apart, by name.
#[must_use]
pub fn holders(run: &Run<'_>, facet: FacetId) -> Vec<ObjectId> {
    let model = run.model;
    let owner = model.facet(facet).owner;
    let capabilities = model.capabilities.iter().enumerate();
    let of_it = capabilities.filter(|(_, capability)| {
        capability.target == Target::Facet(facet) && capability.kind == Kind::Facet
    });
    let ids = of_it.map(|(index, _)| crate::model::CapId(index as u32));
    let mut holders: Vec<ObjectId> = ids
        .flat_map(|id| run.holdings.holders(id))
        .map(|holding| holding.holder)
        .filter(|holder| *holder != owner && model.object(*holder).service().is_some())
        .collect();
    holders.sort_by(|one, other| model.object(*one).name.cmp(&model.object(*other).name));
    holders.dedup();
    holders
}

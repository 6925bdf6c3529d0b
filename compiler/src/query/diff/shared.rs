//! What two configurations call alike: objects, capabilities and nodes of both under shared numbers, by name and kind.
//!
//! Ids differ between two models, and places between two directories; names and kinds are what a person compares.

use super::Side;
use crate::model::{CapId, Kind, Model, ObjectId, ObjectKind};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::mem::Discriminant;

/// A number that both models share.
pub type Shared = u32;

/// The numbers of one model, by its own ids.
pub struct Numbers {
    objects: Vec<Shared>,
    capabilities: Vec<Shared>,
    /// Objects, then meetings.
    nodes: Vec<Shared>,
    /// The way back.
    own_objects: HashMap<Shared, ObjectId, RandomState>,
    own_capabilities: HashMap<Shared, CapId, RandomState>,
    own_nodes: HashMap<Shared, u32, RandomState>,
}

impl Numbers {
    /// Returns the number of an object.
    pub fn object(&self, id: ObjectId) -> Shared {
        self.objects.get(id.index()).copied().unwrap_or(Shared::MAX)
    }

    /// Returns the number of a capability.
    pub fn capability(&self, id: CapId) -> Shared {
        self.capabilities.get(id.index()).copied().unwrap_or(Shared::MAX)
    }

    /// Returns the number of a node.
    pub fn node(&self, node: u32) -> Shared {
        self.nodes.get(node as usize).copied().unwrap_or(Shared::MAX)
    }

    /// Returns the object that has a number here.
    pub fn own_object(&self, shared: Shared) -> Option<ObjectId> {
        self.own_objects.get(&shared).copied()
    }

    /// Returns the capability that has a number here.
    pub fn own_capability(&self, shared: Shared) -> Option<CapId> {
        self.own_capabilities.get(&shared).copied()
    }

    /// Returns the node that has a number here.
    pub fn own_node(&self, shared: Shared) -> Option<u32> {
        self.own_nodes.get(&shared).copied()
    }
}

/// What tells objects apart.
type ObjectKey<'a> = (&'a str, Discriminant<ObjectKind>, Option<Kind>);

/// Gives out numbers.
#[derive(Default)]
struct Register<'a> {
    objects: HashMap<ObjectKey<'a>, Shared, RandomState>,
    capabilities: HashMap<(&'a str, Kind), Shared, RandomState>,
    meetings: HashMap<String, Shared, RandomState>,
}

/// Numbers the two sides.
pub fn number<'a>(old: &'a Side<'a>, new: &'a Side<'a>) -> [Numbers; 2] {
    let mut register = Register::default();
    let new_numbers = register.number(new, new);
    let old_numbers = register.number(old, new);
    [old_numbers, new_numbers]
}

impl<'a> Register<'a> {
    fn number(&mut self, side: &'a Side<'a>, new: &Side<'_>) -> Numbers {
        let model = side.authority.model;
        let objects: Vec<Shared> = model.objects.iter().map(|object| self.object(object)).collect();
        let capabilities: Vec<Shared> = model
            .capabilities
            .iter()
            .map(|known| {
                let next = self.capabilities.len() as Shared;
                *self.capabilities.entry((&known.name, known.kind)).or_insert(next)
            })
            .collect();
        // Meetings count downwards, so that they never collide with objects.
        let meetings = side.authority.meetings.iter().map(|meeting| {
            let next = Shared::MAX - 1 - self.meetings.len() as Shared;
            let name = match self.meetings.contains_key(&meeting.name) {
                true => meeting.name.clone(),
                false => elsewhere(&meeting.name, side.directory(), new.directory()),
            };
            *self.meetings.entry(name).or_insert(next)
        });
        let nodes: Vec<Shared> = objects.iter().copied().chain(meetings).collect();
        Numbers {
            own_objects: back(&objects).map(|(shared, at)| (shared, ObjectId(at))).collect(),
            own_capabilities: back(&capabilities).map(|(shared, at)| (shared, CapId(at))).collect(),
            own_nodes: back(&nodes).collect(),
            objects,
            capabilities,
            nodes,
        }
    }

    fn object(&mut self, object: &'a crate::model::Object) -> Shared {
        let next = self.objects.len() as Shared;
        let key = (
            &*object.name,
            std::mem::discriminant(&object.kind),
            object.resource().map(crate::model::Resource::kind),
        );
        *self.objects.entry(key).or_insert(next)
    }
}

fn back(numbers: &[Shared]) -> impl Iterator<Item = (Shared, u32)> + '_ {
    numbers.iter().enumerate().map(|(at, shared)| (*shared, at as u32))
}

/// Returns a meeting's name as it would be if the configuration lay in another directory.
fn elsewhere(name: &str, from: &str, to: &str) -> String {
    match name.split_once(':') {
        Some((rule, path)) => match below(path, from) {
            Some(rest) => format!("{rule}:{to}{rest}"),
            None => name.to_owned(),
        },
        None => name.to_owned(),
    }
}

/// Returns what comes after a directory in a path that lies in it.
fn below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(directory)?;
    (directory != "/" && (rest.is_empty() || rest.starts_with('/'))).then_some(rest)
}

/// Returns whether two paths are one: by their letters, or because each lies at the same place beside its configuration.
pub fn same_path(old: (&str, &str), new: (&str, &str)) -> bool {
    old.0 == new.0 || matches!((below(old.0, old.1), below(new.0, new.1)), (Some(a), Some(b)) if a == b)
}

/// Returns whether two capabilities of one name and kind are the same thing: the same path, address, identity or facet.
pub fn same_thing(old: &Side<'_>, old_id: CapId, new: &Side<'_>, new_id: CapId) -> bool {
    let path = |model: &Model, id: CapId| model.capability(id).path.clone();
    let (old_model, new_model) = (old.authority.model, new.authority.model);
    match (path(old_model, old_id), path(new_model, new_id)) {
        (Some(a), Some(b)) => same_path((&a, old.directory()), (&b, new.directory())),
        (None, None) => match (resource(old_model, old_id), resource(new_model, new_id)) {
            (Some(a), Some(b)) => a == b || same_socket((a, old.directory()), (b, new.directory())),
            (None, None) => true,
            _ => false,
        },
        _ => false,
    }
}

fn same_socket(old: (&crate::model::Resource, &str), new: (&crate::model::Resource, &str)) -> bool {
    use crate::model::{Address, Resource};
    let path = |resource: &Resource| match resource {
        Resource::Listen(Address::Unix(path)) => Some(path.clone()),
        _ => None,
    };
    matches!((path(old.0), path(new.0)), (Some(a), Some(b)) if same_path((&a, old.1), (&b, new.1)))
}

fn resource(model: &Model, id: CapId) -> Option<&crate::model::Resource> {
    match model.capability(id).target {
        crate::model::Target::Resource(object) => model.object(object).resource(),
        crate::model::Target::Facet(_) => None,
    }
}

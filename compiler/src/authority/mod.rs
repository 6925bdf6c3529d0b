//! What a holder can come to have: the edges `a → b` ("a can obtain what b can"), and what lies along them.
//!
//! A permission is what somebody holds; authority is what could follow from it, now or later, alone or with others.
//! The worst case is taken, at two levels; `trusted` cuts relaying and nothing else.

mod control;
mod edges;
mod effective;
mod walk;

pub use edges::{Carries, Edge, EdgeRule};
pub use effective::{Effective, Held};
pub use walk::{Chain, Reached};

use crate::holdings::Holdings;
use crate::model::{
    Address, CapId, Kind, Level, Model, ObjectId, RECONFIGURE, Resource, Rights, Target, path_contains,
};

/// The edges of one model as one scope sees them: whose trust counts depends on who asks.
pub struct Authority<'m> {
    /// The model.
    pub model: &'m Model,
    /// Its holdings.
    pub holdings: &'m Holdings,
    /// What each subject counts as holding at level reach.
    pub effective: Effective,
    /// Every edge, by its beginning.
    pub edges: Vec<Edge>,
    out: Vec<(u32, u32)>,
    into: Vec<Vec<u32>>,
}

impl<'m> Authority<'m> {
    /// Returns the authority graph as the assertions of `scope` see it.
    #[must_use]
    pub fn new(model: &'m Model, holdings: &'m Holdings, scope: ObjectId) -> Self {
        let trusted: Vec<bool> = model.objects().map(|(id, _)| model.is_trusted(id, scope)).collect();
        let effective = effective::effective(model, holdings, &trusted);
        let mut edges = edges::edges(model, holdings, &effective, &trusted);
        edges.sort();
        edges.dedup_by(|next, kept| {
            let same = (next.from, next.to, next.rule) == (kept.from, kept.to, kept.rule);
            if same {
                kept.carries = kept.carries.or(next.carries);
            }
            same
        });
        let mut out = vec![(0, 0); model.objects.len()];
        let mut into = vec![Vec::new(); model.objects.len()];
        for (at, edge) in edges.iter().enumerate() {
            let at = at as u32;
            if let Some(range) = out.get_mut(edge.from.index()) {
                if range.0 == range.1 {
                    *range = (at, at);
                }
                range.1 = at + 1;
            }
            if let Some(into) = into.get_mut(edge.to.index()) {
                into.push(at);
            }
        }
        Self { model, holdings, effective, edges, out, into }
    }

    fn edges_from(&self, vertex: ObjectId) -> &[Edge] {
        let range = self.out.get(vertex.index()).copied().unwrap_or((0, 0));
        self.edges.get(range.0 as usize..range.1 as usize).unwrap_or(&[])
    }

    fn edges_into(&self, vertex: ObjectId) -> impl Iterator<Item = &Edge> {
        self.into.get(vertex.index()).into_iter().flatten().filter_map(|at| self.edges.get(*at as usize))
    }

    /// Returns what a subject counts as holding at a level.
    pub fn held(&self, holder: ObjectId, level: Level) -> impl Iterator<Item = Held> {
        let (own, exposed) = match level {
            Level::Hold => (self.holdings.of(holder), &[][..]),
            Level::Reach => (self.holdings.of(holder), self.effective.exposed_to(holder)),
        };
        let own = own.iter().map(|holding| Held {
            capability: holding.capability,
            rights: holding.rights,
            through: None,
        });
        own.chain(exposed.iter().copied())
    }

    /// Returns the rights of `asked` that somebody with `rights` of `held` has: of the thing itself, of what contains it,
    /// or of parts of it. None when they have nothing to do with each other.
    #[must_use]
    pub fn rights_through(&self, held: CapId, rights: Rights, asked: CapId) -> Rights {
        if held == asked {
            return rights;
        }
        let (have, want) = (self.model.capability(held), self.model.capability(asked));
        let Some(have_path) = have.path.as_deref() else { return Rights::NONE };
        if is_directory(have.kind)
            && let Some(door) = door_path(self.model, asked)
            && path_contains(have_path, door)
        {
            // Whoever is in the directory of a socket can connect to it, or accept in its place.
            return if want.kind == Kind::Listen { Rights::NONE } else { Kind::Socket.all() };
        }
        let Some(want_path) = want.path.as_deref() else { return Rights::NONE };
        let files = |kind| matches!(kind, Kind::Dir | Kind::State | Kind::Mount | Kind::File | Kind::Secret);
        let related = path_contains(have_path, want_path) || path_contains(want_path, have_path);
        if files(have.kind) && files(want.kind) && related {
            rights.and(want.kind.all())
        } else {
            Rights::NONE
        }
    }

    /// Returns the rights of a capability that a subject by itself has at a level.
    #[must_use]
    pub fn own_rights(&self, holder: ObjectId, asked: CapId, level: Level) -> Rights {
        if holder == RECONFIGURE {
            let resource = matches!(self.model.capability(asked).target, Target::Resource(_));
            return if resource { self.model.capability(asked).kind.all() } else { Rights::NONE };
        }
        let held =
            self.held(holder, level).map(|held| self.rights_through(held.capability, held.rights, asked));
        let by_holding = held.fold(Rights::NONE, Rights::or);
        by_holding.or(self.rights_of_code(holder, asked)).or(self.rights_of_mount(holder, asked))
    }

    /// A service's own program, image and configuration count as holdings of those paths.
    fn rights_of_code(&self, holder: ObjectId, asked: CapId) -> Rights {
        let want = self.model.capability(asked);
        let (Some(service), Some(path)) = (self.model.object(holder).service(), want.path.as_deref()) else {
            return Rights::NONE;
        };
        if !matches!(want.kind, Kind::Dir | Kind::State | Kind::Mount | Kind::File | Kind::Secret) {
            return Rights::NONE;
        }
        let mut rights = Rights::NONE;
        for (place, has) in control::own_paths(service) {
            if path_contains(&place.path, path) || path_contains(path, &place.path) {
                rights = rights.or(has.and(want.kind.all()));
            }
        }
        rights
    }

    /// The maker of a mount holds every right of a directory on its path.
    fn rights_of_mount(&self, holder: ObjectId, asked: CapId) -> Rights {
        let want = self.model.capability(asked);
        let (Some(service), Some(path)) = (self.model.object(holder).service(), want.path.as_deref()) else {
            return Rights::NONE;
        };
        let made = service.facets.iter().filter_map(|facet| match &self.model.facet(*facet).transport {
            crate::model::Transport::Mount(place) => Some(&place.path),
            _ => None,
        });
        let related = made.into_iter().any(|place| path_contains(place, path) || path_contains(path, place));
        if related { want.kind.all() } else { Rights::NONE }
    }

    /// Returns whether a subject itself has something by that very name, or only parts of it.
    #[must_use]
    pub fn is_direct(&self, holder: ObjectId, asked: CapId) -> bool {
        self.holdings.get(holder, asked).is_some()
    }
}

/// Returns whether a kind is a directory's.
#[must_use]
pub const fn is_directory(kind: Kind) -> bool {
    matches!(kind, Kind::Dir | Kind::State | Kind::Mount)
}

/// Returns the path of a unix socket that stands for the capability.
fn door_path(model: &Model, capability: CapId) -> Option<&str> {
    let known = model.capability(capability);
    let Target::Resource(object) = known.target else { return None };
    match model.object(object).resource()? {
        Resource::Path { kind: Kind::Socket, path } => Some(path),
        Resource::Listen(Address::Unix(path)) => Some(path),
        _ => None,
    }
}

/// Returns the rights of a kind that count as learning at level reach.
#[must_use]
pub const fn learning(kind: Kind) -> Rights {
    match kind {
        Kind::Dir | Kind::State | Kind::Mount | Kind::File => Rights(3),
        Kind::Secret | Kind::Connect | Kind::Socket | Kind::Facet | Kind::Listen => Rights(1),
        Kind::Identity | Kind::Control => Rights::NONE,
    }
}

/// Returns the rights of a kind that count as effecting at level reach.
#[must_use]
pub const fn effecting(kind: Kind) -> Rights {
    match kind {
        Kind::Connect | Kind::Socket | Kind::Facet | Kind::Listen => kind.all(),
        _ => kind.all().without(learning(kind)),
    }
}

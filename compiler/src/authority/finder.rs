//! Who by themselves have something of a capability, found without asking everybody.

use super::walk::Traversal;
use super::{Authority, Graph, Held, starts};
use crate::model::{CapId, Level, ObjectId, RECONFIGURE, Rights};

/// All that is held, by capability and by place.
pub(super) struct Finder {
    /// Holder and index into what it holds, by capability, and for each capability where those begin.
    by_capability: (Vec<(ObjectId, u32)>, Vec<u32>),
    /// The same by place.
    by_place: (Vec<(ObjectId, u32)>, Vec<u32>),
    network: Vec<(ObjectId, u32)>,
}

impl Finder {
    pub(super) fn new(authority: &Authority<'_>) -> Self {
        let model = authority.model;
        let (mut by_capability, mut by_place, mut network) = (Vec::new(), Vec::new(), Vec::new());
        for (id, object) in model.objects() {
            if !object.is_subject() && id != RECONFIGURE {
                continue;
            }
            for (at, held) in authority.held(id).iter().enumerate() {
                let entry = (id, at as u32);
                by_capability.extend(held.capability.map(|capability| (capability.0, entry)));
                by_place.extend(held.place.map(|place| (place.0, entry)));
                if held.is_network(model) {
                    network.push(entry);
                }
            }
        }
        let sorted = |mut all: Vec<(u32, (ObjectId, u32))>, count: usize| {
            all.sort_by_key(|(key, _)| *key);
            let begins = starts(count, all.iter().map(|(key, _)| *key as usize));
            (all.into_iter().map(|(_, entry)| entry).collect(), begins)
        };
        Self {
            by_capability: sorted(by_capability, model.capabilities.len()),
            by_place: sorted(by_place, authority.places.count()),
            network,
        }
    }

    /// Returns who by themselves have any of some rights of a capability, or of parts of it, by id.
    pub(super) fn holders(
        &self,
        authority: &Authority<'_>,
        capability: CapId,
        rights: Rights,
        level: Level,
    ) -> Vec<ObjectId> {
        let asked = authority.asked(capability);
        let has = |held: &Held| {
            held.counts_at(level) && !authority.extent_of(held, asked).rights().and(rights).is_empty()
        };
        let slice = |table: &'_ (Vec<(ObjectId, u32)>, Vec<u32>), from: u32, to: u32| {
            let begin = table.1.get(from as usize).copied().unwrap_or(0) as usize;
            let end = table.1.get(to as usize).copied().unwrap_or(0) as usize;
            table.0.get(begin..end).unwrap_or(&[]).to_vec()
        };
        let mut candidates = slice(&self.by_capability, capability.0, capability.0 + 1);
        candidates.extend(&self.network);
        if let Some(place) = asked.place {
            candidates.extend(slice(&self.by_place, place.0, authority.places.end(place)));
            let mut above = authority.places.parent(place);
            while let Some(outer) = above {
                candidates.extend(slice(&self.by_place, outer.0, outer.0 + 1));
                above = authority.places.parent(outer);
            }
        }
        let found =
            candidates.into_iter().filter(|(id, at)| authority.held(*id).get(*at as usize).is_some_and(has));
        let mut holders: Vec<ObjectId> = found.map(|(id, _)| id).collect();
        holders.sort_unstable();
        holders.dedup();
        holders
    }
}

/// Returns the rights among some that a traversal obtains.
pub(super) fn obtained(
    authority: &Authority<'_>,
    capability: CapId,
    rights: Rights,
    traversal: Traversal,
) -> Rights {
    rights.and(traversal.rights).and(authority.model.capability(capability).kind.all())
}

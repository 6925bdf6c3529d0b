//! What a subject counts as holding at level reach: its own, and what trusted objects expose to it through their facets.

use crate::holdings::Holdings;
use crate::model::{CapId, FacetId, Kind, Model, ObjectId, Rights, Target, Transport};
use std::collections::BTreeMap;

/// A capability with rights, and the facet through which it is exposed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What.
    pub capability: CapId,
    /// Which rights of it.
    pub rights: Rights,
    /// The facet that exposes it; none for what is held.
    pub through: Option<FacetId>,
}

/// What is exposed to each subject.
#[derive(Debug, Default)]
pub struct Effective {
    exposed: Vec<Vec<Held>>,
}

impl Effective {
    /// Returns what is exposed to a subject.
    #[must_use]
    pub fn exposed_to(&self, holder: ObjectId) -> &[Held] {
        self.exposed.get(holder.index()).map_or(&[], Vec::as_slice)
    }
}

/// Derives what is exposed, an exposed facet's own exposures included: a worklist to the least fixed point.
pub fn effective(model: &Model, holdings: &Holdings, trusted: &[bool]) -> Effective {
    let mut exposed: Vec<BTreeMap<CapId, Held>> = vec![BTreeMap::new(); model.objects.len()];
    let is_trusted = |object: ObjectId| trusted.get(object.index()) == Some(&true);
    let mut work: Vec<(ObjectId, FacetId)> = Vec::new();
    for holding in holdings.all() {
        if let Target::Facet(facet) = model.capability(holding.capability).target {
            work.push((holding.holder, facet));
        }
    }
    while let Some((holder, facet_id)) = work.pop() {
        let facet = model.facet(facet_id);
        if !is_trusted(facet.owner)
            || facet.owner == holder
            || matches!(facet.transport, Transport::Done | Transport::Control)
        {
            continue;
        }
        for exposure in &facet.exposes {
            let kind = model.capability(exposure.capability).kind;
            if matches!(kind, Kind::Control | Kind::Identity) {
                continue;
            }
            let own = holdings.rights(facet.owner, exposure.capability);
            let passed = exposed.get(facet.owner.index()).and_then(|known| known.get(&exposure.capability));
            let has = own.or(passed.map_or(Rights::NONE, |held| held.rights));
            let rights = exposure.rights.map_or(has, |named| named.and(has));
            let Some(known) = exposed.get_mut(holder.index()) else { continue };
            let entry = known.entry(exposure.capability).or_insert(Held {
                capability: exposure.capability,
                rights: Rights::NONE,
                through: Some(facet_id),
            });
            if entry.rights.contains(rights) {
                continue;
            }
            entry.rights = entry.rights.or(rights);
            if let Target::Facet(inner) = model.capability(exposure.capability).target {
                work.push((holder, inner));
            }
            // What the holder exposes in turn may have grown.
            if is_trusted(holder)
                && let Some(service) = model.object(holder).service()
            {
                for own in &service.facets {
                    for user in holdings
                        .all()
                        .iter()
                        .filter(|holding| model.capability(holding.capability).target == Target::Facet(*own))
                    {
                        work.push((user.holder, *own));
                    }
                }
            }
        }
    }
    let exposed =
        exposed.into_iter().map(|known| known.into_values().filter(|held| !held.rights.is_empty()).collect());
    Effective { exposed: exposed.collect() }
}

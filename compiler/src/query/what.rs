//! `capc what`: all that an object can obtain.

use super::{Extent, Obtained, is_part, section, traversals};
use crate::authority::{Authority, Carries, effecting, learning};
use crate::model::{CapId, Level, ObjectId, RECONFIGURE, Rights, Target};
use serde::Serialize;
use std::collections::BTreeMap;

/// `capc/what/1`.
#[derive(Debug, Serialize)]
pub struct WhatAnswer {
    format: &'static str,
    object: String,
    hold: Vec<Entry>,
    reach: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    capability: String,
    #[serde(flatten)]
    extent: Extent,
}

/// Answers for an object.
#[must_use]
pub fn what(authority: &Authority<'_>, subject: ObjectId) -> WhatAnswer {
    let entries = |level| {
        let mut entries = level_of(authority, subject, level);
        entries.sort_by(|a, b| a.capability.cmp(&b.capability));
        entries
    };
    WhatAnswer {
        format: "capc/what/1",
        object: authority.model.object(subject).name.to_string(),
        hold: entries(Level::Hold),
        reach: entries(Level::Reach),
    }
}

fn level_of(authority: &Authority<'_>, subject: ObjectId, level: Level) -> Vec<Entry> {
    let model = authority.model;
    let mut obtained: BTreeMap<CapId, Obtained> = BTreeMap::new();
    let mut add = |capability, rights: Rights, whole| {
        let place: &mut Obtained = obtained.entry(capability).or_default();
        place.rights = place.rights.or(rights);
        place.whole |= whole && !rights.is_empty();
    };
    for along in traversals(level) {
        let about = |capability: CapId| {
            let kind = model.capability(capability).kind;
            match *along {
                Carries::LEARN => learning(kind),
                Carries::EFFECT => effecting(kind),
                _ => kind.all(),
            }
        };
        let reached = authority.from(subject, *along);
        let root = reached.order.contains(&RECONFIGURE);
        let held = reached.order.iter().filter(|id| model.object(**id).is_subject());
        let mut held: BTreeMap<CapId, Rights> =
            held.flat_map(|id| authority.held(*id, level)).fold(BTreeMap::new(), |mut all, held| {
                let place = all.entry(held.capability).or_default();
                *place = Rights::or(*place, held.rights);
                all
            });
        if root {
            let resources = model.capabilities.iter().enumerate();
            let resources = resources
                .filter(|(_, known)| known.part.is_none() && matches!(known.target, Target::Resource(_)));
            held.extend(resources.map(|(index, known)| (CapId(index as u32), known.kind.all())));
        }
        let with_paths: Vec<(CapId, Rights)> = held
            .iter()
            .filter(|(id, _)| model.capability(**id).path.is_some())
            .map(|(id, rights)| (*id, *rights))
            .collect();
        for (capability, rights) in &held {
            add(*capability, rights.and(about(*capability)), true);
        }
        for index in 0..model.capabilities.len() {
            let asked = CapId(index as u32);
            for (have, rights) in with_paths.iter().filter(|(have, _)| *have != asked) {
                let through = authority.rights_through(*have, *rights, asked).and(about(asked));
                add(asked, through, !is_part(authority, *have, asked));
            }
        }
    }
    let found = obtained.into_iter().filter(|(_, found)| !found.rights.is_empty());
    found
        .map(|(capability, found)| Entry {
            capability: model.capability(capability).name.to_string(),
            extent: Extent::new(authority, subject, capability, found),
        })
        .collect()
}

impl WhatAnswer {
    /// Returns the answer for people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut out = String::new();
        let lines =
            |entries: &[Entry]| entries.iter().map(|entry| entry.extent.line(&entry.capability)).collect();
        section(&mut out, &format!("{} could come to hold:", self.object), lines(&self.hold), "  nothing");
        section(&mut out, "and could reach, also through others:", lines(&self.reach), "  nothing");
        out
    }
}

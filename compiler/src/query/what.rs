//! `capc what`: all that an object can obtain.

use super::{Extent, columns, section};
use crate::authority::Authority;
use crate::model::{CapId, Level, ObjectId};
use serde::Serialize;

/// `capc/what/1`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WhatAnswer {
    format: &'static str,
    object: String,
    hold: Vec<Entry>,
    reach: Vec<Entry>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    let obtainable = authority.all_obtainable(subject, level);
    let found = obtainable.into_iter().enumerate().filter_map(|(index, extent)| {
        let capability = CapId(index as u32);
        let extent = Extent::new(authority, subject, capability, extent)?;
        Some(Entry { capability: authority.model.capability(capability).name.to_string(), extent })
    });
    found.collect()
}

impl WhatAnswer {
    /// Returns the answer for people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut out = String::new();
        let lines = |entries: &[&Entry]| {
            columns(
                &entries.iter().map(|entry| (entry.capability.as_str(), &entry.extent)).collect::<Vec<_>>(),
            )
        };
        section(
            &mut out,
            &format!("{} could come to hold:", self.object),
            lines(&self.hold.iter().collect::<Vec<_>>()),
            "  nothing",
        );
        // What it could come to hold as much of has been named.
        let is_more = |entry: &&Entry| {
            let held = self.hold.binary_search_by(|held| held.capability.cmp(&entry.capability)).ok();
            held.and_then(|at| self.hold.get(at)).is_none_or(|held| held.extent != entry.extent)
        };
        let more: Vec<&Entry> = self.reach.iter().filter(is_more).collect();
        section(&mut out, "and could reach besides, through others:", lines(&more), "  nothing else");
        out
    }
}

//! `capc who`: all that can obtain a capability.

use super::{Extent, columns, section};
use crate::authority::Authority;
use crate::model::{CapId, Level};
use serde::Serialize;

/// `capc/who/1`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WhoAnswer {
    format: &'static str,
    capability: String,
    hold: Vec<Entry>,
    reach: Vec<Entry>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Entry {
    object: String,
    #[serde(flatten)]
    extent: Extent,
}

/// Answers for a capability under the name that was asked.
#[must_use]
pub fn who(authority: &Authority<'_>, asked: CapId, name: &str) -> WhoAnswer {
    let entries = |level| {
        let mut entries = level_of(authority, asked, level);
        entries.sort_by(|a, b| a.object.cmp(&b.object));
        entries
    };
    WhoAnswer {
        format: "capc/who/1",
        capability: name.to_owned(),
        hold: entries(Level::Hold),
        reach: entries(Level::Reach),
    }
}

fn level_of(authority: &Authority<'_>, asked: CapId, level: Level) -> Vec<Entry> {
    let obtainable = authority.obtainable_by_all(asked, level);
    let able = authority.model.objects().zip(obtainable).filter(|((_, object), _)| object.is_subject());
    let found = able.filter_map(|((id, object), extent)| {
        Some(Entry { object: object.name.to_string(), extent: Extent::new(authority, id, asked, extent)? })
    });
    found.collect()
}

impl WhoAnswer {
    /// Returns the answer for people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut out = String::new();
        let lines = |entries: &[&Entry]| {
            columns(&entries.iter().map(|entry| (entry.object.as_str(), &entry.extent)).collect::<Vec<_>>())
        };
        section(
            &mut out,
            &format!("could come to hold {}:", self.capability),
            lines(&self.hold.iter().collect::<Vec<_>>()),
            "  nobody",
        );
        // Whoever could come to hold as much has been named.
        let is_more = |entry: &&Entry| {
            let held = self.hold.binary_search_by(|held| held.object.cmp(&entry.object)).ok();
            held.and_then(|at| self.hold.get(at)).is_none_or(|held| held.extent != entry.extent)
        };
        let more: Vec<&Entry> = self.reach.iter().filter(is_more).collect();
        section(&mut out, "could reach it besides, through others:", lines(&more), "  nobody else");
        out
    }
}

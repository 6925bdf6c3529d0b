//! `capc who`: all that can obtain a capability.

use super::{Extent, Obtained, is_part, section};
use crate::authority::Authority;
use crate::model::{CapId, Level, ObjectId};
use serde::Serialize;

/// `capc/who/1`.
#[derive(Debug, Serialize)]
pub struct WhoAnswer {
    format: &'static str,
    capability: String,
    hold: Vec<Entry>,
    reach: Vec<Entry>,
}

#[derive(Debug, Serialize)]
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

/// One backward search for each right: linear in objects, holdings and edges.
fn level_of(authority: &Authority<'_>, asked: CapId, level: Level) -> Vec<Entry> {
    let model = authority.model;
    let subjects: Vec<ObjectId> = model.objects().map(|(id, _)| id).collect();
    let mut obtained = vec![Obtained::default(); model.objects.len()];
    for (along, about) in authority.traversals(level, asked) {
        for right in about.each() {
            let ends: Vec<ObjectId> = subjects
                .iter()
                .copied()
                .filter(|id| authority.own_rights(*id, asked, level).contains(right))
                .collect();
            let whole: Vec<ObjectId> =
                ends.iter().copied().filter(|id| has_whole(authority, *id, asked, level)).collect();
            let reaching = authority.into(ends, along);
            let reaching_whole = authority.into(whole, along);
            for (at, place) in obtained.iter_mut().enumerate() {
                if reaching.get(at) == Some(&true) {
                    place.rights = place.rights.or(right);
                    place.whole |= reaching_whole.get(at) == Some(&true);
                }
            }
        }
    }
    let able = subjects.iter().filter(|id| model.object(**id).is_subject());
    let found = able.filter_map(|id| {
        Some((*id, *obtained.get(id.index())?)).filter(|(_, found)| !found.rights.is_empty())
    });
    found
        .map(|(id, found)| Entry {
            object: model.object(id).name.to_string(),
            extent: Extent::new(authority, id, asked, found),
        })
        .collect()
}

/// Returns whether what a subject has by itself is more than parts.
fn has_whole(authority: &Authority<'_>, holder: ObjectId, asked: CapId, level: Level) -> bool {
    if holder == crate::model::RECONFIGURE {
        return true;
    }
    authority.held(holder, level).any(|held| {
        !is_part(authority, held.capability, asked)
            && !authority.rights_through(held.capability, held.rights, asked).is_empty()
    })
}

impl WhoAnswer {
    /// Returns the answer for people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut out = String::new();
        let lines =
            |entries: &[Entry]| entries.iter().map(|entry| entry.extent.line(&entry.object)).collect();
        section(&mut out, &format!("could come to hold {}:", self.capability), lines(&self.hold), "  nobody");
        section(&mut out, "could reach it, also through others:", lines(&self.reach), "  nobody");
        out
    }
}

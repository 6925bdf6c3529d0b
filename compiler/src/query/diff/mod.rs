//! `capc diff`: which authority two configurations do not share, by the edit that brought or took it.
//!
//! Only what subjects hold counts: what a scope holds is how it came to them. Neither does a facet that an object made, which
//! gives it nothing, nor what is made of world-readable code. Names, kinds and what they stand for are compared,
//! never ids or places in the source, so that moving and formatting declarations changes nothing.

mod held;
mod human;
mod joined;
mod pairs;
mod shared;

use super::StepAnswer;
use crate::authority::Authority;
use crate::source::{FileId, SourceMap, Span};
use serde::Serialize;

/// One of the two configurations.
pub struct Side<'a> {
    /// Its authority, as the system's own assertions see it.
    pub authority: &'a Authority<'a>,
    /// Its files.
    pub sources: &'a SourceMap,
    directory: String,
}

impl<'a> Side<'a> {
    /// Returns one of the two configurations.
    #[must_use]
    pub fn new(authority: &'a Authority<'a>, sources: &'a SourceMap) -> Self {
        let main = sources.file(FileId(0)).and_then(|file| file.path.parent());
        let directory = main.map_or_else(String::new, |path| path.to_string_lossy().into_owned());
        Self { authority, sources, directory }
    }

    /// Returns the directory of its main file.
    fn directory(&self) -> &str {
        &self.directory
    }

    fn edit(&self, span: Span) -> Edit {
        let (file, place) = self.sources.locate(span);
        let line = self.sources.file(span.file);
        let text = line.and_then(|file| file.text.get(file.line_range(place.line))).unwrap_or("");
        let text = text.trim().trim_end_matches('{').trim_end().to_owned();
        Edit { file: file.to_owned(), line: place.line, text }
    }

    fn step(&self, step: &crate::diag::Step) -> StepAnswer {
        StepAnswer::new(step, self.sources)
    }

    fn name(&self, id: crate::model::ObjectId) -> String {
        self.authority.model.object(id).name.to_string()
    }
}

/// The statement whose being there, or not any more, makes the difference.
#[derive(Clone, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Edit {
    file: String,
    line: u32,
    #[serde(skip)]
    text: String,
}

/// `capc/diff/1`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DiffAnswer {
    format: &'static str,
    gained: Vec<Change>,
    lost: Vec<Change>,
    joined: Vec<Joined>,
}

/// Rights that an object gained or lost.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    object: String,
    capability: String,
    rights: Vec<&'static str>,
    level: &'static str,
    steps: Vec<StepAnswer>,
    /// Rights that it had before and keeps.
    #[serde(skip)]
    kept: Vec<&'static str>,
    /// What the name stands for, where it stands for something else on the other side.
    #[serde(skip)]
    place: Option<String>,
    /// Which steps the other side does not have.
    #[serde(skip)]
    fresh: Vec<bool>,
    /// Who comes by it through the object, and at which level; of a new holding, unless there are very many.
    #[serde(skip_serializing_if = "Option::is_none")]
    through: Option<Through>,
    #[serde(skip)]
    edit: Edit,
}

/// Who else comes by what an object holds: subjects, sorted.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Through {
    hold: Vec<String>,
    reach: Vec<String>,
}

/// Two groups that an edit joins: each of `from` can now obtain what some of `to` can.
#[derive(Clone, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Joined {
    edit: Edit,
    from: Vec<String>,
    to: Vec<String>,
    carries: Vec<&'static str>,
    #[serde(skip)]
    sentence: String,
}

/// Whether reachable authority is listed pair by pair.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// By the groups that each edit joins.
    Groups,
    /// Every object with every capability, too.
    Pairs,
}

/// Compares two configurations.
#[must_use]
pub fn diff(old: &Side<'_>, new: &Side<'_>, detail: Detail) -> DiffAnswer {
    let [old_numbers, new_numbers] = shared::number(old, new);
    let (ours, theirs) = ((new, &new_numbers), (old, &old_numbers));
    let ((mut gained, joined), (mut lost, _)) = std::thread::scope(|scope| {
        let lost = scope.spawn(|| held::changes(theirs, ours));
        let (gained, causes) = held::changes(ours, theirs);
        let joined = joined::joined(ours, theirs, &causes);
        ((gained, joined), lost.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    // Who could obtain what through somebody may still obtain it through another.
    lost.iter_mut().for_each(|change| change.through = None);
    if detail == Detail::Pairs {
        gained.extend(pairs::pairs(ours, theirs));
        lost.extend(pairs::pairs(theirs, ours));
    }
    for changes in [&mut gained, &mut lost] {
        changes.sort_by(|a, b| {
            (&a.object, &a.capability, a.level, &a.rights).cmp(&(
                &b.object,
                &b.capability,
                b.level,
                &b.rights,
            ))
        });
    }
    DiffAnswer { format: "capc/diff/1", gained, lost, joined }
}

impl DiffAnswer {
    /// Returns what objects hold less than before: each with the capability.
    pub fn revoked(&self) -> impl Iterator<Item = (&str, &str)> {
        let held = self.lost.iter().filter(|change| change.level == "direct");
        held.map(|change| (change.object.as_str(), change.capability.as_str()))
    }

    /// Returns whether anybody gained anything, which fails a check.
    #[must_use]
    pub const fn gains(&self) -> bool {
        !self.gained.is_empty() || !self.joined.is_empty()
    }
}

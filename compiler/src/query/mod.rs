//! Questions that people ask of a configuration, each with an answer for programs (as `serde` writes it) and for people.

mod order;
mod what;
mod who;
mod why;

pub use order::{OrderAnswer, order};
pub use what::{WhatAnswer, what};
pub use who::{WhoAnswer, who};
pub use why::{StepAnswer, WhyAnswer, why};

use crate::authority::{Authority, Carries};
use crate::model::{CapId, Level, ObjectId, Rights};
use serde::Serialize;

/// What somebody can obtain of something.
#[derive(Clone, Copy, Debug, Default)]
struct Obtained {
    rights: Rights,
    /// Something other than a part of it.
    whole: bool,
}

/// One line of a `who` or `what`, without the name.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Extent {
    /// The union of the rights that could be obtained, in the kind's order.
    pub rights: Vec<&'static str>,
    /// The object itself holds something by that very name.
    pub direct: bool,
    /// Only by somebody's consent.
    pub consent: bool,
    /// Only parts of it.
    pub part: bool,
}

impl Extent {
    fn new(authority: &Authority<'_>, holder: ObjectId, asked: CapId, obtained: Obtained) -> Self {
        let kind = authority.model.capability(asked).kind;
        Self {
            rights: kind.words(obtained.rights).collect(),
            direct: authority.is_direct(holder, asked),
            consent: false,
            part: !obtained.whole,
        }
    }

    fn line(&self, name: &str) -> String {
        let mut line = format!("  {name}: {}", self.rights.join(" "));
        if self.direct {
            line.push_str("  (held)");
        }
        if self.part {
            line.push_str("  (a part)");
        }
        line
    }
}

/// Returns the traversals of a level.
const fn traversals(level: Level) -> &'static [Carries] {
    match level {
        Level::Hold => &[Carries::HOLD],
        Level::Reach => &[Carries::LEARN, Carries::EFFECT],
    }
}

/// Returns whether a held capability is only a part of the one asked for.
fn is_part(authority: &Authority<'_>, held: CapId, asked: CapId) -> bool {
    let (have, want) = (authority.model.capability(held), authority.model.capability(asked));
    match (have.path.as_deref(), want.path.as_deref()) {
        (Some(have), Some(want)) => have != want && crate::model::path_contains(want, have),
        _ => false,
    }
}

fn section(out: &mut String, title: &str, lines: Vec<String>, none: &str) {
    out.push_str(title);
    out.push('\n');
    if lines.is_empty() {
        out.push_str(none);
        out.push('\n');
    }
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
}

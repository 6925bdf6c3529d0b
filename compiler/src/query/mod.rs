//! Questions that people ask of a configuration, each with an answer for programs (as `serde` writes it) and for people.

mod cuts;
mod diff;
mod order;
mod what;
mod who;
mod why;

pub use diff::{Detail, DiffAnswer, Side, diff};
pub use order::{OrderAnswer, order};
pub use what::{WhatAnswer, what};
pub use who::{WhoAnswer, who};
pub use why::{Breadth, StepAnswer, WhyAnswer, why, why_held};

use crate::authority::{self, Authority};
use crate::model::{CapId, ObjectId};
use serde::Serialize;

/// One line of a `who` or `what`, without the name.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Returns what there is to say of what somebody can obtain; none when that is nothing.
    fn new(
        authority: &Authority<'_>,
        holder: ObjectId,
        asked: CapId,
        obtained: authority::Extent,
    ) -> Option<Self> {
        let kind = authority.model.capability(asked).kind;
        let extent = Self {
            rights: kind.words(obtained.rights()).collect(),
            direct: authority.is_direct(holder, asked),
            consent: obtained.free.is_empty(),
            part: obtained.whole.is_empty(),
        };
        (!extent.rights.is_empty()).then_some(extent)
    }
}

/// Returns lines in columns: names, rights, remarks.
fn columns(lines: &[(&str, &Extent)]) -> Vec<String> {
    let width = |text: &str| text.chars().count();
    let names = lines.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let rights = lines.iter().map(|(_, extent)| width(&extent.rights.join(" "))).max().unwrap_or(0);
    let line = |(name, extent): &(&str, &Extent)| {
        let remark = match (extent.direct, extent.part, extent.consent) {
            (true, _, _) => "held",
            (false, true, false) => "a part",
            (false, true, true) => "a part, by consent",
            (false, false, true) => "by consent",
            (false, false, false) => "",
        };
        let name = format!("{name}{}", " ".repeat(names - width(name)));
        format!("  {name}  {:rights$}  {remark}", extent.rights.join(" ")).trim_end().to_owned()
    };
    lines.iter().map(line).collect()
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

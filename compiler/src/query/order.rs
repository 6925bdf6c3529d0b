//! `capc order`: the boot order in waves, and who waits for whom.

use crate::model::Model;
use crate::order::{WaitKind, Waits, waves};
use crate::source::SourceMap;
use serde::Serialize;
use std::fmt::Write;

/// `capc/order/1`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OrderAnswer {
    format: &'static str,
    waves: Vec<Vec<String>>,
    waits: Vec<WaitAnswer>,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WaitAnswer {
    from: String,
    to: String,
    kind: WaitKind,
    facet: String,
    file: String,
    line: u32,
}

/// Answers for a model.
#[must_use]
pub fn order(model: &Model, waits: &Waits, sources: &SourceMap) -> OrderAnswer {
    let name = |id| model.object(id).name.to_string();
    let waves = waves(model, waits).into_iter().map(|wave| wave.into_iter().map(name).collect()).collect();
    let mut all: Vec<WaitAnswer> = waits
        .all
        .iter()
        .map(|wait| {
            let (file, place) = sources.locate(wait.span);
            let facet = format!("{}.{}", name(wait.to), model.facet(wait.facet).name);
            WaitAnswer {
                from: name(wait.from),
                to: name(wait.to),
                kind: wait.kind,
                facet,
                file: file.to_owned(),
                line: place.line,
            }
        })
        .collect();
    all.sort();
    // A path that lies on a mount and the mount itself make one wait.
    all.dedup_by(|next, first| (&next.from, &next.facet) == (&first.from, &first.facet));
    OrderAnswer { format: "capc/order/1", waves, waits: all }
}

impl OrderAnswer {
    /// Returns the answer for people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut out = String::new();
        for (number, wave) in self.waves.iter().enumerate() {
            let _ = writeln!(out, "wave {}: {}", number + 1, wave.join(" "));
        }
        for wait in &self.waits {
            let until = match wait.kind {
                WaitKind::Mint => "exists",
                WaitKind::Ready => "is done",
            };
            let _ = writeln!(
                out,
                "  {} waits until {} {until}  ({}:{})",
                wait.from, wait.facet, wait.file, wait.line
            );
        }
        out
    }
}

//! `capc why`: the shortest way by which an object has, or could come by, a capability.

use crate::authority::Authority;
use crate::diag::Step;
use crate::model::{CapId, Level, ObjectId};
use crate::source::SourceMap;
use serde::Serialize;
use std::fmt::Write;

/// `capc/why/1`.
#[derive(Debug, Serialize)]
pub struct WhyAnswer {
    format: &'static str,
    object: String,
    capability: String,
    level: &'static str,
    steps: Vec<StepAnswer>,
    #[serde(skip)]
    barrier: Option<String>,
}

/// One step of a way.
#[derive(Clone, Debug, Serialize)]
pub struct StepAnswer {
    pub(in crate::query) rule: &'static str,
    pub(in crate::query) from: String,
    pub(in crate::query) to: String,
    pub(in crate::query) file: String,
    pub(in crate::query) line: u32,
    pub(in crate::query) text: String,
}

impl StepAnswer {
    /// Returns a step of parts.
    #[must_use]
    pub fn of(rule: &'static str, from: &str, to: &str, place: (&str, u32), text: String) -> Self {
        let (file, line) = (place.0.to_owned(), place.1);
        Self { rule, from: from.to_owned(), to: to.to_owned(), file, line, text }
    }

    /// Returns a step with its place.
    #[must_use]
    pub fn new(step: &Step, sources: &SourceMap) -> Self {
        let (file, place) = sources.locate(step.span);
        Self {
            rule: step.rule,
            from: step.from.clone(),
            to: step.to.clone(),
            file: file.to_owned(),
            line: place.line,
            text: step.text.clone(),
        }
    }
}

/// Answers for an object and a capability under the names that were asked.
#[must_use]
pub fn why(
    authority: &Authority<'_>,
    object: ObjectId,
    asked: CapId,
    name: &str,
    sources: &SourceMap,
) -> WhyAnswer {
    let model = authority.model;
    let mut answer = WhyAnswer {
        format: "capc/why/1",
        object: model.object(object).name.to_string(),
        capability: name.to_owned(),
        level: "none",
        steps: Vec::new(),
        barrier: None,
    };
    if authority.is_direct(object, asked) {
        answer.level = "direct";
        answer.steps =
            authority.provenance(object, asked).iter().map(|step| StepAnswer::new(step, sources)).collect();
        return answer;
    }
    let all = model.capability(asked).kind.all();
    for (level, word) in [(Level::Hold, "hold"), (Level::Reach, "reach")] {
        if let Some(chain) = authority.chain(object, asked, all, level) {
            answer.level = word;
            let steps = authority.steps(&chain, asked, level);
            answer.steps = steps.iter().map(|step| StepAnswer::new(step, sources)).collect();
            return answer;
        }
    }
    answer.barrier = barrier(authority, object, asked);
    answer
}

/// Returns what cuts the way: the first one on a shortest way whose being trusted does.
fn barrier(authority: &Authority<'_>, object: ObjectId, asked: CapId) -> Option<String> {
    let model = authority.model;
    let open = Authority::with_trust(model, authority.holdings, &[]);
    let chain = open.chain(object, asked, model.capability(asked).kind.all(), Level::Reach)?;
    let relays =
        chain.hops.iter().filter(|hop| hop.edges.last().is_some_and(|edge| edge.relayed)).map(|hop| hop.to);
    let trusted = relays.into_iter().find(|id| model.object(*id).trusted.is_some())?;
    Some(format!("`{}` is trusted not to relay it", model.object(trusted).name))
}

impl WhyAnswer {
    /// Returns the answer for people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut out = String::new();
        let (object, capability) = (&self.object, &self.capability);
        let _ = match self.level {
            "direct" => writeln!(out, "{object} holds {capability}:"),
            "hold" => writeln!(out, "{object} does not hold {capability}, but could come to:"),
            "reach" => {
                writeln!(out, "{object} cannot come to hold {capability}, but can reach it through others:")
            }
            _ => writeln!(out, "{object} can neither hold nor reach {capability}."),
        };
        match (&self.barrier, self.level) {
            (Some(barrier), _) => {
                let _ = writeln!(out, "  what cuts the way: {barrier}");
            }
            (None, "none") => {
                let _ = writeln!(out, "  no chain of grants, facets, shared files or control leads there");
            }
            _ => {}
        }
        let width = self.steps.iter().map(|step| step.rule.len()).max().unwrap_or(0);
        for step in &self.steps {
            let _ = writeln!(out, "  {:width$}  {}  ({}:{})", step.rule, step.text, step.file, step.line);
        }
        out
    }
}

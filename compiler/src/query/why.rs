//! `capc why`: the shortest way by which an object has, or could come by, a capability.

use super::cuts::{Cut, cuts};
use crate::authority::{Authority, Graph};
use crate::diag::Step;
use crate::model::{CapId, Level, ObjectId};
use crate::source::SourceMap;
use serde::Serialize;
use std::fmt::Write;

/// `capc/why/1`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WhyAnswer {
    format: &'static str,
    object: String,
    capability: String,
    level: &'static str,
    steps: Vec<StepAnswer>,
    /// Every way, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    ways: Option<Vec<Way>>,
    /// How many ways are not among those.
    #[serde(skip_serializing_if = "is_zero")]
    omitted: usize,
    /// What cuts every way to it; where it can be reached, every way to hold it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cuts: Vec<Cut>,
}

/// One way of several.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Way {
    level: &'static str,
    steps: Vec<StepAnswer>,
}

/// How many ways are asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// A shortest one.
    Shortest,
    /// Those that begin differently: each derivation of a right that is held, and for each first step a shortest way.
    All,
}

/// How many ways are listed; all are counted.
const MOST_WAYS: usize = 20;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One step of a way.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    breadth: Breadth,
) -> WhyAnswer {
    let mut answer = shortest(authority, object, asked, name, sources);
    match answer.level {
        "none" => answer.cuts = cuts(authority, object, asked, Level::Reach, sources),
        "reach" => answer.cuts = cuts(authority, object, asked, Level::Hold, sources),
        _ => {}
    }
    if breadth == Breadth::All {
        let (ways, omitted) = all(authority, object, asked, sources);
        answer.ways = Some(ways);
        answer.omitted = omitted;
    }
    answer
}

/// Answers when the object holds the capability or could come to hold it; other answers also say what cuts the ways that there
/// are not, for which the whole is needed.
pub fn why_held(
    graph: &impl Graph,
    object: ObjectId,
    asked: CapId,
    name: &str,
    sources: &SourceMap,
) -> Option<WhyAnswer> {
    let answer = shortest(graph, object, asked, name, sources);
    matches!(answer.level, "direct" | "hold").then_some(answer)
}

/// Returns the ways that begin differently, level by level, the shortest first, and how many more there are.
fn all(authority: &Authority<'_>, object: ObjectId, asked: CapId, sources: &SourceMap) -> (Vec<Way>, usize) {
    let model = authority.model;
    let answer = |steps: &[Step]| steps.iter().map(|step| StepAnswer::new(step, sources)).collect();
    let mut ways: Vec<Way> = Vec::new();
    let mut derivations: Vec<Vec<Step>> = Vec::new();
    for holding in authority.holdings.get(object, asked).into_iter() {
        for right in holding.rights.each() {
            let steps = authority.holdings.steps(model, holding, right);
            let steps: Vec<Step> = steps.into_iter().map(|step| authority.derived(step)).collect();
            if !derivations.contains(&steps) {
                derivations.push(steps);
            }
        }
    }
    derivations.sort_by_key(Vec::len);
    ways.extend(derivations.iter().map(|steps| Way { level: "direct", steps: answer(steps) }));
    let is_direct = !ways.is_empty();
    let mut count = ways.len();
    let mut first_steps = Vec::new();
    for (level, word) in [(Level::Hold, "hold"), (Level::Reach, "reach")] {
        let found = authority.ways(object, asked, model.capability(asked).kind.all(), level, usize::MAX);
        for chain in found.chains {
            // What leads there at level hold does so at level reach, and what is held has been told.
            let first = chain.hops.first().map(|hop| (hop.to, hop.edges.first().map(|edge| edge.rule)));
            if first_steps.contains(&first) || first.is_none() && is_direct {
                continue;
            }
            first_steps.push(first);
            count += 1;
            if ways.len() < MOST_WAYS {
                ways.push(Way { level: word, steps: answer(&authority.steps(&chain, asked, level)) });
            }
        }
    }
    let shown = ways.len();
    (ways, count - shown)
}

fn shortest(
    graph: &impl Graph,
    object: ObjectId,
    asked: CapId,
    name: &str,
    sources: &SourceMap,
) -> WhyAnswer {
    let mut answer = WhyAnswer {
        format: "capc/why/1",
        object: graph.name_of(object).to_owned(),
        capability: name.to_owned(),
        level: "none",
        steps: Vec::new(),
        ways: None,
        omitted: 0,
        cuts: Vec::new(),
    };
    if graph.holds(object, asked) {
        answer.level = "direct";
        answer.steps =
            graph.provenance(object, asked).iter().map(|step| StepAnswer::new(step, sources)).collect();
        return answer;
    }
    let all = graph.asked(asked).kind.all();
    for (level, word) in [(Level::Hold, "hold"), (Level::Reach, "reach")] {
        if let Some(chain) = graph.chain(object, asked, all, level) {
            answer.level = word;
            let steps = graph.steps(&chain, asked, level);
            answer.steps = steps.iter().map(|step| StepAnswer::new(step, sources)).collect();
            return answer;
        }
    }
    answer
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
        match &self.ways {
            None => tell(&mut out, &self.steps, "  "),
            Some(ways) => {
                for (number, way) in ways.iter().enumerate() {
                    let word = if way.level == "direct" { "held" } else { way.level };
                    let _ = writeln!(out, "  {}. {word}", number + 1);
                    tell(&mut out, &way.steps, "     ");
                }
            }
        }
        if self.omitted > 0 {
            let _ = writeln!(out, "  … and {} more", self.omitted);
        }
        if !self.cuts.is_empty() {
            let title =
                if self.level == "none" { "what cuts the way:" } else { "what keeps it from holding it:" };
            let _ = writeln!(out, "  {title}");
        }
        for cut in &self.cuts {
            let _ = writeln!(out, "    {}  ({}:{})", cut.text, cut.file, cut.line);
        }
        out
    }
}

fn tell(out: &mut String, steps: &[StepAnswer], pad: &str) {
    let width = steps.iter().map(|step| step.rule.len()).max().unwrap_or(0);
    for step in steps {
        let _ = writeln!(out, "{pad}{:width$}  {}  ({}:{})", step.rule, step.text, step.file, step.line);
    }
}

//! Diagnostics for programs: `capc/diagnostics/1`.

use super::found::{Found, MOST_OF_ONE_CODE, readable};
use crate::diag::{Cut, Detail, Diagnostic};
use crate::source::{SourceMap, Span};
use serde::Serialize;
use std::collections::BTreeMap;

/// What `capc check --format json` prints.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document<'a> {
    format: &'static str,
    diagnostics: Vec<Entry<'a>>,
    summary: Summary,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    omitted: BTreeMap<&'static str, usize>,
}

/// What a compilation came to.
#[derive(Copy, Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// Diagnostics of severity error.
    pub errors: usize,
    /// Diagnostics of severity warning.
    pub warnings: usize,
    /// Services.
    pub services: usize,
    /// Holdings, those of scopes and of `reconfigure` included.
    pub holdings: usize,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Entry<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    help: Option<&'a str>,
    labels: Vec<LabelEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle: Option<Vec<CycleEntry<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cuts: Option<&'a [Cut]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<StepEntry<'a>>>,
    /// Present, perhaps null, with `steps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted_base: Option<Option<&'a [String]>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LabelEntry<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    text: &'a str,
    primary: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CycleEntry<'a> {
    from: &'a str,
    to: &'a str,
    kind: &'static str,
    facet: &'a str,
    file: &'a str,
    line: u32,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StepEntry<'a> {
    rule: &'static str,
    from: &'a str,
    to: &'a str,
    file: &'a str,
    line: u32,
    text: &'a str,
}

impl std::ops::AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.errors += other.errors;
        self.warnings += other.warnings;
        self.services += other.services;
        self.holdings += other.holdings;
    }
}

/// Returns the document for the diagnostics of some compilations, each sorted by first label.
#[must_use]
pub fn document<'a>(all: &[Found<'a>], summary: Summary) -> Document<'a> {
    let (shown, omitted) = readable(all, MOST_OF_ONE_CODE);
    let diagnostics = shown.into_iter().map(|one| entry(one.diagnostic, one.sources)).collect();
    let omitted = omitted.into_iter().map(|(code, count)| (code.word(), count)).collect();
    Document { format: "capc/diagnostics/1", diagnostics, summary, omitted }
}

fn entry<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Entry<'a> {
    let labels = diagnostic.labels.iter().map(|label| {
        let (file, start) = sources.locate(label.span);
        let end = sources.locate(Span { start: label.span.end, ..label.span }).1;
        LabelEntry {
            file,
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            text: &label.text,
            primary: label.primary,
        }
    });
    let mut entry = Entry {
        code: diagnostic.code.word(),
        severity: diagnostic.severity.word(),
        message: &diagnostic.message,
        help: diagnostic.help.as_deref(),
        labels: labels.collect(),
        cycle: None,
        members: None,
        cuts: None,
        steps: None,
        trusted_base: None,
    };
    match &diagnostic.detail {
        Detail::None => {}
        Detail::Cycle { cycle, members, cuts } => {
            let edges = cycle.iter().map(|edge| {
                let (file, place) = sources.locate(edge.span);
                CycleEntry {
                    from: &edge.from,
                    to: &edge.to,
                    kind: edge.kind,
                    facet: &edge.facet,
                    file,
                    line: place.line,
                }
            });
            entry.cycle = Some(edges.collect());
            entry.members = Some(members);
            entry.cuts = Some(cuts);
        }
        Detail::Witness { steps, trusted_base } => {
            let steps = steps.iter().map(|step| {
                let (file, place) = sources.locate(step.span);
                StepEntry {
                    rule: step.rule,
                    from: &step.from,
                    to: &step.to,
                    file,
                    line: place.line,
                    text: &step.text,
                }
            });
            entry.steps = Some(steps.collect());
            entry.trusted_base = Some(trusted_base.as_deref());
        }
    }
    entry
}

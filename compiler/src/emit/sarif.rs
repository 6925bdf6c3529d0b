//! Diagnostics as SARIF 2.1.0 (OASIS), which code scanning services read.

use super::found::{Found, MOST_OF_ONE_CODE, readable};
use super::uri::uri;
use crate::diag::{Code, Detail, Diagnostic, Severity};
use crate::source::{SourceMap, Span};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::Path;

/// What `capc check --format sarif` prints.
#[derive(Serialize)]
pub struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    invocations: [Invocation; 1],
    column_kind: &'static str,
    results: Vec<Outcome>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Text,
    help: Page,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Page {
    text: &'static str,
    markdown: &'static str,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Text,
}

/// A `result` of SARIF.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code_flows: Vec<CodeFlow>,
    partial_fingerprints: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: Physical,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CodeFlow {
    thread_flows: [ThreadFlow; 1],
}

#[derive(Serialize)]
struct ThreadFlow {
    locations: Vec<FlowLocation>,
}

#[derive(Serialize)]
struct FlowLocation {
    location: Location,
}

/// Returns the log of one run over the diagnostics of some compilations; files below `base` are named from there.
#[must_use]
pub fn log(all: &[Found<'_>], base: &Path) -> Log {
    let (shown, omitted) = readable(all, MOST_OF_ONE_CODE);
    let mut known: HashMap<String, usize> = HashMap::new();
    let results = shown.iter().map(|one| outcome(one, base, &mut known)).collect();
    let notifications = omitted.into_iter().map(|(code, count)| Notification {
        level: "note",
        message: Text { text: format!("{count} more of `{}` are left out", code.word()) },
    });
    let invocation =
        Invocation { execution_successful: true, tool_execution_notifications: notifications.collect() };
    let driver = Driver {
        name: "capc",
        semantic_version: env!("CARGO_PKG_VERSION"),
        rules: Code::ALL.iter().map(|code| rule(*code)).collect(),
    };
    Log {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool { driver },
            invocations: [invocation],
            column_kind: "unicodeCodePoints",
            results,
        }],
    }
}

fn rule(code: Code) -> Rule {
    let page = code.page();
    // The first line of a page is `# code: title`.
    let title =
        page.lines().next().and_then(|line| line.split_once(": ")).map_or(code.word(), |(_, title)| title);
    Rule {
        id: code.word(),
        short_description: Text { text: title.to_owned() },
        help: Page { text: page, markdown: page },
        default_configuration: Configuration { level: code.severity().word() },
    }
}

fn outcome(one: &Found<'_>, base: &Path, known: &mut HashMap<String, usize>) -> Outcome {
    let Found { diagnostic, sources } = *one;
    let place = |span: Span, text: Option<&str>| location(sources, span, base, text);
    let mut labels = diagnostic.labels.iter();
    let primary = labels.next();
    let locations = primary.map(|label| place(label.span, Some(&label.text))).into_iter().collect();
    let related = labels
        .enumerate()
        .map(|(at, label)| Location { id: Some(at + 1), ..place(label.span, Some(&label.text)) });
    let flow: Vec<FlowLocation> = match &diagnostic.detail {
        Detail::None => Vec::new(),
        Detail::Cycle { cycle, .. } => cycle
            .iter()
            .map(|edge| {
                let text = match edge.facet == edge.to {
                    true => format!("`{}` waits for `{}`", edge.from, edge.to),
                    false => format!("`{}` waits for `{}` of `{}`", edge.from, edge.facet, edge.to),
                };
                FlowLocation { location: place(edge.span, Some(&text)) }
            })
            .collect(),
        Detail::Witness { steps, .. } => steps
            .iter()
            .map(|step| FlowLocation {
                location: place(step.span, Some(&format!("{}: {}", step.rule, step.text))),
            })
            .collect(),
    };
    let code_flows = match flow.is_empty() {
        true => Vec::new(),
        false => vec![CodeFlow { thread_flows: [ThreadFlow { locations: flow }] }],
    };
    let mut message = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        let _ = write!(message, "\nhelp: {help}");
    }
    let fingerprint = fingerprint(one, base);
    let count = known.entry(fingerprint.clone()).or_default();
    *count += 1;
    Outcome {
        rule_id: diagnostic.code.word(),
        rule_index: Code::ALL.iter().position(|code| *code == diagnostic.code).unwrap_or(0),
        level: match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        message: Text { text: message },
        locations,
        related_locations: related.collect(),
        code_flows,
        partial_fingerprints: BTreeMap::from([("capc/v1", format!("{fingerprint}:{count}"))]),
    }
}

fn location(sources: &SourceMap, span: Span, base: &Path, text: Option<&str>) -> Location {
    let file = sources.file(span.file);
    let start = sources.locate(span).1;
    let end = sources.locate(Span { start: span.end, ..span }).1;
    Location {
        id: None,
        physical_location: Physical {
            artifact_location: Artifact { uri: file.map_or_else(String::new, |file| uri(file, base)) },
            region: Region {
                start_line: start.line,
                start_column: start.column,
                end_line: end.line,
                end_column: end.column,
            },
        },
        message: text.map(|text| Text { text: text.to_owned() }),
    }
}

/// What tells a finding from others though lines come and go above it: what is wrong, in which file, at which words.
fn fingerprint(one: &Found<'_>, base: &Path) -> String {
    let Diagnostic { code, message, labels, .. } = one.diagnostic;
    let mut hasher = Sha256::new();
    let mut part = |text: &str| {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    };
    part(code.word());
    part(message);
    for label in labels {
        part(&one.sources.file(label.span.file).map_or_else(String::new, |file| uri(file, base)));
        part(one.sources.text(label.span));
        part(&label.text);
    }
    let digest = hasher.finalize();
    digest.iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

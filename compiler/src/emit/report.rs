//! Diagnostics for people: the words underlined, in every file that is involved, and what to write instead.

pub use super::harmless::harmless;

use super::found::{Found, counted, found};
use super::harmless::one_line;
use crate::diag::{Detail, Diagnostic, Label, Severity};
use crate::source::{FileId, SourceFile, SourceMap};
use annotate_snippets::{
    AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet, renderer::DecorStyle,
};
use std::fmt::Write;

/// The most diagnostics that are shown; all are counted.
pub const MOST_SHOWN: usize = 50;

/// The longest excerpt of a file that is shown as it is, in bytes; of longer ones only the words' surroundings are.
const LONGEST_EXCERPT: usize = 16 * 1024;
/// How much of a very long line is shown on either side of the words.
const SURROUNDINGS: usize = 60;

/// Whether text carries colour.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For a terminal.
    On,
    /// For everything else.
    Off,
}

/// Returns diagnostics with excerpts, as many as a person reads, and how many more there are.
#[must_use]
pub fn human(diagnostics: &[Diagnostic], sources: &SourceMap, colour: Colour, width: usize) -> String {
    all_human(&found([(diagnostics, sources)]), colour, width)
}

/// Returns the diagnostics of several compilations with excerpts; where there are too many, the errors go first.
#[must_use]
pub fn all_human(all: &[Found<'_>], colour: Colour, width: usize) -> String {
    let renderer = match colour {
        Colour::On => Renderer::styled(),
        Colour::Off => Renderer::plain(),
    };
    let renderer = renderer.decor_style(DecorStyle::Unicode).term_width(width);
    let [(errors, _), _] = counted(all);
    let (mut room_for_errors, mut room_for_warnings) = (MOST_SHOWN, MOST_SHOWN.saturating_sub(errors));
    let shown = all.iter().filter(|one| {
        let room = if one.diagnostic.is_error() { &mut room_for_errors } else { &mut room_for_warnings };
        let fits = *room > 0;
        *room = room.saturating_sub(1);
        fits
    });
    let mut out = String::new();
    for one in shown {
        out.push_str(&renderer.render(&[group(one.diagnostic, one.sources)]));
        out.push_str("\n\n");
    }
    if let Some(hidden) = all.len().checked_sub(MOST_SHOWN).filter(|hidden| *hidden > 0) {
        let _ = writeln!(out, "… and {hidden} more");
    }
    out
}

/// Returns one line a diagnostic: `file:line:column: code: message`.
#[must_use]
pub fn plain(all: &[Found<'_>]) -> String {
    let mut out = String::new();
    for Found { diagnostic, sources } in all {
        if let Some(label) = diagnostic.labels.first() {
            let (file, place) = sources.locate(label.span);
            let _ = write!(out, "{}:{}:{}: ", one_line(file), place.line, place.column);
        }
        let _ = write!(out, "{}: {}", diagnostic.code.word(), one_line(&diagnostic.message));
        if let Some(help) = &diagnostic.help {
            let _ = write!(out, " ({})", one_line(&help.replace('\n', "; ")));
        }
        out.push('\n');
    }
    out
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(harmless(&diagnostic.message)).id(diagnostic.code.word());
    let mut group = Group::with_title(title);
    let mut files: Vec<FileId> = Vec::new();
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    for file_id in files {
        let labels: Vec<&Label> =
            diagnostic.labels.iter().filter(|label| label.span.file == file_id).collect();
        if let Some(file) = sources.file(file_id) {
            for element in excerpt(file, &labels) {
                group = group.element(element);
            }
        }
    }
    if let Detail::Witness { steps, .. } = &diagnostic.detail
        && !steps.is_empty()
    {
        let way: Vec<String> =
            steps.iter().map(|step| format!("{}: {}", step.rule, harmless(&step.text))).collect();
        group = group.element(Level::NOTE.message(format!("the way:\n{}", way.join("\n"))));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(harmless(help)));
    }
    group
}

/// Returns the lines around some labels of one file.
fn excerpt<'a>(file: &'a SourceFile, labels: &[&'a Label]) -> Vec<Element<'a>> {
    let first = labels.iter().map(|label| file.place(label.span.start).line).min().unwrap_or(1);
    let last = labels.iter().map(|label| file.place(label.span.end).line).max().unwrap_or(first);
    let last = last.min(file.line_count());
    let (from, to) = (file.line_range(first).start, file.line_range(last).end);
    let text = file.text.get(from..to).unwrap_or("");
    if text.len() > LONGEST_EXCERPT {
        return labels.iter().flat_map(|label| cropped(file, label)).collect();
    }
    let mut snippet = Snippet::source(text).path(one_line(&file.name)).line_start(first as usize);
    for label in labels {
        snippet = snippet.annotation(annotation(label, from, text.len()));
    }
    vec![snippet.into()]
}

fn annotation<'a>(label: &'a Label, from: usize, length: usize) -> annotate_snippets::Annotation<'a> {
    let kind = match label.primary {
        true => AnnotationKind::Primary,
        false => AnnotationKind::Context,
    };
    let start = (label.span.start as usize).saturating_sub(from).min(length);
    let end = (label.span.end as usize).saturating_sub(from).min(length).max(start);
    kind.span(start..end).label(harmless(&label.text))
}

/// Returns the surroundings of one label in a very long line.
fn cropped<'a>(file: &'a SourceFile, label: &'a Label) -> [Element<'a>; 2] {
    let place = file.place(label.span.start);
    let line = file.line_range(place.line);
    let start = (label.span.start as usize).clamp(line.start, line.end);
    let from = floor(&file.text, start.saturating_sub(SURROUNDINGS).max(line.start));
    let end = (label.span.end as usize).clamp(start, line.end).min(start + SURROUNDINGS);
    let to = floor(&file.text, (end + SURROUNDINGS).min(line.end));
    let text = file.text.get(from..to).unwrap_or("");
    let kind = if label.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
    let span = start - from..floor(&file.text, end).max(start) - from;
    let snippet = Snippet::source(text).line_start(place.line as usize);
    [
        Origin::path(one_line(&file.name))
            .line(place.line as usize)
            .char_column(place.column as usize)
            .into(),
        snippet.annotation(kind.span(span).label(harmless(&label.text))).into(),
    ]
}

/// Returns the nearest boundary of characters at or before an offset.
fn floor(text: &str, mut at: usize) -> usize {
    while at > 0 && !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

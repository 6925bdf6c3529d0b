//! `capc check`: compiles and reports, touches nothing.

use super::{compile, together};
use crate::Compilation;
use crate::cli::{Check, Exit, ReportFormat};
use crate::emit::{diagnostics, report};
use crate::source::{RealFiles, SourceMap};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

/// Checks each file by itself, and homes with the system that is named beside them.
pub fn run(arguments: &Check) -> Exit {
    let mut worst = Exit::Clean;
    let compilations = match together::compile_all(&RealFiles, &arguments.files, &compile::today()) {
        Ok(compilations) => compilations,
        Err(failure) => return failure.report(),
    };
    for compilation in &compilations {
        let exit = print(compilation, arguments.format);
        if exit as u8 > worst as u8 {
            worst = exit;
        }
    }
    worst
}

fn print(compilation: &Compilation, format: ReportFormat) -> Exit {
    let summary = compilation.summary();
    let Compilation { diagnostics, sources, .. } = compilation;
    let exit = match (compilation.has_errors(), compilation.unreadable) {
        (false, _) => Exit::Clean,
        (true, true) => Exit::Usage,
        (true, false) => Exit::Errors,
    };
    match format {
        ReportFormat::Json => {
            let document = diagnostics::document(diagnostics, sources, summary);
            if let Err(failure) = super::print_json(&document) {
                return failure.report();
            }
        }
        ReportFormat::Plain => {
            let _ = std::io::stdout().write_all(report::plain(diagnostics, sources).as_bytes());
        }
        ReportFormat::Human => {
            compile::complain(compilation);
            if exit == Exit::Clean {
                super::say!("{}", good_news(compilation, sources));
            }
        }
    }
    exit
}

/// How many trusted objects are named.
const MOST_NAMES: usize = 8;

/// Returns one line that says what was found in order.
fn good_news(compilation: &Compilation, sources: &SourceMap) -> String {
    let summary = compilation.summary();
    let name = sources.files().next().map_or("", |(_, file)| &file.name);
    let mut line =
        format!("{name}: {}, {}", count(summary.services, "service"), count(summary.holdings, "holding"));
    let assertions = compilation.model.as_ref().map_or(0, |model| model.nevers.len() + model.onlys.len());
    if assertions > 0 {
        let _ = write!(
            line,
            ", {} {}",
            count(assertions, "assertion"),
            if assertions == 1 { "holds" } else { "hold" }
        );
        line.push_str(&resting(compilation));
    }
    line
}

/// Returns on whose trust the assertions rest, if on anybody's: what holds is worth no more than that.
fn resting(compilation: &Compilation) -> String {
    let (Some(model), Some(checked)) = (&compilation.model, &compilation.checked) else {
        return String::new();
    };
    let verdicts = checked.grounds().views.iter().flat_map(|view| &view.found.verdicts);
    let trusted: BTreeSet<&str> =
        verdicts.flat_map(|verdict| &verdict.rests_on).map(|id| &*model.object(*id).name).collect();
    let shown: Vec<String> = trusted.iter().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
    match (shown.as_slice(), trusted.len().saturating_sub(MOST_NAMES)) {
        ([], _) => String::new(),
        (shown, 0) => format!(", resting on the trust in {}", shown.join(", ")),
        (shown, more) => format!(", resting on the trust in {} and {more} more", shown.join(", ")),
    }
}

/// Returns a number with its noun.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

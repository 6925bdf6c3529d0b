//! `capc check`: compiles and reports, touches nothing.

use super::{compile, together};
use crate::Compilation;
use crate::cli::{Check, Exit, ReportFormat};
use crate::emit::{diagnostics, report};
use crate::source::{RealFiles, SourceMap};
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
    }
    line
}

/// Returns a number with its noun.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

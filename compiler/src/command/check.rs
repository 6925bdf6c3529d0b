//! `capc check`: compiles and reports, touches nothing.

use super::{Failure, compile, foreign, together};
use crate::Compilation;
use crate::cli::{Check, Exit, ReportFormat};
use crate::diag::{Code, Severity, nearest};
use crate::emit::diagnostics::{self, Summary};
use crate::emit::found::{Found, counted, found};
use crate::emit::{github, report, sarif};
use crate::lint::Terms;
use crate::model::Date;
use crate::source::RealFiles;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Checks each file by itself, and homes with the system that is named beside them; reports them together.
pub fn run(arguments: &Check) -> Exit {
    check(arguments).unwrap_or_else(|failure| failure.report())
}

fn check(arguments: &Check) -> Result<Exit, Failure> {
    let terms = terms(arguments)?;
    if let Some(init) = arguments.from {
        return foreign::check(arguments, init, &terms);
    }
    let compilations = together::compile_all(&RealFiles, &arguments.files, &terms)?;
    let all = found(compilations.iter().map(|one| (&*one.diagnostics, &one.sources)));
    let good = compilations.iter().filter(|compilation| !compilation.has_errors());
    print(arguments.format, &all, summary(&compilations, &all), &mut good.map(good_news))?;
    let exit = compilations.iter().map(compile::exit).max_by_key(|exit| *exit as u8).unwrap_or(Exit::Clean);
    drop(all);
    // The program ends now, and a million holdings take a while to be taken apart.
    std::mem::forget(compilations);
    Ok(exit)
}

/// Prints what is found in some format; people are told what is in order too.
///
/// # Errors
/// When standard output is closed.
pub fn print(
    format: ReportFormat,
    all: &[Found<'_>],
    summary: Summary,
    good_news: &mut dyn Iterator<Item = String>,
) -> Result<(), Failure> {
    match format {
        ReportFormat::Human => {
            compile::complain_of(all);
            for line in good_news {
                super::say!("{line}");
            }
        }
        ReportFormat::Plain => super::say_as_is!("{}", report::plain(all)),
        ReportFormat::Json => super::print_json(&diagnostics::document(all, summary))?,
        ReportFormat::Sarif => super::print_json(&sarif::log(all, &here()))?,
        ReportFormat::Github => super::say_as_is!("{}", github::commands(all, &here())),
    }
    Ok(())
}

/// Returns the directory that files are named from, or the root where there is none any more.
fn here() -> PathBuf {
    std::path::absolute(".")
        .and_then(|path| path.canonicalize())
        .unwrap_or_else(|_| Path::new("/").to_owned())
}

/// Returns the numbers of all; what two files say alike counts once.
fn summary(compilations: &[Compilation], all: &[Found<'_>]) -> Summary {
    let mut summary = Summary::default();
    for compilation in compilations {
        summary += compilation.summary();
    }
    let [(errors, _), (warnings, _)] = counted(all);
    Summary { errors, warnings, ..summary }
}

/// Returns the terms that the options ask for.
fn terms(arguments: &Check) -> Result<Terms, Failure> {
    let mut terms = compile::today();
    if let Some(text) = &arguments.at {
        let date = Date::parse(text);
        let wrong = || Failure::usage(format!("--at `{text}`: not a day like 2027-01-31"));
        terms.at = Some(date.ok_or_else(wrong)?);
    }
    if arguments.deny_warnings {
        terms.others = Severity::Error;
    }
    for word in &arguments.warn {
        let code = code("--warn", word)?;
        if !code.is_lint() {
            return Err(Failure::usage(format!(
                "--warn {word}: an error stays an error; only lints have levels"
            )));
        }
        terms.lints.insert(code, Severity::Warning);
    }
    for word in &arguments.deny {
        let code = code("--deny", word)?;
        if terms.lints.insert(code, Severity::Error) == Some(Severity::Warning) {
            return Err(Failure::usage(format!("both --deny {word} and --warn {word} are given")));
        }
    }
    Ok(terms)
}

fn code(option: &str, word: &str) -> Result<Code, Failure> {
    Code::named(word).ok_or_else(|| {
        let meant = nearest(word, Code::ALL.iter().map(|code| code.word()));
        let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        Failure::usage(format!("{option}: no code is named `{word}`{meant}"))
    })
}

/// How many trusted objects are named.
const MOST_NAMES: usize = 8;

/// Returns one line that says what was found in order.
fn good_news(compilation: &Compilation) -> String {
    let summary = compilation.summary();
    let name = compilation.sources.files().next().map_or("", |(_, file)| &file.name);
    let name = crate::emit::harmless::one_line(name);
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

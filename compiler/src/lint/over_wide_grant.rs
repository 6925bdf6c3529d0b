//! `over-wide-grant`: a right that goes on under another name, and that nothing behind the name asks for.

use super::Finding;
use crate::diag::{Code, Diagnostic};
use crate::model::{Model, PassedAs};

/// One finding for each `takes` and each `facet`.
pub fn check(model: &Model) -> Vec<Finding> {
    let mut findings = Vec::new();
    for passing in &model.passings {
        // What nothing asks for at all is another lint's.
        let Some(asked) = passing.asked.filter(|asked| !asked.is_empty()) else { continue };
        let idle = passing.rights.without(asked);
        if idle.is_empty() {
            continue;
        }
        let words = |rights| {
            let words: Vec<String> = passing.kind.words(rights).map(|word| format!("`{word}`")).collect();
            words.join(" ")
        };
        let message = format!("`{}` carries {}, which nothing behind it asks for", passing.name, words(idle));
        let text = match passing.passed_as {
            PassedAs::Parameter => "asked of every user",
            PassedAs::Facet => "made here",
        };
        let diagnostic = Diagnostic::new(Code::OverWideGrant, message, passing.span, text)
            .help(format!("name only {}", words(passing.rights.and(asked))));
        findings.push(Finding::of(Vec::new(), diagnostic));
    }
    findings
}

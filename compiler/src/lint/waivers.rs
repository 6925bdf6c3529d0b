//! `allow`: takes away the findings that somebody answers for, and reports waivers that do nothing.

use super::{Finding, Thing, resource_of};
use crate::diag::{Code, Diagnostic, nearest};
use crate::model::{Date, Model, Waived, Waiver};
use crate::source::Span;
use std::collections::BTreeMap;

/// Returns what is left, and what is wrong with waivers.
pub fn apply(model: &Model, findings: Vec<Finding>, at: Option<Date>) -> Vec<Diagnostic> {
    let mut by_code: BTreeMap<Code, Vec<usize>> = BTreeMap::new();
    let mut by_thing: BTreeMap<(Code, Thing), Vec<usize>> = BTreeMap::new();
    for (index, waiver) in model.waivers.iter().enumerate() {
        let Some(code) = Code::named(&waiver.code.0) else { continue };
        let on = match waiver.on {
            None => {
                by_code.entry(code).or_default().push(index);
                continue;
            }
            Some(Waived::Object(object, _)) => Thing::Object(object),
            Some(Waived::Capability(capability, _)) => Thing::Capability(capability),
        };
        by_thing.entry((code, whole(model, on))).or_default().push(index);
    }
    let mut needed: Vec<Option<Span>> = vec![None; model.waivers.len()];
    let mut diagnostics = Vec::new();
    for Finding { about, diagnostic } in findings {
        let code = diagnostic.code;
        let on = about.iter().filter_map(|thing| by_thing.get(&(code, whole(model, *thing))));
        let waived: Vec<usize> = on.chain(by_code.get(&code)).flatten().copied().collect();
        for index in &waived {
            if let Some(place) = needed.get_mut(*index) {
                *place = place.or(diagnostic.labels.first().map(|label| label.span));
            }
        }
        if waived.is_empty() {
            diagnostics.push(diagnostic);
        }
    }
    let idle = model.waivers.iter().zip(needed).filter_map(|(waiver, needed)| problem(waiver, needed, at));
    diagnostics.extend(idle);
    diagnostics
}

/// A waiver on a part is one on the whole: it is the declared name that people answer for.
fn whole(model: &Model, thing: Thing) -> Thing {
    match thing {
        Thing::Capability(capability) => {
            resource_of(model, capability).map_or(Thing::Capability(capability), Thing::Object)
        }
        Thing::Object(_) => thing,
    }
}

fn problem(waiver: &Waiver, needed: Option<Span>, at: Option<Date>) -> Option<Diagnostic> {
    let (code, code_span) = &waiver.code;
    let Some(known) = Code::named(code) else {
        let wrong =
            Diagnostic::new(Code::Vacuous, format!("no lint is named `{code}`"), *code_span, "not a lint");
        let lints = Code::ALL.iter().filter(|code| code.is_lint()).map(|code| code.word());
        return Some(match nearest(code, lints) {
            Some(meant) => wrong.help(format!("did you mean `{meant}`?")),
            None => wrong.help("name a lint that `capc check` reports"),
        });
    };
    if !known.is_lint() {
        let message = format!("`{code}` is an error, which no waiver takes away");
        let wrong = Diagnostic::new(Code::Vacuous, message, *code_span, "not a lint");
        return Some(wrong.help("mend what is wrong; `allow` waives lints only"));
    }
    let Some(needed) = needed else {
        let message = format!("there is no `{code}` here to allow");
        let wrong = Diagnostic::new(Code::Vacuous, message, waiver.span, "not needed");
        return Some(wrong.help("take the waiver away"));
    };
    let (until, span) = waiver.until?;
    at.filter(|at| *at > until).map(|at| {
        let message =
            format!("this waiver of `{code}` has run out: it counted until {until}, and today is {at}");
        Diagnostic::new(Code::Vacuous, message, span, "run out")
            .label(needed, "what it waived")
            .help("mend what it waived, or review it again and write another day")
    })
}

//! `assertion-failed`: a `never` that does not hold, with a shortest chain as the witness.

use crate::authority::{Authority, Chain};
use crate::diag::{Code, Detail, Diagnostic, Step};
use crate::holdings::Holdings;
use crate::model::{Level, Model, Never, ObjectId};
use std::collections::BTreeMap;

/// Checks every assertion, each as its own scope sees trust; scopes that see it alike share one graph.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Diagnostic> {
    let trusted: Vec<ObjectId> =
        model.objects().filter(|(_, object)| object.trusted.is_some()).map(|(id, _)| id).collect();
    let mut by_trust: BTreeMap<Vec<bool>, Vec<&Never>> = BTreeMap::new();
    let mut of_scope: BTreeMap<ObjectId, Vec<bool>> = BTreeMap::new();
    for never in model.nevers.iter().filter(|never| model.object(never.subject).is_subject()) {
        let seen = of_scope.entry(never.scope);
        let trust =
            seen.or_insert_with(|| trusted.iter().map(|id| model.is_trusted(*id, never.scope)).collect());
        by_trust.entry(trust.clone()).or_default().push(never);
    }
    let mut diagnostics = Vec::new();
    for (trust, nevers) in by_trust {
        let mut all = vec![false; model.objects.len()];
        for (id, is_trusted) in trusted.iter().zip(trust) {
            if let Some(place) = all.get_mut(id.index()) {
                *place = is_trusted;
            }
        }
        let authority = Authority::with_trust(model, holdings, &all);
        for never in nevers {
            if let Some(chain) = authority.chain(never.subject, never.capability, never.rights, never.level) {
                diagnostics.push(report(&authority, never, &chain));
            }
        }
    }
    diagnostics
}

fn report(authority: &Authority<'_>, never: &Never, chain: &Chain<'_>) -> Diagnostic {
    let model = authority.model;
    let subject = &model.object(never.subject).name;
    let known = model.capability(never.capability);
    let rights: Vec<String> = known.kind.words(chain.rights).map(|word| format!("`{word}`")).collect();
    let verb = match (never.level, chain.hops.is_empty()) {
        (Level::Hold, true) => "holds",
        (Level::Hold, false) => "could come to hold",
        (Level::Reach, _) => "can reach",
    };
    let message = format!("`{subject}` {verb} `{}` ({})", known.name, rights.join(", "));
    let steps: Vec<Step> = authority.steps(chain, never.capability, never.level);
    let mut diagnostic =
        Diagnostic::new(Code::AssertionFailed, message, never.span, "asserted never to be so");
    for step in &steps {
        diagnostic = diagnostic.label(step.span, step.text.clone());
    }
    let base = authority.trusted_base(never.subject, never.capability, never.rights, never.level);
    let help = match &base {
        _ if chain.hops.is_empty() => {
            format!("take `{}` from `{subject}`, or leave the assertion out", known.name)
        }
        Some(base) => {
            let names: Vec<String> = base.iter().map(|id| format!("`{}`", model.object(*id).name)).collect();
            let trust = match names.as_slice() {
                [only] => format!(
                    "review {only} and mark it `trusted`, with the reason why it relays nothing of this"
                ),
                all => format!(
                    "review {} and mark them `trusted`, with the reason why they relay nothing of this",
                    all.join(" and ")
                ),
            };
            format!("take one of these steps away, or {trust}")
        }
        None => "take one of these steps away; no trust could mend it".to_owned(),
    };
    let trusted_base = base.map(|base| base.iter().map(|id| model.object(*id).name.to_string()).collect());
    diagnostic.help(help).detail(Detail::Witness { steps, trusted_base })
}

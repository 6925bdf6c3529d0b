//! `assertion-failed`: a `never` or `only` that does not hold, with a shortest chain as the witness.

use crate::authority::{Authority, Claim, Graph, Through, Who};
use crate::certificate::{Grounds, View};
use crate::diag::{Code, Detail, Diagnostic, Step};
use crate::holdings::Holdings;
use crate::model::{Level, Model, ObjectId};
use crate::source::Span;
use std::collections::BTreeMap;
use std::ops::Deref;

/// How many edges may be looked at for witnesses and trusted bases, so that many failures in a large graph end in time.
const MOST_EDGES: usize = 400_000_000;
/// How many offenders against an `only` have a label of their own.
const MOST_OFFENDERS: usize = 4;

/// An assertion with its place and the scope that makes it.
struct Asserted {
    claim: Claim,
    scope: ObjectId,
    span: Span,
}

/// Checks every assertion, each as its own scope sees trust, and returns what those that hold rest on.
///
/// Scopes that see trust alike share one graph, and all assertions about one graph are decided together.
pub fn check<'m>(
    model: &'m Model,
    holdings: &'m Holdings,
    system: &impl Deref<Target = Authority<'m>>,
) -> (Vec<Diagnostic>, Grounds) {
    let mut views: BTreeMap<Vec<bool>, Vec<Asserted>> = BTreeMap::new();
    let mut of_scope: BTreeMap<ObjectId, Vec<bool>> = BTreeMap::new();
    for asserted in asserted(model) {
        let seen = of_scope.entry(asserted.scope);
        let trust = seen
            .or_insert_with(|| model.objects().map(|(id, _)| model.is_trusted(id, asserted.scope)).collect());
        views.entry(trust.clone()).or_default().push(asserted);
    }
    let mut diagnostics = Vec::new();
    let mut grounds = Grounds::default();
    let mut effort = MOST_EDGES;
    for (trusted, mut asserted) in views {
        asserted.sort_by_key(|asserted| asserted.span);
        let own;
        let authority = if trusted == system.trusted {
            &**system
        } else {
            own = Authority::with_trust(model, holdings, &trusted);
            &own
        };
        let claims: Vec<Claim> = asserted.iter().map(|asserted| asserted.claim.clone()).collect();
        let found = authority.decide(&claims);
        for (asserted, verdict) in asserted.iter().zip(&found.verdicts) {
            if !verdict.offenders.is_empty() {
                diagnostics.push(report(authority, asserted, &verdict.offenders, &mut effort));
            }
        }
        let spans = asserted.iter().map(|asserted| asserted.span).collect();
        grounds.views.push(View { trusted, claims, spans, found });
    }
    (diagnostics, grounds)
}

/// Returns what is asserted of subjects; of what can never apply `vacuous` says so.
fn asserted(model: &Model) -> impl Iterator<Item = Asserted> {
    let is_subject = |id: &ObjectId| model.object(*id).is_subject();
    let nevers = model.nevers.iter().filter(move |never| is_subject(&never.subject));
    let nevers = nevers.map(|never| Asserted { claim: never.into(), scope: never.scope, span: never.span });
    let onlys = model.onlys.iter().filter(move |only| only.subjects.iter().all(|(id, _)| is_subject(id)));
    nevers.chain(onlys.map(|only| Asserted { claim: only.into(), scope: only.scope, span: only.span }))
}

fn report(
    authority: &Authority<'_>,
    asserted: &Asserted,
    offenders: &[ObjectId],
    effort: &mut usize,
) -> Diagnostic {
    let model = authority.model;
    let Claim { who, capability, rights, level } = &asserted.claim;
    let name = |id: &ObjectId| format!("`{}`", model.object(*id).name);
    let known = model.capability(*capability);
    let first = offenders.first().copied().unwrap_or(crate::model::OUTSIDE);
    let cost = authority.edges.len() + authority.nodes();
    let mut afford = |times: usize| {
        let enough = *effort >= times * cost;
        *effort -= if enough { times * cost } else { 0 };
        enough
    };
    let chain = if afford(1) { authority.chain(first, *capability, *rights, *level) } else { None };
    let by_itself = chain.as_ref().is_some_and(|chain| chain.hops.is_empty());
    let had = chain.as_ref().map_or(*rights, |chain| chain.rights);
    let words: Vec<String> = known.kind.words(had).map(|word| format!("`{word}`")).collect();
    let verb = match (level, by_itself) {
        (Level::Hold, true) => "holds",
        (Level::Hold, false) => "could come to hold",
        (Level::Reach, _) => "can reach",
    };
    let others = match offenders.len() - 1 {
        0 => String::new(),
        1 => format!(", and so can {}", offenders.get(1).map(name).unwrap_or_default()),
        more => format!(", and so can {more} others"),
    };
    let message = format!("{} {verb} `{}` ({}){others}", name(&first), known.name, words.join(", "));
    // Of a module's assertion each instance has one of its own.
    let scope = model.object(asserted.scope);
    let instance = scope.name.trim_end_matches('/');
    let message = match instance {
        "" => message,
        instance => format!("{message}, which `{instance}` rules out"),
    };
    let text = match who {
        Who::Never(_) => "asserted never to be so",
        Who::Only(_) => "asserted of nobody else",
    };
    let mut diagnostic = Diagnostic::new(Code::AssertionFailed, message, asserted.span, text).about(instance);
    let steps: Vec<Step> =
        chain.as_ref().map_or_else(Vec::new, |chain| authority.steps(chain, *capability, *level));
    for step in &steps {
        diagnostic = diagnostic.label(step.span, step.text.clone());
    }
    for other in offenders.iter().skip(1).take(MOST_OFFENDERS - 1) {
        diagnostic = diagnostic.label(model.object(*other).span, format!("{} can too", name(other)));
    }
    let looked = !by_itself && chain.is_some() && afford(8);
    let base = if looked { authority.trusted_base(&asserted.claim) } else { None };
    let help = match (&chain, base.as_deref()) {
        (None, _) => {
            format!(
                "ask `capc why {} {}` for the steps, and take one away",
                model.object(first).name,
                known.name
            )
        }
        (Some(_), Some(base)) => review(&base.iter().map(name).collect::<Vec<_>>()),
        (Some(_), None) if by_itself || looked => match itself(authority, &asserted.claim, offenders) {
            Some((why, mend)) if by_itself => {
                format!("{mend}, or leave the assertion out: {why}, so no trust could mend it")
            }
            Some((why, mend)) => {
                format!("take one of these steps away; no trust could mend it, as {why}: {mend}")
            }
            None => "take one of these steps away; no trust could mend it".to_owned(),
        },
        (Some(_), None) => "take one of these steps away".to_owned(),
    };
    // A descriptor crosses where somebody is talked to, unless the facet says that none does.
    let talks = |step: &Step| step.rule == "pass";
    let help = match *level == Level::Hold && !by_itself && steps.iter().any(talks) {
        true => help + "; or let only data cross where they talk (`data-only` in the facet's braces)",
        false => help,
    };
    let trusted_base = base.map(|base| base.iter().map(|id| model.object(*id).name.to_string()).collect());
    diagnostic.help(help).detail(Detail::Witness { steps, trusted_base })
}

/// Returns what to do where trust mends it.
fn review(base: &[String]) -> String {
    let (whom, it, relay) = match base {
        [only] => (only.clone(), "it", "it relays"),
        more => (more.join(" and "), "them", "they relay"),
    };
    format!(
        "take one of these steps away, or review {whom} and mark {it} `trusted`, with the reason why {relay} nothing of this"
    )
}

/// Returns how the first of some offenders that has it by itself comes by it, and what takes it away.
fn itself(authority: &Authority<'_>, claim: &Claim, offenders: &[ObjectId]) -> Option<(String, String)> {
    let model = authority.model;
    let held =
        |id: &ObjectId| Some((*id, authority.held_of(*id, claim.capability, claim.rights, claim.level)?));
    let (subject, held) = offenders.iter().find_map(held)?;
    let subject = &model.object(subject).name;
    let path = held.place.map_or("", |place| authority.path_of(place));
    let what = held.capability.map_or(path, |capability| &*model.capability(capability).name);
    Some(match held.through {
        Through::Holding => (
            format!("`{subject}` itself holds `{what}`"),
            format!("take what gives `{what}` from `{subject}`"),
        ),
        Through::Own => (
            format!("`{subject}` is itself made of, or configured by, `{what}`"),
            format!("let `{subject}` do without `{what}`"),
        ),
        Through::Exposed(facet) => {
            let facet = model.facet(facet);
            let maker = &model.object(facet.owner).name;
            (
                format!("`{subject}` counts as holding `{what}` itself, because `{maker}` exposes it"),
                format!("take `{what}` out of what `{maker}.{}` exposes", facet.name),
            )
        }
    })
}

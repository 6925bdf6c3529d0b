//! `assertion-failed`: a `never` that does not hold, with a shortest chain as the witness.

use crate::authority::{Authority, Chain, EdgeRule};
use crate::diag::{Code, Detail, Diagnostic, Step};
use crate::holdings::Holdings;
use crate::model::{CapId, Level, Model, Never, ObjectId, RECONFIGURE, Rights};
use std::collections::BTreeMap;

/// Checks every assertion, each as its own scope sees trust.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Diagnostic> {
    let mut by_scope: BTreeMap<ObjectId, Vec<&Never>> = BTreeMap::new();
    for never in &model.nevers {
        by_scope.entry(never.scope).or_default().push(never);
    }
    let mut diagnostics = Vec::new();
    for (scope, nevers) in by_scope {
        let authority = Authority::new(model, holdings, scope);
        for never in nevers {
            if !model.object(never.subject).is_subject() {
                continue;
            }
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
    let verb = match never.level {
        Level::Hold => "hold",
        Level::Reach => "reach",
    };
    let message = format!("`{subject}` can {verb} `{}` ({})", known.name, rights.join(", "));
    let steps = steps(authority, chain, never.capability, never.level);
    let mut diagnostic =
        Diagnostic::new(Code::AssertionFailed, message, never.span, "asserted never to be so");
    for step in &steps {
        diagnostic = diagnostic.label(step.span, step.text.clone());
    }
    let relays: Vec<ObjectId> = relays(authority, chain);
    let base = trusted_base(authority, never, &relays);
    let help = match (&base, chain.edges.is_empty()) {
        (_, true) => format!("take `{}` from `{subject}`", known.name),
        (Some(base), _) => {
            let names: Vec<String> = base.iter().map(|name| format!("`{name}`")).collect();
            format!(
                "take one of these steps away, or, if it relays nothing of this, mark {} as `trusted` with the reason",
                names.join(" and ")
            )
        }
        (None, _) => "take one of these steps away".to_owned(),
    };
    diagnostic.help(help).detail(Detail::Witness { steps, trusted_base: base })
}

/// Returns those of a chain that would stop relaying if they were trusted, each once.
fn relays(authority: &Authority<'_>, chain: &Chain<'_>) -> Vec<ObjectId> {
    let relaying = chain.edges.iter().filter(|edge| edge.rule != EdgeRule::Control).map(|edge| edge.to);
    let mut relays: Vec<ObjectId> =
        relaying.filter(|id| authority.model.object(*id).service().is_some()).collect();
    relays.sort_by(|a, b| authority.model.object(*a).name.cmp(&authority.model.object(*b).name));
    relays.dedup();
    relays
}

/// Returns a smallest set whose being trusted would mend the assertion: by breadth, the sets in name order.
///
/// Candidates are those on shortest chains found on the way; a set that mends the assertion holds one of each chain.
fn trusted_base(authority: &Authority<'_>, never: &Never, relays: &[ObjectId]) -> Option<Vec<String>> {
    const MOST_SETS: usize = 200;
    let mut level: Vec<Vec<ObjectId>> = relays.iter().map(|relay| vec![*relay]).collect();
    let mut tried = 0;
    while !level.is_empty() && tried < MOST_SETS {
        let mut next = Vec::new();
        for set in level {
            tried += 1;
            if tried > MOST_SETS {
                break;
            }
            let mut model = authority.model.clone();
            for id in &set {
                if let Some(object) = model.objects.get_mut(id.index()) {
                    object.trusted = Some(never.span);
                    object.scope = never.scope;
                }
                // What the newly trusted say they expose is not counted.
                for facet in model.facets.iter_mut().filter(|facet| facet.owner == *id) {
                    facet.exposes.clear();
                }
            }
            let trying = Authority::new(&model, authority.holdings, never.scope);
            match trying.chain(never.subject, never.capability, never.rights, never.level) {
                None => {
                    let mut names: Vec<String> =
                        set.iter().map(|id| model.object(*id).name.to_string()).collect();
                    names.sort_unstable();
                    return Some(names);
                }
                Some(chain) => {
                    for relay in self::relays(&trying, &chain) {
                        let mut larger = set.clone();
                        if !larger.contains(&relay) {
                            larger.push(relay);
                            larger.sort();
                            if !next.contains(&larger) {
                                next.push(larger);
                            }
                        }
                    }
                }
            }
        }
        level = next;
    }
    None
}

/// Returns a chain as steps for people and programs; the last says how the end of it has the capability.
pub fn steps(authority: &Authority<'_>, chain: &Chain<'_>, asked: CapId, level: Level) -> Vec<Step> {
    let model = authority.model;
    let name = |id: ObjectId| model.object(id).name.to_string();
    let mut steps: Vec<Step> = chain
        .edges
        .iter()
        .map(|edge| {
            let (from, to) = (name(edge.from), name(edge.to));
            let text = match edge.rule {
                EdgeRule::Use => format!("`{from}` can ask `{to}`"),
                EdgeRule::Pass => format!("`{to}` can hand things to `{from}`"),
                EdgeRule::Share => format!("`{from}` and `{to}` share files"),
                EdgeRule::Meet => format!("`{from}` and `{to}` can meet at a socket"),
                EdgeRule::Control => format!("`{from}` can make `{to}` do anything"),
            };
            Step { rule: edge.rule.word(), from, to, span: edge.span, text }
        })
        .collect();
    steps.extend(last(authority, chain.holder, asked, chain.rights, level));
    steps
}

/// Returns how somebody by itself has a capability, or what contains it, or a part of it.
fn last(
    authority: &Authority<'_>,
    holder: ObjectId,
    asked: CapId,
    rights: Rights,
    level: Level,
) -> Option<Step> {
    let model = authority.model;
    let (who, what) = (model.object(holder).name.to_string(), model.capability(asked).name.to_string());
    if holder == RECONFIGURE {
        let span = model.object(holder).span;
        return Some(Step {
            rule: "axiom",
            from: who,
            to: what,
            span,
            text: "`reconfigure` holds every resource".to_owned(),
        });
    }
    let found = authority
        .held(holder, level)
        .find(|held| !authority.rights_through(held.capability, held.rights, asked).and(rights).is_empty());
    let Some(held) = found else {
        let span = model.object(holder).span;
        let text = format!("`{who}` is made of what lies there");
        return Some(Step { rule: "creation", from: who, to: what, span, text });
    };
    let known = &model.capability(held.capability).name;
    if let Some(facet) = held.through {
        let facet = model.facet(facet);
        let text = format!("`{}` exposes `{known}` to `{who}`", model.object(facet.owner).name);
        return Some(Step { rule: "use", from: who, to: what, span: facet.span, text });
    }
    let holding = authority.holdings.get(holder, held.capability)?;
    let step = authority.holdings.shortest(model, holding).last().copied()?;
    Some(Step {
        rule: step.rule.word(),
        from: who.clone(),
        to: what,
        span: step.span,
        text: format!("`{who}` holds `{known}`"),
    })
}

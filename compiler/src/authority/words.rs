//! Chains in words: each step with its rule, its place, and a sentence.

use super::edges::EdgeRule;
use super::graph::Graph;
use super::walk::Hop;
use super::{Carries, Chain, Through};
use crate::diag::Step;
use crate::model::{CapId, Derivation, Level, ObjectId, RECONFIGURE, Rights, Rule};

/// Returns a chain as steps for people and programs; the last says how the end of it has the capability.
pub fn steps(graph: &impl Graph, chain: &Chain, capability: CapId, level: Level) -> Vec<Step> {
    let mut steps: Vec<Step> = chain.hops.iter().filter_map(|hop| step(graph, hop)).collect();
    steps.extend(last_step(graph, chain.holder, capability, chain.rights, level));
    steps
}

/// Returns one step of a derivation in words.
pub fn derived(graph: &impl Graph, step: &Derivation) -> Step {
    let holder = called(graph, step.holder);
    let what = graph.capability_name(step.capability);
    let giver = step.from.map(|from| called(graph, from.holder));
    let text = match (step.rule, &giver) {
        (Rule::Axiom, _) => {
            format!("{holder} holds `{what}`, as every resource that the system declares")
        }
        (Rule::Creation, None) => format!("{holder} holds `{what}`, which it made"),
        (Rule::Creation, Some(giver)) if *giver == holder => {
            format!("{holder} attenuates it to `{what}`")
        }
        (Rule::Creation, Some(giver)) => format!("{giver} gives `{what}` to {holder}"),
        (Rule::Endowment, Some(giver)) => format!("{giver} endows {holder} with `{what}`"),
        (Rule::Introduction, Some(giver)) => format!("{giver} grants `{what}` to {holder}"),
        (Rule::Endowment | Rule::Introduction, None) => format!("{holder} holds `{what}`"),
    };
    let from = graph.name_of(step.holder).to_owned();
    let to = step.from.map_or_else(|| what.to_string(), |from| graph.name_of(from.holder).to_owned());
    Step { rule: step.rule.word(), from, to, span: step.span, text }
}

/// Returns a step from object to object in words.
pub fn step(graph: &impl Graph, hop: &Hop) -> Option<Step> {
    let (first, last) = (hop.edges.first()?, hop.edges.last()?);
    let (from, to) = (graph.name_of(hop.from).to_owned(), graph.name_of(hop.to).to_owned());
    // The first meeting is where the one who obtains comes in, the last where the other is.
    let mut meetings = hop.edges.iter().filter_map(|edge| graph.met_over(edge.to));
    let here = meetings.next();
    let there = meetings.next_back().or(here);
    let over = match (here, there) {
        (Some(here), Some(there)) if here != there => {
            format!(" (`{here}` and `{there}`)")
        }
        (Some(here), _) => format!(" (`{here}`)"),
        (None, _) => String::new(),
    };
    let text = match first.rule {
        EdgeRule::Use if last.consent => {
            format!("`{to}` hands out to `{from}` what it offers, when the person consents")
        }
        EdgeRule::Use => format!("`{from}` may ask `{to}` to act for it{over}"),
        EdgeRule::Pass => format!("`{to}` talks to `{from}` and may hand over or tell what it has{over}"),
        EdgeRule::Share if first.carries.has(Carries::EFFECT) => {
            format!("`{to}` reads and may act on what `{from}` writes{over}")
        }
        EdgeRule::Share => format!("`{from}` reads what `{to}` may write{over}"),
        EdgeRule::Meet => format!("`{from}` and `{to}` can meet over a socket of their own{over}"),
        EdgeRule::Control if hop.to == RECONFIGURE => {
            let why = graph.root_words(hop.from).map(|why| format!(": {why}")).unwrap_or_default();
            format!("`{from}` controls `reconfigure`{why}")
        }
        EdgeRule::Control if hop.from == RECONFIGURE => {
            format!("`reconfigure` controls `{to}`, as everybody")
        }
        EdgeRule::Control if last.relayed => {
            format!("`{to}` controls `{from}` and may do for it what it can{over}")
        }
        EdgeRule::Control => format!("`{from}` can make `{to}` do anything{over}"),
    };
    Some(Step { rule: first.rule.word(), from, to, span: first.span, text })
}

/// Returns how an object by itself has a capability, or what contains it, or a part of it.
fn last_step(
    graph: &impl Graph,
    holder: ObjectId,
    capability: CapId,
    rights: Rights,
    level: Level,
) -> Option<Step> {
    let held = graph.held_of(holder, capability, rights, level)?;
    let (who, what) = (graph.name_of(holder).to_owned(), graph.capability_name(capability).to_owned());
    let path = held.place.map_or("", |place| graph.path_of(place));
    let name = held.capability.map_or(path, |capability| graph.capability_name(capability));
    let also = if name == what { String::new() } else { format!(" (`{name}`)") };
    let (rule, text) = match held.through {
        Through::Holding => {
            let rule = held.capability.and_then(|capability| graph.rule(holder, capability));
            let rule = rule.map_or("endowment", Rule::word);
            (rule, format!("`{who}` holds it{also}"))
        }
        Through::Own => {
            ("creation", format!("`{who}` is made of, or configured by, what lies there (`{path}`)"))
        }
        Through::Exposed(facet) => {
            let (owner, name) = graph.facet_name(facet);
            let owner = graph.name_of(owner);
            let text =
                format!("`{owner}`, which is trusted, exposes it to `{who}` through `{owner}.{name}`{also}");
            ("use", text)
        }
    };
    Some(Step { rule, from: who, to: what, span: held.span, text })
}

/// Returns how a holder is spoken of: a scope by what it is, anything else by its name.
fn called(graph: &impl Graph, holder: ObjectId) -> String {
    let name = graph.name_of(holder);
    match name.strip_suffix('/') {
        Some("") => "the system".to_owned(),
        Some(instance) => format!("the instance `{instance}`"),
        None => format!("`{name}`"),
    }
}

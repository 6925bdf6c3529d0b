//! Chains in words: each step with its rule, its place, and a sentence.

use super::edges::EdgeRule;
use super::walk::Hop;
use super::{Authority, Carries, Chain, Held, Through};
use crate::diag::Step;
use crate::model::{CapId, Derivation, Level, ObjectId, RECONFIGURE, Rights, Rule};

impl Authority<'_> {
    /// Returns a chain as steps for people and programs; the last says how the end of it has the capability.
    #[must_use]
    pub fn steps(&self, chain: &Chain<'_>, capability: CapId, level: Level) -> Vec<Step> {
        let mut steps: Vec<Step> = chain.hops.iter().filter_map(|hop| self.step(hop)).collect();
        steps.extend(self.last_step(chain.holder, capability, chain.rights, level));
        steps
    }

    /// Returns the derivation of what an object holds, step by step.
    #[must_use]
    pub fn provenance(&self, holder: ObjectId, capability: CapId) -> Vec<Step> {
        let Some(holding) = self.holdings.get(holder, capability) else { return Vec::new() };
        self.holdings.shortest(self.model, holding).into_iter().map(|step| self.derived(step)).collect()
    }

    /// Returns one step of a derivation in words.
    #[must_use]
    pub fn derived(&self, step: &Derivation) -> Step {
        let model = self.model;
        let holder = called(self, step.holder);
        let what = &model.capability(step.capability).name;
        let giver = step.from.map(|from| called(self, from.holder));
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
        let from = model.object(step.holder).name.to_string();
        let to =
            step.from.map_or_else(|| what.to_string(), |from| model.object(from.holder).name.to_string());
        Step { rule: step.rule.word(), from, to, span: step.span, text }
    }

    /// Returns a step from object to object in words.
    #[must_use]
    pub fn step(&self, hop: &Hop<'_>) -> Option<Step> {
        let (first, last) = (hop.edges.first()?, hop.edges.last()?);
        let (from, to) =
            (self.model.object(hop.from).name.to_string(), self.model.object(hop.to).name.to_string());
        // The first meeting is where the one who obtains comes in, the last where the other is.
        let mut meetings = hop.edges.iter().filter_map(|edge| self.meeting(edge.to));
        let here = meetings.next();
        let there = meetings.next_back().or(here);
        let over = match (here, there) {
            (Some(here), Some(there)) if here.subject != there.subject => {
                format!(" (`{}` and `{}`)", here.subject, there.subject)
            }
            (Some(here), _) => format!(" (`{}`)", here.subject),
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
                format!("`{from}` controls `reconfigure`{}", self.why_root(hop.from))
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

    fn why_root(&self, subject: ObjectId) -> String {
        let reason = self.root_reasons(subject).into_iter().next();
        reason.map(|(_, reason, path)| format!(": {}", reason.words(path))).unwrap_or_default()
    }

    /// Returns how an object by itself has a capability, or what contains it, or a part of it.
    fn last_step(&self, holder: ObjectId, capability: CapId, rights: Rights, level: Level) -> Option<Step> {
        let asked = self.asked(capability);
        let counts = |held: &&Held| {
            held.counts_at(level) && !self.extent_of(held, asked).rights().and(rights).is_empty()
        };
        // What is held by that very name explains more than what contains it.
        let by_name =
            self.held(holder).iter().filter(counts).find(|held| held.capability == Some(capability));
        let held = by_name.or_else(|| self.held(holder).iter().find(counts))?;
        let (who, what) =
            (self.model.object(holder).name.to_string(), self.model.capability(capability).name.to_string());
        let path = held.place.map_or("", |place| self.places.path(place));
        let name = held.capability.map_or(path, |capability| &self.model.capability(capability).name);
        let also = if name == what { String::new() } else { format!(" (`{name}`)") };
        let (rule, text) = match held.through {
            Through::Holding => {
                let rule = held.capability.and_then(|capability| self.holdings.get(holder, capability));
                let rule = rule
                    .and_then(|holding| self.holdings.last_step(self.model, holding))
                    .map_or("endowment", |step| step.rule.word());
                (rule, format!("`{who}` holds it{also}"))
            }
            Through::Own => {
                ("creation", format!("`{who}` is made of, or configured by, what lies there (`{path}`)"))
            }
            Through::Exposed(facet) => {
                let facet = self.model.facet(facet);
                let owner = &self.model.object(facet.owner).name;
                (
                    "use",
                    format!(
                        "`{owner}`, which is trusted, exposes it to `{who}` through `{owner}.{}`{also}",
                        facet.name
                    ),
                )
            }
        };
        Some(Step { rule, from: who, to: what, span: held.span, text })
    }
}

/// Returns how a holder is spoken of: a scope by what it is, anything else by its name.
fn called(authority: &Authority<'_>, holder: ObjectId) -> String {
    let name = &*authority.model.object(holder).name;
    match name.strip_suffix('/') {
        Some("") => "the system".to_owned(),
        Some(instance) => format!("the instance `{instance}`"),
        None => format!("`{name}`"),
    }
}

//! `unreachable-facet`: a facet that nobody can talk to.
//!
//! Ports are left out: whoever is on the network that they listen on can talk to them, holder or not.

use super::{Finding, Thing, holders};
use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{CapId, Model, Statement, Target, Transport};

/// One finding for each facet.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Finding> {
    let mut reached = vec![false; model.facets.len()];
    let facet_of = |capability| match model.capability(capability).target {
        Target::Facet(facet) => Some(facet),
        Target::Resource(_) => None,
    };
    let mut reaches = |facet: crate::model::FacetId| {
        if let Some(reached) = reached.get_mut(facet.index()) {
            *reached = true;
        }
    };
    // What a module gives is for its user to take or leave.
    for derivation in model.derivations.iter().filter(|derivation| derivation.statement == Statement::Gives) {
        facet_of(derivation.capability).into_iter().for_each(&mut reaches);
    }
    model.given.iter().filter_map(|given| facet_of(*given)).for_each(&mut reaches);
    let mut whole: Vec<Option<CapId>> = vec![None; model.facets.len()];
    for (index, known) in model.capabilities.iter().enumerate() {
        let capability = CapId(index as u32);
        let Some(facet) = facet_of(capability) else { continue };
        if let Some(whole) = whole.get_mut(facet.index()).filter(|_| known.part.is_none()) {
            *whole = Some(capability);
        }
        let owner = model.facet(facet).owner;
        if holders(model, holdings, capability).any(|holder| holder != owner) {
            reaches(facet);
        }
    }
    let mut findings = Vec::new();
    for ((facet, reached), whole) in model.facets.iter().zip(reached).zip(whole) {
        let by_holders_alone = matches!(
            facet.transport,
            Transport::Socket(_)
                | Transport::Channel
                | Transport::Mount(_)
                | Transport::Done
                | Transport::Launch
                | Transport::Ask
        );
        if reached || !by_holders_alone {
            continue;
        }
        let owner = model.object(facet.owner);
        let name = format!("{}.{}", owner.name, facet.name);
        let message = format!("nobody holds `{name}`, so nobody can talk to it");
        let diagnostic = Diagnostic::new(Code::UnreachableFacet, message, facet.span, "provided here")
            .help(format!("let somebody hold it (`holds {name}`), or take it away"));
        findings.push(Finding::of(
            std::iter::once(Thing::Object(facet.owner)).chain(whole.map(Thing::Capability)).collect(),
            diagnostic,
        ));
    }
    findings
}

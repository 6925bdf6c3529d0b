//! `missing-limits`: a service that strangers can talk to, and that may use up all memory and tasks.
//!
//! Only what listens beyond this machine is told: of everything else one knows who asks, and how much.

use super::{Finding, Thing};
use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{Address, Model, ObjectId, Resource, Service, Transport};
use crate::source::Span;

/// One finding for each service.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, object, service) in model.services() {
        let missing: Vec<&str> =
            [("memory", service.limits.memory.is_none()), ("tasks", service.limits.tasks.is_none())]
                .into_iter()
                .filter(|(_, missing)| *missing)
                .map(|(word, _)| word)
                .collect();
        let Some(door) = (!missing.is_empty()).then(|| door(model, holdings, id, service)).flatten() else {
            continue;
        };
        let message = format!(
            "strangers can talk to `{}`, which has no limit of {}",
            object.name,
            missing.join(" and ")
        );
        let write: Vec<&str> = missing
            .iter()
            .map(|word| if *word == "memory" { "memory=\"512M\"" } else { "tasks=64" })
            .collect();
        let diagnostic = Diagnostic::new(Code::MissingLimits, message, object.span, "has no such limit")
            .label(door, "can be talked to from beyond this machine")
            .help(format!("write `limits {}`, or what it needs", write.join(" ")));
        findings.push(Finding::of(vec![Thing::Object(id)], diagnostic));
    }
    findings
}

/// Returns the statement by which others than this machine can talk to a service.
fn door(model: &Model, holdings: &Holdings, id: ObjectId, service: &Service) -> Option<Span> {
    let outward = |address: &Address| !address.is_loopback();
    let provided =
        service.facets.iter().map(|facet| model.facet(*facet)).find_map(|facet| match &facet.transport {
            Transport::Tcp(address) if outward(address) => Some(facet.span),
            _ => None,
        });
    let held = || {
        holdings.of(id).iter().find_map(|holding| {
            let object = model.object(super::resource_of(model, holding.capability)?);
            let Some(Resource::Listen(address)) = object.resource() else { return None };
            let step = holdings.last_step(model, holding)?;
            outward(address).then_some(step.span)
        })
    };
    provided.or_else(held)
}

//! `coarse-network`: the host's whole network in the hands of one subject.

use super::{Finding, Thing, actors};
use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{Kind, Model};

/// One finding for each holding of a `network`.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, object) in actors(model) {
        for holding in holdings.of(id) {
            if model.capability(holding.capability).kind != Kind::Network {
                continue;
            }
            let span = holdings.last_step(model, holding).map_or(object.span, |step| step.span);
            let message = format!("`{}` has the whole network of the host", object.name);
            let diagnostic = Diagnostic::new(Code::CoarseNetwork, message, span, "every port of every host")
                .help(
                    "declare a `connect` for each port that it talks to, a `listen` for each that it serves",
                );
            findings.push(Finding::of(
                vec![Thing::Object(id), Thing::Capability(holding.capability)],
                diagnostic,
            ));
        }
    }
    findings
}

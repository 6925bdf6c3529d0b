//! `coarse-network`: the host's whole network in the hands of one subject.

use super::{Finding, Thing, actors};
use crate::authority::is_network;
use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{Kind, Model};

/// One finding for each holding of a `network`, and of a `listen udp=`, which can send to all of it.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, object) in actors(model) {
        for holding in holdings.of(id) {
            if !is_network(model, holding.capability) {
                continue;
            }
            let span = holdings.last_step(model, holding).map_or(object.span, |step| step.span);
            let name = &object.name;
            let (message, label, help) = match model.capability(holding.capability).kind {
                Kind::Listen => (
                    format!("`{name}` can send to the whole network of the host"),
                    "a UDP socket sends to every port of every host",
                    "listen over TCP where the protocol has both; else waive this with the reason",
                ),
                _ => (
                    format!("`{name}` has the whole network of the host"),
                    "every port of every host",
                    "declare a `connect` for each port that it talks to, a `listen` for each that it serves",
                ),
            };
            let diagnostic = Diagnostic::new(Code::CoarseNetwork, message, span, label).help(help);
            findings.push(Finding::of(
                vec![Thing::Object(id), Thing::Capability(holding.capability)],
                diagnostic,
            ));
        }
    }
    findings
}

//! `host-not-enforced`: a `connect` to one host, of which the kernel enforces only the port.

use super::{Finding, Thing, holders, names};
use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{Address, CapId, Model, ObjectId, Protocol, Resource, Target};

/// One finding for each `connect` that somebody holds.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, capability) in model.capabilities.iter().enumerate() {
        let id = CapId(index as u32);
        let Target::Resource(object) = capability.target else { continue };
        let declared = model.object(object);
        let Some(Resource::Connect(Address::Ip { protocol, host, port })) = declared.resource() else {
            continue;
        };
        let who: Vec<ObjectId> = holders(model, holdings, id).collect();
        if who.is_empty() {
            continue;
        }
        let who = names(who.iter().map(|id| &*model.object(*id).name));
        let protocol = match protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        };
        let message =
            format!("{who} may connect to {protocol} port {port} of any host, not of `{host}` alone");
        let diagnostic = Diagnostic::new(Code::HostNotEnforced, message, declared.span, "declared for one host")
            .help(format!(
                    "filter by host outside of capc too, and answer for it: `allow host-not-enforced on={} reason=\"…\" until=\"…\"`",
                    declared.name
                ));
        findings.push(Finding::of(vec![Thing::Object(object)], diagnostic));
    }
    findings
}

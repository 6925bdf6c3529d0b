//! `shared-identity`: services that run as one Unix identity, so that each controls the others.

use super::{Finding, Thing, names};
use crate::authority::identity_key;
use crate::diag::{Code, Diagnostic};
use crate::model::{CapId, Model, ObjectId};
use crate::source::Span;
use std::collections::BTreeMap;

/// How many of them one report points at.
const POINTED_AT: usize = 5;

/// One finding for each identity.
pub fn check(model: &Model) -> Vec<Finding> {
    let mut run_as: BTreeMap<_, Vec<(Span, ObjectId, CapId)>> = BTreeMap::new();
    for (id, _, service) in model.processes() {
        if let Some((identity, span)) = service.identity
            && let Some(key) = identity_key(model, identity)
        {
            run_as.entry(key).or_default().push((span, id, identity));
        }
    }
    let mut findings = Vec::new();
    for mut services in run_as.into_values() {
        services.sort_unstable();
        let [(span, first, identity), others @ ..] = services.as_slice() else { continue };
        if others.is_empty() {
            continue;
        }
        let all = services.iter().map(|(_, id, _)| &*model.object(*id).name);
        let message = format!("{} run as one identity, so each controls the others", names(all));
        let mut diagnostic = Diagnostic::new(
            Code::SharedIdentity,
            message,
            *span,
            format!("`{}` runs as `{}`", model.object(*first).name, model.capability(*identity).name),
        );
        for (span, id, identity) in others.iter().take(POINTED_AT) {
            let (name, identity) = (&model.object(*id).name, &model.capability(*identity).name);
            diagnostic = diagnostic.label(*span, format!("`{name}` runs as `{identity}`"));
        }
        let about =
            services.iter().flat_map(|(_, id, identity)| [Thing::Object(*id), Thing::Capability(*identity)]);
        let diagnostic =
            diagnostic.help("give each an identity of its own, or leave `as` out: each then has a fresh one");
        findings.push(Finding::of(about.collect(), diagnostic));
    }
    findings
}

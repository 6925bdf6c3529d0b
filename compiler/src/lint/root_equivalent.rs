//! `root-equivalent`: a privilege, socket or device that is root by another name, in trusted hands.
//!
//! In other hands it is an error: `root-cycle`.

use super::{Finding, Thing, actors};
use crate::authority::{Held, Near, Places, Through, root_reason};
use crate::diag::{Code, Diagnostic};
use crate::holdings::{Holding, Holdings};
use crate::model::{Kind, Model, Object, ObjectId};

/// One finding for each holding of one whom a `trust` statement lets control `reconfigure`.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Finding> {
    let trusted = actors(model).filter_map(|(id, object)| Some((id, object, object.lets_control?)));
    let mut found: Vec<(ObjectId, &Object, crate::source::Span, &Holding)> = Vec::new();
    for (id, object, trust) in trusted {
        let kind = |holding: &&Holding| model.capability(holding.capability).kind;
        let candidates = holdings.of(id).iter();
        let candidates = candidates
            .filter(|holding| matches!(kind(holding), Kind::Privilege | Kind::Socket | Kind::Device));
        found.extend(candidates.map(|holding| (id, object, trust, holding)));
    }
    let paths = found.iter().filter_map(|(.., holding)| model.capability(holding.capability).path.as_ref());
    let places = Places::new(paths);
    let near = Near::new(model, &places);
    let mut findings = Vec::new();
    for (id, object, trust, holding) in found {
        let known = model.capability(holding.capability);
        let span = holdings.last_step(model, holding).map_or(object.span, |step| step.span);
        let held = Held {
            capability: Some(holding.capability),
            place: known.path.as_deref().and_then(|path| places.find(path)),
            kind: known.kind,
            rights: holding.rights,
            through: Through::Holding,
            span,
        };
        let Some(reason) = root_reason(model, &near, &places, &held) else { continue };
        let message = format!("`{}` holds `{}`, which amounts to root", object.name, known.name);
        let diagnostic = Diagnostic::new(
            Code::RootEquivalent,
            message,
            span,
            reason.words(known.path.as_deref().unwrap_or("")),
        )
        .label(trust, "trusted with it here")
        .help("hand out what it does as a facet of a service that does that and no more");
        findings
            .push(Finding::of(vec![Thing::Object(id), Thing::Capability(holding.capability)], diagnostic));
    }
    findings
}

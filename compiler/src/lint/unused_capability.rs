//! `unused-capability`: declared, and held by nobody.
//!
//! What is only spoken of by an assertion is used: it is declared so that the assertion can name it.

use super::{Finding, Thing, resource_of};
use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{FileKind, Kind, Model, PassedAs, RECONFIGURE, Resource, SYSTEM};
use std::collections::BTreeSet;

/// One finding for each resource, and for each attenuated facet of one.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Finding> {
    let mut used = vec![false; model.objects.len()];
    let mut uses = |capability| {
        if let Some(used) = resource_of(model, capability).and_then(|object| used.get_mut(object.index())) {
            *used = true;
        }
    };
    // A module that was passed it and does nothing with it is told so itself.
    for holding in holdings.all().iter().filter(|holding| !matches!(holding.holder, RECONFIGURE | SYSTEM)) {
        uses(holding.capability);
    }
    let asserted = model.nevers.iter().map(|never| never.capability);
    asserted.chain(model.onlys.iter().map(|only| only.capability)).for_each(uses);
    // What a caller has at hand is declared by nobody.
    let declared = |resource: Option<&Resource>| resource.is_some_and(|known| known.kind() != Kind::Caller);
    let idle = model.objects().zip(used).filter(|((_, object), used)| !used && declared(object.resource()));
    let parameters: BTreeSet<&str> = match model.file {
        FileKind::System => BTreeSet::new(),
        // Of a file that is read by itself the parameters are resources; `unused-parameter` speaks of those.
        FileKind::Module | FileKind::Home => model.passings.iter().map(|passing| &*passing.name).collect(),
    };
    let idle = idle.filter(|((_, object), _)| !parameters.contains(&*object.name));
    let facets = model
        .passings
        .iter()
        .filter(|passing| passing.passed_as == PassedAs::Facet && passing.asked.is_none());
    let facets = facets.map(|passing| {
        let message = format!("nobody holds the facet `{}`", passing.name);
        let diagnostic = Diagnostic::new(Code::UnusedCapability, message, passing.span, "made here")
            .help(format!("let somebody hold it (`holds {}`), or take the statement away", passing.name));
        Finding::of(Vec::new(), diagnostic)
    });
    let resources = idle.map(|((id, object), _)| {
        let message = format!("`{}` is declared and held by nobody", object.name);
        let diagnostic = Diagnostic::new(Code::UnusedCapability, message, object.span, "declared here")
            .help(format!("let somebody hold it (`holds {}`), or take the declaration away", object.name));
        Finding::of(vec![Thing::Object(id)], diagnostic)
    });
    resources.chain(facets).collect()
}

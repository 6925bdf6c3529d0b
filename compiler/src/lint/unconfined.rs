//! `unconfined`: a service that has no world, and so everything.

use super::{Finding, Thing};
use crate::diag::{Code, Diagnostic};
use crate::model::Model;

/// One finding for each.
pub fn check(model: &Model) -> Vec<Finding> {
    let free = model.processes().filter_map(|(id, object, process)| Some((id, object, process.unconfined?)));
    free.map(|(id, object, span)| {
        let message =
            format!("`{}` has no world: it sees everything, and controls `reconfigure`", object.name);
        let diagnostic = Diagnostic::new(Code::Unconfined, message, span, "for moving over, not for staying")
            .help("write what it `holds`, and take `unconfined` away");
        Finding::of(vec![Thing::Object(id)], diagnostic)
    })
    .collect()
}

//! `unused-parameter`: taken by a module or home that does nothing with it.

use super::Finding;
use crate::diag::{Code, Diagnostic};
use crate::model::{Model, PassedAs};

/// One finding for each `takes`.
pub fn check(model: &Model) -> Vec<Finding> {
    let parameters = model.passings.iter().filter(|passing| passing.passed_as == PassedAs::Parameter);
    let idle = parameters.filter(|passing| passing.asked.is_none());
    idle.map(|passing| {
        let message = format!("`{}` is taken and never used", passing.name);
        let diagnostic = Diagnostic::new(Code::UnusedParameter, message, passing.span, "asked of every user")
            .help(format!("let somebody hold it (`holds {}`), or ask for it no more", passing.name));
        Finding::of(Vec::new(), diagnostic)
    })
    .collect()
}

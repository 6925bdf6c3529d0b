//! `vacuous`: an assertion about something that cannot act.

use crate::diag::{Code, Diagnostic};
use crate::model::{Model, ObjectKind};

/// Reports assertions whose subject is none.
pub fn check(model: &Model) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for never in &model.nevers {
        let subject = model.object(never.subject);
        let what = match &subject.kind {
            ObjectKind::Service(_)
            | ObjectKind::Program(_)
            | ObjectKind::User(_)
            | ObjectKind::Powerbox(_)
            | ObjectKind::Outside => continue,
            ObjectKind::Reconfigure => "holds every resource, by axiom",
            ObjectKind::Scope(_) => "is an instance of a module, and only what it declares can act",
            ObjectKind::Resource(_) => "is a resource, and no resource ever obtains anything",
        };
        let name = subject.name.trim_end_matches('/');
        let message = format!("this can never apply: `{name}` {what}");
        diagnostics.push(
            Diagnostic::new(Code::Vacuous, message, never.subject_span, "not a subject")
                .label(subject.span, "declared here")
                .help("name a service, or `outside`"),
        );
    }
    diagnostics
}

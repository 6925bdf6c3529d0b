//! `vacuous`: an assertion about something that cannot act, or trust in it.

use crate::diag::{Code, Diagnostic};
use crate::model::{Model, OUTSIDE, ObjectId, ObjectKind};
use crate::source::Span;

/// Reports assertions and trust whose subject is none.
pub fn check(model: &Model) -> Vec<Diagnostic> {
    let nevers = model.nevers.iter().map(|never| (never.subject, never.subject_span));
    let onlys = model.onlys.iter().flat_map(|only| only.subjects.iter().copied());
    let trusts = model.trusts.iter().map(|trust| (trust.subject, trust.subject_span));
    let named = nevers.chain(onlys).chain(trusts);
    let mut diagnostics: Vec<Diagnostic> =
        named.filter_map(|(id, span)| no_subject(model, id, span)).collect();
    for trust in model.trusts.iter().filter(|trust| trust.subject == OUTSIDE) {
        let message = "this can never apply: `outside` controls nothing of this machine";
        diagnostics.push(
            Diagnostic::new(Code::Vacuous, message, trust.subject_span, "not on this machine")
                .help("name what is to be trusted: something that this configuration declares"),
        );
    }
    diagnostics
}

fn no_subject(model: &Model, id: ObjectId, span: Span) -> Option<Diagnostic> {
    let object = model.object(id);
    let what = match &object.kind {
        ObjectKind::Service(_)
        | ObjectKind::Program(_)
        | ObjectKind::User(_)
        | ObjectKind::Powerbox(_)
        | ObjectKind::Outside => return None,
        ObjectKind::Reconfigure => "is the trust root, and holds every resource by axiom",
        ObjectKind::Scope(_) => "is an instance of a file, and only what it declares can act",
        ObjectKind::Resource(_) => "is a resource, and no resource ever obtains anything",
    };
    let name = object.name.trim_end_matches('/');
    let message = format!("this can never apply: `{name}` {what}");
    let vacuous = Diagnostic::new(Code::Vacuous, message, span, "not a subject");
    let vacuous = match &object.kind {
        ObjectKind::Reconfigure => vacuous,
        _ => vacuous.label(object.span, "declared here"),
    };
    Some(vacuous.help("name a service, a program, a user or a powerbox, or `outside`"))
}

//! What may be so and is seldom meant: one lint a file, each named after its code.
//!
//! A lint is a pure function of what was decided already; it refuses nothing by itself. [`Terms`] say what it comes to.

mod terms;
mod paths;
mod waivers;
mod coarse_network;
mod host_not_enforced;
mod missing_limits;
mod over_wide_grant;
mod root_equivalent;
mod shared_identity;
mod unconfined;
mod unreachable_facet;
mod unused_capability;
mod unused_parameter;
mod write_and_execute;
mod write_without_read;

pub use terms::Terms;

use crate::diag::Diagnostic;
use crate::holdings::Holdings;
use crate::model::{CapId, Model, OUTSIDE, Object, ObjectId, Target};

/// What a finding is about, and a waiver may name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    /// An object.
    Object(ObjectId),
    /// A capability.
    Capability(CapId),
}

/// What a lint found, and what a waiver would have to name.
struct Finding {
    /// The things that it is about; a waiver on any of them counts.
    about: Vec<Thing>,
    /// The words.
    diagnostic: Diagnostic,
}

impl Finding {
    /// Returns a finding about one object.
    const fn of(about: Vec<Thing>, diagnostic: Diagnostic) -> Self {
        Self { about, diagnostic }
    }
}

/// Tries every lint; waivers take away what somebody answers for, and add what is wrong with them.
#[must_use]
pub fn lint(model: &Model, holdings: &Holdings, terms: &Terms) -> Vec<Diagnostic> {
    let mut findings = unused_capability::check(model, holdings);
    findings.extend(unused_parameter::check(model));
    findings.extend(over_wide_grant::check(model));
    findings.extend(shared_identity::check(model));
    findings.extend(coarse_network::check(model, holdings));
    findings.extend(unconfined::check(model));
    findings.extend(root_equivalent::check(model, holdings));
    findings.extend(write_and_execute::check(model, holdings));
    findings.extend(write_without_read::check(model, holdings));
    findings.extend(host_not_enforced::check(model, holdings));
    findings.extend(missing_limits::check(model, holdings));
    findings.extend(unreachable_facet::check(model, holdings));
    let mut diagnostics = waivers::apply(model, findings, terms.at);
    for diagnostic in diagnostics.iter_mut().filter(|diagnostic| diagnostic.code.is_lint()) {
        diagnostic.severity = terms.severity(diagnostic.code);
    }
    diagnostics
}

/// Returns everybody on this machine who can act.
fn actors(model: &Model) -> impl Iterator<Item = (ObjectId, &Object)> {
    model.objects().filter(|(id, object)| *id != OUTSIDE && object.is_subject())
}

/// Returns whether somebody on this machine who can act holds a capability.
fn holders<'a>(
    model: &'a Model,
    holdings: &'a Holdings,
    capability: CapId,
) -> impl Iterator<Item = ObjectId> + 'a {
    let acts = |id: &ObjectId| *id != OUTSIDE && model.object(*id).is_subject();
    holdings.holders(capability).map(|holding| holding.holder).filter(acts)
}

/// Returns the resource that a capability is, or is a part of.
fn resource_of(model: &Model, capability: CapId) -> Option<ObjectId> {
    match model.capability(capability).target {
        Target::Resource(object) => Some(object),
        Target::Facet(_) => None,
    }
}

/// Returns some names in backticks, at most five of them.
fn names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 5;
    let count = names.len();
    let shown: Vec<String> = names.take(SHOWN).map(|name| format!("`{name}`")).collect();
    match (shown.split_last(), count > SHOWN) {
        (None, _) => String::new(),
        (_, true) => format!("{} and {} more", shown.join(", "), count - SHOWN),
        (Some((last, [])), false) => last.clone(),
        (Some((last, rest)), false) => format!("{} and {last}", rest.join(", ")),
    }
}

//! Writes down by name what the check found by id.

use super::{Certificate, CertifiedAssertion, CertifiedSet, CertifiedView, FORMAT, Grounds, View};
use crate::authority::{Authority, Claim, Side, Who};
use crate::holdings::Holdings;
use crate::model::{Level, Model, ObjectId};

/// Returns the certificate of the assertions that hold.
#[must_use]
pub fn issue(model: &Model, holdings: &Holdings, grounds: &Grounds) -> Certificate {
    let mut views: Vec<CertifiedView> =
        grounds.views.iter().map(|view| certified(model, holdings, view)).collect();
    views.sort_by(|a, b| a.trusted.cmp(&b.trusted));
    Certificate { format: FORMAT.to_owned(), views }
}

fn certified(model: &Model, holdings: &Holdings, view: &View) -> CertifiedView {
    let authority = Authority::with_trust(model, holdings, &view.trusted);
    let name = |id: ObjectId| model.object(id).name.to_string();
    let mut trusted: Vec<String> = model
        .objects()
        .filter(|(id, _)| view.trusted.get(id.index()) == Some(&true))
        .map(|(id, _)| name(id))
        .collect();
    trusted.sort();
    let sets: Vec<CertifiedSet> = view
        .found
        .sets
        .iter()
        .map(|set| {
            let mut members: Vec<String> =
                set.nodes.iter().map(|node| authority.name(*node).to_owned()).collect();
            members.sort();
            let side = match set.side {
                Side::Obtaining => "obtaining",
                Side::Reached => "reached",
            };
            let along = set.along.words().next().unwrap_or_default().to_owned();
            CertifiedSet { along, side: side.to_owned(), members }
        })
        .collect();
    // Each once, in an order of their own, so that nothing depends on that of the statements.
    let mut distinct = sets.clone();
    distinct.sort();
    distinct.dedup();
    let rank: Vec<usize> = sets.iter().map(|set| distinct.partition_point(|other| other < set)).collect();
    let holding = view.claims.iter().zip(&view.found.verdicts);
    let holding = holding.filter(|(_, verdict)| verdict.offenders.is_empty());
    let mut assertions: Vec<CertifiedAssertion> = holding
        .map(|(claim, verdict)| {
            let mut proof: Vec<usize> =
                verdict.proof.iter().filter_map(|set| rank.get(*set).copied()).collect();
            proof.sort_unstable();
            written(model, claim, proof)
        })
        .collect();
    assertions.sort();
    assertions.dedup();
    CertifiedView { trusted, sets: distinct, assertions }
}

/// Returns an assertion by name.
pub(super) fn written(model: &Model, claim: &Claim, proof: Vec<usize>) -> CertifiedAssertion {
    let name = |id: &ObjectId| model.object(*id).name.to_string();
    let known = model.capability(claim.capability);
    let (word, mut subjects) = match &claim.who {
        Who::Never(subject) => ("never", vec![name(subject)]),
        Who::Only(subjects) => ("only", subjects.iter().map(name).collect()),
    };
    subjects.sort();
    subjects.dedup();
    let level = match claim.level {
        Level::Hold => "hold",
        Level::Reach => "reach",
    };
    CertifiedAssertion {
        word: word.to_owned(),
        subjects,
        level: level.to_owned(),
        capability: known.name.to_string(),
        rights: known.kind.words(claim.rights).map(str::to_owned).collect(),
        proof,
    }
}

//! Certificates: what holds is proved, and nothing else can be.

use super::machine::{self, Dice};
use super::{SEEDS, claims, for_seeds};
use capc::authority::{Authority, Claim};
use capc::certificate::{Certificate, Grounds, View, confirm, issue};
use capc::holdings::Holdings;
use capc::model::{Model, ObjectId};
use std::collections::BTreeMap;

/// Leaves of a model only the assertions that hold, and returns their grounds as the check would.
fn holding(model: &mut Model, holdings: &Holdings) -> Grounds {
    let decided = |model: &Model| {
        let mut views: BTreeMap<Vec<bool>, Vec<Claim>> = BTreeMap::new();
        for (scope, claim) in claims(model) {
            let trusted = model.objects().map(|(id, _)| model.is_trusted(id, scope)).collect();
            views.entry(trusted).or_default().push(claim);
        }
        let mut grounds = Grounds::default();
        for (trusted, claims) in views {
            let found = Authority::with_trust(model, holdings, &trusted).decide(&claims);
            let spans = claims.iter().map(|_| model.objects[0].span).collect();
            grounds.views.push(View { trusted, claims, spans, found });
        }
        grounds
    };
    let fails = |scope: ObjectId, claim: &Claim| {
        let authority = Authority::new(model, holdings, scope);
        !authority.decide(std::slice::from_ref(claim)).verdicts[0].offenders.is_empty()
    };
    let nevers = model.nevers.iter().filter(|never| !fails(never.scope, &(*never).into())).cloned().collect();
    let onlys = model.onlys.iter().filter(|only| !fails(only.scope, &(*only).into())).cloned().collect();
    (model.nevers, model.onlys) = (nevers, onlys);
    decided(model)
}

fn written(seed: u64) -> (Model, Holdings, Certificate) {
    let mut model = machine::random(seed);
    let holdings = capc::holdings::derive(&model);
    let grounds = holding(&mut model, &holdings);
    let certificate = issue(&model, &holdings, &grounds);
    (model, holdings, certificate)
}

#[test]
fn what_holds_has_a_certificate_that_the_checker_confirms() {
    for_seeds(SEEDS, |seed| {
        let (model, holdings, certificate) = written(seed);
        assert_eq!(confirm(&model, &holdings, &certificate), Ok(()), "seed {seed}: {certificate:?}");
    });
}

/// Makes one change that takes something of the proof away; none when there is nothing to take.
fn tampered(dice: &mut Dice, certificate: &Certificate) -> Option<Certificate> {
    let mut changed = certificate.clone();
    let views: Vec<usize> =
        (0..changed.views.len()).filter(|at| !changed.views[*at].assertions.is_empty()).collect();
    if views.is_empty() {
        return None;
    }
    let view = &mut changed.views[*dice.pick(&views)];
    let assertion = dice.below(view.assertions.len());
    let set = if view.sets.is_empty() { None } else { Some(dice.below(view.sets.len())) };
    match (dice.below(10), set) {
        (0, Some(set)) => {
            let members = &mut view.sets[set].members;
            if members.is_empty() {
                return None;
            }
            members.remove(dice.below(members.len()));
        }
        (1, _) => view.assertions[assertion].capability.push('x'),
        (2, _) => {
            let rights = &mut view.assertions[assertion].rights;
            let more = ["read", "modify", "connect", "replace", "become"].into_iter();
            let more: Vec<&str> = more.filter(|word| !rights.iter().any(|known| known == word)).collect();
            rights.push((*dice.pick(&more)).to_owned());
        }
        (3, _) => {
            view.assertions[assertion].proof.pop()?;
        }
        (4, Some(set)) => {
            let set = &mut view.sets[set];
            set.along = if set.along == "hold" { "learn" } else { "hold" }.to_owned();
        }
        (5, Some(set)) => {
            let set = &mut view.sets[set];
            set.side = if set.side == "reached" { "obtaining" } else { "reached" }.to_owned();
        }
        (6, _) => {
            view.assertions.remove(assertion);
        }
        (7, _) => view.trusted.push("zz".to_owned()),
        (8, _) => {
            let level = &mut view.assertions[assertion].level;
            *level = if level == "hold" { "reach" } else { "hold" }.to_owned();
        }
        _ => view.assertions[assertion].subjects.push("outside".to_owned()),
    }
    Some(changed)
}

#[test]
fn a_tampered_certificate_is_always_rejected() {
    for_seeds(SEEDS, |seed| {
        let (model, holdings, certificate) = written(seed);
        let mut dice = Dice::new(seed ^ 0xce47);
        for _ in 0..8 {
            if let Some(changed) = tampered(&mut dice, &certificate) {
                assert!(
                    confirm(&model, &holdings, &changed).is_err(),
                    "seed {seed}: {certificate:?} {changed:?}"
                );
            }
        }
    });
}

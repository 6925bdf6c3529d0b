//! The laws that any authority model must keep, whatever its letter.

use super::machine::{self, Dice};
use super::{SEEDS, for_seeds};
use capc::authority::{Authority, Graph};
use capc::model::{CapId, Level, Model, ObjectId, Rights, SYSTEM, Statement};

/// What each subject could obtain of each capability at each level, as the system sees it.
fn authority(model: &Model) -> Vec<Vec<[Rights; 2]>> {
    let holdings = capc::holdings::derive(model);
    let authority = Authority::new(model, &holdings, SYSTEM);
    let by_capability = (0..model.capabilities.len()).map(|index| {
        let of = |level| authority.obtainable_by_all(CapId(index as u32), level);
        let (hold, reach) = (of(Level::Hold), of(Level::Reach));
        hold.iter().zip(reach).map(|(hold, reach)| [hold.rights(), reach.rights()]).collect()
    });
    by_capability.collect()
}

#[track_caller]
fn check_no_gain(seed: u64, before: &Model, after: &Model, except: Option<ObjectId>) {
    for (index, (old, new)) in authority(before).iter().zip(authority(after)).enumerate() {
        for (id, object) in before.objects().filter(|(id, object)| object.is_subject() && Some(*id) != except)
        {
            for level in [0, 1] {
                let (had, has) = (old[id.index()][level], new[id.index()][level]);
                let what = &before.capabilities[index].name;
                assert!(
                    had.contains(has),
                    "seed {seed}: {} gained {what} {:?}",
                    object.name,
                    has.without(had)
                );
            }
        }
    }
}

// "Attenuation only. Rights never grow along a derivation."
#[test]
fn attenuating_never_adds_authority() {
    for_seeds(SEEDS, |seed| {
        let before = machine::random(seed);
        let mut after = before.clone();
        let mut dice = Dice::new(seed ^ 0xa77e);
        let at = dice.below(after.derivations.len());
        let rights = &mut after.derivations[at].rights;
        *rights = rights.and(Rights(dice.next() as u8));
        check_no_gain(seed, &before, &after, None);
    });
}

#[test]
fn removing_a_grant_never_adds_authority_to_anyone() {
    for_seeds(SEEDS, |seed| {
        let before = machine::random(seed);
        let mut after = before.clone();
        let mut dice = Dice::new(seed ^ 0x9e40);
        let brought: Vec<usize> = (0..after.derivations.len())
            .filter(|at| after.derivations[*at].statement != Statement::Given)
            .collect();
        if !brought.is_empty() {
            after.derivations.remove(*dice.pick(&brought));
            check_no_gain(seed, &before, &after, None);
        }
    });
}

// "`trusted` cuts relaying, and nothing else": whoever it lets through, it lets through less than before.
#[test]
fn trusting_an_object_never_adds_authority_to_anyone_else() {
    for_seeds(SEEDS, |seed| {
        let before = machine::random(seed);
        let mut after = before.clone();
        let processes: Vec<ObjectId> = before.processes().map(|(id, _, _)| id).collect();
        let id = *Dice::new(seed ^ 0x7205).pick(&processes);
        after.objects[id.index()].trusted = Some(after.objects[id.index()].span);
        after.objects[id.index()].scope = SYSTEM;
        let mut before = before;
        before.objects[id.index()].scope = SYSTEM;
        check_no_gain(seed, &before, &after, Some(id));
    });
}

/// `who`, `what` and `why` answer one question from three sides.
#[test]
fn who_what_and_why_agree() {
    for_seeds(SEEDS / 4, |seed| {
        let model = machine::random(seed);
        let holdings = capc::holdings::derive(&model);
        let authority = Authority::new(&model, &holdings, SYSTEM);
        for level in [Level::Hold, Level::Reach] {
            let what: Vec<_> = model.objects().map(|(id, _)| authority.all_obtainable(id, level)).collect();
            for asked in (0..model.capabilities.len() as u32).map(CapId) {
                let who = authority.obtainable_by_all(asked, level);
                for (id, object) in model.objects().filter(|(_, object)| object.is_subject()) {
                    let extent = who[id.index()];
                    let context = format!("seed {seed}: {} {}", object.name, model.capability(asked).name);
                    assert_eq!(extent, what[id.index()][asked.index()], "{context}");
                    for right in model.capability(asked).kind.all().each() {
                        let way = authority.chain(id, asked, right, level);
                        assert_eq!(way.is_some(), extent.rights().contains(right), "{context}");
                    }
                }
            }
        }
    });
}

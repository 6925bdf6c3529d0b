//! Reachable authority pair by pair: every object with every capability that it could obtain on one side alone.

use super::joined::fresh_edges;
use super::shared::{Numbers, same_thing};
use super::{Change, Side};
use crate::authority::{Carries, Graph, Marks, Node, Towards};
use crate::model::{CapId, Level, ObjectId, Rights};
use crate::source::Span;
use std::collections::BTreeSet;

type Numbered<'s, 'a> = (&'s Side<'a>, &'s Numbers);

/// Returns what subjects could obtain on our side and not on theirs, without what they hold; at level reach, without what
/// they could come to hold.
pub fn pairs(ours: Numbered<'_, '_>, theirs: Numbered<'_, '_>) -> Vec<Change> {
    let mut changes = Vec::new();
    for subject in concerned(ours, theirs) {
        of_subject(&mut changes, subject, ours, theirs);
    }
    changes
}

/// Returns every subject whose authority can differ: those who reach an edge or a holding that only our side has.
fn concerned(ours: Numbered<'_, '_>, theirs: Numbered<'_, '_>) -> Vec<ObjectId> {
    let (side, numbers) = ours;
    let authority = side.authority;
    let model = authority.model;
    let mut begin: BTreeSet<Node> =
        fresh_edges(ours, theirs).into_iter().map(|(edge, _)| edge.from).collect();
    for (id, _) in model.objects() {
        let there = theirs.1.own_object(numbers.object(id));
        let before = there.map_or(&[][..], |id| theirs.0.authority.held(id));
        let same = |capability: CapId| {
            let known = theirs.1.own_capability(numbers.capability(capability));
            let rights = before.iter().filter(|held| known.is_some() && held.capability == known);
            let moved = known.is_some_and(|known| !same_thing(theirs.0, known, side, capability));
            (rights.fold(Rights::NONE, |sum, held| sum.or(held.rights)), moved)
        };
        let differs = authority.held(id).iter().any(|held| {
            held.capability.is_none_or(|capability| {
                let (rights, moved) = same(capability);
                moved || !rights.contains(held.rights)
            })
        });
        if differs {
            begin.insert(id.into());
        }
    }
    let begin: Vec<Node> = begin.into_iter().collect();
    let mut marks = Marks::new(authority);
    let mut found = Vec::new();
    for along in [Carries::LEARN, Carries::EFFECT, Carries::HOLD] {
        found.extend(authority.closure(&mut marks, &begin, along, Towards::Reaching));
    }
    let mut found = authority.powers(&found);
    found.dedup();
    found.retain(|id| *id != crate::model::RECONFIGURE);
    found
}

fn of_subject(
    changes: &mut Vec<Change>,
    subject: ObjectId,
    ours: Numbered<'_, '_>,
    theirs: Numbered<'_, '_>,
) {
    let (side, numbers) = ours;
    let authority = side.authority;
    let model = authority.model;
    let there = theirs.1.own_object(numbers.object(subject));
    let mut known: Vec<Rights> = (0..model.capabilities.len() as u32)
        .map(|id| authority.holdings.rights(subject, CapId(id)))
        .collect();
    for (level, word) in [(Level::Hold, "hold"), (Level::Reach, "reach")] {
        let before = there.map(|id| theirs.0.authority.all_obtainable(id, level)).unwrap_or_default();
        for (index, extent) in authority.all_obtainable(subject, level).into_iter().enumerate() {
            let capability = CapId(index as u32);
            let other = theirs.1.own_capability(numbers.capability(capability));
            let other = other.filter(|other| same_thing(theirs.0, *other, side, capability));
            let had = other
                .and_then(|other| before.get(other.index()))
                .map_or(Rights::NONE, |extent| extent.rights());
            let Some(known) = known.get_mut(index) else { continue };
            let rights = extent.rights().without(had).without(*known);
            *known = known.or(extent.rights());
            if rights.is_empty() {
                continue;
            }
            let Some(chain) = authority.chain(subject, capability, rights, level) else { continue };
            let steps = authority.steps(&chain, capability, level);
            let span = steps.first().map_or(model.object(subject).span, |step: &crate::diag::Step| step.span);
            changes.push(change(side, subject, capability, rights, word, &steps, span));
        }
    }
}

fn change(
    side: &Side<'_>,
    subject: ObjectId,
    capability: CapId,
    rights: Rights,
    level: &'static str,
    steps: &[crate::diag::Step],
    span: Span,
) -> Change {
    let known = side.authority.model.capability(capability);
    Change {
        object: side.name(subject),
        capability: known.name.to_string(),
        rights: known.kind.words(rights).collect(),
        level,
        steps: steps.iter().map(|step| side.step(step)).collect(),
        kept: Vec::new(),
        place: None,
        fresh: vec![true; steps.len()],
        through: None,
        edit: side.edit(span),
    }
}

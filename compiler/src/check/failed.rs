//! Rule instances that do not derive what their statement asks for, and which of them are causes and not consequences.

use crate::holdings::Holdings;
use crate::model::{CapId, Derivation, Model, ObjectId, Rights, Statement};
use crate::order::components;
use std::collections::HashMap;

/// Why a statement does not do what it says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The giver holds nothing of it.
    Unheld,
    /// The giver lacks these rights.
    Excess(Rights),
    /// The giver does not know the receiver.
    NoIntroduction,
}

/// What a rule instance depends on: to hold something, or to know somebody.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
enum Need {
    Hold(ObjectId, CapId),
    Know(ObjectId, ObjectId),
}

/// The statements that fail.
pub struct Failed<'m> {
    /// Causes, in source order.
    pub causes: Vec<(&'m Derivation, Reason)>,
    /// Circles of statements that justify only each other: for each a shortest one, in order.
    pub circles: Vec<Vec<&'m Derivation>>,
}

/// Finds what fails, and why.
pub fn find<'m>(model: &'m Model, holdings: &Holdings) -> Failed<'m> {
    let mut asked: HashMap<(ObjectId, CapId), Rights> = HashMap::new();
    let mut failing: Vec<(&Derivation, Reason)> = Vec::new();
    for derivation in &model.derivations {
        // Where no right is left, the wrong word has been reported.
        let Some(from) = derivation.from.filter(|_| !derivation.rights.is_empty()) else { continue };
        let had = holdings.rights(from.holder, from.capability);
        let missing = derivation.rights.without(had);
        let unknown = derivation.introduces.is_some_and(|object| !holdings.knows(model, from.holder, object));
        let reason = match () {
            () if had.and(derivation.rights).is_empty() => Some(Reason::Unheld),
            () if unknown => Some(Reason::NoIntroduction),
            () if derivation.exact && !missing.is_empty() => Some(Reason::Excess(missing)),
            () => None,
        };
        if let Some(reason) = reason {
            let to = asked.entry((derivation.holder, derivation.capability)).or_default();
            *to = to.or(derivation.rights);
            failing.push((derivation, reason));
        }
    }
    let circles = circles(model, holdings, &failing);
    // A statement fails of itself only if no failing statement was to bring what it lacks.
    let know = introductions(model, &failing);
    let mut causes: Vec<(&Derivation, Reason)> = Vec::new();
    for (derivation, reason) in failing {
        let (Some(from), true) = (derivation.from, derivation.statement != Statement::Gives) else {
            continue;
        };
        let coming = asked.get(&(from.holder, from.capability)).copied().unwrap_or_default();
        let cause = match reason {
            Reason::Unheld => coming.and(derivation.rights).is_empty().then_some(Reason::Unheld),
            Reason::Excess(missing) => {
                let left = missing.without(coming);
                (!left.is_empty()).then_some(Reason::Excess(left))
            }
            Reason::NoIntroduction => {
                let expected =
                    derivation.introduces.is_some_and(|object| know.contains_key(&(from.holder, object)));
                (!expected).then_some(Reason::NoIntroduction)
            }
        };
        causes.extend(cause.map(|cause| (derivation, cause)));
    }
    Failed { causes, circles }
}

/// Returns who was to come to know whom by a failing statement.
fn introductions<'m>(
    model: &Model,
    failing: &[(&'m Derivation, Reason)],
) -> HashMap<(ObjectId, ObjectId), &'m Derivation> {
    let mut known = HashMap::new();
    for (derivation, _) in failing {
        if let Some(owner) = model.facet_owner(derivation.capability) {
            known.entry((derivation.holder, owner)).or_insert(*derivation);
        }
    }
    known
}

/// Returns a shortest circle for each component of failing statements that need each other.
fn circles<'m>(
    model: &'m Model,
    holdings: &Holdings,
    failing: &[(&'m Derivation, Reason)],
) -> Vec<Vec<&'m Derivation>> {
    let mut ids: HashMap<Need, u32> = HashMap::new();
    let mut edges: Vec<Vec<u32>> = Vec::new();
    let mut labels: HashMap<(u32, u32), &Derivation> = HashMap::new();
    let mut id = |need: Need, edges: &mut Vec<Vec<u32>>| {
        *ids.entry(need).or_insert_with(|| {
            edges.push(Vec::new());
            edges.len() as u32 - 1
        })
    };
    for (derivation, _) in failing {
        let Some(from) = derivation.from else { continue };
        let target = id(Need::Hold(derivation.holder, derivation.capability), &mut edges);
        let mut needs = Vec::new();
        if holdings.rights(from.holder, from.capability).and(derivation.rights).is_empty() {
            needs.push(Need::Hold(from.holder, from.capability));
        }
        if let Some(object) = derivation.introduces
            && !holdings.knows(model, from.holder, object)
        {
            needs.push(Need::Know(from.holder, object));
        }
        for need in needs {
            let need = id(need, &mut edges);
            labels.entry((target, need)).or_insert(derivation);
            if let Some(edges) = edges.get_mut(target as usize) {
                edges.push(need);
            }
        }
        if let Some(owner) = model.facet_owner(derivation.capability) {
            let knows = id(Need::Know(derivation.holder, owner), &mut edges);
            labels.entry((knows, target)).or_insert(derivation);
            if let Some(edges) = edges.get_mut(knows as usize) {
                edges.push(target);
            }
        }
    }
    let mut circles = Vec::new();
    for component in components(edges.len(), &edges) {
        let circle = shortest_circle(&component, &edges);
        let mut statements: Vec<&Derivation> = Vec::new();
        for (at, vertex) in circle.iter().enumerate() {
            let next = circle.get((at + 1) % circle.len()).copied().unwrap_or(*vertex);
            if let Some(label) = labels.get(&(*vertex, next))
                && !statements.iter().any(|known| known.span == label.span)
            {
                statements.push(label);
            }
        }
        if !statements.is_empty() {
            circles.push(statements);
        }
    }
    circles.sort_by_key(|circle| circle.iter().map(|statement| statement.span).min());
    circles
}

/// Returns a shortest circle within a strongly connected component, or nothing if it has none.
///
/// The least member that lies on a shortest circle begins it. One search from each member: the component's edges times
/// its members, at most 2,000 of which are tried as beginnings.
pub fn shortest_circle(component: &[u32], edges: &[Vec<u32>]) -> Vec<u32> {
    const MOST_BEGINNINGS: usize = 2000;
    let inside: HashMap<u32, usize> =
        component.iter().enumerate().map(|(at, vertex)| (*vertex, at)).collect();
    let targets = |vertex: u32| edges.get(vertex as usize).into_iter().flatten().copied();
    let mut best: Vec<u32> = Vec::new();
    for begin in component.iter().take(MOST_BEGINNINGS) {
        if targets(*begin).any(|target| target == *begin) {
            return vec![*begin];
        }
        let mut parent: Vec<Option<u32>> = vec![None; component.len()];
        let mut layer = vec![*begin];
        let mut length = 1;
        let mut closed = None;
        while closed.is_none() && !layer.is_empty() && (best.is_empty() || length < best.len()) {
            let mut next = Vec::new();
            for vertex in &layer {
                for target in targets(*vertex) {
                    if target == *begin {
                        closed = closed.or(Some(*vertex));
                        continue;
                    }
                    if let Some(place) = inside.get(&target).and_then(|at| parent.get_mut(*at))
                        && place.is_none()
                    {
                        *place = Some(*vertex);
                        next.push(target);
                    }
                }
            }
            layer = next;
            length += 1;
        }
        if let Some(last) = closed {
            let mut circle = vec![last];
            let mut at = last;
            while at != *begin {
                let Some(before) = inside.get(&at).and_then(|at| parent.get(*at)).copied().flatten() else {
                    break;
                };
                circle.push(before);
                at = before;
            }
            circle.reverse();
            if best.is_empty() || circle.len() < best.len() {
                best = circle;
            }
            if best.len() == 2 {
                break;
            }
        }
    }
    best
}

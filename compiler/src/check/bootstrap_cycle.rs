//! `bootstrap-cycle`: services that wait for each other, with one shortest circle and the fewest changes that open it.

use super::failed::shortest_circle;
use crate::diag::{Code, Cut, CycleEdge, Detail, Diagnostic};
use crate::model::{FacetId, Model, Transport};
use crate::order::{Wait, Waits, components};
use std::collections::{BTreeMap, BTreeSet};

/// Up to so many candidate changes the fewest are found exactly; above, each step takes the change that lies on most
/// shortest circles left (a heuristic).
const EXACT: usize = 12;

/// One report for each component of more than one service, and for each service that waits for itself.
pub fn check(model: &Model, waits: &Waits) -> Vec<Diagnostic> {
    let edges = adjacency(model.objects.len(), &waits.all);
    let mut diagnostics = Vec::new();
    for component in components(edges.len(), &edges) {
        let circle = shortest_circle(&component, &edges);
        if !circle.is_empty() {
            diagnostics.push(report(model, waits, &component, &circle));
        }
    }
    diagnostics
}

fn adjacency(count: usize, waits: &[Wait]) -> Vec<Vec<u32>> {
    let mut edges: Vec<Vec<u32>> = vec![Vec::new(); count];
    for wait in waits {
        if let Some(edges) = edges.get_mut(wait.from.index())
            && edges.last() != Some(&wait.to.0)
        {
            edges.push(wait.to.0);
        }
    }
    edges
}

fn report(model: &Model, waits: &Waits, component: &[u32], circle: &[u32]) -> Diagnostic {
    let inside: BTreeSet<u32> = component.iter().copied().collect();
    let within: Vec<Wait> = waits
        .all
        .iter()
        .filter(|wait| inside.contains(&wait.from.0) && inside.contains(&wait.to.0))
        .copied()
        .collect();
    let name = |id: u32| model.object(crate::model::ObjectId(id)).name.to_string();
    let mut cycle = Vec::new();
    for (at, from) in circle.iter().enumerate() {
        let to = circle.get((at + 1) % circle.len()).copied().unwrap_or(*from);
        let found = within.iter().find(|wait| wait.from.0 == *from && wait.to.0 == to);
        if let Some(wait) = found {
            let facet = format!("{}.{}", name(to), model.facet(wait.facet).name);
            cycle.push(CycleEdge {
                from: name(*from),
                to: name(to),
                kind: wait.kind.word(),
                facet,
                span: wait.span,
            });
        }
    }
    let mut members: Vec<String> = component.iter().map(|id| name(*id)).collect();
    members.sort_unstable();
    let cuts = cuts(model, &within);
    let way: Vec<String> = cycle.iter().map(|edge| format!("`{}`", edge.from)).collect();
    let message = match way.as_slice() {
        [only] => format!("{only} waits for itself"),
        _ => format!("{} wait for each other, so none of them can start", way.join(", ")),
    };
    let mut edges = cycle.iter();
    let text = |edge: &CycleEdge| match edge.kind {
        "ready" => format!("`{}` waits until `{}` is done (`{}`)", edge.from, edge.to, edge.facet),
        _ => format!("`{}` waits for `{}`, which exists once `{}` runs", edge.from, edge.facet, edge.to),
    };
    let Some(first) = edges.next() else {
        return Diagnostic::new(
            Code::BootstrapCycle,
            message,
            model.object(crate::model::SYSTEM).span,
            "in this system",
        );
    };
    let mut diagnostic = Diagnostic::new(Code::BootstrapCycle, message, first.span, text(first));
    for edge in edges {
        diagnostic = diagnostic.label(edge.span, text(edge));
    }
    if members.len() > cycle.len() {
        let all: Vec<String> = members.iter().map(|member| format!("`{member}`")).collect();
        let shown = all.get(..all.len().min(12)).unwrap_or(&all).join(", ");
        diagnostic.message = format!(
            "{} ({} services are caught in it: {shown}{})",
            diagnostic.message,
            all.len(),
            if all.len() > 12 { ", …" } else { "" }
        );
    }
    let advice: Vec<String> = cuts.iter().map(advice).collect();
    let diagnostic = match advice.is_empty() {
        true => diagnostic.help("move what is needed at start out of the mount"),
        false => diagnostic.help(advice.join(", and ")),
    };
    diagnostic.detail(Detail::Cycle { cycle, members, cuts })
}

fn advice(cut: &Cut) -> String {
    match cut.change {
        "activated" => format!(
            "write `activated` in the braces of the facet `{}`, so that the init makes it first",
            cut.facet
        ),
        "channel" => format!("provide `{}` as `channel=#true`", cut.facet),
        _ => format!(
            "write `when=use` where `{}` comes to hold `{}`, if it copes with its being late",
            cut.from, cut.facet
        ),
    }
}

/// A change that takes waits away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// One facet, for all its holders.
    Facet(FacetId),
    /// One holding of one facet.
    Holding(u32, FacetId),
}

/// Returns the fewest changes that leave no circle: facets before holdings where both serve, the least ids first.
fn cuts(model: &Model, within: &[Wait]) -> Vec<Cut> {
    let mut removes: BTreeMap<Change, Vec<usize>> = BTreeMap::new();
    for (at, wait) in within.iter().enumerate() {
        if !wait.can_be_late {
            continue;
        }
        if matches!(model.facet(wait.facet).transport, Transport::Socket(_) | Transport::Tcp(_)) {
            removes.entry(Change::Facet(wait.facet)).or_default().push(at);
        }
        removes.entry(Change::Holding(wait.from.0, wait.facet)).or_default().push(at);
    }
    let candidates: Vec<(&Change, &Vec<usize>)> = removes.iter().collect();
    let chosen = match candidates.len() <= EXACT {
        true => exact(within, &candidates),
        false => heuristic(within, &candidates),
    };
    let mut cuts: Vec<Cut> =
        chosen.iter().filter_map(|at| candidates.get(*at)).map(|(change, _)| cut(model, **change)).collect();
    cuts.sort_by(|a, b| (&a.from, &a.to, &a.facet, a.change).cmp(&(&b.from, &b.to, &b.facet, b.change)));
    cuts
}

fn cut(model: &Model, change: Change) -> Cut {
    let (facet, from, change) = match change {
        Change::Facet(facet) => (facet, model.facet(facet).owner, "activated"),
        Change::Holding(holder, facet) => (facet, crate::model::ObjectId(holder), "when=use"),
    };
    let owner = &model.object(model.facet(facet).owner).name;
    let name = format!("{owner}.{}", model.facet(facet).name);
    Cut { from: model.object(from).name.to_string(), to: owner.to_string(), facet: name, change }
}

fn exact(within: &[Wait], candidates: &[(&Change, &Vec<usize>)]) -> Vec<usize> {
    let mut best: Option<(u32, u32)> = None;
    for set in 0u32..1 << candidates.len() {
        let size = set.count_ones();
        // Of two sets of one size the one with the earlier candidates wins: its reversed bits are the greater.
        if best.is_some_and(|(least, found)| (size, found.reverse_bits()) >= (least, set.reverse_bits())) {
            continue;
        }
        let taken = |at: &usize| set & (1 << at) != 0;
        let gone: BTreeSet<usize> = candidates
            .iter()
            .enumerate()
            .filter(|(at, _)| taken(at))
            .flat_map(|(_, (_, waits))| waits.iter().copied())
            .collect();
        if circle_left(within, &gone).is_none() {
            best = Some((size, set));
        }
    }
    let set = best.map_or(0, |(_, set)| set);
    (0..candidates.len()).filter(|at| set & (1 << at) != 0).collect()
}

fn heuristic(within: &[Wait], candidates: &[(&Change, &Vec<usize>)]) -> Vec<usize> {
    let mut gone = BTreeSet::new();
    let mut chosen = Vec::new();
    while let Some(circle) = circle_left(within, &gone) {
        let on_circle = |wait: &Wait| {
            circle.iter().enumerate().any(|(at, from)| {
                let to = circle.get((at + 1) % circle.len()).copied().unwrap_or(*from);
                wait.from.0 == *from && wait.to.0 == to
            })
        };
        // The change that takes most waits away among those that touch this circle.
        let touching = candidates.iter().enumerate().filter(|(_, (_, waits))| {
            waits.iter().any(|at| !gone.contains(at) && within.get(*at).is_some_and(on_circle))
        });
        let Some((at, (_, waits))) = touching.max_by_key(|(at, (_, waits))| {
            (waits.iter().filter(|at| !gone.contains(*at)).count(), usize::MAX - at)
        }) else {
            break;
        };
        gone.extend(waits.iter().copied());
        chosen.push(at);
    }
    chosen.sort_unstable();
    chosen
}

/// Returns a shortest circle of what is left without some waits.
fn circle_left(within: &[Wait], gone: &BTreeSet<usize>) -> Option<Vec<u32>> {
    let left: Vec<Wait> =
        within.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, wait)| *wait).collect();
    let mut ids: Vec<u32> = left.iter().flat_map(|wait| [wait.from.0, wait.to.0]).collect();
    ids.sort_unstable();
    ids.dedup();
    let local = |id: u32| ids.binary_search(&id).map_or(0, |at| at as u32);
    let mut edges: Vec<Vec<u32>> = vec![Vec::new(); ids.len()];
    for wait in &left {
        if let Some(edges) = edges.get_mut(local(wait.from.0) as usize) {
            edges.push(local(wait.to.0));
        }
    }
    let circle = components(ids.len(), &edges)
        .iter()
        .map(|component| shortest_circle(component, &edges))
        .find(|circle| !circle.is_empty())?;
    Some(circle.iter().filter_map(|at| ids.get(*at as usize).copied()).collect())
}

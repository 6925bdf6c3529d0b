//! `bootstrap-cycle`: services that wait for each other, with one shortest circle and the fewest changes that open it.

use super::circle::circle_of;
use super::cuts::{Change, Component, fewest};
use crate::components::Components;
use crate::diag::{Code, Cut, CycleEdge, Detail, Diagnostic};
use crate::model::{Model, ObjectId};
use crate::order::{Wait, Waits};

/// How many names, and how many places, one report shows; programs get all.
const SHOWN: usize = 12;

/// One report for each component of more than one service, and for each service that waits for itself.
pub fn check(model: &Model, waits: &Waits) -> Vec<Diagnostic> {
    let mut edges: Vec<Vec<u32>> = vec![Vec::new(); model.objects.len()];
    for wait in &waits.all {
        if let Some(edges) = edges.get_mut(wait.from.index())
            && edges.last() != Some(&wait.to.0)
        {
            edges.push(wait.to.0);
        }
    }
    let components = Components::of_lists(&edges);
    // For each object its component, and its place in it by name.
    let mut members: Vec<Vec<ObjectId>> = Vec::new();
    let mut place = vec![(u32::MAX, 0u32); model.objects.len()];
    for component in components.all() {
        let mut ids: Vec<ObjectId> = component.iter().map(|id| ObjectId(*id)).collect();
        ids.sort_by(|a, b| model.object(*a).name.cmp(&model.object(*b).name));
        for (at, id) in ids.iter().enumerate() {
            if let Some(place) = place.get_mut(id.index()) {
                *place = (members.len() as u32, at as u32);
            }
        }
        members.push(ids);
    }
    let mut within: Vec<Vec<(u32, u32, &Wait)>> = vec![Vec::new(); members.len()];
    for wait in &waits.all {
        let at = |id: ObjectId| place.get(id.index()).copied().unwrap_or((u32::MAX, 0));
        let ((from_in, from), (to_in, to)) = (at(wait.from), at(wait.to));
        if from_in == to_in
            && let Some(within) = within.get_mut(from_in as usize)
        {
            within.push((from, to, wait));
        }
    }
    let circular = members.iter().zip(within).filter(|(_, waits)| !waits.is_empty());
    circular.map(|(members, waits)| report(model, members, waits)).collect()
}

fn report(model: &Model, members: &[ObjectId], mut waits: Vec<(u32, u32, &Wait)>) -> Diagnostic {
    waits.sort_by(|a, b| {
        let facet = |wait: &Wait| &model.facet(wait.facet).name;
        (a.0, a.1)
            .cmp(&(b.0, b.1))
            .then_with(|| facet(a.2).cmp(facet(b.2)))
            .then_with(|| a.2.span.cmp(&b.2.span))
    });
    let name =
        |at: u32| members.get(at as usize).map_or_else(String::new, |id| model.object(*id).name.to_string());
    let circle = circle_of(members.len(), &waits);
    let cycle: Vec<CycleEdge> = circle
        .into_iter()
        .map(|(from, to, wait)| CycleEdge {
            from: name(*from),
            to: name(*to),
            kind: wait.kind.word(),
            facet: format!("{}.{}", name(*to), model.facet(wait.facet).name),
            span: wait.span,
        })
        .collect();
    let component = Component { members: members.len(), waits };
    let facet_name =
        |facet| format!("{}.{}", model.object(model.facet(facet).owner).name, model.facet(facet).name);
    let changes = fewest(model, &component, |change| match change {
        Change::Activate(facet) | Change::Channel(facet) => (0, facet_name(*facet), 0),
        Change::Late(holder, facet) => (1, facet_name(*facet), *holder),
    });
    let mut cuts: Vec<Cut> = changes
        .into_iter()
        .map(|change| {
            let (facet, change, holder) = match change {
                Change::Activate(facet) => (facet, "activated", None),
                Change::Channel(facet) => (facet, "channel", None),
                Change::Late(holder, facet) => (facet, "when=use", Some(holder)),
            };
            let to = model.object(model.facet(facet).owner).name.to_string();
            Cut { from: holder.map_or_else(|| to.clone(), name), to, facet: facet_name(facet), change }
        })
        .collect();
    cuts.sort_by(|a, b| (&a.from, &a.to, &a.facet, a.change).cmp(&(&b.from, &b.to, &b.facet, b.change)));
    let members: Vec<String> = members.iter().map(|id| model.object(*id).name.to_string()).collect();
    in_words(model, cycle, members, cuts)
}

fn in_words(model: &Model, cycle: Vec<CycleEdge>, members: Vec<String>, cuts: Vec<Cut>) -> Diagnostic {
    let list = |names: &mut dyn Iterator<Item = &String>, count: usize| {
        let shown: Vec<String> = names.take(SHOWN).map(|name| format!("`{name}`")).collect();
        format!("{}{}", shown.join(", "), if count > SHOWN { ", …" } else { "" })
    };
    let way = list(&mut cycle.iter().map(|edge| &edge.from), cycle.len());
    let mut message = match cycle.len() {
        1 => format!("{way} waits for itself"),
        _ => format!("{way} wait for each other, so none of them can start"),
    };
    if members.len() > cycle.len() {
        let all = list(&mut members.iter(), members.len());
        message = format!("{message} ({} services are caught in it: {all})", members.len());
    }
    let text = |edge: &CycleEdge| match edge.kind {
        "ready" => format!("`{}` waits until `{}` is done (`{}`)", edge.from, edge.to, edge.facet),
        _ => format!("`{}` waits for `{}`, which exists once `{}` runs", edge.from, edge.facet, edge.to),
    };
    let mut edges = cycle.iter();
    let span = edges.next().map_or(model.object(crate::model::SYSTEM).span, |first| first.span);
    let first = cycle.first().map_or_else(String::new, text);
    let diagnostic = Diagnostic::new(Code::BootstrapCycle, message, span, first);
    let diagnostic =
        edges.take(SHOWN - 1).fold(diagnostic, |diagnostic, edge| diagnostic.label(edge.span, text(edge)));
    let advice: Vec<String> = cuts.iter().take(SHOWN).map(advice).collect();
    let more = if cuts.len() > SHOWN {
        format!(", and {} more such changes", cuts.len() - SHOWN)
    } else {
        String::new()
    };
    let diagnostic = match advice.is_empty() {
        true => diagnostic.help("move what is needed at start out of the mount"),
        false => diagnostic.help(format!("{}{more}", advice.join(", and "))),
    };
    // No service is in two components.
    let about = members.first().cloned().unwrap_or_default();
    diagnostic.about(about).detail(Detail::Cycle { cycle, members, cuts })
}

fn advice(cut: &Cut) -> String {
    match cut.change {
        "activated" => {
            format!(
                "write `activated` in the braces of the facet `{}`, so that the init makes it first",
                cut.facet
            )
        }
        "channel" => format!("provide `{}` as `channel=#true`", cut.facet),
        _ => format!(
            "write `when=use` where `{}` comes to hold `{}`, if it copes with its being late",
            cut.from, cut.facet
        ),
    }
}

//! The authority graph for programs: `capc/graph/1`.

use super::selection::{Selection, Wanted};
use crate::authority::{Authority, Node};
use crate::holdings::Holdings;
use crate::model::{Model, ObjectKind, SYSTEM};
use crate::source::SourceMap;
use serde::Serialize;

/// `capc/graph/1`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GraphDocument {
    format: &'static str,
    objects: Vec<ObjectEntry>,
    holdings: Vec<HoldingEntry>,
    edges: Vec<EdgeEntry>,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ObjectEntry {
    name: String,
    kind: &'static str,
    file: String,
    line: u32,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct HoldingEntry {
    holder: String,
    capability: String,
    rights: Vec<&'static str>,
    via: &'static str,
    steps: Vec<StepEntry>,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StepEntry {
    rule: &'static str,
    file: String,
    line: u32,
    text: String,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EdgeEntry {
    from: String,
    to: String,
    rule: &'static str,
    carries: Vec<&'static str>,
    file: String,
    line: u32,
}

/// Returns the word for what an object is.
#[must_use]
pub const fn kind_word(kind: &ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Reconfigure => "reconfigure",
        ObjectKind::Outside => "outside",
        ObjectKind::Scope(_) => "scope",
        ObjectKind::Resource(resource) => resource.kind().word(),
        ObjectKind::Service(_) => "service",
        ObjectKind::Program(_) => "program",
        ObjectKind::User(_) => "user",
        ObjectKind::Powerbox(_) => "powerbox",
    }
}

/// Returns the graph as the system's own assertions see it, sorted by name.
#[must_use]
pub fn document(model: &Model, holdings: &Holdings, sources: &SourceMap) -> GraphDocument {
    let authority = Authority::new(model, holdings, SYSTEM);
    let all = Selection::new(&authority, &Wanted::default());
    selected(&authority, sources, &all)
}

/// Returns what is selected of the graph, sorted by name.
#[must_use]
pub fn selected(authority: &Authority<'_>, sources: &SourceMap, selection: &Selection) -> GraphDocument {
    let Authority { model, holdings, .. } = authority;
    let name = |id| model.object(id).name.to_string();
    let place = |span| {
        let (file, place) = sources.locate(span);
        (file.to_owned(), place.line)
    };
    let mut objects: Vec<ObjectEntry> = model
        .objects()
        .filter(|(id, _)| selection.has((*id).into()))
        .map(|(_, object)| {
            let (file, line) = place(object.span);
            ObjectEntry { name: object.name.to_string(), kind: kind_word(&object.kind), file, line }
        })
        .collect();
    let meetings = authority.meetings.iter().enumerate();
    let shown = meetings.filter(|(at, _)| selection.has(Node((model.objects.len() + at) as u32)));
    objects.extend(shown.map(|(_, meeting)| {
        let (file, line) = place(meeting.span);
        ObjectEntry { name: meeting.name.clone(), kind: meeting.kind, file, line }
    }));
    objects.sort();
    let mut held: Vec<HoldingEntry> = holdings
        .all()
        .iter()
        .filter(|holding| {
            selection.has_holding(authority, holding.holder, model.capability(holding.capability).target)
        })
        .map(|holding| {
            let known = model.capability(holding.capability);
            let way = holdings.shortest(model, holding);
            let steps = way.iter().map(|step| {
                let (file, line) = place(step.span);
                StepEntry {
                    rule: step.rule.word(),
                    file,
                    line,
                    text: format!(
                        "`{}` holds `{}`",
                        name(step.holder),
                        model.capability(step.capability).name
                    ),
                }
            });
            HoldingEntry {
                holder: name(holding.holder),
                capability: known.name.to_string(),
                rights: known.kind.words(holding.rights).collect(),
                via: way.last().map_or("axiom", |step| step.rule.word()),
                steps: steps.collect(),
            }
        })
        .collect();
    held.sort();
    let mut edges: Vec<EdgeEntry> = authority
        .edges
        .iter()
        .filter(|edge| selection.has_edge(edge))
        .map(|edge| {
            let (file, line) = place(edge.span);
            EdgeEntry {
                from: authority.name(edge.from).to_owned(),
                to: authority.name(edge.to).to_owned(),
                rule: edge.rule.word(),
                carries: edge.carries.words().collect(),
                file,
                line,
            }
        })
        .collect();
    edges.sort();
    edges.dedup();
    GraphDocument { format: "capc/graph/1", objects, holdings: held, edges }
}

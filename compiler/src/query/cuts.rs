//! What cuts a way: the same question, asked again with one thing after another taken away that keeps authority apart.

use crate::authority::{Authority, Chain, Graph};
use crate::model::{CapId, Facet, Level, Model, ObjectId, SYSTEM, Transport};
use crate::source::{SourceMap, Span};
use serde::Serialize;

/// Something that cuts a way, with its place.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cut {
    rule: &'static str,
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) text: String,
}

/// How many of those who hold something are named.
const MOST_NAMED: usize = 3;

/// Returns what cuts every way at a level, along a shortest one that there would be without it.
///
/// Trust goes first, then what says that a facet carries no descriptors, then what says that it carries nothing.
/// Without trust nothing is exposed either, as only trusted objects expose anything.
#[must_use]
pub fn cuts(
    authority: &Authority<'_>,
    object: ObjectId,
    asked: CapId,
    level: Level,
    sources: &SourceMap,
) -> Vec<Cut> {
    let model = authority.model;
    let carrying = |facet: &Facet| {
        facet.data_only || matches!(facet.transport, Transport::Tcp(_) | Transport::Listen(_))
    };
    let ended = |facet: &Facet| matches!(facet.transport, Transport::Done);
    let models = [
        None,
        (level == Level::Hold).then(|| opened(model, &carrying)),
        Some(opened(model, &|facet| ended(facet) || level == Level::Hold && carrying(facet))),
    ];
    for (number, open) in models.iter().enumerate() {
        if number > 0 && open.is_none() {
            continue;
        }
        let open = Authority::with_trust(open.as_ref().unwrap_or(model), authority.holdings, &[]);
        if let Some(chain) = open.chain(object, asked, model.capability(asked).kind.all(), level) {
            let found = along(authority, &chain, level, sources);
            if !found.is_empty() {
                return found;
            }
        }
    }
    nothing_joins(authority, object, asked, level, sources)
}

/// Returns a model in which some facets are channels.
fn opened(model: &Model, which: &dyn Fn(&Facet) -> bool) -> Model {
    let mut model = model.clone();
    for facet in model.facets.iter_mut().filter(|facet| which(facet)) {
        facet.transport = Transport::Channel;
        facet.data_only = false;
    }
    model
}

/// Returns for each step of a chain what it is that it could not be taken by.
fn along(authority: &Authority<'_>, chain: &Chain, level: Level, sources: &SourceMap) -> Vec<Cut> {
    let model = authority.model;
    let mut cuts = Vec::new();
    for hop in &chain.hops {
        let trusted = model.object(hop.to);
        let relayed = hop.edges.last().is_some_and(|edge| edge.relayed);
        if relayed && model.is_trusted(hop.to, SYSTEM) {
            let text = format!("`{}` is trusted not to relay it", trusted.name);
            let span = trusted.trusted.or(trusted.lets_control).unwrap_or(trusted.span);
            push(&mut cuts, cut("trusted", text, span, sources));
        }
        for (holder, owner) in [(hop.from, hop.to), (hop.to, hop.from)] {
            let facets = model.facets.iter().filter(|facet| facet.owner == owner);
            for facet in facets {
                let held = authority.holdings.of(holder).iter().any(|holding| {
                    matches!(model.capability(holding.capability).target, crate::model::Target::Facet(id)
                        if std::ptr::eq(model.facet(id), facet))
                });
                if !held {
                    continue;
                }
                let name = format!("{}.{}", model.object(owner).name, facet.name);
                let (rule, why) = match facet.transport {
                    Transport::Done => ("done", "only says that it has ended, and carries nothing"),
                    _ if level == Level::Reach => continue,
                    _ if facet.data_only => ("data-only", "is data-only: no descriptor crosses it"),
                    Transport::Tcp(_) | Transport::Listen(_) => {
                        ("tcp", "is a port: no descriptor crosses it")
                    }
                    _ => continue,
                };
                push(&mut cuts, cut(rule, format!("`{name}` {why}"), facet.span, sources));
            }
        }
    }
    cuts
}

fn push(cuts: &mut Vec<Cut>, cut: Cut) {
    if !cuts.contains(&cut) {
        cuts.push(cut);
    }
}

fn cut(rule: &'static str, text: String, span: Span, sources: &SourceMap) -> Cut {
    let (file, place) = sources.locate(span);
    Cut { rule, file: file.to_owned(), line: place.line, text }
}

/// Says who holds it, and that nothing leads to them: what lacks is an introduction.
fn nothing_joins(
    authority: &Authority<'_>,
    object: ObjectId,
    asked: CapId,
    level: Level,
    sources: &SourceMap,
) -> Vec<Cut> {
    let model = authority.model;
    let name = &model.object(object).name;
    let what = authority.asked(asked);
    let mut holders: Vec<(&str, Span)> = Vec::new();
    for (id, holder) in model.objects().filter(|(_, holder)| holder.is_subject()) {
        let held = authority.held(id).iter().filter(|held| held.counts_at(level));
        let mut held = held.filter(|held| !authority.extent_of(held, what).rights().is_empty());
        holders.extend(held.next().map(|held| (&*holder.name, held.span)));
    }
    holders.sort();
    let Some((_, span)) = holders.first().copied() else {
        let text = "nobody holds it, or anything that contains it".to_owned();
        let declared = match model.capability(asked).target {
            crate::model::Target::Resource(resource) => model.object(resource).span,
            crate::model::Target::Facet(facet) => model.facet(facet).span,
        };
        return vec![cut("unheld", text, declared, sources)];
    };
    let names: Vec<String> = holders.iter().take(MOST_NAMED).map(|(name, _)| format!("`{name}`")).collect();
    let more = match holders.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        Some(more) => format!(" and {more} more"),
        None => String::new(),
    };
    let text = format!(
        "nobody introduces `{name}` to those who hold it ({}{more}): no facet, shared file or control leads there",
        names.join(", ")
    );
    vec![cut("introduction", text, span, sources)]
}

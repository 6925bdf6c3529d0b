//! `capc graph`: the authority flow as a picture or for programs, all of it or a part.

use super::print_json;
use super::question::{Answerable, Asked};
use super::together::Needed;
use crate::cli::{Exit, Graph, GraphFormat, GraphLevel};
use crate::emit::selection::{Selection, Wanted};
use crate::emit::{dot, drawing, graph, mermaid, svg};
use crate::model::Level;

/// Prints the graph.
pub fn run(arguments: &Graph) -> Exit {
    let source = &arguments.source;
    let open = match Answerable::open(source.file(), &source.homes, &source.store, Needed::Authority) {
        Ok(open) => open,
        Err(exit) => return exit,
    };
    open.answer(|asked| draw(arguments, asked))
}

fn draw(arguments: &Graph, asked: &Asked<'_>) -> Result<Exit, Exit> {
    let selection = Selection::new(asked.authority, &wanted(arguments, asked)?);
    let drawn = || drawing::picture(asked.authority, &selection);
    match arguments.format {
        GraphFormat::Dot => super::say_as_is!("{}", dot::dot(&drawn())),
        GraphFormat::Svg => super::say_as_is!("{}", svg::svg(&drawn())),
        GraphFormat::Mermaid => super::say_as_is!("{}", mermaid::mermaid(&drawn())),
        GraphFormat::Json => {
            let document = graph::selected(asked.authority, asked.sources, &selection);
            print_json(&document).map_err(|failure| failure.report())?;
        }
    }
    Ok(Exit::Clean)
}

fn wanted(arguments: &Graph, asked: &Asked<'_>) -> Result<Wanted, Exit> {
    let Graph { level, focus, from, to, kind, .. } = arguments;
    let object = |name: &Option<String>| name.as_ref().map(|name| asked.object(name)).transpose();
    let level = level.map(|level| match level {
        GraphLevel::Hold => Level::Hold,
        GraphLevel::Reach => Level::Reach,
    });
    let kind = kind.as_ref().map(|kind| asked.kind(kind)).transpose()?;
    Ok(Wanted { level, focus: object(focus)?, from: object(from)?, to: object(to)?, kind })
}

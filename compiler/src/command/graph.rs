//! `capc graph`: the authority flow as a picture or for programs, all of it or a part.

use super::print_json;
use super::question::Answerable;
use crate::authority::Authority;
use crate::cli::{Exit, Graph, GraphFormat, GraphLevel};
use crate::emit::selection::{Selection, Wanted};
use crate::emit::{dot, drawing, graph, mermaid, svg};
use crate::model::{Level, SYSTEM};

/// Prints the graph.
pub fn run(arguments: &Graph) -> Exit {
    let open = match Answerable::open(arguments.file.as_ref().or(arguments.config.as_ref()), &arguments.store)
    {
        Ok(open) => open,
        Err(exit) => return exit,
    };
    let (Some(model), Some(holdings), sources) = open.parts() else { return Exit::Errors };
    let wanted = match wanted(arguments, &open) {
        Ok(wanted) => wanted,
        Err(exit) => return exit,
    };
    let authority = Authority::new(model, holdings, SYSTEM);
    let selection = Selection::new(&authority, &wanted);
    let drawn = || drawing::picture(&authority, &selection);
    match arguments.format {
        GraphFormat::Dot => super::say_as_is!("{}", dot::dot(&drawn())),
        GraphFormat::Svg => super::say_as_is!("{}", svg::svg(&drawn())),
        GraphFormat::Mermaid => super::say_as_is!("{}", mermaid::mermaid(&drawn())),
        GraphFormat::Json => {
            if let Err(failure) = print_json(&graph::selected(&authority, sources, &selection)) {
                return failure.report();
            }
        }
    }
    Exit::Clean
}

fn wanted(arguments: &Graph, open: &Answerable) -> Result<Wanted, Exit> {
    let Graph { level, focus, from, to, kind, .. } = arguments;
    let object = |name: &Option<String>| name.as_ref().map(|name| open.object(name)).transpose();
    let level = level.map(|level| match level {
        GraphLevel::Hold => Level::Hold,
        GraphLevel::Reach => Level::Reach,
    });
    let kind = kind.as_ref().map(|kind| open.kind(kind)).transpose()?;
    Ok(Wanted { level, focus: object(focus)?, from: object(from)?, to: object(to)?, kind })
}

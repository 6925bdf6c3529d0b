//! `capc graph`: the authority flow as a picture or for programs.

use super::print_json;
use super::question::Answerable;
use crate::cli::{Exit, Graph, GraphFormat};
use crate::emit::{dot, graph};

/// Prints the graph.
pub fn run(arguments: &Graph) -> Exit {
    let open = match Answerable::open(arguments.file.as_ref().or(arguments.config.as_ref()), &arguments.store)
    {
        Ok(open) => open,
        Err(exit) => return exit,
    };
    let (Some(model), Some(holdings), sources) = open.parts() else { return Exit::Errors };
    match arguments.format {
        GraphFormat::Dot => super::say_as_is!("{}", dot::dot(model, holdings)),
        GraphFormat::Json => {
            if let Err(failure) = print_json(&graph::document(model, holdings, sources)) {
                return failure.report();
            }
        }
    }
    Exit::Clean
}

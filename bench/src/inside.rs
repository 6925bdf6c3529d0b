//! What is timed inside a process of its own: the part of the work that is compared, without what comes before it.

use crate::generate::Numbers;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many vertices and edges the relation has whose components are found.
const VERTICES: usize = 100_000;
const EDGES: usize = 1_000_000;

/// Does one piece of work and returns how long it took.
pub fn run(work: &str, file: Option<&str>) -> Result<Duration, Box<dyn std::error::Error>> {
    let text = || -> Result<String, Box<dyn std::error::Error>> {
        Ok(std::fs::read_to_string(file.ok_or("which file?")?)?)
    };
    match work {
        "read" => {
            let text: Arc<str> = text()?.into();
            let (tree, took) = timed(|| capc::syntax::kdl::read(text));
            std::mem::forget(tree);
            Ok(took)
        }
        "read-kdl" => {
            let text = text()?;
            let (tree, took) = timed(|| kdl::KdlDocument::parse_v2(&text));
            std::mem::forget(tree?);
            Ok(took)
        }
        "components" => {
            let mut edges: Vec<Vec<u32>> = vec![Vec::new(); VERTICES];
            for (from, to) in relation() {
                edges.get_mut(from as usize).ok_or("no such vertex")?.push(to);
            }
            Ok(timed(|| capc::components::Components::of_lists(&edges).count()).1)
        }
        "components-petgraph" => {
            let edges: Vec<(u32, u32)> = relation().collect();
            let graph = petgraph::graph::DiGraph::<(), ()>::from_edges(&edges);
            Ok(timed(|| petgraph::algo::kosaraju_scc(&graph).len()).1)
        }
        other => Err(format!("no work is called `{other}`").into()),
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let result = black_box(work());
    (result, begin.elapsed())
}

fn relation() -> impl Iterator<Item = (u32, u32)> {
    let mut numbers = Numbers::new();
    let vertex = |numbers: &mut Numbers| numbers.below(VERTICES) as u32;
    (0..EDGES).map(move |_| (vertex(&mut numbers), vertex(&mut numbers)))
}

//! What comes out: reports for people and programs, graphs, and the store of generations.

pub mod report;
pub mod diagnostics;
pub mod graph;
pub mod dot;
pub mod store;

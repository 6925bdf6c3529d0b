//! What comes out: reports for people and programs, graphs, and the store of generations.

pub mod harmless;
pub mod found;
pub mod uri;
pub mod report;
pub mod diagnostics;
pub mod github;
pub mod sarif;
pub mod graph;
pub mod selection;
pub mod picture;
pub mod drawing;
pub mod dot;
pub mod mermaid;
pub mod labels;
pub mod svg;
pub mod init;
pub mod store;

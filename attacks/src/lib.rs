//! What attacks aim at, and the worlds that they run in: nothing at all, capc's, bubblewrap's.
//!
//! `src/main.rs` is the program that attacks.

pub mod outside;
pub mod report;
pub mod world;

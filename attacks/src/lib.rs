//! What attacks aim at, and the worlds that they run in: nothing at all, capc's, bubblewrap's, a hardened unit of systemd's.
//!
//! `src/main.rs` is the program that attacks.

pub mod booted;
pub mod outside;
pub mod report;
pub mod world;
pub mod unit;
pub mod known;

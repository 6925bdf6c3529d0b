//! The supervisor as its users meet it: real processes, signals, sockets and mounts.
//!
//! Each test runs `capc-supervisor-actor --supervise` on a plan and on shell scripts that play the services.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod scene;

mod control;
mod first;
mod groups;
mod handing;
mod life;
mod order;
mod words;

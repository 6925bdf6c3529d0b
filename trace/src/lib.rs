//! Runs a program without a world and records what of the machine it used: files, sockets, ports, system calls.
//!
//! The program has all the authority of whoever runs it. What it tried in vain is not recorded: it went on without.
//! Of processes that run in worlds, it is the other way round: what they try in vain is told.
#![forbid(unsafe_code)]

mod calls;
mod follow;
mod memory;
mod refused;
mod tracer;
mod uses;

pub use follow::{Whom, follow};
pub use refused::{Refusal, Tried, Why};
pub use tracer::{Request, run};
pub use uses::{Access, Evidence, Use, Uses};

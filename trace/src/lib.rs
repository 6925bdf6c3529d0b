//! Runs a program without a world and records what of the machine it used: files, sockets, ports, system calls.
//!
//! The program has all the authority of whoever runs it. What it tried in vain is not recorded: it went on without.
#![forbid(unsafe_code)]

mod calls;
mod memory;
mod tracer;
mod uses;

pub use tracer::{Request, run};
pub use uses::{Access, Evidence, Use, Uses};

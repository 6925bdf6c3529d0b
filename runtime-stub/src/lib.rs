//! The launcher: verifies a sealed generation and becomes one service in its dead world.
//!
//! Everything is decided in the manifest; the launcher checks it and does it, or refuses. The modules stand in the
//! order in which a launch passes through them, below them all the kernel's door.
#![no_std]

#[cfg(test)]
extern crate std;

/// The kernel's door.
pub mod sys;
/// Why nothing is started.
pub mod refusal;
/// The command line.
pub mod request;
/// Trust record, SEAL, signature, floor, manifest.
pub mod load;
/// Manifest to what is to be done.
pub mod plan;
/// One mechanism a file.
pub mod apply;
/// From a built world to the service's program.
pub mod exec;
/// Tries every layer.
pub mod doctor;
/// A list of calls.
pub mod launch;

//! The launcher: verifies a sealed generation and becomes one service in its dead world.
//!
//! Everything is decided in the manifest; the launcher checks it and does it, or refuses. The modules stand in the
//! order in which a launch passes through them, below them all the kernel's door.
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

#[expect(unsafe_code, reason = "somebody must talk to the kernel; nobody else does")]
pub mod sys;
pub mod refusal;
pub mod request;
pub mod load;
pub mod whole;
pub mod plan;
pub mod apply;
pub mod exec;
pub mod crew;
pub mod follow;
pub mod doctor;
pub mod launch;

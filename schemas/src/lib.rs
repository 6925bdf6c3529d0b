//! The sealed formats of capc: what the compiler writes and the launcher loads.
//!
//! One crate for both sides, so that they cannot disagree: nothing here allocates, touches the system or decides
//! anything, and what is read would be written again byte for byte.
//! The grammar for people is `GRAMMAR.md` beside this crate.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod token;
pub mod wire;
pub mod public_key;
pub mod line;
pub mod manifest;
pub mod seal;
pub mod sshsig;
pub mod trust;

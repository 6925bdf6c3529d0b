//! The sealed formats of capc: what the compiler writes and the launcher loads.
//!
//! One crate for both sides, so that they cannot disagree: nothing here allocates, touches the system or decides
//! anything, and what is read would be written again byte for byte.
//! The grammar for people is `GRAMMAR.md` beside this crate.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

/// The words that lines are made of.
pub mod token;
/// Lines that are read field by field and compared with their own re-emission.
pub mod line;
/// The text of one service's world.
pub mod manifest;
/// The signed index of a generation.
pub mod seal;
/// OpenSSH signatures, rebuilt rather than parsed.
pub mod sshsig;
/// What a launcher trusts.
pub mod trust;

//! Any bytes into the reader of TOML, and into a whole compilation of a TOML file.
#![no_main]

#[path = "../judge.rs"]
mod judge;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| judge::toml(bytes));

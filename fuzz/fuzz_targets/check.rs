//! Any bytes into the whole of `capc check` and of the questions.
#![no_main]

#[path = "../judge.rs"]
mod judge;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| judge::check(bytes));

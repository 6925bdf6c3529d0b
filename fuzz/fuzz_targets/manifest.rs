//! Any bytes into the reader of manifests.
#![no_main]

#[path = "../judge.rs"]
mod judge;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| judge::manifest(bytes));

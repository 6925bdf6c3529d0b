//! Any bytes into the reader of signatures.
#![no_main]

#[path = "../judge.rs"]
mod judge;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| judge::sshsig(bytes));

//! Any bytes into the reader of KDL; what the `kdl` crate takes too, both must read alike.
#![no_main]

#[path = "../judge.rs"]
mod judge;
#[path = "../../compiler/tests/it/kdl/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    judge::kdl(bytes);
    // The crate recurses, and so aborts on deep nesting; and it is slow.
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.len() < 500
        && let (Ok(found), Ok(expected)) = (oracle::ours(text), oracle::theirs(text))
    {
        assert_eq!(found.with_last_properties(), expected);
    }
});

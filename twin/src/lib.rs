//! Nothing: this package is its tests, apart from the compiler's so that they can be built for speed.
//!
//! `cargo test --profile twin -p capc-twin` tries 100,000 random models; an ordinary `cargo test --workspace` a few of them.
#![forbid(unsafe_code)]

//! capc, a build-time capability compiler: a reviewed configuration goes in, sealed manifests come out.
//!
//! The modules stand in the order in which the data flows, and each uses only those before it.
#![forbid(unsafe_code)]

pub mod source;
pub mod diag;
pub mod syntax;
pub mod model;
pub mod resolve;

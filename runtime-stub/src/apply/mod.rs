//! The mechanisms, one a file, in the order in which a launch uses them.

pub mod descriptors;
pub mod namespaces;
pub mod state;
pub mod idmap;
pub mod identities;
pub mod sources;
pub mod places;
pub mod copies;
pub mod mounts;
pub mod contents;
pub mod facet;
pub mod report;
pub mod keeper;
pub mod proc;
pub mod session;
pub mod limits;
pub mod identity;
pub mod enter;
pub mod landlock;

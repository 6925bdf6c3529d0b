//! The mechanisms, one a file, in the order in which a launch uses them.

/// What the init passes.
pub mod descriptors;
/// Namespaces of its own.
pub mod namespaces;
/// Directories of its own on the host.
pub mod state;
/// User namespaces that mounts map owners through.
pub mod idmap;
/// Opening what is to be mounted, once.
pub mod sources;
/// The root and the places in it.
pub mod places;
/// Binding what was opened.
pub mod mounts;
/// Files that are made and not bound.
pub mod contents;
/// Sockets that are left over.
pub mod facet;
/// The status pipe.
pub mod report;
/// The first process of the world.
pub mod keeper;
/// The process file system, and the root for good.
pub mod proc;
/// Session, signals, keys.
pub mod session;
/// Resource limits.
pub mod limits;
/// User, groups, privileges.
pub mod identity;
/// A place to start services from.
pub mod enter;
/// Rights on files and ports.
pub mod landlock;

//! The index of a generation: what questions ask of a configuration, so that they are answered without compiling it.
//!
//! `write` and `read` are each other's reverse: what is read back answers every question as what was written does, byte for
//! byte. An index is a few tables of numbers (`table`); `docs/generation.md` has its grammar. It is believed as far as its
//! digest is sealed, and even so no number in it is used before it has been compared with what it counts.

mod codes;
mod layout;
mod numbers;
mod open;
mod read;
mod reader;
mod table;
mod view;
mod words;
mod write;

pub use open::{Broken, Index};
pub use read::Restored;
pub use write::write;

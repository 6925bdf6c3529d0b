//! Sets of services that are not capc's: what other inits start, read as it stands, and looked at for orders that lead round.
//!
//! No such init looks itself: systemd leaves out a unit of the circle and says so in a log, GNU Shepherd waits for ever.
//! Beside that, `import` writes units of systemd down as a configuration. Nothing is evaluated and no authority is made up; what cannot be known from the text alone is told with its place.

mod circles;
pub mod import;
mod order;
pub mod shepherd;
pub mod systemd;

pub use order::{Order, Why};

use crate::diag::Diagnostic;
use crate::source::SourceMap;

/// What a set of services came to.
#[derive(Default)]
pub struct Foreign {
    /// The files.
    pub sources: SourceMap,
    /// Errors and warnings, by place.
    pub diagnostics: Vec<Diagnostic>,
    /// How many services, or units, were looked at.
    pub services: usize,
    /// How many orders between two of them.
    pub orders: usize,
    /// A file that was named could not be read.
    pub unreadable: bool,
}

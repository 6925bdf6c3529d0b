//! What must hold before anything is lowered: one rule a file, each named after its code.

mod bootstrap_cycle;
pub(crate) mod circle;
mod conflict;
pub(crate) mod cuts;
mod failed;
mod provenance;
mod root_cycle;
mod assertion_failed;
mod vacuous;
mod worlds;

pub use provenance::check as provenance;

use crate::authority::{Authority, Footing};
use crate::certificate::Grounds;
use crate::diag::Diagnostic;
use crate::holdings::Holdings;
use crate::model::{Model, SYSTEM};
use crate::order::{self, Waits};
use crate::source::SourceMap;
use std::cell::LazyCell;

/// Evidence that a configuration keeps every rule; what comes after asks for it.
///
/// Only [`check`] makes one:
///
/// ```compile_fail
/// let checked = capc::check::Checked { waits: capc::order::Waits::default() };
/// ```
#[derive(Debug)]
pub struct Checked {
    waits: Waits,
    grounds: Grounds,
}

impl Checked {
    /// Returns who waits for whom, which leads round in no circle.
    #[must_use]
    pub const fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Returns what the assertions rest on.
    #[must_use]
    pub const fn grounds(&self) -> &Grounds {
        &self.grounds
    }
}

/// Checks every rule. The evidence is there only when nothing is wrong. `sources` lend reports their words.
#[must_use]
pub fn check(model: &Model, holdings: &Holdings, sources: &SourceMap) -> (Option<Checked>, Vec<Diagnostic>) {
    std::thread::scope(|scope| {
        // Looks at every world, and at nothing that the others find out.
        let conflicts = scope.spawn(|| conflict::check(model, holdings));
        let mut diagnostics = provenance::check(model, holdings, sources);
        let waits = order::waits(model, holdings);
        diagnostics.extend(bootstrap_cycle::check(model, &waits));
        let footing = Footing::new(model, holdings, SYSTEM);
        diagnostics.extend(root_cycle::check(&footing));
        diagnostics.extend(vacuous::check(model));
        // Without assertions nobody asks for the edges.
        let system = LazyCell::new(|| Authority::drawn(footing));
        let (failed, grounds) = assertion_failed::check(model, holdings, &system);
        diagnostics.extend(failed);
        diagnostics.extend(conflicts.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        let checked = diagnostics.is_empty().then_some(Checked { waits, grounds });
        (checked, diagnostics)
    })
}

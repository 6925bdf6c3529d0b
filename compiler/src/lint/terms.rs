//! Under which terms a configuration is judged: the day, and which lints are errors.

use crate::diag::{Code, Severity};
use crate::model::Date;
use std::collections::BTreeMap;

/// The terms of who asks; by default no day, and every lint a warning.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The day that waivers are measured by; without one none has run out.
    pub at: Option<Date>,
    /// What single lints come to.
    pub lints: BTreeMap<Code, Severity>,
    /// What all other lints come to.
    pub others: Severity,
}

impl Default for Terms {
    fn default() -> Self {
        Self { at: None, lints: BTreeMap::new(), others: Severity::Warning }
    }
}

impl Terms {
    /// Returns what a code comes to; what is an error cannot be lowered.
    #[must_use]
    pub fn severity(&self, code: Code) -> Severity {
        match code.is_lint() {
            true => self.lints.get(&code).copied().unwrap_or(self.others),
            false => Severity::Error,
        }
    }
}

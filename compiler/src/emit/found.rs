//! The diagnostics of one or several compilations, as one list.

use crate::diag::{Code, Diagnostic, Severity};
use crate::source::{SourceFile, SourceMap, Span};
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;

/// The most diagnostics of one code that programs are told; the rest is counted.
pub const MOST_OF_ONE_CODE: usize = 1000;

/// A diagnostic with the files that its places are in.
#[derive(Copy, Clone)]
pub struct Found<'a> {
    /// What.
    pub diagnostic: &'a Diagnostic,
    /// The files.
    pub sources: &'a SourceMap,
}

impl<'a> Found<'a> {
    /// Returns the first place, and its file; there is one in all but broken compilations.
    #[must_use]
    pub fn first(&self) -> Option<(Span, &'a SourceFile)> {
        let span = self.diagnostic.labels.first()?.span;
        Some((span, self.sources.file(span.file)?))
    }
}

/// Returns the diagnostics of some compilations in their order; what two of them say alike of one file is said once.
#[must_use]
pub fn found<'a>(all: impl IntoIterator<Item = (&'a [Diagnostic], &'a SourceMap)>) -> Vec<Found<'a>> {
    let mut seen: HashSet<(Code, &OsStr, u32, u32, &str, &str), RandomState> = HashSet::default();
    let mut list = Vec::new();
    for (diagnostics, sources) in all {
        for diagnostic in diagnostics {
            let one = Found { diagnostic, sources };
            let new = one.first().is_none_or(|(span, file)| {
                seen.insert((
                    diagnostic.code,
                    file.path.as_os_str(),
                    span.start,
                    span.end,
                    &diagnostic.message,
                    &diagnostic.about,
                ))
            });
            if new {
                list.push(one);
            }
        }
    }
    list
}

/// Returns at most so many of one code, and how many are left out, by code.
#[must_use]
pub fn readable<'a>(all: &[Found<'a>], most: usize) -> (Vec<Found<'a>>, BTreeMap<Code, usize>) {
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    let mut kept = Vec::new();
    for one in all {
        let count = counts.entry(one.diagnostic.code).or_default();
        *count += 1;
        if *count <= most {
            kept.push(*one);
        }
    }
    let omitted = counts.into_iter().filter_map(|(code, count)| Some((code, count.checked_sub(most)?)));
    (kept, omitted.filter(|(_, count)| *count > 0).collect())
}

/// Returns how many are errors, and how many warnings.
#[must_use]
pub fn counted(all: &[Found<'_>]) -> [(usize, Severity); 2] {
    let errors = all.iter().filter(|one| one.diagnostic.is_error()).count();
    [(errors, Severity::Error), (all.len() - errors, Severity::Warning)]
}

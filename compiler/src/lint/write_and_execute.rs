//! `write-and-execute`: one holder may put something at a path, and execute what lies there.

use super::paths::{PathRight, each_with_those_above, paths_of};
use super::{Finding, Thing, actors};
use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{Kind, Model, Rights};

/// One finding for each holder: the outermost path where it may do both.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Finding> {
    let puts = Kind::FS_MODIFY.or(Kind::FS_CREATE);
    let mut findings = Vec::new();
    for (id, object) in actors(model) {
        let paths = paths_of(model, holdings, id);
        let may = |paths: &[PathRight<'_>], rights: Rights| {
            paths.iter().any(|path| !path.rights.and(rights).is_empty())
        };
        if !may(&paths, puts) {
            continue;
        }
        let mut found: Option<(PathRight<'_>, PathRight<'_>)> = None;
        each_with_those_above(&paths, |here, above| {
            if found.is_none() && (may(here, puts) || may(here, Kind::FS_EXEC)) {
                let writes = above.iter().rev().find(|path| !path.rights.and(puts).is_empty());
                let executes = above.iter().rev().find(|path| path.rights.contains(Kind::FS_EXEC));
                found = writes.zip(executes).map(|(writes, executes)| (*writes, *executes));
            }
        });
        let Some((writes, executes)) = found else { continue };
        let inner = if writes.path.len() > executes.path.len() { writes.path } else { executes.path };
        let message = format!("`{}` may write and execute `{inner}`", object.name);
        let mut diagnostic = match (writes.span == executes.span, executes.capability) {
            (true, _) => Diagnostic::new(Code::WriteAndExecute, message, writes.span, "both are held here"),
            (false, Some(_)) => {
                Diagnostic::new(Code::WriteAndExecute, message, writes.span, "may be written by this")
                    .label(executes.span, "may be executed by this")
            }
            (false, None) => {
                Diagnostic::new(Code::WriteAndExecute, message, writes.span, "may be written by this")
                    .label(executes.span, "is its own code")
            }
        };
        diagnostic = diagnostic.help("split it: one path to write to, another to execute from");
        let about = [writes, executes].into_iter().filter_map(|path| path.capability).map(Thing::Capability);
        findings.push(Finding::of(std::iter::once(Thing::Object(id)).chain(about).collect(), diagnostic));
    }
    findings
}

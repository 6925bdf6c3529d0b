//! `write-without-read`: a right to modify what its holder cannot read, which is seldom meant.
//!
//! `create` alone is not meant: a directory that one may only put things into is a way to deliver them.

use super::paths::{each_of, each_with_those_above, paths_of};
use super::{Finding, Thing, actors};
use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{Kind, Model};

/// One finding for each holding.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, object) in actors(model) {
        let blind = each_of(model, holdings, id)
            .any(|path| path.rights.contains(Kind::FS_MODIFY) && !path.rights.contains(Kind::FS_READ));
        if !blind {
            continue;
        }
        each_with_those_above(&paths_of(model, holdings, id), |here, above| {
            if above.iter().any(|path| path.rights.contains(Kind::FS_READ)) {
                return;
            }
            for path in here.iter().filter(|path| path.rights.contains(Kind::FS_MODIFY)) {
                let Some(capability) = path.capability else { continue };
                let known = model.capability(capability);
                let message = format!("`{}` may modify `{}` and not read it", object.name, known.name);
                let diagnostic =
                    Diagnostic::new(Code::WriteWithoutRead, message, path.span, "`modify` without `read`")
                        .help("name `read` too; to deliver files and no more, name `create` alone");
                findings
                    .push(Finding::of(vec![Thing::Object(id), Thing::Capability(capability)], diagnostic));
            }
        });
    }
    findings
}

//! Files that are named together: a home beside a system file is a home of that system.

use super::{Failure, compile};
use crate::lint::Terms;
use crate::model::FileKind;
use crate::resolve::Named;
use crate::source::Files;
use crate::{Compilation, compile_with_homes};
use std::path::PathBuf;

/// Compiles each file by itself, and homes with each system file that is named beside them.
///
/// # Errors
/// When the current directory is gone.
pub fn compile_all(files: &dyn Files, paths: &[PathBuf], terms: &Terms) -> Result<Vec<Compilation>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let compilation = compile::from(files, path, terms)?;
        let kind = compilation.model.as_ref().map(|model| model.file);
        found.push((path, kind, compilation));
    }
    let has_system = found.iter().any(|(_, kind, _)| *kind == Some(FileKind::System));
    let mut homes = Vec::new();
    for (path, _, _) in found.iter().filter(|(_, kind, _)| *kind == Some(FileKind::Home)) {
        let shown = path.to_string_lossy().into_owned();
        homes.push(Named { path: compile::absolute(path)?, shown });
    }
    if homes.is_empty() || !has_system {
        return Ok(found.into_iter().map(|(_, _, compilation)| compilation).collect());
    }
    let mut compilations = Vec::new();
    for (path, kind, alone) in found {
        match kind {
            Some(FileKind::System) => {
                let main = compile::absolute(path)?;
                compilations.push(compile_with_homes(files, &main, &path.to_string_lossy(), &homes, terms));
            }
            // What it says is judged where it belongs.
            Some(FileKind::Home) => {}
            Some(FileKind::Module) | None => compilations.push(alone),
        }
    }
    Ok(compilations)
}

//! Files that are named together: a home beside a system file is a home of that system.

use super::{Failure, compile};
use crate::authority::Drawn;
use crate::lint::Terms;
use crate::model::FileKind;
use crate::resolve::{Named, resolve};
use crate::source::Files;
use crate::{Compilation, compile_with_homes};
use std::path::{Path, PathBuf};

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
        homes.push(named(path)?);
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

/// Returns homes as they go beside a system file.
///
/// # Errors
/// When one cannot be read, or is no home.
pub fn homes(files: &dyn Files, paths: &[PathBuf]) -> Result<Vec<Named>, Failure> {
    paths.iter().map(|path| home(files, named(path)?)).collect()
}

/// Returns a file that is to be a home.
///
/// # Errors
/// When it cannot be read, or is no home.
pub fn home(files: &dyn Files, home: Named) -> Result<Named, Failure> {
    let alone = resolve(files, &home.path, &home.shown);
    match alone.model.map(|model| model.file) {
        _ if alone.unreadable => Err(Failure::usage(format!("--home `{}`: it cannot be read", home.shown))),
        Some(kind @ (FileKind::System | FileKind::Module)) => {
            let what = format!("--home `{}`: this is a {} file and no home", home.shown, kind.word());
            Err(Failure::usage(what))
        }
        // What is wrong with one that does not say what it is will be reported where it is used.
        Some(FileKind::Home) | None => Ok(home),
    }
}

/// What an answer is made from.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Needed {
    /// The model and who holds what.
    Holdings,
    /// Besides that, authority, which takes as long again to draw.
    Authority,
}

/// Compiles a system file with some homes to be asked, with its authority drawn if that is needed and it has answers.
///
/// # Errors
/// When one of the files cannot be read, or is not of its kind.
pub fn compile_to_ask(
    files: &dyn Files,
    path: &Path,
    paths: &[PathBuf],
    terms: &Terms,
    needed: Needed,
) -> Result<(Compilation, Option<Drawn>), Failure> {
    let homes = homes(files, paths)?;
    let main = compile::absolute(path)?;
    let shown = path.to_string_lossy();
    let (compilation, drawn) = match needed {
        Needed::Holdings => (compile_with_homes(files, &main, &shown, &homes, terms), None),
        Needed::Authority => crate::compile_to_ask(files, &main, &shown, &homes, terms),
    };
    beside_a_system(&compilation, &homes)?;
    Ok((compilation, drawn))
}

/// Refuses homes beside what is no system.
///
/// # Errors
/// When there are homes, and no system whose users they could be of.
pub fn beside_a_system(compilation: &Compilation, homes: &[Named]) -> Result<(), Failure> {
    match compilation.model.as_ref().map(|model| model.file) {
        Some(kind @ (FileKind::Module | FileKind::Home)) if !homes.is_empty() => {
            let shown = compilation.sources.files().next().map_or("", |(_, file)| &file.name);
            Err(Failure::usage(format!(
                "`{shown}` is a {} file: --home goes with a system file",
                kind.word()
            )))
        }
        _ => Ok(()),
    }
}

fn named(path: &Path) -> Result<Named, Failure> {
    Ok(Named { path: compile::absolute(path)?, shown: path.to_string_lossy().into_owned() })
}

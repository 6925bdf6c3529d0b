//! Opening a configuration for a command: absolute path, compilation, reports on standard error.

use super::Failure;
use crate::cli::Exit;
use crate::diag::Diagnostic;
use crate::emit::found::{Found, counted, found};
use crate::emit::report::{self, Colour};
use crate::lint::Terms;
use crate::model::Date;
use crate::source::{Files, RealFiles};
use crate::{Compilation, compile_on};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Compiles the file that a person named, as of today.
///
/// # Errors
/// When the current directory is gone.
pub fn named(path: &Path) -> Result<Compilation, Failure> {
    from(&RealFiles, path, &today())
}

/// Compiles a file of some files under some terms.
///
/// # Errors
/// When the current directory is gone.
pub fn from(files: &dyn Files, path: &Path, terms: &Terms) -> Result<Compilation, Failure> {
    let absolute = absolute(path)?;
    Ok(compile_on(files, &absolute, &path.to_string_lossy(), terms))
}

/// Compiles a file of some files by the path that it has among them, as of today; `shown` is how a person named it.
pub fn from_absolute(files: &dyn Files, path: &Path, shown: &Path) -> Compilation {
    compile_on(files, path, &shown.to_string_lossy(), &today())
}

/// Returns the usual terms as of today.
pub fn today() -> Terms {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let days = now.map_or(0, |since| since.as_secs() / 86_400);
    Terms { at: Some(Date::of_day(days)), ..Terms::default() }
}

/// Returns a path from the root, following the links of its directory, so that `./` in a file is one place.
///
/// # Errors
/// When the current directory is gone.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(path)
        .map_err(|error| Failure::usage(format!("cannot find `{}`: {error}", path.display())))?;
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else { return Ok(absolute) };
    Ok(parent.canonicalize().map_or_else(|_| absolute.clone(), |parent| parent.join(name)))
}

/// Returns whether a stream gets colour, by `NO_COLOR` (no-color.org) and the terminal.
pub fn colour(stream: &impl IsTerminal) -> Colour {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match stream.is_terminal() && !refused {
        true => Colour::On,
        false => Colour::Off,
    }
}

/// Returns how many columns reports may use.
pub fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    size.map_or(100, |size| usize::from(size.ws_col).clamp(60, 140))
}

/// Prints diagnostics to standard error; returns what they come to.
pub fn complain(compilation: &Compilation) -> Exit {
    complain_of(&found([(&*compilation.diagnostics, &compilation.sources)]));
    exit(compilation)
}

/// Prints why this machine refuses what has no errors, in place of what there was to say of it before.
pub fn refuse(compilation: &mut Compilation, refusals: Vec<Diagnostic>) -> Exit {
    compilation.diagnostics = refusals;
    complain(compilation);
    Exit::Refused
}

/// Returns what a compilation comes to.
pub fn exit(compilation: &Compilation) -> Exit {
    match (compilation.has_errors(), compilation.unreadable) {
        (false, _) => Exit::Clean,
        (true, true) => Exit::Usage,
        (true, false) => Exit::Errors,
    }
}

/// Prints diagnostics with excerpts to standard error, and how many there are.
pub fn complain_of(all: &[Found<'_>]) {
    if all.is_empty() {
        return;
    }
    super::complain_as_is!("{}", report::all_human(all, colour(&std::io::stderr()), width()));
    let words = counted(all).into_iter().filter(|(number, _)| *number > 0);
    let words: Vec<String> =
        words.map(|(number, severity)| super::check::count(number, severity.word())).collect();
    super::complain!("{}", words.join(", "));
}

//! `capc import systemd`: units as a configuration, which capc itself has checked before it is printed.

use super::foreign::{machine_of, named_units};
use super::{Failure, compile, complain_as_is, say_as_is};
use crate::Compilation;
use crate::cli::{Exit, FileLanguage, Import, ImportSystemd};
use crate::diag::Diagnostic;
use crate::emit::report;
use crate::foreign::import::{self, Imported, StatementId, Written};
use crate::source::{FileId, Files};
use crate::syntax::{Language, print};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Imports, and prints the configuration.
pub fn run(arguments: &Import) -> Exit {
    let Import::Systemd(arguments) = arguments;
    systemd(arguments).unwrap_or_else(|failure| failure.report())
}

fn systemd(arguments: &ImportSystemd) -> Result<Exit, Failure> {
    let machine = machine_of(arguments.root.as_deref())?;
    let (named, shown_root) = named_units(&arguments.units, arguments.root.as_deref())?;
    let imported = import::import(&machine, &named, &shown_root);
    let stderr = io::stderr();
    complain_as_is!(
        "{}",
        report::human(&imported.diagnostics, &imported.sources, compile::colour(&stderr), compile::width())
    );
    if imported.diagnostics.iter().any(Diagnostic::is_error) {
        return Ok(Exit::Usage);
    }
    let text = checked(&imported)?;
    say_as_is!("{}", in_language(&text, arguments.to)?);
    Ok(Exit::Clean)
}

/// Returns the configuration without what capc itself refuses, which becomes comments with the reason.
fn checked(imported: &Imported) -> Result<String, Failure> {
    let mut withdrawn: BTreeMap<StatementId, String> = BTreeMap::new();
    loop {
        let written = imported.write(&withdrawn);
        let compilation = crate::compile(&Text(&written.text), Path::new("/system.kdl"), "system.kdl");
        let errors: Vec<&Diagnostic> = compilation.diagnostics.iter().filter(|one| one.is_error()).collect();
        if errors.is_empty() {
            return Ok(written.text);
        }
        let before = withdrawn.len();
        for error in &errors {
            if let Some(id) = cause(&compilation, &written, error, &withdrawn) {
                withdrawn.insert(id, format!("refused (`{}`): {}", error.code.word(), error.message));
            }
        }
        if withdrawn.len() == before {
            let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
            return Err(Failure {
                exit: Exit::Internal,
                message: format!(
                    "what was imported does not compile; please report it: {}",
                    messages.join("; ")
                ),
            });
        }
    }
}

/// Returns the statement that an error is about: of those that it underlines, the last one that is left, and what the whole
/// service stands with only where there is no other.
fn cause(
    compilation: &Compilation,
    written: &Written,
    error: &Diagnostic,
    withdrawn: &BTreeMap<StatementId, String>,
) -> Option<StatementId> {
    let file = compilation.sources.file(FileId(0))?;
    let ids = error.labels.iter().filter(|label| label.span.file == FileId(0)).filter_map(|label| {
        let line = file.place(label.span.start).line.checked_sub(1)?;
        *written.lines.get(line as usize)?
    });
    ids.filter(|id| !withdrawn.contains_key(id)).max_by_key(|id| (!written.needed.contains(id), *id))
}

fn in_language(text: &str, wanted: FileLanguage) -> Result<String, Failure> {
    let (tree, errors) = Language::Kdl.read(text.into());
    let printed = match wanted {
        _ if !errors.is_empty() => Err(errors),
        FileLanguage::Kdl => print::tidied(&tree, text, Language::Kdl),
        FileLanguage::Toml => print::converted(&tree, text, Language::Kdl),
    };
    printed.map_err(|errors| Failure {
        exit: Exit::Internal,
        message: format!(
            "what was imported cannot be written; please report it: {}",
            errors.first().map_or("", |error| error.message.as_str())
        ),
    })
}

/// The one file that there is.
struct Text<'t>(&'t str);

impl Files for Text<'_> {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.as_bytes().to_vec())
    }
}

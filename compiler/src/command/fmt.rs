//! `capc fmt`: puts files in order, or says them in the other language.

use super::{Failure, compile, complain, complain_as_is, say, say_as_is};
use crate::cli::{Exit, FileLanguage, Fmt};
use crate::diag::Diagnostic;
use crate::emit::report;
use crate::source::{Files, MAX_FILE_BYTES, RealFiles, SourceMap, Span};
use crate::syntax::{Language, SyntaxError, print};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Formats each file by itself.
pub fn run(arguments: &Fmt) -> Exit {
    let mut worst = Exit::Clean;
    if let (Some(_), [_, second, ..]) = (arguments.to, arguments.files.as_slice()) {
        let message = format!("`--to` prints one file, and `{}` is a second one", second.display());
        return Failure::usage(message).report();
    }
    let is_stdin = |file: &PathBuf| file.as_os_str() == "-";
    match arguments.files.iter().find(|file| is_stdin(file)) {
        Some(_) if arguments.files.len() > 1 => {
            return Failure::usage("`-` is standard input, which goes by itself").report();
        }
        None if arguments.stdin_filename.is_some() => {
            return Failure::usage("--stdin-filename names what `-` reads, and there is no `-`").report();
        }
        _ => {}
    }
    for file in &arguments.files {
        let exit = match one(file, arguments) {
            Ok(exit) => exit,
            Err(failure) => failure.report(),
        };
        if exit as u8 > worst as u8 {
            worst = exit;
        }
    }
    worst
}

/// Where what is written goes.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Place {
    /// Into the file that was read.
    File,
    /// To standard output, changed or not.
    Output,
}

fn one(path: &Path, arguments: &Fmt) -> Result<Exit, Failure> {
    let (path, read, place) = match path.as_os_str() == "-" {
        true => {
            let name = arguments.stdin_filename.as_deref().unwrap_or(Path::new("<stdin>"));
            (name, standard_input(), Place::Output)
        }
        false => (path, RealFiles.read(path), Place::File),
    };
    let shown = path.display();
    let bytes = read.map_err(|error| Failure::usage(format!("cannot read `{shown}`: {error}")))?;
    let text: Arc<str> = match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            complain!("capc: `{shown}` is not UTF-8 from its byte {at} on; `capc check` shows the place");
            return Ok(Exit::Errors);
        }
    };
    let language = Language::of(path);
    let (tree, errors) = language.read(text.clone());
    if !errors.is_empty() {
        return Ok(refuse(path, text, errors));
    }
    let wanted = match arguments.to {
        Some(FileLanguage::Kdl) => Language::Kdl,
        Some(FileLanguage::Toml) => Language::Toml,
        None => language,
    };
    let written = match wanted == language {
        true => print::tidied(&tree, &text, language),
        false => print::converted(&tree, &text, language),
    };
    let written = match written {
        Ok(written) => written,
        Err(errors) => return Ok(refuse(path, text, errors)),
    };
    if arguments.to.is_some() || (place == Place::Output && !arguments.check) {
        say_as_is!("{written}");
        return Ok(Exit::Clean);
    }
    if *written == *text {
        return Ok(Exit::Clean);
    }
    if arguments.check {
        say!("{shown}");
        return Ok(Exit::Errors);
    }
    replace(path, written.as_bytes())
        .map_err(|error| Failure::refused(format!("cannot write `{shown}`: {error}")))?;
    Ok(Exit::Clean)
}

/// Reads standard input to its end.
fn standard_input() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_FILE_BYTES {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 GiB")),
        false => Ok(bytes),
    }
}

/// Prints why a file is not touched.
fn refuse(path: &Path, text: Arc<str>, errors: Vec<SyntaxError>) -> Exit {
    let mut sources = SourceMap::default();
    let file = sources.add(path.to_string_lossy().into_owned(), path.to_owned(), text);
    let diagnostics: Vec<Diagnostic> = errors
        .into_iter()
        .map(|error| {
            let span = Span { file, start: error.range.start, end: error.range.end };
            let diagnostic = Diagnostic::new(error.code, error.message, span, "here");
            match error.help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            }
        })
        .collect();
    let stderr = io::stderr();
    let width = compile::width();
    complain_as_is!("{}", report::human(&diagnostics, &sources, compile::colour(&stderr), width));
    Exit::Errors
}

/// Puts new bytes in the place of a file's, all at once, with the same owner and permissions.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A symbolic link stays one: what it leads to is replaced.
    let path = path.canonicalize()?;
    let known = path.metadata()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = fill(&mut file, bytes, &known).and_then(|()| std::fs::rename(&beside, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn fill(file: &mut File, bytes: &[u8], known: &std::fs::Metadata) -> io::Result<()> {
    file.write_all(bytes)?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (known.uid(), known.gid()) {
        fchown(&*file, Some(known.uid()), Some(known.gid()))?;
    }
    file.set_permissions(known.permissions())?;
    file.sync_all()
}

//! The files that a program is made of: itself, its interpreters, and every library that it names.
//!
//! Each is pinned at the path by which the loader looks it up in the world. The program is reached by the links that
//! lead to it on the machine, because `$ORIGIN` and a Python environment look at where it really lies.

use super::loader::Host;
use crate::machine::{FileType, join, last_name, parent, walk};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The longest first line of a script that the kernel reads.
const SCRIPT_LINE: usize = 256;

/// Files and links of a world, by where they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    /// Files on the machine, without links.
    pub files: BTreeMap<String, String>,
    /// What symbolic links say.
    pub links: BTreeMap<String, String>,
    /// Libraries that are nowhere, with who needs them; fatal for a program, not for a plug-in of an image.
    pub missing: BTreeSet<(String, String)>,
}

/// Why a program has no closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoClosure {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl NoClosure {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// Adds what a program needs in order to run.
///
/// # Errors
/// When the program, an interpreter of it or a library is not there.
pub fn add_program(host: &Host<'_>, closure: &mut Closure, program: &str) -> Result<(), NoClosure> {
    let real = add_file(host, closure, program)?;
    let start = host.machine.read_start(&real, SCRIPT_LINE).map_err(|error| unreadable(program, &error))?;
    if let Some(line) = start.strip_prefix(b"#!") {
        let interpreter = script_interpreter(host, program, line)?;
        // The kernel follows interpreters of interpreters; one that is a script itself is rare enough to be refused.
        let behind = add_file(host, closure, &interpreter)?;
        return add_elf(host, closure, &interpreter, &behind);
    }
    add_elf(host, closure, program, &real)
}

/// Adds the libraries of an ELF file that something opens by name: a missing one is only noted.
pub fn add_plugin(host: &Host<'_>, closure: &mut Closure, at: &str, real: &str) {
    let Some(file) = host.elf(real) else { return };
    let interpreter = file.interpreter.clone().or_else(|| usual_interpreter(host));
    if let Some(interpreter) = interpreter.filter(|_| !file.needed.is_empty()) {
        add_libraries(host, closure, at, real, &interpreter);
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> NoClosure {
    let message = format!("`{path}` cannot be read: {error}");
    match path.split_once(' ') {
        Some((program, _)) => NoClosure::new(
            message,
            format!("write each argument in quotes of its own: `run \"{program}\" \"…\"`"),
        ),
        None => NoClosure::new(message, "install it, or write the path of the program that you mean"),
    }
}

/// Pins a file, with the links that lead to it, and returns where it really lies.
fn add_file(host: &Host<'_>, closure: &mut Closure, path: &str) -> Result<String, NoClosure> {
    let walk = walk(host.machine, path).map_err(|(_, error)| unreadable(path, &error))?;
    if walk.metadata.file_type != FileType::Regular {
        let message = format!("`{path}` is {}, not a program", walk.metadata.file_type.words());
        return Err(NoClosure::new(message, "write the path of a program"));
    }
    for (at, target) in walk.links {
        if !host.root_links.iter().any(|(link, _)| *link == at) {
            closure.links.insert(at, target);
        }
    }
    closure.files.insert(walk.real.clone(), walk.real.clone());
    Ok(walk.real)
}

fn script_interpreter(host: &Host<'_>, program: &str, line: &[u8]) -> Result<String, NoClosure> {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or(line);
    let text = String::from_utf8_lossy(line);
    let mut words = text.split_ascii_whitespace();
    let interpreter = words.next().unwrap_or("").to_owned();
    if last_name(&interpreter) == "env" {
        let wanted = words.find(|word| !word.starts_with('-')).unwrap_or("");
        let directories = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"];
        let found = directories
            .iter()
            .map(|directory| join(directory, wanted))
            .find(|path| walk(host.machine, path).is_ok());
        let place = found.unwrap_or_else(|| format!("/path/of/{wanted}"));
        let message = format!(
            "`{program}` begins with `#!{}`, which looks for `{wanted}` in whatever $PATH says",
            text.trim()
        );
        return Err(NoClosure::new(message, format!("write the interpreter: \"{place}\" \"{program}\"")));
    }
    if !interpreter.starts_with('/') {
        let message =
            format!("`{program}` begins with `#!{}`, which names no interpreter by its path", text.trim());
        return Err(NoClosure::new(message, "write an absolute path after `#!`"));
    }
    Ok(interpreter)
}

fn add_elf(host: &Host<'_>, closure: &mut Closure, at: &str, real: &str) -> Result<(), NoClosure> {
    let Some(file) = host.elf(real) else {
        let message = format!("`{at}` is neither an x86_64 ELF program nor a script");
        return Err(NoClosure::new(message, "write the path of a program that this kernel executes"));
    };
    let Some(interpreter) = &file.interpreter else { return Ok(()) };
    let missing = closure.missing.len();
    add_libraries(host, closure, real, real, interpreter);
    if closure.missing.len() == missing {
        return Ok(());
    }
    let names: Vec<String> =
        closure.missing.iter().map(|(name, by)| format!("`{name}` (needed by `{by}`)")).collect();
    let message = format!("`{at}` needs libraries that are not here: {}", names.join(", "));
    Err(NoClosure::new(message, "install the packages that have them"))
}

/// One ELF file whose libraries are still to be found.
struct Waiting {
    /// Where it stands in the world, for `$ORIGIN`.
    at: String,
    real: String,
    /// The rpaths of those that loaded it, nearest first.
    inherited: Vec<String>,
}

/// Adds the interpreter and the libraries, breadth first and each name once, as the loader does.
fn add_libraries(host: &Host<'_>, closure: &mut Closure, at: &str, real: &str, interpreter: &str) {
    let mut loaded: BTreeSet<String> = BTreeSet::new();
    let Ok(loader) = walk(host.machine, interpreter) else {
        closure.missing.insert((interpreter.to_owned(), at.to_owned()));
        return;
    };
    closure.files.insert(host.place(interpreter), loader.real.clone());
    loaded.insert(last_name(interpreter).to_owned());
    loaded.extend(host.elf(&loader.real).and_then(|file| file.soname.clone()));
    let is_musl = last_name(interpreter).starts_with("ld-musl");
    let defaults = host.default_directories(&loader.real);
    let mut waiting =
        VecDeque::from([Waiting { at: at.to_owned(), real: real.to_owned(), inherited: Vec::new() }]);
    while let Some(Waiting { at, real, inherited }) = waiting.pop_front() {
        let Some(file) = host.elf(&real) else { continue };
        let own = |paths: &[String]| -> Vec<String> {
            paths.iter().map(|path| expand(path, parent(&at))).collect()
        };
        let mut rpath = if file.runpath.is_none() { own(&file.rpath) } else { Vec::new() };
        rpath.extend(inherited);
        let told = match &file.runpath {
            Some(runpath) => own(runpath),
            None => rpath.clone(),
        };
        let companion = file.unwinds.then(|| "libgcc_s.so.1".to_owned());
        for (name, is_needed) in
            file.needed.iter().map(|name| (name, true)).chain(companion.iter().map(|name| (name, false)))
        {
            // musl is its own loader and answers for the C library by any of its names.
            if !loaded.insert(name.clone()) || (is_musl && name.starts_with("libc.")) {
                continue;
            }
            match host.library(name, &told, &defaults) {
                Some(library) => {
                    loaded.extend(host.elf(&library.from).and_then(|file| file.soname.clone()));
                    closure.files.insert(library.at.clone(), library.from.clone());
                    waiting.push_back(Waiting {
                        at: library.at,
                        real: library.from,
                        inherited: rpath.clone(),
                    });
                }
                None if is_needed => drop(closure.missing.insert((name.clone(), at.clone()))),
                None => {}
            }
        }
    }
}

fn expand(path: &str, origin: &str) -> String {
    path.replace("${ORIGIN}", origin)
        .replace("$ORIGIN", origin)
        .replace("${LIB}", "lib")
        .replace("$LIB", "lib")
}

/// Returns the loader of programs that say none of their own.
fn usual_interpreter(host: &Host<'_>) -> Option<String> {
    let candidates = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"];
    candidates.into_iter().find(|path| walk(host.machine, path).is_ok()).map(str::to_owned)
}

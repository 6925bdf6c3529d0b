//! `capc diff`: which authority was gained, lost or widened between two files, generations or revisions.

use super::question::Answerable;
use super::revision::{self, Repository, Revision};
use super::{Failure, compile, print_json, together};
use crate::Compilation;
use crate::cli::{AnswerFormat, Diff, Exit};
use crate::emit::report::{Colour, harmless};
use crate::query::{self, Detail, Side};
use crate::resolve::Named;
use crate::source::RealFiles;
use std::path::{Path, PathBuf};
use std::thread;

/// Compares and prints; 1 when anything was gained.
pub fn run(arguments: &Diff) -> Exit {
    match compared(arguments) {
        Ok(exit) => exit,
        Err(failure) => failure.report(),
    }
}

/// One side as named: it reads its files only when it is compiled.
enum Source {
    File(PathBuf, Vec<Named>),
    Generation(PathBuf),
    Revision(Revision, Vec<Named>),
}

impl Source {
    /// Returns what answers, or a compilation whose names do not resolve.
    fn open(&self) -> Result<Result<Answerable, Box<Compilation>>, Failure> {
        let compilation = match self {
            Self::File(path, homes) => {
                let main = compile::absolute(path)?;
                let compilation =
                    crate::compile_to_compare(&RealFiles, &main, &path.to_string_lossy(), homes);
                together::beside_a_system(&compilation, homes)?;
                compilation
            }
            Self::Generation(path) => return Answerable::sealed(path),
            Self::Revision(revision, homes) => {
                let compilation =
                    crate::compile_to_compare(revision, &revision.main(), revision.shown(), homes);
                together::beside_a_system(&compilation, homes)?;
                compilation
            }
        };
        Ok(Answerable::of(compilation))
    }

    fn describe(&self) -> String {
        match self {
            Self::File(path, _) | Self::Generation(path) => path.display().to_string(),
            Self::Revision(revision, _) => revision.describe(),
        }
    }
}

fn compared(arguments: &Diff) -> Result<Exit, Failure> {
    let (old, new) = sources(arguments)?;
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| old.open());
        let second = new.open();
        (first.join(), second)
    });
    let broken =
        |_| Failure { exit: Exit::Internal, message: "a comparison died; please report this".to_owned() };
    let (mut first, mut second) = match (first.map_err(broken)??, second?) {
        (Ok(first), Ok(second)) => (first, second),
        (first, second) => {
            let mut worst = Exit::Clean;
            for (source, compilation) in [(&old, first.err()), (&new, second.err())] {
                let Some(compilation) = compilation else { continue };
                super::complain!("capc: `{}` cannot be compared:", harmless(&source.describe()));
                let exit = compile::complain(&compilation);
                worst = if exit as u8 > worst as u8 { exit } else { worst };
            }
            return Ok(worst);
        }
    };
    let drawn = (first.drawn.take(), second.drawn.take());
    let (before, after) = thread::scope(|scope| {
        let before = scope.spawn(|| first.authority(drawn.0));
        let after = second.authority(drawn.1);
        (before.join(), after)
    });
    let before = before.map_err(broken)?;
    let detail = if arguments.all { Detail::Pairs } else { Detail::Groups };
    let answer =
        query::diff(&Side::new(&before, &first.sources), &Side::new(&after, &second.sources), detail);
    match arguments.format {
        AnswerFormat::Human => {
            let text = harmless(&answer.human());
            super::say_as_is!("{}", painted(&text, compile::colour(&std::io::stdout())));
        }
        AnswerFormat::Json => print_json(&answer)?,
    }
    let exit = if answer.gains() { Exit::Errors } else { Exit::Clean };
    std::mem::forget((before, after));
    // The program ends now, and two large models take a while to be taken apart.
    std::mem::forget((first, second));
    Ok(exit)
}

/// Returns the lines that say what was gained in green, and lost in red.
pub fn painted(text: &str, colour: Colour) -> String {
    if colour == Colour::Off {
        return text.to_owned();
    }
    let paint = |line: &str| match line.get(..2) {
        Some("+ ") => format!("\x1b[32m{line}\x1b[0m\n"),
        Some("- ") => format!("\x1b[31m{line}\x1b[0m\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(paint).collect()
}

/// Returns what the arguments name: two revisions of one file, or two of files, generations and `REVISION:FILE`.
fn sources(arguments: &Diff) -> Result<(Source, Source), Failure> {
    let Diff { old, new, file, homes, .. } = arguments;
    let Some(file) = file else {
        let Some(new) = new else {
            return Err(Failure::usage(
                "name what to compare with: `capc diff OLD NEW`, or `capc diff REVISION..REVISION -- FILE`",
            ));
        };
        return Ok((source(old, arguments)?, source(new, arguments)?));
    };
    let repository = Repository::open()?;
    let revision = |name: &str| at_revision(&repository, name, repository.file(name, file)?, homes);
    match (new, revision::range(old)) {
        (Some(new), _) => Ok((revision(old)?, revision(new)?)),
        (None, Some((from, revision::Dots::Two, to))) => Ok((revision(from)?, revision(to)?)),
        (None, Some((from, revision::Dots::Three, to))) => {
            Ok((revision(&repository.merge_base(from, to)?)?, revision(to)?))
        }
        (None, None) => Ok((revision(old)?, here(file, homes)?)),
    }
}

/// Returns a file as it lies here, with homes.
fn here(file: &Path, homes: &[PathBuf]) -> Result<Source, Failure> {
    Ok(Source::File(file.to_owned(), together::homes(&RealFiles, homes)?))
}

/// Returns a file of a revision, with homes of the same.
fn at_revision(
    repository: &Repository,
    name: &str,
    revision: Revision,
    homes: &[PathBuf],
) -> Result<Source, Failure> {
    let home = |path: &PathBuf| {
        let home = repository.file(name, path)?;
        together::home(&home, Named { path: home.main(), shown: home.shown().to_owned() })
    };
    let homes = homes.iter().map(home).collect::<Result<_, Failure>>()?;
    Ok(Source::Revision(revision, homes))
}

/// Returns a generation, which has no homes.
fn generation(path: PathBuf, homes: &[PathBuf]) -> Result<Source, Failure> {
    match homes {
        [] => Ok(Source::Generation(path)),
        _ => Err(Failure::usage(format!(
            "`{}` is a generation of a system, which has no homes: compare files or revisions with --home",
            path.display()
        ))),
    }
}

fn source(name: &str, arguments: &Diff) -> Result<Source, Failure> {
    let Diff { store, homes, .. } = arguments;
    let path = Path::new(name);
    if path.is_dir() {
        return generation(path.to_owned(), homes);
    }
    if path.exists() {
        return here(path, homes);
    }
    if name.parse::<u64>().is_ok() {
        let sealed = store.join("generations").join(name);
        return match sealed.is_dir() {
            true => generation(sealed, homes),
            false => Err(Failure::usage(format!(
                "there is no file `{name}`, and the store `{}` has no generation {name}",
                store.display()
            ))),
        };
    }
    match name.split_once(':') {
        Some((revision, path)) => {
            let repository = Repository::open()?;
            let revision = if revision.is_empty() { "HEAD" } else { revision };
            at_revision(&repository, revision, repository.blob(revision, path)?, homes)
        }
        None => Err(Failure::usage(format!(
            "there is no file `{name}`; generations are named by their number or directory, revisions as \
`REVISION:FILE` or `REVISION..REVISION -- FILE`"
        ))),
    }
}

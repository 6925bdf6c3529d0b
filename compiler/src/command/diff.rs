//! `capc diff`: which authority was gained, lost or widened between two files, generations or revisions.

use super::generation::{Sealed, SealedFiles, Texts};
use super::question::Answerable;
use super::revision::{self, Repository};
use super::{Failure, compile, print_json};
use crate::Compilation;
use crate::cli::{AnswerFormat, Diff, Exit};
use crate::emit::report::{Colour, harmless};
use crate::query::{self, Detail, Side};
use crate::source::RealFiles;
use std::path::Path;
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
    File(std::path::PathBuf),
    Generation(std::path::PathBuf),
    Revision(revision::Revision),
}

impl Source {
    /// Returns what answers, or a compilation whose names do not resolve.
    fn open(&self) -> Result<Result<Answerable, Box<Compilation>>, Failure> {
        let compilation = match self {
            Self::File(path) => {
                let main = compile::absolute(path)?;
                crate::compile_to_compare(&RealFiles, &main, &path.to_string_lossy())
            }
            Self::Generation(path) => {
                let sealed = Sealed::open(path)?;
                if let Some(restored) = sealed.restored(Texts::Wanted)? {
                    return Ok(Ok(Answerable::restored(restored)));
                }
                let files = SealedFiles::read(&sealed)?;
                crate::compile_to_compare(&files, &files.main, &files.name)
            }
            Self::Revision(revision) => {
                crate::compile_to_compare(revision, &revision.main(), revision.shown())
            }
        };
        Ok(Answerable::of(compilation))
    }

    fn describe(&self) -> String {
        match self {
            Self::File(path) | Self::Generation(path) => path.display().to_string(),
            Self::Revision(revision) => revision.describe(),
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
    Ok(if answer.gains() { Exit::Errors } else { Exit::Clean })
}

/// Returns the lines that say what was gained in green, and lost in red.
fn painted(text: &str, colour: Colour) -> String {
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
    let Diff { old, new, file, store, .. } = arguments;
    let Some(file) = file else {
        let Some(new) = new else {
            return Err(Failure::usage(
                "name what to compare with: `capc diff OLD NEW`, or `capc diff REVISION..REVISION -- FILE`",
            ));
        };
        return Ok((source(old, store)?, source(new, store)?));
    };
    let repository = Repository::open()?;
    let revision = |name: &str| Ok(Source::Revision(repository.file(name, file)?));
    match (new, revision::range(old)) {
        (Some(new), _) => Ok((revision(old)?, revision(new)?)),
        (None, Some((from, revision::Dots::Two, to))) => Ok((revision(from)?, revision(to)?)),
        (None, Some((from, revision::Dots::Three, to))) => {
            Ok((revision(&repository.merge_base(from, to)?)?, revision(to)?))
        }
        (None, None) => Ok((revision(old)?, Source::File(file.clone()))),
    }
}

fn source(name: &str, store: &Path) -> Result<Source, Failure> {
    let path = Path::new(name);
    if path.is_dir() {
        return Ok(Source::Generation(path.to_owned()));
    }
    if path.exists() {
        return Ok(Source::File(path.to_owned()));
    }
    if name.parse::<u64>().is_ok() {
        let generation = store.join("generations").join(name);
        return match generation.is_dir() {
            true => Ok(Source::Generation(generation)),
            false => Err(Failure::usage(format!(
                "there is no file `{name}`, and the store `{}` has no generation {name}",
                store.display()
            ))),
        };
    }
    match name.split_once(':') {
        Some((revision, path)) => Ok(Source::Revision(Repository::open()?.blob(revision, path)?)),
        None => Err(Failure::usage(format!(
            "there is no file `{name}`; generations are named by their number or directory, revisions as \
`REVISION:FILE` or `REVISION..REVISION -- FILE`"
        ))),
    }
}

//! Files as a git revision has them, read by `git` itself without a checkout, so that what a file uses comes from the same
//! revision.

use super::Failure;
use crate::source::{Files, MAX_FILE_BYTES};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository of the current directory.
pub struct Repository {
    /// The directory that its files lie in; `/` for a bare one.
    top: PathBuf,
    /// Where in it this is.
    here: PathBuf,
}

/// One file of one revision.
pub struct Revision {
    top: PathBuf,
    commit: String,
    /// From the top.
    path: PathBuf,
    /// As named.
    shown: String,
    name: String,
}

/// How a range is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Dots {
    /// `A..B`: from one to the other.
    Two,
    /// `A...B`: from where both come from to the second.
    Three,
}

/// Returns the two ends of a range; an end that is left out is `HEAD`.
pub fn range(text: &str) -> Option<(&str, Dots, &str)> {
    let (from, dots, to) = match (text.split_once("..."), text.split_once("..")) {
        (Some((from, to)), _) => (from, Dots::Three, to),
        (None, Some((from, to))) => (from, Dots::Two, to),
        (None, None) => return None,
    };
    Some((or_head(from), dots, or_head(to)))
}

const fn or_head(end: &str) -> &str {
    if end.is_empty() { "HEAD" } else { end }
}

fn git<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<String, Failure> {
    let output = Command::new("git").args(arguments).stdin(Stdio::null()).env("LC_ALL", "C").output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::usage("`git` is not installed, and revisions are read with it"),
        _ => Failure::refused(format!("cannot run `git`: {error}")),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().lines().next().unwrap_or("").trim_start_matches("fatal: ");
        return Err(Failure::usage(format!("git: {said}")));
    }
    let text = String::from_utf8(output.stdout);
    let text = text.map_err(|_| Failure::usage("git: a name that is not UTF-8"))?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

impl Repository {
    /// Finds the repository that the current directory lies in.
    ///
    /// # Errors
    /// When there is none, or no `git`.
    pub fn open() -> Result<Self, Failure> {
        let bare = git(["rev-parse", "--is-bare-repository"])? == "true";
        if bare {
            return Ok(Self { top: PathBuf::from("/"), here: PathBuf::new() });
        }
        let top = PathBuf::from(git(["rev-parse", "--show-toplevel"])?);
        Ok(Self { top, here: PathBuf::from(git(["rev-parse", "--show-prefix"])?) })
    }

    /// Returns a file of a revision by its path from the current directory.
    ///
    /// # Errors
    /// When there is no such revision, or no such file in it.
    pub fn file(&self, revision: &str, path: &Path) -> Result<Revision, Failure> {
        let below = match path.is_absolute() {
            true => path
                .strip_prefix(&self.top)
                .map(Path::to_owned)
                .map_err(|_| Failure::usage(format!("`{}` lies outside the repository", path.display())))?,
            false => self.here.join(path),
        };
        self.at(revision, &below, path.display().to_string())
    }

    /// Returns a file as git names it: from the top, or with `./` from the current directory.
    ///
    /// # Errors
    /// When there is no such revision, or no such file in it.
    pub fn blob(&self, revision: &str, path: &str) -> Result<Revision, Failure> {
        let is_here = path.starts_with("./") || path.starts_with("../");
        let below = if is_here { self.here.join(path) } else { PathBuf::from(path) };
        self.at(if revision.is_empty() { "HEAD" } else { revision }, &below, path.to_owned())
    }

    /// Returns the commit that two revisions come from.
    ///
    /// # Errors
    /// When there is none.
    pub fn merge_base(&self, one: &str, other: &str) -> Result<String, Failure> {
        let (a, b) = (commit(one)?, commit(other)?);
        git(["merge-base", a.as_str(), b.as_str()])
            .map_err(|_| Failure::usage(format!("`{one}` and `{other}` have no commit in common")))
    }

    fn at(&self, revision: &str, below: &Path, shown: String) -> Result<Revision, Failure> {
        let mut path = PathBuf::new();
        for component in below.components() {
            match component {
                Component::Normal(name) => path.push(name),
                Component::ParentDir => {
                    if !path.pop() {
                        return Err(Failure::usage(format!("`{shown}` lies outside the repository")));
                    }
                }
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        let found = Revision {
            top: self.top.clone(),
            commit: commit(revision)?,
            path,
            shown,
            name: revision.to_owned(),
        };
        match found.read(&found.main()) {
            Ok(_) => Ok(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Failure::usage(format!("`{revision}` has no file `{}`", found.path.display())))
            }
            Err(error) => Err(Failure::usage(format!(
                "cannot read `{}` of `{revision}`: {error}",
                found.path.display()
            ))),
        }
    }
}

/// Returns a revision's commit by its full name, which cannot be taken for an option or a path.
fn commit(revision: &str) -> Result<String, Failure> {
    let wanted = format!("{revision}^{{commit}}");
    git(["rev-parse", "--verify", "--quiet", "--end-of-options", wanted.as_str()]).map_err(|failure| {
        match failure.message.as_str() {
            "git: " => Failure::usage(format!("there is no revision `{revision}`")),
            _ => failure,
        }
    })
}

impl Revision {
    /// Returns where its main file would lie.
    pub fn main(&self) -> PathBuf {
        self.top.join(&self.path)
    }

    /// Returns its main file as named.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Returns how to name it.
    pub fn describe(&self) -> String {
        format!("{}:{}", self.name, self.shown)
    }

    fn object(&self, path: &Path) -> io::Result<Vec<u8>> {
        let below = path
            .strip_prefix(&self.top)
            .map_err(|_| io::Error::new(io::ErrorKind::NotFound, "it lies outside the repository"))?;
        let name = below.to_str().filter(|name| !name.contains('\n'));
        let name = name.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut child = Command::new("git")
            .args(["cat-file", "--batch", "--follow-symlinks"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            writeln!(stdin, "{}:{name}", self.commit)?;
        }
        let answer = child.stdout.take().map(BufReader::new).map(answered);
        let _ = child.wait();
        answer.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }
}

/// Reads what `git cat-file --batch` (git-cat-file(1)) says of one object: `OID blob SIZE`, the content, or what is wrong.
fn answered(mut out: impl BufRead) -> io::Result<Vec<u8>> {
    let mut header = String::new();
    out.by_ref().take(1 << 16).read_line(&mut header)?;
    let mut words = header.trim_end().rsplitn(3, ' ');
    let (last, kind) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let size = match (kind, last.parse::<u64>()) {
        ("blob", Ok(size)) => size,
        ("tree", Ok(_)) => return Err(io::ErrorKind::IsADirectory.into()),
        _ if header.starts_with("symlink ") => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a link that leads out of the repository",
            ));
        }
        _ => return Err(io::ErrorKind::NotFound.into()),
    };
    if size > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 GiB"));
    }
    let mut bytes = Vec::new();
    out.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

impl Files for Revision {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.object(path)
    }
}

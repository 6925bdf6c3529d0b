//! Where a system that runs has its runtime directory, and which systems run.

use super::{Failure, compile, generation};
use crate::lower::Mode;
use crate::seal;
use capc_supervisor::{Answer, Error, Ps, Request, ask};
use std::path::{Path, PathBuf};

/// A system that runs.
pub struct Instance {
    /// Its runtime directory.
    pub runtime: PathBuf,
    /// Its services.
    pub ps: Ps,
}

/// Returns the directory below which systems of the caller run, inside a user namespace of `up` too.
pub fn base(mode: Mode) -> PathBuf {
    let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_dir());
    match (mode, given) {
        (Mode::Root, _) => PathBuf::from("/run/capc"),
        (Mode::User, Some(path)) => path.join("capc"),
        (Mode::User, None) => PathBuf::from(format!("/tmp/capc-{}", outer_uid())),
    }
}

/// Returns a short name for a file, by its real path.
pub fn id_of(file: &Path) -> String {
    let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let digest = seal::digest(real.as_os_str().as_encoded_bytes()).to_string();
    let stem = real.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let plain: String = stem.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    format!("{plain}-{}", digest.get(..12).unwrap_or(&digest))
}

/// Returns the systems that run: all of the caller's, or that of one file.
///
/// # Errors
/// When one that runs does not answer, or that of the file does not run.
pub fn running(config: Option<&Path>) -> Result<Vec<Instance>, Failure> {
    let mut found = Vec::new();
    for runtime in directories(config)? {
        match ask(&runtime, &Request::Ps) {
            Ok(Answer::Ps { ps }) => found.push(Instance { runtime, ps }),
            Ok(Answer::Done { .. } | Answer::Refused { .. }) => {
                return Err(Failure::refused("the supervisor answers something else than it was asked"));
            }
            Err(Error::NotRunning(_)) => {}
            Err(error) => return Err(Failure::refused(error.to_string())),
        }
    }
    match config {
        Some(file) if found.is_empty() => Err(Failure::refused(format!("`{}` does not run", file.display()))),
        _ => Ok(found),
    }
}

/// Returns the one system that runs and has a service, or that of a file.
///
/// # Errors
/// When there is none, or more than one.
pub fn with_service(service: &str, config: Option<&Path>) -> Result<Instance, Failure> {
    let mut found = running(config)?;
    if found.is_empty() {
        return Err(Failure::refused("no system of yours runs here; `capc up FILE` starts one"));
    }
    let known: Vec<String> =
        found.iter().flat_map(|one| one.ps.services.iter().map(|known| known.name.clone())).collect();
    found.retain(|one| one.ps.services.iter().any(|known| known.name == service));
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(Failure::usage(format!(
            "more than one system has a service `{service}`: name its file with --config"
        ))),
        (None, _) => {
            let meant = crate::diag::nearest(service, known.iter().map(String::as_str));
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            let service = crate::emit::harmless::one_line(service);
            Err(Failure::usage(format!("no service `{service}` runs here{meant}")))
        }
    }
}

/// Returns the runtime directories that there are, whether or not something runs in them.
///
/// # Errors
/// When the current directory is gone.
pub fn directories(config: Option<&Path>) -> Result<Vec<PathBuf>, Failure> {
    let base = base(generation::mode());
    if let Some(file) = config {
        // A sealed generation runs in the place itself.
        let is_sealed = file.is_dir();
        return Ok(vec![if is_sealed { base } else { base.join(id_of(&compile::absolute(file)?)) }]);
    }
    let mut directories: Vec<PathBuf> =
        std::fs::read_dir(&base).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    directories.retain(|path| path.is_dir());
    directories.push(base);
    directories.sort();
    Ok(directories)
}

/// Returns the caller's uid as the machine knows it.
fn outer_uid() -> u32 {
    let own = rustix::process::geteuid().as_raw();
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let outer = |line: &str| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse::<u32>);
        let (inside, outside, count) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        own.checked_sub(inside).filter(|offset| *offset < count)?.checked_add(outside)
    };
    map.lines().find_map(outer).unwrap_or(own)
}

//! The links by which systemd finds sealed units: by way of `current`, so that one switch switches all of them.

use super::Failure;
use crate::emit::init::systemd::{DIRECTORY, TARGET};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where an administrator's units lie.
const UNITS: &str = "etc/systemd/system";
/// What brings the system up at boot.
const BOOT: &str = "etc/systemd/system/multi-user.target.wants";
/// Where units lie besides (systemd.unit(5)).
const ELSEWHERE: [&str; 9] = [
    "etc/systemd/system.control",
    "run/systemd/system.control",
    "run/systemd/transient",
    "run/systemd/generator.early",
    "run/systemd/system",
    "run/systemd/generator",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];

/// The links of one store.
pub struct Links {
    root: PathBuf,
    /// The store, as the system itself sees it.
    store: PathBuf,
}

impl Links {
    /// Returns the links of a store in the system below a root.
    pub fn new(root: Option<&Path>, store: &Path) -> Self {
        Self { root: root.unwrap_or(Path::new("/")).to_owned(), store: store.to_owned() }
    }

    /// Returns where the link of a unit leads.
    pub fn target(&self, unit: &str) -> PathBuf {
        self.store.join("current").join(DIRECTORY).join(unit)
    }

    /// Returns where the link of a unit lies.
    pub fn place(&self, unit: &str) -> PathBuf {
        self.root.join(UNITS).join(unit)
    }

    /// Returns the link by which the system comes up at boot.
    pub fn boot(&self) -> PathBuf {
        self.root.join(BOOT).join(TARGET)
    }

    /// Returns the units of this store that are linked.
    pub fn ours(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.root.join(UNITS)).into_iter().flatten().flatten();
        entries
            .filter(|entry| self.is_ours(&entry.path()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    /// Returns what bears the name of one of these units and is none of ours.
    pub fn strangers(&self, units: &BTreeSet<String>) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = units.iter().flat_map(|unit| self.strangers_of(unit)).collect();
        let boot = self.boot();
        if boot.symlink_metadata().is_ok() && !self.is_ours(&boot) {
            found.push(boot);
        }
        // One directory may be a link to another.
        found.dedup_by_key(|path| path.canonicalize().unwrap_or_else(|_| path.clone()));
        found
    }

    fn strangers_of(&self, unit: &str) -> Vec<PathBuf> {
        let place = Some(self.place(unit)).filter(|place| !self.is_ours(place));
        let elsewhere = ELSEWHERE.iter().map(|directory| self.root.join(directory).join(unit));
        place.into_iter().chain(elsewhere).filter(|path| path.symlink_metadata().is_ok()).collect()
    }

    /// Returns whether a unit that is not linked was this store's.
    pub fn was_ours(&self, unit: &str) -> bool {
        self.strangers_of(unit).is_empty() && self.last(unit).is_some()
    }

    /// Returns whether the store has units at all.
    pub fn has_any(&self) -> bool {
        !self.ours().is_empty() || self.last("").is_some()
    }

    /// Returns why links cannot be made or removed, if that is known beforehand.
    ///
    /// # Errors
    /// Names the directory.
    pub fn refuse_unwritable(&self) -> Result<(), Failure> {
        for directory in [UNITS, BOOT].map(|directory| self.root.join(directory)) {
            match rustix::fs::access(&directory, rustix::fs::Access::WRITE_OK) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(cannot("link anything in", &directory, &error.into())),
            }
        }
        Ok(())
    }

    /// Returns the units whose link is not there or leads elsewhere.
    pub fn missing(&self, units: &BTreeSet<String>) -> Vec<String> {
        let is_there = |unit: &str| fs::read_link(self.place(unit)).is_ok_and(|to| to == self.target(unit));
        units.iter().filter(|unit| !is_there(unit)).cloned().collect()
    }

    /// Links units, and what brings them up at boot.
    ///
    /// # Errors
    /// When one cannot be linked.
    pub fn make(&self, units: &BTreeSet<String>) -> Result<(), Failure> {
        for unit in self.missing(units) {
            link(&self.place(&unit), &self.target(&unit))?;
        }
        let target = self.target(TARGET);
        if units.contains(TARGET) && fs::read_link(self.boot()).ok().as_ref() != Some(&target) {
            link(&self.boot(), &target)?;
        }
        Ok(())
    }

    /// Leads the links of units that are sealed no more to where they were last: systemd reads all units again while these end, and
    /// they end as they were sealed. One that cannot be led there ends as any unit does.
    pub fn hold(&self, units: &[String]) {
        for unit in units.iter().filter(|unit| !self.place(unit).exists()) {
            if let Some(sealed) = self.last(unit) {
                let _ = link(&self.place(unit), &sealed);
            }
        }
    }

    /// Returns the paths on which a socket unit listened last.
    pub fn last_sockets(&self, unit: &str) -> Vec<PathBuf> {
        let text = self.last(unit).and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let paths = text.lines().filter_map(|line| line.strip_prefix("ListenStream="));
        paths.filter(|path| path.starts_with('/')).map(|path| path.replace("%%", "%").into()).collect()
    }

    /// Returns a unit as it was sealed last.
    fn last(&self, unit: &str) -> Option<PathBuf> {
        let generations = fs::read_dir(self.store.join("generations")).ok()?.flatten();
        let has_it = generations.filter_map(|entry| {
            let number: u64 = entry.file_name().to_str()?.parse().ok()?;
            let path = entry.path().join(DIRECTORY).join(unit);
            path.exists().then_some((number, path))
        });
        has_it.max().map(|(_, path)| path)
    }

    /// Removes the links of units.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn remove(&self, units: &[String]) -> Result<(), Failure> {
        let boot = units.iter().any(|unit| unit == TARGET).then(|| self.boot());
        let places = units.iter().map(|unit| self.place(unit)).chain(boot);
        for place in places.filter(|place| self.is_ours(place)) {
            fs::remove_file(&place).map_err(|error| cannot("remove", &place, &error))?;
        }
        Ok(())
    }

    fn is_ours(&self, place: &Path) -> bool {
        fs::read_link(place).is_ok_and(|target| target.starts_with(&self.store))
    }
}

/// Makes a link in the place of another, at once.
fn link(place: &Path, target: &Path) -> Result<(), Failure> {
    let directory = place.parent().unwrap_or(Path::new("/"));
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    // systemd passes over hidden files.
    let new = directory.join(format!(".{name}.new"));
    let made = fs::create_dir_all(directory).and_then(|()| {
        let _ = fs::remove_file(&new);
        symlink(target, &new)?;
        fs::rename(&new, place)
    });
    made.map_err(|error| cannot("link", place, &error))
}

fn cannot(what: &str, place: &Path, error: &io::Error) -> Failure {
    Failure::refused(format!("cannot {what} `{}`: {error}", place.display()))
}

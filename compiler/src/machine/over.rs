//! A machine that is not complete yet: what it lacks is looked for on another, and noted.

use super::{Machine, Metadata, RealMachine, Wish};
use capc_schemas::token::Digest;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;

/// Where the loader finds libraries that lie in no usual place.
const OF_THE_LOADER: &str = "/etc/ld.so.";

/// One machine over another.
#[derive(Debug)]
pub struct Over {
    above: RealMachine,
    below: RealMachine,
    noted: RefCell<BTreeSet<String>>,
}

impl Over {
    /// Lays one machine over another.
    #[must_use]
    pub fn new(above: RealMachine, below: RealMachine) -> Self {
        Self { above, below, noted: RefCell::default() }
    }

    /// Returns whether the upper machine has nothing at a path, taken as it stands.
    #[must_use]
    pub fn is_lacking(&self, path: &str) -> bool {
        self.above.metadata(path).is_err_and(|error| is_absence(&error))
    }

    /// Returns the links and the loader's files that were looked at and that the upper machine lacks, sorted.
    #[must_use]
    pub fn noted(self) -> BTreeSet<String> {
        self.noted.into_inner()
    }

    fn either<T>(&self, look: impl Fn(&RealMachine) -> io::Result<T>) -> io::Result<T> {
        match look(&self.above) {
            Err(error) if is_absence(&error) => look(&self.below),
            found => found,
        }
    }

    /// Notes a path that is to come along if the upper machine lacks it.
    fn note(&self, path: &str) {
        if self.is_lacking(path) {
            self.noted.borrow_mut().insert(path.to_owned());
        }
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl Machine for Over {
    fn metadata(&self, path: &str) -> io::Result<Metadata> {
        self.either(|machine| machine.metadata(path))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let found = self.either(|machine| machine.read(path))?;
        if path.starts_with(OF_THE_LOADER) {
            self.note(path);
        }
        Ok(found)
    }

    fn read_start(&self, path: &str, length: usize) -> io::Result<Vec<u8>> {
        self.either(|machine| machine.read_start(path, length))
    }

    fn digest(&self, path: &str) -> io::Result<Digest> {
        self.either(|machine| machine.digest(path))
    }

    fn read_link(&self, path: &str) -> io::Result<String> {
        let found = self.either(|machine| machine.read_link(path))?;
        self.note(path);
        Ok(found)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.either(|machine| machine.list(path))
    }

    fn file_system(&self, path: &str) -> io::Result<u64> {
        self.either(|machine| machine.file_system(path))
    }

    fn is_read_only(&self, path: &str) -> io::Result<bool> {
        self.either(|machine| machine.is_read_only(path))
    }

    fn may(&self, path: &str, wish: Wish) -> bool {
        if self.is_lacking(path) { self.below.may(path, wish) } else { self.above.may(path, wish) }
    }

    fn caller(&self) -> u32 {
        self.above.caller()
    }
}

//! A machine of which everything is looked at once.

use super::{Machine, Metadata, Wish};
use capc_schemas::token::Digest;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;

/// A machine with what it said about paths: two hundred services lie in the same few directories.
///
/// What changes meanwhile is not seen, so that one run has one answer for each path.
pub struct Remembered<'a> {
    machine: &'a dyn Machine,
    metadata: RefCell<HashMap<String, Result<Metadata, Refusal>>>,
    links: RefCell<HashMap<String, Result<String, Refusal>>>,
    file_systems: RefCell<HashMap<String, Result<u64, Refusal>>>,
}

/// An error that can be said again.
#[derive(Clone)]
struct Refusal {
    number: Option<i32>,
    kind: io::ErrorKind,
    text: String,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self { number: error.raw_os_error(), kind: error.kind(), text: error.to_string() }
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        refusal.number.map_or_else(|| Self::new(refusal.kind, refusal.text), Self::from_raw_os_error)
    }
}

impl<'a> Remembered<'a> {
    /// Returns a machine that knows nothing of this one yet.
    #[must_use]
    pub fn new(machine: &'a dyn Machine) -> Self {
        Self {
            machine,
            metadata: RefCell::default(),
            links: RefCell::default(),
            file_systems: RefCell::default(),
        }
    }
}

fn known<T: Clone>(
    table: &RefCell<HashMap<String, Result<T, Refusal>>>,
    path: &str,
    ask: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    if let Some(known) = table.borrow().get(path) {
        return Ok(known.clone()?);
    }
    let said = ask().map_err(Refusal::from);
    table.borrow_mut().insert(path.to_owned(), said.clone());
    Ok(said?)
}

impl Machine for Remembered<'_> {
    fn metadata(&self, path: &str) -> io::Result<Metadata> {
        known(&self.metadata, path, || self.machine.metadata(path))
    }

    fn read_link(&self, path: &str) -> io::Result<String> {
        known(&self.links, path, || self.machine.read_link(path))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.machine.read(path)
    }

    fn read_start(&self, path: &str, length: usize) -> io::Result<Vec<u8>> {
        self.machine.read_start(path, length)
    }

    fn digest(&self, path: &str) -> io::Result<Digest> {
        self.machine.digest(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.machine.list(path)
    }

    fn file_system(&self, path: &str) -> io::Result<u64> {
        known(&self.file_systems, path, || self.machine.file_system(path))
    }

    fn is_read_only(&self, path: &str) -> io::Result<bool> {
        self.machine.is_read_only(path)
    }

    fn may(&self, path: &str, wish: Wish) -> bool {
        self.machine.may(path, wish)
    }

    fn caller(&self) -> u32 {
        self.machine.caller()
    }
}

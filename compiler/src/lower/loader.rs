//! Where the dynamic loader finds a library: on the machine, and in a world without the loader's cache.

use super::closure::{self, Closure, NoClosure};
use super::elf::{self, ElfFile};
use crate::machine::{FileType, Machine, Walk, join, last_name, normal, parent, walk};
use capc_schemas::token::Digest;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

/// Where glibc and musl may have been told to look without being told; which of them counts is read from the loader itself.
const DEFAULT_DIRECTORIES: [&str; 7] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
];

/// The directories at the root that a merged machine has as links.
const ROOT_LINKS: [&str; 4] = ["/bin", "/sbin", "/lib", "/lib64"];

/// A machine with everything that was read from it for this run, so that a library is read once for two hundred services.
pub struct Host<'a> {
    /// The machine.
    pub machine: &'a dyn Machine,
    /// The root's own links: where, and what they say.
    pub root_links: Vec<(String, String)>,
    cache: BTreeMap<String, Vec<String>>,
    files: RefCell<BTreeMap<String, Option<Rc<ElfFile>>>>,
    digests: RefCell<BTreeMap<String, Digest>>,
    defaults: RefCell<BTreeMap<String, Vec<String>>>,
    closures: RefCell<BTreeMap<String, Rc<Result<Closure, NoClosure>>>>,
}

/// A library as the loader finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Where it is looked up in the world.
    pub at: String,
    /// The file on the machine, without links.
    pub from: String,
}

impl<'a> Host<'a> {
    /// Returns the machine, with its loader's cache read.
    #[must_use]
    pub fn new(machine: &'a dyn Machine) -> Self {
        let link = |path: &&str| Some(((*path).to_owned(), machine.read_link(path).ok()?));
        let root_links = ROOT_LINKS.iter().filter_map(link).collect();
        let cached = machine.read("/etc/ld.so.cache").ok().and_then(|bytes| read_cache(&bytes));
        let mut host = Self {
            machine,
            root_links,
            cache: BTreeMap::new(),
            files: RefCell::default(),
            digests: RefCell::default(),
            defaults: RefCell::default(),
            closures: RefCell::default(),
        };
        host.cache = cached.unwrap_or_else(|| host.configured());
        host
    }

    /// Returns the place of a path once the root's own links are followed: `/lib/x` is at `/usr/lib/x`.
    #[must_use]
    pub fn place(&self, path: &str) -> String {
        let path = normal(path);
        for (link, target) in &self.root_links {
            if let Some(rest) =
                path.strip_prefix(link.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))
            {
                return normal(&join(&join("/", target), rest));
            }
        }
        path
    }

    /// Returns the digest of a file, given without links.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn digest(&self, path: &str) -> io::Result<Digest> {
        if let Some(digest) = self.digests.borrow().get(path) {
            return Ok(*digest);
        }
        let digest = self.machine.digest(path)?;
        self.digests.borrow_mut().insert(path.to_owned(), digest);
        Ok(digest)
    }

    /// Returns what an ELF file asks for, given without links; none if it is another sort of file.
    #[must_use]
    pub fn elf(&self, path: &str) -> Option<Rc<ElfFile>> {
        if let Some(known) = self.files.borrow().get(path) {
            return known.clone();
        }
        let is_elf = self.machine.read_start(path, elf::MAGIC.len()).is_ok_and(|start| start == elf::MAGIC);
        let read = || elf::read(&self.machine.read(path).ok()?).map(Rc::new);
        let found = if is_elf { read() } else { None };
        self.files.borrow_mut().insert(path.to_owned(), found.clone());
        found
    }

    /// Returns what a program needs in order to run, or why it cannot.
    #[must_use]
    pub fn closure(&self, program: &str) -> Rc<Result<Closure, NoClosure>> {
        if let Some(known) = self.closures.borrow().get(program) {
            return Rc::clone(known);
        }
        let mut found = Closure::default();
        let found = Rc::new(closure::add_program(self, &mut found, program).map(|()| found));
        self.closures.borrow_mut().insert(program.to_owned(), Rc::clone(&found));
        found
    }

    /// Returns the directories that a loader searches without being told.
    #[must_use]
    pub fn default_directories(&self, interpreter: &str) -> Vec<String> {
        let mut known = self.defaults.borrow_mut();
        known.entry(interpreter.to_owned()).or_insert_with(|| self.told_by_loader(interpreter)).clone()
    }

    /// Returns those directories as the loader's own text says them.
    fn told_by_loader(&self, interpreter: &str) -> Vec<String> {
        if last_name(interpreter).starts_with("ld-musl") {
            return ["/lib", "/usr/local/lib", "/usr/lib"].map(|path| self.place(path)).to_vec();
        }
        let text = self.machine.read(interpreter).unwrap_or_default();
        let directories: Vec<&[u8]> =
            text.split(|byte| *byte == 0).filter_map(|text| text.strip_suffix(b"/")).collect();
        let has = |path: &&&str| directories.iter().any(|text| text.ends_with(path.as_bytes()));
        let mut found: Vec<String> = Vec::new();
        for place in DEFAULT_DIRECTORIES.iter().filter(has).map(|path| self.place(path)) {
            if !found.contains(&place) {
                found.push(place);
            }
        }
        if found.is_empty() { vec![self.place("/lib64"), self.place("/usr/lib")] } else { found }
    }

    /// Finds a library by its name: `told` are the directories of rpath and runpath, `defaults` the loader's own.
    #[must_use]
    pub fn library(&self, name: &str, told: &[String], defaults: &[String]) -> Option<Library> {
        if name.contains('/') {
            return self.loadable(name).map(|from| Library { at: self.place(name), from });
        }
        let within = |directory: &String| {
            let at = self.place(&join(directory, name));
            self.loadable(&at).map(|from| Library { at, from })
        };
        // Found by the cache alone: in the world, which has none, it stands where the loader looks anyway.
        let cached = || {
            let from =
                self.cache.get(name)?.iter().find_map(|path| self.loadable(path).map(|from| (path, from)));
            let (path, from) = from?;
            let place = self.place(path);
            let known = defaults.iter().any(|directory| directory == parent(&place));
            let at = if known { place } else { join(defaults.first()?, name) };
            Some(Library { at, from })
        };
        told.iter().find_map(within).or_else(cached).or_else(|| defaults.iter().find_map(within))
    }

    /// Returns the file behind a path if this machine's loader would load it.
    fn loadable(&self, path: &str) -> Option<String> {
        let Walk { real, metadata, .. } = walk(self.machine, path).ok()?;
        (metadata.file_type == FileType::Regular && self.elf(&real).is_some()).then_some(real)
    }

    /// Returns what a cache would say, from the directories of `/etc/ld.so.conf`.
    fn configured(&self) -> BTreeMap<String, Vec<String>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for directory in self.configured_directories("/etc/ld.so.conf", 0) {
            let Ok(real) = walk(self.machine, &directory) else { continue };
            for name in self.machine.list(&real.real).unwrap_or_default() {
                if name.contains(".so") {
                    found.entry(name.clone()).or_default().push(join(&directory, &name));
                }
            }
        }
        found
    }

    fn configured_directories(&self, path: &str, depth: usize) -> Vec<String> {
        let text =
            self.machine.read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let mut found = Vec::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or("").trim();
            match line.strip_prefix("include ").map(str::trim) {
                // `include DIR/*.conf` is the one form that distributions write.
                Some(pattern) if depth < 4 => {
                    let pattern = if pattern.starts_with('/') {
                        pattern.to_owned()
                    } else {
                        join(parent(path), pattern)
                    };
                    let (before, after) =
                        last_name(&pattern).split_once('*').unwrap_or((last_name(&pattern), ""));
                    let names = self.machine.list(parent(&pattern)).unwrap_or_default();
                    for name in names.iter().filter(|name| name.starts_with(before) && name.ends_with(after))
                    {
                        found.extend(self.configured_directories(&join(parent(&pattern), name), depth + 1));
                    }
                }
                Some(_) => {}
                None if line.starts_with('/') => found.push(line.to_owned()),
                None => {}
            }
        }
        found
    }
}

/// Reads the loader's cache (glibc, `sysdeps/generic/dl-cache.h`): library names and their paths, best first.
fn read_cache(bytes: &[u8]) -> Option<BTreeMap<String, Vec<String>>> {
    const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    // FLAG_ELF_LIBC6 | FLAG_X8664_LIB64
    const THIS_KIND: u32 = 0x0303;
    // An older cache stands before the newer one in files made for both.
    let start = bytes.windows(NEW_MAGIC.len()).position(|window| window == NEW_MAGIC)?;
    let cache = bytes.get(start..)?;
    let number = |at: usize| cache.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    let text = |at: u32| {
        let rest = cache.get(at as usize..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(rest.get(..end)?).ok().map(str::to_owned)
    };
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for index in 0..number(NEW_MAGIC.len())? as usize {
        let entry = HEADER + index * ENTRY;
        // Variants for better processors lie in directories that no world has.
        let is_plain = number(entry + 16)? == 0 && number(entry + 20)? == 0;
        if number(entry)? == THIS_KIND && is_plain {
            found.entry(text(number(entry + 4)?)?).or_default().push(text(number(entry + 8)?)?);
        }
    }
    Some(found)
}

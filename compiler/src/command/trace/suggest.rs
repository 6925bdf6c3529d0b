//! From what was used and is not offered to the statements that would offer it: the fewest, and no wider than need be.

use super::offered::Offered;
use crate::emit::harmless::one_line;
use crate::lower::group_of_call;
use crate::resolve::standard_images;
use crate::syntax::print::kdl::{string, word};
use capc_trace::{Access, Evidence, Use, Uses};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// So many files of one directory are named by it.
const FILES_OF_A_DIRECTORY: usize = 4;
/// Directories of so few components are never named as a whole: `/usr/lib`, `/etc`.
const SHALLOW: usize = 2;
/// Directories that belong to everybody, and are not named as a whole either.
const SHARED: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/var/lib",
    "/var/log",
    "/var/cache",
];
/// Where nothing lasts longer than until the next boot.
const FLEETING: [&str; 4] = ["/tmp", "/var/tmp", "/run", "/dev/shm"];
/// Of these every world has its own.
const OWN: [&str; 3] = ["/tmp", "/var/tmp", "/run"];
/// Where every world has its own, or what none can have.
const NEVER: [&str; 2] = ["/proc", "/sys"];

/// Statements to add, each with the evidence for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Suggestion {
    /// Declarations of the system.
    pub declared: Vec<(String, String)>,
    /// Statements of the service.
    pub stated: Vec<(String, String)>,
    /// What was used and nothing would give.
    pub ungranted: Vec<String>,
}

/// Which of the missing things are named.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All but libraries: what is named may bring its own.
    ButLibraries,
    /// Libraries alone.
    Libraries,
}

/// Returns what to add, so that a program has what it used; `known` are the names that the
/// file has already, with the paths that they stand for.
#[must_use]
pub fn suggest(
    uses: &Uses,
    offered: &Offered,
    known: &BTreeMap<String, Option<String>>,
    reach: Reach,
) -> Suggestion {
    let mut suggesting = Suggesting { known: known.clone(), found: Suggestion::default() };
    let is_meant = |used: &Use| match reach {
        Reach::ButLibraries => !is_library(used),
        Reach::Libraries => is_library(used),
    };
    let missing: Vec<(&Use, &Evidence)> =
        uses.all().filter(|(used, _)| is_meant(used) && !offered.has(used, uses)).collect();
    let own = |path: &Path| {
        let accesses = [Access::Modify, Access::Create];
        let mut writes = accesses.iter().map(|access| Use::File(path.to_owned(), *access));
        writes.any(|write| uses.all().any(|(used, _)| *used == write))
    };
    suggesting.files(&missing, own, |path, access| {
        let names = uses.asked(path).map(|asked| offered.leads(asked));
        let names: Vec<PathBuf> = names.filter(|name| !offered.has_file(name, access)).collect();
        if names.is_empty() { vec![path.to_owned()] } else { names }
    });
    for (used, evidence) in &missing {
        suggesting.other(used, evidence);
    }
    suggesting.found
}

/// Returns what to add, so that a program has one more thing, whatever it has already.
#[must_use]
pub fn for_one(used: &Use, evidence: &Evidence, known: &BTreeMap<String, Option<String>>) -> Suggestion {
    let mut suggesting = Suggesting { known: known.clone(), found: Suggestion::default() };
    suggesting.files(&[(used, evidence)], |_| false, |path, _| vec![path.to_owned()]);
    suggesting.other(used, evidence);
    suggesting.found
}

struct Suggesting {
    known: BTreeMap<String, Option<String>>,
    found: Suggestion,
}

/// What was done with a path or below it, and the first evidence.
#[derive(Clone, Default)]
struct Needed {
    accesses: BTreeSet<Access>,
    said: String,
}

impl Suggesting {
    /// Adds what gives files; `is_own` says of one that the program wrote it, `names` by which names one was asked for that
    /// lack.
    fn files(
        &mut self,
        missing: &[(&Use, &Evidence)],
        is_own: impl Fn(&Path) -> bool,
        names: impl Fn(&Path, Access) -> Vec<PathBuf>,
    ) {
        let mut needed: BTreeMap<PathBuf, Needed> = BTreeMap::new();
        for (used, evidence) in missing {
            let Use::File(path, access) = used else { continue };
            if path.as_os_str() == "/etc/ld.so.cache" {
                continue;
            }
            let is_read = matches!(access, Access::Read | Access::Execute);
            if is_fleeting(path) && (!is_read || is_own(path)) {
                if !is_read {
                    self.fleeting(path, &names(path, *access), evidence);
                }
                continue;
            }
            // Names are made in directories, so it is the directory that is granted.
            let granted = match access {
                Access::Create | Access::Remove | Access::Socket => {
                    vec![path.parent().unwrap_or(path).to_owned()]
                }
                Access::Modify => vec![path.clone()],
                Access::Read | Access::Execute => names(path, *access),
            };
            for granted in granted {
                let entry = needed.entry(granted).or_default();
                entry.accesses.insert(*access);
                if entry.said.is_empty() {
                    entry.said = said(evidence);
                }
            }
        }
        for (path, needed) in gathered(needed) {
            self.file(&path, &needed);
        }
    }

    /// What a program makes for itself where nothing lasts needs no more than a place.
    fn fleeting(&mut self, path: &Path, names: &[PathBuf], evidence: &Evidence) {
        let name = names.first().map_or(path, PathBuf::as_path);
        let Some(place) = name.parent().and_then(Path::to_str) else { return };
        let needed = Needed { accesses: BTreeSet::new(), said: said(evidence) };
        // The world's own are there; what is missing in one is missing on the machine too.
        if !OWN.contains(&place) {
            self.state(format!("scratch {}", string(place)), &needed);
        }
    }

    fn file(&mut self, path: &Path, needed: &Needed) {
        // A name that is not UTF-8 cannot be written down.
        let Some(text) = path.to_str() else {
            return self.ungranted(format!("{} ({}): its name is not UTF-8", path.display(), needed.said));
        };
        let value = string(text);
        let changes = needed.accesses.iter().any(|access| !matches!(access, Access::Read | Access::Execute));
        let real = path.canonicalize().ok().filter(|real| real != path && !changes);
        if NEVER.iter().any(|never| path.starts_with(never)) {
            self.ungranted(format!("{text} ({}): no world has it", needed.said));
        } else if path.starts_with("/dev") {
            let words = if changes { "read write" } else { "read" };
            self.held("device", path, &value, words, needed);
        } else if changes {
            let has = |access| needed.accesses.contains(&access);
            let mut words = vec!["read"];
            if has(Access::Create) || has(Access::Remove) {
                words.push("write");
            } else if has(Access::Modify) {
                words.push("modify");
            }
            if has(Access::Socket) {
                words.push("socket");
            }
            let is_state = path.starts_with("/var/lib") && path.is_dir();
            let kind = if is_state {
                "state"
            } else if path.is_dir() {
                "dir"
            } else {
                "file"
            };
            self.held(kind, path, &value, &words.join(" "), needed);
        } else if let Some(real) = real.filter(|real| !is_code(real) && !real.starts_with("/etc")) {
            // A link to something that is the machine's and may become another at any time.
            let Some(place) = real.to_str().map(string) else { return };
            let kind = if real.is_dir() { "dir" } else { "file" };
            let words = if needed.accesses.contains(&Access::Execute) { "read exec" } else { "read" };
            self.held(kind, &real, &place, &format!("{words} at={value}"), needed);
        } else if path.starts_with("/etc") && path.canonicalize().is_ok_and(|real| real == path) {
            self.state(format!("config {value}"), needed);
        } else if is_code(path) || path.starts_with("/etc") {
            // An image brings the links that lead to it.
            let standard = standard_images().find(|(_, paths)| paths.iter().any(|own| path.starts_with(own)));
            let image = standard.map_or(value, |(name, _)| string(&format!("std:{name}")));
            self.state(format!("image {image}"), needed);
        } else {
            let kind = if path.is_dir() { "dir" } else { "file" };
            let words = if needed.accesses.contains(&Access::Execute) { "read exec" } else { "read" };
            self.held(kind, path, &value, words, needed);
        }
    }

    fn other(&mut self, used: &Use, evidence: &Evidence) {
        let needed = Needed { accesses: BTreeSet::new(), said: said(evidence) };
        match used {
            Use::Socket(path) => match path.to_str() {
                Some(text) => self.held("socket", path, &string(text), "connect", &needed),
                None => {
                    self.ungranted(format!("{} ({}): its name is not UTF-8", path.display(), needed.said));
                }
            },
            Use::Connect(address) => {
                let name = PathBuf::from(format!("port-{}", address.port()));
                self.held("connect", &name, &format!("tcp=\"{address}\""), "connect", &needed);
            }
            Use::Bind(address) if address.port() == 0 => {
                self.ungranted(format!("{}: a port of the kernel's choosing", needed.said));
            }
            Use::Bind(address) => {
                let name = PathBuf::from(format!("listen-{}", address.port()));
                self.held("listen", &name, &format!("tcp=\"{address}\""), "bind", &needed);
            }
            Use::Udp(address) => {
                let what = if address.port() == 53 { "to look up a name" } else { "over UDP" };
                self.ungranted(format!("{} {what} ({address}): only a `network` gives UDP", needed.said));
            }
            Use::Call(number) => match group_of_call(*number) {
                Some(group) => self.state(format!("syscalls \"{group}\""), &needed),
                None => self.ungranted(format!("{}: no group of `syscalls` has it", needed.said)),
            },
            Use::File(..) => {}
        }
    }

    /// Adds something that nothing gives.
    fn ungranted(&mut self, what: String) {
        if !self.found.ungranted.contains(&what) {
            self.found.ungranted.push(what);
        }
    }

    /// Adds a statement of the service's.
    fn state(&mut self, statement: String, needed: &Needed) {
        if !self.found.stated.iter().any(|(known, _)| *known == statement) {
            self.found.stated.push((statement, needed.said.clone()));
        }
    }

    /// Declares something and lets the service hold it.
    fn held(&mut self, kind: &str, path: &Path, value: &str, words: &str, needed: &Needed) {
        let declared = self.known.iter().find(|(_, at)| at.as_deref().map(Path::new) == Some(path));
        let name = match declared.map(|(name, _)| name.clone()) {
            Some(name) => name,
            None => {
                let name = self.name(path);
                self.found.declared.push((format!("{kind} {} {value}", word(&name)), needed.said.clone()));
                name
            }
        };
        self.found.stated.push((format!("holds {} {words}", word(&name)), needed.said.clone()));
    }

    /// Returns a name that is not taken, by the last part of a path.
    fn name(&mut self, path: &Path) -> String {
        let last = path.file_name().map(|last| last.to_string_lossy().into_owned()).unwrap_or_default();
        let plain: String = last
            .to_lowercase()
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
            .collect();
        let plain = plain.trim_matches(|letter: char| letter == '-').to_owned();
        let begins = plain.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let plain = if begins { plain } else { format!("at-{plain}").trim_end_matches('-').to_owned() };
        let mut name = plain.clone();
        let mut number = 2;
        while self.known.contains_key(&name) {
            name = format!("{plain}-{number}");
            number += 1;
        }
        self.known.insert(name.clone(), None);
        name
    }
}

/// Names many files of one directory by it, and leaves out what lies inside something that is named for as much.
fn gathered(mut needed: BTreeMap<PathBuf, Needed>) -> BTreeMap<PathBuf, Needed> {
    let mut beside: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for path in needed.keys() {
        // What lies deeper counts for every directory above it.
        path.ancestors().skip(1).for_each(|above| *beside.entry(above.to_owned()).or_default() += 1);
    }
    let is_named = |path: &Path| {
        path.components().count() > SHALLOW + 1 && !SHARED.iter().any(|shared| Path::new(shared) == path)
    };
    let many = beside.into_iter().filter(|(path, files)| *files >= FILES_OF_A_DIRECTORY && is_named(path));
    for (directory, _) in many.collect::<Vec<_>>() {
        needed.entry(directory).or_default();
    }
    let mut all: BTreeMap<PathBuf, Needed> = BTreeMap::new();
    for (path, more) in needed {
        let above = path.ancestors().skip(1).find(|above| all.contains_key(*above)).map(Path::to_owned);
        let changes = more.accesses.iter().any(|access| !matches!(access, Access::Read | Access::Execute));
        let into = above.filter(|above| {
            // A right that only some of it needs is not given for all of it.
            let whole = all.get(above).map(|whole| &whole.accesses);
            !changes || whole.is_some_and(|whole| more.accesses.is_subset(&given(whole)))
        });
        let entry = all.entry(into.unwrap_or(path)).or_default();
        entry.accesses.extend(more.accesses);
        if entry.said.is_empty() {
            entry.said = more.said;
        }
    }
    all.retain(|_, needed| !needed.accesses.is_empty());
    all
}

/// Returns what the rights let do that are granted for some uses: who may make files may change them.
fn given(accesses: &BTreeSet<Access>) -> BTreeSet<Access> {
    let mut given = accesses.clone();
    given.insert(Access::Read);
    if accesses.contains(&Access::Create) || accesses.contains(&Access::Remove) {
        given.extend([Access::Create, Access::Modify, Access::Remove]);
    }
    given
}

/// Returns whether what lies there is gone with the next boot.
#[must_use]
pub fn is_fleeting(path: &Path) -> bool {
    FLEETING.iter().any(|own| path.starts_with(own))
}

fn is_code(path: &Path) -> bool {
    ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt"].iter().any(|code| path.starts_with(code))
}

fn is_library(used: &Use) -> bool {
    let Use::File(path, Access::Read | Access::Execute) = used else { return false };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.ends_with(".so") || name.contains(".so.")
}

/// Names who used something: a name of its own choosing, which must not look like more than one.
fn said(evidence: &Evidence) -> String {
    let Evidence { by, call, times } = evidence;
    let by = one_line(by);
    match times {
        1 => format!("{call} by {by}"),
        times => format!("{call} by {by}, {times} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the directories and files that are named for some files that were read.
    #[track_caller]
    fn check(files: &[&str], expected: &[&str]) {
        let read = |path: &&str| {
            let needed = Needed { accesses: [Access::Read].into(), said: "openat by it".to_owned() };
            (PathBuf::from(path), needed)
        };
        let named = gathered(files.iter().map(read).collect());
        let named: Vec<&str> = named.keys().filter_map(|path| path.to_str()).collect();
        assert_eq!(named, expected);
    }

    #[test]
    fn many_files_of_one_directory_are_named_by_it() {
        check(&["/srv/a/b/1", "/srv/a/b/2", "/srv/a/b/3", "/srv/a/b/4", "/srv/c"], &["/srv/a/b", "/srv/c"]);
        check(&["/srv/a/b/1", "/srv/a/b/2", "/srv/a/b/3"], &["/srv/a/b/1", "/srv/a/b/2", "/srv/a/b/3"]);
    }

    #[test]
    fn what_everybody_shares_is_never_named_as_a_whole() {
        let files = ["/etc/1", "/etc/2", "/etc/3", "/etc/4", "/etc/5"];
        check(&files, &files);
        let libraries = ["1", "2", "3", "4", "5"].map(|name| format!("/usr/lib/x86_64-linux-gnu/{name}.so"));
        let libraries: Vec<&str> = libraries.iter().map(String::as_str).collect();
        check(&libraries, &libraries);
    }

    #[test]
    fn a_right_that_one_file_needs_is_not_given_for_its_directory() {
        let needed = |access| Needed { accesses: [access].into(), said: String::new() };
        let named = gathered(BTreeMap::from([
            ("/srv/a/b".into(), needed(Access::Read)),
            ("/srv/a/b/read".into(), needed(Access::Read)),
            ("/srv/a/b/changed".into(), needed(Access::Modify)),
        ]));
        let named: Vec<&str> = named.keys().filter_map(|path| path.to_str()).collect();
        assert_eq!(named, ["/srv/a/b", "/srv/a/b/changed"]);
    }
}

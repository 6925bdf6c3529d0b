//! Which file a unit's name means: the directories in their order, links as aliases, and what is masked.

use super::name::{UnitName, UnitType};
use crate::machine::{FileType, Machine, join, last_name, normal, parent, walk};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Where systemd looks for units, the first first (systemd.unit(5), "Unit File Load Path").
const SYSTEM: [&str; 14] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
    "/usr/lib/systemd/system.attached",
];

/// The most aliases that lead to one unit.
const MOST_ALIASES: usize = 64;

/// A directory with units.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Its path on the machine.
    pub path: String,
    /// The same as people are told it.
    pub shown: String,
    /// Whether a person named it, or a file in it.
    pub is_given: bool,
}

/// A file, and how it was come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its path on the machine, links of its name followed.
    pub path: String,
    /// What people are told.
    pub shown: String,
    /// The directory that it was found in.
    pub directory: usize,
}

/// What a name in a directory is.
#[derive(Clone, Debug)]
enum Entry {
    File(Place),
    Alias(String),
    Masked,
}

/// What a unit's name means.
#[derive(Clone, Debug)]
pub struct Meaning {
    /// The name that it has itself.
    pub id: String,
    /// Its file; none if it has none.
    pub fragment: Option<Place>,
    /// Somebody linked it to /dev/null.
    pub is_masked: bool,
}

/// All units of all directories, by name.
pub struct Lookup<'m> {
    machine: &'m dyn Machine,
    /// The directories that there are.
    pub directories: Vec<Directory>,
    /// Where each of them really is.
    real: HashMap<String, usize>,
    entries: HashMap<String, Entry>,
    /// For each name its aliases.
    aliases: HashMap<String, Vec<String>>,
    /// `NAME.d` and its kin, with the directories that they are in.
    beside: HashMap<String, Vec<usize>>,
}

impl<'m> Lookup<'m> {
    /// Reads the directories that a person named, and those of the system, whose paths are told with `root` before them.
    #[must_use]
    pub fn new(machine: &'m dyn Machine, given: Vec<Directory>, root: &str) -> Self {
        let mut lookup = Self {
            machine,
            directories: Vec::new(),
            real: HashMap::new(),
            entries: HashMap::new(),
            aliases: HashMap::new(),
            beside: HashMap::new(),
        };
        let system = SYSTEM.iter().map(|path| Directory {
            path: (*path).to_owned(),
            shown: format!("{root}{path}"),
            is_given: false,
        });
        for directory in given.into_iter().chain(system) {
            let Ok(found) = walk(machine, &directory.path) else { continue };
            if found.metadata.file_type == FileType::Directory && !lookup.real.contains_key(&found.real) {
                lookup.real.insert(found.real, lookup.directories.len());
                lookup.directories.push(directory);
            }
        }
        for at in 0..lookup.directories.len() {
            lookup.scan(at);
        }
        let names: Vec<String> = lookup.entries.keys().cloned().collect();
        for name in names {
            if let Some(meaning) = lookup.meaning(&name).filter(|meaning| meaning.id != name) {
                lookup.aliases.entry(meaning.id).or_default().push(name);
            }
        }
        lookup.aliases.values_mut().for_each(|names| names.sort());
        lookup
    }

    fn scan(&mut self, at: usize) {
        let Some(directory) = self.directories.get(at).cloned() else { return };
        let Ok(names) = self.machine.list(&directory.path) else { return };
        for name in names {
            let path = join(&directory.path, &name);
            let is_unit = UnitName::parse(&name).is_some();
            let is_beside = [".d", ".wants", ".requires", ".upholds"].iter().any(|end| name.ends_with(end));
            if is_beside {
                let is_directory = walk(self.machine, &path)
                    .is_ok_and(|found| found.metadata.file_type == FileType::Directory);
                if is_directory {
                    self.beside.entry(name).or_default().push(at);
                }
            } else if is_unit
                && !self.entries.contains_key(&name)
                && let Some(entry) = self.entry(at, &directory, &name, path)
            {
                self.entries.insert(name, entry);
            }
        }
    }

    fn entry(&self, at: usize, directory: &Directory, name: &str, path: String) -> Option<Entry> {
        let found = self.machine.metadata(&path).ok()?;
        let shown = join_shown(&directory.shown, name);
        match found.file_type {
            FileType::Regular if found.size == 0 => Some(Entry::Masked),
            FileType::Regular => Some(Entry::File(Place { path, shown, directory: at })),
            FileType::Link => {
                let target = self.machine.read_link(&path).ok()?;
                let target = if target.starts_with('/') { target } else { join(&directory.path, &target) };
                if normal(&target) == "/dev/null" {
                    return Some(Entry::Masked);
                }
                let last = last_name(&target);
                let above = walk(self.machine, parent(&target)).map(|walk| walk.real);
                let is_inside = above.is_ok_and(|above| self.real.contains_key(&above));
                let followed = walk(self.machine, &target).ok();
                let followed = followed.filter(|walk| walk.metadata.file_type == FileType::Regular);
                match followed {
                    // A link to another unit is another name for it, whichever file that unit has in the end.
                    _ if is_inside && last != name => {
                        may_be_alias(name, last).then(|| Entry::Alias(last.to_owned()))
                    }
                    Some(walk) if walk.metadata.size == 0 => Some(Entry::Masked),
                    Some(walk) => Some(Entry::File(Place { path: walk.real, shown, directory: at })),
                    None => None,
                }
            }
            FileType::Directory | FileType::Socket | FileType::Device | FileType::Other => None,
        }
    }

    /// Returns what a name means, its aliases followed; none if it is no name, or its aliases lead round.
    #[must_use]
    pub fn meaning(&self, name: &str) -> Option<Meaning> {
        let mut id = name.to_owned();
        for _ in 0..MOST_ALIASES {
            let unit = UnitName::parse(&id)?;
            let template = unit.template();
            let own = self.entries.get(&id);
            let entry = own.or_else(|| self.entries.get(template.as_deref()?));
            match entry {
                None => return Some(Meaning { id, fragment: None, is_masked: false }),
                Some(Entry::Masked) => return Some(Meaning { id, fragment: None, is_masked: true }),
                Some(Entry::File(place)) => {
                    return Some(Meaning { id, fragment: Some(place.clone()), is_masked: false });
                }
                Some(Entry::Alias(other)) => {
                    let target = UnitName::parse(other)?;
                    // An instance that is another name for a template stays the same instance of it.
                    id = match (unit.instance, target.is_template()) {
                        (Some(instance), true) if !instance.is_empty() => {
                            let next = target.with_instance(instance);
                            if next == id {
                                let entry = self.entries.get(other)?;
                                let fragment = match entry {
                                    Entry::File(place) => Some(place.clone()),
                                    Entry::Alias(_) | Entry::Masked => None,
                                };
                                let is_masked = matches!(entry, Entry::Masked);
                                return Some(Meaning { id, fragment, is_masked });
                            }
                            next
                        }
                        _ => other.clone(),
                    };
                }
            }
        }
        None
    }

    /// Returns the names of all units that have files, aliases left out.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(|(_, entry)| matches!(entry, Entry::File(_)))
            .map(|(name, _)| name.as_str())
    }

    /// Returns the drop-ins of a unit in the order in which they count.
    #[must_use]
    pub fn drop_ins(&self, id: &str) -> Vec<Place> {
        let mut names = self.names_beside(id, ".d");
        if let Some(unit) = UnitName::parse(id) {
            names.push(format!("{}.d", unit.unit_type.word()));
        }
        let found = self.files_beside(&names, |name| name.ends_with(".conf"));
        let real = found.into_values().filter_map(|place| {
            let walk = walk(self.machine, &place.path).ok()?;
            let is_file = walk.metadata.file_type == FileType::Regular && walk.metadata.size > 0;
            is_file.then_some(Place { path: walk.real, ..place })
        });
        real.collect()
    }

    /// Returns the links in `NAME.wants/` or its kin: the unit that each names, and where the link lies.
    #[must_use]
    pub fn links(&self, id: &str, suffix: &str) -> Vec<(String, Place, String)> {
        let names = self.names_beside(id, suffix);
        let found = self.files_beside(&names, |name| UnitName::parse(name).is_some());
        let links = found.into_iter().filter_map(|(name, place)| {
            let target = self.machine.read_link(&place.path).ok()?;
            (target != "/dev/null").then_some((name, place, target))
        });
        links.collect()
    }

    /// Returns the names that directories beside a unit have: of its own name and its aliases, of its template, of each
    /// beginning that ends with a dash.
    fn names_beside(&self, id: &str, suffix: &str) -> Vec<String> {
        let mut names: Vec<String> = vec![id.to_owned()];
        names.extend(self.aliases.get(id).into_iter().flatten().cloned());
        if let Some(unit) = UnitName::parse(id)
            && let (Some(template), Some(instance)) = (unit.template(), unit.instance)
        {
            let templates = self.aliases.get(&template).into_iter().flatten();
            names.extend(templates.filter_map(|alias| Some(UnitName::parse(alias)?.with_instance(instance))));
        }
        let mut found: Vec<String> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        for name in names {
            let mut rest = Some(name);
            while let Some(name) = rest.take() {
                let Some(unit) = UnitName::parse(&name) else { break };
                let with_template = [Some(name.clone()), unit.template()];
                for name in with_template.into_iter().flatten().map(|name| format!("{name}{suffix}")) {
                    if self.beside.contains_key(&name) && seen.insert(name.clone()) {
                        found.push(name);
                    }
                }
                let stem = unit.prefix.strip_suffix('-').unwrap_or(unit.prefix);
                let Some(dash) = stem.rfind('-').filter(|dash| *dash > 0) else { break };
                let begin = stem.get(..=dash).unwrap_or_default();
                rest = Some(match unit.instance {
                    Some(instance) => format!("{begin}@{instance}.{}", unit.unit_type.word()),
                    None => format!("{begin}.{}", unit.unit_type.word()),
                });
            }
        }
        found
    }

    /// Returns what lies in some such directories, by name; of two with one name, the one that is looked at first.
    fn files_beside(&self, names: &[String], counts: impl Fn(&str) -> bool) -> BTreeMap<String, Place> {
        let mut found: BTreeMap<String, Place> = BTreeMap::new();
        for name in names {
            for at in self.beside.get(name).into_iter().flatten() {
                let Some(directory) = self.directories.get(*at) else { continue };
                let path = join(&directory.path, name);
                for file in
                    self.machine.list(&path).unwrap_or_default().into_iter().filter(|file| counts(file))
                {
                    let shown = join_shown(&join_shown(&directory.shown, name), &file);
                    let place = Place { path: join(&path, &file), shown, directory: *at };
                    found.entry(file).or_insert(place);
                }
            }
        }
        found
    }
}

/// Whether a name can be another one's: of one type, and not one whose name says where it is.
fn may_be_alias(name: &str, other: &str) -> bool {
    use UnitType::{Device, Path, Service, Socket, Target, Timer};
    let types = UnitName::parse(name).zip(UnitName::parse(other));
    types.is_some_and(|(name, other)| {
        let may = matches!(name.unit_type, Service | Socket | Target | Device | Timer | Path);
        may && name.unit_type == other.unit_type
    })
}

/// Returns a path with a name after it as people write it.
#[must_use]
pub fn join_shown(directory: &str, name: &str) -> String {
    match directory {
        "" | "." => name.to_owned(),
        directory => format!("{}/{name}", directory.trim_end_matches('/')),
    }
}

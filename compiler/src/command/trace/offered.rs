//! What a world offers, by its manifest.

use crate::command::sealed_words::{path_of, text_of};
use crate::lower::{calls_beyond, usual_calls};
use capc_schemas::manifest::{Line, Manifest, Network, Rights};
use capc_schemas::token::AbsPath;
use capc_trace::{Access, Use, Uses};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// So many links are followed to one file (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// What a world offers.
#[derive(Debug, Default)]
pub struct Offered {
    /// What stands at which path, and whether something lies inside.
    places: BTreeMap<String, Place>,
    /// Links, with what stands in them.
    links: BTreeMap<String, String>,
    /// Where trees lie on the machine.
    trees: BTreeMap<String, String>,
    /// Landlock's rules.
    rules: BTreeMap<String, Rights>,
    bound: BTreeSet<u16>,
    connected: BTreeSet<u16>,
    has_network: bool,
    calls: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// One file, device, link or socket.
    File,
    /// A directory with what the machine has in it.
    Tree,
    /// A private directory in memory, empty at first.
    Memory,
}

impl Offered {
    /// Returns what a manifest offers to a service that has these groups of system calls.
    #[must_use]
    pub fn of(manifest: &Manifest<'_>, groups: Vec<String>) -> Self {
        let mut offered = Self { calls: usual_calls(), ..Self::default() };
        let mut privileges = Vec::new();
        for line in manifest.lines() {
            match line {
                Line::Tmpfs { at, .. } | Line::Facet { at, .. } => offered.place(at, Place::Memory),
                Line::Link { at, target } => {
                    offered.place(at, Place::File);
                    offered.links.insert(path_of(at), text_of(target));
                }
                Line::Text { at, .. }
                | Line::Device { at, .. }
                | Line::Secret { at, .. }
                | Line::Notify { at }
                | Line::Pinned { at, .. } => offered.place(at, Place::File),
                Line::Image { at, from } | Line::Grant { at, from, .. } => {
                    let is_dir = Path::new(&path_of(from)).is_dir();
                    offered.trees.insert(path_of(at), path_of(from));
                    offered.place(at, if is_dir { Place::Tree } else { Place::File });
                }
                Line::Proc => drop(offered.places.insert("/proc".to_owned(), Place::Memory)),
                Line::Allow { at, rights } => drop(offered.rules.insert(path_of(at), rights)),
                Line::BindPort { port } => drop(offered.bound.insert(port)),
                Line::ConnectPort { port } => drop(offered.connected.insert(port)),
                Line::Keep { capability } => privileges.push(capability),
                Line::Network { network } => offered.has_network = network == Network::Open,
                _ => {}
            }
        }
        offered.calls.extend(calls_beyond(groups, privileges));
        offered
    }

    fn place(&mut self, at: AbsPath<'_>, place: Place) {
        self.places.insert(path_of(at), place);
    }

    /// Returns where a path leads in the world, by the links that are there.
    #[must_use]
    pub fn leads(&self, path: &Path) -> PathBuf {
        let mut left: Vec<PathBuf> = vec![path.to_owned()];
        let (mut place, mut followed) = (PathBuf::from("/"), 0);
        while let Some(rest) = left.pop() {
            let mut parts = rest.components();
            let Some(part) = parts.next() else { continue };
            left.push(parts.as_path().to_owned());
            match part {
                Component::RootDir => place = PathBuf::from("/"),
                Component::ParentDir => drop(place.pop()),
                Component::Normal(name) => place.push(name),
                Component::CurDir | Component::Prefix(_) => {}
            }
            if let Some(link) = self.link(&place).filter(|_| followed < MOST_LINKS) {
                followed += 1;
                place.pop();
                left.push(link);
            }
        }
        place
    }

    /// Returns what stands in a link of the world's, or of the machine's in a tree of it.
    fn link(&self, place: &Path) -> Option<PathBuf> {
        if let Some(link) = self.links.get(place.to_str()?) {
            return Some(PathBuf::from(link));
        }
        let (at, Place::Tree) = self.above(place)? else { return None };
        let inside = place.strip_prefix(at).ok()?;
        Path::new(self.trees.get(at)?).join(inside).read_link().ok()
    }

    /// Returns whether a use would go well in the world; a file by its other names too.
    #[must_use]
    pub fn has(&self, used: &Use, uses: &Uses) -> bool {
        match used {
            Use::File(path, access) => self.has_names(path, *access, uses),
            Use::Socket(path) => match self.above(path) {
                Some((at, Place::File)) => Path::new(at) == path,
                Some((_, Place::Tree | Place::Memory)) => true,
                None => false,
            },
            Use::Connect(address) => self.has_network || self.connected.contains(&address.port()),
            Use::Bind(address) => self.has_network || self.bound.contains(&address.port()),
            Use::Udp(_) => self.has_network,
            Use::Call(number) => self.calls.contains(number),
        }
    }

    fn has_names(&self, path: &Path, access: Access, uses: &Uses) -> bool {
        let mut asked = uses.asked(path).peekable();
        match asked.peek() {
            Some(_) => asked.all(|asked| self.has_file(&self.leads(asked), access)),
            None => self.has_file(path, access),
        }
    }

    /// Returns whether a file can be used in the world by this very name.
    #[must_use]
    pub fn has_file(&self, path: &Path, access: Access) -> bool {
        let leads_on = || self.places.keys().any(|at| Path::new(at).starts_with(path));
        (access == Access::Read && path.is_dir() && leads_on()) || self.grants(path, access)
    }

    /// Returns whether something is granted, or lies in what is.
    #[must_use]
    pub fn grants(&self, path: &Path, access: Access) -> bool {
        let needed = match access {
            Access::Read => Rights::READ,
            Access::Execute => Rights::EXEC,
            Access::Modify => Rights::MODIFY,
            Access::Create => Rights::CREATE,
            Access::Remove => Rights::REMOVE,
            Access::Socket => Rights::SOCKET,
        };
        let is_there = match self.above(path) {
            Some((at, Place::File)) => Path::new(at) == path,
            // Nothing of the machine's lies there, but what a program makes.
            Some((_, Place::Memory)) if access == Access::Read => !path.exists(),
            Some((_, Place::Memory | Place::Tree)) => true,
            None => false,
        };
        let rules = self.rules.iter().filter(|(at, _)| path.starts_with(at));
        let rights = rules.fold(Rights::NONE, |all, (_, rights)| all.or(*rights));
        is_there && rights.contains(needed)
    }

    /// Returns the nearest place at or above a path.
    fn above(&self, path: &Path) -> Option<(&str, Place)> {
        path.ancestors().find_map(|above| {
            let (at, place) = self.places.get_key_value(above.to_str()?)?;
            Some((at.as_str(), *place))
        })
    }
}

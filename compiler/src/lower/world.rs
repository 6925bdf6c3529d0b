//! The world of one service while it is put together: what stands where, and what the service may do there.

use super::place::{Place, merge};
use super::refusals::Refusals;
use super::seccomp::Instruction;
use crate::machine::{Machine, parent, walk};
use crate::model::path_contains;
use crate::source::Span;
use capc_schemas::manifest::{DescriptorKind, Limit, Mode, Network, Ready};
use std::collections::{BTreeMap, BTreeSet};

/// One service's world, to be written as its manifest.
#[derive(Clone, Debug)]
pub struct World {
    pub name: String,
    pub mode: Mode,
    pub abi: u32,
    pub uid: u32,
    pub gid: u32,
    pub network: Network,
    pub places: BTreeMap<String, (Place, Span)>,
    pub unlink: BTreeSet<String>,
    pub notify: Option<String>,
    pub bind_ports: BTreeSet<u16>,
    pub connect_ports: BTreeSet<u16>,
    pub rlimits: BTreeMap<Limit, u64>,
    pub keep: BTreeSet<u8>,
    pub filter: Vec<Instruction>,
    pub descriptors: BTreeMap<u16, (DescriptorKind, String)>,
    pub environment: Vec<(String, String)>,
    pub workdir: String,
    pub prepare: Option<(String, Vec<String>)>,
    pub ready: Ready,
    pub run: String,
    pub arguments: Vec<String>,
}

impl World {
    /// Returns a world in which nothing is.
    #[must_use]
    pub fn empty(name: &str, mode: Mode, (uid, gid): (u32, u32)) -> Self {
        Self {
            name: name.to_owned(),
            mode,
            abi: 3,
            uid,
            gid,
            network: Network::Private,
            places: BTreeMap::new(),
            unlink: BTreeSet::new(),
            notify: None,
            bind_ports: BTreeSet::new(),
            connect_ports: BTreeSet::new(),
            rlimits: BTreeMap::new(),
            keep: BTreeSet::new(),
            filter: Vec::new(),
            descriptors: BTreeMap::new(),
            environment: Vec::new(),
            workdir: "/".to_owned(),
            prepare: None,
            ready: Ready::Started,
            run: String::new(),
            arguments: Vec::new(),
        }
    }

    /// Puts something at a path; two things there are one if they do not differ but in rights.
    pub fn put(&mut self, at: &str, place: Place, span: Span, refusals: &mut Refusals) {
        if at == "/" || path_contains("/proc", at) {
            let message = format!("{} cannot be seen at `{at}`, which is every world's own", place.words());
            refusals.refuse(span, message, "needed by this", "let it be seen elsewhere with `at=`");
            return;
        }
        let Some((there, _)) = self.places.get_mut(at) else {
            self.places.insert(at.to_owned(), (place, span));
            return;
        };
        if !merge(there, &place) {
            let message = format!(
                "`{at}` in the world of `{}` would be {} and {}",
                self.name,
                there.words(),
                place.words()
            );
            refusals.refuse(
                span,
                message,
                "this is the second",
                "let one of them be seen at another path with `at=`",
            );
        }
    }

    /// Puts something at a path where nothing else is.
    pub fn put_if_free(&mut self, at: &str, place: Place, span: Span) {
        self.places.entry(at.to_owned()).or_insert((place, span));
    }

    /// Raises the least Landlock ABI.
    pub fn needs_abi(&mut self, abi: u32) {
        self.abi = self.abi.max(abi);
    }

    /// Returns the places that a path lies in, the nearest first; the one at the path itself is not among them.
    pub fn above<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a Place)> {
        let directories =
            std::iter::successors(Some(path), |path| (*path != "/").then(|| parent(path))).skip(1);
        directories
            .filter_map(|above| self.places.get_key_value(above))
            .map(|(at, (place, _))| (at.as_str(), place))
    }

    /// Returns whether a path is there to stand on: a place, a directory that leads to one, or something inside one.
    pub fn has(&self, path: &str, machine: &dyn Machine) -> bool {
        let leads_on = |at: &String| path_contains(path, at);
        if path == "/" || path_contains("/proc", path) || self.places.keys().any(leads_on) {
            return true;
        }
        let Some((at, place)) = self.above(path).next() else { return false };
        match place.bound_from() {
            Some(from) => walk(machine, &format!("{from}{}", path.strip_prefix(at).unwrap_or(""))).is_ok(),
            None => matches!(place, Place::Facet { .. }),
        }
    }
}

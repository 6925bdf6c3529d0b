//! The world of one service while it is put together: what stands where, and what the service may do there.

use super::place::{Place, merge};
use super::refusals::Refusals;
use super::seccomp::Instruction;
use crate::machine::{FileType, Machine, parent, walk};
use crate::model::path_contains;
use crate::source::Span;
use capc_schemas::manifest::{DescriptorKind, FileKind, Limit, Mode, Network, Ready};
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

    /// Returns the nearest place that a path lies in or under, but for the one at the path itself.
    fn above<'a>(&'a self, path: &str) -> Option<(&'a str, &'a Place)> {
        let mut above = path;
        while above != "/" {
            above = parent(above);
            if let Some((at, (place, _))) = self.places.get_key_value(above) {
                return Some((at, place));
            }
        }
        None
    }

    /// Returns whether a path is there to stand on: a place, a directory that leads to one, or something inside one.
    pub fn has(&self, path: &str, machine: &dyn Machine) -> bool {
        let leads_on = |at: &String| path_contains(path, at);
        if path == "/" || path_contains("/proc", path) || self.places.keys().any(leads_on) {
            return true;
        }
        let Some((at, place)) = self.above(path) else { return false };
        match place.bound_from() {
            Some(from) => walk(machine, &format!("{from}{}", path.strip_prefix(at).unwrap_or(""))).is_ok(),
            None => matches!(place, Place::Facet { .. }),
        }
    }

    /// Drops what is there already as part of a bound directory, and refuses what cannot be put into one.
    pub fn settle(&mut self, machine: &dyn Machine, refusals: &mut Refusals) {
        let mut dropped = Vec::new();
        for (at, (place, span)) in &self.places {
            let Some((outer_at, outer)) = self.above(at) else { continue };
            if !outer.holds_places() {
                let message = format!(
                    "{} cannot be seen at `{at}`, which lies inside {}",
                    place.words(),
                    outer.words()
                );
                refusals.refuse(
                    *span,
                    message,
                    "needed by this",
                    "let one of them be seen elsewhere with `at=`",
                );
                continue;
            }
            if let Some(from) = outer.bound_from() {
                let inside = format!("{from}{}", at.strip_prefix(outer_at).unwrap_or(""));
                match self.stands_in(place, &inside, from, machine) {
                    Standing::Mountable => {}
                    Standing::ThereAlready => dropped.push(at.clone()),
                    Standing::Nowhere => {
                        let message = format!(
                            "{} cannot be seen at `{at}`, which lies inside {}: `{inside}` is not there to mount it on",
                            place.words(),
                            outer.words()
                        );
                        refusals.refuse(
                            *span,
                            message,
                            "needed by this",
                            "make it there, or let it be seen elsewhere with `at=`",
                        );
                    }
                }
            }
            self.refuse_gain((at, place), (outer_at, outer), *span, refusals);
        }
        for at in dropped {
            self.places.remove(&at);
        }
    }

    fn stands_in(&self, place: &Place, inside: &str, outer: &str, machine: &dyn Machine) -> Standing {
        let found = machine.metadata(inside).map(|metadata| metadata.file_type);
        let is_dir = match place {
            Place::Tmpfs { .. } | Place::Facet { .. } => true,
            Place::Grant(grant) => grant.kind == FileKind::Dir,
            Place::Image { from } => {
                machine.metadata(from).is_ok_and(|found| found.file_type == FileType::Directory)
            }
            Place::Link { .. }
            | Place::Text { .. }
            | Place::Device { .. }
            | Place::Pinned { .. }
            | Place::Secret { .. } => false,
        };
        match (place, found) {
            (Place::Link { target }, Ok(FileType::Link))
                if machine.read_link(inside).is_ok_and(|said| said == *target) =>
            {
                Standing::ThereAlready
            }
            (Place::Link { .. }, _) => Standing::Nowhere,
            (_, Ok(FileType::Directory)) if is_dir => Standing::Mountable,
            (_, Ok(FileType::Regular | FileType::Socket)) if !is_dir => Standing::Mountable,
            (Place::Pinned { from, .. }, Ok(FileType::Link)) => match walk(machine, inside) {
                Ok(walk) if walk.real == *from && path_contains(outer, from) => Standing::ThereAlready,
                _ => Standing::Nowhere,
            },
            _ => Standing::Nowhere,
        }
    }

    /// Landlock adds up rights along a path: refuses a place that would gain some by where it stands.
    fn refuse_gain(
        &self,
        (at, place): (&str, &Place),
        (outer_at, outer): (&str, &Place),
        span: Span,
        refusals: &mut Refusals,
    ) {
        // A part of what is granted as a whole is held with those rights anyway.
        let is_part = match (place.bound_from(), outer.bound_from()) {
            (Some(inner), Some(outer)) => path_contains(outer, inner),
            _ => false,
        };
        let granted = place.rights().or(place.kept_by_mount());
        if !is_part && !granted.contains(outer.rights()) {
            let message = format!(
                "{} would gain rights at `{at}`, inside {} at `{outer_at}`",
                place.words(),
                outer.words()
            );
            refusals.refuse(
                span,
                message,
                "granted with fewer rights than its surroundings",
                "let it be seen elsewhere with `at=`",
            );
        }
    }
}

/// How a place inside a bound directory can be had.
enum Standing {
    Mountable,
    ThereAlready,
    Nowhere,
}

//! The world of one service while it is put together: what stands where, and what the service may do there.

use super::refusals::Refusals;
use super::seccomp::Instruction;
use crate::machine::{FileType, Machine, parent, walk};
use crate::model::path_contains;
use crate::source::Span;
use capc_schemas::manifest::{
    Access, DescriptorKind, Execution, FacetRole, FileKind, FileMode, Limit, Mode, Network, Owner, Ready,
    Rights,
};
use capc_schemas::token::Digest;
use std::collections::{BTreeMap, BTreeSet};

/// What stands at one path of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A private directory in memory.
    Tmpfs { bytes: u64, mode: FileMode },
    /// A symbolic link.
    Link { target: String },
    /// A generated file.
    Text { mode: FileMode, content: String },
    /// A device node.
    Device { from: String },
    /// A file with a digest.
    Pinned { from: String, digest: Digest, execution: Execution },
    /// Code.
    Image { from: String },
    /// Something granted.
    Grant(Grant),
    /// A private copy of a secret.
    Secret { from: String },
    /// The directory of a facet.
    Facet { key: String, role: FacetRole, uid: u32, gid: u32 },
}

/// Something granted, as it stands in a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The place on the machine, without links.
    pub from: String,
    /// What it is.
    pub kind: FileKind,
    /// Whose it is there.
    pub owner: Owner,
    /// What may be done with it.
    pub rights: Rights,
    /// The directory that the launcher makes first: it, or one that it is a part of.
    pub state: Option<String>,
}

/// Everything that can be written to.
const CHANGE: Rights = Rights::MODIFY.or(Rights::CREATE).or(Rights::REMOVE).or(Rights::SOCKET);
const READ_EXEC: Rights = Rights::READ.or(Rights::EXEC);

impl Grant {
    /// Returns whether its mount is writable.
    #[must_use]
    pub fn access(&self) -> Access {
        let changes = [Rights::MODIFY, Rights::CREATE, Rights::REMOVE, Rights::SOCKET];
        if changes.into_iter().any(|right| self.rights.contains(right)) {
            Access::ReadWrite
        } else {
            Access::ReadOnly
        }
    }

    /// Returns whether programs in it may be executed.
    #[must_use]
    pub const fn execution(&self) -> Execution {
        if self.rights.contains(Rights::EXEC) { Execution::Exec } else { Execution::NoExec }
    }
}

impl Place {
    /// Returns what Landlock allows there.
    fn rights(&self) -> Rights {
        match self {
            Self::Tmpfs { .. } => Rights::READ.or(CHANGE),
            Self::Link { .. } => Rights::NONE,
            Self::Text { .. } | Self::Secret { .. } => Rights::READ,
            Self::Device { .. } => Rights::READ.or(Rights::MODIFY),
            Self::Pinned { execution: Execution::NoExec, .. } => Rights::READ,
            Self::Pinned { execution: Execution::Exec, .. } | Self::Image { .. } => READ_EXEC,
            Self::Grant(grant) => grant.rights,
            Self::Facet { role: FacetRole::Make, .. } => Rights::READ.or(CHANGE),
            Self::Facet { role: FacetRole::Hold, .. } => Rights::READ,
        }
    }

    /// Returns what its mount keeps from being done there, whatever Landlock allows.
    fn kept_by_mount(&self) -> Rights {
        match self {
            Self::Grant(grant) => {
                let exec = if grant.execution() == Execution::NoExec { Rights::EXEC } else { Rights::NONE };
                if grant.access() == Access::ReadOnly { exec.or(CHANGE) } else { exec }
            }
            // Code is bound read-only and everything else is the service's own, so nothing is gained there.
            _ => Rights::READ.or(Rights::EXEC).or(CHANGE),
        }
    }

    /// Returns whether something else can stand inside it.
    fn holds_places(&self) -> bool {
        match self {
            Self::Tmpfs { .. } | Self::Image { .. } => true,
            Self::Grant(grant) => grant.kind == FileKind::Dir,
            Self::Link { .. } | Self::Text { .. } | Self::Device { .. } | Self::Pinned { .. } => false,
            Self::Secret { .. } | Self::Facet { .. } => false,
        }
    }

    /// Returns where it is bound from, if it is a whole directory of the machine.
    fn bound_from(&self) -> Option<&str> {
        match self {
            Self::Image { from } | Self::Grant(Grant { from, .. }) => Some(from),
            _ => None,
        }
    }

    /// Returns it in words.
    fn words(&self) -> String {
        match self {
            Self::Tmpfs { .. } => "a private place in memory".into(),
            Self::Link { target } => format!("a link to `{target}`"),
            Self::Text { .. } => "a generated file".into(),
            Self::Device { from } | Self::Pinned { from, .. } | Self::Image { from } => {
                format!("`{from}` of the machine")
            }
            Self::Grant(grant) => format!("what is granted of `{}`", grant.from),
            Self::Secret { from } => format!("the secret `{from}`"),
            Self::Facet { key, .. } => format!("the directory of the facet `{}`", key.replace('+', "/")),
        }
    }
}

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

    /// Returns the Landlock rules: one for a directory where everything is alike.
    #[must_use]
    pub fn rules(&self) -> Vec<(String, Rights)> {
        let placed = self.places.iter().map(|(at, (place, _))| (at.as_str(), place.rights()));
        let mut leaves: Vec<(&str, Rights)> = placed.filter(|(_, rights)| *rights != Rights::NONE).collect();
        leaves.push(("/proc", Rights::READ));
        leaves.sort_by_key(|(at, _)| *at);
        let mut rules = Vec::new();
        cover("", &leaves, Rights::NONE, &mut rules);
        rules.sort_by(|(one, _), (other, _)| one.cmp(other));
        rules
    }
}

/// How a place inside a bound directory can be had.
enum Standing {
    Mountable,
    ThereAlready,
    Nowhere,
}

fn merge(there: &mut Place, new: &Place) -> bool {
    let new_one = match (&mut *there, new) {
        (
            Place::Pinned { from, execution, .. },
            Place::Pinned { from: other, execution: Execution::Exec, .. },
        ) if from == other => {
            *execution = Execution::Exec;
            return true;
        }
        (Place::Pinned { from, .. }, Place::Pinned { from: other, .. }) => return from == other,
        (Place::Grant(grant), Place::Grant(other))
            if (&grant.from, grant.owner) == (&other.from, other.owner) =>
        {
            grant.rights = grant.rights.or(other.rights);
            grant.state = grant.state.take().or(other.state.clone());
            return true;
        }
        // What is read-only and sealed as code or configuration is readable with that already.
        (Place::Image { from } | Place::Pinned { from, .. }, Place::Grant(grant)) => {
            return *from == grant.from && READ_EXEC.contains(grant.rights);
        }
        (Place::Grant(grant), Place::Image { from } | Place::Pinned { from, .. }) => {
            *from == grant.from && READ_EXEC.contains(grant.rights)
        }
        // One of several facets in a directory makes it the maker's.
        (Place::Facet { key, role, .. }, Place::Facet { key: other, role: other_role, .. })
            if key == other =>
        {
            if *other_role == FacetRole::Make {
                *role = FacetRole::Make;
            }
            return true;
        }
        (there, new) => return there == new,
    };
    if new_one {
        *there = new.clone();
    }
    new_one
}

/// Adds rules for sorted places below a directory, which has `given` from above.
fn cover(directory: &str, leaves: &[(&str, Rights)], given: Rights, rules: &mut Vec<(String, Rights)>) {
    let Some((first, rights)) = leaves.first() else { return };
    // Where names can be made, a rule says exactly where.
    let is_mild = Rights::READ.or(Rights::EXEC).or(Rights::MODIFY).contains(*rights);
    let alike = is_mild && leaves.iter().all(|(_, other)| other == rights);
    if leaves.len() == 1 || (alike && !directory.is_empty()) {
        if !given.contains(*rights) {
            let at = if leaves.len() == 1 { first } else { directory };
            rules.push(((*at).to_owned(), *rights));
        }
        return;
    }
    let mut rest = leaves;
    let mut given = given;
    if *first == directory {
        if !given.contains(*rights) {
            rules.push(((*first).to_owned(), *rights));
        }
        given = given.or(*rights);
        rest = leaves.get(1..).unwrap_or_default();
    }
    while let Some((first, _)) = rest.first() {
        let below = first.get(directory.len() + 1..).unwrap_or("");
        let child = format!("{directory}/{}", below.split('/').next().unwrap_or(""));
        let length = rest.iter().take_while(|(at, _)| path_contains(&child, at)).count().max(1);
        let (inside, after) = rest.split_at(length.min(rest.len()));
        cover(&child, inside, given, rules);
        rest = after;
    }
}

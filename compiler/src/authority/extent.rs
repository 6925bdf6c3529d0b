//! How much of a capability somebody has: by the thing itself, by what contains it, or by parts of it.

use super::effective::{is_directory, is_file, path_of};
use super::walk::Traversal;
use super::{Authority, Held, PlaceId};
use crate::model::{CapId, Kind, Level, ObjectId, Rights};
use std::collections::BTreeMap;

/// The rights of a capability that somebody has.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Of all of it.
    pub whole: Rights,
    /// Of parts of it.
    pub part: Rights,
}

impl Extent {
    /// Returns the rights in either, of all of it or of parts.
    #[must_use]
    pub const fn rights(self) -> Rights {
        self.whole.or(self.part)
    }
    /// Returns what is in either extent.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self { whole: self.whole.or(other.whole), part: self.part.or(other.part) }
    }
    /// Returns what there is of some rights.
    #[must_use]
    pub const fn and(self, rights: Rights) -> Self {
        Self { whole: self.whole.and(rights), part: self.part.and(rights) }
    }
}

/// Returns the rights of a kind that are obtained by learning: `read` and `exec`, and those that count as both.
#[must_use]
pub const fn learning(kind: Kind) -> Rights {
    match kind {
        Kind::Dir | Kind::State | Kind::Mount | Kind::File => Rights(3),
        Kind::Secret
        | Kind::Device
        | Kind::Connect
        | Kind::Socket
        | Kind::Facet
        | Kind::Listen
        | Kind::Launch
        | Kind::Ask => Rights(1),
        Kind::Identity | Kind::Network | Kind::Privilege | Kind::Caller | Kind::Control => Rights::NONE,
    }
}

/// Returns the rights of a kind that are obtained by effecting: all but `read` and `exec`.
#[must_use]
pub const fn effecting(kind: Kind) -> Rights {
    match kind {
        Kind::Connect | Kind::Socket | Kind::Facet | Kind::Launch | Kind::Ask => kind.all(),
        // `accept` counts as both, `bind` as an effect.
        Kind::Listen => kind.all(),
        Kind::Dir
        | Kind::State
        | Kind::Mount
        | Kind::File
        | Kind::Secret
        | Kind::Device
        | Kind::Network
        | Kind::Privilege
        | Kind::Caller
        | Kind::Identity
        | Kind::Control => kind.all().without(learning(kind)),
    }
}

/// A capability that is asked about.
#[derive(Copy, Clone, Debug)]
pub struct Asked {
    capability: CapId,
    kind: Kind,
    place: Option<PlaceId>,
}

impl Authority<'_> {
    /// Returns a capability as something to ask about.
    #[must_use]
    pub fn asked(&self, capability: CapId) -> Asked {
        let place = path_of(self.model, capability).and_then(|path| self.places.find(&path));
        Asked { capability, kind: self.model.capability(capability).kind, place }
    }

    /// Returns how much of what is asked about something held comes to.
    #[must_use]
    pub fn extent_of(&self, held: &Held, asked: Asked) -> Extent {
        let whole = |rights: Rights| Extent { whole: rights.and(asked.kind.all()), part: Rights::NONE };
        if held.capability == Some(asked.capability) {
            return whole(held.rights);
        }
        let (Some(have), Some(want)) = (held.place, asked.place) else { return Extent::default() };
        if asked.kind == Kind::Socket {
            // Any right on a directory is `connect` on the sockets in it.
            let inside =
                is_directory(held.kind) && !held.rights.is_empty() && self.places.contains(have, want);
            let same = held.kind == Kind::Socket && have == want;
            return if inside || same { whole(Kind::Socket.all()) } else { Extent::default() };
        }
        if !is_file(held.kind) || !is_file(asked.kind) {
            return Extent::default();
        }
        if self.places.contains(have, want) {
            whole(held.rights)
        } else if self.places.contains(want, have) {
            Extent { whole: Rights::NONE, part: held.rights.and(asked.kind.all()) }
        } else {
            Extent::default()
        }
    }

    /// Returns how much of something an object has by itself at a level.
    #[must_use]
    pub fn own_extent(&self, holder: ObjectId, asked: Asked, level: Level) -> Extent {
        let held = self.held(holder).iter().filter(|held| held.counts_at(level));
        held.fold(Extent::default(), |extent, held| extent.or(self.extent_of(held, asked)))
    }

    /// Returns for each object how much of something it could come to have at a level.
    ///
    /// Each right is carried backwards along the edges at most once, of the whole or of parts: linear.
    #[must_use]
    pub fn obtainable_by_all(&self, capability: CapId, level: Level) -> Vec<Extent> {
        let asked = self.asked(capability);
        let own: Vec<Extent> =
            self.model.objects().map(|(id, _)| self.own_extent(id, asked, level)).collect();
        let mut obtained = vec![Extent::default(); own.len()];
        for traversal in Traversal::of(level, asked.kind) {
            let seeds = own.iter().map(|extent| extent.and(traversal.rights)).collect();
            for (sum, found) in obtained.iter_mut().zip(self.flood(seeds, traversal.along)) {
                *sum = sum.or(found);
            }
        }
        obtained
    }

    /// Returns how much of each capability an object could come to have at a level.
    ///
    /// What it could obtain of paths is summed up once along the tree of places: linear.
    #[must_use]
    pub fn all_obtainable(&self, subject: ObjectId, level: Level) -> Vec<Extent> {
        let mut obtained = vec![Extent::default(); self.model.capabilities.len()];
        for along in Traversal::alongs(level) {
            let mut sum = Sum::default();
            for holder in self.reached_from(subject, *along) {
                for held in self.held(holder).iter().filter(|held| held.counts_at(level)) {
                    sum.add(held);
                }
            }
            let paths = sum.over_paths(self);
            for (index, place) in obtained.iter_mut().enumerate() {
                let asked = self.asked(CapId(index as u32));
                let rights = Traversal::rights_along(*along, asked.kind);
                *place = place.or(sum.extent(&paths, asked).and(rights));
            }
        }
        obtained
    }
}

/// What is held by many, summed up.
#[derive(Default)]
struct Sum {
    by_capability: BTreeMap<CapId, Rights>,
    files: BTreeMap<PlaceId, Rights>,
    directories: BTreeMap<PlaceId, Rights>,
    sockets: BTreeMap<PlaceId, Rights>,
}

/// By place: what is held there or above, what is held inside, and of the first whether it is of a directory.
struct OverPaths {
    above: Vec<Rights>,
    inside: Vec<Rights>,
    in_directory: Vec<Rights>,
}

impl Sum {
    fn add(&mut self, held: &Held) {
        let to = |sum: Option<&mut Rights>| {
            if let Some(sum) = sum {
                *sum = sum.or(held.rights);
            }
        };
        to(held.capability.map(|capability| self.by_capability.entry(capability).or_default()));
        to(held.file().map(|place| self.files.entry(place).or_default()));
        to(held.directory().map(|place| self.directories.entry(place).or_default()));
        if held.kind == Kind::Socket {
            to(held.place.map(|place| self.sockets.entry(place).or_default()));
        }
    }

    fn over_paths(&self, authority: &Authority<'_>) -> OverPaths {
        let places = &authority.places;
        let none = || vec![Rights::NONE; places.count()];
        let (mut above, mut inside, mut in_directory) = (none(), none(), none());
        let at = |table: &[Rights], place: PlaceId| table.get(place.0 as usize).copied().unwrap_or_default();
        let own = |table: &BTreeMap<PlaceId, Rights>, place: PlaceId| {
            table.get(&place).copied().unwrap_or_default()
        };
        for place in places.all() {
            let up = places.parent(place);
            let from = |table: &[Rights]| up.map_or(Rights::NONE, |up| at(table, up));
            let (files, directories) = (
                from(&above).or(own(&self.files, place)),
                from(&in_directory).or(own(&self.directories, place)),
            );
            set(&mut above, place, files);
            set(&mut in_directory, place, directories);
        }
        for place in places.all().rev() {
            if let Some(up) = places.parent(place) {
                let sum = at(&inside, up).or(at(&inside, place)).or(own(&self.files, place));
                set(&mut inside, up, sum);
            }
        }
        OverPaths { above, inside, in_directory }
    }

    fn extent(&self, paths: &OverPaths, asked: Asked) -> Extent {
        let by_name = self.by_capability.get(&asked.capability).copied().unwrap_or_default();
        let mut extent = Extent { whole: by_name, part: Rights::NONE };
        let Some(place) = asked.place else { return extent };
        let at =
            |table: &[Rights]| table.get(place.0 as usize).copied().unwrap_or_default().and(asked.kind.all());
        if is_file(asked.kind) {
            extent = extent.or(Extent { whole: at(&paths.above), part: at(&paths.inside) });
        }
        let reachable = !paths.in_directory.get(place.0 as usize).copied().unwrap_or_default().is_empty();
        if asked.kind == Kind::Socket && (reachable || self.sockets.contains_key(&place)) {
            extent.whole = Kind::Socket.all();
        }
        extent
    }
}

fn set(table: &mut [Rights], place: PlaceId, rights: Rights) {
    if let Some(entry) = table.get_mut(place.0 as usize) {
        *entry = rights;
    }
}

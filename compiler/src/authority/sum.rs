//! What many hold, summed up: all that a subject could come to have, in one pass over what those hold whom it reaches.

use super::effective::{by_name, is_file, of_kind};
use super::extent::{Asked, Extent};
use super::walk::Traversal;
use super::{Authority, Graph, Held, PlaceId};
use crate::model::{CapId, Kind, Level, Model, ObjectId, Rights};
use std::collections::BTreeMap;

impl Authority<'_> {
    /// Returns how much of each capability an object could come to have at a level.
    ///
    /// What it could obtain of paths is summed up once along the tree of places: linear.
    #[must_use]
    pub fn all_obtainable(&self, subject: ObjectId, level: Level) -> Vec<Extent> {
        let mut obtained = vec![Extent::default(); self.model.capabilities.len()];
        for along in Traversal::alongs(level) {
            let all = Sum::of(self, &self.reached_from(subject, *along), level);
            let freely = self.any_consent().then(|| {
                let holders = self.reached_freely_from(subject, *along);
                Sum::of(self, &holders, level)
            });
            for (index, place) in obtained.iter_mut().enumerate() {
                let asked = self.asked(CapId(index as u32));
                let rights = Traversal::rights_along(*along, asked.kind);
                let extent = all.extent(asked).and(rights);
                let free = freely.as_ref().map_or(extent, |sum| sum.extent(asked).and(rights));
                *place = place.or(Extent { free: free.rights(), ..extent });
            }
        }
        obtained
    }
}

/// What is held by many.
#[derive(Default)]
struct Sum {
    by_capability: BTreeMap<CapId, Rights>,
    files: BTreeMap<PlaceId, Rights>,
    directories: BTreeMap<PlaceId, Rights>,
    sockets: BTreeMap<PlaceId, Rights>,
    network: bool,
    /// By place: what is held there or above, by the names of the rights.
    above: Vec<Rights>,
    /// What is held inside.
    inside: Vec<Rights>,
    /// What is held of directories there or above.
    in_directory: Vec<Rights>,
}

impl Sum {
    fn of(authority: &Authority<'_>, holders: &[ObjectId], level: Level) -> Self {
        let mut sum = Self::default();
        for holder in holders {
            for held in authority.held(*holder).iter().filter(|held| held.counts_at(level)) {
                sum.add(held, authority.model);
            }
        }
        sum.over_paths(authority);
        sum
    }

    fn add(&mut self, held: &Held, model: &Model) {
        let to = |sum: Option<&mut Rights>, rights: Rights| {
            if let Some(sum) = sum {
                *sum = sum.or(rights);
            }
        };
        to(held.capability.map(|capability| self.by_capability.entry(capability).or_default()), held.rights);
        let names = by_name(held.kind, held.rights);
        to(held.file().map(|place| self.files.entry(place).or_default()), names);
        to(held.directory().map(|place| self.directories.entry(place).or_default()), names);
        if held.kind == Kind::Socket {
            to(held.place.map(|place| self.sockets.entry(place).or_default()), held.rights);
        }
        self.network |= held.is_network(model);
    }

    fn over_paths(&mut self, authority: &Authority<'_>) {
        let places = &authority.places;
        let none = || vec![Rights::NONE; places.count()];
        let (mut above, mut inside, mut in_directory) = (none(), none(), none());
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
        (self.above, self.inside, self.in_directory) = (above, inside, in_directory);
    }

    fn extent(&self, asked: Asked) -> Extent {
        let by_name = self.by_capability.get(&asked.capability).copied().unwrap_or_default();
        let extent = Extent::of_whole(by_name);
        if self.network && matches!(asked.kind, Kind::Connect | Kind::Network) {
            return Extent::of_whole(asked.kind.all());
        }
        let Some(place) = asked.place else { return extent };
        if is_file(asked.kind) {
            let whole = of_kind(asked.kind, at(&self.above, place));
            let part = of_kind(asked.kind, at(&self.inside, place));
            return extent.or(Extent::of_whole(whole)).or(Extent::of_part(part));
        }
        let reachable = !at(&self.in_directory, place).is_empty();
        if asked.kind == Kind::Socket && (reachable || self.sockets.contains_key(&place)) {
            return Extent::of_whole(Kind::Socket.all());
        }
        extent
    }
}

fn at(table: &[Rights], place: PlaceId) -> Rights {
    table.get(place.0 as usize).copied().unwrap_or_default()
}

fn set(table: &mut [Rights], place: PlaceId, rights: Rights) {
    if let Some(entry) = table.get_mut(place.0 as usize) {
        *entry = rights;
    }
}

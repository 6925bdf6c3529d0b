//! How much of a capability somebody has: by the thing itself, by what contains it, or by parts of it.

use super::effective::{by_name, is_directory, is_file, of_kind};
use super::graph::Graph;
use super::walk::Traversal;
use super::{Authority, Held, PlaceId};
use crate::model::{CapId, Kind, Level, Rights};

/// The rights of a capability that somebody has.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Of all of it.
    pub whole: Rights,
    /// Of parts of it.
    pub part: Rights,
    /// Of either, what nobody has to consent to.
    pub free: Rights,
}

impl Extent {
    /// Returns an extent of all of something, to which nobody has to consent.
    #[must_use]
    pub const fn of_whole(rights: Rights) -> Self {
        Self { whole: rights, part: Rights::NONE, free: rights }
    }
    /// Returns an extent of parts of something, to which nobody has to consent.
    #[must_use]
    pub const fn of_part(rights: Rights) -> Self {
        Self { whole: Rights::NONE, part: rights, free: rights }
    }
    /// Returns the same extent when somebody has to consent.
    #[must_use]
    pub const fn by_consent(self) -> Self {
        Self { whole: self.whole, part: self.part, free: Rights::NONE }
    }
    /// Returns the rights in either, of all of it or of parts.
    #[must_use]
    pub const fn rights(self) -> Rights {
        self.whole.or(self.part)
    }
    /// Returns what is in either extent.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            whole: self.whole.or(other.whole),
            part: self.part.or(other.part),
            free: self.free.or(other.free),
        }
    }
    /// Returns what there is of some rights.
    #[must_use]
    pub const fn and(self, rights: Rights) -> Self {
        Self { whole: self.whole.and(rights), part: self.part.and(rights), free: self.free.and(rights) }
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
    /// The capability.
    pub capability: CapId,
    /// Its kind.
    pub kind: Kind,
    /// Its place, if it has one.
    pub place: Option<PlaceId>,
}

/// Returns how much of what is asked about something held comes to.
pub fn of(graph: &impl Graph, held: &Held, asked: Asked) -> Extent {
    if held.capability == Some(asked.capability) {
        return Extent::of_whole(held.rights);
    }
    match asked.kind {
        // The network contains every `connect`, and is one thing under whatever name.
        Kind::Connect | Kind::Network if is_network(graph, held) => {
            return Extent::of_whole(asked.kind.all());
        }
        Kind::Connect | Kind::Network => return Extent::default(),
        _ => {}
    }
    let (Some(have), Some(want)) = (held.place, asked.place) else { return Extent::default() };
    if asked.kind == Kind::Socket {
        // Any right on a directory is `connect` on the sockets in it.
        let inside = is_directory(held.kind) && !held.rights.is_empty() && graph.contains(have, want);
        let same = held.kind == Kind::Socket && have == want;
        return if inside || same { Extent::of_whole(Kind::Socket.all()) } else { Extent::default() };
    }
    if !is_file(held.kind) || !is_file(asked.kind) {
        return Extent::default();
    }
    let rights = of_kind(asked.kind, by_name(held.kind, held.rights));
    if graph.contains(have, want) {
        Extent::of_whole(rights)
    } else if graph.contains(want, have) {
        Extent::of_part(rights)
    } else {
        Extent::default()
    }
}

/// Returns whether something held reaches the whole network.
fn is_network(graph: &impl Graph, held: &Held) -> bool {
    held.capability.is_some_and(|capability| graph.is_network(capability)) && !held.rights.is_empty()
}

impl Authority<'_> {
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
}

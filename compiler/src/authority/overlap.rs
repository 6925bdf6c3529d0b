//! Meetings over paths: everybody who comes to a place meets everybody at the same path, above it, and in it.
//!
//! `/a/b` is met from above through a node for "`/a/b` and all in it", and from below through one for "`/a/b` and all
//! above it"; the first leads on to what lies inside, the second to the directory above, so nobody turns round
//! on the way and no pair is listed. Only nodes on the way from somebody to somebody are made.

use super::edges::{Carries, EdgeRule, Entering, Meeting, Node, Party, Sink};
use super::places::{PlaceId, Places};
use crate::model::table::{grouped, part};
use crate::source::{FileId, Span};

const NOWHERE: Span = Span { file: FileId(0), start: 0, end: 0 };

/// A meeting of those who come with those who are there.
pub struct Overlap<'a> {
    /// All places.
    pub places: &'a Places,
    /// The rule of its edges.
    pub rule: EdgeRule,
    /// What its nodes are called: `learn`.
    pub word: &'static str,
    /// Along which traversals its edges can lead.
    pub carries: Carries,
    /// Whether those who are there must relay.
    pub entering: Entering,
    /// Which ways a meeting reaches from where somebody comes.
    pub ways: Ways,
}

/// Which ways a meeting reaches.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Ways {
    /// The same path, above and inside.
    Both,
    /// The same path and inside.
    Inside,
    /// The same path and above.
    Above,
}

/// Somebody at a place.
pub type At = (PlaceId, Party);

/// Parties by place.
pub struct ByPlace {
    parties: Vec<Party>,
    /// For each place where its parties begin; one more at the end.
    starts: Vec<u32>,
}

impl ByPlace {
    /// Sorts parties by place; those at one place stay in their order.
    #[must_use]
    pub fn new(places: &Places, all: &[At]) -> Self {
        let (order, starts) = grouped(places.count(), all.iter().map(|(place, _)| place.0 as usize));
        let parties = order.iter().filter_map(|at| all.get(*at as usize)).map(|(_, party)| *party).collect();
        Self { parties, starts }
    }

    fn at(&self, place: PlaceId) -> &[Party] {
        part(&self.parties, &self.starts, place.0 as usize)
    }

    fn is_anybody_at(&self, place: PlaceId) -> bool {
        !self.at(place).is_empty()
    }
}

impl Overlap<'_> {
    /// Adds the nodes and edges of the meeting.
    pub fn add(&self, sink: &mut Sink<'_>, come: &ByPlace, there: &ByPlace) {
        if come.parties.is_empty() || there.parties.is_empty() {
            return;
        }
        if self.ways != Ways::Above {
            self.inside(sink, come, there);
        }
        if self.ways != Ways::Inside {
            self.above(sink, come, there);
        }
    }

    /// From each place where somebody comes to all that lies in it.
    fn inside(&self, sink: &mut Sink<'_>, come: &ByPlace, there: &ByPlace) {
        let count = self.places.count();
        // Whether somebody is at a place or in it.
        let mut worth = vec![false; count];
        for place in self.places.all().rev() {
            let at = place.0 as usize;
            let here = there.is_anybody_at(place) || worth.get(at) == Some(&true);
            if here {
                set(&mut worth, at, true);
                if let Some(above) = self.places.parent(place) {
                    set(&mut worth, above.0 as usize, true);
                }
            }
        }
        let mut nodes: Vec<Option<Node>> = vec![None; count];
        for place in self.places.all().filter(|place| worth.get(place.0 as usize) == Some(&true)) {
            let above =
                self.places.parent(place).and_then(|above| nodes.get(above.0 as usize).copied().flatten());
            let come = come.at(place);
            if above.is_none() && come.is_empty() {
                continue;
            }
            let (node, span) = self.node(sink, place, "", come, there.at(place));
            set(&mut nodes, place.0 as usize, Some(node));
            if let Some(above) = above {
                sink.push(above, node, self.rule, self.carries, span);
            }
        }
    }

    /// From each place where somebody comes to the directories above it.
    fn above(&self, sink: &mut Sink<'_>, come: &ByPlace, there: &ByPlace) {
        let count = self.places.count();
        // Whether somebody comes to a place or into it: nobody else needs the way up from it.
        let mut needed = vec![false; count];
        for place in self.places.all().rev() {
            let at = place.0 as usize;
            if let Some(above) = self.places.parent(place)
                && (come.is_anybody_at(place) || needed.get(at) == Some(&true))
            {
                set(&mut needed, above.0 as usize, true);
            }
        }
        let mut nodes: Vec<Option<Node>> = vec![None; count];
        // The way up from a place: its own node, or that of the nearest directory above where somebody is.
        for place in self.places.all() {
            let at = place.0 as usize;
            let up =
                self.places.parent(place).and_then(|above| nodes.get(above.0 as usize).copied().flatten());
            if let Some(up) = up {
                for party in come.at(place) {
                    sink.push(party.who.into(), up, self.rule, self.carries.and(party.carries), party.span);
                }
            }
            let mut own = up;
            if needed.get(at) == Some(&true) && there.is_anybody_at(place) {
                let (node, span) = self.node(sink, place, "above-", &[], there.at(place));
                if let Some(up) = up {
                    sink.push(node, up, self.rule, self.carries, span);
                }
                own = Some(node);
            }
            set(&mut nodes, at, own);
        }
        // A way that goes only up has no other node for those at the very path.
        if self.ways == Ways::Above {
            for place in self.places.all() {
                if come.is_anybody_at(place) && there.is_anybody_at(place) {
                    self.node(sink, place, "at-", come.at(place), there.at(place));
                }
            }
        }
    }

    /// Makes a node with the edges of those who come to it and to those who are there.
    fn node(
        &self,
        sink: &mut Sink<'_>,
        place: PlaceId,
        way: &str,
        come: &[Party],
        there: &[Party],
    ) -> (Node, Span) {
        // On the way to a place inside there may be nobody: then it is where the first who came above came from.
        let span = come.iter().chain(there).map(|party| party.span).min();
        let span = span.or_else(|| sink.meetings.last().map(|meeting| meeting.span)).unwrap_or(NOWHERE);
        let path = self.places.shared_path(place);
        let name = [way, self.word, ":", path].concat();
        let meeting = Meeting { name, kind: "place", span, subject: path.clone(), place: Some(place) };
        let node = sink.meeting(meeting);
        for party in come {
            sink.push(party.who.into(), node, self.rule, self.carries.and(party.carries), party.span);
        }
        for party in there {
            let carries = self.carries.and(party.carries);
            match self.entering {
                Entering::Forced => sink.push(node, party.who.into(), self.rule, carries, party.span),
                Entering::Relaying => sink.relayed(node, party.who, self.rule, carries, party.span),
            }
        }
        (node, span)
    }
}

fn set<T>(table: &mut [T], at: usize, value: T) {
    if let Some(place) = table.get_mut(at) {
        *place = value;
    }
}

//! Meetings over paths: everybody who comes to a place meets everybody at the same path, above it, and in it.
//!
//! `/a/b` is met from above through a node for "`/a/b` and all in it", and from below through one for "`/a/b` and all
//! above it"; the first leads on to what lies inside, the second to the directory above, so nobody turns round
//! on the way and no pair is listed. Only nodes on the way from somebody to somebody are made.

use super::edges::{Carries, EdgeRule, Entering, Meeting, Node, Party, Sink};
use super::places::{PlaceId, Places};
use crate::source::{FileId, Span};
use std::collections::BTreeMap;

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

/// Parties by place.
pub type ByPlace = BTreeMap<PlaceId, Vec<Party>>;

impl Overlap<'_> {
    /// Adds the nodes and edges of the meeting.
    pub fn add(&self, sink: &mut Sink<'_>, come: &ByPlace, there: &ByPlace) {
        if come.is_empty() || there.is_empty() {
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
            let here = there.contains_key(&place) || worth.get(at) == Some(&true);
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
            let come = come.get(&place).map_or(&[][..], Vec::as_slice);
            if above.is_none() && come.is_empty() {
                continue;
            }
            let (node, span) = self.node(sink, place, "", come, there.get(&place));
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
                && (come.contains_key(&place) || needed.get(at) == Some(&true))
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
            if let (Some(up), Some(come)) = (up, come.get(&place)) {
                for party in come {
                    sink.push(party.who.into(), up, self.rule, self.carries.and(party.carries), party.span);
                }
            }
            let mut own = up;
            if needed.get(at) == Some(&true)
                && let Some(there) = there.get(&place)
            {
                let (node, span) = self.node(sink, place, "above-", &[], Some(there));
                if let Some(up) = up {
                    sink.push(node, up, self.rule, self.carries, span);
                }
                own = Some(node);
            }
            set(&mut nodes, at, own);
        }
        // A way that goes only up has no other node for those at the very path.
        if self.ways == Ways::Above {
            for (place, come) in come {
                if let Some(there) = there.get(place) {
                    self.node(sink, *place, "at-", come, Some(there));
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
        there: Option<&Vec<Party>>,
    ) -> (Node, Span) {
        let there = there.map_or(&[][..], Vec::as_slice);
        // On the way to a place inside there may be nobody: then it is where the first who came above came from.
        let span = come.iter().chain(there).map(|party| party.span).min();
        let span = span.or_else(|| sink.meetings.last().map(|meeting| meeting.span)).unwrap_or(NOWHERE);
        let path = self.places.path(place);
        let name = format!("{way}{}:{path}", self.word);
        let node = sink.meeting(Meeting { name, kind: "place", span, subject: path.to_owned() });
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

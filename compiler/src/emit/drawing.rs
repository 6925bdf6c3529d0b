//! Draws the selected part of the graph as a picture.
//!
//! What the graph keeps apart is drawn as one where that says the same: both ways of a facet are one line with two ends, and
//! a meeting of few is drawn as lines from one to the other that say where they meet.

use super::graph::kind_word;
use super::picture::{Box, End, Group, Line, Picture, Sort, Style};
use super::selection::Selection;
use crate::authority::{Authority, EdgeRule, Node};
use crate::model::{Kind, ObjectId, ObjectKind, RECONFIGURE, Target, Transport, path_contains};
use std::collections::{BTreeMap, BTreeSet};

/// How many places stand at one line.
const MOST_PLACES: usize = 3;

/// Draws what is selected.
#[must_use]
pub fn picture(authority: &Authority<'_>, selection: &Selection) -> Picture {
    let mut drawer = Drawer { authority, selection, lines: BTreeMap::new(), hubs: Vec::new() };
    drawer.holdings();
    drawer.edges();
    drawer.meetings();
    drawer.finish()
}

/// A box before it has its number.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    Object(ObjectId),
    Hub(usize),
}

/// Who can obtain from whom, and where they meet.
type Pairs = BTreeMap<(ObjectId, ObjectId), String>;

/// What is known of a line so far: its labels and ends.
#[derive(Debug)]
struct Draft {
    labels: BTreeSet<String>,
    tail: End,
    head: End,
}

struct Drawer<'s, 'a> {
    authority: &'s Authority<'a>,
    selection: &'s Selection,
    lines: BTreeMap<(Spot, Spot, Style), Draft>,
    /// What people meet over.
    hubs: Vec<String>,
}

impl Drawer<'_, '_> {
    fn line(&mut self, from: Spot, to: Spot, style: Style) -> &mut Draft {
        let draft = || Draft { labels: BTreeSet::new(), tail: End::Plain, head: End::Plain };
        self.lines.entry((from, to, style)).or_insert_with(draft)
    }

    fn is_trusted(&self, object: ObjectId) -> bool {
        self.authority.model.is_trusted(object, crate::model::SYSTEM)
    }

    /// A line for everything that a subject holds: to the resource, or to the maker of the facet.
    fn holdings(&mut self) {
        let model = self.authority.model;
        for holding in self.authority.holdings.all() {
            let (holder, known) = (holding.holder, model.capability(holding.capability));
            let is_own = model.facet_owner(holding.capability) == Some(holder);
            if !model.object(holder).is_subject()
                || is_own
                || !self.selection.has_holding(self.authority, holder, known.target)
            {
                continue;
            }
            match known.target {
                Target::Resource(resource) => {
                    let mut label = rights(known.kind, holding.rights);
                    if let Some(part) = &known.part {
                        label = format!("{label} {part}");
                    }
                    let line = self.line(Spot::Object(holder), Spot::Object(resource), Style::Holds);
                    line.labels.insert(label);
                    line.head = End::Arrow;
                }
                Target::Facet(id) => {
                    let facet = model.facet(id);
                    let (from, to) = (Spot::Object(holder), Spot::Object(facet.owner));
                    let name = facet.name.to_string();
                    match known.kind {
                        Kind::Control if holding.rights.contains(Kind::REPLACE) => {
                            self.line(from, to, Style::Control).labels.insert(name);
                        }
                        Kind::Control => {
                            let words = rights(known.kind, holding.rights);
                            self.line(from, to, Style::Holds).labels.insert(format!("{name}: {words}"));
                        }
                        _ if matches!(facet.transport, Transport::Done) => {
                            self.line(from, to, Style::Holds).labels.insert(name);
                        }
                        _ => {
                            let head = if self.is_trusted(facet.owner) { End::Bar } else { End::Plain };
                            let line = self.line(from, to, Style::Facet);
                            line.labels.insert(name);
                            line.head = line.head.max(head);
                        }
                    }
                }
            }
        }
    }

    /// A line for every edge from object to object.
    fn edges(&mut self) {
        for edge in self.authority.edges.iter().filter(|edge| edge.from != Node::from(RECONFIGURE)) {
            let (Some(from), Some(to)) = (self.authority.object(edge.from), self.authority.object(edge.to))
            else {
                continue;
            };
            if !self.selection.has_edge(edge) {
                continue;
            }
            let (from, to) = (Spot::Object(from), Spot::Object(to));
            match edge.rule {
                EdgeRule::Use => self.line(from, to, Style::Facet).head = End::Arrow,
                EdgeRule::Pass => self.line(to, from, Style::Facet).tail = End::Arrow,
                EdgeRule::Control if edge.relayed => {
                    let line = self.line(to, from, Style::Control);
                    line.tail = line.tail.max(End::Back);
                }
                EdgeRule::Control => self.line(from, to, Style::Control).head = End::Arrow,
                EdgeRule::Share => self.line(from, to, Style::Share).head = End::Arrow,
                EdgeRule::Meet => self.line(from, to, Style::Meet).head = End::Arrow,
            }
        }
    }

    /// Meetings, each with those that lead on to it or from it: lines between the parties where that is no more lines than
    /// a box for the meeting would need, and else the box.
    fn meetings(&mut self) {
        for component in self.components() {
            let Some(first) = component.first().copied() else { continue };
            let (style, is_back) = self.style(first);
            let inside: BTreeSet<Node> = component.iter().copied().collect();
            let mut come: BTreeSet<ObjectId> = BTreeSet::new();
            let mut there: BTreeSet<ObjectId> = BTreeSet::new();
            for node in &component {
                let into = self.authority.edges_into(*node).filter(|edge| self.selection.has_edge(edge));
                come.extend(into.filter_map(|edge| self.authority.object(edge.from)));
                let out =
                    self.authority.edges_from(*node).iter().filter(|edge| self.selection.has_edge(edge));
                there.extend(out.filter_map(|edge| self.authority.object(edge.to)));
            }
            come.remove(&RECONFIGURE);
            if there.contains(&RECONFIGURE) {
                // Which controls everybody else.
                there = BTreeSet::from([RECONFIGURE]);
            }
            let pairs = self.pairs(&inside, &come, &there);
            if pairs.len() <= (come.len() + there.len()).max(3) {
                for ((from, to), subject) in pairs {
                    self.met(Spot::Object(from), Spot::Object(to), style, is_back, &subject);
                }
                continue;
            }
            let hub = Spot::Hub(self.hubs.len());
            let subjects = component.iter().filter_map(|node| self.authority.meeting(*node));
            let outermost = subjects.map(|meeting| &*meeting.subject).min_by_key(|name| (name.len(), *name));
            self.hubs.push(outermost.unwrap_or("").to_owned());
            for from in come.iter().filter(|from| pairs.keys().any(|(known, _)| known == *from)) {
                self.met(Spot::Object(*from), hub, style, false, "");
            }
            for to in there.iter().filter(|to| pairs.keys().any(|(_, known)| known == *to)) {
                self.met(hub, Spot::Object(*to), style, false, "");
            }
        }
    }

    /// Draws one way of a meeting; one that exists only as somebody relays is the tail of the other way.
    fn met(&mut self, from: Spot, to: Spot, style: Style, is_back: bool, label: &str) {
        let turned = is_back || (self.lines.contains_key(&(to, from, style)) && style != Style::Control);
        let line = match turned {
            true => self.line(to, from, style),
            false => self.line(from, to, style),
        };
        match turned {
            true if style == Style::Control => line.tail = line.tail.max(End::Back),
            true => line.tail = End::Arrow,
            false => line.head = End::Arrow,
        }
        if !label.is_empty() {
            line.labels.insert(label.to_owned());
        }
    }

    /// Returns the meetings that lead to each other, of the selection, by name.
    fn components(&self) -> Vec<Vec<Node>> {
        let objects = self.authority.model.objects.len() as u32;
        let mut done: BTreeSet<Node> = BTreeSet::new();
        let mut components = Vec::new();
        let mut all: Vec<Node> = (objects..self.authority.nodes() as u32)
            .map(Node)
            .filter(|node| self.selection.has(*node))
            .collect();
        all.sort_by(|a, b| self.authority.name(*a).cmp(self.authority.name(*b)));
        for begin in all {
            if !done.insert(begin) {
                continue;
            }
            let mut component = vec![begin];
            let mut at = 0;
            while let Some(node) = component.get(at).copied() {
                at += 1;
                let out = self.authority.edges_from(node).iter().map(|edge| edge.to);
                let near: Vec<Node> =
                    out.chain(self.authority.edges_into(node).map(|edge| edge.from)).collect();
                for next in near {
                    if self.authority.object(next).is_none() && self.selection.has(next) && done.insert(next)
                    {
                        component.push(next);
                    }
                }
            }
            component.sort_by(|a, b| self.authority.name(*a).cmp(self.authority.name(*b)));
            components.push(component);
        }
        components
    }

    /// Returns who can obtain from whom by way of some meetings alone, and where.
    fn pairs(&self, inside: &BTreeSet<Node>, come: &BTreeSet<ObjectId>, there: &BTreeSet<ObjectId>) -> Pairs {
        let mut pairs = Pairs::new();
        for from in come {
            let mut seen: BTreeSet<Node> = BTreeSet::new();
            let mut work = vec![(Node::from(*from), None)];
            while let Some((node, first)) = work.pop() {
                for edge in
                    self.authority.edges_from(node).iter().filter(|edge| self.selection.has_edge(edge))
                {
                    match self.authority.object(edge.to) {
                        Some(to) if first.is_some() && to != *from && there.contains(&to) => {
                            pairs.entry((*from, to)).or_insert_with(|| self.subject(first, node));
                        }
                        None if inside.contains(&edge.to) && seen.insert(edge.to) => {
                            work.push((edge.to, first.or(Some(edge.to))));
                        }
                        _ => {}
                    }
                }
            }
        }
        pairs
    }

    /// Returns what two meet over, of whom each comes to a meeting: of a path and what lies in it, that.
    fn subject(&self, first: Option<Node>, last: Node) -> String {
        let subject = |node| self.authority.meeting(node).map_or("", |meeting| &*meeting.subject);
        let (first, last) = (first.map_or("", subject), subject(last));
        if first.len() > last.len() { first.to_owned() } else { last.to_owned() }
    }

    /// Returns how the lines of a meeting look, and whether they are the way back of others.
    fn style(&self, meeting: Node) -> (Style, bool) {
        let edges = self.authority.edges_from(meeting).iter();
        let rule = edges.chain(self.authority.edges_into(meeting)).map(|edge| edge.rule).next();
        let name = self.authority.name(meeting);
        match rule {
            Some(EdgeRule::Use) | None => (Style::Facet, false),
            Some(EdgeRule::Pass) => (Style::Facet, true),
            Some(EdgeRule::Share) => (Style::Share, name.contains("effect:")),
            Some(EdgeRule::Meet) => (Style::Meet, name.contains("met:")),
            Some(EdgeRule::Control) => (Style::Control, name.contains("controlled")),
        }
    }

    /// Makes one line of two that mean the same and lead to and fro.
    fn fold(&mut self) {
        let both = |(from, to, style): &(Spot, Spot, Style)| from < to && *style != Style::Holds;
        let keys: Vec<(Spot, Spot, Style)> = self.lines.keys().copied().filter(both).collect();
        for (from, to, style) in keys {
            // Facets that two have of each other are theirs, and stay apart.
            if style == Style::Facet {
                continue;
            }
            if let Some(back) = self.lines.remove(&(to, from, style)) {
                let line = self.line(from, to, style);
                line.labels.extend(back.labels);
                line.head = line.head.max(back.tail);
                line.tail = line.tail.max(back.head);
            }
        }
    }

    fn finish(mut self) -> Picture {
        self.fold();
        let authority = self.authority;
        let model = authority.model;
        let mut used: BTreeSet<Spot> = BTreeSet::new();
        for (from, to, _) in self.lines.keys() {
            used.extend([*from, *to]);
        }
        let mut picture = Picture::default();
        let mut groups: BTreeMap<ObjectId, usize> = BTreeMap::new();
        let mut scopes: Vec<ObjectId> = model
            .objects()
            .filter(|(_, object)| matches!(object.kind, ObjectKind::Scope(_)))
            .map(|(id, _)| id)
            .collect();
        // A scope's name begins with that of the scope that it lies in.
        scopes.sort_by(|a, b| {
            model.object(*a).name.trim_start_matches('/').cmp(model.object(*b).name.trim_start_matches('/'))
        });
        for id in scopes {
            let ObjectKind::Scope(scope) = &model.object(id).kind else { continue };
            let parent = scope.parent.and_then(|parent| groups.get(&parent).copied());
            let name = model.object(id).name.trim_end_matches('/');
            let title = if name.is_empty() { model.name.to_string() } else { name.to_owned() };
            groups.insert(id, picture.groups.len());
            picture.groups.push(Group { title, parent });
        }
        let mut spots: Vec<Spot> = model
            .objects()
            .filter(|(id, object)| {
                let hidden = matches!(object.kind, ObjectKind::Scope(_));
                let needs_line = matches!(object.kind, ObjectKind::Reconfigure | ObjectKind::Outside);
                let is_drawn = used.contains(&Spot::Object(*id));
                !hidden && self.selection.has((*id).into()) && (is_drawn || !needs_line)
            })
            .map(|(id, _)| Spot::Object(id))
            .collect();
        spots.sort_by(|a, b| self.name(*a).cmp(self.name(*b)));
        spots.extend((0..self.hubs.len()).map(Spot::Hub));
        let mut numbers: BTreeMap<Spot, usize> = BTreeMap::new();
        for spot in spots {
            numbers.insert(spot, picture.boxes.len());
            picture.boxes.push(self.drawn(spot, &groups));
        }
        for ((from, to, style), draft) in &self.lines {
            if let (Some(from), Some(to)) = (numbers.get(from), numbers.get(to)) {
                let label = places(&draft.labels);
                let (from, to, style) = (*from, *to, *style);
                picture.lines.push(Line { from, to, style, label, tail: draft.tail, head: draft.head });
            }
        }
        picture.lines.sort();
        picture
    }

    fn name(&self, spot: Spot) -> &str {
        match spot {
            Spot::Object(id) => &self.authority.model.object(id).name,
            Spot::Hub(hub) => self.hubs.get(hub).map_or("", String::as_str),
        }
    }

    fn drawn(&self, spot: Spot, groups: &BTreeMap<ObjectId, usize>) -> Box {
        let Spot::Object(id) = spot else {
            return Box { label: vec![self.name(spot).to_owned()], sort: Sort::Meeting, group: None };
        };
        let object = self.authority.model.object(id);
        let sort = match object.kind {
            ObjectKind::Outside => Sort::Outside,
            ObjectKind::Reconfigure => Sort::Root,
            _ if object.is_subject() && self.is_trusted(id) => Sort::Trusted,
            _ if object.is_subject() => Sort::Subject,
            _ => Sort::Resource,
        };
        let own = object.name.rsplit('/').next().unwrap_or(&object.name).to_owned();
        let word = kind_word(&object.kind);
        let label = match object.kind {
            ObjectKind::Service(_) | ObjectKind::Outside | ObjectKind::Reconfigure => vec![own],
            _ => vec![own, word.to_owned()],
        };
        let group = match sort {
            Sort::Outside | Sort::Root => None,
            _ => groups.get(&object.scope).copied(),
        };
        Box { label, sort, group }
    }
}

/// Returns rights as they stand at a line, the change of files in one word as in the language.
fn rights(kind: Kind, rights: crate::model::Rights) -> String {
    let write = kind.right("write").filter(|write| kind != Kind::Device && rights.contains(*write));
    let rest = rights.without(write.unwrap_or_default());
    let mut words: Vec<&str> = kind.words(rest).collect();
    if write.is_some() {
        words.push("write");
    }
    words.join(" ")
}

fn places(labels: &BTreeSet<String>) -> String {
    // Of a path and what lies in it, the second says more.
    let is_above = |label: &str| {
        label.starts_with('/') && labels.iter().any(|other| other != label && path_contains(label, other))
    };
    let labels: Vec<&String> = labels.iter().filter(|label| !is_above(label)).collect();
    let shown: Vec<&str> = labels.iter().take(MOST_PLACES).map(|label| label.as_str()).collect();
    match labels.len().checked_sub(MOST_PLACES).filter(|hidden| *hidden > 0) {
        Some(hidden) => format!("{}, +{hidden}", shown.join(", ")),
        None => shown.join(", "),
    }
}

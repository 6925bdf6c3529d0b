//! An index as an authority graph: what a way is looked for in, read where it lies and only as far as the search goes.
//!
//! A number that points nowhere is nothing here: the way ends there. That it is what was sealed is for its digest to say.

use super::codes::{self, Coded, flag};
use super::open::Index;
use super::table::Table;
use crate::authority::{Asked, Carries, Edge, EdgeRule, Graph, Held, Node, PlaceId, Through};
use crate::model::{CapId, Derivation, FacetId, Kind, ObjectId, Premise, Rights, Rule, Statement, When};
use crate::source::{FileId, SourceMap, Span};
use std::ops::Range;

const NOWHERE: Span = Span { file: FileId(0), start: 0, end: 0 };

impl<'i> Index<'i> {
    /// Returns a subject by its name.
    #[must_use]
    pub fn subject(&self, name: &str) -> Option<ObjectId> {
        let name = self.number_of(name)?;
        let mut all = (0..self.tables.objects.len()).map(ObjectId);
        all.find(|id| self.tables.objects.get(id.0, 1) == Some(name) && self.is_subject(*id))
    }

    /// Returns a capability by a name of a scope, or by its own.
    #[must_use]
    pub fn capability(&self, name: &str) -> Option<CapId> {
        let name = self.number_of(name)?;
        let names = &self.tables.names;
        let at = partition(names.len(), |at| names.get(at, 0).is_some_and(|known| known < name));
        if let Some([found, capability]) = names.row(at)
            && found == name
        {
            return Some(CapId(capability));
        }
        let mut all = 0..self.tables.capabilities.len();
        all.find(|at| self.tables.capabilities.get(*at, 0) == Some(name)).map(CapId)
    }

    /// Returns the files, with their names and lines.
    #[must_use]
    pub fn sources(&self) -> SourceMap {
        let tables = &self.tables;
        let mut sources = SourceMap::default();
        for (at, [name, path, length, ..]) in (0..).zip(tables.files.all()) {
            let lines = self.range(&tables.files, 3, at);
            let lines = lines.filter_map(|row| tables.lines.get(row, 0)).collect();
            sources.add_lines(self.said(name).to_owned(), self.said(path).into(), lines, length);
        }
        sources
    }

    /// Returns the number of a text.
    fn number_of(&self, text: &str) -> Option<u32> {
        let at = partition(self.tables.texts.len(), |at| self.text(at).is_some_and(|known| known < text));
        (self.text(at) == Some(text)).then_some(at)
    }

    fn said(&self, number: u32) -> &'i str {
        self.text(number).unwrap_or("")
    }

    fn range<const N: usize>(&self, ends: &Table<'_, N>, column: usize, of: u32) -> Range<u32> {
        Table::<N>::range(ends, column, of).unwrap_or(0..0)
    }

    fn place_in_source(&self, number: u32) -> Span {
        let files = &self.tables.files;
        let file = partition(files.len(), |at| files.get(at, 4).is_some_and(|end| end <= number));
        match self.tables.spans.row(number) {
            Some([start, length]) => Span { file: FileId(file), start, end: start.saturating_add(length) },
            None => NOWHERE,
        }
    }

    fn kind(&self, capability: u32) -> Kind {
        let code = self.tables.capabilities.get(capability, 3);
        code.and_then(Kind::coded).unwrap_or(Kind::Caller)
    }

    fn place_of(&self, capability: u32) -> Option<PlaceId> {
        self.tables.capabilities.get(capability, 5)?.checked_sub(1).map(PlaceId)
    }

    /// Returns the row of what somebody holds.
    fn holding(&self, holder: ObjectId, capability: CapId) -> Option<u32> {
        let range = self.range(&self.tables.objects, 7, holder.0);
        let is_before = |at: u32| self.tables.holdings.get(at, 0).is_some_and(|known| known < capability.0);
        let at =
            range.start + partition(range.end.saturating_sub(range.start), |at| is_before(range.start + at));
        let found = at < range.end && self.tables.holdings.get(at, 0) == Some(capability.0);
        found.then_some(at)
    }

    /// Returns who holds what, by the row of the holding.
    fn held_at(&self, row: u32) -> Option<(ObjectId, CapId)> {
        let objects = &self.tables.objects;
        let holder = partition(objects.len(), |at| objects.get(at, 7).is_some_and(|end| end <= row));
        Some((ObjectId(holder), CapId(self.tables.holdings.get(row, 0)?)))
    }

    /// Returns the rule instance that settles the least right of a holding.
    fn settled(&self, holding: u32) -> Option<u32> {
        match self.tables.holdings.row(holding)? {
            [_, _, 1, derivation] => Some(derivation),
            [_, _, _, begin] => self.tables.provenance.get(begin, 0),
        }
    }

    /// Returns the rule instance that settles some right of a holding.
    fn settling(&self, holding: u32, right: Rights) -> Option<u32> {
        match self.tables.holdings.row(holding)? {
            [_, _, 1, derivation] => Some(derivation),
            [_, held, _, begin] => {
                let before = held & u32::from(right.0).saturating_sub(1);
                self.tables.provenance.get(begin.checked_add(before.count_ones())?, 0)
            }
        }
    }

    fn step_at(&self, row: u32) -> Option<Derivation> {
        let [flags, rights, from, to, introduces, span] = self.tables.derivations.row(row)?;
        let (holder, capability) = self.held_at(to)?;
        let from = from.checked_sub(1).and_then(|from| self.held_at(from));
        let span = self.place_in_source(span);
        Some(Derivation {
            rule: Rule::coded(flags & 3)?,
            from: from.map(|(holder, capability)| Premise { holder, capability }),
            introduces: introduces.checked_sub(1).map(ObjectId),
            holder,
            capability,
            rights: Rights(rights as u8),
            exact: flags & flag::EXACT != 0,
            when: if flags & flag::LATE != 0 { When::Use } else { When::Start },
            statement: Statement::coded(flags >> 2 & 7)?,
            span,
            capability_span: span,
            rights_span: span,
            receiver_span: span,
        })
    }

    fn edge_at(&self, from: Node, row: u32) -> Option<Edge> {
        let [to, flags, span] = self.tables.edges.row(row)?;
        Some(Edge {
            from,
            to: Node(to),
            rule: EdgeRule::coded(flags & 7)?,
            carries: Carries::coded(flags >> 3 & 7)?,
            relayed: flags & flag::RELAYED != 0,
            consent: flags & flag::CONSENT != 0,
            span: self.place_in_source(span),
        })
    }
}

/// Returns the first row for which something is not so any more, as a binary search finds it.
fn partition(rows: u32, is_before: impl Fn(u32) -> bool) -> u32 {
    let (mut from, mut to) = (0, rows);
    while from < to {
        let middle = from + (to - from) / 2;
        if is_before(middle) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}

impl Graph for Index<'_> {
    fn objects(&self) -> u32 {
        self.tables.objects.len()
    }

    fn node_count(&self) -> usize {
        self.tables.nodes.len() as usize
    }

    fn is_subject(&self, object: ObjectId) -> bool {
        let kind = self.tables.objects.get(object.0, 0);
        matches!(kind, Some(codes::OUTSIDE | codes::SERVICE | codes::PROGRAM | codes::USER | codes::POWERBOX))
    }

    fn edge(&self, number: u32) -> Option<Edge> {
        let nodes = &self.tables.nodes;
        let from = partition(nodes.len(), |at| nodes.get(at, 0).is_some_and(|end| end <= number));
        self.edge_at(Node(from), number)
    }

    fn numbered_edges(&self, node: Node) -> impl Iterator<Item = (u32, Edge)> + '_ {
        let range = self.range(&self.tables.nodes, 0, node.0);
        range.filter_map(move |row| Some((row, self.edge_at(node, row)?)))
    }

    fn counted(&self, holder: ObjectId) -> impl Iterator<Item = Held> + '_ {
        let tables = &self.tables;
        let holdings = self.range(&tables.objects, 7, holder.0).filter_map(move |row| {
            let [capability, rights, ..] = tables.holdings.row(row)?;
            let last = self.settled(row).and_then(|settled| tables.derivations.get(settled, 5));
            Some(Held {
                capability: Some(CapId(capability)),
                place: self.place_of(capability),
                kind: self.kind(capability),
                rights: Rights(rights as u8),
                through: Through::Holding,
                span: last.map_or(NOWHERE, |span| self.place_in_source(span)),
            })
        });
        let besides = self.range(&tables.objects, 8, holder.0).filter_map(move |row| {
            let [capability, place, rights, facet, span] = tables.counted.row(row)?;
            let capability = capability.checked_sub(1);
            Some(Held {
                capability: capability.map(CapId),
                place: place.checked_sub(1).map(PlaceId),
                kind: capability.map_or(Kind::Dir, |capability| self.kind(capability)),
                rights: Rights(rights as u8),
                through: facet.checked_sub(1).map_or(Through::Own, |facet| Through::Exposed(FacetId(facet))),
                span: self.place_in_source(span),
            })
        });
        holdings.chain(besides)
    }

    fn asked(&self, capability: CapId) -> Asked {
        Asked { capability, kind: self.kind(capability.0), place: self.place_of(capability.0) }
    }

    fn is_network(&self, capability: CapId) -> bool {
        match self.kind(capability.0) {
            Kind::Network => true,
            Kind::Listen => self.sends_anywhere(capability).unwrap_or(false),
            _ => false,
        }
    }

    fn contains(&self, outer: PlaceId, inner: PlaceId) -> bool {
        outer <= inner && self.tables.places.get(outer.0, 2).is_some_and(|end| inner.0 < end)
    }

    fn name_of(&self, object: ObjectId) -> &str {
        self.tables.objects.get(object.0, 1).map_or("", |name| self.said(name))
    }

    fn capability_name(&self, capability: CapId) -> &str {
        self.tables.capabilities.get(capability.0, 0).map_or("", |name| self.said(name))
    }

    fn path_of(&self, place: PlaceId) -> &str {
        self.tables.places.get(place.0, 0).map_or("", |path| self.said(path))
    }

    fn facet_name(&self, facet: FacetId) -> (ObjectId, &str) {
        let row = self.tables.facets.row(facet.0);
        row.map_or((ObjectId(0), ""), |[owner, name, ..]| (ObjectId(owner), self.said(name)))
    }

    fn met_over(&self, node: Node) -> Option<&str> {
        let meeting = node.0.checked_sub(self.objects())?;
        self.tables.meetings.get(meeting, 1).map(|subject| self.said(subject))
    }

    fn root_words(&self, subject: ObjectId) -> Option<String> {
        let roots = &self.tables.roots;
        let at = partition(roots.len(), |at| roots.get(at, 0).is_some_and(|known| known < subject.0));
        let [found, words] = roots.row(at)?;
        (found == subject.0).then(|| self.said(words).to_owned())
    }

    fn holds(&self, holder: ObjectId, capability: CapId) -> bool {
        self.holding(holder, capability).is_some()
    }

    fn derivation(&self, holder: ObjectId, capability: CapId) -> Vec<Derivation> {
        let mut steps = Vec::new();
        let mut at = self.holding(holder, capability);
        let rights = at.and_then(|at| self.tables.holdings.get(at, 1)).unwrap_or(0);
        let Some(right) = Rights(rights as u8).each().next() else { return steps };
        while let Some(holding) = at.filter(|_| steps.len() < self.tables.holdings.len() as usize) {
            let Some(row) = self.settling(holding, right) else { break };
            let Some(step) = self.step_at(row) else { break };
            at = step.from.and_then(|from| self.holding(from.holder, from.capability));
            steps.push(step);
        }
        steps.reverse();
        steps
    }

    fn rule(&self, holder: ObjectId, capability: CapId) -> Option<Rule> {
        let settled = self.settled(self.holding(holder, capability)?)?;
        Rule::coded(self.tables.derivations.get(settled, 0)? & 3)
    }
}

impl Index<'_> {
    /// Returns whether a `listen` is over UDP, which also sends anywhere.
    fn sends_anywhere(&self, capability: CapId) -> Option<bool> {
        let target = self.tables.capabilities.get(capability.0, 1)?;
        if target & 1 != 0 {
            return None;
        }
        let begin = self.tables.objects.get(target >> 1, 6)?;
        let word = |at: u32| self.tables.words.get(begin.checked_add(at)?, 0);
        let is_ip = word(0)? == codes::resource::LISTEN && word(1)? == codes::address::IP;
        Some(is_ip && word(2)? == crate::model::Protocol::Udp.code())
    }
}

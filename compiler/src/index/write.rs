//! From what was compiled to an index: everything that questions ask, and nothing of what only checks and launchers do.

use super::codes::{self, Coded, MEETINGS, flag};
use super::layout::{Builders, FORMAT};
use super::numbers::Numbers;
use crate::authority::{Authority, Edge, EdgeRule, Graph, Node, Through};
use crate::model::{
    Address, CapId, Exposure, Facet, Model, Object, ObjectId, ObjectKind, PathUse, RECONFIGURE, Resource,
    Service, Target, Transport,
};
use crate::model::{Never, Only};
use crate::resolve::Names;
use crate::source::{SourceMap, Span};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Returns the index of a configuration as the system's own assertions see it.
///
/// `files` says under which name each file goes in answers.
#[must_use]
pub fn write(authority: &Authority<'_>, names: &Names, sources: &SourceMap, files: &[String]) -> Vec<u8> {
    let roots = roots(authority);
    let mut numbers = Numbers::default();
    // Texts and spans are numbered in their order, which is known once all have been met.
    Writer::new(authority, &mut numbers).all(names, sources, files, &roots);
    numbers.settle();
    let tables = Writer::new(authority, &mut numbers).all(names, sources, files, &roots);
    let mut out = FORMAT.to_vec();
    let (letters, ends, spans) = numbers.tables();
    let tables = Builders { texts: ends, spans, ..tables };
    out.extend((letters.len() as u32).to_le_bytes());
    out.extend(letters.as_bytes());
    tables.write(&mut out);
    out
}

/// Returns the first reason, in words, for which each object itself controls `reconfigure`.
fn roots(authority: &Authority<'_>) -> Vec<(ObjectId, String)> {
    let controls = |id: ObjectId| {
        let mut edges = authority.edges_from(Node::from(id)).iter();
        edges.any(|edge| edge.to == Node::from(RECONFIGURE) && edge.rule == EdgeRule::Control)
    };
    let ids = authority.model.objects().map(|(id, _)| id).filter(|id| controls(*id));
    ids.filter_map(|id| Some((id, authority.root_words(id)?))).collect()
}

struct Writer<'w, 'm> {
    authority: &'m Authority<'m>,
    model: &'m Model,
    numbers: &'w mut Numbers<'m>,
    tables: Builders,
}

impl<'w, 'm> Writer<'w, 'm> {
    fn new(authority: &'m Authority<'m>, numbers: &'w mut Numbers<'m>) -> Self {
        Self { authority, model: authority.model, numbers, tables: Builders::default() }
    }

    fn all(
        mut self,
        names: &'m Names,
        sources: &'m SourceMap,
        files: &'m [String],
        roots: &'m [(ObjectId, String)],
    ) -> Builders {
        self.whole();
        self.files(sources, files);
        for at in 0..self.model.objects.len() as u32 {
            self.object(ObjectId(at));
        }
        let model = self.model;
        model.facets.iter().for_each(|facet| self.facet(facet));
        self.capabilities();
        self.held();
        self.edges();
        let mut known: Vec<[u32; 2]> =
            names.known().map(|(name, capability)| [self.numbers.text(name), capability.0]).collect();
        known.sort_unstable();
        known.into_iter().for_each(|row| self.tables.names.push(row));
        for (object, words) in roots {
            let row = [object.0, self.numbers.text(words)];
            self.tables.roots.push(row);
        }
        self.tables
    }

    fn word(&mut self, word: u32) {
        self.tables.words.push([word]);
    }

    fn words<const N: usize>(&mut self, words: [u32; N]) {
        words.into_iter().for_each(|word| self.word(word));
    }

    fn text(&mut self, text: &'m str) {
        let number = self.numbers.text(text);
        self.word(number);
    }

    fn maybe_text(&mut self, text: Option<&'m str>) {
        let number = text.map_or(0, |text| self.numbers.text(text) + 1);
        self.word(number);
    }

    fn span(&mut self, span: Span) {
        let number = self.numbers.span(span);
        self.word(number);
    }

    fn maybe_span(&mut self, span: Option<Span>) -> u32 {
        span.map_or(0, |span| self.numbers.span(span) + 1)
    }

    fn path(&mut self, path: &'m PathUse) {
        self.text(&path.path);
        self.span(path.span);
    }

    fn paths(&mut self, paths: &'m [PathUse]) {
        self.word(paths.len() as u32);
        paths.iter().for_each(|path| self.path(path));
    }

    fn maybe_path(&mut self, path: Option<&'m PathUse>) {
        self.word(u32::from(path.is_some()));
        path.into_iter().for_each(|path| self.path(path));
    }

    /// What is said of the whole, at the beginning of the words.
    fn whole(&mut self) {
        let model = self.model;
        self.text(&model.name);
        self.word(model.file.code());
        for path in [&model.root.config, &model.root.store, &model.root.key] {
            self.path(path);
        }
        let aliases: Vec<(&str, &str)> = model.aliases.own().collect();
        self.word(aliases.len() as u32);
        for (from, to) in aliases {
            self.text(from);
            self.text(to);
        }
        self.paths(&model.code);
        self.word(model.nevers.len() as u32);
        for Never { scope, subject, level, capability, rights, span, .. } in &model.nevers {
            self.words([scope.0, subject.0, *level as u32, capability.0, u32::from(rights.0)]);
            self.span(*span);
        }
        self.word(model.onlys.len() as u32);
        for Only { scope, subjects, level, capability, rights, span, .. } in &model.onlys {
            self.words([scope.0, *level as u32, capability.0, u32::from(rights.0)]);
            self.span(*span);
            self.word(subjects.len() as u32);
            for (subject, span) in subjects {
                self.word(subject.0);
                self.span(*span);
            }
        }
    }

    fn files(&mut self, sources: &'m SourceMap, names: &'m [String]) {
        for ((id, file), name) in sources.files().zip(names) {
            for line in 1..=file.line_count() {
                self.tables.lines.push([file.line_range(line).start as u32]);
            }
            let row = [
                self.numbers.text(name),
                self.numbers.text(file.path.to_str().unwrap_or("")),
                file.text.len() as u32,
                self.tables.lines.len(),
                self.numbers.spans_up_to(id),
            ];
            self.tables.files.push(row);
        }
    }

    fn object(&mut self, id: ObjectId) {
        let authority = self.authority;
        let Object { name, kind, scope, span, trusted, lets_control } = self.model.object(id);
        let begin = self.tables.words.len();
        let kind = match kind {
            ObjectKind::Reconfigure => codes::RECONFIGURE,
            ObjectKind::Outside => codes::OUTSIDE,
            ObjectKind::Scope(scope) => {
                self.words([scope.parent.map_or(0, |parent| parent.0 + 1), u32::from(scope.lends_trust)]);
                codes::SCOPE
            }
            ObjectKind::Resource(resource) => {
                self.resource(resource);
                codes::RESOURCE
            }
            ObjectKind::Service(process) => {
                self.process(process);
                codes::SERVICE
            }
            ObjectKind::Program(process) => {
                self.process(process);
                codes::PROGRAM
            }
            ObjectKind::User(_) => codes::USER,
            ObjectKind::Powerbox(powerbox) => {
                self.word(powerbox.ask.map_or(0, |ask| ask.0 + 1));
                codes::POWERBOX
            }
        };
        // What is held is told apart from what counts as held: most of the latter says nothing new.
        for held in authority.held(id) {
            let facet = match held.through {
                Through::Holding => continue,
                Through::Own => 0,
                Through::Exposed(facet) => facet.0 + 1,
            };
            let row = [
                held.capability.map_or(0, |capability| capability.0 + 1),
                held.place.map_or(0, |place| place.0 + 1),
                u32::from(held.rights.0),
                facet,
                self.numbers.span(held.span),
            ];
            self.tables.counted.push(row);
        }
        let row = [
            kind,
            self.numbers.text(name),
            scope.0,
            self.numbers.span(*span),
            self.maybe_span(*trusted),
            self.maybe_span(*lets_control),
            begin,
            authority.holdings.all().partition_point(|holding| holding.holder <= id) as u32,
            self.tables.counted.len(),
        ];
        self.tables.objects.push(row);
    }

    fn resource(&mut self, resource: &'m Resource) {
        use codes::resource as sort;
        match resource {
            Resource::Path { kind, path } => {
                self.words([sort::PATH, kind.code()]);
                self.text(path);
            }
            Resource::Listen(address) => {
                self.word(sort::LISTEN);
                self.address(address);
            }
            Resource::Connect(address) => {
                self.word(sort::CONNECT);
                self.address(address);
            }
            Resource::Identity { user, group } => {
                self.word(sort::IDENTITY);
                self.maybe_text(user.as_deref());
                self.maybe_text(group.as_deref());
            }
            Resource::Network => self.word(sort::NETWORK),
            Resource::Privilege(name) => {
                self.word(sort::PRIVILEGE);
                self.text(name);
            }
            Resource::Caller(name) => {
                self.word(sort::CALLER);
                self.text(name);
            }
        }
    }

    fn address(&mut self, address: &'m Address) {
        match address {
            Address::Ip { protocol, host, port } => {
                self.words([codes::address::IP, protocol.code()]);
                self.text(host);
                self.word(u32::from(*port));
            }
            Address::Unix(path) => {
                self.word(codes::address::UNIX);
                self.text(path);
            }
        }
    }

    /// What a process is made of: of the rest no question asks.
    fn process(&mut self, process: &'m Service) {
        self.maybe_path(process.program.as_ref());
        self.maybe_path(process.prepare.as_ref().map(|(path, _)| path));
        self.paths(&process.image);
        self.paths(&process.config);
        self.paths(&process.argument_paths);
        self.word(process.identity.map_or(0, |(capability, _)| capability.0 + 1));
        let span = self.maybe_span(process.identity.map(|(_, span)| span));
        let unconfined = self.maybe_span(process.unconfined);
        self.words([span, unconfined, process.facets.len() as u32]);
        process.facets.iter().for_each(|facet| self.word(facet.0));
    }

    fn facet(&mut self, facet: &'m Facet) {
        let Facet { owner, name, transport, activated, data_only, exposes, span } = facet;
        for Exposure { capability, rights, span } in exposes {
            let rights = rights.map_or(0, |rights| u32::from(rights.0) + 1);
            let row = [capability.0, rights, self.numbers.span(*span)];
            self.tables.exposures.push(row);
        }
        let begin = self.tables.words.len();
        use codes::transport as sort;
        let sort = match transport {
            Transport::Socket(path) => {
                self.path(path);
                sort::SOCKET
            }
            Transport::Channel => sort::CHANNEL,
            Transport::Tcp(address) => {
                self.address(address);
                sort::TCP
            }
            Transport::Listen(listen) => {
                self.word(listen.0);
                sort::LISTEN
            }
            Transport::Mount(path) => {
                self.path(path);
                sort::MOUNT
            }
            Transport::Done => sort::DONE,
            Transport::Control => sort::CONTROL,
            Transport::Launch => sort::LAUNCH,
            Transport::Ask => sort::ASK,
        };
        let flags =
            if *activated { flag::ACTIVATED } else { 0 } | if *data_only { flag::DATA_ONLY } else { 0 };
        let row = [
            owner.0,
            self.numbers.text(name),
            sort,
            begin,
            flags,
            self.numbers.span(*span),
            self.tables.exposures.len(),
        ];
        self.tables.facets.push(row);
    }

    fn capabilities(&mut self) {
        for (at, known) in self.model.capabilities.iter().enumerate() {
            let target = match known.target {
                Target::Resource(object) => object.0 << 1,
                Target::Facet(facet) => facet.0 << 1 | 1,
            };
            let place = self.authority.asked(CapId(at as u32)).place;
            let row = [
                self.numbers.text(&known.name),
                target,
                known.part.as_ref().map_or(0, |part| self.numbers.text(part) + 1),
                known.kind.code(),
                known.path.as_ref().map_or(0, |path| self.numbers.text(path) + 1),
                place.map_or(0, |place| place.0 + 1),
            ];
            self.tables.capabilities.push(row);
        }
    }

    /// Holdings and the rule instances behind them; a rule instance that derives nothing explains nothing.
    fn held(&mut self) {
        let (model, holdings) = (self.model, self.authority.holdings);
        let indices: HashMap<(ObjectId, CapId), u32, RandomState> =
            holdings.all().iter().map(|holding| (holding.holder, holding.capability)).zip(0..).collect();
        let mut kept = vec![0; model.derivations.len()];
        for (derivation, kept) in model.derivations.iter().zip(&mut kept) {
            let Some(to) = indices.get(&(derivation.holder, derivation.capability)) else { continue };
            let from = match derivation.from {
                None => 0,
                Some(from) => match indices.get(&(from.holder, from.capability)) {
                    Some(from) => from + 1,
                    None => continue,
                },
            };
            let strangers = derivation
                .from
                .zip(derivation.introduces)
                .is_some_and(|(from, receiver)| !holdings.knows(from.holder, receiver));
            if strangers {
                continue;
            }
            *kept = self.tables.derivations.len();
            let exact = if derivation.exact { flag::EXACT } else { 0 };
            let late = if derivation.when == crate::model::When::Use { flag::LATE } else { 0 };
            let row = [
                derivation.rule.code() | derivation.statement.code() << 2 | exact | late,
                u32::from(derivation.rights.0),
                from,
                *to,
                derivation.introduces.map_or(0, |receiver| receiver.0 + 1),
                self.numbers.span(derivation.span),
            ];
            self.tables.derivations.push(row);
        }
        for holding in holdings.all() {
            let settled: Vec<u32> = holding
                .rights
                .each()
                .filter_map(|right| holding.settled_by(right))
                .filter_map(|derivation| kept.get(derivation.0 as usize).copied())
                .collect();
            let (single, value) = match settled.as_slice() {
                [first, rest @ ..] if rest.iter().all(|other| other == first) => (1, *first),
                several => {
                    let begin = self.tables.provenance.len();
                    several.iter().for_each(|derivation| self.tables.provenance.push([*derivation]));
                    (0, begin)
                }
            };
            self.tables.holdings.push([holding.capability.0, u32::from(holding.rights.0), single, value]);
        }
    }

    fn edges(&mut self) {
        let authority = self.authority;
        let places = &authority.places;
        for place in places.all() {
            let row = [
                self.numbers.text(places.path(place)),
                places.parent(place).map_or(0, |parent| parent.0 + 1),
                places.end(place),
            ];
            self.tables.places.push(row);
        }
        for meeting in &authority.meetings {
            let sort = MEETINGS.iter().position(|sort| *sort == meeting.kind).unwrap_or(MEETINGS.len());
            // Most names are a few words and a path, which is a text already.
            let (begins, place) = match (meeting.place, meeting.name.strip_suffix(&*meeting.subject)) {
                (Some(place), Some(begins)) => (begins, place.0 + 1),
                _ => (meeting.name.as_str(), 0),
            };
            let row = [
                self.numbers.text(begins),
                self.numbers.text(&meeting.subject),
                sort as u32,
                place,
                self.numbers.span(meeting.span),
            ];
            self.tables.meetings.push(row);
        }
        for edge in &authority.edges {
            let row = [edge.to.0, flags(edge), self.numbers.span(edge.span)];
            self.tables.edges.push(row);
        }
        let mut end = 0;
        for node in 0..authority.nodes() as u32 {
            end += authority.edges_from(Node(node)).len() as u32;
            self.tables.nodes.push([end]);
        }
        for edge in &authority.cut {
            let row = [edge.from.0, edge.to.0, flags(edge), self.numbers.span(edge.span)];
            self.tables.cut.push(row);
        }
    }
}

fn flags(edge: &Edge) -> u32 {
    edge.rule.code()
        | edge.carries.code() << 3
        | if edge.relayed { flag::RELAYED } else { 0 }
        | if edge.consent { flag::CONSENT } else { 0 }
}

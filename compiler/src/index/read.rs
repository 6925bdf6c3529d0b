//! From an index back to what was compiled: the model as far as questions ask, its holdings, and its authority.

use super::codes::{self, MEETINGS, flag};
use super::open::{Broken, Index};
use super::reader::{OUTSIDE_TABLE, Reader, UNKNOWN_CODE, below, coded, maybe, rights, rows};
use crate::authority::{Carries, Drawn, Edge, EdgeRule, Held, Meeting, Node, PlaceId, Places, Through};
use crate::holdings::{DerivationId, Holding, Holdings};
use crate::model::{
    Aliases, CapId, Capability, Derivation, Exposure, Facet, FileKind, Kind, Model, Object, ObjectId,
    ObjectKind, Powerbox, Premise, Root, Rule, SYSTEM, Scope, Statement, Target, Transport, When,
};
use crate::resolve::Names;
use crate::source::SourceMap;
use std::sync::Arc;

/// A configuration as an index has it: for questions alone, as what only checks and launchers look at is not there.
pub struct Restored {
    /// The model.
    pub model: Model,
    /// Who holds what.
    pub holdings: Holdings,
    /// What names mean.
    pub names: Names,
    /// The files: their names and lines, and their texts if they were handed in.
    pub sources: SourceMap,
    /// Its authority, as the system's own assertions see it.
    pub drawn: Drawn,
}

impl Restored {
    /// Reads an index. `texts` has the text of each file, by its path, if it is wanted.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn read(index: &Index<'_>, texts: impl Fn(&str) -> Option<Arc<str>>) -> Result<Self, Broken> {
        let reader = Reader::new(index)?;
        let sources = reader.sources(texts)?;
        let model = reader.model()?;
        let holdings = reader.holdings(&model)?;
        let drawn = reader.drawn(&model, &holdings)?;
        let mut names = Vec::new();
        for [name, capability] in index.tables.names.all() {
            names.push((reader.text(name)?.to_string(), reader.capability(capability)?));
        }
        Ok(Self { model, holdings, names: Names::restored(names), sources, drawn })
    }
}

impl Reader<'_, '_> {
    fn sources(&self, texts: impl Fn(&str) -> Option<Arc<str>>) -> Result<SourceMap, Broken> {
        let tables = &self.index.tables;
        let mut sources = SourceMap::default();
        for (at, [name, path, length, ..]) in tables.files.all().enumerate() {
            let (name, path) = (self.text(name)?.to_string(), self.text(path)?);
            match texts(path) {
                Some(text) => sources.add(name, path.to_string().into(), text),
                None => {
                    let lines = rows(&tables.files, 3, at as u32, &tables.lines)?;
                    let lines = lines.filter_map(|row| tables.lines.get(row, 0)).collect();
                    sources.add_lines(name, path.to_string().into(), lines, length)
                }
            };
        }
        Ok(sources)
    }

    fn model(&self) -> Result<Model, Broken> {
        let tables = &self.index.tables;
        let mut words = self.words(0);
        let name = words.text()?;
        let file = coded::<FileKind>(words.next()?)?;
        let root = Root { config: words.path()?, store: words.path()?, key: words.path()?, init: None };
        let mut own = Vec::new();
        for _ in 0..words.count()? {
            own.push((words.text()?, words.text()?));
        }
        let mut aliases = Aliases::default();
        own.into_iter().rev().for_each(|(from, to)| aliases.add(from, to));
        let code = words.paths()?;
        let mut nevers = Vec::new();
        for _ in 0..words.count()? {
            nevers.push(words.never()?);
        }
        let mut onlys = Vec::new();
        for _ in 0..words.count()? {
            onlys.push(words.only()?);
        }
        let objects = tables.objects.all().enumerate().map(|(at, row)| self.read_object(at as u32, row));
        let facets = tables.facets.all().enumerate().map(|(at, row)| self.read_facet(at as u32, row));
        let capabilities = tables.capabilities.all().map(|row| self.read_capability(row));
        let objects: Vec<Object> = objects.collect::<Result<_, _>>()?;
        if objects.len() <= SYSTEM.index() {
            return Err(Broken("the first three objects are missing"));
        }
        Ok(Model {
            name,
            file,
            objects,
            facets: facets.collect::<Result<_, _>>()?,
            capabilities: capabilities.collect::<Result<_, _>>()?,
            derivations: self.derivations()?,
            given: Vec::new(),
            nevers,
            onlys,
            trusts: Vec::new(),
            waivers: Vec::new(),
            passings: Vec::new(),
            aliases,
            code,
            integrity: Vec::new(),
            root,
        })
    }

    fn read_object(&self, at: u32, row: [u32; 9]) -> Result<Object, Broken> {
        let [kind, name, scope, span, trusted, lets_control, begin, _, _] = row;
        let mut words = self.words(begin);
        let kind = match kind {
            codes::RECONFIGURE => ObjectKind::Reconfigure,
            codes::OUTSIDE => ObjectKind::Outside,
            codes::SCOPE => {
                // A scope comes after the one whose file uses it, so that there is no way round in a circle.
                let parent = maybe(words.next()?, |parent| below(parent, at).map(ObjectId))?;
                ObjectKind::Scope(Box::new(Scope { parent, lends_trust: words.next()? == 1 }))
            }
            codes::RESOURCE => ObjectKind::Resource(words.resource()?),
            codes::SERVICE => ObjectKind::Service(Box::new(words.process()?)),
            codes::PROGRAM => ObjectKind::Program(Box::new(words.process()?)),
            codes::USER => ObjectKind::User(Box::default()),
            codes::POWERBOX => {
                let ask = maybe(words.next()?, |ask| self.facet(ask))?;
                ObjectKind::Powerbox(Box::new(Powerbox { ask, ..Powerbox::default() }))
            }
            _ => return Err(UNKNOWN_CODE),
        };
        Ok(Object {
            name: self.text(name)?.clone(),
            kind,
            scope: self.object(scope)?,
            span: self.span(span)?,
            trusted: maybe(trusted, |span| self.span(span))?,
            lets_control: maybe(lets_control, |span| self.span(span))?,
        })
    }

    fn read_facet(&self, at: u32, row: [u32; 7]) -> Result<Facet, Broken> {
        use codes::transport as sort;
        let tables = &self.index.tables;
        let [owner, name, transport, begin, flags, span, _] = row;
        let mut words = self.words(begin);
        let transport = match transport {
            sort::SOCKET => Transport::Socket(words.path()?),
            sort::CHANNEL => Transport::Channel,
            sort::TCP => Transport::Tcp(words.address()?),
            sort::LISTEN => Transport::Listen(self.capability(words.next()?)?),
            sort::MOUNT => Transport::Mount(words.path()?),
            sort::DONE => Transport::Done,
            sort::CONTROL => Transport::Control,
            sort::LAUNCH => Transport::Launch,
            sort::ASK => Transport::Ask,
            _ => return Err(UNKNOWN_CODE),
        };
        let mut exposes = Vec::new();
        for row in rows(&tables.facets, 6, at, &tables.exposures)? {
            let [capability, named, span] = tables.exposures.row(row).ok_or(OUTSIDE_TABLE)?;
            exposes.push(Exposure {
                capability: self.capability(capability)?,
                rights: maybe(named, rights)?,
                span: self.span(span)?,
            });
        }
        Ok(Facet {
            owner: self.object(owner)?,
            name: self.text(name)?.clone(),
            transport,
            activated: flags & flag::ACTIVATED != 0,
            data_only: flags & flag::DATA_ONLY != 0,
            exposes,
            span: self.span(span)?,
        })
    }

    fn read_capability(&self, row: [u32; 6]) -> Result<Capability, Broken> {
        let [name, target, part, kind, path, _] = row;
        Ok(Capability {
            name: self.text(name)?.clone(),
            target: match target & 1 {
                0 => Target::Resource(self.object(target >> 1)?),
                _ => Target::Facet(self.facet(target >> 1)?),
            },
            part: maybe(part, |part| self.text(part).cloned())?,
            kind: coded(kind)?,
            path: maybe(path, |path| self.text(path).cloned())?,
        })
    }

    /// Returns who holds what, by the number of the holding.
    fn pairs(&self) -> Result<Vec<(ObjectId, CapId)>, Broken> {
        let tables = &self.index.tables;
        let mut pairs = Vec::with_capacity(tables.holdings.len() as usize);
        for holder in 0..tables.objects.len() {
            for row in rows(&tables.objects, 7, holder, &tables.holdings)? {
                let capability = tables.holdings.get(row, 0).ok_or(OUTSIDE_TABLE)?;
                pairs.push((ObjectId(holder), self.capability(capability)?));
            }
        }
        match pairs.is_sorted() && pairs.len() == tables.holdings.len() as usize {
            true => Ok(pairs),
            false => Err(Broken("the holdings are in disorder")),
        }
    }

    fn derivations(&self) -> Result<Vec<Derivation>, Broken> {
        let pairs = self.pairs()?;
        let pair = |number: u32| pairs.get(number as usize).copied().ok_or(OUTSIDE_TABLE);
        let read = |[flags, named, from, to, introduces, span]: [u32; 6]| {
            let (holder, capability) = pair(to)?;
            let span = self.span(span)?;
            let from = maybe(from, pair)?.map(|(holder, capability)| Premise { holder, capability });
            Ok(Derivation {
                rule: coded::<Rule>(flags & 3)?,
                from,
                introduces: maybe(introduces, |receiver| self.object(receiver))?,
                holder,
                capability,
                rights: rights(named)?,
                exact: flags & flag::EXACT != 0,
                when: if flags & flag::LATE != 0 { When::Use } else { When::Start },
                statement: coded::<Statement>(flags >> 2 & 7)?,
                span,
                capability_span: span,
                rights_span: span,
                receiver_span: span,
            })
        };
        self.index.tables.derivations.all().map(read).collect()
    }

    fn holdings(&self, model: &Model) -> Result<Holdings, Broken> {
        let tables = &self.index.tables;
        let mut all = Vec::with_capacity(tables.holdings.len() as usize);
        let pairs = self.pairs()?;
        for ([_, held, single, value], (holder, capability)) in tables.holdings.all().zip(pairs) {
            let held = rights(held)?;
            let settled = held.each().zip(0..).map(|(right, at)| {
                let derivation = match single {
                    1 => value,
                    _ => tables.provenance.get(value.saturating_add(at), 0).ok_or(OUTSIDE_TABLE)?,
                };
                Ok((right, DerivationId(below(derivation, tables.derivations.len())?)))
            });
            let settled = settled.collect::<Result<Vec<_>, Broken>>()?;
            all.push(Holding::restored(holder, capability, held, &settled));
        }
        let premises = tables.derivations.all().map(|row| {
            let [_, _, from, ..] = row;
            from.checked_sub(1)
        });
        Ok(Holdings::restored(model, all, premises))
    }

    fn drawn(&self, model: &Model, holdings: &Holdings) -> Result<Drawn, Broken> {
        let tables = &self.index.tables;
        let mut places = Vec::with_capacity(tables.places.len() as usize);
        for (at, [path, parent, end]) in (0..).zip(tables.places.all()) {
            let parent = maybe(parent, |parent| below(parent, at).map(PlaceId))?;
            if end <= at || end > tables.places.len() {
                return Err(OUTSIDE_TABLE);
            }
            places.push((self.text(path)?.clone(), parent, end));
        }
        let mut counted = Vec::with_capacity(tables.counted.len() as usize);
        for at in 0..tables.objects.len() {
            for row in rows(&tables.objects, 8, at, &tables.counted)? {
                let row = tables.counted.row(row).ok_or(OUTSIDE_TABLE)?;
                counted.push((ObjectId(at), self.counted(model, row)?));
            }
        }
        let by_capability =
            tables.capabilities.all().map(|[.., place]| maybe(place, |place| self.place(place)));
        let mut meetings = Vec::with_capacity(tables.meetings.len() as usize);
        for [begins, subject, sort, place, span] in tables.meetings.all() {
            let place = maybe(place, |place| self.place(place))?;
            let subject = self.text(subject)?.clone();
            let begins = self.text(begins)?;
            meetings.push(Meeting {
                name: if place.is_some() { [&**begins, &*subject].concat() } else { begins.to_string() },
                kind: MEETINGS.get(sort as usize).ok_or(UNKNOWN_CODE)?,
                span: self.span(span)?,
                subject,
                place,
            });
        }
        if tables.nodes.len() as usize != model.objects.len() + meetings.len() {
            return Err(Broken("there are more or fewer nodes than objects and meetings"));
        }
        let mut edges = Vec::with_capacity(tables.edges.len() as usize);
        for from in 0..tables.nodes.len() {
            for row in rows(&tables.nodes, 0, from, &tables.edges)? {
                let [to, flags, span] = tables.edges.row(row).ok_or(OUTSIDE_TABLE)?;
                edges.push(self.edge(Node(from), to, flags, span)?);
            }
        }
        let mut cut = Vec::new();
        for [from, to, flags, span] in tables.cut.all() {
            cut.push(self.edge(self.node(from)?, to, flags, span)?);
        }
        let by_capability = by_capability.collect::<Result<Vec<_>, Broken>>()?;
        Ok(Drawn::restored(
            model,
            holdings,
            (Places::restored(places), by_capability),
            counted,
            edges,
            meetings,
            cut,
        ))
    }

    fn counted(&self, model: &Model, row: [u32; 5]) -> Result<Held, Broken> {
        let [capability, place, counts, facet, span] = row;
        let capability = maybe(capability, |capability| self.capability(capability))?;
        Ok(Held {
            capability,
            place: maybe(place, |place| self.place(place))?,
            kind: capability.map_or(Kind::Dir, |capability| model.capability(capability).kind),
            rights: rights(counts)?,
            through: match maybe(facet, |facet| self.facet(facet))? {
                Some(facet) => Through::Exposed(facet),
                None => Through::Own,
            },
            span: self.span(span)?,
        })
    }

    fn edge(&self, from: Node, to: u32, flags: u32, span: u32) -> Result<Edge, Broken> {
        Ok(Edge {
            from,
            to: self.node(to)?,
            rule: coded::<EdgeRule>(flags & 7)?,
            carries: coded::<Carries>(flags >> 3 & 7)?,
            relayed: flags & flag::RELAYED != 0,
            consent: flags & flag::CONSENT != 0,
            span: self.span(span)?,
        })
    }
}

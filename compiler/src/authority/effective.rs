//! What each subject counts as holding: its own, the paths of its code and configuration, and, at level reach, what
//! trusted objects expose to it through their facets and what listens where it may connect.

use super::places::{PlaceId, Places};
use super::ports::Ports;
use crate::holdings::Holdings;
use crate::model::{
    Address, CapId, FacetId, Kind, Model, OUTSIDE, ObjectId, PathUse, Protocol, Resource, Rights, Service,
    Target, Transport,
};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Why something counts as held.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Through {
    /// It is held.
    Holding,
    /// It is the subject's own code or configuration.
    Own,
    /// A trusted object exposes it through this facet.
    Exposed(FacetId),
}

/// Something that a subject counts as holding.
#[derive(Copy, Clone, Debug)]
pub struct Held {
    /// The capability; none for the path of code or configuration.
    pub capability: Option<CapId>,
    /// Its path, if it has one.
    pub place: Option<PlaceId>,
    /// What sort of thing; code and configuration count as directories.
    pub kind: Kind,
    /// The rights.
    pub rights: Rights,
    /// Why it counts.
    pub through: Through,
    /// The statement behind it.
    pub span: Span,
}

impl Held {
    /// Returns the place of something whose content can be read or changed: a dir, file, state, secret, device or mount.
    #[must_use]
    pub fn file(&self) -> Option<PlaceId> {
        self.place.filter(|_| is_file(self.kind))
    }
    /// Returns the rights that take part in rules about files: of a device, that to read.
    #[must_use]
    pub fn fs_rights(&self) -> Rights {
        of_kind(Kind::Dir, by_name(self.kind, self.rights))
    }
    /// Returns whether its holder can change what lies at its path.
    #[must_use]
    pub fn changes(&self) -> bool {
        !self.fs_rights().and(Kind::FS_WRITE).is_empty()
    }
    /// Returns whether it reaches the whole network: `network`, and `listen udp=`, which also sends anywhere.
    #[must_use]
    pub fn is_network(&self, model: &Model) -> bool {
        self.capability.is_some_and(|capability| is_network(model, capability)) && !self.rights.is_empty()
    }
    /// Returns the place of something that may contain others.
    #[must_use]
    pub fn directory(&self) -> Option<PlaceId> {
        self.place.filter(|_| is_directory(self.kind))
    }
}

/// Everything that counts as held, by holder.
#[derive(Debug, Default)]
pub struct Effective {
    all: Vec<Held>,
    /// For each object where its entries begin; one more at the end.
    starts: Vec<u32>,
}

impl Effective {
    /// Returns what was derived before: by holder, and for each object where its entries begin, one more at the end.
    #[must_use]
    pub const fn restored(all: Vec<Held>, starts: Vec<u32>) -> Self {
        Self { all, starts }
    }

    /// Returns what an object counts as holding.
    #[must_use]
    pub fn of(&self, holder: ObjectId) -> &[Held] {
        let start = self.starts.get(holder.index()).copied().unwrap_or(0) as usize;
        let end = self.starts.get(holder.index() + 1).copied().unwrap_or(0) as usize;
        self.all.get(start..end).unwrap_or(&[])
    }
}

/// Returns whether a kind is a directory's.
#[must_use]
pub const fn is_directory(kind: Kind) -> bool {
    matches!(kind, Kind::Dir | Kind::State | Kind::Mount)
}

/// Returns whether things of a kind have content at a path.
#[must_use]
pub const fn is_file(kind: Kind) -> bool {
    matches!(kind, Kind::Dir | Kind::State | Kind::Mount | Kind::File | Kind::Secret | Kind::Device)
}

/// Returns the rights of a thing with a path by their names alone: those of files as they are, and the `write` and `ioctl` of
/// devices after them.
#[must_use]
pub const fn by_name(kind: Kind, rights: Rights) -> Rights {
    match kind {
        Kind::Device => Rights((rights.0 & 1) | ((rights.0 & 6) << 5)),
        _ => rights,
    }
}

/// Returns the rights with some names that a kind has.
#[must_use]
pub const fn of_kind(kind: Kind, names: Rights) -> Rights {
    match kind {
        Kind::Device => Rights((names.0 & 1) | ((names.0 >> 5) & 6)),
        _ => names.and(kind.all()),
    }
}

/// Returns whether a capability reaches the whole network.
#[must_use]
pub fn is_network(model: &Model, capability: CapId) -> bool {
    match model.capability(capability).kind {
        Kind::Network => true,
        Kind::Listen => {
            matches!(address_of(model, capability), Some(Address::Ip { protocol: Protocol::Udp, .. }))
        }
        _ => false,
    }
}

/// Returns the paths of a service's own code and configuration, with the rights that they count as.
pub fn own_paths(service: &Service) -> impl Iterator<Item = (&PathUse, Rights)> {
    let exec = Kind::FS_READ.or(Kind::FS_EXEC);
    let code =
        service.program.iter().chain(service.prepare.iter().map(|(path, _)| path)).chain(&service.image);
    code.map(move |path| (path, exec)).chain(service.config.iter().map(|path| (path, Kind::FS_READ)))
}

/// Returns the path by which a capability takes part in rules about paths: of its content, or of its socket.
#[must_use]
pub fn path_of(model: &Model, capability: CapId) -> Option<&Arc<str>> {
    let known = model.capability(capability);
    known.path.as_ref().or_else(|| match address_of(model, capability)? {
        Address::Unix(path) => Some(path),
        Address::Ip { .. } => None,
    })
}

/// Returns the address of a `listen` or a `connect`.
#[must_use]
pub fn address_of(model: &Model, capability: CapId) -> Option<&Address> {
    let Target::Resource(object) = model.capability(capability).target else { return None };
    match model.object(object).resource()? {
        Resource::Listen(address) | Resource::Connect(address) => Some(address),
        Resource::Path { .. }
        | Resource::Identity { .. }
        | Resource::Network
        | Resource::Privilege(_)
        | Resource::Caller(_) => None,
    }
}

/// Returns the place of the statement by which somebody holds something.
#[must_use]
pub fn place_of_holding(model: &Model, holdings: &Holdings, holder: ObjectId, capability: CapId) -> Span {
    let holding = holdings.get(holder, capability);
    let last = holding.and_then(|holding| holdings.last_step(model, holding)).map(|step| step.span);
    last.unwrap_or(model.object(holder).span)
}

/// Derives what counts as held: a worklist to the least fixed point.
pub fn effective(
    model: &Model,
    holdings: &Holdings,
    places: &Places,
    ports: &Ports,
    trusted: &[bool],
) -> Effective {
    let mut solver = Solver {
        model,
        holdings,
        places,
        ports,
        trusted,
        exposed: vec![BTreeMap::new(); model.objects.len()],
        doors: vec![BTreeSet::new(); model.objects.len()],
        work: Vec::new(),
    };
    // Without a trusted facet that exposes something there is nothing to derive.
    if model.facets.iter().any(|facet| !facet.exposes.is_empty() && solver.is_trusted(facet.owner)) {
        solver.run();
    }
    let exposed = solver.exposed;
    let capabilities = (0..model.capabilities.len() as u32).map(CapId);
    let by_capability: Vec<Option<PlaceId>> =
        capabilities.map(|id| path_of(model, id).and_then(|path| places.find(path))).collect();
    let place_of = |id: CapId| by_capability.get(id.index()).copied().flatten();
    let mut all = Vec::with_capacity(holdings.all().len());
    let mut starts = vec![0];
    for (id, object) in model.objects() {
        for holding in holdings.of(id) {
            all.push(Held {
                capability: Some(holding.capability),
                place: place_of(holding.capability),
                kind: model.capability(holding.capability).kind,
                rights: holding.rights,
                through: Through::Holding,
                span: holdings.last_step(model, holding).map_or(object.span, |step| step.span),
            });
        }
        for (path, rights) in object.process().into_iter().flat_map(own_paths) {
            let place = places.find(&path.path);
            all.push(Held {
                capability: None,
                place,
                kind: Kind::Dir,
                rights,
                through: Through::Own,
                span: path.span,
            });
        }
        for (capability, (rights, facet, span)) in exposed.get(id.index()).into_iter().flatten() {
            all.push(Held {
                capability: Some(*capability),
                place: place_of(*capability),
                kind: model.capability(*capability).kind,
                rights: *rights,
                through: Through::Exposed(*facet),
                span: *span,
            });
        }
        starts.push(all.len() as u32);
    }
    Effective { all, starts }
}

/// A subject that comes to count as holding something.
enum News {
    Capability(ObjectId, CapId),
    Facet(ObjectId, FacetId),
}

struct Solver<'a> {
    model: &'a Model,
    holdings: &'a Holdings,
    places: &'a Places,
    ports: &'a Ports,
    trusted: &'a [bool],
    exposed: Vec<BTreeMap<CapId, (Rights, FacetId, Span)>>,
    /// Facets that trusted listeners show to those who may connect to them, by holder: these count as held too.
    doors: Vec<BTreeSet<FacetId>>,
    work: Vec<News>,
}

impl Solver<'_> {
    fn is_trusted(&self, object: ObjectId) -> bool {
        self.trusted.get(object.index()) == Some(&true)
    }

    fn run(&mut self) {
        for (id, object) in self.model.objects() {
            if object.is_subject() {
                self.work.extend(
                    self.holdings.of(id).iter().map(|holding| News::Capability(id, holding.capability)),
                );
                let own = object.process().into_iter().flat_map(own_paths);
                let places: Vec<PlaceId> = own.filter_map(|(path, _)| self.places.find(&path.path)).collect();
                for place in places {
                    self.directory(id, place);
                }
            }
        }
        for facet in self.ports.beyond_the_machine() {
            self.door(OUTSIDE, facet);
        }
        while let Some(news) = self.work.pop() {
            match news {
                News::Capability(holder, capability) => self.capability(holder, capability),
                News::Facet(holder, facet) => self.look_through(holder, facet),
            }
        }
    }

    fn door(&mut self, holder: ObjectId, facet: FacetId) {
        if self.is_trusted(self.model.facet(facet).owner)
            && self.doors.get_mut(holder.index()).is_some_and(|doors| doors.insert(facet))
        {
            self.work.push(News::Facet(holder, facet));
        }
    }

    /// Any right on a directory is `connect` on the sockets in it.
    fn directory(&mut self, holder: ObjectId, place: PlaceId) {
        let ports = self.ports;
        for facet in ports.unix_facets_within(self.places, place) {
            self.door(holder, facet);
        }
    }

    fn capability(&mut self, holder: ObjectId, capability: CapId) {
        let model = self.model;
        let known = model.capability(capability);
        if let Target::Facet(facet) = known.target {
            self.work.push(News::Facet(holder, facet));
        }
        let place = known
            .path
            .as_deref()
            .filter(|_| is_directory(known.kind))
            .and_then(|path| self.places.find(path));
        if let Some(place) = place {
            self.directory(holder, place);
        }
        if is_network(model, capability) {
            let ports = self.ports;
            for facet in ports.facets_on_any() {
                self.door(holder, facet);
            }
        }
        if let (Kind::Connect, Some(Address::Ip { protocol, port, .. })) =
            (known.kind, address_of(model, capability))
        {
            let ports = self.ports;
            for facet in ports.facets_on(*protocol, *port) {
                self.door(holder, facet);
            }
        }
    }

    fn look_through(&mut self, holder: ObjectId, facet_id: FacetId) {
        let model = self.model;
        let facet = model.facet(facet_id);
        let closed = matches!(facet.transport, Transport::Done | Transport::Control);
        if !self.is_trusted(facet.owner) || facet.owner == holder || closed {
            return;
        }
        for at in 0..facet.exposes.len() {
            self.expose(holder, facet_id, at);
        }
    }

    /// Passes on what a facet exposes, as far as its maker has it.
    fn expose(&mut self, holder: ObjectId, facet_id: FacetId, at: usize) {
        let model = self.model;
        let facet = model.facet(facet_id);
        let Some(exposure) = facet.exposes.get(at) else { return };
        if matches!(
            model.capability(exposure.capability).kind,
            Kind::Control | Kind::Identity | Kind::Privilege
        ) {
            return;
        }
        // Its own holdings alone: did what is exposed to it count, to trust one object would add to what others obtain of
        // another.
        let has = self.holdings.rights(facet.owner, exposure.capability);
        let rights = exposure.rights.map_or(has, |named| named.and(has));
        let Some(known) = self.exposed.get_mut(holder.index()) else { return };
        let before = known.get(&exposure.capability).map_or(Rights::NONE, |known| known.0);
        if before.contains(rights) {
            return;
        }
        known.entry(exposure.capability).or_insert((rights, facet_id, exposure.span)).0 = before.or(rights);
        self.work.push(News::Capability(holder, exposure.capability));
    }
}

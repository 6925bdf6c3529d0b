//! Who waits for whom at boot: the relation, its circles, and the waves in which services start.

use crate::holdings::{DerivationId, Holdings};
use crate::model::{CapId, FacetId, Kind, Model, ObjectId, Rule, Target, Transport, When};
use crate::source::Span;
use serde::Serialize;
use std::collections::HashMap;

/// What a service waits for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WaitKind {
    /// The thing exists only once its maker runs.
    Mint,
    /// A state of the maker.
    Ready,
}

impl WaitKind {
    /// Returns the word that programs read.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mint => "mint",
            Self::Ready => "ready",
        }
    }
}

/// One reason for one service to wait for another.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// Who waits.
    pub from: ObjectId,
    /// For whom.
    pub to: ObjectId,
    /// For what of it.
    pub facet: FacetId,
    /// In which way.
    pub kind: WaitKind,
    /// The statement that makes it wait.
    pub span: Span,
    /// Whether `when=use` on that statement would end it; a path that lies on a mount cannot wait.
    pub can_be_late: bool,
}

/// The waits-for relation, by who waits.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// Sorted.
    pub all: Vec<Wait>,
}

/// Returns in which way a facet's holders wait for it, if they do.
#[must_use]
pub fn wait_kind(model: &Model, holdings: &Holdings, facet: FacetId) -> Option<WaitKind> {
    let facet = model.facet(facet);
    match &facet.transport {
        Transport::Channel | Transport::Control | Transport::Launch | Transport::Ask => None,
        Transport::Done => Some(WaitKind::Ready),
        Transport::Socket(_) | Transport::Tcp(_) => (!facet.activated).then_some(WaitKind::Mint),
        Transport::Listen(listen) => {
            let passed = holdings.rights(facet.owner, *listen).contains(Kind::ACCEPT);
            (!passed).then_some(WaitKind::Mint)
        }
        Transport::Mount(_) => Some(WaitKind::Mint),
    }
}

/// Returns who waits for whom.
#[must_use]
pub fn waits(model: &Model, holdings: &Holdings) -> Waits {
    let mut all = Vec::new();
    for (at, derivation) in model.derivations.iter().enumerate() {
        if !matches!(derivation.rule, Rule::Endowment | Rule::Introduction) || derivation.when == When::Use {
            continue;
        }
        let Target::Facet(facet) = model.capability(derivation.capability).target else { continue };
        let derives = derivation.from.is_some_and(|from| {
            let had = holdings.rights_of_premise(DerivationId(at as u32)).and(derivation.rights);
            let knows = derivation.introduces.is_none_or(|object| holdings.knows(from.holder, object));
            !had.is_empty() && knows
        });
        if !derives || model.object(derivation.holder).service().is_none() {
            continue;
        }
        let Some(kind) = wait_kind(model, holdings, facet) else { continue };
        let to = model.facet(facet).owner;
        all.push(Wait { from: derivation.holder, to, facet, kind, span: derivation.span, can_be_late: true });
    }
    let mounts = mounts(model);
    if !mounts.is_empty() {
        for (id, _, service) in model.services() {
            let code = service.program.iter().chain(service.prepare.iter().map(|(path, _)| path));
            let own = code
                .chain(&service.image)
                .chain(&service.config)
                .map(|path| (path.path.as_ref(), path.span, true));
            let held = holdings
                .of(id)
                .iter()
                .filter_map(|holding| held_path(model, holdings, holding.capability, id));
            for (path, span, is_code) in own.chain(held.map(|(path, span)| (path, span, false))) {
                for (mount, facet) in above(path).filter_map(|above| Some((above, mounts.get(above)?))) {
                    // Who mounts over a directory that it holds (`mount=CAP`) does not wait for its own mount.
                    let others =
                        |facet: &&FacetId| is_code || mount != path || model.facet(**facet).owner != id;
                    for facet in facet.iter().filter(others) {
                        let to = model.facet(*facet).owner;
                        all.push(Wait {
                            from: id,
                            to,
                            facet: *facet,
                            kind: WaitKind::Mint,
                            span,
                            can_be_late: false,
                        });
                    }
                }
            }
        }
    }
    // Several statements that bring one facet to one holder make it wait once, from the earliest.
    all.sort_by_key(|wait| (wait.from, wait.to, wait.facet, wait.can_be_late, wait.span));
    all.dedup_by_key(|wait| (wait.from, wait.facet, wait.can_be_late));
    Waits { all }
}

/// Returns the mounts by their path.
fn mounts(model: &Model) -> HashMap<&str, Vec<FacetId>> {
    let mut mounts: HashMap<&str, Vec<FacetId>> = HashMap::new();
    for (index, facet) in model.facets.iter().enumerate() {
        if let Transport::Mount(place) = &facet.transport {
            mounts.entry(&place.path).or_default().push(FacetId(index as u32));
        }
    }
    mounts
}

/// Returns a path and all directories above it, `/` included.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| match path.rsplit_once('/') {
        Some(("", "")) | None => None,
        Some(("", _)) => Some("/"),
        Some((above, _)) => Some(above),
    })
}

/// Returns a path that a service holds, other than by a mount facet itself, with the statement.
fn held_path<'m>(
    model: &'m Model,
    holdings: &Holdings,
    capability: CapId,
    holder: ObjectId,
) -> Option<(&'m str, Span)> {
    let known = model.capability(capability);
    if matches!(known.target, Target::Facet(_)) || known.kind == Kind::Socket {
        return None;
    }
    let path = known.path.as_deref()?;
    let last = holdings.last_step(model, holdings.get(holder, capability)?)?;
    Some((path, last.span))
}

/// Returns the services in waves: each is in the first wave after everything that it waits for. Sorted by name.
///
/// Services of a circle, and what waits for them, are in none.
#[must_use]
pub fn waves(model: &Model, waits: &Waits) -> Vec<Vec<ObjectId>> {
    let count = model.objects.len();
    let mut missing = vec![0u32; count];
    let mut waiting: Vec<Vec<ObjectId>> = vec![Vec::new(); count];
    let mut last = None;
    for wait in &waits.all {
        if last == Some((wait.from, wait.to)) {
            continue;
        }
        last = Some((wait.from, wait.to));
        if let Some(missing) = missing.get_mut(wait.from.index()) {
            *missing += 1;
        }
        if let Some(waiting) = waiting.get_mut(wait.to.index()) {
            waiting.push(wait.from);
        }
    }
    let mut wave: Vec<ObjectId> =
        model.services().map(|(id, _, _)| id).filter(|id| missing.get(id.index()) == Some(&0)).collect();
    let mut waves = Vec::new();
    while !wave.is_empty() {
        let mut next = Vec::new();
        for id in &wave {
            for waiter in waiting.get(id.index()).into_iter().flatten() {
                if let Some(missing) = missing.get_mut(waiter.index()) {
                    *missing -= 1;
                    if *missing == 0 {
                        next.push(*waiter);
                    }
                }
            }
        }
        wave.sort_by(|a, b| model.object(*a).name.cmp(&model.object(*b).name));
        waves.push(std::mem::replace(&mut wave, next));
    }
    waves
}

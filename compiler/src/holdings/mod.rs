//! Who holds what: the least fixed point of the three rules, right by right, each right with its shortest derivation.
//!
//! A right is settled in the order of (steps, source place), so what settles it first is its provenance; a rule instance
//! fires only when both its premises are settled, so no provenance leads round in a circle. Linear but for sorting.

mod queue;

use crate::model::table::{grouped, part, starts};
use crate::model::{CapId, Derivation, Kind, Model, ObjectId, Rights};
use foldhash::fast::RandomState;
use queue::{Offer, Queue};
use std::collections::{HashMap, HashSet};

/// How many rights a kind has at most.
const MOST_RIGHTS: usize = 8;

/// A rule instance: an index into [`Model::derivations`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DerivationId(pub u32);

/// One capability as one holder has it.
#[derive(Clone, Debug)]
pub struct Holding {
    /// Who.
    pub holder: ObjectId,
    /// What.
    pub capability: CapId,
    /// The union of the rights that the rules derive.
    pub rights: Rights,
    /// For each right, the rule instance that settles it, or [`NOTHING`].
    provenance: [u32; MOST_RIGHTS],
}

impl Holding {
    /// Returns a holding that was derived before, with the rule instance that settles each right.
    #[must_use]
    pub fn restored(
        holder: ObjectId,
        capability: CapId,
        rights: Rights,
        settled: &[(Rights, DerivationId)],
    ) -> Self {
        let mut provenance = [NOTHING; MOST_RIGHTS];
        for (right, derivation) in settled {
            if let Some(place) = provenance.get_mut(right.0.trailing_zeros() as usize) {
                *place = derivation.0;
            }
        }
        Self { holder, capability, rights, provenance }
    }

    /// Returns the rule instance that settles the least of some rights.
    #[must_use]
    pub fn settled_by(&self, rights: Rights) -> Option<DerivationId> {
        let settled = *self.provenance.get(rights.0.trailing_zeros() as usize)?;
        (settled != NOTHING).then_some(DerivationId(settled))
    }
}

/// No index.
const NOTHING: u32 = u32::MAX;

/// Everything that is held.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    /// By holder, then capability.
    all: Vec<Holding>,
    /// For each holder where its holdings begin in `all`; one more at the end.
    of: Vec<u32>,
    /// The indices into `all` by capability, and for each capability where those begin; one more at the end.
    holders: (Vec<u32>, Vec<u32>),
    /// For each rule instance its main premise as an index into `all`, or [`NOTHING`].
    premises: Vec<u32>,
    /// Of those pairs that a grant asks about: who holds some facet of whom.
    acquainted: HashSet<(ObjectId, ObjectId), RandomState>,
}

/// What a grant waits for: that its granter holds some facet of the receiver.
#[derive(Default)]
struct Acquaintance {
    made: bool,
    /// The grants that wait, each with the steps that it would come to.
    parked: Vec<(u32, Offer)>,
}

/// The holdings that there could be, and how rule instances lead from one to another. A node is a pair of a holder and a
/// capability.
struct Web {
    /// For each rule instance the node of its main premise, or [`NOTHING`].
    from: Vec<u32>,
    /// For each rule instance the node that it derives.
    to: Vec<u32>,
    /// The rule instances by their main premise, and for each node where those begin; one more at the end.
    uses: (Vec<DerivationId>, Vec<u32>),
}

struct Solver<'a> {
    model: &'a Model,
    web: Web,
    /// By node; those without rights are not held.
    holdings: Vec<Holding>,
    acquaintances: HashMap<(ObjectId, ObjectId), Acquaintance, RandomState>,
    queue: Queue,
}

/// Derives all holdings of a model.
#[must_use]
pub fn derive(model: &Model) -> Holdings {
    let (web, holdings) = weave(model);
    let introductions = model.derivations.iter().filter_map(|derivation| {
        let pair = (derivation.from?.holder, derivation.introduces?);
        Some((pair, Acquaintance::default()))
    });
    let acquaintances = introductions.collect();
    let mut solver = Solver { model, web, holdings, acquaintances, queue: Queue::default() };
    for (index, derivation) in model.derivations.iter().enumerate().filter(|(_, axiom)| axiom.from.is_none())
    {
        let derivation_id = DerivationId(index as u32);
        solver.queue.push(1, Offer { derivation: derivation_id, rights: derivation.rights });
    }
    while let Some((steps, derivation, right)) = solver.queue.pop() {
        solver.settle(steps, derivation, right);
    }
    let Solver { web, holdings, acquaintances, .. } = solver;
    let made = acquaintances.into_iter().filter(|(_, acquaintance)| acquaintance.made);
    index(model, holdings, web.from, made.map(|(pair, _)| pair).collect())
}

/// Returns the nodes that rule instances speak of, in order and with nothing held yet, and the way between them.
fn weave(model: &Model) -> (Web, Vec<Holding>) {
    let derivations = &model.derivations;
    // Each mention of a node, with the instance that mentions it: twice its index, and one more where it is the premise.
    let mentions = || {
        derivations.iter().zip((0..).step_by(2)).flat_map(|(derivation, at)| {
            let to = (derivation.holder, (derivation.capability, at));
            let from = derivation.from.map(|from| (from.holder, (from.capability, at + 1)));
            std::iter::once(to).chain(from)
        })
    };
    let begins = starts(model.objects.len(), mentions().map(|(holder, _)| holder.index()));
    let mut by_holder: Vec<(CapId, u32)> = vec![(CapId(0), 0); begins.last().map_or(0, |all| *all as usize)];
    let mut next = begins.clone();
    for (holder, mention) in mentions() {
        let Some(next) = next.get_mut(holder.index()) else { continue };
        if let Some(place) = by_holder.get_mut(*next as usize) {
            *place = mention;
        }
        *next += 1;
    }
    let mut web = Web {
        from: vec![NOTHING; derivations.len()],
        to: vec![NOTHING; derivations.len()],
        uses: (Vec::with_capacity(derivations.len()), Vec::new()),
    };
    let mut holdings: Vec<Holding> = Vec::new();
    for (holder, (begin, end)) in (0..).map(ObjectId).zip(begins.iter().zip(begins.iter().skip(1))) {
        let Some(mentions) = by_holder.get_mut(*begin as usize..*end as usize) else { continue };
        mentions.sort_unstable();
        let mut before = None;
        for (capability, mention) in mentions {
            if before.replace(*capability) != Some(*capability) {
                holdings.push(Holding {
                    holder,
                    capability: *capability,
                    rights: Rights::NONE,
                    provenance: [NOTHING; MOST_RIGHTS],
                });
                web.uses.1.push(web.uses.0.len() as u32);
            }
            let node = holdings.len() as u32 - 1;
            let (derivation, is_premise) = (*mention / 2, *mention % 2 == 1);
            let table = if is_premise { &mut web.from } else { &mut web.to };
            if let Some(place) = table.get_mut(derivation as usize) {
                *place = node;
            }
            if is_premise {
                web.uses.0.push(DerivationId(derivation));
            }
        }
    }
    web.uses.1.push(web.uses.0.len() as u32);
    (web, holdings)
}

impl Solver<'_> {
    fn settle(&mut self, steps: u32, id: DerivationId, right: u8) {
        let Some(node) = self.web.to.get(id.0 as usize).map(|node| *node as usize) else { return };
        let Some(holding) = self.holdings.get_mut(node) else { return };
        let mask = Rights(1 << right);
        if holding.rights.contains(mask) {
            return;
        }
        holding.rights = holding.rights.or(mask);
        if let Some(place) = holding.provenance.get_mut(usize::from(right)) {
            *place = id.0;
        }
        let (holder, capability) = (holding.holder, holding.capability);
        if !self.acquaintances.is_empty()
            && let Some(owner) = self.model.facet_owner(capability)
            && let Some(acquaintance) = self.acquaintances.get_mut(&(holder, owner))
        {
            acquaintance.made = true;
            for (steps, offer) in std::mem::take(&mut acquaintance.parked) {
                self.queue.push(steps, offer);
            }
        }
        let (uses, starts) = &self.web.uses;
        for next in part(uses, starts, node) {
            let Some(derivation) = self.model.derivations.get(next.0 as usize) else { continue };
            if !derivation.rights.contains(mask) {
                continue;
            }
            let offer = Offer { derivation: *next, rights: mask };
            let introduction =
                derivation.introduces.and_then(|receiver| self.acquaintances.get_mut(&(holder, receiver)));
            match introduction {
                Some(acquaintance) if !acquaintance.made => acquaintance.parked.push((steps + 1, offer)),
                _ => self.queue.push(steps + 1, offer),
            }
        }
    }
}

fn index(
    model: &Model,
    mut all: Vec<Holding>,
    mut premises: Vec<u32>,
    acquainted: HashSet<(ObjectId, ObjectId), RandomState>,
) -> Holdings {
    if all.iter().any(|holding| holding.rights.is_empty()) {
        let mut held = 0;
        let moved: Vec<u32> = all
            .iter()
            .map(|holding| match holding.rights.is_empty() {
                true => NOTHING,
                false => {
                    held += 1;
                    held - 1
                }
            })
            .collect();
        for premise in &mut premises {
            *premise = moved.get(*premise as usize).copied().unwrap_or(NOTHING);
        }
        all.retain(|holding| !holding.rights.is_empty());
    }
    let of = starts(model.objects.len(), all.iter().map(|holding| holding.holder.index()));
    let holders = grouped(model.capabilities.len(), all.iter().map(|holding| holding.capability.index()));
    Holdings { all, of, holders, premises, acquainted }
}

impl Holdings {
    /// Returns what was derived before: by holder, then capability, and for each rule instance the holding that it needs.
    ///
    /// Every rule instance of the model must derive something, so that whoever introduces somebody knows them.
    #[must_use]
    pub fn restored(model: &Model, all: Vec<Holding>, premises: impl Iterator<Item = Option<u32>>) -> Self {
        let introductions =
            model.derivations.iter().filter_map(|step| Some((step.from?.holder, step.introduces?)));
        let premises = premises.map(|premise| premise.unwrap_or(NOTHING)).collect();
        index(model, all, premises, introductions.collect())
    }

    /// Returns every holding, by the ids of holder and capability.
    #[must_use]
    pub fn all(&self) -> &[Holding] {
        &self.all
    }

    /// Returns what an object holds.
    #[must_use]
    pub fn of(&self, holder: ObjectId) -> &[Holding] {
        part(&self.all, &self.of, holder.index())
    }

    /// Returns who holds a capability.
    pub fn holders(&self, capability: CapId) -> impl Iterator<Item = &Holding> {
        let indices = part(&self.holders.0, &self.holders.1, capability.index());
        indices.iter().filter_map(|at| self.all.get(*at as usize))
    }

    /// Returns one holding.
    #[must_use]
    pub fn get(&self, holder: ObjectId, capability: CapId) -> Option<&Holding> {
        let of = self.of(holder);
        of.binary_search_by_key(&capability, |holding| holding.capability).ok().and_then(|at| of.get(at))
    }

    /// Returns the rights that a holder has of a capability.
    #[must_use]
    pub fn rights(&self, holder: ObjectId, capability: CapId) -> Rights {
        self.get(holder, capability).map_or(Rights::NONE, |holding| holding.rights)
    }

    /// Returns the rights that the granter of a rule instance has of what it hands on.
    #[must_use]
    pub fn rights_of_premise(&self, derivation: DerivationId) -> Rights {
        let premise = self.premises.get(derivation.0 as usize).and_then(|at| self.all.get(*at as usize));
        premise.map_or(Rights::NONE, |holding| holding.rights)
    }

    /// Returns whether `holder` holds some facet of `object`; only for pairs of which some grant needs it.
    #[must_use]
    pub fn knows(&self, holder: ObjectId, object: ObjectId) -> bool {
        self.acquainted.contains(&(holder, object))
    }

    /// Returns the derivation of one right, from an axiom or a creation to the holding.
    #[must_use]
    pub fn steps<'m>(&self, model: &'m Model, holding: &Holding, right: Rights) -> Vec<&'m Derivation> {
        let mut steps = Vec::new();
        let mut at = Some(holding);
        while let Some(derivation) = at.and_then(|holding| step(model, holding, right)) {
            // What was restored could lead round in a circle; nothing that is derived does.
            if steps.len() >= self.all.len() {
                break;
            }
            steps.push(derivation);
            at = derivation.from.and_then(|from| self.get(from.holder, from.capability));
        }
        steps.reverse();
        steps
    }

    /// Returns the last step of the derivation of the least right held.
    #[must_use]
    pub fn last_step<'m>(&self, model: &'m Model, holding: &Holding) -> Option<&'m Derivation> {
        step(model, holding, holding.rights)
    }

    /// Returns the derivation of the least right held.
    #[must_use]
    pub fn shortest<'m>(&self, model: &'m Model, holding: &Holding) -> Vec<&'m Derivation> {
        let least = holding.rights.each().next().unwrap_or(Kind::Facet.least());
        self.steps(model, holding, least)
    }
}

/// Returns the rule instance that settles the least of some rights.
fn step<'m>(model: &'m Model, holding: &Holding, rights: Rights) -> Option<&'m Derivation> {
    let settled = holding.provenance.get(rights.0.trailing_zeros() as usize)?;
    model.derivations.get(*settled as usize)
}

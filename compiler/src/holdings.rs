//! Who holds what: the least fixed point of the three rules, right by right, each right with its shortest derivation.
//!
//! A right is settled in the order of (steps, source place), so what settles it first is its provenance; a rule instance
//! fires only when both its premises are settled, so no provenance leads round in a circle. Linear but for the queue.

use crate::model::{CapId, Derivation, Kind, Model, ObjectId, Premise, Rights};
use crate::source::Span;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

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
    /// For each right, the rule instance that settles it.
    provenance: [Option<DerivationId>; MOST_RIGHTS],
}

/// Everything that is held.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    /// By holder, then capability.
    all: Vec<Holding>,
    /// For each holder the range in `all`.
    of: Vec<(u32, u32)>,
    /// For each capability the indices into `all`.
    holders: Vec<Vec<u32>>,
    /// Who holds some facet of whom.
    acquainted: HashSet<(ObjectId, ObjectId)>,
}

/// What may be settled next: the least comes first.
type Candidate = Reverse<(u32, Span, DerivationId, u8)>;

/// A derivation that waits for its granter to know the receiver.
struct Parked {
    steps: u32,
    derivation: DerivationId,
    right: u8,
}

struct Solver<'a> {
    model: &'a Model,
    nodes: HashMap<(ObjectId, CapId), usize>,
    holdings: Vec<Holding>,
    /// For each derivation the node that it derives.
    to: Vec<usize>,
    /// For each node the derivations that it is the main premise of.
    uses: Vec<Vec<DerivationId>>,
    known: HashMap<(ObjectId, ObjectId), Vec<Parked>>,
    acquainted: HashSet<(ObjectId, ObjectId)>,
    queue: BinaryHeap<Candidate>,
}

/// Derives all holdings of a model.
#[must_use]
pub fn derive(model: &Model) -> Holdings {
    let mut solver = Solver {
        model,
        nodes: HashMap::new(),
        holdings: Vec::new(),
        to: Vec::with_capacity(model.derivations.len()),
        uses: Vec::new(),
        known: HashMap::new(),
        acquainted: HashSet::new(),
        queue: BinaryHeap::new(),
    };
    for (index, derivation) in model.derivations.iter().enumerate() {
        let id = DerivationId(index as u32);
        let to = solver.node(derivation.holder, derivation.capability);
        solver.to.push(to);
        match derivation.from {
            Some(Premise { holder, capability }) => {
                let node = solver.node(holder, capability);
                if let Some(uses) = solver.uses.get_mut(node) {
                    uses.push(id);
                }
            }
            None => solver.offer(id, 1, derivation.rights),
        }
    }
    while let Some(Reverse((steps, _, derivation, right))) = solver.queue.pop() {
        solver.settle(steps, derivation, right);
    }
    index(model, solver.holdings, solver.acquainted)
}

impl Solver<'_> {
    fn node(&mut self, holder: ObjectId, capability: CapId) -> usize {
        let next = self.holdings.len();
        let node = *self.nodes.entry((holder, capability)).or_insert(next);
        if node == next {
            self.holdings.push(Holding {
                holder,
                capability,
                rights: Rights::NONE,
                provenance: [None; MOST_RIGHTS],
            });
            self.uses.push(Vec::new());
        }
        node
    }

    fn offer(&mut self, id: DerivationId, steps: u32, rights: Rights) {
        let Some(derivation) = self.model.derivations.get(id.0 as usize) else { return };
        let span = derivation.span;
        for bit in bits(rights.and(derivation.rights)) {
            self.queue.push(Reverse((steps, span, id, bit)));
        }
    }

    fn settle(&mut self, steps: u32, id: DerivationId, right: u8) {
        let model = self.model;
        let Some(derivation) = model.derivations.get(id.0 as usize) else { return };
        let Some(node) = self.to.get(id.0 as usize).copied() else { return };
        let Some(holding) = self.holdings.get_mut(node) else { return };
        let mask = Rights(1 << right);
        if holding.rights.contains(mask) {
            return;
        }
        holding.rights = holding.rights.or(mask);
        if let Some(place) = holding.provenance.get_mut(usize::from(right)) {
            *place = Some(id);
        }
        let holder = derivation.holder;
        if let Some(owner) = model.facet_owner(derivation.capability)
            && self.acquainted.insert((holder, owner))
        {
            for parked in self.known.remove(&(holder, owner)).into_iter().flatten() {
                self.offer(parked.derivation, parked.steps, Rights(1 << parked.right));
            }
        }
        let uses = self.uses.get_mut(node).map(std::mem::take).unwrap_or_default();
        for next in uses.iter().copied() {
            let Some(use_of) = model.derivations.get(next.0 as usize) else { continue };
            if !use_of.rights.contains(mask) {
                continue;
            }
            match use_of.introduces {
                Some(receiver) if !self.acquainted.contains(&(holder, receiver)) => {
                    let parked = Parked { steps: steps + 1, derivation: next, right };
                    self.known.entry((holder, receiver)).or_default().push(parked);
                }
                _ => self.offer(next, steps + 1, mask),
            }
        }
        if let Some(place) = self.uses.get_mut(node) {
            *place = uses;
        }
    }
}

fn bits(rights: Rights) -> impl Iterator<Item = u8> {
    (0..MOST_RIGHTS as u8).filter(move |bit| rights.0 & (1 << bit) != 0)
}

fn index(model: &Model, mut all: Vec<Holding>, acquainted: HashSet<(ObjectId, ObjectId)>) -> Holdings {
    all.retain(|holding| !holding.rights.is_empty());
    all.sort_by_key(|holding| (holding.holder, holding.capability));
    let mut of = vec![(0, 0); model.objects.len()];
    let mut holders = vec![Vec::new(); model.capabilities.len()];
    for (at, holding) in all.iter().enumerate() {
        let at = at as u32;
        if let Some(range) = of.get_mut(holding.holder.index()) {
            if range.0 == range.1 {
                *range = (at, at);
            }
            range.1 = at + 1;
        }
        if let Some(holders) = holders.get_mut(holding.capability.index()) {
            holders.push(at);
        }
    }
    Holdings { all, of, holders, acquainted }
}

impl Holdings {
    /// Returns every holding, by the ids of holder and capability.
    #[must_use]
    pub fn all(&self) -> &[Holding] {
        &self.all
    }

    /// Returns what an object holds.
    #[must_use]
    pub fn of(&self, holder: ObjectId) -> &[Holding] {
        let range = self.of.get(holder.index()).copied().unwrap_or((0, 0));
        self.all.get(range.0 as usize..range.1 as usize).unwrap_or(&[])
    }

    /// Returns who holds a capability.
    pub fn holders(&self, capability: CapId) -> impl Iterator<Item = &Holding> {
        let indices = self.holders.get(capability.index()).map_or(&[][..], Vec::as_slice);
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

    /// Returns whether `holder` holds some facet of `object`.
    #[must_use]
    pub fn knows(&self, holder: ObjectId, object: ObjectId) -> bool {
        self.acquainted.contains(&(holder, object))
    }

    /// Returns the derivation of one right, from an axiom or a creation to the holding.
    #[must_use]
    pub fn steps<'m>(&self, model: &'m Model, holding: &Holding, right: Rights) -> Vec<&'m Derivation> {
        let mut steps = Vec::new();
        let Some(bit) = bits(right).next() else { return steps };
        let mut at = Some(holding);
        while let Some(holding) = at {
            let id = holding.provenance.get(usize::from(bit)).copied().flatten();
            let Some(derivation) = id.and_then(|id| model.derivations.get(id.0 as usize)) else { break };
            steps.push(derivation);
            at = derivation.from.and_then(|from| self.get(from.holder, from.capability));
        }
        steps.reverse();
        steps
    }

    /// Returns the last step of the derivation of the least right held.
    #[must_use]
    pub fn last_step<'m>(&self, model: &'m Model, holding: &Holding) -> Option<&'m Derivation> {
        let bit = bits(holding.rights).next()?;
        let id = holding.provenance.get(usize::from(bit)).copied().flatten()?;
        model.derivations.get(id.0 as usize)
    }

    /// Returns the derivation of the least right held.
    #[must_use]
    pub fn shortest<'m>(&self, model: &'m Model, holding: &Holding) -> Vec<&'m Derivation> {
        let least = holding.rights.each().next().unwrap_or(Kind::Facet.least());
        self.steps(model, holding, least)
    }
}

//! Many assertions at once: 256 of them are carried through the condensed graph as the bits of one word, there and back.
//!
//! For each that holds the smaller of two closed sets is kept: those that could obtain the capability, or those that the subject
//! could reach. Assertions that come to the same set share it.

use super::Authority;
use super::condense::Condensed;
use super::edges::{Carries, Node};
use super::finder::{Finder, obtained};
use super::walk::Traversal;
use crate::model::{CapId, Level, Never, ObjectId, Only, Rights};
use std::collections::{BTreeMap, BTreeSet};

/// How many assertions go through the graph together.
const WIDTH: usize = 256;
type Mask = [u64; WIDTH / 64];
const NOBODY: Mask = [0; WIDTH / 64];

/// About whom something is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// That this subject cannot.
    Never(ObjectId),
    /// That no other subject can.
    Only(Vec<ObjectId>),
}

/// An assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whom it is about.
    pub who: Who,
    /// What cannot be obtained.
    pub capability: CapId,
    /// Any of these.
    pub rights: Rights,
    /// At which level.
    pub level: Level,
}

impl From<&Never> for Claim {
    fn from(never: &Never) -> Self {
        let Never { subject, capability, rights, level, .. } = *never;
        Self { who: Who::Never(subject), capability, rights, level }
    }
}

impl From<&Only> for Claim {
    fn from(only: &Only) -> Self {
        let Only { capability, rights, level, .. } = *only;
        let who = Who::Only(only.subjects.iter().map(|(subject, _)| *subject).collect());
        Self { who, capability, rights, level }
    }
}

/// What of a claim is true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Who could all the same, by name; the claim holds if there is none.
    pub offenders: Vec<ObjectId>,
    /// Of a claim that holds, the trusted ones without whose trust it would not, by name.
    pub rests_on: Vec<ObjectId>,
    /// Of a claim that holds, a closed set for each traversal: an index into [`Verdicts::sets`].
    pub proof: Vec<usize>,
}

/// On which side of a closed set the subject is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Outside: the set is of those that could obtain, and no edge leads into it.
    Obtaining,
    /// Inside: the set is of those that could be reached, and no edge leads out of it.
    Reached,
}

/// A set that no edge of a traversal leaves, or none enters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedSet {
    /// Along which edges.
    pub along: Carries,
    /// Which set.
    pub side: Side,
    /// Its nodes, by id.
    pub nodes: Vec<Node>,
}

/// What of some claims is true, with the sets that prove it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// One for each claim.
    pub verdicts: Vec<Verdict>,
    /// The sets, each proof of one or more.
    pub sets: Vec<ClosedSet>,
}

/// What makes two closed sets along one traversal the same.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Obtaining(CapId, Rights),
    Reached(ObjectId),
}

/// One claim along one traversal.
struct Job<'c> {
    at: usize,
    claim: &'c Claim,
    wanted: Rights,
}

impl Authority<'_> {
    /// Decides claims.
    #[must_use]
    pub fn decide(&self, claims: &[Claim]) -> Verdicts {
        let mut batch = Batch {
            authority: self,
            offenders: vec![BTreeSet::new(); claims.len()],
            rests_on: vec![BTreeSet::new(); claims.len()],
            proofs: vec![Vec::new(); claims.len()],
            sets: Vec::new(),
            known: BTreeMap::new(),
        };
        if claims.is_empty() {
            return Verdicts::default();
        }
        let finder = Finder::new(self);
        for along in [Carries::HOLD, Carries::LEARN, Carries::EFFECT] {
            let jobs: Vec<Job<'_>> = claims
                .iter()
                .enumerate()
                .filter_map(|(at, claim)| {
                    let kind = self.model.capability(claim.capability).kind;
                    let traversal = Traversal::of(claim.level, kind).find(|one| one.along == along)?;
                    let wanted = obtained(self, claim.capability, claim.rights, traversal);
                    (!wanted.is_empty()).then_some(Job { at, claim, wanted })
                })
                .collect();
            if jobs.is_empty() {
                continue;
            }
            let condensed = Condensed::new(self, along);
            for wave in jobs.chunks(WIDTH) {
                batch.wave(along, &condensed, &finder, wave);
            }
        }
        batch.verdicts()
    }
}

struct Batch<'a, 'm> {
    authority: &'a Authority<'m>,
    offenders: Vec<BTreeSet<ObjectId>>,
    rests_on: Vec<BTreeSet<ObjectId>>,
    proofs: Vec<Vec<usize>>,
    sets: Vec<ClosedSet>,
    known: BTreeMap<(Carries, Key), usize>,
}

impl Batch<'_, '_> {
    fn wave(&mut self, along: Carries, condensed: &Condensed, finder: &Finder, jobs: &[Job<'_>]) {
        let authority = self.authority;
        let subjects: Vec<ObjectId> =
            authority.model.objects().filter(|(_, object)| object.is_subject()).map(|(id, _)| id).collect();
        let count = condensed.count();
        let (mut obtaining, mut reached) = (vec![NOBODY; count], vec![NOBODY; count]);
        let mut others = NOBODY;
        let mut seeds: BTreeMap<(CapId, Rights, Level), Vec<ObjectId>> = BTreeMap::new();
        for (bit, job) in jobs.iter().enumerate() {
            let Claim { capability, level, .. } = *job.claim;
            let holders = seeds
                .entry((capability, job.wanted, level))
                .or_insert_with(|| finder.holders(authority, capability, job.wanted, level));
            for holder in holders {
                put(&mut obtaining, condensed.of(Node::from(*holder)), bit);
            }
            match &job.claim.who {
                Who::Never(subject) => put(&mut reached, condensed.of(Node::from(*subject)), bit),
                Who::Only(allowed) => {
                    set_bit(&mut others, bit);
                    for subject in subjects.iter().filter(|subject| !allowed.contains(subject)) {
                        put(&mut reached, condensed.of(Node::from(*subject)), bit);
                    }
                }
            }
        }
        for component in 0..count as u32 {
            let from_out =
                condensed.out(component).iter().fold(NOBODY, |sum, to| or(sum, of(&obtaining, *to)));
            add(&mut obtaining, component, from_out);
        }
        for component in (0..count as u32).rev() {
            let here = of(&reached, component);
            if here != NOBODY {
                for to in condensed.out(component) {
                    add(&mut reached, *to, here);
                }
            }
        }
        let could = |subject: ObjectId| of(&obtaining, condensed.of(Node::from(subject)));
        for (bit, job) in jobs.iter().enumerate() {
            if let Who::Never(subject) = job.claim.who
                && has_bit(&could(subject), bit)
                && let Some(offenders) = self.offenders.get_mut(job.at)
            {
                offenders.insert(subject);
            }
        }
        for subject in subjects.iter().filter(|_| others != NOBODY) {
            for bit in bits(and(could(*subject), others)) {
                if let Some(job) = jobs.get(bit)
                    && let Who::Only(allowed) = &job.claim.who
                    && !allowed.contains(subject)
                    && let Some(offenders) = self.offenders.get_mut(job.at)
                {
                    offenders.insert(*subject);
                }
            }
        }
        for edge in authority.cut.iter().filter(|edge| edge.carries.has(along)) {
            let through = and(of(&reached, condensed.of(edge.from)), of(&obtaining, condensed.of(edge.to)));
            for bit in bits(through) {
                if let (Some(job), Some(to)) = (jobs.get(bit), authority.object(edge.to))
                    && let Some(rests_on) = self.rests_on.get_mut(job.at)
                {
                    rests_on.insert(to);
                }
            }
        }
        self.prove(along, condensed, jobs, (&obtaining, &reached), others);
    }

    /// Keeps the smaller set of each claim that holds along this traversal.
    fn prove(
        &mut self,
        along: Carries,
        condensed: &Condensed,
        jobs: &[Job<'_>],
        (obtaining, reached): (&[Mask], &[Mask]),
        others: Mask,
    ) {
        let mut sizes = vec![(0u32, 0u32); WIDTH];
        for component in 0..condensed.count() as u32 {
            let size = condensed.members(component).len() as u32;
            for bit in bits(of(obtaining, component)) {
                if let Some(size_of) = sizes.get_mut(bit) {
                    size_of.0 += size;
                }
            }
            for bit in bits(of(reached, component)) {
                if let Some(size_of) = sizes.get_mut(bit) {
                    size_of.1 += size;
                }
            }
        }
        let mut wanted: [Mask; 2] = [NOBODY; 2];
        let mut set_of = vec![None; WIDTH];
        for (bit, (job, (obtain, reach))) in jobs.iter().zip(sizes).enumerate() {
            if self.offenders.get(job.at).is_none_or(|offenders| !offenders.is_empty()) {
                continue;
            }
            let (side, key) = match job.claim.who {
                Who::Never(subject) if reach < obtain && !has_bit(&others, bit) => {
                    (Side::Reached, Key::Reached(subject))
                }
                _ => (Side::Obtaining, Key::Obtaining(job.claim.capability, job.wanted)),
            };
            let next = self.sets.len();
            let set = *self.known.entry((along, key)).or_insert(next);
            if set == next {
                self.sets.push(ClosedSet { along, side, nodes: Vec::new() });
                if let (Some(mask), Some(place)) = (wanted.get_mut(side as usize), set_of.get_mut(bit)) {
                    set_bit(mask, bit);
                    *place = Some(set);
                }
            }
            if let Some(proof) = self.proofs.get_mut(job.at) {
                proof.push(set);
            }
        }
        let [obtain, reach] = wanted;
        for component in 0..condensed.count() as u32 {
            let here = or(and(of(obtaining, component), obtain), and(of(reached, component), reach));
            for bit in bits(here) {
                if let Some(set) = set_of.get(bit).copied().flatten().and_then(|set| self.sets.get_mut(set)) {
                    set.nodes.extend(condensed.members(component));
                }
            }
        }
    }

    fn verdicts(self) -> Verdicts {
        let model = self.authority.model;
        let by_name = |set: BTreeSet<ObjectId>| {
            let mut set: Vec<ObjectId> = set.into_iter().collect();
            set.sort_by(|a, b| model.object(*a).name.cmp(&model.object(*b).name));
            set
        };
        let mut verdicts = Vec::new();
        let mut sets: Vec<ClosedSet> = Vec::new();
        let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
        let mut all: Vec<Option<ClosedSet>> = self.sets.into_iter().map(Some).collect();
        for ((offenders, rests_on), proof) in self.offenders.into_iter().zip(self.rests_on).zip(self.proofs) {
            if !offenders.is_empty() {
                verdicts.push(Verdict { offenders: by_name(offenders), ..Verdict::default() });
                continue;
            }
            let mut keep = |set: usize| {
                *kept.entry(set).or_insert_with(|| {
                    if let Some(mut found) = all.get_mut(set).and_then(Option::take) {
                        found.nodes.sort_unstable();
                        sets.push(found);
                    }
                    sets.len() - 1
                })
            };
            let proof = proof.into_iter().map(&mut keep).collect();
            verdicts.push(Verdict { offenders: Vec::new(), rests_on: by_name(rests_on), proof });
        }
        Verdicts { verdicts, sets }
    }
}

fn of(masks: &[Mask], at: u32) -> Mask {
    masks.get(at as usize).copied().unwrap_or(NOBODY)
}

fn add(masks: &mut [Mask], at: u32, more: Mask) {
    if let Some(mask) = masks.get_mut(at as usize) {
        *mask = or(*mask, more);
    }
}

fn put(masks: &mut [Mask], at: u32, bit: usize) {
    if let Some(mask) = masks.get_mut(at as usize) {
        set_bit(mask, bit);
    }
}

fn set_bit(mask: &mut Mask, bit: usize) {
    if let Some(word) = mask.get_mut(bit / 64) {
        *word |= 1 << (bit % 64);
    }
}

fn has_bit(mask: &Mask, bit: usize) -> bool {
    mask.get(bit / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0)
}

fn or(a: Mask, b: Mask) -> Mask {
    let [a0, a1, a2, a3] = a;
    let [b0, b1, b2, b3] = b;
    [a0 | b0, a1 | b1, a2 | b2, a3 | b3]
}

fn and(a: Mask, b: Mask) -> Mask {
    let [a0, a1, a2, a3] = a;
    let [b0, b1, b2, b3] = b;
    [a0 & b0, a1 & b1, a2 & b2, a3 & b3]
}

fn bits(mask: Mask) -> impl Iterator<Item = usize> {
    mask.into_iter().enumerate().flat_map(|(at, word)| {
        std::iter::successors(Some(word), |word| Some(word & (word.wrapping_sub(1))))
            .take_while(|word| *word != 0)
            .map(move |word| at * 64 + word.trailing_zeros() as usize)
    })
}

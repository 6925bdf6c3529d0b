//! What is settled next: the least by (steps, source place, right).
//!
//! What is settled at one step offers what comes at the next, so a round is sorted and gone through. Only a grant that
//! waited for its granter to know the receiver comes late, with the steps of what it waited with.

use super::DerivationId;
use crate::model::Rights;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Rights that a rule instance would settle. Rule instances are numbered in the order of the source.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// The rule instance.
    pub derivation: DerivationId,
    /// Which rights.
    pub rights: Rights,
}

/// All offers that are still open.
#[derive(Default)]
pub struct Queue {
    steps: u32,
    /// This round's, sorted.
    round: Vec<Offer>,
    /// The first of them that is not settled in full.
    at: usize,
    /// The next round's, in no order.
    next: Vec<Offer>,
    late: BinaryHeap<Reverse<(u32, DerivationId, u8)>>,
}

impl Queue {
    /// Adds an offer; `steps` is at most one more than what was popped last.
    pub fn push(&mut self, steps: u32, offer: Offer) {
        if steps > self.steps {
            self.next.push(offer);
            return;
        }
        let bits = offer.rights.each().map(|right| right.0.trailing_zeros() as u8);
        self.late.extend(bits.map(|bit| Reverse((steps, offer.derivation, bit))));
    }

    /// Takes the least right of the least offer.
    pub fn pop(&mut self) -> Option<(u32, DerivationId, u8)> {
        if self.at == self.round.len() && self.late.is_empty() {
            self.begin_round();
        }
        let first = self.round.get_mut(self.at).map(|offer| {
            let bit = offer.rights.0.trailing_zeros() as u8;
            ((self.steps, offer.derivation, bit), offer)
        });
        match (first, self.late.peek()) {
            (Some((first, _)), Some(Reverse(late))) if *late < first => {}
            (Some((first, offer)), _) => {
                offer.rights = offer.rights.without(Rights(1 << first.2));
                if offer.rights.is_empty() {
                    self.at += 1;
                }
                return Some(first);
            }
            (None, _) => {}
        }
        self.late.pop().map(|Reverse(late)| late)
    }

    fn begin_round(&mut self) {
        self.steps += 1;
        self.at = 0;
        std::mem::swap(&mut self.round, &mut self.next);
        self.next.clear();
        self.round.sort_unstable();
        self.round.dedup_by(|next, first| {
            let same = next.derivation == first.derivation;
            if same {
                first.rights = first.rights.or(next.rights);
            }
            same
        });
        self.round.retain(|offer| !offer.rights.is_empty());
    }
}

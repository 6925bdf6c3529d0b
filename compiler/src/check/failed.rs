//! Rule instances that do not derive what their statement asks for, and which of them are causes and not consequences.
//!
//! What would be held if circles of statements justified themselves is the greatest fixed point of the same rules: what it
//! has beyond the least one is circular. What a failing statement was to bring is *claimed*: who lacks only that is a
//! consequence, and the report is about the other statement.

use super::circle::shortest_circle;
use crate::components::Components;
use crate::holdings::{DerivationId, Holdings};
use crate::model::{CapId, Derivation, Model, ObjectId, Rights, Statement};
use std::collections::{HashMap, HashSet};

/// Why a statement does not do what it says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The giver holds nothing of it.
    Unheld,
    /// The giver lacks these rights.
    Excess(Rights),
    /// The giver does not know the receiver.
    NoIntroduction,
}

/// The statements that fail.
pub struct Failed<'m> {
    /// Causes, in source order.
    pub causes: Vec<(&'m Derivation, Reason)>,
    /// Circles of statements that justify only each other: for each a shortest one, in order.
    pub circles: Vec<Vec<&'m Derivation>>,
}

/// Finds what fails, and why.
pub fn find<'m>(model: &'m Model, holdings: &Holdings) -> Failed<'m> {
    // The usual case: everything derives what it says, and there is nothing to look for.
    let mut all = model.derivations.iter().enumerate();
    let any_fails = all.any(|(at, derivation)| {
        fails(holdings, derivation, holdings.rights_of_premise(DerivationId(at as u32)))
    });
    if !any_fails {
        return Failed { causes: Vec::new(), circles: Vec::new() };
    }
    let claims = Claims::new(model, holdings);
    let claimed = claims.claimed();
    let circular = claims.circular();
    let at = |table: &[Rights], node: Option<u32>| {
        node.and_then(|node| table.get(node as usize).copied()).unwrap_or_default()
    };
    let knows = |table: &[Rights], holder: ObjectId, object: ObjectId| {
        claims
            .facets
            .get(&(holder, object))
            .into_iter()
            .flatten()
            .any(|node| !at(table, Some(*node)).is_empty())
    };
    let mut causes = Vec::new();
    for (derivation, from_node, _) in &claims.derivations {
        let had = claims.held_at(*from_node);
        let (Some(from), true) = (derivation.from, fails(holdings, derivation, had)) else { continue };
        let missing = missing(derivation, had);
        let (claimed_there, circular_there) = (at(&claimed, *from_node), at(&circular, *from_node));
        let elsewhere = claimed_there.or(circular_there);
        // A grant of whatever there is asks for nothing beyond what the granter was to have.
        let own = match derivation.exact || elsewhere.and(derivation.rights).is_empty() {
            true => missing.without(elsewhere),
            false => Rights::NONE,
        };
        if !own.is_empty() {
            let nothing = had.or(elsewhere).is_empty();
            causes.push((*derivation, if nothing { Reason::Unheld } else { Reason::Excess(own) }));
        }
        if let Some(object) = derivation.introduces
            && !holdings.knows(from.holder, object)
            && !knows(&claimed, from.holder, object)
            && !knows(&circular, from.holder, object)
        {
            causes.push((*derivation, Reason::NoIntroduction));
        }
    }
    Failed { causes, circles: claims.circles(holdings, &circular) }
}

/// Returns the rights that a statement asks in vain of a giver who has some of what it names.
fn missing(derivation: &Derivation, had: Rights) -> Rights {
    match derivation.exact || had.and(derivation.rights).is_empty() {
        true => derivation.rights.without(had),
        false => Rights::NONE,
    }
}

/// Returns whether a statement does not do what it says when its giver has these rights.
fn fails(holdings: &Holdings, derivation: &Derivation, had: Rights) -> bool {
    let Some(premise) = derivation.from.filter(|_| derivation.statement != Statement::Given) else {
        return false;
    };
    let unknown = derivation.introduces.is_some_and(|object| !holdings.knows(premise.holder, object));
    unknown || !missing(derivation, had).is_empty()
}

/// The rule instances over nodes: one for each pair of a holder and a capability.
struct Claims<'m> {
    /// Each rule instance with the nodes of its premise and of what it derives.
    derivations: Vec<(&'m Derivation, Option<u32>, u32)>,
    /// What is held.
    held: Vec<Rights>,
    /// For each node the instances that it is the premise of.
    uses: Vec<Vec<u32>>,
    /// The nodes of facets of an object, by holder and object.
    facets: HashMap<(ObjectId, ObjectId), Vec<u32>>,
    /// For each node whose facet it is.
    owner: Vec<Option<(ObjectId, ObjectId)>>,
    /// For each instance, whether it lies on a circle of names alone, without a grant: scopes attenuate what they have, and
    /// pass it to and fro. Each of them asks for rights and none brings any, so what it asks in vain is an excess.
    by_name: Vec<bool>,
}

impl<'m> Claims<'m> {
    fn new(model: &'m Model, holdings: &Holdings) -> Self {
        let mut nodes: HashMap<(ObjectId, CapId), u32> = HashMap::new();
        let mut claims = Self {
            derivations: Vec::new(),
            held: Vec::new(),
            uses: Vec::new(),
            facets: HashMap::new(),
            owner: Vec::new(),
            by_name: Vec::new(),
        };
        for derivation in &model.derivations {
            let mut node = |holder: ObjectId, capability: CapId| {
                *nodes.entry((holder, capability)).or_insert_with(|| {
                    let node = claims.held.len() as u32;
                    claims.held.push(holdings.rights(holder, capability));
                    claims.uses.push(Vec::new());
                    let owner = model.facet_owner(capability).map(|owner| (holder, owner));
                    if let Some(pair) = owner {
                        claims.facets.entry(pair).or_default().push(node);
                    }
                    claims.owner.push(owner);
                    node
                })
            };
            let to = node(derivation.holder, derivation.capability);
            let from = derivation.from.map(|from| node(from.holder, from.capability));
            let at = claims.derivations.len() as u32;
            if let Some(uses) = from.and_then(|from| claims.uses.get_mut(from as usize)) {
                uses.push(at);
            }
            claims.derivations.push((derivation, from, to));
        }
        claims.by_name = claims.circles_of_names();
        claims
    }

    fn circles_of_names(&self) -> Vec<bool> {
        let named = |(derivation, from, to): &(&Derivation, Option<u32>, u32)| {
            from.filter(|_| derivation.statement != Statement::Grants).map(|from| (from, *to))
        };
        let mut edges: Vec<Vec<u32>> = vec![Vec::new(); self.held.len()];
        for (from, to) in self.derivations.iter().filter_map(named) {
            if let Some(edges) = edges.get_mut(from as usize) {
                edges.push(to);
            }
        }
        let components = Components::of_lists(&edges);
        let round = |(from, to)| components.of(from) == components.of(to);
        self.derivations.iter().map(|one| named(one).is_some_and(round)).collect()
    }

    /// Returns the rights that an instance could bring: on a circle of names, only what is held.
    fn brought(&self, at: u32, alive: impl Fn(u32) -> Rights) -> Rights {
        let Some((derivation, from, _)) = self.derivations.get(at as usize) else { return Rights::NONE };
        match *from {
            None => derivation.rights,
            Some(_) if self.by_name.get(at as usize) == Some(&true) => {
                self.held_at(*from).and(derivation.rights)
            }
            Some(from) => alive(from).and(derivation.rights),
        }
    }

    fn held_at(&self, node: Option<u32>) -> Rights {
        node.and_then(|node| self.held.get(node as usize).copied()).unwrap_or_default()
    }

    /// Returns what each node was to hold by a statement that reports for itself, or lacks what another was to bring.
    fn claimed(&self) -> Vec<Rights> {
        let mut claimed = vec![Rights::NONE; self.held.len()];
        let mut work: Vec<u32> = Vec::new();
        for (derivation, _, to) in
            self.derivations.iter().filter(|(derivation, from, _)| derivation.exact || from.is_none())
        {
            claim(&mut claimed, *to, derivation.rights, &mut work);
        }
        // What is held is handed on where only the introduction lacks.
        for (derivation, from, to) in
            self.derivations.iter().filter(|(derivation, _, _)| derivation.introduces.is_some())
        {
            claim(&mut claimed, *to, self.held_at(*from).and(derivation.rights), &mut work);
        }
        self.hand_on(&mut claimed, &mut work);
        for (derivation, from, to) in &self.derivations {
            // A grant of whatever there is, of which there is nothing: it reports itself, and what it was to bring is unknown.
            let there = from
                .and_then(|from| claimed.get(from as usize).copied())
                .unwrap_or_default()
                .or(self.held_at(*from));
            if from.is_some() && there.and(derivation.rights).is_empty() {
                claim(&mut claimed, *to, derivation.rights, &mut work);
                self.hand_on(&mut claimed, &mut work);
            }
        }
        claimed
    }

    /// Hands claims on along grants of whatever there is.
    fn hand_on(&self, claimed: &mut [Rights], work: &mut Vec<u32>) {
        while let Some(node) = work.pop() {
            let rights = claimed.get(node as usize).copied().unwrap_or_default();
            for at in self.uses.get(node as usize).into_iter().flatten() {
                if let Some((derivation, _, to)) = self.derivations.get(*at as usize) {
                    claim(claimed, *to, rights.and(derivation.rights), work);
                }
            }
        }
    }

    /// Returns what each node would hold beyond what it holds if circles justified themselves: the greatest fixed point,
    /// found by taking away what nothing supports.
    fn circular(&self) -> Vec<Rights> {
        let mut greatest = Greatest::new(self);
        greatest.run();
        greatest.alive.iter().zip(&self.held).map(|(alive, held)| alive.without(*held)).collect()
    }

    /// Returns a shortest circle for each component of what is circular, unless somebody else was to bring it too.
    fn circles(&self, holdings: &Holdings, circular: &[Rights]) -> Vec<Vec<&'m Derivation>> {
        // Vertices: the nodes, and past them one for each pair of a holder and somebody whom it knows only by a circle.
        let is_circular = |node: u32| circular.get(node as usize).copied().unwrap_or_default();
        let mut edges: Vec<Vec<u32>> = vec![Vec::new(); self.held.len()];
        let mut labels: HashMap<(u32, u32), &'m Derivation> = HashMap::new();
        let mut pairs: HashMap<(ObjectId, ObjectId), u32> = HashMap::new();
        let mut from_outside: HashSet<u32> = HashSet::new();
        for (at, (derivation, from, to)) in self.derivations.iter().enumerate() {
            let wanted = is_circular(*to).and(derivation.rights);
            let (Some(from), Some(premise), false) = (*from, derivation.from, wanted.is_empty()) else {
                continue;
            };
            let by_name = self.by_name.get(at) == Some(&true);
            let round = if by_name { Rights::NONE } else { is_circular(from).and(wanted) };
            let there = self.held_at(Some(from)).and(wanted);
            let mut needs = Vec::new();
            if !round.is_empty() {
                needs.push(from);
            }
            if let Some(object) = derivation.introduces
                && !holdings.knows(premise.holder, object)
            {
                let pair = *pairs.entry((premise.holder, object)).or_insert_with(|| {
                    let facets = self.facets.get(&(premise.holder, object)).into_iter().flatten();
                    edges.push(facets.copied().filter(|node| !is_circular(*node).is_empty()).collect());
                    edges.len() as u32 - 1
                });
                if edges.get(pair as usize).is_some_and(Vec::is_empty) {
                    // It fails of itself, and reports that.
                    from_outside.insert(*to);
                    continue;
                }
                needs.push(pair);
            }
            if round.or(there).is_empty() {
                if derivation.exact || self.held_at(Some(from)).or(is_circular(from)).is_empty() {
                    from_outside.insert(*to);
                }
                continue;
            }
            for need in needs {
                labels.entry((*to, need)).or_insert(derivation);
                if let Some(edges) = edges.get_mut(*to as usize) {
                    edges.push(need);
                }
            }
        }
        let mut circles: Vec<Vec<&Derivation>> = Vec::new();
        for component in Components::of_lists(&edges).all() {
            if component.iter().any(|vertex| from_outside.contains(vertex)) {
                continue;
            }
            let local = |vertex: &u32| component.binary_search(vertex).ok().map(|at| at as u32);
            let targets =
                |vertex: &u32| edges.get(*vertex as usize).into_iter().flatten().filter_map(local).collect();
            let inside: Vec<Vec<u32>> = component.iter().map(targets).collect();
            let circle = shortest_circle(&inside);
            let vertices: Vec<u32> =
                circle.iter().filter_map(|at| component.get(*at as usize).copied()).collect();
            let mut statements: Vec<&Derivation> = Vec::new();
            for (from, to) in vertices.iter().zip(vertices.iter().cycle().skip(1)) {
                if let Some(label) = labels.get(&(*from, *to))
                    && !statements.iter().any(|known| known.span == label.span)
                {
                    statements.push(label);
                }
            }
            // From premise to conclusion, beginning with the first in the source.
            statements.reverse();
            let first = statements
                .iter()
                .enumerate()
                .min_by_key(|(_, statement)| statement.span)
                .map_or(0, |(at, _)| at);
            statements.rotate_left(first);
            if !statements.is_empty() {
                circles.push(statements);
            }
        }
        circles.sort_by_key(|circle| circle.iter().map(|statement| statement.span).min());
        circles
    }
}

fn claim(claimed: &mut [Rights], node: u32, rights: Rights, work: &mut Vec<u32>) {
    if let Some(known) = claimed.get_mut(node as usize)
        && !known.contains(rights)
    {
        *known = known.or(rights);
        work.push(node);
    }
}

/// What is left of everything that any statement was to bring.
struct Greatest<'a> {
    claims: &'a Claims<'a>,
    alive: Vec<Rights>,
    /// For each node and right how many live instances support it.
    support: Vec<[u32; 8]>,
    /// How many live facet nodes there are, by holder and object.
    known: HashMap<(ObjectId, ObjectId), u32>,
    /// The instances that need somebody to be known.
    introductions: HashMap<(ObjectId, ObjectId), Vec<u32>>,
    /// The instances whose granter does not know the receiver.
    dead: Vec<bool>,
    work: Vec<(u32, Rights)>,
}

impl<'a> Greatest<'a> {
    fn new(claims: &'a Claims<'a>) -> Self {
        let mut alive = vec![Rights::NONE; claims.held.len()];
        for (derivation, _, to) in &claims.derivations {
            if let Some(alive) = alive.get_mut(*to as usize) {
                *alive = alive.or(derivation.rights);
            }
        }
        let mut known: HashMap<(ObjectId, ObjectId), u32> = HashMap::new();
        for (owner, alive) in claims.owner.iter().zip(&alive) {
            if let (Some(pair), false) = (owner, alive.is_empty()) {
                *known.entry(*pair).or_default() += 1;
            }
        }
        let mut introductions: HashMap<(ObjectId, ObjectId), Vec<u32>> = HashMap::new();
        for (at, (derivation, _, _)) in claims.derivations.iter().enumerate() {
            if let (Some(from), Some(object)) = (derivation.from, derivation.introduces) {
                introductions.entry((from.holder, object)).or_default().push(at as u32);
            }
        }
        let dead = claims.derivations.iter().map(|(derivation, _, _)| {
            match (derivation.from, derivation.introduces) {
                (Some(from), Some(object)) => !known.contains_key(&(from.holder, object)),
                _ => false,
            }
        });
        let dead = dead.collect();
        let support = vec![[0; 8]; alive.len()];
        Self { claims, alive, support, known, introductions, dead, work: Vec::new() }
    }

    fn run(&mut self) {
        for at in 0..self.claims.derivations.len() as u32 {
            if let Some((_, _, to)) = self.claims.derivations.get(at as usize) {
                let rights = self.claims.brought(at, |from| self.alive_at(from));
                if self.dead.get(at as usize) == Some(&false) {
                    for right in rights.each() {
                        if let Some(support) = support_of(&mut self.support, *to, right) {
                            *support += 1;
                        }
                    }
                }
            }
        }
        for node in 0..self.alive.len() as u32 {
            for right in self.alive_at(node).each() {
                if support_of(&mut self.support, node, right).is_some_and(|support| *support == 0) {
                    self.work.push((node, right));
                }
            }
        }
        while let Some((node, right)) = self.work.pop() {
            self.remove(node, right);
        }
    }

    fn alive_at(&self, node: u32) -> Rights {
        self.alive.get(node as usize).copied().unwrap_or_default()
    }

    fn remove(&mut self, node: u32, right: Rights) {
        let claims = self.claims;
        let Some(alive) = self.alive.get_mut(node as usize).filter(|alive| alive.contains(right)) else {
            return;
        };
        *alive = alive.without(right);
        let is_empty = alive.is_empty();
        for at in claims.uses.get(node as usize).into_iter().flatten() {
            // What is held is never taken away, and nothing else counts along a circle of names.
            if self.dead.get(*at as usize) == Some(&false) && claims.by_name.get(*at as usize) == Some(&false)
            {
                self.lose(*at, right);
            }
        }
        let Some(pair) = claims.owner.get(node as usize).copied().flatten().filter(|_| is_empty) else {
            return;
        };
        let Some(known) = self.known.get_mut(&pair) else { return };
        *known -= 1;
        if *known > 0 {
            return;
        }
        for at in self.introductions.get(&pair).cloned().unwrap_or_default() {
            if let Some(dead) = self.dead.get_mut(at as usize)
                && !std::mem::replace(dead, true)
                && let Some((_, Some(from), _)) = claims.derivations.get(at as usize)
            {
                self.lose(at, self.alive_at(*from));
            }
        }
    }

    /// Takes an instance's support of some rights away.
    fn lose(&mut self, at: u32, rights: Rights) {
        let Some((derivation, _, to)) = self.claims.derivations.get(at as usize) else { return };
        for right in rights.and(derivation.rights).each() {
            if let Some(support) = support_of(&mut self.support, *to, right) {
                *support = support.saturating_sub(1);
                if *support == 0 {
                    self.work.push((*to, right));
                }
            }
        }
    }
}

fn support_of(support: &mut [[u32; 8]], node: u32, right: Rights) -> Option<&mut u32> {
    support.get_mut(node as usize)?.get_mut(right.0.trailing_zeros() as usize)
}

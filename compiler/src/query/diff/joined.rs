//! Which subjects can reach whose authority on one side alone, by the edits that join them.
//!
//! Reachability is compared only where the edges differ: an edge that the other side lacks joins all who reach its
//! beginning with all whom its end reaches, and those pairs that were joined before are taken away again as far as sets can say it.

use super::held::Causes;
use super::shared::{Numbers, Shared};
use super::{Edit, Joined, Side};
use crate::authority::{Authority, Carries, Edge, EdgeRule, Graph, Marks, Node, Through, Towards};
use crate::model::{FacetId, ObjectId, SYSTEM, Target};
use crate::source::Span;
use foldhash::fast::RandomState;
use std::cell::LazyCell;
use std::collections::{BTreeMap, HashSet};

/// How many edges all searches together may look at before what is left becomes one group.
const MOST_EFFORT: u64 = 20_000_000;
/// Up to how many subjects are asked one by one what they reached before.
const FEW: usize = 16;

type Numbered<'s, 'a> = (&'s Side<'a>, &'s Numbers);

/// Returns the groups that edits join on our side alone.
pub fn joined(ours: Numbered<'_, '_>, theirs: Numbered<'_, '_>, causes: &Causes) -> Vec<Joined> {
    let mut joiner = Joiner {
        ours,
        theirs,
        marks: Marks::new(ours.0.authority),
        their_marks: Marks::new(theirs.0.authority),
        statements: LazyCell::new(Box::new(move || statements(theirs))),
        causes,
        found: BTreeMap::new(),
    };
    let fresh = fresh_edges(ours, theirs);
    for along in [Carries::HOLD, Carries::LEARN, Carries::EFFECT] {
        joiner.edges(&fresh, along);
    }
    joiner.exposures();
    joiner.finish()
}

/// Returns the edges that lead where the other side has none, with the traversals along which that is so.
pub fn fresh_edges<'a>(ours: Numbered<'_, 'a>, theirs: Numbered<'_, '_>) -> Vec<(&'a Edge, Carries)> {
    let ends = |numbers: &Numbers, edge: &Edge| (numbers.node(edge.from.0), numbers.node(edge.to.0));
    let mut there: Vec<((Shared, Shared), Carries)> =
        theirs.0.authority.edges.iter().map(|edge| (ends(theirs.1, edge), edge.carries)).collect();
    there.sort_unstable();
    let carried = |key: (Shared, Shared)| {
        let from = there.partition_point(|(known, _)| *known < key);
        let same = there.get(from..).unwrap_or(&[]).iter().take_while(|(known, _)| *known == key);
        same.fold(Carries::NONE, |sum, (_, carries)| sum.or(*carries))
    };
    let edges = ours.0.authority.edges.iter();
    edges
        .filter_map(|edge| {
            let new = edge.carries.without(carried(ends(ours.1, edge)));
            (new != Carries::NONE).then_some((edge, new))
        })
        .collect()
}

/// What is written on one side, by whom it is about, so that what moved or was formatted is found again.
type Statements = HashSet<(Shared, String), RandomState>;

fn statements((side, numbers): Numbered<'_, '_>) -> Statements {
    let authority = side.authority;
    let mut statements = Statements::default();
    for (id, object) in authority.model.objects().filter(|(_, object)| object.is_subject()) {
        let shared = numbers.object(id);
        let mut add = |span: Span| statements.insert((shared, words(side, span)));
        authority.held(id).iter().for_each(|held| {
            add(held.span);
        });
        if let Some(service) = object.process() {
            service.facets.iter().for_each(|facet| {
                add(authority.model.facet(*facet).span);
            });
            service.identity.iter().for_each(|(_, span)| {
                add(*span);
            });
            service.argument_paths.iter().for_each(|path| {
                add(path.span);
            });
        }
        add(object.span);
    }
    statements
}

fn words(side: &Side<'_>, span: Span) -> String {
    side.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Who can newly reach whom.
struct Group {
    from: Vec<String>,
    to: Vec<String>,
}

/// Groups with the edit that joins them: along which traversals, and by which step.
type Found = BTreeMap<(Edit, Vec<String>, Vec<String>), (Carries, String)>;

struct Joiner<'s, 'a> {
    ours: Numbered<'s, 'a>,
    theirs: Numbered<'s, 'a>,
    marks: Marks,
    their_marks: Marks,
    /// What the other side writes: asked for when no new holding explains an edge.
    statements: LazyCell<Statements, Box<dyn FnOnce() -> Statements + 's>>,
    causes: &'s Causes,
    found: Found,
}

impl<'a> Joiner<'_, 'a> {
    fn edges(&mut self, fresh: &[(&'a Edge, Carries)], along: Carries) {
        let authority = self.ours.0.authority;
        let mut explained: Vec<(Edit, String, &Edge)> = Vec::new();
        let mut others: Vec<&Edge> = Vec::new();
        for (edge, new) in fresh.iter().filter(|(edge, _)| edge.from != Node::from(crate::model::RECONFIGURE))
        {
            if new.has(along) {
                match self.explanation(edge) {
                    Some((edit, why)) => explained.push((edit, why, edge)),
                    None => others.push(edge),
                }
            }
        }
        explained.sort_by(|(a, _, x), (b, _, y)| {
            a.cmp(b).then_with(|| {
                let names = |edge: &Edge| (authority.name(edge.from), authority.name(edge.to), edge.rule);
                names(x).cmp(&names(y))
            })
        });
        let mut rest: Vec<(Edit, &Edge)> = Vec::new();
        for (edit, why, edge) in explained {
            if self.is_tired() {
                rest.push((edit, edge));
                continue;
            }
            if let Some(group) = self.group(&[edge.from], &[edge.to], along) {
                let sentence = format!("{}{why}", self.sentence(edge, along, &group));
                self.add(edit, group, along, sentence);
            }
        }
        for edge in others {
            if self.is_tired() {
                rest.push((self.ours.0.edit(edge.span), edge));
                continue;
            }
            if let Some(group) = self.group(&[edge.from], &[edge.to], along)
                && !self.is_known(&group, along)
            {
                let sentence = self.sentence(edge, along, &group);
                self.add(self.ours.0.edit(edge.span), group, along, sentence);
            }
        }
        let from: Vec<Node> = rest.iter().map(|(_, edge)| edge.from).collect();
        let to: Vec<Node> = rest.iter().map(|(_, edge)| edge.to).collect();
        if let Some(edit) = rest.iter().map(|(edit, _)| edit).min().cloned()
            && let Some(group) = self.group(&from, &to, along)
        {
            self.add(edit, group, along, format!("{} further new edges, taken as one", rest.len()));
        }
    }

    /// Returns what leads over an edge from one group to the other.
    fn sentence(&self, edge: &Edge, along: Carries, group: &Group) -> String {
        let authority = self.ours.0.authority;
        let name = |id: ObjectId| self.ours.0.name(id);
        let is_from = |id: ObjectId| group.from.binary_search(&name(id)).is_ok();
        let is_to = |id: ObjectId| group.to.binary_search(&name(id)).is_ok();
        let hop = authority.hop_over(edge, along, &is_from, &is_to);
        let hop = hop.or_else(|| authority.hop_over(edge, along, &|_| true, &|_| true));
        hop.and_then(|hop| authority.step(&hop)).map_or_else(String::new, |step| step.text)
    }

    fn is_tired(&self) -> bool {
        self.marks.effort + self.their_marks.effort > MOST_EFFORT
    }

    fn is_known(&self, group: &Group, along: Carries) -> bool {
        let within = |few: &[String], many: &[String]| few.iter().all(|one| many.binary_search(one).is_ok());
        self.found.iter().any(|((_, from, to), (carries, _))| {
            carries.has(along) && within(&group.from, from) && within(&group.to, to)
        })
    }

    fn add(&mut self, edit: Edit, group: Group, along: Carries, sentence: String) {
        let entry =
            self.found.entry((edit, group.from, group.to)).or_insert_with(|| (Carries::NONE, sentence));
        entry.0 = entry.0.or(along);
    }

    /// Returns the edit behind an edge, and what it says beyond its words: a new holding's edit, a statement that the other
    /// side lacks, trust that is gone, or a facet that has changed.
    fn explanation(&self, edge: &Edge) -> Option<(Edit, String)> {
        let (side, numbers) = self.ours;
        let authority = side.authority;
        let ends: Vec<ObjectId> =
            [edge.from, edge.to].into_iter().filter_map(|node| authority.object(node)).collect();
        if let Some(edit) = ends.iter().find_map(|end| self.causes.get(&(*end, edge.span))) {
            return Some((edit.clone(), String::new()));
        }
        let is_new =
            |end: &ObjectId| !self.statements.contains(&(numbers.object(*end), words(side, edge.span)));
        let speaker = match edge.rule {
            EdgeRule::Pass => ends.last(),
            _ => ends.first(),
        };
        if speaker.is_some_and(is_new) {
            return Some((side.edit(edge.span), String::new()));
        }
        if edge.relayed
            && let Some(object) = authority.object(edge.to)
            && self.was_trusted(object)
        {
            let why = format!(", as `{}` is no longer trusted", side.name(object));
            return Some((side.edit(authority.model.object(object).span), why));
        }
        let services = ends.iter().filter_map(|end| Some((*end, authority.model.object(*end).process()?)));
        let mut facets = services.flat_map(|(end, service)| service.facets.iter().map(move |id| (end, *id)));
        let changed = facets.find(|(end, id)| self.has_changed(*end, *id))?;
        Some((side.edit(authority.model.facet(changed.1).span), String::new()))
    }

    /// Returns whether the other side has a facet otherwise: over another transport, or for data only.
    fn has_changed(&self, owner: ObjectId, facet: FacetId) -> bool {
        let facet = self.ours.0.authority.model.facet(facet);
        let model = self.theirs.0.authority.model;
        let there = self.theirs.1.own_object(self.ours.1.object(owner));
        let service = there.and_then(|id| model.object(id).process());
        let mut others = service.into_iter().flat_map(|service| &service.facets).map(|id| model.facet(*id));
        let other = others.find(|other| other.name == facet.name);
        other.is_none_or(|other| {
            let transport = std::mem::discriminant(&other.transport);
            (other.data_only, transport) != (facet.data_only, std::mem::discriminant(&facet.transport))
        })
    }

    fn was_trusted(&self, object: ObjectId) -> bool {
        let before = self.theirs.1.own_object(self.ours.1.object(object));
        before.is_some_and(|id| self.theirs.0.authority.model.is_trusted(id, SYSTEM))
    }

    /// Returns the pairs of those who reach some nodes and those whom others reach, without those joined before.
    fn group(&mut self, tails: &[Node], heads: &[Node], along: Carries) -> Option<Group> {
        let (side, _) = self.ours;
        let authority = side.authority;
        // A way over the edge comes by each of its ends once: not by its end before, and not by its beginning after.
        let (no_head, no_tail) = if tails.len() == 1 { (heads, tails) } else { (&[][..], &[][..]) };
        let reaching = authority.closure_without(&mut self.marks, tails, no_head, along, Towards::Reaching);
        let mut from = authority.powers(&reaching);
        from.retain(|id| *id != crate::model::RECONFIGURE);
        let reached = authority.closure_without(&mut self.marks, heads, no_tail, along, Towards::Reached);
        let mut to = authority.powers(&reached);
        if let ([tail], true) = (tails, from.len() > FEW) {
            // Whom the edge's own beginning reached before, everybody who reached that did.
            let before = self.there(*tail).map(|node| self.before(node, along, Towards::Reached));
            let before = before.unwrap_or_default();
            to.retain(|id| !before.contains(id));
        }
        if from.len() <= FEW {
            let before: Vec<(ObjectId, HashSet<ObjectId, RandomState>)> =
                from.iter().map(|id| (*id, self.before_of(*id, along, Towards::Reached))).collect();
            to.retain(|to| before.iter().any(|(from, known)| from != to && !known.contains(to)));
        }
        if to.len() <= FEW {
            let before: Vec<(ObjectId, HashSet<ObjectId, RandomState>)> =
                to.iter().map(|id| (*id, self.before_of(*id, along, Towards::Reaching))).collect();
            from.retain(|from| before.iter().any(|(to, known)| from != to && !known.contains(from)));
        }
        let names = |ids: Vec<ObjectId>| ids.into_iter().map(|id| side.name(id)).collect::<Vec<_>>();
        (!from.is_empty() && !to.is_empty()).then(|| Group { from: names(from), to: names(to) })
    }

    fn there(&self, node: Node) -> Option<Node> {
        self.theirs.1.own_node(self.ours.1.node(node.0)).map(Node)
    }

    /// Returns whom something reached on the other side, or who reached it, under our ids.
    fn before_of(
        &mut self,
        object: ObjectId,
        along: Carries,
        towards: Towards,
    ) -> HashSet<ObjectId, RandomState> {
        self.there(object.into()).map(|node| self.before(node, along, towards)).unwrap_or_default()
    }

    fn before(&mut self, node: Node, along: Carries, towards: Towards) -> HashSet<ObjectId, RandomState> {
        let authority: &Authority<'_> = self.theirs.0.authority;
        let nodes = authority.closure(&mut self.their_marks, &[node], along, towards);
        let found = nodes.into_iter().filter_map(|node| authority.object(node));
        found.filter_map(|id| self.ours.1.own_object(self.theirs.1.object(id))).collect()
    }

    /// What trusted objects newly expose joins their users with them, though no edge leads there.
    fn exposures(&mut self) {
        let (side, numbers) = self.ours;
        let authority = side.authority;
        let model = authority.model;
        let mut fresh = Vec::new();
        for (id, _) in model.objects().filter(|(_, object)| object.is_subject()) {
            for held in authority.held(id) {
                let (Through::Exposed(facet), Some(capability)) = (held.through, held.capability) else {
                    continue;
                };
                let there = self.theirs.1.own_object(numbers.object(id));
                let known = self.theirs.1.own_capability(numbers.capability(capability));
                let before = there.into_iter().flat_map(|id| self.theirs.0.authority.held(id));
                let before = before.filter(|held| held.capability == known && known.is_some());
                let rights = before.fold(crate::model::Rights::NONE, |sum, held| sum.or(held.rights));
                if !rights.contains(held.rights) {
                    let exposed = model.capability(capability);
                    let rights: Vec<&str> = exposed.kind.words(held.rights).collect();
                    fresh.push((id, facet, held.span, format!("{} {}", exposed.name, rights.join(" "))));
                }
            }
        }
        for (holder, facet, span, what) in fresh {
            let facet = model.facet(facet);
            if self.is_tired()
                || self.before_of(holder, Carries::LEARN, Towards::Reached).contains(&facet.owner)
            {
                continue;
            }
            let by_holding = authority.held(holder).iter().find_map(|held| {
                let target = model.capability(held.capability?).target;
                let through = matches!(target, Target::Facet(id) if model.facet(id).span == facet.span);
                self.causes.get(&(holder, held.span)).filter(|_| through)
            });
            let edit = by_holding.cloned().unwrap_or_else(|| side.edit(span));
            let (user, owner) = (side.name(holder), side.name(facet.owner));
            let sentence = format!(
                "`{owner}`, which is trusted, exposes `{what}` to `{user}` through `{owner}.{}`",
                facet.name
            );
            let nodes =
                authority.closure(&mut self.marks, &[holder.into()], Carries::LEARN, Towards::Reaching);
            let mut from = authority.powers(&nodes);
            from.retain(|id| *id != crate::model::RECONFIGURE && *id != facet.owner);
            let from = from.into_iter().map(|id| side.name(id)).collect();
            self.add(edit, Group { from, to: vec![owner] }, Carries::REACH, sentence);
        }
    }

    fn finish(self) -> Vec<Joined> {
        let entries = self.found.into_iter();
        entries
            .map(|((edit, from, to), (carries, sentence))| Joined {
                edit,
                from,
                to,
                carries: carries.words().collect(),
                sentence,
            })
            .collect()
    }
}

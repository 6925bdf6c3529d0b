//! Which holdings one side has and the other does not, each with the edit that brought it.

use super::shared::{Numbers, Shared, same_path, same_thing};
use super::{Change, Edit, Side, Through};
use crate::authority::{Carries, Graph, Marks, Node, Towards, effecting, learning};
use crate::model::{CapId, Derivation, Kind, ObjectId, Rights, Rule, Statement, path_contains};
use crate::query::StepAnswer;
use crate::source::Span;
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap};

/// For the statements that bring new holdings to somebody, the edit behind them.
pub type Causes = HashMap<(ObjectId, Span), Edit, RandomState>;

/// For how many new holdings it is said who else comes by them.
const MOST_THROUGH: usize = 64;

type Numbered<'s, 'a> = (&'s Side<'a>, &'s Numbers);

/// Returns what subjects hold on our side and not on theirs.
pub fn changes(ours: Numbered<'_, '_>, theirs: Numbered<'_, '_>) -> (Vec<Change>, Causes) {
    let mut causes = Causes::default();
    let mut changes = Vec::new();
    let (side, numbers) = ours;
    let model = side.authority.model;
    for holding in side.authority.holdings.all() {
        let (holder, capability) = (holding.holder, holding.capability);
        if !model.object(holder).is_subject() {
            continue;
        }
        // A facet that its object made gives it nothing; its `control` or `launch` comes to it as to anybody else.
        let is_own = model.facet_owner(capability) == Some(holder);
        let last = || side.authority.holdings.last_step(model, holding);
        if is_own && last().is_some_and(|step| step.rule == Rule::Creation) {
            continue;
        }
        let known = model.capability(capability);
        let (before, same) =
            held_there(theirs, ours, numbers.object(holder), numbers.capability(capability), capability);
        let more = if same { holding.rights.without(before) } else { holding.rights };
        if more.is_empty() {
            continue;
        }
        // Rights that come by one derivation are one change.
        let mut ways: BTreeMap<Vec<Span>, Rights> = BTreeMap::new();
        for right in more.each() {
            let steps = side.authority.holdings.steps(model, holding, right);
            let way = ways.entry(steps.iter().map(|step| step.span).collect()).or_default();
            *way = way.or(right);
        }
        for rights in ways.into_values() {
            let right = rights.each().next().unwrap_or_default();
            let steps = side.authority.holdings.steps(model, holding, right);
            let news: Vec<News> = steps.iter().map(|step| news(step, right, ours, theirs)).collect();
            let edit = side.edit(cause(&steps, &news).unwrap_or(model.object(holder).span));
            if let Some(last) = steps.last() {
                causes.entry((holder, last.span)).or_insert_with(|| edit.clone());
            }
            changes.push(Change {
                object: side.name(holder),
                capability: known.name.to_string(),
                rights: known.kind.words(rights).collect(),
                level: "direct",
                steps: steps.iter().map(|step| side.step(&side.authority.derived(step))).collect(),
                kept: known.kind.words(if same { before } else { Rights::NONE }).collect(),
                place: (!same && !before.is_empty()).then(|| stands_for(side, capability)),
                fresh: steps
                    .iter()
                    .zip(&news)
                    .map(|(step, news)| *news == News::New && step.statement != Statement::Given)
                    .collect(),
                through: None,
                edit,
            });
            if changes.len() <= MOST_THROUGH
                && let Some(change) = changes.last_mut()
            {
                change.through = Some(through(side, holder, known.kind, rights));
            }
        }
    }
    changes.extend(own(ours, theirs));
    (changes, causes)
}

/// Returns the rights that the other side has under the same names, and whether they are of the same thing.
fn held_there(
    theirs: Numbered<'_, '_>,
    ours: Numbered<'_, '_>,
    holder: Shared,
    capability: Shared,
    own: CapId,
) -> (Rights, bool) {
    let (side, numbers) = theirs;
    let (Some(holder), Some(capability)) = (numbers.own_object(holder), numbers.own_capability(capability))
    else {
        return (Rights::NONE, true);
    };
    let rights = side.authority.holdings.rights(holder, capability);
    (rights, rights.is_empty() || same_thing(side, capability, ours.0, own))
}

/// What is new about a step of a derivation.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum News {
    /// Nothing.
    None,
    /// The other side holds something else under that name.
    Moved,
    /// The other side does not hold it.
    New,
}

fn news(step: &Derivation, right: Rights, ours: Numbered<'_, '_>, theirs: Numbered<'_, '_>) -> News {
    let (holder, capability) = (ours.1.object(step.holder), ours.1.capability(step.capability));
    match held_there(theirs, ours, holder, capability, step.capability) {
        (before, _) if !before.contains(right) => News::New,
        (_, false) => News::Moved,
        (_, true) => News::None,
    }
}

/// Returns the statement that makes the difference: the first new one that somebody wrote to hand something on, or else
/// the declaration that changed.
fn cause(steps: &[&Derivation], news: &[News]) -> Option<Span> {
    let given = |step: &Derivation| step.rule == Rule::Axiom || step.statement == Statement::Given;
    let all = || steps.iter().zip(news);
    let handed = all().find(|(step, news)| **news == News::New && !given(step));
    let found = handed
        .or_else(|| all().find(|(_, news)| **news == News::Moved))
        .or_else(|| all().find(|(_, news)| **news == News::New));
    found.map(|(step, _)| step.span).or(steps.last().map(|step| step.span))
}

/// Returns what a capability's name stands for.
fn stands_for(side: &Side<'_>, capability: CapId) -> String {
    let model = side.authority.model;
    if let Some(path) = crate::authority::path_of(model, capability) {
        return format!("`{path}`");
    }
    match crate::authority::address_of(model, capability) {
        Some(crate::model::Address::Ip { host, port, .. }) => format!("`{host}:{port}`"),
        _ => "something else".to_owned(),
    }
}

/// Returns who else comes by what somebody holds.
fn through(side: &Side<'_>, holder: ObjectId, kind: Kind, rights: Rights) -> Through {
    let mut marks = Marks::new(side.authority);
    let mut reaching = |along: &[Carries]| {
        let mut found: Vec<ObjectId> = Vec::new();
        for along in along {
            let nodes = side.authority.closure(&mut marks, &[Node::from(holder)], *along, Towards::Reaching);
            found.extend(side.authority.powers(&nodes));
        }
        let others = found.into_iter().filter(|id| *id != holder && *id != crate::model::RECONFIGURE);
        let mut names: Vec<String> = others.map(|id| side.name(id)).collect();
        names.sort();
        names.dedup();
        names
    };
    let hold = reaching(&[Carries::HOLD]);
    let mut alongs = Vec::new();
    if !rights.and(learning(kind)).is_empty() {
        alongs.push(Carries::LEARN);
    }
    if !rights.and(effecting(kind)).is_empty() {
        alongs.push(Carries::EFFECT);
    }
    let mut reach = reaching(&alongs);
    reach.retain(|name| hold.binary_search(name).is_err());
    Through { hold, reach }
}

/// Returns the configurations and images outside the `code` roots that services are made of on our side alone.
fn own(ours: Numbered<'_, '_>, theirs: Numbered<'_, '_>) -> Vec<Change> {
    let (side, numbers) = ours;
    let model = side.authority.model;
    let mut changes = Vec::new();
    let made = model.objects().filter_map(|(id, object)| Some((id, object.process()?)));
    for (id, service) in made {
        let there = theirs.1.own_object(numbers.object(id)).map(|id| theirs.0.authority.model.object(id));
        let there = there.and_then(|object| object.process());
        let image = service.image.iter().map(|path| (path, "image", Kind::FS_READ.or(Kind::FS_EXEC)));
        let config = service.config.iter().map(|path| (path, "configuration", Kind::FS_READ));
        for (used, word, rights) in image.chain(config) {
            if word == "image" && model.code.iter().any(|root| path_contains(&root.path, &used.path)) {
                continue;
            }
            let same = |other: &&crate::model::PathUse| {
                same_path((&other.path, theirs.0.directory()), (&used.path, side.directory()))
            };
            let others = there.into_iter().flat_map(|there| match word {
                "image" => there.image.iter().chain(&[]),
                _ => there.config.iter().chain(&there.image),
            });
            if others.into_iter().any(|other| same(&other)) {
                continue;
            }
            let name = side.name(id);
            let (file, place) = side.sources.locate(used.span);
            let text = format!("`{name}` has `{}` as its {word}", used.path);
            changes.push(Change {
                steps: vec![StepAnswer::of("creation", &name, &used.path, (file, place.line), text)],
                object: name,
                capability: used.path.to_string(),
                rights: Kind::Dir.words(rights).collect(),
                level: "direct",
                kept: Vec::new(),
                place: None,
                fresh: vec![true],
                through: None,
                edit: side.edit(used.span),
            });
        }
    }
    changes
}

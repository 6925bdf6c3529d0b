//! A naive twin of the analysis: the model by its letter, compared with the real thing on many random machines.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is the verdict")]

mod certificates;
mod laws;
#[path = "../../../compiler/tests/it/machine.rs"]
mod machine;
mod naive;

use capc::authority::{Authority, Claim, Graph, Who};
use capc::diag::Code;
use capc::model::{CapId, Level, Model, ObjectId, Statement};
use capc::source::SourceMap;
use std::collections::BTreeSet;

/// How many random models each comparison tries: 100,000 when built for it (`--profile twin`, as CI does).
const SEEDS: u64 = if cfg!(debug_assertions) { 300 } else { 100_000 };
/// How many where every set of subjects is tried on each.
const FEW: u64 = SEEDS / 20;

/// Tries every seed, on all processors.
fn for_seeds(seeds: u64, check: impl Fn(u64) + Sync) {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let check = &check;
            scope.spawn(move || (worker..seeds).step_by(workers as usize).for_each(check));
        }
    });
}

fn words(model: &capc::model::Model, asked: CapId, rights: capc::model::Rights) -> String {
    let known = model.capability(asked);
    format!("{} {:?}", known.name, known.kind.words(rights).collect::<Vec<_>>())
}

#[test]
fn the_least_fixed_point_is_that_of_the_sets() {
    for_seeds(SEEDS, |seed| {
        let model = machine::random(seed);
        let holdings = capc::holdings::derive(&model);
        let mut found = naive::Holdings::new();
        for holding in holdings.all() {
            for right in holding.rights.each() {
                found.insert((holding.holder, holding.capability, right.0.trailing_zeros() as u8));
                let steps = holdings.steps(&model, holding, right);
                assert!(
                    steps.first().is_some_and(|first| first.from.is_none()),
                    "seed {seed}: provenance begins with an axiom or a creation"
                );
                assert!(
                    steps.iter().all(|step| step.rights.contains(right)),
                    "seed {seed}: rights never grow"
                );
            }
        }
        assert_eq!(found, naive::holdings(&model), "seed {seed}");
    });
}

#[test]
fn who_waits_for_whom_is_what_the_letter_says() {
    for_seeds(SEEDS, |seed| {
        let model = machine::random(seed);
        let holdings = capc::holdings::derive(&model);
        let waits = capc::order::waits(&model, &holdings);
        let found: BTreeSet<_> =
            waits.all.iter().map(|wait| (wait.from, wait.to, wait.facet, wait.kind.word())).collect();
        assert_eq!(found, naive::waits(&model, &naive::holdings(&model)), "seed {seed}");
    });
}

#[test]
fn components_are_those_of_petgraph() {
    for_seeds(SEEDS, |seed| {
        let mut dice = machine::Dice::new(seed);
        let count = 1 + dice.below(12);
        let mut edges: Vec<Vec<u32>> = vec![Vec::new(); count];
        let mut oracle = petgraph::graph::DiGraph::<(), ()>::new();
        let nodes: Vec<_> = (0..count).map(|_| oracle.add_node(())).collect();
        for _ in 0..dice.below(25) {
            let (from, to) = (dice.below(count), dice.below(count));
            edges[from].push(to as u32);
            oracle.add_edge(nodes[from], nodes[to], ());
        }
        let found: BTreeSet<BTreeSet<u32>> = capc::components::Components::of_lists(&edges)
            .all()
            .map(|component| component.iter().copied().collect())
            .collect();
        let expected: BTreeSet<BTreeSet<u32>> = petgraph::algo::tarjan_scc(&oracle)
            .into_iter()
            .map(|component| component.into_iter().map(|node| node.index() as u32).collect())
            .collect();
        assert_eq!(found, expected, "seed {seed}");
    });
}

#[test]
fn authority_at_both_levels_is_what_the_letter_says() {
    for_seeds(SEEDS, |seed| {
        let model = machine::random(seed);
        let holdings = capc::holdings::derive(&model);
        let held = naive::holdings(&model);
        let scopes: Vec<ObjectId> = model
            .objects()
            .filter(|(_, object)| matches!(object.kind, capc::model::ObjectKind::Scope(_)))
            .map(|(id, _)| id)
            .collect();
        for scope in scopes {
            let authority = Authority::new(&model, &holdings, scope);
            let world = naive::World::new(&model, &held, scope);
            for level in [Level::Hold, Level::Reach] {
                let what: Vec<_> =
                    model.objects().map(|(id, _)| authority.all_obtainable(id, level)).collect();
                for asked in (0..model.capabilities.len() as u32).map(CapId) {
                    let who = authority.obtainable_by_all(asked, level);
                    for (id, object) in model.objects().filter(|(_, object)| object.is_subject()) {
                        let expected = world.authority(id, asked, level);
                        let found = who[id.index()];
                        let context = || {
                            format!(
                                "seed {seed}: {} {level:?} {}, of which by itself {}",
                                object.name,
                                words(&model, asked, expected.rights()),
                                words(&model, asked, expected.free)
                            )
                        };
                        let same = naive::Obtained { whole: found.whole, part: found.part, free: found.free };
                        assert_eq!(same, expected, "who: {}", context());
                        assert_eq!(what[id.index()][asked.index()], found, "what: {}", context());
                    }
                }
            }
        }
    });
}

#[test]
fn an_assertion_fails_exactly_if_the_authority_has_the_right() {
    for_seeds(SEEDS, |seed| {
        let model = machine::random(seed);
        let holdings = capc::holdings::derive(&model);
        let held = naive::holdings(&model);
        for never in &model.nevers {
            let authority = Authority::new(&model, &holdings, never.scope);
            let world = naive::World::new(&model, &held, never.scope);
            let chain = authority.chain(never.subject, never.capability, never.rights, never.level);
            let obtained = world.authority(never.subject, never.capability, never.level);
            let expected = obtained.rights().and(never.rights);
            assert_eq!(chain.is_some(), !expected.is_empty(), "seed {seed}");
            let Some(chain) = chain else { continue };
            assert!(expected.contains(chain.rights) && !chain.rights.is_empty(), "seed {seed}");
            let mut at = never.subject;
            for hop in &chain.hops {
                assert_eq!(hop.from, at, "seed {seed}: a chain hangs together");
                at = hop.to;
            }
            assert_eq!(at, chain.holder, "seed {seed}");
            assert!(!authority.steps(&chain, never.capability, never.level).is_empty(), "seed {seed}");
        }
    });
}

/// Whether a claim is true in a world.
fn is_so(world: &naive::World<'_>, model: &Model, claim: &Claim) -> bool {
    offenders(world, model, claim).is_empty()
}

fn offenders(world: &naive::World<'_>, model: &Model, claim: &Claim) -> Vec<ObjectId> {
    let about = |id: &ObjectId| match &claim.who {
        Who::Never(subject) => id == subject,
        Who::Only(allowed) => !allowed.contains(id),
    };
    let subjects = model.objects().filter(|(_, object)| object.is_subject()).map(|(id, _)| id);
    let could = |id: &ObjectId| {
        let obtained = world.authority(*id, claim.capability, claim.level);
        !obtained.rights().and(claim.rights).is_empty()
    };
    let mut offenders: Vec<ObjectId> = subjects.filter(about).filter(could).collect();
    offenders.sort_by_key(|id| model.object(*id).name.clone());
    offenders
}

/// Every assertion, with the scope that makes it.
fn claims(model: &Model) -> Vec<(ObjectId, Claim)> {
    let nevers = model.nevers.iter().map(|never| (never.scope, Claim::from(never)));
    nevers.chain(model.onlys.iter().map(|only| (only.scope, Claim::from(only)))).collect()
}

/// `only` is `never` for every other subject; what holds rests on those without whose trust it would not.
#[test]
fn assertions_are_decided_together_as_each_by_itself() {
    for_seeds(SEEDS, |seed| {
        let model = machine::random(seed);
        let holdings = capc::holdings::derive(&model);
        let held = naive::holdings(&model);
        let claims = claims(&model);
        let all: Vec<Claim> = claims.iter().map(|(_, claim)| claim.clone()).collect();
        for scope in claims.iter().map(|(scope, _)| *scope).collect::<BTreeSet<_>>() {
            let found = Authority::new(&model, &holdings, scope).decide(&all);
            let world = naive::World::new(&model, &held, scope);
            let trusted: BTreeSet<ObjectId> =
                model.objects().map(|(id, _)| id).filter(|id| model.is_trusted(*id, scope)).collect();
            for (claim, verdict) in all.iter().zip(&found.verdicts) {
                assert_eq!(verdict.offenders, offenders(&world, &model, claim), "seed {seed}: {claim:?}");
                if !verdict.offenders.is_empty() || seed % 8 != 0 {
                    continue;
                }
                let needed = |id: &ObjectId| {
                    let mut fewer = trusted.clone();
                    fewer.remove(id);
                    !is_so(&naive::World::with_trust(&model, &held, fewer), &model, claim)
                };
                let mut rests_on: Vec<ObjectId> = trusted.iter().copied().filter(needed).collect();
                rests_on.sort_by_key(|id| model.object(*id).name.clone());
                assert_eq!(verdict.rests_on, rests_on, "seed {seed}: {claim:?}");
            }
        }
    });
}

/// The trusted base is tried against all sets of services and programs: none that is smaller mends the assertion, and none
/// before it in name order of its size; what the newly trusted expose is counted.
#[test]
fn the_trusted_base_is_a_smallest_set_and_the_first_by_name() {
    for_seeds(FEW.max(100), |seed| {
        let model = machine::random(seed);
        let holdings = capc::holdings::derive(&model);
        let held = naive::holdings(&model);
        let name = |id: &ObjectId| model.object(*id).name.clone();
        let mut processes: Vec<ObjectId> = model.processes().map(|(id, _, _)| id).collect();
        processes.sort_by_key(name);
        let subset = |set: u32| {
            let chosen = processes.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
            chosen.map(|(_, id)| *id).collect::<Vec<ObjectId>>()
        };
        let mut sets: Vec<Vec<ObjectId>> = (0u32..1 << processes.len()).map(subset).collect();
        sets.sort_by_key(|set| (set.len(), set.iter().map(name).collect::<Vec<_>>()));
        for (scope, claim) in claims(&model) {
            let authority = Authority::new(&model, &holdings, scope);
            if authority.decide(std::slice::from_ref(&claim)).verdicts[0].offenders.is_empty() {
                continue;
            }
            let mends = |set: &&Vec<ObjectId>| {
                let trusted = model.objects().map(|(id, _)| id);
                let trusted = trusted.filter(|id| set.contains(id) || model.is_trusted(*id, scope)).collect();
                is_so(&naive::World::with_trust(&model, &held, trusted), &model, &claim)
            };
            let found = authority.trusted_base(&claim);
            assert_eq!(found.as_ref(), sets.iter().find(mends), "seed {seed}: {claim:?}");
        }
    });
}

/// "Grants that justify each other and nothing else are not held": reported as such, told apart from the rest, and no
/// statement fails in silence.
#[test]
fn every_statement_that_fails_has_a_report_and_no_other() {
    for_seeds(SEEDS, |seed| {
        let model = machine::random(seed);
        let held = naive::holdings(&model);
        let round = naive::greatest(&model);
        let holdings = capc::holdings::derive(&model);
        let codes: BTreeSet<Code> = capc::check::check(&model, &holdings, &SourceMap::default())
            .1
            .iter()
            .map(|report| report.code)
            .collect();
        let mut lacking = false;
        let mut unknown = false;
        for rule in model.derivations.iter().filter(|rule| rule.statement != Statement::Given) {
            let from = rule.from.unwrap();
            let had = naive::rights(&held, from.holder, from.capability).and(rule.rights);
            lacking |= had.is_empty() || (rule.exact && had != rule.rights);
            unknown |= rule.introduces.is_some_and(|to| !naive::knows(&model, &held, from.holder, to));
        }
        let is = |code: Code| codes.contains(&code);
        let by_rights = is(Code::Unheld) || is(Code::ExcessRights);
        let context = format!("seed {seed}: {codes:?}");
        assert_eq!(
            lacking || unknown,
            by_rights || is(Code::NoIntroduction) || is(Code::CircularProvenance),
            "{context}"
        );
        assert!(!by_rights || lacking, "{context}");
        assert!(!is(Code::NoIntroduction) || unknown, "{context}");
        assert!(!is(Code::CircularProvenance) || round != held, "{context}");
        if round == held {
            assert_eq!(lacking || unknown, by_rights || is(Code::NoIntroduction), "{context}");
        }
    });
}

/// Changes by the facet's name, and the holder's if it is for one alone.
type Changes = BTreeSet<(String, String)>;

/// Cuts open every circle, and up to twelve candidates none of the smaller sets does.
#[test]
fn the_cuts_of_a_bootstrap_cycle_are_enough_and_the_fewest() {
    for_seeds(SEEDS, |seed| {
        let model = machine::random(seed);
        let holdings = capc::holdings::derive(&model);
        let waits = capc::order::waits(&model, &holdings);
        for report in capc::check::check(&model, &holdings, &SourceMap::default()).1 {
            let capc::diag::Detail::Cycle { cycle, members, cuts } = report.detail else { continue };
            let edges: BTreeSet<(String, String)> = waits
                .all
                .iter()
                .map(|wait| {
                    (model.object(wait.from).name.to_string(), model.object(wait.to).name.to_string())
                })
                .collect();
            assert_eq!(cycle.len(), naive::shortest_circle(&edges, &members), "seed {seed}");
            for (edge, next) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
                assert_eq!(edge.to, next.from, "seed {seed}");
                assert!(edges.contains(&(edge.from.clone(), edge.to.clone())), "seed {seed}");
            }
            // Every wait with the changes that would end it.
            let within: Vec<(String, String, Changes)> = waits
                .all
                .iter()
                .map(|wait| {
                    let name = |id: ObjectId| model.object(id).name.to_string();
                    let facet = model.facet(wait.facet);
                    let full = format!("{}.{}", name(wait.to), facet.name);
                    let mut changes = BTreeSet::new();
                    if wait.can_be_late {
                        changes.insert((full.clone(), name(wait.from)));
                        use capc::model::Transport::{Listen, Socket, Tcp};
                        if matches!(facet.transport, Socket(_) | Tcp(_) | Listen(_)) {
                            changes.insert((full, String::new()));
                        }
                    }
                    (name(wait.from), name(wait.to), changes)
                })
                .filter(|(from, to, _)| members.contains(from) && members.contains(to))
                .collect();
            let chosen: BTreeSet<(String, String)> = cuts
                .iter()
                .map(|cut| {
                    (
                        cut.facet.clone(),
                        if cut.change == "when=use" { cut.from.clone() } else { String::new() },
                    )
                })
                .collect();
            let opens = |chosen: &BTreeSet<(String, String)>| {
                let left = within.iter().filter(|(_, _, changes)| changes.is_disjoint(chosen));
                let left: BTreeSet<(String, String)> =
                    left.map(|(from, to, _)| (from.clone(), to.clone())).collect();
                naive::shortest_circle(&left, &members) == 0
            };
            let all: Vec<(String, String)> = within
                .iter()
                .flat_map(|(_, _, changes)| changes.clone())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
            let possible = opens(&all.iter().cloned().collect());
            assert_eq!(opens(&chosen), possible, "seed {seed}: {cuts:?}");
            assert!(possible || cuts.is_empty(), "seed {seed}");
            if possible && all.len() <= 12 {
                let fewest = (0u32..1 << all.len())
                    .filter(|set| {
                        opens(
                            &all.iter()
                                .enumerate()
                                .filter(|(at, _)| set & (1 << at) != 0)
                                .map(|(_, change)| change.clone())
                                .collect(),
                        )
                    })
                    .map(u32::count_ones)
                    .min();
                assert_eq!(fewest, Some(cuts.len() as u32), "seed {seed}: {cuts:?}");
            }
        }
    });
}

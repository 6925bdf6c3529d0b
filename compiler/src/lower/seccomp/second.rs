//! A second opinion: what is granted, said to the compiler of another project, and both programs run on the same calls.
//!
//! It has no question whether any bit of several is set, and none for the opposite of a masked value, so ours are said as
//! alternatives, each of which is a list of conditions that must all hold. Both share the table of what is granted, and
//! nothing of how it becomes a program.

use super::checks::Check;
use super::program::ARCHITECTURE;
use super::tests::{Outcome, run};
use super::*;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

/// A condition of one argument.
#[derive(Clone, Copy)]
enum Condition {
    /// These bits of it have these values.
    Is { argument: u8, mask: u32, value: u32 },
    /// All of it is another value.
    IsNot { argument: u8, value: u32 },
}

use Condition::{Is, IsNot};

/// Returns whether two conditions cannot hold together, for all that is easily seen.
fn contradict(one: Condition, other: Condition) -> bool {
    match (one, other) {
        (Is { argument, mask, value }, Is { argument: same, mask: beside, value: there }) => {
            let both = mask & beside;
            argument == same && value & both != there & both
        }
        (Is { argument, mask: u32::MAX, value }, IsNot { argument: same, value: there })
        | (IsNot { argument: same, value: there }, Is { argument, mask: u32::MAX, value }) => {
            argument == same && value == there
        }
        (Is { .. }, IsNot { .. }) | (IsNot { .. }, Is { .. } | IsNot { .. }) => false,
    }
}

fn bits_of(mask: u32) -> impl Iterator<Item = u32> {
    (0..u32::BITS).map(|bit| 1 << bit).filter(move |bit| mask & bit != 0)
}

/// Returns every way in which a check comes to allow a call.
fn ways(check: &Check, so_far: &[Condition], found: &mut Vec<Vec<Condition>>) {
    let go = |check: &Check, more: &[Condition], found: &mut Vec<Vec<Condition>>| {
        if !more.iter().any(|new| so_far.iter().any(|old| contradict(*new, *old))) {
            ways(check, &[so_far, more].concat(), found);
        }
    };
    match check {
        Check::Allow => found.push(so_far.to_vec()),
        Check::Fail(_) => {}
        Check::HasAnyOf { argument, bits, then, otherwise } => {
            for bit in bits_of(*bits) {
                go(then, &[Is { argument: *argument, mask: bit, value: bit }], found);
            }
            go(otherwise, &[Is { argument: *argument, mask: *bits, value: 0 }], found);
        }
        Check::IsOneOf { argument, mask, values, then, otherwise } => {
            for value in values {
                go(then, &[Is { argument: *argument, mask: *mask, value: *value }], found);
            }
            match (*mask, values.as_slice()) {
                (u32::MAX, _) => {
                    let others: Vec<Condition> =
                        values.iter().map(|value| IsNot { argument: *argument, value: *value }).collect();
                    go(otherwise, &others, found);
                }
                (mask, [value]) => {
                    for bit in bits_of(mask) {
                        go(otherwise, &[Is { argument: *argument, mask: bit, value: !value & bit }], found);
                    }
                }
                // Nothing is allowed behind it.
                (_, _) => assert!(matches!(**otherwise, Check::Fail(_)), "{otherwise:?}"),
            }
        }
    }
}

fn rule(way: &[Condition]) -> SeccompRule {
    let condition = |condition: &Condition| {
        let (argument, comparison, value) = match *condition {
            Is { argument, mask, value } => (argument, SeccompCmpOp::MaskedEq(mask.into()), value & mask),
            IsNot { argument, value } => (argument, SeccompCmpOp::Ne, value),
        };
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, comparison, value.into()).unwrap()
    };
    SeccompRule::new(way.iter().map(condition).collect()).unwrap()
}

/// Returns their program for some calls; the checked ones by themselves, since it may not be longer than the kernel takes.
fn theirs(calls: Vec<(u32, Vec<SeccompRule>)>) -> Vec<Instruction> {
    let rules = calls.into_iter().map(|(number, rules)| (number.into(), rules)).collect();
    let (refused, granted) = (SeccompAction::Errno(1), SeccompAction::Allow);
    let filter = SeccompFilter::new(rules, refused, granted, TargetArch::x86_64).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    program.iter().map(|one| Instruction { code: one.code, jt: one.jt, jf: one.jf, k: one.k }).collect()
}

/// Returns values of arguments at and around everything that a check asks for.
fn telling(check: &Check) -> Vec<u64> {
    let mut values = vec![0, 1, 2, 3, u64::from(u32::MAX), u64::MAX, 0o2004000];
    let mut rest = vec![check];
    while let Some(check) = rest.pop() {
        match check {
            Check::Allow | Check::Fail(_) => {}
            Check::HasAnyOf { bits, then, otherwise, .. } => {
                values.extend(bits_of(*bits).map(u64::from));
                values.push((!*bits).into());
                rest.extend([&**then, &**otherwise]);
            }
            Check::IsOneOf { values: known, then, otherwise, .. } => {
                for value in known.iter().map(|value| u64::from(*value)) {
                    values.extend([
                        value,
                        value + 1,
                        value.wrapping_sub(1),
                        value | 0o2000000,
                        value | 1 << 40,
                    ]);
                }
                rest.extend([&**then, &**otherwise]);
            }
        }
    }
    values.sort_unstable();
    values.dedup();
    values
}

/// Holds the two together for one filter; checks that were looked at before are passed over.
#[track_caller]
fn agree(seen: &mut Vec<(u32, Check)>, sockets: Sockets, beyond: &Beyond) {
    let ours = filter(sockets, beyond);
    let is_allowed = |program: &[Instruction], number, arguments: &[u64]| {
        run(program, ARCHITECTURE, number, arguments) == Outcome::Allow
    };
    let mut checked = checks::all(sockets, beyond);
    let unchecked: BTreeSet<u32> = beyond.calls().map(table::number).collect();
    let withheld: Vec<u32> = sockets.withheld().collect();
    checked.retain(|(number, _)| !unchecked.contains(number) && !withheld.contains(number));
    let plain = table::granted().chain(unchecked).filter(|number| !withheld.contains(number));
    let whole = theirs(plain.map(|number| (number, Vec::new())).collect());
    for number in (0..2000).filter(|number| !checked.iter().any(|(known, _)| known == number)) {
        assert_eq!(is_allowed(&ours, number, &[]), is_allowed(&whole, number, &[]), "{number}");
    }
    for (number, check) in checked {
        if seen.contains(&(number, check.clone())) {
            continue;
        }
        seen.push((number, check.clone()));
        let mut found = Vec::new();
        ways(&check, &[], &mut found);
        // No rule at all would be one that always holds.
        let rules = match found.iter().any(Vec::is_empty) {
            // Without a condition: always.
            true => Vec::new(),
            false => found.iter().map(|way| rule(way)).collect(),
        };
        let program = (!found.is_empty()).then(|| theirs(vec![(number, rules)]));
        let values = telling(&check);
        // Every pair, and the third and fourth along with them.
        for (place, one) in values.iter().enumerate() {
            for (other_place, other) in values.iter().enumerate() {
                let third = values[(place + other_place) % values.len()];
                let fourth = values[(place * 7 + other_place) % values.len()];
                for arguments in [
                    [*one, *other, third, fourth],
                    [third, fourth, *one, *other],
                    [*one, *other, 0, 0],
                    [*one, *other, 6, 0],
                ] {
                    let said =
                        program.as_ref().is_some_and(|program| is_allowed(program, number, &arguments));
                    assert_eq!(
                        is_allowed(&ours, number, &arguments),
                        said,
                        "{number} {arguments:x?} {check:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn another_compiler_grants_the_same() {
    let mut seen = Vec::new();
    let all = [false, true];
    for (tcp, udp) in all.iter().flat_map(|tcp| all.map(|udp| (*tcp, udp))) {
        for (deaf, routes) in all.iter().flat_map(|deaf| all.map(|routes| (*deaf, routes))) {
            for data_only in all {
                agree(&mut seen, Sockets { tcp, udp, deaf, routes, data_only }, &Beyond::default());
            }
        }
    }
    let sockets = Sockets { tcp: true, udp: false, deaf: true, routes: false, data_only: true };
    // CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN, CAP_SYS_TIME.
    for number in [12, 13, 21, 25] {
        agree(&mut seen, sockets, &Beyond { groups: Vec::new(), privileges: vec![number] });
    }
    for word in crate::resolve::SYSCALLS {
        agree(&mut seen, sockets, &Beyond { groups: vec![word.to_owned()], privileges: Vec::new() });
    }
}

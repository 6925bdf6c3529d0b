//! From verdicts to instructions: a balanced tree over ranges of numbers, so that no call costs more than ten jumps.

use super::checks::{Check, ENOSYS, EPERM};
use std::collections::BTreeMap;

/// One instruction of a classic BPF program (linux/filter.h).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The operation.
    pub code: u16,
    /// How far to jump when true.
    pub jt: u8,
    /// How far to jump when false.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

/// What becomes of a system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes through.
    Allowed,
    /// EPERM.
    NotGranted,
    /// ENOSYS.
    Absent,
    /// It depends on its arguments.
    Checked(Check),
}

// linux/bpf_common.h
const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const JUMP_ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

// linux/seccomp.h
const RET_KILL_PROCESS: u32 = 0x8000_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_ALLOW: u32 = 0x7fff_0000;
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCHITECTURE: u32 = 4;
const OFFSET_ARGUMENTS: u32 = 16;

/// `AUDIT_ARCH_X86_64`: the one kind of processor that worlds are made for.
pub const ARCHITECTURE: u32 = 0xc000_003e;
/// `__X32_SYSCALL_BIT`: numbers from here on are another ABI's.
const X32_NUMBERS: u32 = 0x4000_0000;

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

/// Returns the program for verdicts by number; a number without one is absent.
pub fn assemble(verdicts: &BTreeMap<u32, Verdict>) -> Vec<Instruction> {
    let mut program = vec![
        plain(LOAD_WORD, OFFSET_ARCHITECTURE),
        Instruction { code: JUMP_EQUAL, jt: 1, jf: 0, k: ARCHITECTURE },
        plain(RETURN, RET_KILL_PROCESS),
        plain(LOAD_WORD, OFFSET_NUMBER),
        Instruction { code: JUMP_AT_LEAST, jt: 0, jf: 1, k: X32_NUMBERS },
        plain(RETURN, RET_KILL_PROCESS),
    ];
    program.extend(tree(&ranges(verdicts)));
    program
}

/// Returns where each run of equal verdicts begins; the first begins at 0 and the last has no end.
fn ranges(verdicts: &BTreeMap<u32, Verdict>) -> Vec<(u32, Verdict)> {
    let mut ranges: Vec<(u32, Verdict)> = Vec::new();
    let mut add = |start: u32, verdict: &Verdict| {
        if ranges.last().is_none_or(|(_, last)| last != verdict) {
            ranges.push((start, verdict.clone()));
        }
    };
    let mut next = 0;
    for (number, verdict) in verdicts {
        if *number > next {
            add(next, &Verdict::Absent);
        }
        add(*number, verdict);
        next = number + 1;
    }
    add(next, &Verdict::Absent);
    ranges
}

fn tree(ranges: &[(u32, Verdict)]) -> Vec<Instruction> {
    let (low, high) = ranges.split_at(ranges.len() / 2);
    match (low, high.first()) {
        (_, None) => vec![plain(RETURN, RET_ERRNO | u32::from(ENOSYS))],
        ([], Some((_, verdict))) => leaf(verdict),
        (_, Some((middle, _))) => branch(JUMP_AT_LEAST, *middle, tree(high), tree(low)),
    }
}

fn leaf(verdict: &Verdict) -> Vec<Instruction> {
    match verdict {
        Verdict::Allowed => vec![plain(RETURN, RET_ALLOW)],
        Verdict::NotGranted => vec![plain(RETURN, RET_ERRNO | u32::from(EPERM))],
        Verdict::Absent => vec![plain(RETURN, RET_ERRNO | u32::from(ENOSYS))],
        Verdict::Checked(check) => questions(check),
    }
}

fn questions(check: &Check) -> Vec<Instruction> {
    let ask = |argument: u8| plain(LOAD_WORD, OFFSET_ARGUMENTS + 8 * u32::from(argument));
    match check {
        Check::Allow => vec![plain(RETURN, RET_ALLOW)],
        Check::Fail(errno) => vec![plain(RETURN, RET_ERRNO | u32::from(*errno))],
        Check::HasAnyOf { argument, bits, then, otherwise } => {
            let mut program = vec![ask(*argument)];
            program.extend(branch(JUMP_ANY_BIT, *bits, questions(then), questions(otherwise)));
            program
        }
        Check::IsOneOf { argument, mask, values, then, otherwise } => {
            let mut program = vec![ask(*argument)];
            if *mask != u32::MAX {
                program.push(plain(AND, *mask));
            }
            // Each comparison but the last falls through to the next; the accepted case stands behind them all.
            let otherwise = questions(otherwise);
            let mut tests: Vec<Instruction> = Vec::new();
            for (index, value) in values.iter().enumerate() {
                let remaining = values.len() - index - 1;
                // Past the other comparisons, and past the jump that stands for "none of them".
                let jt = u8::try_from(remaining + 1).unwrap_or(u8::MAX);
                tests.push(Instruction { code: JUMP_EQUAL, jt, jf: 0, k: *value });
            }
            let then = questions(then);
            program.extend(tests);
            program.push(plain(JUMP, then.len() as u32));
            program.extend(then);
            program.extend(otherwise);
            program
        }
    }
}

/// Returns a test with both outcomes behind it; conditional jumps reach 255 instructions, others any number.
fn branch(code: u16, k: u32, then: Vec<Instruction>, otherwise: Vec<Instruction>) -> Vec<Instruction> {
    let mut program = match u8::try_from(otherwise.len()) {
        Ok(jt) => vec![Instruction { code, jt, jf: 0, k }],
        Err(_) => {
            vec![Instruction { code, jt: 0, jf: 1, k }, plain(JUMP, otherwise.len() as u32)]
        }
    };
    program.extend(otherwise);
    program.extend(then);
    program
}

//! From verdicts to instructions: a balanced tree over ranges of numbers, in which what is the same stands once.
//!
//! A call costs two dozen of them at most. The kernel translates each instruction at each start, so there should be few: a program is
//! built from its end, and jumps to what is there already.

use super::checks::{Check, ENOSYS};
use std::collections::{BTreeMap, HashMap};

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
pub fn assemble(verdicts: &BTreeMap<u32, Check>) -> Vec<Instruction> {
    let mut builder = Builder::default();
    let calls = builder.tree(&spans(verdicts, &Check::Fail(ENOSYS)));
    let kill = builder.emit(plain(RETURN, RET_KILL_PROCESS));
    builder.test(JUMP_AT_LEAST, X32_NUMBERS, kill, calls);
    builder.emit(plain(LOAD_WORD, OFFSET_NUMBER));
    let number = builder.last();
    builder.test(JUMP_EQUAL, ARCHITECTURE, number, kill);
    builder.emit(plain(LOAD_WORD, OFFSET_ARCHITECTURE));
    builder.backwards.reverse();
    builder.backwards
}

/// Numbers from one on that have one verdict, but for a few single ones.
struct Span<'c> {
    start: u32,
    verdict: &'c Check,
    but: Vec<(u32, &'c Check)>,
}

/// How many single numbers a span leaves out: each is a question more to all others in it.
const MOST_LEFT_OUT: usize = 3;

/// Returns spans that cover all numbers; the first begins at 0 and the last has no end.
fn spans<'c>(verdicts: &'c BTreeMap<u32, Check>, others: &'c Check) -> Vec<Span<'c>> {
    let mut spans: Vec<Span<'c>> = Vec::new();
    let ranges = ranges(verdicts, others);
    let mut rest = ranges.as_slice();
    while let [(start, verdict), after @ ..] = rest {
        rest = after;
        let mut span = Span { start: *start, verdict, but: Vec::new() };
        while let [(single, other), (next, same), after @ ..] = rest
            && *next == single + 1
            && same == verdict
            && span.but.len() < MOST_LEFT_OUT
        {
            span.but.push((*single, other));
            rest = after;
        }
        spans.push(span);
    }
    spans
}

/// Returns where each run of equal verdicts begins.
fn ranges<'c>(verdicts: &'c BTreeMap<u32, Check>, others: &'c Check) -> Vec<(u32, &'c Check)> {
    let mut ranges: Vec<(u32, &Check)> = Vec::new();
    let mut add = |start, verdict| {
        if ranges.last().is_none_or(|(_, last)| *last != verdict) {
            ranges.push((start, verdict));
        }
    };
    let mut next = Some(0);
    for (number, verdict) in verdicts {
        if let Some(next) = next.filter(|next| next < number) {
            add(next, others);
        }
        add(*number, verdict);
        next = number.checked_add(1);
    }
    if let Some(next) = next {
        add(next, others);
    }
    ranges
}

/// A program from its end on: an instruction is named by how many stand behind it.
#[derive(Default)]
struct Builder {
    backwards: Vec<Instruction>,
    /// Where a verdict was put last.
    put: HashMap<Check, usize>,
}

/// How far what is there already may lie behind, in instructions, to be jumped to; a jump reaches 255.
const NEAR: usize = 200;

impl Builder {
    fn emit(&mut self, instruction: Instruction) -> usize {
        self.backwards.push(instruction);
        self.last()
    }

    fn last(&self) -> usize {
        self.backwards.len().saturating_sub(1)
    }

    /// How many instructions lie between the next one and that.
    fn distance(&self, to: usize) -> usize {
        self.last().saturating_sub(to)
    }

    /// Sees to it that what is emitted next goes on there.
    fn fall_to(&mut self, to: usize) {
        if self.distance(to) > 0 {
            self.emit(plain(JUMP, self.distance(to) as u32));
        }
    }

    /// Sees to it that a conditional jump reaches this, even with one more instruction between.
    fn within_reach(&mut self, to: usize) -> usize {
        match u8::try_from(self.distance(to) + 1) {
            Ok(_) => to,
            Err(_) => self.emit(plain(JUMP, self.distance(to) as u32)),
        }
    }

    fn test(&mut self, code: u16, k: u32, then: usize, otherwise: usize) -> usize {
        let (then, otherwise) = (self.within_reach(then), self.within_reach(otherwise));
        let [jt, jf] = [then, otherwise].map(|to| u8::try_from(self.distance(to)).unwrap_or(u8::MAX));
        self.emit(Instruction { code, jt, jf, k })
    }

    fn tree(&mut self, spans: &[Span<'_>]) -> usize {
        let (low, high) = spans.split_at(spans.len() / 2);
        match (low, high.first()) {
            (_, None) => self.last(),
            ([], Some(span)) => {
                let otherwise = self.verdict(span.verdict);
                span.but.iter().rev().fold(otherwise, |otherwise, (number, verdict)| {
                    let then = self.verdict(verdict);
                    self.test(JUMP_EQUAL, *number, then, otherwise)
                })
            }
            (_, Some(middle)) => {
                let then = self.tree(high);
                let otherwise = self.tree(low);
                self.test(JUMP_AT_LEAST, middle.start, then, otherwise)
            }
        }
    }

    fn verdict(&mut self, verdict: &Check) -> usize {
        if let Some(there) = self.put.get(verdict).copied().filter(|there| self.distance(*there) < NEAR) {
            return there;
        }
        let place = match verdict {
            Check::Allow => self.emit(plain(RETURN, RET_ALLOW)),
            Check::Fail(errno) => self.emit(plain(RETURN, RET_ERRNO | u32::from(*errno))),
            Check::HasAnyOf { argument, bits, then, otherwise } => {
                let (then, otherwise) = (self.verdict(then), self.verdict(otherwise));
                self.test(JUMP_ANY_BIT, *bits, then, otherwise);
                self.load(*argument)
            }
            Check::IsOneOf { argument, mask, values, then, otherwise } => {
                let then = values.iter().map(|value| (*value, Check::clone(then))).collect();
                let question = self.tree(&spans(&then, otherwise));
                self.fall_to(question);
                if *mask != u32::MAX {
                    self.emit(plain(AND, *mask));
                }
                self.load(*argument)
            }
        };
        self.put.insert(verdict.clone(), place);
        place
    }

    fn load(&mut self, argument: u8) -> usize {
        self.emit(plain(LOAD_WORD, OFFSET_ARGUMENTS + 8 * u32::from(argument)))
    }
}

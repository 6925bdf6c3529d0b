//! What the services print, as lines that can do no harm to a terminal or to a reader's trust.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use crate::harmless::harmless;
use crate::plan::Plan;
use crate::state::ServiceId;

/// Longer lines are cut into pieces of this size, so that a service cannot fill the memory with one.
pub(crate) const LONGEST_LINE: usize = 8192;
/// As much is read of one service before the others have their turn.
const TURN: usize = 64 * 1024;

/// Where lines go.
pub trait Log {
    /// Takes a line that a service printed, without its end and with nothing in it that a terminal would obey.
    fn service_line(&mut self, service: &str, line: &str);
    /// Takes a line of the supervisor's own, such as `web ready after 12 ms`.
    fn event(&mut self, event: &str);
}

/// Writes `NAME | LINE`, the names aligned, and the supervisor's own lines as `capc : LINE`.
pub struct Prefixed<W> {
    out: W,
    width: usize,
}

impl<W: Write> Prefixed<W> {
    /// Returns a log for the services of one plan.
    pub fn new(out: W, plan: &Plan) -> Prefixed<W> {
        let names = plan.services.iter().map(|service| service.name.chars().count());
        Prefixed { out, width: names.max().unwrap_or(0).max(4) }
    }

    fn line(&mut self, name: &str, mark: char, text: &str) {
        // Whoever reads may have gone away; the services are kept all the same.
        let _ = writeln!(self.out, "{name:width$} {mark} {text}", width = self.width);
    }
}

impl<W: Write> Log for Prefixed<W> {
    fn service_line(&mut self, service: &str, line: &str) {
        self.line(service, '|', line);
    }

    fn event(&mut self, event: &str) {
        self.line("capc", ':', event);
    }
}

/// The pipes that are being read: one for each start of a service, until its last writer is gone.
#[derive(Default)]
pub(crate) struct Pipes {
    pipes: Vec<Pipe>,
    last: BTreeMap<ServiceId, String>,
}

struct Pipe {
    service: ServiceId,
    end: OwnedFd,
    lines: Lines,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Open,
    Closed,
}

impl Pipes {
    /// Begins to read what a service prints into the other end. The end given here must not block.
    pub(crate) fn add(&mut self, service: ServiceId, end: OwnedFd) {
        self.last.remove(&service);
        self.pipes.push(Pipe { service, end, lines: Lines::default() });
    }

    /// Returns the ends to wait on.
    pub(crate) fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.pipes.iter().map(|pipe| pipe.end.as_fd())
    }

    /// Passes on what has been printed since, a bounded part of each, and drops the pipes that nobody can write to.
    pub(crate) fn pump(&mut self, names: &[&str], log: &mut dyn Log) {
        let Pipes { pipes, last } = self;
        pipes.retain_mut(|pipe| {
            let name = names.get(pipe.service.0).copied().unwrap_or("?");
            let mut take = |line: String| {
                log.service_line(name, &line);
                last.insert(pipe.service, line);
            };
            let flow = read_turn(&pipe.end, &mut pipe.lines, &mut take);
            if flow == Flow::Closed {
                pipe.lines.flush(&mut take);
            }
            flow == Flow::Open
        });
    }

    /// Returns the last line that the latest start of a service printed.
    pub(crate) fn last_line(&self, service: ServiceId) -> Option<&str> {
        self.last.get(&service).map(String::as_str)
    }

    /// Passes on what is left, with or without a line's end.
    pub(crate) fn finish(&mut self, names: &[&str], log: &mut dyn Log) {
        self.pump(names, log);
        for pipe in &mut self.pipes {
            let name = names.get(pipe.service.0).copied().unwrap_or("?");
            pipe.lines.flush(&mut |line| log.service_line(name, &line));
        }
        self.pipes.clear();
    }
}

fn read_turn(end: &OwnedFd, lines: &mut Lines, take: &mut dyn FnMut(String)) -> Flow {
    let mut buffer = [0; 4096];
    for _ in 0..TURN / buffer.len() {
        match rustix::io::read(end, &mut buffer) {
            Ok(0) => return Flow::Closed,
            Ok(length) => lines.push(buffer.get(..length).unwrap_or_default(), take),
            Err(Errno::INTR) => {}
            Err(error) if io::Error::from(error).kind() == io::ErrorKind::WouldBlock => return Flow::Open,
            Err(_) => return Flow::Closed,
        }
    }
    Flow::Open
}

/// Bytes on their way to lines.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8], take: &mut dyn FnMut(String)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut rest = piece.strip_suffix(b"\n").unwrap_or(piece);
            while self.partial.len() + rest.len() > LONGEST_LINE {
                let (now, later) = rest.split_at(LONGEST_LINE - self.partial.len());
                self.partial.extend_from_slice(now);
                self.emit(take);
                rest = later;
            }
            self.partial.extend_from_slice(rest);
            if piece.ends_with(b"\n") {
                self.emit(take);
            }
        }
    }

    fn flush(&mut self, take: &mut dyn FnMut(String)) {
        if !self.partial.is_empty() {
            self.emit(take);
        }
    }

    fn emit(&mut self, take: &mut dyn FnMut(String)) {
        take(harmless(self.partial.strip_suffix(b"\r").unwrap_or(&self.partial)));
        self.partial.clear();
        self.partial.shrink_to(1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds pieces as they might arrive and compares the lines.
    #[track_caller]
    fn check(pieces: &[&[u8]], expected: &[&str]) {
        let mut lines = Lines::default();
        let mut got = Vec::new();
        for piece in pieces {
            lines.push(piece, &mut |line| got.push(line));
        }
        lines.flush(&mut |line| got.push(line));
        assert_eq!(got, expected);
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        check(&[b"one\ntw", b"o\n\nthr", b"ee"], &["one", "two", "", "three"]);
        check(&[b"", b"\r\n", b"dos\r\n"], &["", "dos"]);
        check(&[], &[]);
    }

    #[test]
    fn over_long_lines_are_cut_and_nothing_is_lost() {
        let long = "x".repeat(LONGEST_LINE);
        check(&[long.as_bytes(), b"\n"], &[&long]);
        check(&[long.as_bytes(), b"yz\n", b"w"], &[&long, "yz", "w"]);
        check(
            &[&b"a".repeat(2 * LONGEST_LINE + 1)],
            &[&"a".repeat(LONGEST_LINE), &"a".repeat(LONGEST_LINE), "a"],
        );
    }

    #[test]
    fn nothing_in_a_line_moves_a_cursor_or_hides_a_text() {
        check(&[b"\x1b[2Jboo\rfoo\tbar\x00\x7f\n"], &["\\x1b[2Jboo\\x0dfoo\tbar\\x00\\x7f"]);
        check(&["a\u{9b}b\u{202e}c\u{2028}é\n".as_bytes()], &["a\\x9bb\\u{202e}c\\u{2028}é"]);
        check(&[b"\xff\xc3\n"], &["\\xff\\xc3"]);
    }

    #[test]
    fn names_are_aligned() {
        let plan =
            r#"{"format":"capc/plan/1","name":"x","mode":"user","facets":[],"channels":[],"services":[]}"#;
        let plan = Plan::from_json(plan.as_bytes()).unwrap();
        let mut out = Vec::new();
        let mut log = Prefixed { width: 6, ..Prefixed::new(&mut out, &plan) };
        log.service_line("web", "hello");
        log.service_line("shop/b", "hi");
        log.event("web ended well");
        assert_eq!(String::from_utf8(out).unwrap(), "web    | hello\nshop/b | hi\ncapc   : web ended well\n");
    }
}

//! The difference for a reviewer: edit by edit, who gained or lost what, by which new step, and what follows from it.

use super::{Change, DiffAnswer, Edit, Joined};
use std::collections::BTreeMap;
use std::fmt::Write;

/// How many edits, and how many lines under one of them, are printed; all are counted.
const MOST_EDITS: usize = 60;
const MOST_LINES: usize = 20;
/// How many names stand in one line.
const MOST_NAMES: usize = 6;

#[derive(Default)]
struct Story<'a> {
    gained: Vec<&'a Change>,
    joined: Vec<&'a Joined>,
    lost: Vec<&'a Change>,
}

impl DiffAnswer {
    /// Returns the answer for people; lines that begin with `+` or `-` say what was gained or lost.
    #[must_use]
    pub fn human(&self) -> String {
        let mut stories: BTreeMap<(&Edit, bool), Story<'_>> = BTreeMap::new();
        for change in &self.gained {
            stories.entry((&change.edit, false)).or_default().gained.push(change);
        }
        for joined in &self.joined {
            stories.entry((&joined.edit, false)).or_default().joined.push(joined);
        }
        for change in &self.lost {
            stories.entry((&change.edit, true)).or_default().lost.push(change);
        }
        let mut out = String::new();
        for ((edit, gone), story) in stories.iter().take(MOST_EDITS) {
            let was = if *gone { "was " } else { "" };
            let _ = writeln!(out, "{was}{}:{}  {}", edit.file, edit.line, shortened(&edit.text));
            story.tell(&mut out, edit);
            out.push('\n');
        }
        if let Some(hidden) = stories.len().checked_sub(MOST_EDITS).filter(|hidden| *hidden > 0) {
            let _ = writeln!(out, "… and {}\n", count(hidden, "further edit"));
        }
        let _ = writeln!(out, "{}", self.summary());
        out
    }

    fn summary(&self) -> String {
        let widened = self.gained.iter().filter(|change| !change.kept.is_empty()).count();
        let of = |changes: &[Change]| changes.len();
        let mut parts = Vec::new();
        if of(&self.gained) > widened {
            parts.push(format!("{} gained", count(of(&self.gained) - widened, "holding")));
        }
        if widened > 0 {
            parts.push(format!("{} widened", count(widened, "holding")));
        }
        if !self.joined.is_empty() {
            parts.push(format!("{} joined", count(self.joined.len(), "group")));
        }
        if !self.lost.is_empty() {
            parts.push(format!("{} lost", count(of(&self.lost), "holding")));
        }
        match parts.as_slice() {
            [] => "no authority gained, lost or widened".to_owned(),
            parts => parts.join(", "),
        }
    }
}

impl Story<'_> {
    fn tell(&self, out: &mut String, edit: &Edit) {
        let mut left = MOST_LINES;
        let mut lines = |out: &mut String, tell: &dyn Fn(&mut String)| {
            if left > 0 {
                tell(out);
            }
            left = left.saturating_sub(1);
        };
        for change in &self.gained {
            lines(out, &|out| gained(out, change, edit));
        }
        for joined in &self.joined {
            lines(out, &|out| join(out, joined));
        }
        for change in &self.lost {
            lines(out, &|out| lost(out, change));
        }
        let all = self.gained.len() + self.joined.len() + self.lost.len();
        if all > MOST_LINES {
            let _ = writeln!(out, "  … and {} more by this edit", all - MOST_LINES);
        }
    }
}

fn gained(out: &mut String, change: &Change, edit: &Edit) {
    let Change { object, capability, rights, level, steps, kept, place, fresh, through, .. } = change;
    let rights = rights.join(" ");
    let place = place.as_ref().map(|place| format!(", which is now {place}")).unwrap_or_default();
    let _ = match (*level, kept.is_empty()) {
        ("direct", true) => writeln!(out, "+ {object} holds {capability}{place}: {rights}"),
        ("direct", false) => {
            writeln!(out, "+ {object} holds more of {capability}{place}: {rights} (had {})", kept.join(" "))
        }
        ("hold", _) => writeln!(out, "+ {object} could come to hold {capability}: {rights}"),
        _ => writeln!(out, "+ {object} can reach {capability}: {rights}"),
    };
    for step in steps.iter().zip(fresh).filter(|(_, fresh)| **fresh).map(|(step, _)| step) {
        let elsewhere = (&step.file, step.line) != (&edit.file, edit.line);
        let place = if elsewhere { format!("  ({}:{})", step.file, step.line) } else { String::new() };
        let _ = writeln!(out, "    {}: {}{place}", step.rule, step.text);
    }
    let Some(through) = through else { return };
    if !through.hold.is_empty() {
        let _ = writeln!(out, "    so could come to hold it: {}", list(&through.hold));
    }
    if !through.reach.is_empty() {
        let _ = writeln!(out, "    so can reach it: {}", list(&through.reach));
    }
}

fn lost(out: &mut String, change: &Change) {
    let Change { object, capability, rights, level, kept, place, .. } = change;
    let rights = rights.join(" ");
    let place = place.as_ref().map(|place| format!(", which was {place}")).unwrap_or_default();
    let keeps = if kept.is_empty() { String::new() } else { format!(" (keeps {})", kept.join(" ")) };
    let _ = match *level {
        "direct" => writeln!(out, "- {object} no longer holds {capability}{place}: {rights}{keeps}"),
        "hold" => writeln!(out, "- {object} could no longer come to hold {capability}: {rights}"),
        _ => writeln!(out, "- {object} can no longer reach {capability}: {rights}"),
    };
}

fn join(out: &mut String, joined: &Joined) {
    let Joined { from, to, carries, sentence, .. } = joined;
    let can = match carries.as_slice() {
        ["learn"] => "can now learn what",
        ["effect"] => "can now act as",
        [first, ..] if *first == "hold" => "could now come to hold what",
        _ => "can now reach what",
    };
    let whom = match to.iter().any(|name| name == "reconfigure") {
        true => "reconfigure, which is everything,".to_owned(),
        false => list(to),
    };
    let _ = writeln!(out, "+ {} {can} {whom} can", list(from));
    if !sentence.is_empty() {
        let _ = writeln!(out, "    {sentence}");
    }
}

fn list(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(MOST_NAMES).map(String::as_str).collect();
    match names.len().checked_sub(MOST_NAMES).filter(|hidden| *hidden > 0) {
        Some(hidden) => format!("{} and {hidden} more", shown.join(", ")),
        None => shown.join(", "),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or("")),
        None => text.to_owned(),
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

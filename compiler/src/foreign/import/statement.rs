//! Statements in the words of KDL, and text that stays within a comment.

use super::service::{Hold, Kind, Resource, Said};
use crate::syntax::print::kdl::string;

/// Returns what declares a resource.
pub fn declaration(resource: &Resource, name: &str) -> String {
    let target = string(&resource.target);
    match resource.kind {
        Kind::Dir => format!("dir {name} {target}"),
        Kind::File => format!("file {name} {target}"),
        Kind::State => format!("state {name} {target}"),
        Kind::Device => format!("device {name} {target}"),
        Kind::Secret => format!("secret {name} {target}"),
        Kind::Socket => format!("socket {name} {target}"),
        Kind::Tcp => format!("listen {name} tcp={target}"),
        Kind::Udp => format!("listen {name} udp={target}"),
        Kind::Unix => format!("listen {name} unix={target}"),
    }
}

/// Returns what holds it.
pub fn holds(name: &str, hold: &Hold) -> String {
    // In the language's order, whatever came first.
    let known = ["read", "write", "accept", "connect"];
    let rights: Vec<&str> = known.into_iter().filter(|right| hold.rights.contains(right)).collect();
    let at = hold.at.as_ref().map(|at| format!(" at={}", string(at))).unwrap_or_default();
    format!("holds {name} {}{at}", rights.join(" "))
}

/// Returns a statement as a comment says it.
pub fn said(said: &Said) -> String {
    match said {
        Said::Plain(words) => format!("`{words}`"),
        Said::As(user, _) => format!("an identity of `{user}`"),
        Said::Holds(hold) => format!("{} of {}", hold.rights.join(" "), string(&hold.resource.target)),
    }
}

/// Returns text that stays on its line and within its comment, and turns no reading direction.
pub fn one_line(text: &str) -> String {
    let is_hostile = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let escaped = |letter: char| match is_hostile(letter) {
        true => letter.escape_unicode().to_string(),
        false => letter.to_string(),
    };
    text.trim().chars().map(escaped).collect()
}

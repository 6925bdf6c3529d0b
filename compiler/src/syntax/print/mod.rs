//! A tree becomes text again: tidied in its own language, or in the other one.
//!
//! Comments are no part of a tree; `remarks` finds them between its words, and each writer puts them where they were,
//! in the other language before or beside the statement that they stood at.

pub mod kdl;
mod remarks;
mod tidy;
mod toml;

use self::remarks::Remarks;
use super::tree::{Tree, Value};
use super::{Language, Range, SyntaxError};
use crate::diag::Code;

/// How deep blocks may stand in each other; four spaces for each of ever more would be more than anybody asked for.
const DEEPEST: usize = 64;

/// Returns a file without mistakes in order: indented, spaced, and saying what it said.
///
/// # Errors
/// What cannot be put in order.
pub fn tidied(tree: &Tree, source: &str, language: Language) -> Result<String, Vec<SyntaxError>> {
    let text = match language {
        Language::Kdl => {
            let refused = refused(tree);
            if !refused.is_empty() {
                return Err(refused);
            }
            kdl::write(tree, &Remarks::of_kdl(tree, source), kdl::Words::AsWritten(source))
        }
        Language::Toml => tidy::toml(source),
    };
    // What is written over a person's file must say the same, whatever we may have overlooked.
    let (again, errors) = language.read(text.as_str().into());
    if errors.is_empty() && is_same(tree, &again) && is_same_letters(source, &text, language) {
        return Ok(text);
    }
    Err(vec![SyntaxError {
        code: Code::Syntax,
        range: Range::EMPTY,
        message: "this file cannot be put in order without changing what it says".to_owned(),
        help: Some("leave it as it is, and report it as an error of capc".to_owned()),
    }])
}

/// Returns a file without mistakes in the other language.
///
/// # Errors
/// What the other language has no form for.
pub fn converted(tree: &Tree, source: &str, from: Language) -> Result<String, Vec<SyntaxError>> {
    match from {
        Language::Kdl => {
            let refused = refused(tree);
            if !refused.is_empty() {
                return Err(refused);
            }
            toml::write(tree, &Remarks::of_kdl(tree, source))
        }
        Language::Toml => Ok(kdl::write(tree, &Remarks::of_toml(tree, source), kdl::Words::Translated)),
    }
}

/// Returns what keeps a KDL file from being written anew.
fn refused(tree: &Tree) -> Vec<SyntaxError> {
    match too_deep(tree) {
        Some(error) => vec![error],
        None => annotations(tree),
    }
}

fn annotations(tree: &Tree) -> Vec<SyntaxError> {
    let mut found = Vec::new();
    let mut open = vec![tree.roots()];
    while let Some(children) = open.last_mut() {
        let Some(node) = children.next() else {
            open.pop();
            continue;
        };
        let of_entries = tree.entries(node).filter_map(|entry| entry.type_annotation.map(|text| text.range));
        found.extend(tree.type_annotation(node).map(|(_, range)| range).into_iter().chain(of_entries));
        open.push(tree.children(node));
    }
    let error = |range| SyntaxError {
        code: Code::UnknownWord,
        range,
        message: "the language has no type annotations".to_owned(),
        help: Some("leave out the part in parentheses".to_owned()),
    };
    found.into_iter().map(error).collect()
}

/// Says whether two trees say the same, wherever they say it.
fn is_same(one: &Tree, other: &Tree) -> bool {
    let mut open = vec![(one.roots(), other.roots())];
    while let Some((ones, others)) = open.last_mut() {
        match (ones.next(), others.next()) {
            (None, None) => {
                open.pop();
            }
            (Some(a), Some(b)) => {
                let entries = |tree, node| {
                    Tree::entries(tree, node).map(|entry| (entry.key.map(|key| key.text), plain(entry.value)))
                };
                if one.name(a) != other.name(b) || !entries(one, a).eq(entries(other, b)) {
                    return false;
                }
                open.push((one.children(a), other.children(b)));
            }
            _ => return false,
        }
    }
    true
}

/// Returns a value without how it is written.
fn plain(value: Value<'_>) -> Value<'_> {
    match value {
        Value::String { text, quoted: _ } => Value::String { text, quoted: true },
        other => other,
    }
}

/// Says whether two texts have the same letters, comments included; what may differ separates words.
fn is_same_letters(one: &str, other: &str, language: Language) -> bool {
    let separators: &[u8] = match language {
        Language::Kdl => b";\\",
        Language::Toml => b",",
    };
    let letters = |text: &str| {
        let mut counts = [0_usize; 256];
        for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && !separators.contains(byte)) {
            if let Some(count) = counts.get_mut(usize::from(byte)) {
                *count += 1;
            }
        }
        counts
    };
    let comments = |text: &str| {
        let found = if language == Language::Toml { super::toml::comments(text) } else { Vec::new() };
        let texts = found
            .into_iter()
            .map(|range| text.get(range.as_usize()).unwrap_or_default().trim_end().to_owned());
        texts.collect::<Vec<_>>()
    };
    letters(one.trim_start_matches('\u{feff}')) == letters(other) && comments(one) == comments(other)
}

/// Returns where blocks are nested too deep to be indented, if they are.
fn too_deep(tree: &Tree) -> Option<SyntaxError> {
    let mut open = vec![tree.roots()];
    while let Some(children) = open.last_mut() {
        let Some(node) = children.next() else {
            open.pop();
            continue;
        };
        if open.len() > DEEPEST {
            return Some(SyntaxError {
                code: Code::Syntax,
                range: tree.name_range(node),
                message: format!("this is nested deeper than {DEEPEST} blocks"),
                help: Some(
                    "take it out of its blocks: nothing in the language needs more than three".to_owned(),
                ),
            });
        }
        open.push(tree.children(node));
    }
    None
}

/// Returns a text in quotes; `code` writes a character by its number, where the languages differ.
fn quoted(text: &str, code: impl Fn(char) -> String) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other if other.is_control() || is_format(other) => quoted.push_str(&code(other)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Says whether a character may not stand in a file, or ends a line.
fn is_format(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

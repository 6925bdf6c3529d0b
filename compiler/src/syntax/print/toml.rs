//! Writes TOML: keys of the file first, then a table for each statement, by the table of words.

use std::collections::{BTreeMap, VecDeque};

use super::super::SyntaxError;
use super::super::tree::{Entry, NodeId, Range, Tree, Value};
use super::super::vocabulary::{self, FILE, Several, Slot, Word};
use super::quoted;
use super::remarks::{Remark, Remarks};
use crate::diag::Code;

/// How long a line with several values may be.
const WIDTH: usize = 100;

/// Returns a file in TOML.
///
/// # Errors
/// What has no form in it.
pub(super) fn write(tree: &Tree, remarks: &Remarks) -> Result<String, Vec<SyntaxError>> {
    let mut writer = Writer { tree, remarks, out: String::new(), errors: Vec::new() };
    let nodes: Vec<NodeId> = tree.roots().collect();
    writer.body(&nodes, FILE, "");
    writer.comments(&remarks.at_end, "");
    match writer.errors.is_empty() {
        true => Ok(writer.out),
        false => Err(writer.errors),
    }
}

struct Writer<'t> {
    tree: &'t Tree,
    remarks: &'t Remarks,
    out: String,
    errors: Vec<SyntaxError>,
}

/// The words of a statement under the keys of their places.
struct Keys {
    /// A value that stands for the whole statement, if one can.
    alone: Option<String>,
    pairs: Vec<(String, String)>,
}

impl Writer<'_> {
    /// Writes the statements of a file or a body: what is a key first, then what is a table.
    fn body(&mut self, nodes: &[NodeId], words: &'static [Word], path: &str) {
        let tree = self.tree;
        let mut kinds: Vec<(&str, Vec<NodeId>)> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for node in nodes {
            let name = tree.name(*node);
            let place = *places.entry(name).or_insert(kinds.len());
            match kinds.get_mut(place) {
                Some((_, nodes)) => nodes.push(*node),
                None => kinds.push((name, vec![*node])),
            }
        }
        let is_table = |word: &Word| {
            let has_keys =
                word.slots.len() > 1 || word.properties.names().next().is_some() || !word.body.is_empty();
            word.is_named || path.is_empty() && (has_keys || ["use", "gives"].contains(&word.name))
        };
        for (name, nodes) in &kinds {
            match vocabulary::find(words, name) {
                None => match nodes.as_slice() {
                    [node] => self.unknown(*node),
                    several => several.iter().for_each(|node| self.refuse_unknown(*node)),
                },
                Some(word) if !is_table(word) => self.key(word, nodes),
                Some(_) => {}
            }
        }
        let mut names: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for node in nodes {
            *names.entry((tree.name(*node), first_word(tree, *node).unwrap_or_default())).or_default() += 1;
        }
        for node in nodes {
            let kind = tree.name(*node);
            let Some(word) = vocabulary::find(words, kind).filter(|word| is_table(word)) else { continue };
            let name = match (word.is_named, first_word(tree, *node)) {
                (false, _) => None,
                (true, Some(name)) => Some(name),
                (true, None) => {
                    self.refuse(
                        self.tree.name_range(*node),
                        format!("this `{kind}` has no name to head a table with"),
                    );
                    continue;
                }
            };
            let count = match name {
                Some(name) => names.get(&(kind, name)).copied().unwrap_or(1),
                None => kinds.iter().find(|(known, _)| *known == kind).map_or(1, |(_, nodes)| nodes.len()),
            };
            let mut header = path.to_owned();
            for part in [Some(kind), name].into_iter().flatten() {
                if !header.is_empty() {
                    header.push('.');
                }
                header.push_str(&key(part));
            }
            self.table(*node, word, &header, count > 1 || word.several == Several::Often);
        }
    }

    fn table(&mut self, node: NodeId, word: &'static Word, header: &str, is_one_of_several: bool) {
        let around = self.remarks.around(node);
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.comments(&around.before, "");
        match is_one_of_several {
            true => self.out.push_str(&format!("[[{header}]]")),
            false => self.out.push_str(&format!("[{header}]")),
        }
        self.beside(node);
        let keys = self.keys(node, word);
        for (key, value) in keys.pairs {
            self.out.push_str(&format!("{key} = {value}\n"));
        }
        let nodes: Vec<NodeId> = self.tree.children(node).collect();
        if let ([], [child, ..]) = (word.body, nodes.as_slice()) {
            self.refuse(self.tree.name_range(*child), format!("`{}` has no body", word.name));
            return;
        }
        self.body(&nodes, word.body, header);
        self.comments(&around.at_end, "");
    }

    /// Writes the statements of one kind as one key.
    fn key(&mut self, word: &'static Word, nodes: &[NodeId]) {
        let (mut values, mut joined) = (Vec::new(), Vec::new());
        for node in nodes {
            if let Some(child) = self.tree.children(*node).next() {
                self.refuse(self.tree.name_range(child), format!("`{}` has no body", word.name));
            }
            match word.several {
                Several::Joined => {
                    for entry in self.tree.entries(*node) {
                        match entry.key {
                            None => joined.extend(self.value(entry)),
                            Some(key) => self.refuse(key.range, format!("`{}` has no properties", word.name)),
                        }
                    }
                }
                Several::Seldom | Several::Often => {
                    let keys = self.keys(*node, word);
                    let pairs = || {
                        let pairs: Vec<String> =
                            keys.pairs.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                        match pairs.is_empty() {
                            true => "{}".to_owned(),
                            false => format!("{{ {} }}", pairs.join(", ")),
                        }
                    };
                    values.push(keys.alone.clone().unwrap_or_else(pairs));
                }
            }
        }
        if word.several == Several::Joined {
            for node in nodes {
                self.comments(&self.remarks.around(*node).before, "");
            }
            self.array(word.name, &joined);
            nodes.iter().for_each(|node| self.beside_above(*node));
            return;
        }
        match (values.as_slice(), nodes) {
            ([value], [node]) if word.several == Several::Seldom => {
                self.comments(&self.remarks.around(*node).before, "");
                self.out.push_str(&format!("{} = {value}", key(word.name)));
                self.beside(*node);
            }
            _ => self.elements(word, nodes, &values),
        }
    }

    /// Writes an array of words.
    fn array(&mut self, name: &str, values: &[String]) {
        let line = format!("{} = [{}]\n", key(name), values.join(", "));
        if line.chars().count() <= WIDTH {
            self.out.push_str(&line);
            return;
        }
        self.out.push_str(&format!("{} = [\n", key(name)));
        for value in values {
            self.out.push_str(&format!("    {value},\n"));
        }
        self.out.push_str("]\n");
    }

    /// Writes an array of statements, each with its comments.
    fn elements(&mut self, word: &'static Word, nodes: &[NodeId], values: &[String]) {
        let is_said_of = |remarks: &[Remark]| remarks.iter().any(|remark| *remark != Remark::Blank);
        let has_comments = nodes.iter().any(|node| {
            let around = self.remarks.around(*node);
            is_said_of(&around.before) || !around.beside.is_empty() || !around.behind.is_empty()
        });
        let is_long =
            values.iter().map(|value| value.chars().count() + 2).sum::<usize>() + word.name.len() > WIDTH;
        let has_tables = values.len() > 1 && values.iter().any(|value| value.starts_with('{'));
        if !has_comments && !is_long && !has_tables {
            self.out.push_str(&format!("{} = [{}]\n", key(word.name), values.join(", ")));
            return;
        }
        self.out.push_str(&format!("{} = [\n", key(word.name)));
        for (node, value) in nodes.iter().zip(values) {
            self.comments(&self.remarks.around(*node).before, "    ");
            self.out.push_str(&format!("    {value},"));
            self.beside(*node);
        }
        self.out.push_str("]\n");
    }

    /// Writes a statement that the language does not have, so that it is still refused.
    fn unknown(&mut self, node: NodeId) {
        let name = self.tree.name(node);
        let has_more = self.tree.children(node).next().is_some()
            || self.tree.entries(node).any(|entry| entry.key.is_some());
        if has_more {
            return self.refuse_unknown(node);
        }
        let values: Vec<String> = self.tree.entries(node).filter_map(|entry| self.value(entry)).collect();
        self.comments(&self.remarks.around(node).before, "");
        self.array(name, &values);
        self.beside_above(node);
    }

    fn refuse_unknown(&mut self, node: NodeId) {
        let message = format!("`{}` is no statement of the language here", self.tree.name(node));
        self.refuse(self.tree.name_range(node), message);
    }

    /// Returns the words of a statement under their keys.
    fn keys(&mut self, node: NodeId, word: &'static Word) -> Keys {
        let tree = self.tree;
        let mut words: VecDeque<Entry<'_>> = tree.entries(node).filter(|entry| entry.key.is_none()).collect();
        if word.is_named {
            words.pop_front();
        }
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut alone = None;
        for (number, slot) in word.slots.iter().enumerate() {
            match slot {
                Slot::One(name, _) => {
                    let Some(value) = words.pop_front().and_then(|entry| self.value(entry)) else { continue };
                    alone = (number == 0).then(|| value.clone());
                    pairs.push((key(name), value));
                }
                Slot::Rest(name, _) => {
                    let verbs = match word.slots.get(number + 1) {
                        Some(Slot::Verb(verbs)) => *verbs,
                        _ => &[],
                    };
                    let mut values = Vec::new();
                    while let Some(entry) = words.front().copied() {
                        if matches!(entry.value, Value::String { text, .. } if verbs.contains(&text)) {
                            break;
                        }
                        words.pop_front();
                        values.extend(self.value(entry));
                    }
                    if number == 0 || !values.is_empty() {
                        let value = format!("[{}]", values.join(", "));
                        alone = (number == 0).then(|| value.clone());
                        if !values.is_empty() {
                            pairs.push((key(name), value));
                        }
                    }
                }
                Slot::Verb(verbs) => {
                    let Some(verb) = words.pop_front() else { continue };
                    match verb.value {
                        Value::String { text, .. } if verbs.contains(&text) => {
                            match words.pop_front().and_then(|entry| self.value(entry)) {
                                Some(value) => pairs.push((key(text), value)),
                                None => self.refuse(verb.range, format!("nothing follows `{text}`")),
                            }
                        }
                        _ => self.refuse(verb.range, format!("this is none of `{}`", verbs.join("`, `"))),
                    }
                    alone = None;
                }
            }
        }
        for entry in words {
            self.refuse(entry.range, "this word is one too many".to_owned());
        }
        for entry in tree.entries(node) {
            let Some(name) = entry.key else { continue };
            let value = self.value(entry).unwrap_or_default();
            let name_in_toml = key(name.text);
            if pairs.iter().any(|(known, _)| *known == name_in_toml) {
                self.refuse(name.range, format!("TOML has `{}` only once here", name.text));
            }
            pairs.push((name_in_toml, value));
        }
        if pairs.len() > 1 {
            alone = None;
        }
        if let [(only, _)] = pairs.as_slice()
            && tree.entries(node).any(|entry| entry.key.is_some_and(|name| key(name.text) == *only))
        {
            alone = None;
        }
        if word.is_flag() {
            alone = Some("true".to_owned());
        }
        Keys { alone, pairs }
    }

    fn value(&mut self, entry: Entry<'_>) -> Option<String> {
        Some(match entry.value {
            Value::String { text, .. } => string(text),
            Value::Number(number) if is_decimal(number) => number.to_owned(),
            // KDL has numbers that TOML has not; nothing takes them, whichever way they are written.
            Value::Number(number) => string(number),
            Value::Bool(value) => value.to_string(),
            Value::Null => {
                self.refuse(entry.range, "TOML has no null".to_owned());
                return None;
            }
        })
    }

    fn refuse(&mut self, range: Range, message: String) {
        let help = Some("mend this first: `capc check` says how".to_owned());
        self.errors.push(SyntaxError { code: Code::BadValue, range, message, help });
    }

    fn comments(&mut self, remarks: &[Remark], indent: &str) {
        for remark in remarks {
            for line in lines(remark) {
                self.out.push_str(&format!("{indent}{line}\n"));
            }
        }
    }

    /// Ends a line, with what stands beside the statement.
    fn beside(&mut self, node: NodeId) {
        let around = self.remarks.around(node);
        let said: Vec<String> =
            around.beside.iter().chain(&around.behind).flat_map(|(_, _, remark)| lines(remark)).collect();
        for (number, line) in said.iter().enumerate() {
            self.out.push_str(if number == 0 { "  " } else { "\n" });
            self.out.push_str(line);
        }
        self.out.push('\n');
    }

    /// Writes what stands beside one of several statements that became one line.
    fn beside_above(&mut self, node: NodeId) {
        let around = self.remarks.around(node);
        for (_, _, remark) in around.beside.iter().chain(&around.behind) {
            self.comments(std::slice::from_ref(remark), "");
        }
    }
}

/// Returns the first word of a statement.
fn first_word(tree: &Tree, node: NodeId) -> Option<&str> {
    let first = tree.entries(node).find(|entry| entry.key.is_none())?;
    match first.value {
        Value::String { text, .. } => Some(text),
        Value::Number(_) | Value::Bool(_) | Value::Null => None,
    }
}

/// Returns a comment as the lines that it is in TOML.
fn lines(remark: &Remark) -> Vec<String> {
    match remark {
        Remark::Blank => Vec::new(),
        Remark::Line(text) => vec![format!("#{text}")],
        Remark::Raw(text) => {
            let inner = text.strip_prefix("/*").and_then(|text| text.strip_suffix("*/")).unwrap_or(text);
            inner.lines().map(|line| format!("# {}", line.trim()).trim_end().to_owned()).collect()
        }
    }
}

fn is_decimal(number: &str) -> bool {
    number == "0" || number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0')
}

fn key(text: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match !text.is_empty() && text.bytes().all(is_bare) {
        true => text.to_owned(),
        false => string(text),
    }
}

fn string(text: &str) -> String {
    quoted(text, |character| format!("\\u{:04X}", u32::from(character)))
}

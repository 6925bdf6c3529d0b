//! The one place through which the tests of the reader look at what it read.

use std::fmt::Write;
use std::sync::Arc;

use super::super::SyntaxError;
use super::super::tree::{Children, Text, Tree, Value};
use super::read;

/// Reads `input` and compares: `expected` is the tree on one line, all strings but bare words in quotes, and
/// below it, for each mistake, the offset and text of what is underlined, and the message.
#[track_caller]
pub(super) fn check(input: &str, expected: &str) {
    check_read(read, input, expected);
}

/// The same for a reader of either language.
#[track_caller]
pub(in crate::syntax) fn check_read(
    read: fn(Arc<str>) -> (Tree, Vec<SyntaxError>),
    input: &str,
    expected: &str,
) {
    let (tree, errors) = read(Arc::from(input));
    let mut found = String::new();
    print(&tree, tree.roots(), &mut found);
    for error in errors {
        let underlined =
            input.get(error.range.as_usize()).expect("an error underlines characters of the text");
        assert!(!underlined.is_empty(), "an error underlines something: {error:?}");
        assert!(error.help.is_some(), "an error has a help: {error:?}");
        write!(found, "\n{} {underlined:?} {}", error.range.start, error.message).unwrap();
    }
    assert!(found == expected, "{input:?} reads as\n{found}\nand not as\n{expected}");
}

fn print(tree: &Tree, nodes: Children<'_>, out: &mut String) {
    for (index, node) in nodes.enumerate() {
        let separator = if index > 0 { "; " } else { "" };
        let annotation = tree.type_annotation(node).map(|(text, range)| Text { text, range });
        write!(out, "{separator}{}{}", annotated(annotation), word(tree.name(node))).unwrap();
        for entry in tree.entries(node) {
            let key = entry.key.map(|key| format!("{}=", word(key.text))).unwrap_or_default();
            let value = match entry.value {
                Value::String { text, quoted: true } => format!("{text:?}"),
                Value::String { text, quoted: false } => text.to_owned(),
                Value::Number(number) => number.to_owned(),
                Value::Bool(value) => format!("#{value}"),
                Value::Null => "#null".to_owned(),
            };
            write!(out, " {key}{}{value}", annotated(entry.type_annotation)).unwrap();
        }
        if tree.has_children_block(node) {
            out.push_str(" {");
            print(tree, tree.children(node), out);
            out.push('}');
        }
    }
}

fn annotated(annotation: Option<Text<'_>>) -> String {
    annotation.map(|annotation| format!("({})", word(annotation.text))).unwrap_or_default()
}

fn word(text: &str) -> String {
    if text.is_empty() || text.contains([' ', '"', '\n']) { format!("{text:?}") } else { text.to_owned() }
}

//! A document without places and spellings, as our reader and as the `kdl` crate understand it.

use capc::syntax::kdl::read;
use capc::syntax::tree::{Children, Tree, Value};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub struct Document(pub Vec<Node>);

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    annotation: Option<String>,
    name: String,
    arguments: Vec<Annotated>,
    properties: Vec<(String, Annotated)>,
    children: Document,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Annotated(Option<String>, Scalar);

#[derive(Clone, Debug, PartialEq)]
enum Scalar {
    Text(String),
    Integer(i128),
    Float(String),
    Bool(bool),
    Null,
}

impl Document {
    /// KDL lets the last of several properties of one name count; our reader keeps all, for `resolve` to refuse.
    pub fn with_last_properties(mut self) -> Self {
        for node in &mut self.0 {
            let mut last: Vec<(String, Annotated)> = Vec::new();
            for (key, value) in std::mem::take(&mut node.properties) {
                match last.iter_mut().find(|(known, _)| *known == key) {
                    Some(known) => known.1 = value,
                    None => last.push((key, value)),
                }
            }
            last.sort_by(|a, b| a.0.cmp(&b.0));
            node.properties = last;
            node.children = std::mem::replace(&mut node.children, Self(Vec::new())).with_last_properties();
        }
        self
    }
}

/// Reads with our reader; what is wrong, if anything is.
pub fn ours(text: &str) -> Result<Document, Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (tree, errors) = read(Arc::from(text));
    match errors.is_empty() {
        true => Ok(block(&tree, tree.roots())),
        false => Err(errors.into_iter().map(|error| error.message).collect()),
    }
}

fn block(tree: &Tree, nodes: Children<'_>) -> Document {
    let node = |node| {
        let (mut arguments, mut properties) = (Vec::new(), Vec::new());
        for entry in tree.entries(node) {
            let value = match entry.value {
                Value::String { text, .. } => Scalar::Text(text.to_owned()),
                Value::Number(number) => number_of(number),
                Value::Bool(value) => Scalar::Bool(value),
                Value::Null => Scalar::Null,
            };
            let value = Annotated(entry.type_annotation.map(|annotation| annotation.text.to_owned()), value);
            match entry.key {
                Some(key) => properties.push((key.text.to_owned(), value)),
                None => arguments.push(value),
            }
        }
        Node {
            annotation: tree.type_annotation(node).map(|(text, _)| text.to_owned()),
            name: tree.name(node).to_owned(),
            arguments,
            properties,
            children: block(tree, tree.children(node)),
        }
    };
    Document(nodes.map(node).collect())
}

fn number_of(text: &str) -> Scalar {
    let digits = text.replace('_', "");
    let (sign, unsigned) = match digits.as_bytes() {
        [b'-', ..] => (-1, &digits[1..]),
        [b'+', ..] => (1, &digits[1..]),
        _ => (1, &*digits),
    };
    let whole = match unsigned.get(..2) {
        Some("0x") => i128::from_str_radix(&unsigned[2..], 16).ok(),
        Some("0o") => i128::from_str_radix(&unsigned[2..], 8).ok(),
        Some("0b") => i128::from_str_radix(&unsigned[2..], 2).ok(),
        _ => unsigned.parse().ok(),
    };
    match (whole, text) {
        (Some(number), _) => Scalar::Integer(sign * number),
        (None, "#inf" | "#-inf" | "#nan") => {
            Scalar::Float(text.trim_start_matches('#').replace("nan", "NaN"))
        }
        (None, _) => Scalar::Float(format!("{:e}", digits.parse::<f64>().unwrap())),
    }
}

/// Reads with the `kdl` crate.
pub fn theirs(text: &str) -> Result<Document, String> {
    let document = kdl::KdlDocument::parse_v2(text).map_err(|error| {
        error
            .diagnostics
            .first()
            .map_or_else(String::new, |first| format!("{:?} at {:?}", first.message, first.span))
    })?;
    Ok(their_block(&document).with_last_properties())
}

fn their_block(document: &kdl::KdlDocument) -> Document {
    let node = |node: &kdl::KdlNode| {
        let (mut arguments, mut properties) = (Vec::new(), Vec::new());
        for entry in node.entries() {
            let value = match entry.value() {
                kdl::KdlValue::String(text) => Scalar::Text(text.clone()),
                kdl::KdlValue::Integer(number) => Scalar::Integer(*number),
                kdl::KdlValue::Float(number) if number.is_finite() => Scalar::Float(format!("{number:e}")),
                kdl::KdlValue::Float(number) => Scalar::Float(number.to_string()),
                kdl::KdlValue::Bool(value) => Scalar::Bool(*value),
                kdl::KdlValue::Null => Scalar::Null,
            };
            let value = Annotated(entry.ty().map(|annotation| annotation.value().to_owned()), value);
            match entry.name() {
                Some(key) => properties.push((key.value().to_owned(), value)),
                None => arguments.push(value),
            }
        }
        Node {
            annotation: node.ty().map(|annotation| annotation.value().to_owned()),
            name: node.name().value().to_owned(),
            arguments,
            properties,
            children: node.children().map_or(Document(Vec::new()), their_block),
        }
    };
    Document(document.nodes().iter().map(node).collect())
}

//! The authority graph as a picture: Graphviz's language, one cluster a scope, one style an edge rule.

use super::report::harmless;
use crate::authority::{Authority, EdgeRule};
use crate::holdings::Holdings;
use crate::model::{Kind, Model, ObjectId, ObjectKind, RECONFIGURE, SYSTEM, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Returns the picture: services and resources, who holds what, and who can obtain what others can.
#[must_use]
pub fn dot(model: &Model, holdings: &Holdings) -> String {
    let authority = Authority::new(model, holdings, SYSTEM);
    let mut out = String::from(
        "digraph authority {\n  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=11];\n  edge [fontname=\"sans-serif\", fontsize=9];\n",
    );
    let mut scopes: BTreeMap<&str, Vec<ObjectId>> = BTreeMap::new();
    for (id, object) in model.objects() {
        if matches!(object.kind, ObjectKind::Service(_) | ObjectKind::Resource(_)) {
            scopes.entry(&model.object(object.scope).name).or_default().push(id);
        }
    }
    for (number, (scope, mut objects)) in scopes.into_iter().enumerate() {
        objects.sort_by(|a, b| model.object(*a).name.cmp(&model.object(*b).name));
        let title = if scope == "/" { &*model.name } else { scope };
        let _ =
            writeln!(out, "  subgraph cluster_{number} {{\n    label={};\n    color=gray;", quoted(title));
        for id in objects {
            let object = model.object(id);
            let shape = match object.kind {
                ObjectKind::Service(_) if object.trusted.is_some() => "shape=box, peripheries=2",
                ObjectKind::Service(_) => "shape=box",
                _ => "shape=note, color=gray40",
            };
            let _ = writeln!(out, "    {} [{shape}];", quoted(&object.name));
        }
        out.push_str("  }\n");
    }
    let mut lines: BTreeSet<String> = BTreeSet::new();
    for holding in holdings.all() {
        let holder = model.object(holding.holder);
        let known = model.capability(holding.capability);
        if let (Some(_), Target::Resource(resource)) = (holder.service(), known.target) {
            let mut rights: Vec<&str> = known.kind.words(holding.rights).collect();
            if known.kind != Kind::Identity && rights.len() > 3 {
                rights = vec!["…"];
            }
            let label = match &known.part {
                Some(part) => format!("{} {part}", rights.join(" ")),
                None => rights.join(" "),
            };
            let (from, to) = (quoted(&holder.name), quoted(&model.object(resource).name));
            lines.insert(format!(
                "  {from} -> {to} [label={}, color=gray40, arrowhead=open];",
                quoted(&label)
            ));
        }
    }
    for meeting in &authority.meetings {
        let _ = writeln!(
            out,
            "  {} [label={}, shape=ellipse, color=gray60, fontcolor=gray40];",
            quoted(&meeting.name),
            quoted(&meeting.subject)
        );
    }
    for edge in authority.edges.iter().filter(|edge| edge.from != RECONFIGURE.into()) {
        let style = match edge.rule {
            EdgeRule::Use => "color=blue",
            EdgeRule::Pass => "color=blue, style=dotted",
            EdgeRule::Share => "color=darkgreen, style=dashed",
            EdgeRule::Meet => "color=orange, style=dashed",
            EdgeRule::Control => "color=red, penwidth=2.5",
        };
        let (from, to) = (quoted(authority.name(edge.from)), quoted(authority.name(edge.to)));
        lines.insert(format!("  {from} -> {to} [label={}, {style}];", quoted(edge.rule.word())));
    }
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    out.push_str("}\n");
    out
}

/// Returns a double-quoted string of the DOT language, in which only `"` and `\` need care.
fn quoted(text: &str) -> String {
    let escaped = harmless(text).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ");
    format!("\"{escaped}\"")
}

//! A picture in Graphviz's language: one cluster a scope, one style a meaning, with a legend.

use super::picture::{Box, End, Line, Picture, Sort, Style};
use super::report::harmless;
use std::fmt::Write;

/// Returns the picture as DOT.
#[must_use]
pub fn dot(picture: &Picture) -> String {
    let mut out = String::from(
        "digraph authority {\n  rankdir=LR;\n  ranksep=0.9;\n  fontname=\"sans-serif\";\n  node [fontname=\"sans-serif\", fontsize=12];\n  edge [fontname=\"sans-serif\", fontsize=9];\n",
    );
    let mut open: Vec<usize> = Vec::new();
    // Each scope comes after the one that it lies in, so those that are open are its ancestors once others are closed.
    for (number, group) in picture.groups.iter().enumerate() {
        while open.last().is_some_and(|last| Some(*last) != group.parent) {
            open.pop();
            let _ = writeln!(out, "{}}}", indent(open.len()));
        }
        let pad = indent(open.len());
        let _ = writeln!(out, "{pad}subgraph cluster_{number} {{");
        let _ = writeln!(out, "{pad}  label={}; color=gray70; style=rounded;", quoted(&group.title));
        open.push(number);
        for (at, drawn) in picture.boxes.iter().enumerate().filter(|(_, drawn)| drawn.group == Some(number)) {
            let _ = writeln!(out, "{pad}  {}", node(at, drawn));
        }
    }
    while open.pop().is_some() {
        let _ = writeln!(out, "{}}}", indent(open.len()));
    }
    for (at, drawn) in picture.boxes.iter().enumerate().filter(|(_, drawn)| drawn.group.is_none()) {
        let _ = writeln!(out, "  {}", node(at, drawn));
    }
    for line in &picture.lines {
        let _ = writeln!(out, "  {}", edge(line));
    }
    legend(&mut out, picture);
    out.push_str("}\n");
    out
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth + 1)
}

fn node(at: usize, drawn: &Box) -> String {
    let look = match drawn.sort {
        Sort::Subject => "shape=box, style=filled, fillcolor=\"#eef3fb\"",
        Sort::Trusted => "shape=box, style=filled, fillcolor=\"#eef3fb\", peripheries=2",
        Sort::Resource => "shape=note, style=filled, fillcolor=\"#f7f5ee\", color=gray50",
        Sort::Outside => "shape=ellipse, style=dashed",
        Sort::Root => "shape=octagon, style=filled, fillcolor=\"#fbe9e7\", color=red3",
        Sort::Meeting => "shape=plain, fontcolor=gray30",
    };
    format!("n{at} [label={}, {look}];", quoted(&drawn.label.join("\n")))
}

fn edge(line: &Line) -> String {
    let look = look(line.style);
    let end = |end: End| match end {
        End::Plain => "none",
        End::Back => "empty",
        End::Arrow if line.style == Style::Holds => "vee",
        End::Arrow => "normal",
        End::Bar => "tee",
    };
    let (head, tail) = (end(line.head), end(line.tail));
    let label =
        if line.label.is_empty() { String::new() } else { format!("label={}, ", quoted(&line.label)) };
    format!("n{} -> n{} [{label}dir=both, arrowhead={head}, arrowtail={tail}, {look}];", line.from, line.to)
}

const fn look(style: Style) -> &'static str {
    match style {
        Style::Holds => "color=gray55, fontcolor=gray30",
        Style::Facet => "color=\"#1a5fb4\", fontcolor=\"#1a5fb4\"",
        Style::Share => "color=\"#26803b\", fontcolor=\"#26803b\", style=dashed",
        Style::Meet => "color=\"#c05e00\", fontcolor=\"#c05e00\", style=dashed",
        Style::Control => "color=\"#c01c28\", fontcolor=\"#c01c28\", penwidth=2.5",
    }
}

/// Says what the lines mean that are there.
fn legend(out: &mut String, picture: &Picture) {
    let mut rows = String::new();
    for (style, words) in Style::ALL {
        if picture.lines.iter().any(|line| line.style == style) {
            let sign = match style {
                Style::Holds => ("gray55", "&#8594;"),
                Style::Facet => ("#1a5fb4", "&#8594;"),
                Style::Share => ("#26803b", "&#8674;"),
                Style::Meet => ("#c05e00", "&#8674;"),
                Style::Control => ("#c01c28", "&#10145;"),
            };
            let _ = write!(
                rows,
                "<tr><td><font color=\"{}\">{}</font></td><td align=\"left\">{words}</td></tr>",
                sign.0, sign.1
            );
        }
    }
    if rows.is_empty() {
        return;
    }
    rows.push_str("<tr><td>&#8594;</td><td align=\"left\">can obtain what it points at can</td></tr>");
    if picture.lines.iter().any(|line| line.head == End::Bar) {
        rows.push_str("<tr><td>&#8867;</td><td align=\"left\">trusted: does not relay</td></tr>");
    }
    let _ = writeln!(
        out,
        "  legend [shape=plain, fontsize=9, fontcolor=gray30, label=<<table border=\"1\" color=\"gray80\" cellborder=\"0\" cellspacing=\"0\" cellpadding=\"2\">{rows}</table>>];"
    );
}

/// Returns a double-quoted string of the DOT language; a backslash would begin an escape of Graphviz's own (`\N`, `\l`).
fn quoted(text: &str) -> String {
    let escaped = harmless(text).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{}\"", escaped.replace('&', "&amp;"))
}

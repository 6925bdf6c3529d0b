//! A picture in Mermaid's language, for pages that draw it themselves.

use super::picture::{Box, End, Line, Picture, Sort, Style};
use super::report::harmless;
use std::fmt::Write;

/// Returns the picture as a Mermaid flowchart.
#[must_use]
pub fn mermaid(picture: &Picture) -> String {
    let mut out = String::from("flowchart LR\n");
    let mut open: Vec<usize> = Vec::new();
    for (number, group) in picture.groups.iter().enumerate() {
        while open.last().is_some_and(|last| Some(*last) != group.parent) {
            open.pop();
            let _ = writeln!(out, "{}end", indent(open.len()));
        }
        let pad = indent(open.len());
        let _ = writeln!(out, "{pad}subgraph g{number} [{}]", quoted(&group.title));
        open.push(number);
        for (at, drawn) in picture.boxes.iter().enumerate().filter(|(_, drawn)| drawn.group == Some(number)) {
            let _ = writeln!(out, "{pad}  {}", node(at, drawn));
        }
    }
    while open.pop().is_some() {
        let _ = writeln!(out, "{}end", indent(open.len()));
    }
    for (at, drawn) in picture.boxes.iter().enumerate().filter(|(_, drawn)| drawn.group.is_none()) {
        let _ = writeln!(out, "  {}", node(at, drawn));
    }
    for line in &picture.lines {
        let _ = writeln!(out, "  {}", edge(line));
    }
    for (style, colour) in [
        (Style::Holds, "#8c8c8c"),
        (Style::Facet, "#1a5fb4"),
        (Style::Share, "#26803b"),
        (Style::Meet, "#c05e00"),
        (Style::Control, "#c01c28"),
    ] {
        let lines = picture.lines.iter().enumerate().filter(|(_, line)| line.style == style);
        let numbers: Vec<String> = lines.map(|(at, _)| at.to_string()).collect();
        if !numbers.is_empty() {
            let _ = writeln!(out, "  linkStyle {} stroke:{colour}", numbers.join(","));
        }
    }
    out
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth + 1)
}

fn node(at: usize, drawn: &Box) -> String {
    let label = quoted(&drawn.label.join("\n"));
    match drawn.sort {
        Sort::Subject => format!("n{at}[{label}]"),
        Sort::Trusted => format!("n{at}[[{label}]]"),
        Sort::Resource => format!("n{at}[/{label}/]"),
        Sort::Outside | Sort::Meeting => format!("n{at}([{label}])"),
        Sort::Root => format!("n{at}{{{{{label}}}}}"),
    }
}

fn edge(line: &Line) -> String {
    let middle = match line.style {
        Style::Holds | Style::Facet => "--",
        Style::Share | Style::Meet => "-.-",
        Style::Control => "==",
    };
    // Mermaid has one sign for both ends of a line, so one that ends in a bar says who can obtain by its direction.
    let (from, to, tail, head) = match (line.tail, line.head) {
        (End::Arrow, End::Arrow) => (line.from, line.to, "<", ">"),
        (End::Arrow, _) => (line.to, line.from, "", ">"),
        (_, End::Bar) => (line.from, line.to, "", "x"),
        (_, End::Arrow | End::Back) => (line.from, line.to, "", ">"),
        (_, End::Plain) => (line.from, line.to, "", if line.style == Style::Control { "=" } else { "-" }),
    };
    let label = if line.label.is_empty() { String::new() } else { format!("|{}|", quoted(&line.label)) };
    format!("n{from} {tail}{middle}{head}{label} n{to}")
}

/// Returns a quoted label; what Mermaid or HTML could take for its own is written as an entity.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in harmless(text).chars() {
        match letter {
            '\n' => out.push_str("<br>"),
            '"' => out.push_str("#quot;"),
            '#' | '&' | '<' | '>' | '`' | '%' | ';' | '\\' | '|' | '*' | '_' | '$' => {
                let _ = write!(out, "#{};", u32::from(letter));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

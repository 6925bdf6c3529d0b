//! A picture as SVG, laid out here, so that it needs no other program: columns in the direction of authority, and a lane
//! for each scope.

use super::labels::{Part, Taken};
use super::picture::{Box, End, Line, Picture, Sort, Style};
use super::report::harmless;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const MARGIN: f64 = 24.0;
const ROW: f64 = 74.0;
const GAP: f64 = 250.0;
/// About how wide a letter is.
const LETTER: f64 = 7.2;
/// How much a scope is smaller than the one around it, and how high its title stands.
const INSET: f64 = 10.0;
const TITLE: f64 = 22.0;

/// Where a box lies: its middle, and how wide it is.
#[derive(Copy, Clone, Debug, Default)]
struct Spot {
    x: f64,
    y: f64,
    width: f64,
    column: usize,
}

/// A scope's part of the height.
#[derive(Copy, Clone, Debug, Default)]
struct Lane {
    top: f64,
    bottom: f64,
    depth: usize,
}

/// Returns the picture as SVG.
#[must_use]
pub fn svg(picture: &Picture) -> String {
    let columns = columns(picture);
    let (spots, lanes, bottom) = lay_out(picture, &columns);
    let right = spots.iter().map(|spot| spot.x + spot.width / 2.0).fold(300.0, f64::max) + 2.0 * MARGIN;
    let styles: Vec<(Style, &str)> = Style::ALL
        .into_iter()
        .filter(|(style, _)| picture.lines.iter().any(|line| line.style == *style))
        .collect();
    let height = bottom + MARGIN + 18.0 * styles.len() as f64 + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{right:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {right:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<defs>\n"
    );
    for (style, _) in Style::ALL {
        let colour = look(style).0;
        let word = word(style);
        let _ = writeln!(
            out,
            "<marker id=\"arrow-{word}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\"><path d=\"M0 1L10 5L0 9z\" fill=\"{colour}\"/></marker>\n<marker id=\"back-{word}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\"><path d=\"M0 1L10 5L0 9z\" fill=\"white\" stroke=\"{colour}\"/></marker>\n<marker id=\"bar-{word}\" viewBox=\"0 0 10 10\" refX=\"6\" refY=\"5\" markerWidth=\"10\" markerHeight=\"10\" markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\"><path d=\"M5 0V10\" stroke=\"{colour}\" stroke-width=\"2\"/></marker>"
        );
    }
    out.push_str("</defs>\n");
    for (group, lane) in picture.groups.iter().zip(&lanes).filter(|(_, lane)| lane.bottom > lane.top) {
        let x = MARGIN / 2.0 + INSET * lane.depth as f64;
        let _ = writeln!(
            out,
            "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"{:.0}\" height=\"{:.0}\" rx=\"8\" fill=\"none\" stroke=\"#bbb\"/>\n<text x=\"{:.0}\" y=\"{:.0}\" fill=\"#666\">{}</text>",
            lane.top,
            right - 2.0 * x,
            lane.bottom - lane.top,
            x + 8.0,
            lane.top + 15.0,
            escaped(&group.title)
        );
    }
    let mut labels = String::new();
    let mut taken = taken(picture, &spots, &lanes);
    for line in &picture.lines {
        draw_line(&mut out, &mut labels, &mut taken, line, &spots);
    }
    for (drawn, spot) in picture.boxes.iter().zip(&spots) {
        draw_box(&mut out, drawn, *spot);
    }
    out.push_str(&labels);
    for (row, (style, words)) in styles.into_iter().enumerate() {
        let y = bottom + MARGIN + 18.0 * row as f64;
        let (colour, dash, width) = look(style);
        let _ = writeln!(
            out,
            "<path d=\"M{MARGIN} {y:.0}h40\" stroke=\"{colour}\" stroke-width=\"{width}\"{dash} marker-end=\"url(#arrow-{})\"/><text x=\"{:.0}\" y=\"{:.0}\" font-size=\"10\" fill=\"#444\">{words}</text>",
            word(style),
            MARGIN + 50.0,
            y + 4.0
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Returns what words of lines should not stand on: boxes, and the titles of scopes.
fn taken(picture: &Picture, spots: &[Spot], lanes: &[Lane]) -> Taken {
    let mut taken = Taken::default();
    for spot in spots {
        let half = spot.width / 2.0 + 2.0;
        let (top, bottom) = (spot.y - 20.0, spot.y + 20.0);
        taken.take(Part { left: spot.x - half, top, right: spot.x + half, bottom });
    }
    for (group, lane) in picture.groups.iter().zip(lanes).filter(|(_, lane)| lane.bottom > lane.top) {
        let left = MARGIN / 2.0 + INSET * lane.depth as f64 + 8.0;
        let right = left + group.title.chars().count() as f64 * LETTER;
        taken.take(Part { left, top: lane.top, right, bottom: lane.top + TITLE });
    }
    taken
}

/// Returns for each box its column: one more than of whatever points at it, as far as nothing points round in a circle.
fn columns(picture: &Picture) -> Vec<usize> {
    let count = picture.boxes.len();
    let mut onward: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut waits = vec![0usize; count];
    // Who talks to whom gives the direction; what is written and read lies where its people lie.
    let lead = picture.lines.iter().filter(|line| matches!(line.style, Style::Facet | Style::Control));
    for (from, to) in lead.map(|line| (line.from, line.to)).collect::<BTreeSet<_>>() {
        if let (true, Some(onward)) = (from != to, onward.get_mut(from)) {
            onward.push(to);
            if let Some(waits) = waits.get_mut(to) {
                *waits += 1;
            }
        }
    }
    let mut columns = vec![0usize; count];
    // Ordered by how much is still to come before it: where everything waits, the one that waits for least opens the circle.
    let mut open: BTreeSet<(usize, usize)> =
        waits.iter().copied().enumerate().map(|(at, n)| (n, at)).collect();
    let mut placed = vec![false; count];
    while let Some((_, at)) = open.pop_first() {
        if let Some(placed) = placed.get_mut(at) {
            *placed = true;
        }
        let here = columns.get(at).copied().unwrap_or(0);
        for next in onward.get(at).into_iter().flatten().copied() {
            if placed.get(next) == Some(&true) {
                continue;
            }
            if let Some(column) = columns.get_mut(next) {
                *column = (*column).max(here + 1);
            }
            if let Some(waits) = waits.get_mut(next) {
                open.remove(&(*waits, next));
                *waits = waits.saturating_sub(1);
                open.insert((*waits, next));
            }
        }
    }
    let is_held = |at: usize| picture.boxes.get(at).is_some_and(|drawn| drawn.sort == Sort::Resource);
    for line in picture.lines.iter().filter(|line| line.style == Style::Holds && is_held(line.to)) {
        let holder = columns.get(line.from).copied().unwrap_or(0);
        if let Some(column) = columns.get_mut(line.to) {
            *column = (*column).max(holder + 1);
        }
    }
    columns
}

/// Returns where everything lies, and how far down it goes.
fn lay_out(picture: &Picture, columns: &[usize]) -> (Vec<Spot>, Vec<Lane>, f64) {
    let mut spots: Vec<Spot> = picture
        .boxes
        .iter()
        .zip(columns)
        .map(|(drawn, column)| Spot { width: width(drawn), column: *column, ..Spot::default() })
        .collect();
    let mut widest: Vec<f64> = Vec::new();
    for spot in &spots {
        widest.resize(widest.len().max(spot.column + 1), 0.0);
        if let Some(widest) = widest.get_mut(spot.column) {
            *widest = widest.max(spot.width);
        }
    }
    let lefts = widest.iter().scan(2.0 * MARGIN, |x, widest| Some(std::mem::replace(x, *x + widest + GAP)));
    let centres: Vec<f64> = lefts.zip(&widest).map(|(left, widest)| left + widest / 2.0).collect();
    for spot in &mut spots {
        spot.x = centres.get(spot.column).copied().unwrap_or(0.0);
    }
    // Each time everything moves nearer to what it has lines with.
    let neighbourhood = Neighbourhood::of(picture);
    let mut found = (Vec::new(), 0.0);
    for _ in 0..4 {
        found = lanes(picture, &neighbourhood, &mut spots);
    }
    (spots, found.0, found.1)
}

/// Which boxes lie in which lane, and which have a line with which.
struct Neighbourhood {
    members: BTreeMap<Option<usize>, Vec<usize>>,
    near: Vec<Vec<usize>>,
}

impl Neighbourhood {
    fn of(picture: &Picture) -> Self {
        let mut members: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (at, drawn) in picture.boxes.iter().enumerate() {
            members.entry(drawn.group).or_default().push(at);
        }
        let mut near = vec![Vec::new(); picture.boxes.len()];
        for line in picture.lines.iter().filter(|line| line.from != line.to) {
            for (one, other) in [(line.from, line.to), (line.to, line.from)] {
                near.get_mut(one).into_iter().for_each(|near: &mut Vec<usize>| near.push(other));
            }
        }
        Self { members, near }
    }

    /// Returns how far down the middle of all lies that a box has lines with, as far as it is known.
    fn height(&self, at: usize, spots: &[Spot]) -> f64 {
        let near = self.near.get(at).into_iter().flatten().filter_map(|near| spots.get(*near));
        let heights: Vec<f64> = near.map(|spot| spot.y).filter(|y| *y > 0.0).collect();
        heights.iter().sum::<f64>() / heights.len().max(1) as f64
    }
}

/// Places the lanes below each other; nested scopes follow their parent, so one sweep opens and closes them.
fn lanes(picture: &Picture, neighbourhood: &Neighbourhood, spots: &mut [Spot]) -> (Vec<Lane>, f64) {
    let mut lanes = vec![Lane::default(); picture.groups.len()];
    let mut y = MARGIN;
    let mut open: Vec<usize> = Vec::new();
    let close = |lanes: &mut Vec<Lane>, at: usize, y: &mut f64| {
        *y += INSET / 2.0;
        if let Some(lane) = lanes.get_mut(at) {
            lane.bottom = *y;
        }
        *y += INSET;
    };
    y = place(neighbourhood, spots, None, y);
    for (number, group) in picture.groups.iter().enumerate() {
        while open.last().is_some_and(|last| Some(*last) != group.parent) {
            if let Some(done) = open.pop() {
                close(&mut lanes, done, &mut y);
            }
        }
        if let Some(lane) = lanes.get_mut(number) {
            *lane = Lane { top: y, bottom: y, depth: open.len() };
        }
        open.push(number);
        y = place(neighbourhood, spots, Some(number), y + TITLE);
    }
    while let Some(done) = open.pop() {
        close(&mut lanes, done, &mut y);
    }
    (lanes, y)
}

/// Places the boxes of one lane below each other in their columns, near what points at them; returns where it ends.
fn place(neighbourhood: &Neighbourhood, spots: &mut [Spot], group: Option<usize>, top: f64) -> f64 {
    let mut by_column: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in neighbourhood.members.get(&group).into_iter().flatten() {
        if let Some(spot) = spots.get(*at) {
            by_column.entry(spot.column).or_default().push(*at);
        }
    }
    let rows = by_column.values().map(Vec::len).max().unwrap_or(0);
    for members in by_column.values_mut() {
        let height = |at: &usize| (neighbourhood.height(*at, spots) as i64, *at);
        let mut keyed: Vec<(i64, usize)> = members.iter().map(height).collect();
        keyed.sort_unstable();
        let room = ROW * rows as f64 / keyed.len().max(1) as f64;
        for (row, (_, at)) in keyed.into_iter().enumerate() {
            if let Some(spot) = spots.get_mut(at) {
                spot.y = top + room * (row as f64 + 0.5);
            }
        }
    }
    top + ROW * rows as f64
}

fn width(drawn: &Box) -> f64 {
    let longest = drawn.label.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    longest as f64 * LETTER + 20.0
}

fn draw_box(out: &mut String, drawn: &Box, spot: Spot) {
    let (x, y) = (spot.x - spot.width / 2.0, spot.y - 18.0);
    let rect = |rx: u32, fill: &str, stroke: &str, more: &str| {
        format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"36\" rx=\"{rx}\" fill=\"{fill}\" stroke=\"{stroke}\"{more}/>\n",
            spot.width
        )
    };
    match drawn.sort {
        Sort::Subject => out.push_str(&rect(3, "#eef3fb", "#333", "")),
        Sort::Trusted => {
            out.push_str(&rect(3, "#eef3fb", "#333", ""));
            let _ = writeln!(
                out,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"30\" rx=\"1\" fill=\"none\" stroke=\"#333\"/>",
                x + 3.0,
                y + 3.0,
                spot.width - 6.0
            );
        }
        Sort::Resource => out.push_str(&rect(0, "#f7f5ee", "#888", "")),
        Sort::Outside => out.push_str(&rect(18, "white", "#333", " stroke-dasharray=\"4 3\"")),
        Sort::Root => out.push_str(&rect(6, "#fbe9e7", "#c01c28", " stroke-width=\"2\"")),
        Sort::Meeting => out.push_str(&rect(18, "white", "#ccc", "")),
    }
    let first = spot.y + 4.0 - 7.0 * drawn.label.len().saturating_sub(1) as f64;
    for (row, line) in drawn.label.iter().enumerate() {
        let fill = if row == 0 { "#111" } else { "#777" };
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{fill}\">{}</text>",
            spot.x,
            first + 14.0 * row as f64,
            escaped(line)
        );
    }
}

fn draw_line(out: &mut String, labels: &mut String, taken: &mut Taken, line: &Line, spots: &[Spot]) {
    let (Some(from), Some(to)) = (spots.get(line.from), spots.get(line.to)) else { return };
    // Onward from the right side to the left one; back, or within a column, round by the same side.
    let is_onward = from.column < to.column;
    let (x1, x2) = match is_onward {
        true => (from.x + from.width / 2.0, to.x - to.width / 2.0),
        false => (from.x + from.width / 2.0, to.x + to.width / 2.0),
    };
    let bend = match is_onward {
        true => (x2 - x1) / 2.0,
        false => GAP / 2.0,
    };
    // Lines of several meanings between two boxes lie beside each other.
    let shift = match line.style {
        Style::Holds | Style::Facet => 0.0,
        Style::Share => 7.0,
        Style::Meet => -7.0,
        Style::Control => 12.0,
    };
    let (y1, y2) = (from.y + shift, to.y + shift);
    let (c1, c2) = (x1 + bend, if is_onward { x2 - bend } else { x2 + bend });
    let (colour, dash, width) = look(line.style);
    let word = word(line.style);
    let marker = |which: &str, end: End| match end {
        End::Plain => String::new(),
        End::Back => format!(" marker-{which}=\"url(#back-{word})\""),
        End::Arrow => format!(" marker-{which}=\"url(#arrow-{word})\""),
        End::Bar => format!(" marker-{which}=\"url(#bar-{word})\""),
    };
    let _ = writeln!(
        out,
        "<path d=\"M{x1:.1} {y1:.1}C{c1:.1} {y1:.1} {c2:.1} {y2:.1} {x2:.1} {y2:.1}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{dash}{}{}/>",
        marker("start", line.tail),
        marker("end", line.head)
    );
    if !line.label.is_empty() {
        let (x, y) = taken.place(&line.label, [(x1, y1), (c1, y1), (c2, y2), (x2, y2)]);
        let text = escaped(&line.label);
        // Twice, as not everything that draws SVG can put a stroke behind its letters.
        for look in [String::from("stroke=\"white\" stroke-width=\"3\""), format!("fill=\"{colour}\"")] {
            let _ = writeln!(
                labels,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" font-size=\"10\" {look}>{text}</text>"
            );
        }
    }
}

const fn look(style: Style) -> (&'static str, &'static str, &'static str) {
    match style {
        Style::Holds => ("#8c8c8c", "", "1"),
        Style::Facet => ("#1a5fb4", "", "1.2"),
        Style::Share => ("#26803b", " stroke-dasharray=\"5 3\"", "1.2"),
        Style::Meet => ("#c05e00", " stroke-dasharray=\"5 3\"", "1.2"),
        Style::Control => ("#c01c28", "", "2.5"),
    }
}

const fn word(style: Style) -> &'static str {
    match style {
        Style::Holds => "holds",
        Style::Facet => "facet",
        Style::Share => "share",
        Style::Meet => "meet",
        Style::Control => "control",
    }
}

/// Returns text for XML; `harmless` has taken the control characters that XML cannot say.
fn escaped(text: &str) -> String {
    let text = harmless(text).replace('\n', " ");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

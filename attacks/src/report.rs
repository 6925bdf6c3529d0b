//! What the attacks said.

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whether it succeeded.
    pub open: bool,
    /// The area and what was tried.
    pub name: String,
    /// How it ended.
    pub outcome: String,
}

/// Reads the lines of the attacks from an output in which others write too.
#[must_use]
pub fn read(output: &str) -> Vec<Line> {
    let lines = output.lines().filter_map(|line| {
        // `capc up` has the service's name before each line.
        let line = line.split_once(" | ").map_or(line, |(_, line)| line);
        let mut parts = line.split('\t');
        let open = match parts.next()? {
            "open" => true,
            "closed" => false,
            _ => return None,
        };
        let (area, attempt, outcome) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Line { open, name: format!("{area}: {attempt}"), outcome: outcome.to_owned() })
    });
    lines.collect()
}

/// Returns the names of what is open.
#[must_use]
pub fn open(lines: &[Line]) -> Vec<&str> {
    lines.iter().filter(|line| line.open).map(|line| line.name.as_str()).collect()
}

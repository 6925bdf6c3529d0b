//! The list of services as a person reads it.

use std::fmt;
use std::time::Duration;

use super::{Ps, PsService};
use crate::clock::Clock;

impl fmt::Display for Ps {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = ["NAME", "STATE", "FOR", "PID", "RESTARTS", "STATUS"].map(str::to_owned);
        let rows: Vec<[String; 6]> = [heading].into_iter().chain(self.services.iter().map(row)).collect();
        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        // A supervisor of another version may not say it.
        if self.limits.is_empty() { Ok(()) } else { writeln!(out, "limits: {}", self.limits) }
    }
}

fn row(service: &PsService) -> [String; 6] {
    let status = match (&service.next, &service.status) {
        (Some(next), _) => format!("starts at {next}"),
        (None, status) => status.clone().unwrap_or_default(),
    };
    let pid = service.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let (name, state) = (service.name.clone(), service.state.clone());
    [name, state, age(&service.since), pid, service.restarts.to_string(), status]
}

/// Returns how long ago something was.
fn age(since: &str) -> String {
    let Ok(since) = since.parse() else { return "?".to_owned() };
    let age = Duration::try_from(Clock::now().duration_since(since)).unwrap_or_default().as_secs();
    match age {
        0..60 => format!("{age} s"),
        60..3600 => format!("{} min", age / 60),
        3600..172_800 => format!("{} h", age / 3600),
        _ => format!("{} d", age / 86_400),
    }
}

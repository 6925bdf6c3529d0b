//! Names of units, paths and accounts as words of the language, each once.

use std::collections::BTreeSet;

/// Words that mean something else, in some place where a name could stand.
const RESERVED: [&str; 10] =
    ["true", "false", "null", "inf", "nan", "outside", "reconfigure", "tty", "stdio", "notify"];
/// The longest name.
const LONGEST: usize = 64;

/// The names of one file.
#[derive(Default)]
pub struct Names {
    given: BTreeSet<String>,
}

impl Names {
    /// Returns the name that is wanted, or one like another if something else has it.
    pub fn unique_or(&mut self, wanted: &str, otherwise: &str) -> String {
        match self.given.contains(&word(wanted)) {
            true => self.unique(otherwise),
            false => self.unique(wanted),
        }
    }

    /// Returns a name like the one that is wanted, which nothing else has.
    pub fn unique(&mut self, wanted: &str) -> String {
        let wanted = word(wanted);
        let others = (2_u64..).map(|number| {
            let end = format!("-{number}");
            let kept = wanted.get(..LONGEST - end.len()).unwrap_or(&wanted);
            format!("{}{end}", kept.trim_end_matches('-'))
        });
        let free = std::iter::once(wanted.clone()).chain(others).find(|name| !self.given.contains(name));
        let name = free.unwrap_or(wanted);
        self.given.insert(name.clone());
        name
    }
}

/// Returns a word of the language that reads like a text.
#[must_use]
pub fn word(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter.to_ascii_lowercase() {
            letter @ ('a'..='z' | '0'..='9') => out.push(letter),
            _ if out.ends_with('-') || out.is_empty() => {}
            _ => out.push('-'),
        }
        if out.len() == LONGEST - 2 {
            break;
        }
    }
    let out = out.trim_end_matches('-');
    match out.chars().next() {
        None => "unnamed".to_owned(),
        Some(first) if !first.is_ascii_lowercase() => format!("n-{out}"),
        Some(_) if RESERVED.contains(&out) => format!("n-{out}"),
        Some(_) => out.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_a_name_that_nothing_else_has() {
        for (text, expected) in [
            ("redis-server", "redis-server"),
            ("/var/lib/Redis", "var-lib-redis"),
            ("7zip", "n-7zip"),
            ("true", "n-true"),
            ("é//", "unnamed"),
        ] {
            assert_eq!(word(text), expected);
        }
        let mut names = Names::default();
        assert_eq!([names.unique("a"), names.unique("A"), names.unique("a-2")], ["a", "a-2", "a-2-2"]);
        let long = "x".repeat(100);
        for _ in 0..12 {
            assert!(names.unique(&long).len() <= LONGEST);
        }
    }
}

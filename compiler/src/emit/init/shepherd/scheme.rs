//! Scheme as text that Guile's `read` reads back as it was meant, whatever is in it.

use std::fmt;

/// A datum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// `#f`
    False,
    /// An exact number.
    Number(i64),
    /// A symbol.
    Symbol(String),
    /// A keyword, by a plain name.
    Keyword(&'static str),
    /// A string.
    Text(String),
    /// A proper list.
    List(Vec<Datum>),
}

impl Datum {
    /// Returns a string.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Returns a symbol.
pub(super) fn symbol(name: &str) -> Datum {
    Datum::Symbol(name.to_owned())
}

/// Returns a list.
pub(super) fn list<const N: usize>(parts: [Datum; N]) -> Datum {
    Datum::List(parts.into())
}

/// Returns a list that begins with a symbol.
pub(super) fn named(name: &str, parts: impl IntoIterator<Item = Datum>) -> Datum {
    Datum::List(std::iter::once(symbol(name)).chain(parts).collect())
}

impl fmt::Display for Datum {
    /// Lists of lists stand on lines of their own, for whoever reads the file.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        enum Step<'a> {
            Datum(&'a Datum, usize),
            Close,
            Break(usize),
            Blank,
        }
        let mut steps = vec![Step::Datum(self, 2)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Datum(Datum::False, _) => out.write_str("#f")?,
                Step::Datum(Datum::Number(number), _) => write!(out, "{number}")?,
                Step::Datum(Datum::Symbol(name), _) => write_symbol(out, name)?,
                Step::Datum(Datum::Keyword(name), _) => write!(out, "#:{name}")?,
                Step::Datum(Datum::Text(text), _) => write_text(out, text)?,
                Step::Datum(Datum::List(parts), depth) => {
                    out.write_str("(")?;
                    steps.push(Step::Close);
                    for (at, part) in parts.iter().enumerate().rev() {
                        steps.push(Step::Datum(part, depth + 1));
                        match part {
                            _ if at == 0 => {}
                            Datum::List(_) => steps.push(Step::Break(depth)),
                            _ => steps.push(Step::Blank),
                        }
                    }
                }
                Step::Close => out.write_str(")")?,
                Step::Break(depth) => write!(out, "\n{:depth$}", "")?,
                Step::Blank => out.write_str(" ")?,
            }
        }
        Ok(())
    }
}

/// Plain letters as they are, and all others by their numbers: the file is ASCII, whatever coding a reader expects.
fn write_text(out: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    out.write_str("\"")?;
    for letter in text.chars() {
        match letter {
            '"' | '\\' => write!(out, "\\{letter}")?,
            ' '..='~' => write!(out, "{letter}")?,
            _ => match u32::from(letter) {
                number @ ..0x1_0000 => write!(out, "\\u{number:04x}")?,
                number => write!(out, "\\U{number:06x}")?,
            },
        }
    }
    out.write_str("\"")
}

/// A name of letters, digits and `-`, `/`, `:` after a letter stands as it is; any other between bars, as in R7RS, which Guile reads
/// as `#{…}#`.
fn write_symbol(out: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let is_plain = name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-/:!".contains(&byte));
    if is_plain {
        return out.write_str(name);
    }
    out.write_str("#{")?;
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() {
            write!(out, "{letter}")?;
        } else {
            write!(out, "\\x{:x};", u32::from(letter))?;
        }
    }
    out.write_str("}#")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(datum: &Datum, expected: &str) {
        assert_eq!(datum.to_string(), expected);
    }

    #[test]
    fn a_text_cannot_end_before_its_end() {
        check(&Datum::text("a\"b\\c)"), r#""a\"b\\c)""#);
        check(&Datum::text("\n\0\u{e9}\u{1f600}"), r#""\u000a\u0000\u00e9\U01f600""#);
    }

    #[test]
    fn a_symbol_is_one_symbol() {
        check(&symbol("capc-shop/nginx"), "capc-shop/nginx");
        check(&symbol("a b)"), r"#{a\x20;b\x29;}#");
        check(&symbol("1"), "#{1}#");
        check(&symbol(""), "#{}#");
    }

    #[test]
    fn lists_of_lists_stand_on_lines_of_their_own() {
        check(&named("plan", [named("a", [Datum::Number(1), Datum::False])]), "(plan\n  (a 1 #f))");
    }
}

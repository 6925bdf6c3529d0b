//! What the Shepherd answers: Scheme as its `write` prints it.

use std::fmt;

/// A datum that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// A string.
    Text(String),
    /// Anything that is neither a string nor a list, as it was written.
    Atom(String),
    /// A list; one that is not proper has the atom `.` before its last part.
    List(Vec<Datum>),
}

/// The deepest nesting that is read.
const DEEPEST: usize = 64;

impl Datum {
    /// Reads the first datum of a text; none if it is cut or nested too deeply.
    pub fn read(text: &str) -> Option<Self> {
        let mut open: Vec<Vec<Datum>> = Vec::new();
        let mut letters = text.chars().peekable();
        loop {
            let done = match letters.next()? {
                letter if letter.is_whitespace() => continue,
                '(' => {
                    open.push(Vec::new());
                    if open.len() > DEEPEST {
                        return None;
                    }
                    continue;
                }
                ')' => Datum::List(open.pop()?),
                '"' => Datum::Text(string(&mut letters)?),
                first => {
                    let mut atom = String::from(first);
                    while let Some(letter) =
                        letters.next_if(|letter| !letter.is_whitespace() && !"()\"".contains(*letter))
                    {
                        atom.push(letter);
                    }
                    Datum::Atom(atom)
                }
            };
            match open.last_mut() {
                Some(list) => list.push(done),
                None => return Some(done),
            }
        }
    }

    /// Returns what is in it, if it is a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Atom(_) | Self::List(_) => None,
        }
    }

    /// Returns what it is, if it is an atom.
    pub fn atom(&self) -> Option<&str> {
        match self {
            Self::Atom(atom) => Some(atom),
            Self::Text(_) | Self::List(_) => None,
        }
    }

    /// Returns its parts, none if it is no list.
    pub fn list(&self) -> &[Datum] {
        match self {
            Self::List(parts) => parts,
            Self::Text(_) | Self::Atom(_) => &[],
        }
    }

    /// Returns what stands in it behind a name: `(… (NAME VALUE…) …)`.
    pub fn field(&self, name: &str) -> Option<&[Datum]> {
        self.list().iter().find_map(|part| match part.list() {
            [first, rest @ ..] if first.atom() == Some(name) => Some(rest),
            _ => None,
        })
    }

    /// Returns all strings in it, in order.
    pub fn texts(&self) -> Vec<&str> {
        let mut texts = Vec::new();
        let mut left = vec![self];
        while let Some(datum) = left.pop() {
            texts.extend(datum.text());
            left.extend(datum.list().iter().rev());
        }
        texts
    }
}

/// Reads on to the end of a string.
fn string(letters: &mut impl Iterator<Item = char>) -> Option<String> {
    let mut text = String::new();
    loop {
        match letters.next()? {
            '"' => return Some(text),
            '\\' => match letters.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                'a' => text.push('\u{7}'),
                'f' => text.push('\u{c}'),
                'v' => text.push('\u{b}'),
                'b' => text.push('\u{8}'),
                '0' => text.push('\0'),
                'x' => text.push(number(letters, 2)?),
                'u' => text.push(number(letters, 4)?),
                'U' => text.push(number(letters, 6)?),
                letter => text.push(letter),
            },
            letter => text.push(letter),
        }
    }
}

fn number(letters: &mut impl Iterator<Item = char>, digits: usize) -> Option<char> {
    let digits: String = letters.take(digits).collect();
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}

impl fmt::Display for Datum {
    /// As words for a person.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.texts();
        match (self, texts.is_empty()) {
            (Self::Atom(atom), _) => out.write_str(atom),
            (_, true) => out.write_str("it does not say why"),
            (_, false) => out.write_str(&texts.join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Datum::read(text).map(|datum| format!("{datum:?}")).as_deref(), expected);
    }

    #[test]
    fn an_answer_is_read_as_the_shepherd_writes_it() {
        check(r##"(a "b\"\n\x41;" (#f 12 #:key) . c) rest"##, {
            let text = r##"List([Atom("a"), Text("b\"\nA;"), List([Atom("#f"), Atom("12"), Atom("#:key")]), Atom("."), Atom("c")])"##;
            Some(text)
        });
        let reply = Datum::read("(reply (version 0) (result #t) (error #f) (messages ()))").unwrap();
        assert_eq!(reply.field("result"), Some(&[Datum::Atom("#t".to_owned())][..]));
    }

    #[test]
    fn what_is_cut_short_or_nested_without_end_is_no_answer() {
        for cut in ["", "(", "(a", "\"a", "\"\\", "(\"\\x4", ")"] {
            check(cut, None);
        }
        check(&"(".repeat(100_000), None);
    }
}

//! Values as systemd takes them apart: quotes, escapes (systemd.syntax(7), systemd.service(5)), times and sizes.

/// One word of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it says, quotes and escapes resolved.
    pub text: String,
    /// It is a `;` without quotes, which ends a command.
    pub is_end: bool,
}

/// Returns the words of a value; `None` where a quote is never closed, or an escape makes it no text.
#[must_use]
pub fn split(value: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut letters = value.chars().peekable();
    loop {
        while letters.next_if(|letter| BLANKS.contains(letter)).is_some() {}
        if letters.peek().is_none() {
            return Some(words);
        }
        let mut rest = letters.clone();
        let (first, second, third) = (rest.next(), rest.next(), rest.next());
        let is_blank = |letter: Option<char>| letter.is_none_or(|letter| BLANKS.contains(&letter));
        match (first, second) {
            (Some(';'), after) if is_blank(after) => {
                letters.next();
                words.push(Word { text: ";".to_owned(), is_end: true });
                continue;
            }
            (Some('\\'), Some(';')) if is_blank(third) => {
                letters.nth(1);
                words.push(Word { text: ";".to_owned(), is_end: false });
                continue;
            }
            _ => {}
        }
        words.push(Word { text: word(&mut letters)?, is_end: false });
    }
}

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

type Letters<'t> = std::iter::Peekable<std::str::Chars<'t>>;

/// Reads one word. Its bytes become text at its end: escapes may name them one by one.
fn word(letters: &mut Letters<'_>) -> Option<String> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut quote: Option<char> = None;
    let mut push = |letter: char| bytes.extend(letter.encode_utf8(&mut [0; 4]).bytes());
    let mut single: Vec<(usize, u8)> = Vec::new();
    let mut at = 0;
    while let Some(letter) = letters.peek().copied() {
        if quote.is_none() && BLANKS.contains(&letter) {
            break;
        }
        letters.next();
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (_, '\\') => match escape(letters) {
                Escape::Letter(letter) => {
                    push(letter);
                    at += letter.len_utf8();
                }
                Escape::Byte(byte) => {
                    single.push((at, byte));
                    push('\0');
                    at += 1;
                }
                Escape::None => {
                    push('\\');
                    at += 1;
                }
            },
            (_, letter) => {
                push(letter);
                at += letter.len_utf8();
            }
        }
    }
    for (at, byte) in single {
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (quote.is_none() && !text.contains('\0')).then_some(text)
}

enum Escape {
    Letter(char),
    Byte(u8),
    /// The backslash stands for itself, and what follows too.
    None,
}

fn escape(letters: &mut Letters<'_>) -> Escape {
    let Some(kind) = letters.peek().copied() else { return Escape::None };
    let simple = match kind {
        'a' => Some('\x07'),
        'b' => Some('\x08'),
        'f' => Some('\x0c'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\x0b'),
        's' => Some(' '),
        '\\' | '"' | '\'' => Some(kind),
        _ => None,
    };
    if let Some(simple) = simple {
        letters.next();
        return Escape::Letter(simple);
    }
    let (skipped, length, radix) = match kind {
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        '0'..='7' => (0, 3, 8),
        _ => return Escape::None,
    };
    let digits: String = letters.clone().skip(skipped).take(length).collect();
    let is_whole = digits.chars().count() == length && digits.chars().all(|digit| digit.is_digit(radix));
    let Some(number) = u32::from_str_radix(&digits, radix).ok().filter(|number| is_whole && *number > 0)
    else {
        return Escape::None;
    };
    let escape = match kind {
        'u' | 'U' => char::from_u32(number).map(Escape::Letter),
        _ => u8::try_from(number).ok().map(Escape::Byte),
    };
    if escape.is_some() {
        letters.nth(skipped + length - 1);
    }
    escape.unwrap_or(Escape::None)
}

/// Returns a span of time in milliseconds (systemd.time(7)); `None` if it is endless or none.
#[must_use]
pub fn time(value: &str) -> Option<u64> {
    let mut total: f64 = 0.0;
    let mut rest = value.trim();
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let number: f64 = number.parse().ok()?;
        let after = after.trim_start();
        let end = after.find(|letter: char| !letter.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        total += number
            * match unit {
                "us" | "usec" | "µs" | "μs" => 0.001,
                "ms" | "msec" => 1.0,
                "" | "s" | "sec" | "second" | "seconds" => 1000.0,
                "m" | "min" | "minute" | "minutes" => 60_000.0,
                "h" | "hr" | "hour" | "hours" => 3_600_000.0,
                "d" | "day" | "days" => 86_400_000.0,
                "w" | "week" | "weeks" => 604_800_000.0,
                _ => return None,
            };
        rest = after.trim_start();
    }
    (1.0..1e12).contains(&total).then_some(total as u64)
}

/// Returns a time as the language writes it.
#[must_use]
pub fn time_word(milliseconds: u64) -> String {
    match milliseconds {
        whole if whole % 3_600_000 == 0 => format!("{}h", whole / 3_600_000),
        whole if whole % 60_000 == 0 => format!("{}min", whole / 60_000),
        whole if whole % 1000 == 0 => format!("{}s", whole / 1000),
        other => format!("{other}ms"),
    }
}

/// Returns a size as the language writes it; the units of both are powers of 1024.
#[must_use]
pub fn size(value: &str) -> Option<String> {
    let letters = value.trim_end_matches(|letter: char| letter.is_ascii_uppercase());
    let unit = value.strip_prefix(letters)?;
    let is_number = !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_digit());
    let shift = match unit {
        "" | "B" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    let number = letters.parse::<u64>().ok().filter(|number| is_number && *number > 0)?;
    let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes < 1 << 60)?;
    Some(if shift == 0 { bytes.to_string() } else { format!("{number}{unit}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &[&str]) {
        let words = split(value).unwrap();
        assert_eq!(words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), expected);
    }

    // What `systemd` 252 makes of them.
    #[test]
    fn quotes_hold_together_and_escapes_are_letters() {
        check("nginx -g 'daemon on; master_process on;'", &["nginx", "-g", "daemon on; master_process on;"]);
        check(r#"a "b c"d 'e\'f' \x41\102\u00e9\s."#, &["a", "b cd", "e'f", "AB\u{e9} ."]);
        check(r"a\d \; b", &[r"a\d", ";", "b"]);
        check(r"\xc3\xa9 \x00 ''", &["\u{e9}", r"\x00", ""]);
        assert_eq!(split("a 'b"), None);
        assert_eq!(split(r"\xff"), None);
        let ends: Vec<bool> = split("a ; b ';'").unwrap().iter().map(|word| word.is_end).collect();
        assert_eq!(ends, [false, true, false, false]);
    }

    #[test]
    fn times_and_sizes_are_those_of_the_language() {
        for (value, expected) in [("5", "5s"), ("1min 30s", "90s"), ("1h", "1h"), ("2.5", "2500ms")] {
            assert_eq!(time_word(time(value).unwrap()), expected);
        }
        for none in ["infinity", "0", "", "x", "1 parsec", "99999999999999999w", "é"] {
            assert_eq!(time(none), None, "{none}");
        }
        assert_eq!(size("512M").as_deref(), Some("512M"));
        assert_eq!(size("1024").as_deref(), Some("1024"));
        for none in ["10%", "infinity", "0", "9999999T", "", "M"] {
            assert_eq!(size(none), None, "{none}");
        }
    }
}

//! What `%i` and its kin mean in the name of a dependency (systemd.unit(5), "Specifiers").

use super::name::{UnitName, unescape};

/// Returns a word with its specifiers replaced; `Err` is the letter that only the running machine could replace.
///
/// # Errors
/// The first letter that names no specifier, or one whose value is not in the files.
pub fn expand(word: &str, unit: &UnitName<'_>) -> Result<String, char> {
    if !word.contains('%') {
        return Ok(word.to_owned());
    }
    let mut out = String::with_capacity(word.len());
    let mut letters = word.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let Some(which) = letters.next() else {
            out.push('%');
            break;
        };
        let instance = unit.instance.unwrap_or_default();
        let last = unit.prefix.rsplit('-').next().unwrap_or_default();
        match which {
            '%' => out.push('%'),
            'n' => out.push_str(unit.text),
            'N' => out.push_str(unit.text.rsplit_once('.').map_or(unit.text, |(stem, _)| stem)),
            'p' => out.push_str(unit.prefix),
            'P' => out.push_str(&unescape(unit.prefix)),
            'i' => out.push_str(instance),
            'I' => out.push_str(&unescape(instance)),
            'j' => out.push_str(last),
            'J' => out.push_str(&unescape(last)),
            'f' => {
                out.push('/');
                let of = if instance.is_empty() { unit.prefix } else { instance };
                out.push_str(unescape(of).trim_start_matches('/'));
            }
            't' => out.push_str("/run"),
            'S' => out.push_str("/var/lib"),
            'C' => out.push_str("/var/cache"),
            'L' => out.push_str("/var/log"),
            'E' => out.push_str("/etc"),
            'T' => out.push_str("/tmp"),
            'V' => out.push_str("/var/tmp"),
            'h' => out.push_str("/root"),
            'u' | 'g' => out.push_str("root"),
            'U' | 'G' => out.push('0'),
            other => return Err(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_name_says_is_put_in() {
        let unit = UnitName::parse("a-b\\x2dc@d-e\\x2df.service").unwrap();
        for (word, expected) in [
            ("%n", "a-b\\x2dc@d-e\\x2df.service"),
            ("%p %P", "a-b\\x2dc a/b-c"),
            ("%i %I", "d-e\\x2df d/e-f"),
            ("%f", "/d/e-f"),
            ("%j", "b\\x2dc"),
            ("x@%i.socket", "x@d-e\\x2df.socket"),
            ("100%%", "100%"),
        ] {
            assert_eq!(expand(word, &unit).as_deref(), Ok(expected));
        }
        assert_eq!(expand("a-%H", &unit), Err('H'));
    }
}

//! The text of a unit, in which nothing that comes from outside means more than itself.
//!
//! systemd reads `%` as a specifier and `\` at a line's end as its continuation everywhere; in command lines quotes,
//! backslashes and `$` besides (systemd.syntax(7), systemd.service(5), "Command lines").

use std::fmt::Write;

/// A unit while it is written.
pub struct Unit(String);

impl Unit {
    /// Begins a unit with what it is.
    pub fn new(description: &str) -> Self {
        let mut unit =
            Self("# Sealed by capc; what is changed here is told by `capc status`.\n[Unit]\n".to_owned());
        unit.set("Description", shown(description));
        unit
    }

    /// Begins a section.
    pub fn section(&mut self, name: &str) {
        let _ = writeln!(self.0, "\n[{name}]");
    }

    /// Sets a value, which is escaped already.
    pub fn set(&mut self, key: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{key}={value}");
    }

    /// Sets a list of units, if there are any.
    pub fn set_units<I: IntoIterator<Item = S>, S: AsRef<str>>(&mut self, key: &str, units: I) {
        let units: Vec<String> = units.into_iter().map(|unit| unit.as_ref().replace('%', "%%")).collect();
        if !units.is_empty() {
            self.set(key, units.join(" "));
        }
    }

    /// Returns the unit's bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// Returns words that people read: what could mean something else is left out of them.
pub fn shown(text: &str) -> String {
    let plain = |letter: char| if letter.is_control() || letter == '\\' { '?' } else { letter };
    text.chars().map(plain).collect::<String>().trim().replace('%', "%%")
}

/// Returns a path as a value that is taken as it stands.
///
/// # Errors
/// When it cannot be written as one.
pub fn literal(path: &str) -> Result<String, String> {
    let is_whole = path.trim() == path && !path.contains(char::is_control);
    if is_whole && !path.contains(['\\', '"', '\'']) {
        return Ok(path.replace('%', "%%"));
    }
    Err(format!(
        "`{}` cannot be written into a unit of systemd: it has quotes, backslashes, control characters, or spaces at an end",
        path.escape_debug()
    ))
}

/// Returns a command line.
///
/// # Errors
/// When systemd would not take the program's path.
pub fn command(
    program: &str,
    arguments: impl IntoIterator<Item = impl AsRef<str>>,
) -> Result<String, String> {
    // The program is no subject of variables, and its path may hold neither quotes nor backslashes.
    let mut line = format!("\"{}\"", literal(program)?);
    for argument in arguments {
        line.push(' ');
        line.push_str(&quoted(argument.as_ref()));
    }
    Ok(line)
}

/// Returns an argument of a command line.
fn quoted(argument: &str) -> String {
    let mut out = "\"".to_owned();
    for letter in argument.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '%' | '$' => out.extend([letter, letter]),
            _ if letter.is_control() => {
                let mut bytes = [0; 4];
                for byte in letter.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// Returns a length of time.
pub fn milliseconds(number: u64) -> String {
    format!("{number}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_means_nothing_but_itself() {
        assert_eq!(quoted("a b"), r#""a b""#);
        assert_eq!(quoted(r#"$HOME ${x} %n "q" 'r' \n ;"#), r#""$$HOME $${x} %%n \"q\" 'r' \\n ;""#);
        assert_eq!(quoted("a\nb\t\u{7f}\u{85}"), r#""a\x0ab\x09\x7f\xc2\x85""#);
        assert_eq!(quoted(""), r#""""#);
    }

    #[test]
    fn a_program_that_systemd_would_not_run_is_refused() {
        assert_eq!(command("/a b/50%$x", ["y"]).unwrap(), r#""/a b/50%%$x" "y""#);
        for path in ["/a\"b", "/a'b", "/a\\b", "/a\nb", "/a "] {
            let refused = command(path, [""; 0]).unwrap_err();
            assert!(refused.contains("cannot be written into a unit"), "{refused}");
        }
    }

    #[test]
    fn a_description_stays_on_its_line() {
        assert_eq!(shown("a\n[Service]\\"), "a?[Service]?");
        assert_eq!(shown(" 100% "), "100%%");
    }
}

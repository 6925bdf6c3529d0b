//! Values that are checked once, where they are written: names, paths, addresses, sizes, times, signals.

use super::words::{Reader, Word};
use crate::diag::{Code, Diagnostic};
use crate::model::{Address, PathUse, Protocol};
use crate::source::Span;
use std::sync::Arc;

/// Words that no name may be.
const RESERVED: [&str; 7] = ["true", "false", "null", "inf", "nan", "outside", "reconfigure"];

/// The longest path in bytes (`PATH_MAX` without its final NUL) and the longest name.
const MAX_PATH: usize = 4095;
const MAX_NAME: usize = 64;

/// Returns what is wrong with a name, if anything is.
pub fn name_problem(name: &str) -> Option<&'static str> {
    let mut letters = name.chars();
    if !letters.next().is_some_and(|first| first.is_ascii_lowercase()) {
        return Some("a name begins with a lower-case letter");
    }
    if !letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-') {
        return Some("a name has lower-case letters, digits and `-` only");
    }
    if name.len() > MAX_NAME {
        return Some("a name has at most 64 letters");
    }
    RESERVED.contains(&name).then_some("this word has a meaning of its own")
}

/// Returns what is wrong with an absolute path, if anything is.
pub fn path_problem(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        return Some("a path is absolute: it begins with `/`");
    }
    relative_problem(path.strip_prefix('/').unwrap_or(path)).filter(|_| path != "/")
}

/// Returns what is wrong with a relative path, if anything is.
pub fn relative_problem(path: &str) -> Option<&'static str> {
    if path.contains('\0') {
        return Some("a path has no NUL character");
    }
    if path.len() > MAX_PATH {
        return Some("a path has at most 4095 bytes");
    }
    path.split('/').find_map(|component| match component {
        "" => Some("a path has no doubled or trailing `/`"),
        "." => Some("a path has no `.` component"),
        ".." => Some("a path has no `..` component"),
        long if long.len() > 255 => Some("a path's components have at most 255 bytes each"),
        _ => None,
    })
}

/// Returns whether something is a single plain word.
fn is_bare(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=30).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('.')
}

/// Returns the normal path that an absolute one stands for; none where it goes back up, or is no path otherwise.
fn meant_path(path: &str) -> Option<String> {
    let parts = path.strip_prefix('/')?.split('/').filter(|part| !matches!(*part, "" | "."));
    let meant = parts.fold(String::new(), |meant, part| meant + "/" + part);
    (path_problem(&meant).is_none() && meant.len() <= 60 && !meant.contains(['"', '\\'])).then_some(meant)
}

impl Reader<'_> {
    /// Reports a value that is none of its kind.
    pub fn bad(&mut self, word: &Word, problem: &str, help: &str) {
        let shown: String = word.text.chars().take(60).collect();
        self.report(
            Diagnostic::new(Code::BadValue, format!("`{shown}`: {problem}"), word.span, problem).help(help),
        );
    }

    /// Checks a name that is declared here.
    pub fn name(&mut self, word: Word) -> Option<Word> {
        match name_problem(&word.text) {
            None => Some(word),
            Some(problem) => {
                self.bad(&word, problem, "write a lower-case word like `web` or `tls-key`");
                None
            }
        }
    }

    /// Checks a name by which a user holds something: a name, or `OBJECT.FACET`.
    pub fn held_name(&mut self, word: Word) -> Option<Word> {
        let parts = word.text.split_once('.');
        let problem = match parts {
            Some((object, facet)) => name_problem(object).or_else(|| name_problem(facet)),
            None => name_problem(&word.text),
        };
        match problem {
            None => Some(word),
            Some(problem) => {
                self.bad(&word, problem, "write the name by which the user holds it");
                None
            }
        }
    }

    /// Checks a path of a service's world.
    pub fn world_path(&mut self, word: Word) -> Option<PathUse> {
        match path_problem(&word.text) {
            None => Some(PathUse { path: word.text, span: word.span }),
            Some(problem) => {
                let help = match meant_path(&word.text) {
                    Some(meant) => format!("write \"{meant}\""),
                    None if is_bare(&word.text) => {
                        format!("write the whole path, like \"/usr/bin/{0}\" or \"/srv/{0}\"", word.text)
                    }
                    None => "write an absolute path like \"/srv/site\"".to_owned(),
                };
                self.bad(&word, problem, &help);
                None
            }
        }
    }

    /// Checks a path of the machine; `./` is the directory of this file.
    pub fn host_path(&mut self, word: Word, directory: &str) -> Option<PathUse> {
        let Some(beside) = word.text.strip_prefix("./") else {
            return self.world_path(word);
        };
        match relative_problem(beside) {
            None => {
                let path: Arc<str> = format!("{}/{beside}", directory.trim_end_matches('/')).into();
                Some(PathUse { path, span: word.span })
            }
            Some(problem) => {
                self.bad(&word, problem, "write a path like \"./site\", beside this file");
                None
            }
        }
    }

    /// Checks a part of something with a path.
    pub fn part(&mut self, word: Word) -> Option<Word> {
        let problem = match word.text.starts_with('/') {
            true => Some("a part is relative to what it is a part of"),
            false => relative_problem(&word.text),
        };
        match problem {
            None => Some(word),
            Some(problem) => {
                self.bad(&word, problem, "write a relative path like \"img/logo.png\"");
                None
            }
        }
    }

    /// Checks `ADDR:PORT`; only a `connect` may have a host name for the address.
    pub fn address(&mut self, word: &Word, protocol: Protocol, names: HostNames) -> Option<Address> {
        let help = match names {
            HostNames::Refused => "write an address and a port like \"127.0.0.1:8080\" or \"[::1]:8080\"",
            HostNames::Allowed => "write a host and a port like \"api.example.org:443\" or \"192.0.2.7:443\"",
        };
        let Some((host, port)) = word.text.rsplit_once(':') else {
            let port = word.text.parse::<u16>().ok().filter(|port| *port > 0 && names == HostNames::Refused);
            let meant = port.map(|port| {
                format!(
                    "write \"0.0.0.0:{port}\" for all addresses, or \"127.0.0.1:{port}\" for this machine"
                )
            });
            self.bad(word, "an address ends with `:` and a port", meant.as_deref().unwrap_or(help));
            return None;
        };
        let port = match port.parse::<u16>() {
            Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => number,
            _ => {
                self.bad(word, "a port is a number from 1 to 65535", help);
                return None;
            }
        };
        let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let valid = match inner {
            Some(six) => six.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                host.parse::<std::net::Ipv4Addr>().is_ok()
                    || (names == HostNames::Allowed && is_host_name(host))
            }
        };
        if !valid {
            let meant = match (host, names) {
                ("" | "*", HostNames::Refused) => Some(format!(
                    "write \"0.0.0.0:{port}\" for all addresses, or \"[::]:{port}\" for those of IPv6"
                )),
                ("localhost", HostNames::Refused) => Some(format!("write \"127.0.0.1:{port}\"")),
                _ => None,
            };
            self.bad(word, "this is no address", meant.as_deref().unwrap_or(help));
            return None;
        }
        Some(Address::Ip { protocol, host: inner.unwrap_or(host).to_owned(), port })
    }

    /// Checks a size such as `512M`; the units are powers of 1024.
    pub fn size(&mut self, word: &Word) -> Option<u64> {
        let help = "write a number with K, M, G or T, like \"64M\"";
        let (digits, shift) = match word.text.char_indices().last() {
            Some((at, 'K')) => (word.text.get(..at), 10),
            Some((at, 'M')) => (word.text.get(..at), 20),
            Some((at, 'G')) => (word.text.get(..at), 30),
            Some((at, 'T')) => (word.text.get(..at), 40),
            _ => (Some(&*word.text), 0),
        };
        let number = digits.filter(|digits| is_digits(digits)).and_then(|digits| digits.parse::<u64>().ok());
        match number
            .and_then(|number| number.checked_mul(1 << shift))
            .filter(|size| *size > 0 && *size < 1 << 60)
        {
            Some(size) => Some(size),
            None => {
                self.bad(word, "this is no size", help);
                None
            }
        }
    }

    /// Checks a time such as `10s`, in milliseconds.
    pub fn time(&mut self, word: &Word) -> Option<u64> {
        let (digits, unit) = match () {
            () if word.text.ends_with("ms") => (word.text.strip_suffix("ms"), 1),
            () if word.text.ends_with('s') => (word.text.strip_suffix('s'), 1000),
            () if word.text.ends_with("min") => (word.text.strip_suffix("min"), 60_000),
            () => (word.text.strip_suffix('h'), 3_600_000),
        };
        let number = digits.filter(|digits| is_digits(digits)).and_then(|digits| digits.parse::<u64>().ok());
        match number.and_then(|number| number.checked_mul(unit)).filter(|time| *time < 1 << 50) {
            Some(time) => Some(time),
            None => {
                self.bad(word, "this is no time", "write a number with ms, s, min or h, like \"10s\"");
                None
            }
        }
    }

    /// Checks the name of a signal, without `SIG`.
    pub fn signal(&mut self, word: &Word) -> Option<String> {
        const SIGNALS: [&str; 10] =
            ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL", "WINCH", "CONT", "ALRM"];
        if SIGNALS.contains(&&*word.text) {
            return Some(word.text.as_ref().to_owned());
        }
        let message = format!("`{}` is no signal that a service is sent", word.text);
        let diagnostic = Diagnostic::new(Code::BadValue, message, word.span, "not a signal's name");
        let bare = word.text.strip_prefix("SIG").unwrap_or(&word.text).to_ascii_uppercase();
        self.report(super::words::with_suggestion(diagnostic, &bare, SIGNALS));
        None
    }

    /// Checks one of a few fixed words.
    pub fn choice<T: Copy>(&mut self, word: &Word, choices: &[(&str, T)]) -> Option<T> {
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == &*word.text) {
            return Some(*value);
        }
        let diagnostic = Diagnostic::new(
            Code::UnknownWord,
            format!("`{}` is not known here", word.text),
            word.span,
            "not known here",
        );
        self.report(super::words::with_suggestion(
            diagnostic,
            &word.text,
            choices.iter().map(|(name, _)| *name),
        ));
        None
    }

    /// Checks a whole number above 0, written bare or quoted.
    pub fn count(&mut self, value: crate::syntax::tree::Value<'_>, span: Span) -> Option<u64> {
        use crate::syntax::tree::Value;
        let text = match value {
            Value::Number(text) | Value::String { text, .. } => text,
            Value::Bool(_) | Value::Null => "",
        };
        match text.parse::<u64>() {
            Ok(number) if number > 0 && is_digits(text) => Some(number),
            _ => {
                let word = Word { text: text.into(), span };
                self.bad(&word, "this is no whole number above 0", "write a number like 64");
                None
            }
        }
    }
}

/// Whether an address may be a host name.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum HostNames {
    /// Only numbers.
    Refused,
    /// A name too.
    Allowed,
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A host name by RFC 1123: letters, digits and hyphens in labels of at most 63.
fn is_host_name(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
        && !name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

//! Names of units: prefix, instance and type, and the names that paths have (systemd.unit(5)).

/// What kind of unit a name's ending says it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitType {
    /// `.service`.
    Service,
    /// `.socket`.
    Socket,
    /// `.target`.
    Target,
    /// `.device`: made by the kernel's events, with or without a file.
    Device,
    /// `.mount`.
    Mount,
    /// `.automount`.
    Automount,
    /// `.swap`.
    Swap,
    /// `.timer`.
    Timer,
    /// `.path`.
    Path,
    /// `.slice`: there whenever something is in it, with or without a file.
    Slice,
    /// `.scope`: made by programs.
    Scope,
}

impl UnitType {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Service,
        Self::Socket,
        Self::Target,
        Self::Device,
        Self::Mount,
        Self::Automount,
        Self::Swap,
        Self::Timer,
        Self::Path,
        Self::Slice,
        Self::Scope,
    ];

    /// Returns the ending of its names, without the dot.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Socket => "socket",
            Self::Target => "target",
            Self::Device => "device",
            Self::Mount => "mount",
            Self::Automount => "automount",
            Self::Swap => "swap",
            Self::Timer => "timer",
            Self::Path => "path",
            Self::Slice => "slice",
            Self::Scope => "scope",
        }
    }

    /// Returns its own section of a file.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Socket => "Socket",
            Self::Target => "Target",
            Self::Device => "Device",
            Self::Mount => "Mount",
            Self::Automount => "Automount",
            Self::Swap => "Swap",
            Self::Timer => "Timer",
            Self::Path => "Path",
            Self::Slice => "Slice",
            Self::Scope => "Scope",
        }
    }
}

/// The longest name of a unit, in bytes.
pub const LONGEST_NAME: usize = 255;

/// A name taken apart.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct UnitName<'a> {
    /// The whole.
    pub text: &'a str,
    /// Before `@`, or before the ending.
    pub prefix: &'a str,
    /// Between `@` and the ending; empty in a template, none without `@`.
    pub instance: Option<&'a str>,
    /// The ending.
    pub unit_type: UnitType,
}

impl<'a> UnitName<'a> {
    /// Returns a name taken apart, if it is one.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (stem, ending) = text.rsplit_once('.')?;
        let unit_type = UnitType::ALL.into_iter().find(|unit_type| unit_type.word() == ending)?;
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
        if text.len() > LONGEST_NAME || stem.is_empty() || !stem.bytes().all(letters) {
            return None;
        }
        let (prefix, instance) = match stem.split_once('@') {
            Some((prefix, instance)) => (prefix, Some(instance)),
            None => (stem, None),
        };
        (!prefix.is_empty()).then_some(Self { text, prefix, instance, unit_type })
    }

    /// Returns whether it stands for all its instances.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.instance == Some("")
    }

    /// Returns the template of an instance.
    #[must_use]
    pub fn template(&self) -> Option<String> {
        let is_instance = self.instance.is_some_and(|instance| !instance.is_empty());
        is_instance.then(|| format!("{}@.{}", self.prefix, self.unit_type.word()))
    }

    /// Returns the name with another instance.
    #[must_use]
    pub fn with_instance(&self, instance: &str) -> String {
        format!("{}@{instance}.{}", self.prefix, self.unit_type.word())
    }

    /// Returns the name of the unit of another type that goes with this one.
    #[must_use]
    pub fn with_type(&self, other: UnitType) -> String {
        let stem = self.text.strip_suffix(self.unit_type.word()).unwrap_or(self.text);
        format!("{stem}{}", other.word())
    }
}

/// Returns a path as part of a unit's name (`systemd-escape --path`).
#[must_use]
pub fn escape_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() { "-".to_owned() } else { escape(&parts.join("/")) }
}

/// Returns any text as part of a unit's name (`systemd-escape`).
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => out.push('-'),
            b'.' if at == 0 => out.push_str("\\x2e"),
            byte if byte.is_ascii_alphanumeric() || b":_.".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out
}

/// Returns what part of a name was made from.
#[must_use]
pub fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = match (first, more) {
            (b'\\', [b'x', high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        match code {
            Some(byte) => {
                out.push(byte);
                rest = more.get(3..).unwrap_or_default();
            }
            None => {
                out.push(if *first == b'-' { b'/' } else { *first });
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_prefix_an_instance_and_a_type() {
        let name = UnitName::parse("serial-getty@ttyS0.service").unwrap();
        assert_eq!(
            (name.prefix, name.instance, name.unit_type),
            ("serial-getty", Some("ttyS0"), UnitType::Service)
        );
        assert_eq!(name.template().as_deref(), Some("serial-getty@.service"));
        assert_eq!(UnitName::parse("a@b@c.d.socket").unwrap().instance, Some("b@c.d"));
        assert!(UnitName::parse("a@.service").unwrap().is_template());
        assert_eq!(UnitName::parse("a.socket").unwrap().with_type(UnitType::Service), "a.service");
        for wrong in ["a", ".service", "@x.service", "a b.service", "a.conf", "a/b.service", ""] {
            assert!(UnitName::parse(wrong).is_none(), "{wrong}");
        }
    }

    // What `systemd-escape --path` prints.
    #[test]
    fn paths_have_names() {
        for (path, name) in
            [("/", "-"), ("/var//lib/", "var-lib"), ("/a-b/.c", "a\\x2db-.c"), ("/.a", "\\x2ea")]
        {
            assert_eq!(escape_path(path), name);
        }
        assert_eq!(unescape("a\\x2db-.c"), "a-b/.c");
        assert_eq!(unescape("\\x\\x2"), "\\x\\x2");
    }
}

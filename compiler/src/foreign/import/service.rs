//! A service between the two languages: what can be said of it, and what remains to be done.

use super::unit::Setting;
use std::collections::BTreeSet;

/// What a service is granted, wherever that is declared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// Which word declares it.
    pub kind: Kind,
    /// Its path, or the address.
    pub target: String,
}

/// The words that declare what units name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `dir`.
    Dir,
    /// `file`.
    File,
    /// `state`.
    State,
    /// `device`.
    Device,
    /// `secret`.
    Secret,
    /// `socket`.
    Socket,
    /// `listen tcp=`.
    Tcp,
    /// `listen udp=`.
    Udp,
    /// `listen unix=`.
    Unix,
}

/// What `holds` says.
#[derive(Clone, Debug)]
pub struct Hold {
    /// What is held.
    pub resource: Resource,
    /// The rights, in the language's order.
    pub rights: Vec<&'static str>,
    /// Where it is seen, if elsewhere.
    pub at: Option<String>,
    /// What its name should be like, if not like its path.
    pub like: Option<String>,
}

/// One statement of a service.
#[derive(Clone, Debug)]
pub enum Said {
    /// A statement that names nothing declared elsewhere.
    Plain(String),
    /// `as`, with the account's user and group.
    As(String, Option<String>),
    /// `holds`.
    Holds(Hold),
}

/// A statement, and the key that it comes from.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it says.
    pub said: Said,
    /// The key, or nothing where the statement itself tells.
    pub from: String,
    /// Where its keys stand.
    pub place: String,
}

/// A service as far as it is translated.
#[derive(Debug, Default)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The unit.
    pub unit: String,
    /// The unit's files.
    pub files: Vec<String>,
    /// What the unit says that it is.
    pub about: Option<String>,
    /// The statements, in order.
    pub statements: Vec<Statement>,
    /// Paths that are there in its world by `scratch` and `config`.
    pub places: Vec<String>,
    /// Paths that its command names.
    pub named: Vec<String>,
    /// What could not be translated, a line each.
    pub remarks: Vec<String>,
    /// Keys that a world makes needless.
    pub needless: BTreeSet<String>,
}

impl Service {
    /// Adds a statement that comes from a key.
    pub fn say(&mut self, said: impl Into<String>, from: &str) {
        self.statements.push(Statement {
            said: Said::Plain(said.into()),
            from: format!("{from}="),
            place: String::new(),
        });
    }

    /// Adds what has to be done about a setting.
    pub fn remark(&mut self, setting: &Setting, what: impl AsRef<str>) {
        let said = setting.said();
        let is_told = self.remarks.iter().any(|remark| remark.starts_with(&said));
        let said = if is_told { format!("{}= ({})", setting.key, setting.place) } else { said };
        self.remarks.push(format!("{said}: {}", what.as_ref()));
    }

    /// Adds a holding, or its rights to what is held already.
    pub fn hold(&mut self, hold: Hold, from: &str) {
        for statement in &mut self.statements {
            if let Said::Holds(known) = &mut statement.said
                && known.resource.target == hold.resource.target
                && known.resource.kind.is_path() == hold.resource.kind.is_path()
                && known.at == hold.at
            {
                for right in hold.rights {
                    if !known.rights.contains(&right) {
                        known.rights.push(right);
                    }
                }
                if !statement.from.split(' ').any(|word| word.trim_end_matches('=') == from) {
                    statement.from.push_str(&format!(" {from}="));
                }
                return;
            }
        }
        self.statements.push(Statement {
            said: Said::Holds(hold),
            from: format!("{from}="),
            place: String::new(),
        });
    }

    /// Returns which statement says what it runs.
    #[must_use]
    pub fn run(&self) -> Option<usize> {
        self.statements.iter().position(|statement| statement.from == "ExecStart=")
    }

    /// Returns whether a path is there in its world, as far as its statements tell.
    #[must_use]
    pub fn has_path(&self, path: &str) -> bool {
        let is_place = self.places.iter().any(|place| crate::model::path_contains(place, path));
        is_place
            || self.statements.iter().any(|statement| match &statement.said {
                Said::Holds(hold) if hold.resource.kind.is_path() => {
                    crate::model::path_contains(hold.at.as_ref().unwrap_or(&hold.resource.target), path)
                }
                _ => false,
            })
    }
}

impl Kind {
    /// Returns whether it lies at a path of the machine.
    #[must_use]
    pub fn is_path(self) -> bool {
        !matches!(self, Self::Tcp | Self::Udp | Self::Unix)
    }
}

/// The most letters of a value that a comment shows; the file and line beside it tell where the rest is.
const MOST_SHOWN: usize = 160;

/// Returns a value as a comment shows it.
#[must_use]
pub fn shown(value: &str) -> String {
    match value.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

/// Returns a path in its normal form and by the names that places have today; none if it is no absolute path, or goes up.
#[must_use]
pub fn clean(path: &str) -> Option<String> {
    let is_sound = path.starts_with('/')
        && path.len() <= 4095
        && !path.contains('\0')
        && path.split('/').all(|name| name != ".." && name.len() <= 255);
    let normal = crate::machine::normal(path);
    let moved = [("/var/run", "/run"), ("/var/lock", "/run/lock")].iter().find_map(|(old, new)| {
        let rest = normal.strip_prefix(old)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{new}{rest}"))
    });
    is_sound.then(|| moved.unwrap_or(normal))
}

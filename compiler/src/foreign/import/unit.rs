//! One unit as the assignments that count, each with its file and line, and which of them have been taken.

use super::service::shown;
use crate::foreign::systemd::file::parse;
use crate::foreign::systemd::load::Loader;
use crate::foreign::systemd::lookup::{Meaning, Place};
use crate::foreign::systemd::name::UnitName;
use crate::foreign::systemd::specifier::expand;
use crate::machine::{last_name, parent};
use std::collections::BTreeSet;

/// `KEY=VALUE` of one section.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The section.
    pub section: String,
    /// The key, by the name that it has today.
    pub key: String,
    /// The value, its lines joined.
    pub value: String,
    /// The file and the line.
    pub place: String,
}

/// A unit with its drop-ins.
#[derive(Debug)]
pub struct UnitText {
    /// Its name.
    pub id: String,
    /// Its files.
    pub files: Vec<String>,
    settings: Vec<Setting>,
    taken: BTreeSet<(String, String)>,
}

/// Names that keys had, and have.
const RENAMED: [(&str, &str); 6] = [
    ("ReadWriteDirectories", "ReadWritePaths"),
    ("ReadOnlyDirectories", "ReadOnlyPaths"),
    ("InaccessibleDirectories", "InaccessiblePaths"),
    ("BindTo", "BindsTo"),
    ("RequiresOverridable", "Requires"),
    ("RequisiteOverridable", "Requisite"),
];

impl Setting {
    /// Returns it as a comment names it.
    #[must_use]
    pub fn said(&self) -> String {
        format!("{}={} ({})", self.key, shown(&self.value), self.place)
    }
}

impl UnitText {
    /// Reads a unit that has a file.
    pub fn read(loader: &mut Loader<'_>, meaning: &Meaning) -> Self {
        let mut unit = Self {
            id: meaning.id.clone(),
            files: Vec::new(),
            settings: Vec::new(),
            taken: BTreeSet::default(),
        };
        let drop_ins = loader.lookup.drop_ins(&meaning.id);
        for place in meaning.fragment.iter().chain(&drop_ins) {
            unit.take_in(loader, place);
        }
        unit
    }

    fn take_in(&mut self, loader: &mut Loader<'_>, place: &Place) {
        let Some((file, text)) = loader.text(place) else { return };
        let parsed = parse(&text, file);
        self.files.push(place.shown.clone());
        // The files stand above the service in full.
        let shown = match place.path.ends_with(".conf") {
            true => format!("{}/{}", last_name(parent(&place.shown)), last_name(&place.shown)),
            false => last_name(&place.shown).to_owned(),
        };
        for one in &parsed.assignments {
            if one.section.starts_with("X-") || one.key.starts_with("X-") {
                continue;
            }
            let line = loader.sources.file(file).map_or(1, |file| file.place(one.value.span().start).line);
            let renamed = RENAMED.iter().find(|(old, _)| *old == one.key).map_or(one.key, |(_, new)| new);
            self.settings.push(Setting {
                section: one.section.to_owned(),
                key: renamed.to_owned(),
                value: one.value.text().to_owned(),
                place: format!("{shown}:{line}"),
            });
        }
        loader.diagnostics.extend(parsed.wrong);
    }

    /// Takes the values of a key that may be said several times; an empty one takes those before it back.
    pub fn all(&mut self, section: &str, key: &str) -> Vec<Setting> {
        self.taken.insert((section.to_owned(), key.to_owned()));
        self.counting(section, key)
    }

    /// Takes the value of a key of which the last one counts.
    pub fn last(&mut self, section: &str, key: &str) -> Option<Setting> {
        self.all(section, key).pop()
    }

    /// Returns the values of a key that count, and leaves them to be taken.
    #[must_use]
    pub fn counting(&self, section: &str, key: &str) -> Vec<Setting> {
        let of_key = self.settings.iter().filter(|one| one.section == section && one.key == key);
        let mut counting: Vec<Setting> = Vec::new();
        for one in of_key {
            match one.value.is_empty() {
                // Lists of units cannot be emptied.
                true if section == "Unit" && super::order::KEYS.contains(&key) => {}
                true => counting.clear(),
                false => counting.push(one.clone()),
            }
        }
        counting
    }

    /// Returns where the values of a key stand that count, whichever section they are of.
    #[must_use]
    pub fn places(&self, key: &str) -> Vec<String> {
        self.counting("Service", key).into_iter().map(|one| one.place).collect()
    }

    /// Returns what nobody has taken, in the order of the files.
    #[must_use]
    pub fn rest(&self) -> Vec<Setting> {
        let mut keys: Vec<(&str, &str)> = Vec::new();
        for one in &self.settings {
            let key = (one.section.as_str(), one.key.as_str());
            if !keys.contains(&key) && !self.taken.contains(&(one.section.clone(), one.key.clone())) {
                keys.push(key);
            }
        }
        keys.into_iter().flat_map(|(section, key)| self.counting(section, key)).collect()
    }

    /// Returns a value with its specifiers replaced.
    ///
    /// # Errors
    /// The first letter that only the running machine could replace.
    pub fn expand(&self, text: &str) -> Result<String, char> {
        match UnitName::parse(&self.id) {
            Some(name) => expand(text, &name),
            None => Ok(text.to_owned()),
        }
    }
}

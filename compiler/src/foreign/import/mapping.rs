//! One unit becomes a service, a group of keys after the other; what no group takes is told at the end.

use super::accounts::{Runner, Wish};
use super::advice::{Advice, advice};
use super::select::{Selection, is_yes};
use super::service::Service;
use super::unit::{Setting, UnitText};
use super::{credentials, environment, exec, given, order, places, rules, sockets};
use crate::machine::{Machine, walk};
use std::collections::BTreeMap;

/// A unit on its way.
pub struct Mapping<'a> {
    /// The machine that its paths are of.
    pub machine: &'a dyn Machine,
    /// What it says.
    pub unit: UnitText,
    /// What came of it.
    pub out: Service,
    /// Whom it ran as.
    pub runner: Runner,
    /// It runs to its end.
    pub is_oneshot: bool,
    /// The variables that it sets.
    pub environment: Vec<(String, String)>,
    /// The sockets that it is passed.
    pub given: Vec<String>,
    /// The names of the services that are made of units.
    pub imported: &'a BTreeMap<String, String>,
}

/// Translates a unit; none if it runs nothing, with the reason.
///
/// # Errors
/// Why it cannot be a service.
pub fn service(
    machine: &dyn Machine,
    unit: UnitText,
    selection: &mut Selection,
    imported: &BTreeMap<String, String>,
) -> Result<Service, String> {
    let out = Service {
        name: imported.get(&unit.id).cloned().unwrap_or_default(),
        unit: unit.id.clone(),
        files: unit.files.clone(),
        ..Service::default()
    };
    let runner = Runner::Root;
    let mut mapping = Mapping {
        machine,
        unit,
        out,
        runner,
        is_oneshot: false,
        environment: Vec::new(),
        given: Vec::new(),
        imported,
    };
    mapping.about();
    rules::type_of(&mut mapping);
    rules::account(&mut mapping);
    // Commands name variables and paths that the rest of the unit says.
    let mut before = std::mem::take(&mut mapping.out.statements);
    environment::read(&mut mapping);
    given::directories(&mut mapping);
    given::paths(&mut mapping);
    credentials::given(&mut mapping);
    sockets::sockets(&mut mapping, selection);
    let granted = std::mem::take(&mut mapping.out.statements);
    exec::commands(&mut mapping)?;
    before.splice(0..0, std::mem::take(&mut mapping.out.statements));
    mapping.out.statements = before;
    environment::say(&mut mapping);
    mapping.out.statements.extend(granted);
    places::workdir(&mut mapping);
    sockets::timers(&mut mapping, selection);
    rules::keeping(&mut mapping);
    rules::limits(&mut mapping);
    sockets::beside(&mut mapping, selection);
    rules::network(&mut mapping);
    rules::privileges(&mut mapping);
    order::remarks(&mut mapping);
    mapping.rest();
    mapping.places();
    Ok(mapping.out)
}

impl Mapping<'_> {
    /// Takes the value of a key of `[Service]` of which the last one counts.
    pub fn last(&mut self, key: &str) -> Option<Setting> {
        self.unit.last("Service", key)
    }

    /// Takes the values of a key of `[Service]`.
    pub fn all(&mut self, key: &str) -> Vec<Setting> {
        self.unit.all("Service", key)
    }

    /// Takes whether a key of `[Service]` says yes.
    pub fn is_on(&mut self, key: &str) -> bool {
        self.last(key).is_some_and(|one| is_yes(&one.value))
    }

    /// Returns a value with its specifiers replaced; tells those that cannot be.
    pub fn expand(&mut self, setting: &Setting, text: &str) -> Option<String> {
        match self.unit.expand(text) {
            Ok(text) => Some(text),
            Err(letter) => {
                let what =
                    format!("what `%{letter}` stands for, only the running machine tells; write it yourself");
                self.out.remark(setting, what);
                None
            }
        }
    }

    /// Returns the words of a value with their specifiers replaced; tells what is no list of words.
    pub fn words(&mut self, setting: &Setting) -> Vec<String> {
        let Some(words) = super::words::split(&setting.value) else {
            self.out.remark(setting, "a quote is never closed, or an escape makes no text");
            return Vec::new();
        };
        words.into_iter().filter_map(|word| self.expand(setting, &word.text)).collect()
    }

    /// Returns whether the unit's account could do that with a path, and with all below it; if there is nothing, yes.
    #[must_use]
    pub fn could(&self, path: &str, wish: Wish) -> bool {
        let Ok(found) = walk(self.machine, path) else { return true };
        self.runner.may_all(self.machine, &found.real, wish)
    }

    /// Notes where the keys of each statement stand.
    fn places(&mut self) {
        for statement in &mut self.out.statements {
            let keys = statement.from.split(' ').filter_map(|word| word.strip_suffix('='));
            statement.place = keys.flat_map(|key| self.unit.places(key)).collect::<Vec<_>>().join(", ");
        }
    }

    fn about(&mut self) {
        let description = self.unit.last("Unit", "Description").map(|one| one.value);
        let description = description.map(|text| self.unit.expand(&text).unwrap_or(text));
        let documentation: Vec<String> =
            self.unit.all("Unit", "Documentation").into_iter().map(|one| one.value).collect();
        self.out.about = match (description, documentation.is_empty()) {
            (Some(description), true) => Some(description),
            (Some(description), false) => Some(format!("{description} ({})", documentation.join(" "))),
            (None, true) => None,
            (None, false) => Some(documentation.join(" ")),
        };
    }

    /// Tells what nobody has taken.
    fn rest(&mut self) {
        for one in self.unit.rest() {
            match advice(&one.section, &one.key) {
                Advice::Needless => drop(self.out.needless.insert(one.key)),
                Advice::Say(what) => self.out.remark(&one, what),
            }
        }
    }
}

//! From files to a unit: its own file, its drop-ins, and the links beside it.

use super::file::{Assignment, Parsed, parse};
use super::implied::imply;
use super::lookup::{Lookup, Place};
use super::name::UnitName;
use super::settings::{Settings, boolean};
use super::specifier::expand;
use super::standard;
use super::unit::{Needed, Relation, State, Strength, Unit};
use crate::diag::{Code, Diagnostic, Severity};
use crate::foreign::order::Why;
use crate::machine::Machine;
use crate::source::{FileId, MAX_FILE_BYTES, SourceMap, Span};
use crate::syntax::text;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads units, each file once.
pub struct Loader<'m> {
    machine: &'m dyn Machine,
    /// Which file a name means.
    pub lookup: Lookup<'m>,
    /// The files read.
    pub sources: SourceMap,
    /// What is wrong with them.
    pub diagnostics: Vec<Diagnostic>,
    read: HashMap<String, Option<(FileId, Arc<str>)>>,
}

/// The words of `[Unit]` that name others.
const RELATIONS: [(&str, Relation); 13] = [
    ("Requires=", Relation::Pull(Strength::Hard)),
    ("RequiresOverridable=", Relation::Pull(Strength::Hard)),
    ("BindsTo=", Relation::Pull(Strength::Hard)),
    ("BindTo=", Relation::Pull(Strength::Hard)),
    ("Wants=", Relation::Pull(Strength::Soft)),
    ("Upholds=", Relation::Pull(Strength::Soft)),
    ("Requisite=", Relation::Verify),
    ("RequisiteOverridable=", Relation::Verify),
    ("After=", Relation::After),
    ("Before=", Relation::Before),
    ("Conflicts=", Relation::Conflicts),
    ("OnFailure=", Relation::Triggers),
    ("OnSuccess=", Relation::Triggers),
];

impl<'m> Loader<'m> {
    /// Returns a reader of a machine's units.
    #[must_use]
    pub fn new(machine: &'m dyn Machine, lookup: Lookup<'m>, sources: SourceMap) -> Self {
        Self { machine, lookup, sources, diagnostics: Vec::new(), read: HashMap::new() }
    }

    /// Reads a unit; `mention` is where somebody names it.
    pub fn unit(
        &mut self,
        id: &str,
        fragment: Option<&Place>,
        is_masked: bool,
        mention: Span,
    ) -> Option<Unit> {
        let name = UnitName::parse(id)?;
        let mut unit = Unit::new(&name, mention);
        if is_masked {
            unit.state = State::Refused;
            return Some(unit);
        }
        let mut settings = Settings::default();
        if let Some(place) = fragment {
            unit.is_given = self.lookup.directories.get(place.directory).is_some_and(|found| found.is_given);
            self.take(&mut unit, &mut settings, &name, place, true);
        } else if let Some(text) = standard::text(id) {
            let file = self.sources.add(format!("{id} of systemd itself"), PathBuf::from(id), text.into());
            self.say(&mut unit, &mut settings, &name, parse(text, file), true);
        }
        for place in self.lookup.drop_ins(id) {
            self.take(&mut unit, &mut settings, &name, &place, false);
        }
        let links = [
            (".wants", ".wants/", Relation::Pull(Strength::Soft)),
            (".requires", ".requires/", Relation::Pull(Strength::Hard)),
            (".upholds", ".upholds/", Relation::Pull(Strength::Soft)),
        ];
        for (suffix, word, relation) in links {
            for (other, place, target) in self.lookup.links(id, suffix) {
                // A link has no text but where it leads.
                let target: Arc<str> = target.into();
                let end = target.len() as u32;
                let file = self.sources.add(place.shown, PathBuf::from(place.path), target);
                let span = Span { file, start: 0, end };
                unit.name(relation, self.instance_of(&other, &name), span, Why::After(word));
            }
        }
        if unit.state == State::Loaded {
            imply(&mut unit, &settings, &name);
        }
        Some(unit)
    }

    /// Returns a name that a template may have been named by: then it is the instance that the unit itself is of.
    fn instance_of(&self, other: &str, unit: &UnitName<'_>) -> String {
        match UnitName::parse(other).filter(UnitName::is_template) {
            Some(template) => {
                let own = unit.instance.filter(|instance| !instance.is_empty()).unwrap_or(unit.prefix);
                template.with_instance(own)
            }
            None => other.to_owned(),
        }
    }

    /// Returns the text of a file; that it cannot be read is told.
    pub fn text(&mut self, place: &Place) -> Option<(FileId, Arc<str>)> {
        if let Some(known) = self.read.get(&place.path) {
            return known.clone();
        }
        let read =
            self.machine.metadata(&place.path).and_then(|metadata| match metadata.size > MAX_FILE_BYTES {
                true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 GiB")),
                false => self.machine.read(&place.path),
            });
        let found = match read {
            Ok(bytes) => {
                let path = PathBuf::from(&place.path);
                let (file, text, broken) = text::add(&mut self.sources, &path, &place.shown, bytes);
                // systemd passes over such a line; what else it says is looked at.
                self.diagnostics
                    .extend(broken.map(|broken| Diagnostic { severity: Severity::Warning, ..broken }));
                Some((file, text))
            }
            Err(error) => {
                let file = self.sources.add(place.shown.clone(), PathBuf::from(&place.path), Arc::from(""));
                let span = Span { file, start: 0, end: 0 };
                let message = format!("cannot read `{}`: {error}", place.shown);
                self.diagnostics.push(warning(Code::Syntax, message, span, "this file"));
                None
            }
        };
        self.read.insert(place.path.clone(), found.clone());
        found
    }

    /// Takes in one file of a unit.
    fn take(
        &mut self,
        unit: &mut Unit,
        settings: &mut Settings,
        name: &UnitName<'_>,
        place: &Place,
        is_own: bool,
    ) {
        let is_new = !self.read.contains_key(&place.path);
        let Some((file, text)) = self.text(place) else { return };
        let parsed = parse(&text, file);
        if is_new {
            self.diagnostics.extend(parsed.wrong.iter().cloned());
        }
        self.say(unit, settings, name, parsed, is_own);
    }

    /// Takes in what a file says.
    fn say(
        &mut self,
        unit: &mut Unit,
        settings: &mut Settings,
        name: &UnitName<'_>,
        parsed: Parsed<'_>,
        is_own: bool,
    ) {
        let refused = parsed.wrong.iter().any(Diagnostic::is_error);
        let section = unit.unit_type.section();
        if is_own {
            let own = parsed.sections.iter().find(|(name, _)| *name == section).or(parsed.sections.first());
            unit.header = own.map_or(unit.header, |(_, span)| *span);
            unit.state = match (unit.state, refused) {
                (State::Running, _) => State::Running,
                (_, true) => State::Refused,
                (_, false) => State::Loaded,
            };
        }
        if refused {
            return;
        }
        for one in &parsed.assignments {
            if one.section == "Unit" {
                self.assign(unit, name, one);
            } else if one.section == section
                && let Err((letter, span)) = settings.assign(name, one.key, &one.value)
            {
                self.unknown(letter, span);
            }
        }
    }

    /// Takes in an assignment of `[Unit]`. Lists of units have no way to be emptied again.
    fn assign(&mut self, unit: &mut Unit, name: &UnitName<'_>, one: &Assignment<'_>) {
        if one.key == "DefaultDependencies" {
            unit.defaults = boolean(one.value.text()).unwrap_or(unit.defaults);
            return;
        }
        let relation = RELATIONS.iter().find(|(word, _)| word.strip_suffix('=') == Some(one.key));
        let is_path = matches!(one.key, "RequiresMountsFor" | "WantsMountsFor");
        if relation.is_none() && !is_path {
            return;
        }
        let (words, broken) = match is_path {
            true => one.value.words(),
            false => (one.value.plain_words(), None),
        };
        if let Some(span) = broken {
            let message = "a quote without an end, which systemd passes over with all that follows";
            let wrong = warning(Code::Syntax, message, span, "it begins here");
            self.diagnostics.push(wrong.help("write the quote's end"));
        }
        for word in words {
            let said = match expand(&word.text, name) {
                Ok(said) => said,
                // Of a path, what stands before it is known.
                Err(_) if is_path => word.text,
                Err(letter) => {
                    self.unknown(letter, word.span);
                    continue;
                }
            };
            match relation {
                Some((key, relation)) => {
                    let other = self.instance_of(&said, name);
                    if UnitName::parse(&other).is_none() {
                        let message = format!("`{said}` is no unit's name, so systemd passes over it");
                        let wrong = warning(Code::BadValue, message, word.span, "named here");
                        self.diagnostics.push(wrong.help("write a name with its ending, such as `.service`"));
                        continue;
                    }
                    if grows(&other, name) {
                        let message = format!("`{other}` would name ever longer instances of its template");
                        let wrong = warning(Code::BadValue, message, word.span, "systemd passes over it");
                        self.diagnostics.push(wrong.help("name one instance, or `%i` alone"));
                        continue;
                    }
                    let why = match relation {
                        Relation::Before => Why::Before(key),
                        _ => Why::After(key),
                    };
                    unit.name(*relation, other, word.span, why);
                }
                None => {
                    let why = Why::Needs("RequiresMountsFor=");
                    unit.paths.push(Needed { path: said, span: word.span, why });
                }
            }
        }
    }

    fn unknown(&mut self, letter: char, span: Span) {
        let message = format!("what `%{letter}` stands for is not said by the files");
        let unknown = warning(Code::BadValue, message, span, "so this one is not looked at");
        let help = "a circle through it would not be seen; write the name itself to have it looked at";
        self.diagnostics.push(unknown.help(help));
    }
}

/// Whether an instance of a unit's own template has the unit's own instance in its name, and more.
fn grows(other: &str, unit: &UnitName<'_>) -> bool {
    let Some(other) = UnitName::parse(other).filter(|other| other.prefix == unit.prefix) else {
        return false;
    };
    let instances = other.instance.zip(unit.instance.filter(|instance| !instance.is_empty()));
    other.unit_type == unit.unit_type
        && instances.is_some_and(|(other, own)| other.len() > own.len() && other.contains(own))
}

/// Returns a diagnostic that stops nothing.
pub fn warning(code: Code, message: impl Into<String>, span: Span, label: &str) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(code, message, span, label);
    diagnostic.severity = Severity::Warning;
    diagnostic
}

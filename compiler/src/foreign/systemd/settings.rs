//! What a unit's own section says, as far as an order follows from it.

use super::file::{Value, Word};
use super::name::{UnitName, UnitType};
use super::specifier::expand;
use crate::source::Span;
use std::collections::HashMap;

/// A setting's values, lists in one.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    by_key: HashMap<&'static str, Vec<(&'static str, Word)>>,
}

/// How a key's values add up.
#[derive(Copy, Clone)]
enum Form {
    /// The last one counts, as a whole.
    Last,
    /// Each counts as a whole, until an empty one.
    Each,
    /// Each word of each counts, until an empty one.
    Words,
    /// The same, of a list of units.
    Units,
}

/// The keys that count: whose section, the key, the name that its values go by, and how they add up.
const KEYS: &[(&[UnitType], &str, &str, Form)] = {
    use Form::{Each, Last, Units, Words};
    use UnitType::{Automount, Mount, Path, Service, Slice, Socket, Swap, Timer};
    const RUNS: &[UnitType] = &[Service, Socket, Mount, Swap];
    &[
        (&[Service, Socket, Mount, Swap, Slice], "Slice=", "Slice", Last),
        (RUNS, "WorkingDirectory=", "WorkingDirectory", Last),
        (RUNS, "RootDirectory=", "RootDirectory", Last),
        (RUNS, "RootImage=", "RootImage", Last),
        (RUNS, "RuntimeDirectory=", "RuntimeDirectory", Words),
        (RUNS, "StateDirectory=", "StateDirectory", Words),
        (RUNS, "CacheDirectory=", "CacheDirectory", Words),
        (RUNS, "LogsDirectory=", "LogsDirectory", Words),
        (RUNS, "ConfigurationDirectory=", "ConfigurationDirectory", Words),
        (RUNS, "PrivateTmp=", "PrivateTmp", Last),
        (RUNS, "StandardOutput=", "StandardOutput", Last),
        (RUNS, "StandardError=", "StandardError", Last),
        (RUNS, "LogNamespace=", "LogNamespace", Last),
        (&[Service], "Type=", "Type", Last),
        (&[Service], "BusName=", "BusName", Last),
        (&[Service], "Sockets=", "Sockets", Units),
        (&[Socket], "Accept=", "Accept", Last),
        (&[Socket], "Service=", "Service", Last),
        (&[Socket], "BindToDevice=", "BindToDevice", Last),
        (&[Socket], "ExecStartPre=", "Exec", Each),
        (&[Socket], "ExecStartPost=", "Exec", Each),
        (&[Socket], "ExecStopPre=", "Exec", Each),
        (&[Socket], "ExecStopPost=", "Exec", Each),
        (&[Socket], "ListenStream=", "Listen", Each),
        (&[Socket], "ListenDatagram=", "Listen", Each),
        (&[Socket], "ListenSequentialPacket=", "Listen", Each),
        (&[Socket], "ListenFIFO=", "Listen", Each),
        (&[Socket], "ListenSpecial=", "Listen", Each),
        (&[Socket], "ListenUSBFunction=", "Listen", Each),
        (&[Timer, Path], "Unit=", "Unit", Last),
        (&[Timer], "Persistent=", "Persistent", Last),
        (&[Timer], "OnCalendar=", "On", Each),
        (&[Timer], "OnActiveSec=", "On", Each),
        (&[Timer], "OnBootSec=", "On", Each),
        (&[Timer], "OnStartupSec=", "On", Each),
        (&[Timer], "OnUnitActiveSec=", "On", Each),
        (&[Timer], "OnUnitInactiveSec=", "On", Each),
        (&[Path], "PathExists=", "Path", Each),
        (&[Path], "PathExistsGlob=", "Path", Each),
        (&[Path], "PathChanged=", "Path", Each),
        (&[Path], "PathModified=", "Path", Each),
        (&[Path], "DirectoryNotEmpty=", "Path", Each),
        (&[Mount, Automount], "Where=", "Where", Last),
        (&[Mount, Swap], "What=", "What", Last),
        (&[Mount], "Type=", "Type", Last),
        (&[Mount], "Options=", "Options", Last),
    ]
};

impl Settings {
    /// Takes an assignment of the unit's own section into account.
    ///
    /// # Errors
    /// The letter and place of a specifier that the files say nothing of.
    pub fn assign(&mut self, unit: &UnitName<'_>, key: &str, value: &Value<'_>) -> Result<(), (char, Span)> {
        let known = KEYS.iter().find(|(types, known, _, _)| {
            known.strip_suffix('=') == Some(key) && types.contains(&unit.unit_type)
        });
        let Some((_, key, group, form)) = known else { return Ok(()) };
        let list = self.by_key.entry(group).or_default();
        if value.text().is_empty() {
            list.clear();
            return Ok(());
        }
        let words = match form {
            Form::Last | Form::Each => vec![Word { text: value.text().to_owned(), span: value.span() }],
            Form::Units => value.plain_words(),
            Form::Words => value.words().0,
        };
        if matches!(form, Form::Last) {
            list.clear();
        }
        let names_unit = matches!(*group, "Slice" | "Service" | "Sockets" | "Unit");
        for Word { text, span } in words {
            let text = match expand(&text, unit) {
                Ok(text) => text,
                Err(letter) if names_unit => return Err((letter, span)),
                // Of a path, what stands before it is known.
                Err(_) => text,
            };
            list.push((*key, Word { text, span }));
        }
        Ok(())
    }

    /// Returns the values of a key or of its kin, each with the key that said it.
    pub fn all(&self, group: &str) -> impl Iterator<Item = (&'static str, &Word)> {
        self.by_key.get(group).into_iter().flatten().map(|(key, word)| (*key, word))
    }

    /// Returns the value of a key of which the last one counts.
    #[must_use]
    pub fn last(&self, group: &str) -> Option<(&str, Span)> {
        self.all(group).last().map(|(_, word)| (word.text.as_str(), word.span))
    }

    /// Returns whether a key says yes.
    #[must_use]
    pub fn is_on(&self, key: &str) -> bool {
        self.last(key).is_some_and(|(value, _)| boolean(value) == Some(true))
    }
}

/// Returns a truth value as systemd reads it.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    let any = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if any(&["1", "yes", "y", "true", "t", "on"]) {
        Some(true)
    } else if any(&["0", "no", "n", "false", "f", "off"]) {
        Some(false)
    } else {
        None
    }
}

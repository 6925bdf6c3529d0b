//! Which services are meant: those that are named, and those that named sockets and timers start.

use super::unit::UnitText;
use crate::diag::{Code, Diagnostic, nearest};
use crate::foreign::systemd::load::Loader;
use crate::foreign::systemd::name::{UnitName, UnitType};
use crate::foreign::systemd::settings::boolean;
use crate::source::Span;
use std::collections::BTreeSet;

/// What was named, sorted out.
#[derive(Default)]
pub struct Selection {
    /// The services, in the order in which they were come by.
    pub services: Vec<UnitText>,
    /// The sockets, each with the service that it starts.
    pub sockets: Vec<(UnitText, String)>,
    /// The timers, likewise.
    pub timers: Vec<(UnitText, String)>,
    /// Sockets and timers that are there beside a service and were not named.
    pub beside: Vec<(String, String)>,
    /// What is no service, and why.
    pub others: Vec<(String, String)>,
}

/// Sorts out what was named. What is not there is told.
pub fn select(loader: &mut Loader<'_>, named: Vec<(String, Span)>) -> Selection {
    let mut selection = Selection::default();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut work: Vec<(String, Option<Span>)> =
        named.into_iter().rev().map(|(name, span)| (name, Some(span))).collect();
    while let Some((name, span)) = work.pop() {
        let meaning = loader.lookup.meaning(&name);
        let id = meaning.as_ref().map_or(name.clone(), |meaning| meaning.id.clone());
        if !seen.insert(id.clone()) {
            continue;
        }
        let mut other = |why: &str| selection.others.push((id.clone(), why.to_owned()));
        let parsed = UnitName::parse(&id);
        let (Some(meaning), Some(parsed)) = (meaning, parsed) else {
            other("its aliases lead round");
            continue;
        };
        match (&meaning.fragment, span) {
            _ if meaning.is_masked => {
                other("it is masked: somebody wants it never to start");
                continue;
            }
            (None, Some(span)) => {
                missing(loader, &name, span);
                continue;
            }
            (None, None) => {
                other("there is no such unit");
                continue;
            }
            (Some(_), _) if parsed.is_template() => {
                let example = parsed.with_instance("NAME");
                other(&format!("it is a template: name an instance of it, `{example}`"));
                continue;
            }
            (Some(_), _) => {}
        }
        let mut unit = UnitText::read(loader, &meaning);
        match parsed.unit_type {
            UnitType::Service => {
                work.extend(sockets_of(&unit).into_iter().map(|socket| (socket, None)));
                selection.services.push(unit);
            }
            UnitType::Socket if unit.last("Socket", "Accept").is_some_and(|one| is_yes(&one.value)) => {
                let why = "it starts a process for each connection (`Accept=yes`): let one service that stays accept them";
                other(why);
            }
            UnitType::Socket | UnitType::Timer => {
                let (section, key) = match parsed.unit_type {
                    UnitType::Socket => ("Socket", "Service"),
                    _ => ("Timer", "Unit"),
                };
                let said = unit.last(section, key).and_then(|one| unit.expand(&one.value).ok());
                let started = said.unwrap_or_else(|| parsed.with_type(UnitType::Service));
                let started = loader.lookup.meaning(&started).map_or(started, |meaning| meaning.id);
                if !started.ends_with(".service") {
                    other(&format!("it starts `{started}`, which is no service"));
                    continue;
                }
                work.push((started.clone(), None));
                match parsed.unit_type {
                    UnitType::Socket => selection.sockets.push((unit, started)),
                    _ => selection.timers.push((unit, started)),
                }
            }
            unit_type => other(&why_not(unit_type, &mut unit)),
        }
    }
    for unit in &selection.services {
        let Some(name) = UnitName::parse(&unit.id) else { continue };
        for other in [UnitType::Socket, UnitType::Timer].map(|unit_type| name.with_type(unit_type)) {
            let is_there = loader.lookup.meaning(&other).is_some_and(|meaning| meaning.fragment.is_some());
            if is_there && !seen.contains(&other) {
                selection.beside.push((unit.id.clone(), other));
            }
        }
    }
    selection
}

/// Returns the sockets that a service says it belongs to.
fn sockets_of(unit: &UnitText) -> Vec<String> {
    let keys = [("Service", "Sockets"), ("Unit", "Requires"), ("Unit", "Wants"), ("Unit", "BindsTo")];
    let said = keys.into_iter().flat_map(|(section, key)| unit.counting(section, key));
    let names = said.flat_map(|one| one.value.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let names = names.filter_map(|name| unit.expand(&name).ok());
    names.filter(|name| name.ends_with(".socket") && UnitName::parse(name).is_some()).collect()
}

fn why_not(unit_type: UnitType, unit: &mut UnitText) -> String {
    match unit_type {
        UnitType::Target => {
            let keys = ["Requires", "BindsTo", "Wants"];
            let named: Vec<String> =
                keys.iter().flat_map(|key| unit.all("Unit", key)).map(|one| one.value).collect();
            let what = "it groups units and runs nothing";
            match named.is_empty() {
                true => what.to_owned(),
                false => format!("{what}: name those of it that are to be imported ({})", named.join(" ")),
            }
        }
        UnitType::Mount | UnitType::Automount | UnitType::Swap => {
            "leave it to the machine: what lies there can be a `dir` or `state` all the same".to_owned()
        }
        UnitType::Path => {
            "nothing starts a service when a path changes: let the service itself wait for it (inotify)"
                .to_owned()
        }
        UnitType::Slice => "limits are said of each service: `limits memory=\"512M\" tasks=64`".to_owned(),
        UnitType::Device | UnitType::Scope => "it is made while the machine runs".to_owned(),
        UnitType::Service | UnitType::Socket | UnitType::Timer => "it is of no use by itself".to_owned(),
    }
}

fn missing(loader: &mut Loader<'_>, name: &str, span: Span) {
    let message = format!("there is no unit `{name}`");
    let missing = Diagnostic::new(Code::Unheld, message, span, "named here");
    let meant = nearest(name, loader.lookup.names()).map(|meant| format!("did you mean `{meant}`?"));
    let help = meant.unwrap_or_else(|| "name a unit that a file says".to_owned());
    loader.diagnostics.push(missing.help(help));
}

/// Returns whether a truth value is yes.
#[must_use]
pub fn is_yes(value: &str) -> bool {
    boolean(value) == Some(true)
}

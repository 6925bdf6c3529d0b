//! Orders and ties between units: capc makes them of facets that are held, so they are told and not made up.

use super::mapping::Mapping;
use super::service::shown;
use std::collections::BTreeMap;

/// The keys that name other units.
pub const KEYS: [&str; 18] = [
    "Requires",
    "Requisite",
    "BindsTo",
    "Wants",
    "Upholds",
    "PartOf",
    "After",
    "Before",
    "Conflicts",
    "OnFailure",
    "OnSuccess",
    "PropagatesReloadTo",
    "ReloadPropagatedFrom",
    "PropagatesStopTo",
    "StopPropagatedFrom",
    "JoinsNamespaceOf",
    "StartPropagatedFrom",
    "PropagatesStartTo",
];

/// Tells what a unit says of others.
pub fn remarks(mapping: &mut Mapping<'_>) {
    let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in KEYS {
        for setting in mapping.unit.all("Unit", key) {
            for name in setting.value.split_whitespace() {
                let name = mapping.unit.expand(name).unwrap_or_else(|_| name.to_owned());
                others.entry(name).or_default().push(format!("{key}= ({})", setting.place));
            }
        }
    }
    // Every unit ends at a shutdown, and what capc binds it binds before.
    others.retain(|other, _| other != "shutdown.target" && !mapping.given.contains(other));
    let mut unknown: Vec<String> = Vec::new();
    for (other, keys) in others {
        let (unit, said) = (shown(&other), keys.join(", "));
        match mapping.imported.get(&other) {
            Some(name) if *name == mapping.out.name => {}
            Some(name) if keys.iter().all(|key| key.starts_with("Before=")) => mapping.out.remarks.push(format!(
                "`{name}` comes after it: {said}: let it provide what `{name}` uses (`provides NAME socket=\"…\"`; `done=#true` for a oneshot), and `{name}` hold that"
            )),
            Some(name) => mapping.out.remarks.push(format!(
                "it goes with `{name}`: {said}: let `{name}` provide what it uses (`provides NAME socket=\"…\"`; `done=#true` for a oneshot), and hold `{name}.NAME` here; it starts after that"
            )),
            None => unknown.push(format!("{unit}: {said}")),
        }
    }
    if !unknown.is_empty() {
        mapping
            .out
            .remarks
            .push(format!("units that are not imported, for which nothing waits: {}", unknown.join("; ")));
    }
    for key in ["RequiresMountsFor", "WantsMountsFor"] {
        for setting in mapping.unit.all("Unit", key) {
            let what = "what is mounted there must be there before capc starts the service";
            mapping.out.remark(&setting, what);
        }
    }
}

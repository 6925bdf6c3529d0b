//! The variables that a unit sets, and those that systemd sets for it.

use super::mapping::Mapping;
use crate::syntax::print::kdl::{string, word};

/// Reads the variables that the unit sets.
pub fn read(mapping: &mut Mapping<'_>) {
    for setting in mapping.all("Environment") {
        for assignment in mapping.words(&setting) {
            match assignment.split_once('=').filter(|(name, _)| is_name(name)) {
                Some((name, value)) => {
                    mapping.environment.retain(|(known, _)| known != name);
                    mapping.environment.push((name.to_owned(), value.to_owned()));
                }
                None => mapping.out.remark(&setting, "systemd passes over what is no `NAME=VALUE`"),
            }
        }
    }
    for setting in mapping.all("UnsetEnvironment") {
        for unset in mapping.words(&setting) {
            mapping.environment.retain(|(name, value)| *name != unset && format!("{name}={value}") != unset);
        }
    }
    for setting in mapping.all("EnvironmentFile") {
        let what = "write what it sets as `env NAME=\"VALUE\"`; what is secret there as a `secret` that the program reads";
        mapping.out.remark(&setting, what);
    }
}

fn is_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Writes the variables down.
pub fn say(mapping: &mut Mapping<'_>) {
    for (name, value) in std::mem::take(&mut mapping.environment) {
        let from = match name.ends_with("_DIRECTORY") {
            true => "set by systemd for ",
            false => "",
        };
        let key = if from.is_empty() { "Environment" } else { directory_key(&name) };
        mapping.out.say(format!("env {}={}", word(&name), string(&value)), &format!("{from}{key}"));
    }
}

fn directory_key(name: &str) -> &'static str {
    match name {
        "RUNTIME_DIRECTORY" => "RuntimeDirectory",
        "STATE_DIRECTORY" => "StateDirectory",
        "CACHE_DIRECTORY" => "CacheDirectory",
        "LOGS_DIRECTORY" => "LogsDirectory",
        "CONFIGURATION_DIRECTORY" => "ConfigurationDirectory",
        "CREDENTIALS_DIRECTORY" => "LoadCredential",
        _ => "Environment",
    }
}

//! How a unit runs: its type, its account, when it starts again, how it is stopped, what it may use up.

use super::accounts::Runner;
use super::mapping::Mapping;
use super::service::{Said, Statement};
use super::words::{size, time, time_word};
use crate::model::PRIVILEGES;
use crate::syntax::print::kdl::string;

/// The signals that a service can be sent.
pub const SIGNALS: [&str; 10] =
    ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL", "WINCH", "CONT", "ALRM"];

/// `Type=`.
pub fn type_of(mapping: &mut Mapping<'_>) {
    let setting = mapping.last("Type");
    match setting.as_ref().map(|setting| (setting, setting.value.as_str())) {
        None | Some((_, "simple" | "exec")) => {}
        Some((_, "oneshot")) => {
            mapping.is_oneshot = true;
            mapping.out.say("oneshot", "Type");
        }
        Some((_, "notify")) => mapping.out.say("ready \"notify\"", "Type"),
        Some((_, "notify-reload")) => {
            mapping.out.say("ready \"notify\"", "Type");
            mapping.out.say("reload signal=\"HUP\"", "Type");
        }
        Some((setting, "forking")) => mapping.out.remark(
            setting,
            "a service's program stays: give it the option or the setting that keeps it in the foreground",
        ),
        Some((setting, "dbus")) => mapping.out.remark(
            setting,
            "it is ready once its name is on the bus: here as soon as it runs. For the bus: `socket bus \"/run/dbus/system_bus_socket\"`, and `holds bus`",
        ),
        Some((setting, "idle")) => mapping.out.remark(setting, "it waited until nothing else was being started"),
        Some((setting, _)) => mapping.out.remark(setting, "not known"),
    }
    if let Some(setting) = mapping.last("RemainAfterExit") {
        match mapping.is_oneshot {
            true => mapping
                .out
                .remark(&setting, "`provides done done=#true` is the word for what others wait for"),
            false => mapping.out.remark(&setting, "only a `oneshot` ends and counts as done"),
        }
    }
}

/// `User=`, `Group=` and `DynamicUser=`.
pub fn account(mapping: &mut Mapping<'_>) {
    let (user, group) = (mapping.last("User"), mapping.last("Group"));
    let is_dynamic = mapping.is_on("DynamicUser");
    let mut name = |setting: &Option<super::unit::Setting>| {
        let setting = setting.as_ref()?;
        mapping.expand(setting, &setting.value)
    };
    let (user_name, group_name) = (name(&user), name(&group));
    if is_dynamic {
        // A fresh identity is what a service has anyway.
        mapping.runner = Runner::Account(None, Vec::new());
        mapping.out.needless.insert("DynamicUser".to_owned());
        mapping.out.needless.extend(user.into_iter().chain(group).map(|one| one.key));
        return;
    }
    let Some((setting, user_name)) = user.zip(user_name) else {
        let what = "it ran as root, and here as nobody else: what needs a privilege is told by `capc trace`, and granted by `privilege NAME CAP_…`";
        mapping.out.remarks.push(format!("User= is not said: {what}"));
        if let Some(group) = group {
            mapping.out.remark(
                &group,
                "an identity has a group of its own beside a user: `identity NAME user=\"…\" group=\"…\"`",
            );
        }
        return;
    };
    mapping.runner = Runner::named(mapping.machine, &user_name, group_name.as_deref());
    if mapping.runner == Runner::Root {
        let what = "it runs as nobody else instead: what needs a privilege is told by `capc trace`, and granted by `privilege NAME CAP_…`";
        return mapping.out.remark(&setting, what);
    }
    let is_number = user_name.bytes().all(|byte| byte.is_ascii_digit());
    if is_number || !is_account(&user_name) {
        return mapping.out.remark(
            &setting,
            "an identity is an account of /etc/passwd, by its name: it runs as nobody else instead",
        );
    }
    let kept = group_name
        .filter(|name| is_account(name) && name != "root" && name.bytes().any(|byte| !byte.is_ascii_digit()));
    if let Some(group) = group.filter(|_| kept.is_none()) {
        mapping.out.remark(&group, "an identity has a group of /etc/group that is not root's, by its name");
    }
    let from = if kept.is_some() { "User= Group=" } else { "User=" };
    mapping.out.statements.push(Statement {
        said: Said::As(user_name, kept),
        from: from.to_owned(),
        place: String::new(),
    });
}

/// `AmbientCapabilities=`, and what root was left with: told with the statements that would grant it.
pub fn privileges(mapping: &mut Mapping<'_>) {
    let was_root = mapping.runner == Runner::Root;
    for (key, counts) in [("AmbientCapabilities", true), ("CapabilityBoundingSet", was_root)] {
        for setting in mapping.all(key) {
            let named: Vec<String> = setting
                .value
                .split_whitespace()
                .filter_map(|word| word.strip_prefix("CAP_"))
                .filter(|bare| PRIVILEGES.contains(bare))
                .map(|bare| {
                    let name = bare.to_ascii_lowercase().replace('_', "-");
                    format!("`privilege {name} \"CAP_{bare}\"`, `holds {name}`")
                })
                .collect();
            if counts && setting.value.starts_with('~') {
                mapping.out.remark(
                    &setting,
                    "it could use all others, and here none: `privilege NAME \"CAP_…\"`, `holds NAME`",
                );
            } else if counts && !named.is_empty() {
                let what = "it could use these, and here none: a port below 1024 needs none if it is a `listen` that the service holds";
                mapping.out.remark(&setting, format!("{what}; where one is needed: {}", named.join("; ")));
            } else {
                mapping.out.needless.insert(key.to_owned());
            }
        }
    }
}

fn is_account(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !name.starts_with('-')
}

/// `Restart=`, `TimeoutStopSec=`, `KillSignal=` and their kin.
pub fn keeping(mapping: &mut Mapping<'_>) {
    if let Some(setting) = mapping.last("Restart") {
        match setting.value.as_str() {
            "no" => {}
            _ if mapping.is_oneshot => {
                mapping.out.remark(&setting, "a oneshot runs to its end and is not started again")
            }
            "on-failure" | "always" => {
                mapping.out.say(format!("restart {}", string(&setting.value)), "Restart")
            }
            _ => mapping
                .out
                .remark(&setting, "`restart` knows \"on-failure\" and \"always\": choose, or leave it"),
        }
    }
    let signal = mapping.last("KillSignal");
    let bare = signal.as_ref().map(|one| one.value.strip_prefix("SIG").unwrap_or(&one.value).to_owned());
    let known = bare.filter(|bare| SIGNALS.contains(&bare.as_str()));
    if let Some(setting) = signal.as_ref().filter(|_| known.is_none()) {
        mapping.out.remark(setting, format!("`stop` knows the signals {}", SIGNALS.join(" ")));
    }
    let timeout =
        mapping.last("TimeoutStopSec").or_else(|| mapping.unit.counting("Service", "TimeoutSec").pop());
    let within = timeout.as_ref().and_then(|one| time(&one.value)).filter(|time| *time < 1 << 40);
    if let Some(setting) = timeout.as_ref().filter(|_| within.is_none()) {
        mapping.out.remark(setting, "`stop` has an end: `stop within=\"90s\"`, or 10s by itself");
    }
    if known.is_some() || within.is_some() {
        let from: Vec<&str> = [
            known.is_some().then_some("KillSignal="),
            within.and(timeout.as_ref()).map(|one| match one.key.as_str() {
                "TimeoutSec" => "TimeoutSec=",
                _ => "TimeoutStopSec=",
            }),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut words = "stop".to_owned();
        words.extend(known.map(|signal| format!(" signal={}", string(&signal))));
        words.extend(within.map(|within| format!(" within={}", string(&time_word(within)))));
        mapping.out.say(words, from.join(" ").trim_end_matches('='));
    }
}

/// `MemoryMax=`, `TasksMax=`, `CPUQuota=`, `LimitNOFILE=`.
pub fn limits(mapping: &mut Mapping<'_>) {
    let mut words = String::new();
    let mut from: Vec<&str> = Vec::new();
    for key in ["MemoryMax", "TasksMax", "LimitNOFILE", "CPUQuota"] {
        let Some(setting) = mapping.last(key) else { continue };
        let value = setting.value.as_str();
        if value == "infinity" {
            continue;
        }
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
        let word = match key {
            "MemoryMax" => size(value).map(|size| format!(" memory={}", string(&size))),
            "TasksMax" => number(value).map(|tasks| format!(" tasks={tasks}")),
            "LimitNOFILE" => {
                let soft = value.split(':').next().and_then(number);
                soft.map(|files| format!(" files={files}"))
            }
            _ => {
                let share = value.strip_suffix('%').and_then(number).filter(|share| *share <= 100_000);
                share.map(|share| format!(" cpu={}", string(&format!("{share}%"))))
            }
        };
        match word {
            Some(word) => {
                words.push_str(&word);
                from.push(key);
            }
            None => mapping
                .out
                .remark(&setting, "`limits memory=\"512M\" tasks=64 files=1024 cpu=\"50%\"` are the forms"),
        }
    }
    if !words.is_empty() {
        mapping.out.say(format!("limits{words}"), &from.join("= "));
    }
}

/// What it could do over the network, and cannot by itself any more.
pub fn network(mapping: &mut Mapping<'_>) {
    let is_private = mapping.is_on("PrivateNetwork");
    let families = mapping.all("RestrictAddressFamilies");
    for setting in &families {
        mapping.out.needless.insert(setting.key.clone());
    }
    let is_inverted = families.first().is_some_and(|one| one.value.starts_with('~'));
    let names_inet = families.iter().any(|one| one.value.contains("AF_INET"));
    let has_network = !is_private && (families.is_empty() || names_inet != is_inverted);
    if is_private {
        mapping.out.needless.insert("PrivateNetwork".to_owned());
    }
    if has_network {
        let what = "it had the network, and has none of it here: `listen` for what it serves, `connect` for a port that it asks, `network` only for more than that; `capc trace` tells which";
        mapping.out.remarks.push(format!("{} {what}", "Network:"));
    }
}

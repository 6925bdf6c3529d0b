//! What is to be done about keys that have no counterpart.

/// What is to be done about a key.
pub enum Advice {
    /// Nothing: a world closes what it closes, or nothing depends on it.
    Needless,
    /// What to say.
    Say(&'static str),
}

/// Keys for which nothing needs to be done: what they close does not exist in a world, or they are about systemd alone.
const NEEDLESS: &[&str] = &[
    // Paths, devices and the kernel: a world has what it was given.
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "DevicePolicy",
    "ProtectKernelTunables",
    "ProtectKernelModules",
    "ProtectKernelLogs",
    "ProtectControlGroups",
    "ProtectClock",
    "ProtectHostname",
    "ProtectProc",
    "ProcSubset",
    "PrivateMounts",
    "MountFlags",
    "MountAPIVFS",
    "NoExecPaths",
    "ExecPaths",
    "InaccessiblePaths",
    "RestrictFileSystems",
    "BindLogSockets",
    "TemporaryFileSystem",
    // Privileges, namespaces and system calls.
    "NoNewPrivileges",
    "SecureBits",
    "PrivateUsers",
    "PrivateNetwork",
    "PrivateIPC",
    "RestrictNamespaces",
    "RestrictAddressFamilies",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "LockPersonality",
    "SystemCallFilter",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
    "SystemCallLog",
    "KeyringMode",
    "RemoveIPC",
    "IPAddressDeny",
    "SocketBindDeny",
    // Modes of directories that are the service's own.
    "StateDirectoryMode",
    "CacheDirectoryMode",
    "LogsDirectoryMode",
    "RuntimeDirectoryMode",
    "ConfigurationDirectoryMode",
    // What systemd counts, says and looks for.
    "CPUAccounting",
    "MemoryAccounting",
    "TasksAccounting",
    "IOAccounting",
    "IPAccounting",
    "BlockIOAccounting",
    "PIDFile",
    "GuessMainPID",
    "SyslogIdentifier",
    "DefaultInstance",
    "WantedBy",
    "RequiredBy",
    "Alias",
    "Also",
];

/// What is said of others.
const SAID: &[(&str, &str)] = &[
    ("MemoryDenyWriteExecute", "nothing here keeps a program from making memory executable"),
    (
        "SupplementaryGroups",
        "an identity has one group: grant what the group was for (`dir`, `file`, `device`)",
    ),
    (
        "ExecStartPost",
        "nothing runs after a start: do it in the service, or in a oneshot that holds a facet of it",
    ),
    ("ExecStop", "`stop signal=\"…\" within=\"…\"` stops it; no command does"),
    ("ExecStopPost", "nothing runs after a stop: tidy up in `prepare`, before the next start"),
    ("ExecCondition", "it starts always: look in its program"),
    (
        "WatchdogSec",
        "nothing watches for signs of life unless the service asks for it (`WATCHDOG_USEC=`, sd_notify(3))",
    ),
    ("NotifyAccess", "the main process alone is heard"),
    ("RestartSec", "pauses between starts are capc's own"),
    ("RestartSteps", "pauses between starts are capc's own"),
    ("RestartMaxDelaySec", "pauses between starts are capc's own"),
    ("StartLimitBurst", "how often it is tried again is capc's own"),
    ("StartLimitIntervalSec", "how often it is tried again is capc's own"),
    ("StartLimitInterval", "how often it is tried again is capc's own"),
    ("StartLimitAction", "nothing happens to the machine when a service fails"),
    ("FailureAction", "nothing happens to the machine when a service fails"),
    ("SuccessAction", "nothing happens to the machine when a service ends"),
    ("SuccessExitStatus", "status 0 alone is success: let `run` be a script that says so"),
    ("RestartPreventExitStatus", "every failure counts alike"),
    ("RestartForceExitStatus", "every failure counts alike"),
    ("TimeoutStartSec", "how long a start may take is capc's own"),
    ("TimeoutSec", "how long a start may take is capc's own; for the stop it is `within`"),
    ("TimeoutAbortSec", "`stop within=\"…\"` is the one time"),
    ("RuntimeMaxSec", "it runs as long as it runs"),
    ("KillMode", "the main process is sent the signal, and what is left in the end is killed"),
    ("SendSIGKILL", "what does not end in time is killed"),
    ("SendSIGHUP", "one signal is sent"),
    ("FinalKillSignal", "what does not end in time is killed"),
    ("UMask", "let the program set its own"),
    ("Nice", "all services are alike to the scheduler; `limits cpu=\"50%\"` is an upper bound"),
    ("CPUWeight", "all services are alike to the scheduler; `limits cpu=\"50%\"` is an upper bound"),
    ("IOWeight", "all services are alike to the disk"),
    ("MemoryHigh", "`limits memory=\"512M\"` is the one bound"),
    ("MemoryLimit", "an older word for `MemoryMax=`: `limits memory=\"512M\"`"),
    ("LimitNPROC", "`limits tasks=64`"),
    ("OOMScoreAdjust", "`limits memory=\"512M\"` bounds each service, and who exceeds it is killed"),
    ("Slice", "limits are said of each service: `limits memory=\"512M\" tasks=64`"),
    ("Delegate", "a service sees no control groups"),
    ("BusName", "for the bus: `socket bus \"/run/dbus/system_bus_socket\"`, and `holds bus`"),
    ("PAMName", "there are no sessions: what it opened, such as a keyring or limits, is not there"),
    (
        "RootDirectory",
        "its paths are of another root: write those of the machine, or `at=` where they are to be seen elsewhere",
    ),
    ("RootImage", "its paths are of another root: unpack it, and write those of the machine"),
    ("NetworkNamespacePath", "a `network` is the machine's own"),
    ("IPAddressAllow", "`connect NAME tcp=\"HOST:PORT\"` for each place that it asks"),
    ("SocketBindAllow", "`listen NAME tcp=\"ADDR:PORT\"`, held with `bind`"),
    ("PassEnvironment", "nothing is passed on: write `env NAME=\"VALUE\"`"),
    ("StandardInput", "standard input is empty"),
    ("StandardOutput", "what it prints goes to the log (`capc logs`, or the init's)"),
    ("StandardError", "what it prints goes to the log (`capc logs`, or the init's)"),
    ("TTYPath", "a service has no terminal: a `program` that holds `tty` has its caller's"),
    (
        "RuntimeDirectoryPreserve",
        "what is in memory goes with the service: use a `state` for what is to stay",
    ),
    ("DefaultDependencies", "capc starts services once the machine itself is up"),
    ("AllowIsolate", "for targets alone"),
    ("RefuseManualStart", "who may start it is who holds its `control`"),
    ("RefuseManualStop", "who may stop it is who holds its `control`"),
    ("RandomizedDelaySec", "it starts when the event comes"),
    ("FileDescriptorName", "descriptors have no names: `fd=` says which number"),
];

/// Returns what is to be done about a key.
#[must_use]
pub fn advice(section: &str, key: &str) -> Advice {
    if NEEDLESS.contains(&key) {
        return Advice::Needless;
    }
    if let Some((_, what)) = SAID.iter().find(|(known, _)| *known == key) {
        return Advice::Say(what);
    }
    Advice::Say(match (section, key) {
        (section, _) if !KNOWN_SECTIONS.contains(&section) => "systemd does not know the section either",
        ("Unit", key) if key.starts_with("Condition") || key.starts_with("Assert") => {
            "it starts always: take it out where it is not to run"
        }
        ("Timer", key) if key.starts_with("On") => {
            "`schedule` is by the calendar: `schedule \"daily\"`; until then it starts at boot"
        }
        ("Socket", key) if key.starts_with("Listen") => "`listen` knows TCP, UDP and unix streams",
        ("Service", key) if key.starts_with("Limit") => {
            "`limits memory=\"512M\" tasks=64 files=1024` are the limits that there are"
        }
        _ => "not translated",
    })
}

const KNOWN_SECTIONS: [&str; 5] = ["Unit", "Service", "Socket", "Timer", "Install"];

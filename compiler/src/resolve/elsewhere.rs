//! Words that other inits have for what is said otherwise here, and what to write instead.

/// Words of a service's body, in lower case and without `-` and `_`.
const IN_SERVICES: &[(&[&str], &str)] = &[
    (
        &[
            "exec",
            "execstart",
            "command",
            "cmd",
            "start",
            "program",
            "binary",
            "args",
            "entrypoint",
            "cmdline",
        ],
        "write `run \"/usr/sbin/nginx\" \"-g\" \"daemon off;\"`: the program, and each argument in quotes of its own",
    ),
    (
        &["user", "group", "uid", "gid", "runas", "identity", "dynamicuser"],
        "declare `identity www user=\"www-data\"` beside the services, and write `as www` here; without, it has a uid of its own",
    ),
    (
        &["listen", "port", "ports", "bind", "listenstream", "tcp", "expose", "address"],
        "declare `listen http tcp=\"0.0.0.0:80\"` beside the services, and write `holds http` here (`holds http bind` if it binds the \
         port itself)",
    ),
    (
        &["connect", "network", "net", "privatenetwork"],
        "declare `connect api tcp=\"api.example.org:443\"` or `network net` beside the services, and hold it here: `holds api`",
    ),
    (
        &[
            "read",
            "readonly",
            "readonlypaths",
            "bindreadonlypaths",
            "path",
            "paths",
            "dir",
            "directory",
            "file",
            "files",
            "mount",
            "volume",
            "volumes",
        ],
        "declare `dir site \"/srv/site\"` beside the services, and write `holds site read` here",
    ),
    (
        &["write", "readwrite", "rw", "readwritepaths", "bindpaths", "data", "state", "statedirectory"],
        "declare `state data \"/var/lib/web\"` beside the services, and write `holds data read write` here",
    ),
    (
        &["secret", "secrets", "loadcredential", "credential", "device", "devices", "deviceallow", "socket"],
        "declare it beside the services, such as `secret key \"/etc/key\"` or `device kvm \"/dev/kvm\"`, and write `holds key` here",
    ),
    (
        &[
            "after",
            "before",
            "depends",
            "dependson",
            "requires",
            "requirement",
            "wants",
            "needs",
            "need",
            "bindsto",
            "requisite",
            "partof",
        ],
        "nothing is ordered by hand: who holds what another service provides waits for it, as with `holds db.sql`",
    ),
    (&["environment", "environ", "variable", "setenv", "environmentfile"], "write `env LANG=\"C.UTF-8\"`"),
    (&["cwd", "chdir", "workingdirectory", "pwd"], "write `workdir \"/srv\"`"),
    (
        &[
            "memory",
            "memorymax",
            "cpu",
            "cpuquota",
            "tasks",
            "tasksmax",
            "nofile",
            "ulimit",
            "rlimit",
            "limit",
        ],
        "write `limits memory=\"512M\" tasks=64`",
    ),
    (
        &["capability", "capabilities", "caps", "privilege", "ambientcapabilities", "capadd"],
        "declare `privilege clock \"CAP_SYS_TIME\"` beside the services, and write `holds clock` here; a port below 1024 needs none",
    ),
    (
        &["type", "forking", "daemon", "daemonize", "background", "pidfile", "foreground"],
        "leave it out and let the program stay in the foreground; `ready \"notify\"` or `oneshot` says what is not usual",
    ),
    (&["timer", "cron", "oncalendar", "every", "at", "calendar"], "write `oneshot` and `schedule \"daily\"`"),
    (
        &["tmp", "tmpfs", "temporary", "runtimedirectory", "privatetmp", "rundir"],
        "write `scratch \"/run/web\"`; `/run` and `/tmp` are its own anyway",
    ),
    (
        &["log", "logs", "stdout", "stderr", "standardoutput", "standarderror"],
        "leave it out: what it prints is kept, and `capc logs` shows it",
    ),
    (
        &["description", "name", "documentation", "enabled", "disabled", "wantedby", "alias"],
        "leave it out; what is said to people stands behind `//`",
    ),
    (&["execreload", "reloadsignal"], "write `reload signal=\"HUP\"`"),
    (
        &["execstop", "killsignal", "timeoutstopsec", "stopsignal", "timeout"],
        "write `stop signal=\"TERM\" within=\"20s\"`",
    ),
    (
        &["execstartpre", "prestart", "init", "setup"],
        "write `prepare \"/opt/web/prepare\"`, which runs to its end first",
    ),
    (&["respawn", "restartsec"], "write `restart \"on-failure\"`"),
    (
        &["library", "libraries", "include", "code", "package", "packages"],
        "write `image \"/usr/share/web\"`: more code that it is made of; libraries of programs come by themselves",
    ),
];

/// Words of a system.
const IN_SYSTEMS: &[(&[&str], &str)] = &[
    (
        &["unit", "daemon", "process", "job", "task", "services", "container"],
        "write `service web { run \"/usr/sbin/nginx\" }`",
    ),
    (&["path", "directory", "folder", "volume", "mount"], "write `dir site \"/srv/site\"`"),
    (&["port", "tcp", "bind", "address"], "write `listen http tcp=\"0.0.0.0:80\"`"),
    (&["include", "import", "source"], "write `use \"web.kdl\" as=web`"),
    (&["group", "account"], "write `identity www user=\"www-data\"`"),
    (&["deny", "forbid", "assert"], "write `never web reaches key`, or `only web hold key`"),
    (
        &["run", "exec", "holds", "env", "image", "provides", "restart", "limits", "oneshot"],
        "it belongs to a service: `service web { … }`",
    ),
];

/// Returns what to write for a word of another init's, where these words are known.
#[must_use]
pub fn instead_of(word: &str, known: &[&str]) -> Option<&'static str> {
    let plain: String =
        word.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    let words = match (known.contains(&"run"), known.contains(&"service")) {
        (true, _) => IN_SERVICES,
        (_, true) => IN_SYSTEMS,
        _ => return None,
    };
    words.iter().find(|(words, _)| words.contains(&&*plain)).map(|(_, instead)| *instead)
}

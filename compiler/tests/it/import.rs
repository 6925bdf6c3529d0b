//! Units of systemd as a configuration: what comes out compiles, grants no more than the units had, and loses nothing.

use crate::scene::{Run, Running, Scene, needs_root, repository, until};
use capc::syntax::Language;
use capc::syntax::tree::{Tree, Value};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

const UNITS: &str = "root/etc/systemd/system";

/// Imports units that are written one after the other, each under a line `# NAME`; what comes out must compile.
#[track_caller]
fn import(scene: &Scene, text: &str) -> Run {
    for unit in text.split("# ").skip(1) {
        let (name, text) = unit.split_once('\n').unwrap();
        scene.write(&format!("{UNITS}/{name}"), text);
    }
    compiles(scene, &["--root", "root", UNITS])
}

/// Imports, and has capc check, tidy and translate what came out.
#[track_caller]
fn compiles(scene: &Scene, arguments: &[&str]) -> Run {
    let run = scene.capc(["import", "systemd"].iter().chain(arguments)).exits(0);
    scene.write("system.kdl", &run.out);
    scene.capc(["check", "system.kdl"]).exits(0);
    scene.capc(["fmt", "--check", "system.kdl"]).exits(0);
    let toml = scene.capc(["import", "systemd", "--to", "toml"].iter().chain(arguments)).exits(0);
    scene.write("system.toml", &toml.out);
    scene.capc(["check", "system.toml"]).exits(0);
    run
}

/// Returns the words of every statement of one name in the bodies of services.
fn statements(text: &str, name: &str) -> Vec<Vec<(Option<String>, String)>> {
    let (tree, errors) = Language::Kdl.read(text.into());
    assert!(errors.is_empty(), "{errors:?}");
    let bodies = tree.roots().flat_map(|node| tree.children(node));
    let named = bodies.filter(|node| tree.name(*node) == name);
    let words = |tree: &Tree, node| {
        let entries = tree.entries(node).map(|entry| {
            let text = match entry.value {
                Value::String { text, .. } | Value::Number(text) => text.to_owned(),
                other => format!("{other:?}"),
            };
            (entry.key.map(|key| key.text.to_owned()), text)
        });
        entries.collect()
    };
    named.map(|node| words(&tree, node)).collect()
}

#[test]
fn a_shop_is_imported_with_all_that_it_has_and_all_that_it_lacks() {
    let scene = Scene::new("import-shop");
    scene.copy("testdata/import/shop");
    let units = "shop/etc/systemd/system";
    let run = compiles(&scene, &["--root", "shop", units, "mail@anna.service", "twice@a-b.service"]);
    assert_eq!(run.err, "");
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../../../testdata/import", omit_expression => true }, {
        insta::assert_snapshot!("shop", run.out);
    });
}

#[test]
fn whatever_a_unit_says_stays_within_its_string_or_its_comment() {
    let scene = Scene::new("import-hostile");
    let hostile = "\" } service evil { run \"/bin/sh\" } //\u{2028}\u{202e}\u{85}\u{1b}[2J\t#\\";
    let text = format!(
        "# a\\x22b.service\n[Unit]\nDescription={hostile} end\nWants={hostile} end\n[Service]\n\
         Environment=\"A=\\\" }} }}\\n\\x01\\u202e//\" true=null\nExecStart=/bin/echo \"\\\"\\n\\t}}\" '*/ /*' '\\u2028' '#\"\\\\' ''\n\
         Nonsense={hostile} end\nStateDirectory='x\\\"y z'\nExecStop={hostile} end\n[{hostile}]\nX=y\n"
    );
    let run = import(&scene, &text);
    let run_words: Vec<String> =
        statements(&run.out, "run").remove(0).into_iter().map(|(_, text)| text).collect();
    assert_eq!(run_words, ["/bin/echo", "\"\n\t}", "*/ /*", "\u{2028}", "#\"\\", ""]);
    let set: Vec<(Option<String>, String)> = statements(&run.out, "env").concat();
    let is_set = |name: &str, value: &str| set.contains(&(Some(name.to_owned()), value.to_owned()));
    assert!(is_set("A", "\" } }\n\u{1}\u{202e}//") && is_set("true", "null"), "{set:?}");
    assert!(is_set("STATE_DIRECTORY", "/var/lib/x\"y z"), "{set:?}");
    // One service, and nothing that a terminal would obey.
    let (tree, _) = Language::Kdl.read(run.out.as_str().into());
    assert_eq!(tree.roots().filter(|node| tree.name(*node) == "service").count(), 1);
    let is_loud =
        |letter: char| letter.is_control() && letter != '\n' || ('\u{2028}'..='\u{202e}').contains(&letter);
    assert!(!run.out.contains(is_loud), "{:?}", run.out);
    run.says("Nonsense=").says("Wants=");
}

#[test]
fn what_the_account_of_a_unit_could_not_read_or_write_is_not_granted() {
    let scene = Scene::new("import-accounts");
    scene.write("root/etc/passwd", "web:x:4100:4100::/:/bin/false\n");
    scene.write("root/etc/group", "web:x:4100:\n");
    scene.write("root/srv/open/page", "");
    let closed = scene.write("root/srv/closed/deep/key", "");
    std::fs::set_permissions(closed, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    scene.write("root/etc/app/conf", "");
    let run = import(
        &scene,
        "# a.service\n[Service]\nUser=web\nExecStart=/bin/true\nReadOnlyPaths=/srv/open /srv/closed\nReadWritePaths=/srv/open\n\
         # b.service\n[Service]\nUser=web\nExecStart=/bin/true\nReadWritePaths=/srv/open\n\
         # c.service\n[Service]\nUser=root\nExecStart=/bin/true\nReadOnlyPaths=/srv/closed/deep\nReadWritePaths=/etc/app/conf /etc\n",
    );
    let holds: Vec<Vec<String>> = statements(&run.out, "holds")
        .into_iter()
        .map(|words| words.into_iter().map(|(_, text)| text).collect())
        .collect();
    assert_eq!(
        holds,
        [vec!["srv-open", "read"], vec!["srv-closed-deep", "read"], vec!["etc-app-conf", "read", "write"]],
        "{}",
        run.out
    );
    let told: Vec<&str> = run.out.lines().filter(|line| line.contains("is others'")).collect();
    assert_eq!(told.len(), 2, "{}", run.out);
    run.says("file etc-app-conf").says("is everybody's").says("User=root");
}

#[test]
fn what_two_units_would_not_be_given_together_is_told_and_the_rest_stands() {
    let scene = Scene::new("import-conflicts");
    let run = import(
        &scene,
        "# a.service\n[Service]\nExecStart=/bin/true\nStateDirectory=both\nRuntimeDirectory=x\n\
         # b.service\n[Service]\nDynamicUser=yes\nExecStart=/bin/true\nStateDirectory=both both/part\nReadWritePaths=/var/run/x\n\
         # a.socket\n[Socket]\nListenStream=80\nListenStream=/run/x/sock\nListenStream=/run/quiet\nSocketMode=0666\n\
         # b.socket\n[Socket]\nListenStream=0.0.0.0:80\nListenStream=/run/y\nSocketMode=0600\n\
         # root.service\n[Service]\nExecStart=/bin/true\nReadWritePaths=/usr/bin /etc/capc\n",
    );
    // Two identities that write to one place have it as a `dir`, which says that it is shared.
    run.says("dir var-lib-both").says("refused (`root-cycle`)").says("SocketMode=");
}

#[test]
fn a_timer_or_a_socket_brings_its_service_and_a_service_names_those_that_are_there() {
    let scene = Scene::new("import-started");
    scene.write(&format!("{UNITS}/a.service"), "[Service]\nType=oneshot\nExecStart=/bin/true\n");
    scene.write(&format!("{UNITS}/a.timer"), "[Timer]\nOnCalendar=daily\n");
    scene.write(&format!("{UNITS}/odd.timer"), "[Timer]\nOnBootSec=5min\nUnit=a.service\n");
    let by = |name: &str| compiles(&scene, &["--root", "root", name]);
    by("a.timer").says("schedule \"daily\"").says("oneshot");
    let alone = by("a");
    assert!(!alone.out.contains("schedule \""), "{}", alone.out);
    alone.says("`a.timer` is there too");
    by("odd.timer").says("OnBootSec=5min (odd.timer:2)");
}

#[test]
fn what_is_not_there_is_told_and_nothing_is_printed() {
    let scene = Scene::new("import-missing");
    scene.write(&format!("{UNITS}/nginx.service"), "[Service]\nExecStart=/bin/true\n");
    let run = scene.capc(["import", "systemd", "--root", "root", "ngin.service"]).exits(2);
    assert_eq!(run.out, "");
    run.complains("there is no unit `ngin.service`").complains("did you mean `nginx.service`?");
    scene.capc(["import", "systemd", "--root", "root", "nginx.service"]).exits(0).says("system imported");
    scene.capc(["import", "systemd", "elsewhere/x.service"]).exits(2).complains("cannot read");
}

#[test]
fn redis_runs_in_a_world_with_its_unit_imported_and_the_patch_of_a_trace() {
    let redis = std::fs::read_to_string("/etc/passwd").unwrap();
    let account =
        redis.lines().find(|line| line.starts_with("redis:")).map(|line| line.split(':').collect::<Vec<_>>());
    let (Some(account), true) = (account, Path::new("/usr/bin/redis-server").exists()) else {
        eprintln!("not tried: Redis from its unit (it is not installed)");
        return;
    };
    if !needs_root("Redis from its unit") {
        return;
    }
    let scene = Scene::new("import-redis");
    let (here, kept) = (scene.path.display(), scene.path.join("kept"));
    std::fs::create_dir(&kept).unwrap();
    let number = |at: usize| Some(account[at].parse::<u32>().unwrap());
    std::os::unix::fs::chown(&kept, number(2), number(3)).unwrap();
    scene.write("redis.conf", format!("port 0\nunixsocket /run/import-redis/s\ndir {here}/kept\n"));
    scene.write(
        "units/redis.service",
        format!(
            "[Service]\nType=notify\nUser=redis\nGroup=redis\nRuntimeDirectory=import-redis\nReadWritePaths={here}/kept\n\
             ExecStart=/usr/bin/redis-server {here}/redis.conf --supervised systemd --daemonize no\n"
        ),
    );
    scene.write("system.kdl", &scene.capc(["import", "systemd", "units"]).exits(0).out);
    let traced = scene.capc(["trace", "redis", "--seconds", "5"]).exits(0);
    let patch = traced.out.find("--- ").map(|at| &traced.out[at..]).unwrap();
    crate::trace::apply(&scene, patch);
    let mut up = scene.command(["up", "system.kdl"]);
    let _up = Running(up.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("Redis says that it is ready", || {
        let ps = scene.capc(["ps", "--config", "system.kdl"]);
        ps.out.lines().any(|line| line.contains("running") && line.contains("Ready to accept connections"))
    });
}

/// A row of numbers that looks random and is the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const KEYS: [&str; 46] = [
    "ExecStart",
    "ExecStart",
    "ExecStart",
    "ExecStartPre",
    "ExecReload",
    "Type",
    "User",
    "Group",
    "DynamicUser",
    "Environment",
    "UnsetEnvironment",
    "EnvironmentFile",
    "WorkingDirectory",
    "StateDirectory",
    "CacheDirectory",
    "LogsDirectory",
    "RuntimeDirectory",
    "ConfigurationDirectory",
    "ReadWritePaths",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "BindPaths",
    "BindReadOnlyPaths",
    "TemporaryFileSystem",
    "LoadCredential",
    "SetCredential",
    "DeviceAllow",
    "MemoryMax",
    "TasksMax",
    "CPUQuota",
    "LimitNOFILE",
    "TimeoutStopSec",
    "TimeoutSec",
    "KillSignal",
    "Restart",
    "RestrictAddressFamilies",
    "ListenStream",
    "ListenDatagram",
    "SocketMode",
    "OnCalendar",
    "Persistent",
    "Wants",
    "After",
    "Before",
    "RequiresMountsFor",
    "Nonsense",
];
const VALUES: [&str; 62] = [
    "/bin/true",
    "/usr/bin/env a b",
    "-/bin/sh -c 'echo $$ ${A} $B' ; /bin/false",
    "!!/bin/x",
    "@/bin/x y z",
    "relative x",
    "",
    "oneshot",
    "notify",
    "forking",
    "yes",
    "no",
    "root",
    "nobody",
    "redis",
    "1000",
    "0",
    "a b",
    "%i",
    "%H",
    "%%",
    "%n %p",
    "A=1",
    "A=\"\\n\" B='\\x41' true=x 1=2",
    "/etc/x",
    "-/etc/x",
    "~",
    "/",
    "/etc",
    "/etc/capc",
    "/var/lib/capc",
    "/usr/bin",
    "/srv/../etc",
    "//srv//a/",
    "x",
    "x/y",
    "../x",
    "x:y",
    "a:/srv/k",
    "/srv:/a",
    "/srv/a:/tmp/x:rbind",
    "/tmp",
    "/proc/x",
    "/dev/null rw",
    "/dev/sda r",
    "char-* rw",
    "512M",
    "10%",
    "infinity",
    "5min 20s",
    "SIGINT",
    "on-failure",
    "always",
    "80",
    "[::1]:80",
    "127.0.0.1:80",
    "/run/x/s",
    "@abstract",
    "daily",
    "Mon 25:00",
    "a.service b.socket",
    "'unclosed \\",
];

#[test]
fn random_units_become_configurations_that_compile() {
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    for round in 0..12 {
        let scene = Scene::new(&format!("import-random-{round}"));
        let mut text = String::new();
        for _ in 0..30 {
            let (name, kind) =
                (numbers.one(&["a", "b", "c-d", "e@i", "f@", "true", "G.h", "1"]), numbers.below(8));
            let kind =
                ["service", "service", "service", "service", "service", "socket", "timer", "target"][kind];
            let _ = writeln!(text, "# {name}{}.{kind}", if numbers.below(3) == 0 { "x" } else { "" });
            let own = ["Service", "Socket", "Timer"]
                [usize::from(kind == "socket") + 2 * usize::from(kind == "timer")];
            let _ = writeln!(text, "[{own}]");
            if kind == "service" && numbers.below(5) > 0 {
                text.push_str("ExecStart=/bin/true\n");
            }
            for _ in 0..numbers.below(14) {
                if numbers.below(9) == 0 {
                    let _ = writeln!(text, "[{}]", numbers.one(&["Unit", own, own, "Install", "Odd"]));
                }
                let _ = writeln!(text, "{}={}", numbers.one(&KEYS), numbers.one(&VALUES));
            }
        }
        import(&scene, &text);
    }
}

#[test]
fn the_units_of_debian_compile() {
    let scene = Scene::new("import-debian");
    let directory =
        ["/usr/lib/systemd/system", "/lib/systemd/system"].into_iter().find(|path| Path::new(path).is_dir());
    let Some(directory) = directory else {
        eprintln!("not tried: Debian's units (there are none)");
        return;
    };
    compiles(&scene, &[directory]);
    let has = |unit: &str| Path::new(directory).join(unit).exists();
    if !["nginx.service", "redis-server.service", "postgresql@.service"].into_iter().all(has) {
        eprintln!("not tried: units of nginx, Redis and PostgreSQL (not installed)");
        return;
    }
    let run = compiles(&scene, &["nginx", "redis-server", "postgresql@15-main"]);
    run.says("service nginx {")
        .says("run \"/usr/bin/redis-server\" \"/etc/redis/redis.conf\" \"--supervised\" \"systemd\" \"--daemonize\" \"no\"")
        .says("holds var-lib-redis read write")
        .says("scratch \"/run/redis\"")
        .says("\"15-main\" \"start\"")
        .says("to do: Type=forking (nginx.service:");
    assert!(repository().join("testdata/import/shop.snap").exists());
}

#[test]
fn the_page_on_moving_shows_what_comes_of_its_units() {
    let scene = Scene::new("import-page");
    let page = std::fs::read_to_string(repository().join("docs/moving.md")).unwrap();
    for unit in page.split("```ini\n").skip(1).map(|block| block.split("```").next().unwrap()) {
        scene.write(unit.lines().next().unwrap().trim_start_matches("# "), unit);
    }
    scene.write("etc/hostname", "den\n");
    let shown = page.split("```kdl\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(compiles(&scene, &["--root", ".", "units"]).out, shown);
}

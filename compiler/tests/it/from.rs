//! Services of other inits, read as they stand: circles that those inits do not refuse.

use crate::scene::{Run, Scene, repository, run};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Checks files of GNU Shepherd or Guix.
#[track_caller]
fn shepherd(name: &str, text: impl AsRef<[u8]>) -> Run {
    let scene = Scene::new(name);
    scene.write("x.scm", text);
    scene.capc(["check", "--from", "shepherd", "x.scm", "--format", "plain"])
}

/// Checks units that are written one after the other, each under a line `# NAME`.
#[track_caller]
fn systemd(name: &str, text: &str) -> Run {
    let scene = Scene::new(name);
    units(&scene, text);
    scene.capc(["check", "--from", "systemd", "--root", "root", UNITS, "--format", "plain"])
}

const UNITS: &str = "root/etc/systemd/system";

fn units(scene: &Scene, text: &str) {
    for unit in text.split("# ").skip(1) {
        let (name, text) = unit.split_once('\n').unwrap();
        match name.split_once(" -> ") {
            Some((name, target)) => {
                let path = scene.path.join(UNITS).join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::os::unix::fs::symlink(target, path).unwrap();
            }
            None => drop(scene.write(&format!("{UNITS}/{name}"), text)),
        }
    }
}

#[test]
fn every_example_of_the_page_is_told_as_the_page_says() {
    let scene = Scene::new("from-page");
    let page = std::fs::read_to_string(repository().join("docs/from.md")).unwrap();
    let mut shown = 0;
    for block in page.split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        match language {
            "ini" | "scheme" => {
                let name = text.lines().next().unwrap().trim_start_matches(['#', ';', ' ']);
                scene.write(name, text);
            }
            "console" => {
                let (command, expected) = text.strip_prefix("$ capc ").unwrap().split_once('\n').unwrap();
                let said = scene.capc(command.split(' ')).exits(1);
                assert_eq!(said.err, expected, "{command}");
                shown += 1;
            }
            _ => {}
        }
    }
    assert_eq!(shown, 2);
}

#[test]
fn what_shepherd_would_hang_on_is_told_with_every_word() {
    let scene = Scene::new("from-shepherd");
    let files = scene.copy("testdata/from/shepherd");
    let file = |name: &str| files.join(name).display().to_string();
    let answer = json(scene.capc(["check", "--from", "shepherd", &file("cycle.scm"), "--format", "json"]), 1);
    let found = answer["diagnostics"].as_array().unwrap();
    let codes: Vec<&str> = found.iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["bootstrap-cycle", "unheld", "bad-value"]);
    let edges: Vec<(&str, &str, &str, u64)> = found[0]["cycle"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| {
            let word = |key: &str| edge[key].as_str().unwrap();
            (word("from"), word("to"), word("facet"), edge["line"].as_u64().unwrap())
        })
        .collect();
    let expected = [
        ("database", "logger", "logger", 8),
        ("logger", "networking", "networking", 14),
        ("networking", "database", "postgres", 21),
    ];
    assert_eq!(edges, expected);
    assert_eq!(found[0]["cuts"][0]["change"], "remove");
    assert_eq!(found[0]["members"].as_array().unwrap().len(), 3);
    // `file-systems` is nearly the name of another.
    assert_eq!(found[1]["help"], "did you mean `file-system`?");
    let guix = scene.capc(["check", "--from", "shepherd", &file("guix.scm"), "--format", "plain"]).exits(1);
    assert!(guix.out.contains("guix.scm:17:36: bootstrap-cycle: `teller`, `vault` wait"), "{}", guix.out);
    let clean = scene.capc(["check", "--from", "shepherd", &file("clean.scm")]).exits(0);
    assert_eq!((&*clean.out, &*clean.err), ("3 services, 2 orders between them: no circle\n", ""));
}

#[track_caller]
fn json(run: Run, status: i32) -> Value {
    serde_json::from_str(&run.exits(status).out).unwrap()
}

#[test]
fn every_format_underlines_the_same_words() {
    let scene = Scene::new("from-formats");
    scene.copy("testdata/from/shepherd");
    let check = |format: &str| {
        scene.capc(["check", "--from", "shepherd", "shepherd/guix.scm", "--format", format]).exits(1)
    };
    check("github")
        .says("::error file=shepherd/guix.scm,line=17,endLine=17,col=36,endColumn=40,title=bootstrap-cycle");
    check("human").complains("`teller` waits for `vault` (`requirement`)");
    let sarif: Value = serde_json::from_str(&check("sarif").out).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let circle = results.iter().find(|one| one["ruleId"] == "bootstrap-cycle").unwrap();
    let region = &circle["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&region["startLine"], &region["startColumn"]), (&17.into(), &36.into()));
    let flow = &circle["codeFlows"][0]["threadFlows"][0]["locations"];
    assert_eq!(flow[0]["location"]["message"]["text"], "`teller` waits for `vault`");
    let schema = std::fs::read_to_string(repository().join("schemas/json/diagnostics.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str::<Value>(&schema).unwrap()).unwrap();
    assert!(validator.is_valid(&serde_json::from_str(&check("json").out).unwrap()));
}

#[test]
fn a_service_that_requires_itself_waits_for_itself() {
    shepherd("from-self", "(service '(a b) #:requirement '(b))").exits(1).says("`a` waits for itself");
}

#[test]
fn data_comments_and_services_of_guix_are_no_services_of_shepherd() {
    let text = "(service openssh-service-type)\n'(service '(a) #:requirement '(a))\n#;(service '(a) #:requirement '(a))\n\
                #| (service '(a) #:requirement '(a)) |# ; (service '(a) #:requirement '(a))\n(service '(b))";
    shepherd("from-data", text).exits(0);
}

#[test]
fn two_services_with_one_name_are_told_and_the_later_counts() {
    let text = "(service '(a) #:requirement '(b))\n(service '(b) #:requirement '(a))\n(service '(a))";
    shepherd("from-twice", text).exits(0).says("x.scm:3:12: duplicate-name");
}

#[test]
fn warnings_can_be_made_errors() {
    let scene = Scene::new("from-deny");
    scene.write("x.scm", "(service '(a) #:requirement '(b))");
    let check = |more: &[&str]| scene.capc(["check", "--from", "shepherd", "x.scm"].iter().chain(more));
    check(&[]).exits(0).complains("1 warning");
    check(&["--deny-warnings"]).exits(1);
    check(&["--deny", "unheld"]).exits(1);
    check(&["--root", "/"]).exits(2);
    check(&["--at", "2027-01-31"]).exits(2);
}

#[test]
fn no_text_stops_the_reader_of_scheme() {
    for (name, text) in [
        ("deep", "(".repeat(100_000)),
        ("quotes", "'".repeat(100_000)),
        ("closed", ")".repeat(100_000)),
        ("vectors", format!("{}{}", "#(".repeat(100_000), ")".repeat(100_000))),
        (
            "computed",
            format!("(service '(a) #:requirement `{}x{})", "(,".repeat(100_000), ")".repeat(100_000)),
        ),
        ("string", "(service '(a) #:start \"".to_owned()),
        ("comment", "#| #| |#".to_owned()),
    ] {
        let found = shepherd(&format!("from-{name}"), text);
        assert!(matches!(found.status, Some(0 | 1)), "{name}: {:?} {}", found.status, found.err);
        assert!(found.out.lines().count() < 5, "{name}");
    }
    shepherd("from-bytes", b"(service '(a\xff) #:requirement '(b))")
        .exits(1)
        .says("x.scm:1:13: syntax: the file is not UTF-8");
    let mut ring = String::new();
    for at in 0..100_000 {
        writeln!(ring, "(service '(s{at}) #:requirement '(s{}))", (at + 1) % 100_000).unwrap();
    }
    shepherd("from-ring", &ring).exits(1).says("wait for each other");
    let chain = ring.replace("#:requirement '(s0)", "");
    shepherd("from-chain", chain).exits(0);
    let scene = Scene::new("from-missing");
    scene.capc(["check", "--from", "shepherd", "no.scm"]).exits(2).complains("no.scm:1:1");
    scene.capc(["check", "--from", "shepherd", "."]).exits(2);
}

#[test]
fn orders_are_found_wherever_they_are_written() {
    // What begins each case, and whether it leads round: with `b.service`, which comes after `a.service`.
    let run = "DefaultDependencies=no\n[Service]\nExecStart=/bin/true\nStandardOutput=null\n";
    let b = format!("# b.service\n[Unit]\nAfter=a.service\n{run}");
    let d = "# d.service\n[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/true\nStandardOutput=null\n\
             # c.target.wants/d.service -> ../d.service\n";
    let has_systemd = needs_systemd("written sets of units against systemd-analyze verify");
    for (number, (text, is_circle)) in [
        (format!("# a.service\n[Unit]\nAfter=b.service\n{run}"), true),
        (format!("# a.service\n[Unit]\nAfter=x.service \\\n; no\n  b.service\n{run}"), true),
        (format!("# a.service\n[Unit]\n#After=b.service\n{run}"), false),
        (format!("# a.service\n[Service]\nAfter=b.service\n[Unit]\n{run}"), false),
        // Lists of units have no way to be emptied again.
        (format!("# a.service\n[Unit]\nAfter=b.service\nAfter=\n{run}"), true),
        (format!("# a.service\n[Unit]\n{run}# a.service.d/x.conf\n[Unit]\nAfter=b.service\n"), true),
        (format!("# a.service\n[Unit]\n{run}# service.d/x.conf\n[Unit]\nAfter=b.service\n"), true),
        (format!("# a.service\n[Unit]\n{run}# a.service.d/x.txt\n[Unit]\nAfter=b.service\n"), false),
        (format!("# a.service\n[Unit]\n{run}# a.service.d/x.conf -> /dev/null\n"), false),
        (format!("# a.service\n[Unit]\nAfter=c.service\n{run}# c.service -> b.service\n"), true),
        (format!("# a.service\n[Unit]\nAfter=c.service\n{run}# c.service -> c.service\n"), false),
        (format!("# c.service\n[Unit]\nAfter=b.service\n{run}# a.service -> c.service\n"), true),
        ("# a.service -> /dev/null\n".to_owned(), false),
        (format!("# a.service\n[Unit]\nWants=d-e@b.service\n{run}# d-e@.service\n[Unit]\nBefore=a.service\nAfter=%i.service\n{run}"), true),
        (format!("# a.service\n[Unit]\nWants=d-e@b.service\n{run}# d-e@.service\n[Unit]\nBefore=a.service\n{run}# d-@.service.d/x.conf\n[Unit]\nAfter=%i.service\n"), true),
        // A target waits for what it wants, unless either says otherwise.
        (format!("# a.service\n[Unit]\nAfter=c.target\n{run}# c.target\n[Unit]\n{d}"), true),
        (format!("# a.service\n[Unit]\nAfter=c.target\n{run}# c.target\n[Unit]\nDefaultDependencies=no\n{d}"), false),
        (format!("# a.service\n[Unit]\nAfter=c.target\n{run}# c.target\n[Unit]\n# c.target.wants/b.service -> ../b.service\n"), false),
        (format!("# a.service\n[Unit]\nRequiresMountsFor=/mnt/x/y\n{run}# mnt-x.mount\n[Unit]\nAfter=b.service\n[Mount]\nWhere=/mnt/x\nWhat=/srv/x\n"), true),
        (format!("# a.service\n[Unit]\nRequiresMountsFor=/mnt/xy\n{run}# mnt-x.mount\n[Unit]\nAfter=b.service\n[Mount]\nWhere=/mnt/x\nWhat=/srv/x\n"), false),
        (format!("# a.socket\n[Unit]\nAfter=a.service\n[Socket]\nListenStream=1\n# a.service\n[Unit]\n{run}"), true),
        (format!("# a.socket\n[Unit]\nAfter=a.service\n[Socket]\nListenStream=1\nAccept=yes\n# a.service\n[Unit]\n{run}"), false),
        (format!("# a.timer\n[Unit]\nAfter=c.service\n[Timer]\nOnBootSec=1\nUnit=c.service\n# c.service\n[Unit]\n{run}"), true),
        // An order on oneself is passed over by systemd.
        (format!("# a.service\n[Unit]\nAfter=a.service\nWants=a.service\n{run}"), false),
        // What comes before the shutdown is stopped before it, and started whenever it likes.
        (format!("# a.service\n[Unit]\nBefore=shutdown.target\n{run}"), false),
        ("# a.service\n[Unit]\nBefore=sysinit.target\n[Service]\nExecStart=/bin/true\nStandardOutput=null\n".to_owned(), true),
        (format!("# a.service\n[Unit]\nBefore=sysinit.target\n{run}"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let scene = Scene::new(&format!("from-order-{number}"));
        units(&scene, &format!("{STANDARD}{b}{text}"));
        let found = scene.capc(["check", "--from", "systemd", "--root", "root", UNITS, "--format", "plain"]);
        assert_eq!(found.out.contains("bootstrap-cycle"), is_circle, "{text}\n{}{}", found.out, found.err);
        if has_systemd {
            let (theirs, said) = verify(&scene.path.join(UNITS));
            assert_eq!(theirs, is_circle, "{text}\nsystemd says:\n{said}");
        }
        assert_eq!(found.status, Some(i32::from(is_circle)), "{text}\n{}{}", found.out, found.err);
    }
}

#[test]
fn what_excludes_each_other_leads_round_only_where_it_is_started_together() {
    let units = "# a.service\n[Unit]\nDefaultDependencies=no\nAfter=b.service\nConflicts=b.service\n[Service]\nExecStart=/bin/a\n\
                 # b.service\n[Unit]\nDefaultDependencies=no\nAfter=a.service\n[Service]\nExecStart=/bin/b\n";
    systemd("from-excluded", units).exits(0);
    systemd("from-excluded-by-none", &units.replace("Conflicts=b.service\n", "")).exits(1);
}

#[test]
fn what_a_socket_starts_later_is_looked_at_by_itself() {
    let unit =
        |after: &str| format!("[Unit]\nDefaultDependencies=no\n{after}\n[Service]\nExecStart=/bin/a\n");
    let scene = Scene::new("from-later");
    scene.write("u/a.socket", "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=1\n");
    scene.write("u/a.service", unit("After=b.service\nWants=b.service"));
    scene.write("u/b.service", unit("After=a.service"));
    let check = || scene.capc(["check", "--from", "systemd", "u/a.socket", "--format", "plain"]);
    check().exits(1).says("`a.service`, `b.service` wait for each other");
    // By the time it is started, the socket is there.
    scene.write("u/b.service", unit(""));
    scene.write("u/a.socket", "[Unit]\nDefaultDependencies=no\nAfter=b.service\n[Socket]\nListenStream=1\n");
    scene.write("u/a.service", unit("Before=b.service\nWants=b.service a.socket"));
    check().exits(0);
}

#[test]
fn what_systemd_passes_over_or_refuses_is_told_with_its_place() {
    let place = "root/etc/systemd/system/a.service";
    for (text, status, said) in [
        ("[Unit\nAfter=b\n", 1, ":1:1: syntax"),
        ("[Unit]\nAfter\n", 0, ":2:1: syntax"),
        ("After=b.service\n[Unit]\n", 0, ":1:1: syntax"),
        ("[Unit]\nAfter=b\n", 0, ":2:7: bad-value: `b` is no unit's name"),
        // Quotes are no quotes in lists of units.
        ("[Unit]\nAfter=\"other.service\"\n", 0, ":2:7: bad-value: `\"other.service\"` is no unit's name"),
        ("[Unit]\nRequiresMountsFor=\"/a b\n", 0, ":2:19: syntax: a quote without an end"),
        ("[Unit]\nRequiresMountsFor=\"/a b\"\n", 0, ""),
        ("[Unit]\nAfter=%H.service\n", 0, ":2:7: bad-value: what `%H` stands for"),
        ("[Unit]\nRequires=b.service\n", 0, ":2:10: unheld"),
        (
            "[Unit]\nAfter=other.service orher.service\n",
            0,
            ":2:21: unheld: no file says what `orher.service` is (did you mean `other.service`?)",
        ),
    ] {
        let text = format!(
            "# a.service\n{text}[Service]\nExecStart=/bin/a\n# other.service\n[Service]\nExecStart=/bin/o\n"
        );
        let said = if said.is_empty() { String::new() } else { format!("{place}{said}") };
        systemd("from-passed-over", &text).exits(status).says(&said);
    }
    let scene = Scene::new("from-not-utf8");
    scene.write("u/a.service", b"[Unit]\nAfter=b\xff.service\n[Service]\nExecStart=/bin/a\n");
    scene
        .capc(["check", "--from", "systemd", "u", "--format", "plain"])
        .exits(0)
        .says("u/a.service:2:8: syntax");
}

#[test]
fn what_is_named_and_not_there_is_unreadable() {
    let scene = Scene::new("from-nowhere");
    std::fs::create_dir_all(scene.path.join("empty")).unwrap();
    std::fs::create_dir_all(scene.path.join("root")).unwrap();
    let file = scene.write("x.conf", "");
    scene.write("root/a.service", "[Service]\nExecStart=/bin/a\n");
    for named in ["nothing-of-that-name", "./no.service", "empty", "x.conf", file.to_str().unwrap()] {
        scene.capc(["check", "--from", "systemd", named]).exits(2).complains("the command line:1:1");
    }
    scene.capc(["check", "--from", "systemd", "--root", "root", "x.conf"]).exits(2).complains("--root");
    scene.capc(["check", "--from", "systemd", "--root", "root", "root/a.service"]).exits(0);
    scene.capc(["check", "--from", "openrc", "x"]).exits(2);
}

#[test]
fn no_set_of_units_stops_the_reader() {
    let scene = Scene::new("from-hostile");
    let link = |name: &str, to: &str| {
        let path = scene.path.join("u").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(to, path).unwrap();
    };
    link("loop.target.wants", "loop.target.wants");
    link("up.service.d", "..");
    link("a.service", "b.service");
    link("b.service", "a.service");
    link("dangling.service", "nowhere.service");
    link("t@.service", "t@x.service");
    link("t@x.service", "t@.service");
    scene.write("u/self.service", "[Unit]\n.include self.service\nWants=self.service a.service t@y.service dangling.service\nAfter=self.service\n[Service]\nExecStart=/bin/s\n");
    scene.write(
        "u/long.service",
        format!("[Unit]\nAfter={}\n[Service]\nExecStart=/bin/s\n", "x.service ".repeat(200_000)),
    );
    scene.write(
        "u/continued.service",
        format!("[Unit]\nAfter={}\n[Service]\nExecStart=/bin/s\n", "\\\nx.service ".repeat(90_000)),
    );
    scene.write(
        "u/nested.service",
        format!("[Unit]\nRequiresMountsFor={}\n[Service]\nExecStart=/bin/s\n", "/a".repeat(100_000)),
    );
    let fifo = scene.path.join("u/pipe.service");
    assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
    let found = scene.capc(["check", "--from", "systemd", "u", "--format", "plain"]);
    assert!(matches!(found.status, Some(0 | 1)), "{:?} {}", found.status, found.err);
    assert!(!found.out.contains("bootstrap-cycle"), "{}", found.out);
    // Instances that name ever more instances.
    let more = |other: &str| {
        format!("[Unit]\nWants={other}@a%i.service {other}@b%i.service\n[Service]\nExecStart=/bin/s\n")
    };
    scene.write("more/x@.service", more("y"));
    scene.write("more/y@.service", more("x"));
    scene.write("more/z@.service", more("z"));
    scene
        .capc(["check", "--from", "systemd", "more/z@.service", "--format", "plain"])
        .exits(0)
        .says("ever longer");
    scene
        .capc(["check", "--from", "systemd", "more", "--format", "plain"])
        .exits(1)
        .says("more than 10000 units of one template");
    // A ring of many, each of which pulls in the next.
    let count = 3_000;
    for at in 0..count {
        let next = (at + 1) % count;
        let unit =
            format!("[Unit]\nRequires=s{next}.service\nAfter=s{next}.service\n[Service]\nExecStart=/bin/s\n");
        scene.write(&format!("ring/s{at}.service"), unit);
    }
    scene
        .capc(["check", "--from", "systemd", "ring/s7.service", "--format", "plain"])
        .exits(1)
        .says("wait for each other");
}

/// Whether there is a systemd to compare with.
fn needs_systemd(what: &str) -> bool {
    let is_there = Command::new("systemd-analyze").arg("--version").output().is_ok();
    if !is_there {
        eprintln!("not tried: {what} (install systemd)");
    }
    is_there
}

#[test]
fn the_units_that_debian_brings_lead_round_nowhere() {
    if !Path::new("/lib/systemd/system/default.target").exists() {
        eprintln!("not tried: Debian's own units (install systemd)");
        return;
    }
    let scene = Scene::new("from-debian");
    for named in ["default.target", "/lib/systemd/system", "rescue.target", "reboot.target", "initrd.target"]
    {
        let clean = scene.capc(["check", "--from", "systemd", named]).exits(0);
        assert!(clean.out.ends_with("between them: no circle\n"), "{}", clean.out);
        assert_eq!(clean.err, "", "{named}");
    }
}

/// Asks systemd itself whether it finds a circle among some files.
fn verify(directory: &Path) -> (bool, String) {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.symlink_metadata().unwrap().is_file())
        // To shut down would cancel whatever was to be started before.
        .filter(|path| !["shutdown.target", "umount.target"].iter().any(|name| path.ends_with(name)))
        .collect();
    files.sort();
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]).args(files).env("SYSTEMD_UNIT_PATH", directory);
    let said = run(command).err;
    (said.contains("ordering cycle"), said)
}

#[test]
fn systemd_finds_a_circle_exactly_where_capc_does() {
    if !needs_systemd("circles against systemd-analyze verify") {
        return;
    }
    let scene = Scene::new("from-oracle");
    let mut counts = [0, 0];
    for seed in 0..80 {
        let directory = scene.path.join(UNITS);
        let _ = std::fs::remove_dir_all(scene.path.join("root"));
        units(&scene, &random_units(seed));
        let (theirs, said) = verify(&directory);
        let ours = scene.capc(["check", "--from", "systemd", "--root", "root", UNITS, "--format", "plain"]);
        let found = ours.out.contains("bootstrap-cycle");
        assert_eq!(ours.status, Some(i32::from(found)), "{seed}: {}{}", ours.out, ours.err);
        assert_eq!(
            found,
            theirs,
            "seed {seed}:\n{}\nsystemd says:\n{said}\ncapc says:\n{}",
            random_units(seed),
            ours.out
        );
        counts[usize::from(found)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 15), "{counts:?}");
}

/// What every random set stands on.
const STANDARD: &str = "# sysinit.target
[Unit]
Wants=local-fs.target
After=local-fs.target
# basic.target
[Unit]
Requires=sysinit.target
Wants=sockets.target timers.target paths.target slices.target
After=sysinit.target sockets.target paths.target slices.target
# sockets.target
[Unit]
# timers.target
[Unit]
DefaultDependencies=no
# paths.target
[Unit]
# slices.target
[Unit]
# swap.target
[Unit]
# local-fs.target
[Unit]
DefaultDependencies=no
After=local-fs-pre.target
# shutdown.target
[Unit]
DefaultDependencies=no
# systemd-journald.socket
[Unit]
DefaultDependencies=no
Before=sockets.target
[Socket]
ListenStream=/run/systemd/journal/stdout
# systemd-journald.service
[Unit]
DefaultDependencies=no
Requires=systemd-journald.socket
Before=sysinit.target
[Service]
ExecStart=/bin/true
StandardOutput=null
# multi-user.target
[Unit]
Requires=basic.target
After=basic.target
";

/// Makes a few units that name each other at random.
fn random_units(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut roll = move |sides: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % sides
    };
    let count = 3 + roll(7);
    let types =
        ["service", "service", "service", "service", "socket", "timer", "path", "target", "mount", "slice"];
    let names: Vec<String> = (0..count)
        .map(|at| match types[roll(types.len())] {
            "mount" => format!("mnt-m{at}.mount"),
            "slice" => format!("a-s{at}.slice"),
            other if at % 4 == 3 && other == "service" => format!("t{at}@x-y.service"),
            other => format!("u{at}.{other}"),
        })
        .collect();
    let service = names.iter().find(|name| name.starts_with('u') && name.ends_with(".service"));
    let service = service.cloned().unwrap_or("u0.service".to_owned());
    let standard = [
        "multi-user.target",
        "basic.target",
        "sysinit.target",
        "sockets.target",
        "local-fs.target",
        "systemd-journald.socket",
    ];
    let mut text = STANDARD.to_owned();
    for (at, name) in names.iter().enumerate() {
        let (mut own, mut beside) = (String::new(), String::new());
        if roll(3) == 0 {
            own += "DefaultDependencies=no\n";
        }
        for (word, often) in [
            ("After", 6),
            ("Before", 3),
            ("Wants", 3),
            ("Requires", 2),
            ("BindsTo", 1),
            ("Requisite", 1),
            ("Upholds", 1),
        ] {
            if roll(10) < often {
                let other = if roll(4) > 0 { &names[roll(count)] } else { standard[roll(standard.len())] };
                let file = if roll(8) == 0 { &mut beside } else { &mut own };
                writeln!(file, "{word}={other}").unwrap();
            }
        }
        if roll(8) == 0 {
            writeln!(own, "RequiresMountsFor=/mnt/m{}/x", roll(count)).unwrap();
        }
        // Without a word on it systemd-analyze takes no output for the journal's, unlike systemd itself.
        let output = if roll(3) == 0 { "journal" } else { "null" };
        let (_, unit_type) = name.rsplit_once('.').unwrap();
        let section = match unit_type {
            "service" => {
                let more = match roll(8) {
                    0 => "PrivateTmp=yes\n".to_owned(),
                    1 => format!("Slice=a-s{}.slice\n", roll(count)),
                    2 => format!("WorkingDirectory=/mnt/m{}\n", roll(count)),
                    3 => format!("Sockets=u{}.socket\n", roll(count)),
                    _ => String::new(),
                };
                format!("[Service]\nExecStart=/bin/true\nStandardOutput={output}\n{more}")
            }
            "socket" => format!("[Socket]\nListenStream=/run/x{at}\nService={service}\n"),
            "timer" => format!("[Timer]\n{}\nUnit={service}\n", ["OnCalendar=daily", "OnBootSec=5"][roll(2)]),
            "path" => format!("[Path]\nPathExists=/mnt/m{}/x\nUnit={service}\n", roll(count)),
            "mount" => format!(
                "[Mount]\nWhat=tmpfs\nType=tmpfs\nWhere=/mnt/m{at}\nStandardOutput={output}\n{}",
                ["", "Options=nofail\n"][roll(2)]
            ),
            _ => String::new(),
        };
        // Templates are started by an instance that a link names.
        let file = name.replace("@x-y", "@");
        writeln!(text, "# {file}\n[Unit]\n{own}{section}").unwrap();
        if !beside.is_empty() {
            writeln!(text, "# {name}.d/x.conf\n[Unit]\n{beside}").unwrap();
        }
        if roll(4) == 0 || name.contains('@') {
            let target = ["multi-user.target", "sysinit.target", "basic.target"][roll(3)];
            writeln!(text, "# {target}.wants/{name} -> ../{file}").unwrap();
        }
    }
    text
}

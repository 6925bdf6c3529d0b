//! What goes wrong with the Shepherd, and what is left then.

use crate::herded::{First, Herded, guile};
use crate::scene::{Scene, needs_root, run, until};
use crate::shepherd::reconfigure;
use crate::systemd::ends::{give_to_slow_ones, revoke_from_slow_ones};
use crate::systemd::{edit, scene};
use std::process::Stdio;

const SYSTEM: &str = r#"system shown
dir given "./given"
service reader { run "/usr/bin/sleep" "1000"; holds given at="/given"; }
service bystander { run "/usr/bin/sleep" "1000"; }
"#;

/// A machine, if there can be one.
fn machine(name: &str, config: &str, first: First) -> Option<(Scene, Herded)> {
    if !needs_root("the Shepherd") {
        return None;
    }
    let guile = guile()?;
    let scene = scene(name, SYSTEM);
    let machine = Herded::new(&scene, guile, config, first);
    Some((scene, machine))
}

#[test]
fn nothing_is_sealed_for_a_shepherd_that_is_not_there_is_too_old_or_has_the_name() {
    let foreign = "(register-services (list (service '(other capc-reader))))";
    let Some((scene, machine)) = machine("shepherd-refused", foreign, First::Shepherd) else { return };
    let sealed = || scene.path.join("store/generations/1").exists();
    reconfigure(&machine, &[]).exits(3).complains("has a service `capc-reader` that is not capc's");
    let nowhere = |socket: &str| {
        let set = format!("SHEPHERD_SOCKET={socket}");
        let words =
            ["env", &set, env!("CARGO_BIN_EXE_capc"), "reconfigure", "system.kdl", "--init", "shepherd"];
        run(machine.command(&[&words[..], &["--store", "store", "--key", "key", "--yes"]].concat())).exits(3)
    };
    nowhere("/run/nobody").complains("no Shepherd answers at /run/nobody").complains("SHEPHERD_SOCKET");
    assert!(!sealed());
    machine.herd(&["eval", "root", "(set! (@@ (shepherd config) Version) \"0.9.3\")"]).exits(0);
    reconfigure(&machine, &[])
        .exits(3)
        .complains("capc needs the Shepherd 0.10.2 or later, and the one that runs is 0.9.3");
    assert!(!sealed());
    machine.herd(&["eval", "root", "(set! (@@ (shepherd config) Version) \"0.10.2\")"]).exits(0);
    machine.herd(&["unload", "root", "other"]).exits(0);
    reconfigure(&machine, &[]).exits(0).says("started    capc-reader");

    // The file itself refuses as much, whoever loads it; what runs goes on.
    let file = scene.path.join("store/generations/1/init/shepherd.scm").display().to_string();
    let before = machine.pid("reader");
    machine.herd(&["eval", "root", "(set! (@@ (shepherd config) Version) \"0.9.3\")"]).exits(0);
    machine
        .herd(&["load", "root", &file])
        .exits(1)
        .complains("capc needs the Shepherd 0.10.2 or later, and this is 0.9.3");
    machine.herd(&["eval", "root", "(set! (@@ (shepherd config) Version) \"1.0.3\")"]).exits(0);
    let text = std::fs::read_to_string(&file).unwrap();
    let here = scene.path.join("store").display().to_string();
    let other =
        scene.write("other.scm", text.replace(&format!("(store \"{here}\")"), "(store \"/another\")"));
    machine.herd(&["load", "root", other.to_str().unwrap()]).exits(1).complains("has the services of");
    machine.herd(&["apply", "capc"]).exits(0);
    assert_eq!(machine.pid("reader"), before);
}

#[test]
fn a_root_elsewhere_is_sealed_without_a_shepherd() {
    if !needs_root("sealing for another root") {
        return;
    }
    let scene = scene("shepherd-elsewhere", "system empty\n");
    let root = scene.path.join("root");
    for directory in ["etc", "var/lib", "usr/bin", "bin"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    scene.write("root/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    let words =
        ["reconfigure", "system.kdl", "--init", "shepherd", "--root", "root", "--key", "key", "--yes"];
    scene.capc(words).exits(0);
    let file = root.join("var/lib/capc/generations/1/init/shepherd.scm");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(
        text.contains("(generation \"/var/lib/capc/generations/1\")")
            && text.contains("(logs \"/var/log/capc\")")
    );
}

#[test]
fn a_service_that_fails_after_the_switch_is_told_with_the_end_of_its_log() {
    let Some((scene, machine)) = machine("shepherd-fails", "", First::Shepherd) else { return };
    reconfigure(&machine, &[]).exits(0);
    let before = machine.pid("bystander");
    scene.program("given/fail", "#!/bin/sh\necho one more try\nexit 7\n");
    edit(
        &scene,
        "service reader",
        "service failing { run \"./given/fail\"; restart \"on-failure\"; }
service late { run \"./given/fail\"; oneshot; provides done done=#true; }
service after { run \"/usr/bin/sleep\" \"1000\"; holds late.done; }
service reader",
    );
    let run = reconfigure(&machine, &[]).exits(3).complains("`late` ended with status 7");
    let run = run.complains("one more try").complains("`after` waits for `late`, which is not up");
    run.complains("generation 2 is current, but not all of it is up: `").complains("`failing`");
    until("it is given up", || {
        machine.log().contains("`failing` failed five times within a minute and is given up")
    });
    assert_eq!(machine.said("failing").matches("one more try").count(), 5);
    assert_eq!(machine.pid("bystander"), before);

    // What comes up late enough is up.
    scene.program("given/fail", "#!/bin/sh\necho well at last\n");
    reconfigure(&machine, &[]).exits(0).says("started    capc-late").says("started    capc-after");
    let after = machine.pid("after");
    assert!(!after.is_empty());

    // What does not come up is undone if wished.
    scene.program("given/worse", "#!/bin/sh\necho this is worse\nexit 7\n");
    edit(&scene, "service reader", "service worse { run \"./given/worse\"; oneshot; }\nservice reader");
    let undone = reconfigure(&machine, &["--rollback-on-failure"]).exits(3).complains("this is worse");
    undone.says("going back to the content of generation 3");
    assert_eq!(std::fs::read_link(scene.path.join("store/current")).unwrap().to_str(), Some("generations/5"));
    assert_eq!([machine.pid("bystander"), machine.pid("after")], [before, after]);
    assert!(!machine.herd(&["status"]).out.contains("capc-worse"));
}

#[test]
fn what_is_killed_comes_again_and_nobody_who_connects_is_turned_away() {
    let Some((scene, machine)) = machine("shepherd-again", "", First::Shepherd) else { return };
    scene.write(
        "system.kdl",
        crate::systemd::SYSTEM.replace("./", &format!("{}/", scene.path.display())).replace(" UTC", ""),
    );
    edit(&scene, "provides page listen=web", "provides page listen=web\n    restart \"on-failure\"");
    reconfigure(&machine, &[]).exits(0);
    let connect =
        "python3 -c 'import socket; print(socket.create_connection((\"127.0.0.1\", 8461)).recv(99))'";
    for _ in 0..3 {
        let killed = machine.pid("server");
        machine.sh(&format!("kill -9 {killed}; {connect}")).exits(0).says("served");
        assert_ne!(machine.pid("server"), killed);
    }
    // A stop is a stop, until the next generation is applied; and so is being unloaded.
    machine.herd(&["stop", "capc-server"]).exits(0);
    assert_eq!(machine.pid("server"), "");
    machine.herd(&["unload", "root", "capc-bystander"]).exits(0);
    let run = reconfigure(&machine, &[]).exits(0).says("started    capc-server");
    run.says("started    capc-bystander").says("left as they are: 3 services");
    machine.sh(connect).exits(0).says("served");
    // What is disabled stays so, by name.
    machine.herd(&["stop", "capc-bystander"]).exits(0);
    machine.herd(&["disable", "capc-bystander"]).exits(0);
    reconfigure(&machine, &[])
        .exits(3)
        .complains("`bystander` is disabled: `herd enable` makes it start again");
}

/// A program that takes its time until it says that it is ready.
const SLOW: &str = r#"import os, socket, time
while not os.path.exists("/given/go"):
    time.sleep(0.02)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1")
time.sleep(1000)
"#;

fn slow(scene: &Scene) {
    scene.write("code/slow.py", SLOW);
    edit(
        scene,
        "service reader",
        &format!(
            "dir code \"{}/code\"
service slow {{ run \"/usr/bin/python3\" \"/code/slow.py\"; image \"std:python3\"; ready \"notify\"; holds code read at=\"/code\"; \
             holds given at=\"/given\"; }}
service reader",
            scene.path.display()
        ),
    );
}

#[test]
fn capc_killed_in_the_middle_leaves_what_the_next_makes_good() {
    let Some((scene, machine)) = machine("shepherd-capc-killed", "", First::Shepherd) else { return };
    reconfigure(&machine, &[]).exits(0);
    let before = ["reader", "bystander"].map(|service| machine.pid(service));
    slow(&scene);
    edit(&scene, "; holds given at=\"/given\"; }\nservice bystander", "; }\nservice bystander");
    let words =
        ["reconfigure", "system.kdl", "--init", "shepherd", "--store", "store", "--key", "key", "--yes"];
    let mut command = machine.command(&[&[env!("CARGO_BIN_EXE_capc")], &words[..]].concat());
    let mut killed = command.stdout(Stdio::null()).spawn().unwrap();
    until("the slow one is on its way", || !machine.pid("slow").is_empty());
    // nsenter has entered a PID namespace, so capc is its child, which is killed with it by the machine's own number.
    machine.sh("kill -9 $(pgrep -f '[c]apc reconfigure')").exits(0);
    let _ = killed.wait();
    // Meanwhile others are answered: who waits does not hold the Shepherd up.
    machine.herd(&["status"]).exits(0).says("capc-slow");
    scene.write("given/go", "");
    reconfigure(&machine, &[]).exits(0).says("generation 3 is current");
    let after = ["reader", "bystander"].map(|service| machine.pid(service));
    assert!(before[0] != after[0] && before[1] == after[1]);
    assert!(!machine.sees("reader", "/given/file") && machine.sees("slow", "/given/go"));
}

#[test]
fn a_shepherd_that_ends_in_the_middle_takes_its_services_along_and_the_next_has_what_is_current() {
    let Some((scene, machine)) = machine("shepherd-killed", "", First::Another) else { return };
    reconfigure(&machine, &[]).exits(0);
    scene.write(
        "config.scm",
        format!(
            "(load \"{}/store/current/init/shepherd.scm\")\n(start-in-the-background '(capc))\n",
            scene.path.display()
        ),
    );
    let before = machine.pid("reader");
    slow(&scene);
    let words =
        ["reconfigure", "system.kdl", "--init", "shepherd", "--store", "store", "--key", "key", "--yes"];
    let mut command = machine.command(&[&[env!("CARGO_BIN_EXE_capc")], &words[..]].concat());
    let cut = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("the slow one is on its way", || !machine.pid("slow").is_empty());
    machine.sh("kill -9 $(pgrep -f '[/]usr/bin/shepherd -s')").exits(0);
    let cut = cut.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&cut.stderr);
    assert!(cut.status.code() == Some(3) && complaint.contains("generation 2 is current"), "{complaint}");
    scene.write("given/go", "");
    until("the next one has all up", || machine.herd(&["status", "capc"]).out.contains("running since"));
    // One of each, none left from before.
    for service in ["reader", "bystander", "slow"] {
        assert_eq!(machine.pid(service).lines().count(), 1, "{service}");
    }
    assert_ne!(machine.pid("reader"), before);
    reconfigure(&machine, &[]).exits(0).says("left as they are: 3 services");
}

#[test]
fn what_the_shepherd_cannot_do_is_refused_before_anything_is_sealed() {
    if !needs_root("sealing for the Shepherd") {
        return;
    }
    let scene = scene("shepherd-cannot", "");
    let refused = |system: &str, why: &str| {
        scene.write("system.kdl", format!("system cannot\n{system}"));
        let words =
            ["reconfigure", "system.kdl", "--init", "shepherd", "--store", "store", "--key", "key", "--yes"];
        scene.capc(words).exits(3).complains(why);
        assert!(!scene.path.join("store/generations/1").exists());
    };
    let nightly = |when: &str| {
        format!(
            "service nightly {{ run \"/usr/bin/true\"; oneshot; schedule \"{when}\"; provides did done=#true; }}\n"
        )
    };
    refused(
        &nightly("Mon 03:00 UTC"),
        "`nightly` starts at `Mon 03:00 UTC`, and the timers of the Shepherd know",
    );
    refused(
        &format!("{}service after {{ run \"/usr/bin/true\"; holds nightly.did; }}\n", nightly("03:00")),
        "`after` waits until `nightly` is done, which runs by the calendar",
    );
    refused(
        "listen door unix=\"/srv/capc-\u{e9}.sock\"\nservice x { run \"/usr/bin/true\"; holds door accept; }\n",
        "has letters beyond ASCII",
    );
}

#[test]
fn what_takes_its_time_to_start_keeps_no_revoked_grant_alive() {
    let text = "system endless\ndir given \"./given\"\ndir other \"./other\"\n\
        service endless { run \"/usr/bin/sleep\" \"3000\"; oneshot; }\n\
        service another { run \"/usr/bin/sleep\" \"2000\"; oneshot; holds other at=\"/other\"; }\n\
        service reader { run \"/usr/bin/sleep\" \"1000\"; holds given at=\"/given\"; holds other at=\"/other\"; }\n";
    if !needs_root("a start without end with the Shepherd") {
        return;
    }
    let Some(guile) = guile() else { return };
    let scene = scene("shepherd-endless", text);
    let machine = Herded::new(&scene, guile, "", First::Shepherd);
    let words =
        ["reconfigure", "system.kdl", "--init", "shepherd", "--store", "store", "--key", "key", "--yes"];
    let begin = || {
        let mut command = machine.command(&[&[env!("CARGO_BIN_EXE_capc")], &words[..]].concat());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut first = begin();
    until("all run", || machine.sh("pgrep -f '^/usr/bin/sleep [123]000'").out.lines().count() == 3);
    assert!(machine.sees("reader", "/other") && machine.sees("another", "/other"));
    let endless = machine.pid("endless");
    // It waits for the oneshots, and somebody has had enough of that; the Shepherd goes on waiting.
    first.kill().unwrap();
    first.wait().unwrap();
    machine.sh("pkill -KILL -f '[r]econfigure system.kdl'");
    edit(&scene, "; holds other at=\"/other\"", "");
    let mut second = begin();
    until("nobody has what was revoked", || {
        ["reader", "another"]
            .iter()
            .all(|service| !machine.pid(service).is_empty() && !machine.sees(service, "/other"))
    });
    // While its world is made, it sees nothing at all.
    until("it has what it is given", || machine.sees("reader", "/given"));
    assert_eq!(machine.pid("endless"), endless);
    machine.sh("pkill -KILL -f '[r]econfigure system.kdl'");
    second.wait().unwrap();
}

#[test]
fn a_shepherd_that_listens_elsewhere_is_found_and_services_that_nobody_stops_are_named_last() {
    if !needs_root("a Shepherd at a place of its own") {
        return;
    }
    let Some(guile) = guile() else { return };
    let scene = scene("shepherd-flock", SYSTEM);
    let machine = Herded::at("/run/flock/sock", &scene, guile, "", First::Shepherd);
    let capc = env!("CARGO_BIN_EXE_capc");
    let give = || {
        let words = [
            "env",
            "SHEPHERD_SOCKET=/run/flock/sock",
            capc,
            "reconfigure",
            "system.kdl",
            "--init",
            "shepherd",
        ];
        run(machine.command(&[&words[..], &["--store", "store", "--key", "key", "--yes"]].concat())).exits(0)
    };
    let keepers = || machine.sh("grep -lx capc-keeper /proc/[0-9]*/comm").out.lines().count();
    let none = ["reconfigure", "system.kdl", "--init", "none", "--store", "store", "--key", "key", "--yes"];
    give().says("started    capc-reader");
    assert_eq!(keepers(), 2);
    // Nobody says where it listens.
    machine.capc(&none).exits(0);
    until("both worlds have ended", || keepers() == 0);
    assert!(!machine.herd(&["status"]).exits(0).out.contains("capc"));

    give().says("started    capc-reader");
    let pids = ["reader", "bystander"].map(|service| machine.pid(service));
    machine.sh("rm /run/flock/sock").exits(0);
    for init in ["none", "capc"] {
        let words = none.map(|word| if word == "none" { init } else { word });
        let left = machine.capc(&words).exits(3).complains("answers nowhere that capc knows of");
        let last: Vec<&str> = left.err.trim_end().lines().rev().take(2).collect();
        assert!(
            last[1].contains(&format!("`bystander` (pid {}, from generation 3)", pids[1])),
            "{}",
            left.err
        );
        let command = last[0].strip_prefix("stop them with: ").unwrap().to_owned();
        if init == "capc" {
            machine.sh(&command).exits(0);
        }
    }
    until("they have ended", || keepers() == 0);
    machine.capc(&none).exits(0);
}

#[test]
fn who_is_waited_for_is_told_with_since_when() {
    let Some((scene, machine)) = machine("shepherd-waits", "", First::Shepherd) else { return };
    edit(
        &scene,
        "service reader",
        "service migrate { run \"/usr/bin/sleep\" \"7\"; oneshot; provides done done=#true; }
service after { run \"/usr/bin/sleep\" \"1000\"; holds migrate.done; }
service reader",
    );
    let run = reconfigure(&machine, &[]).exits(0).says("started    capc-after");
    let told = run.out.lines().filter_map(|line| line.strip_prefix("waits for  "));
    let told: Vec<&str> = told.collect();
    let [told] = told.as_slice() else { panic!("{told:?} in\n{}", run.out) };
    let (begun, pid) = told.strip_prefix("capc-migrate, begun at 2").unwrap().rsplit_once(" (pid ").unwrap();
    assert!(begun.len() == 18 && pid.trim_end_matches(')').parse::<u32>().is_ok(), "{told}");
}

#[test]
fn one_that_is_slow_to_stop_keeps_no_revoked_grant_alive_elsewhere() {
    let Some((scene, machine)) = machine("shepherd-slow-end", "", First::Shepherd) else { return };
    give_to_slow_ones(&scene);
    reconfigure(&machine, &[]).exits(0);
    let before = ["base", "front", "steady"].map(|name| machine.pid(name));
    assert!(["aged", "base", "front", "reader"].iter().all(|name| machine.sees(name, "/other")));
    revoke_from_slow_ones(&scene);
    let words =
        ["reconfigure", "system.kdl", "--init", "shepherd", "--store", "store", "--key", "key", "--yes"];
    let mut command = machine.command(&[&[env!("CARGO_BIN_EXE_capc")], &words[..]].concat());
    let mut apply = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    until("who ends at once has lost what was revoked", || machine.pid("reader").is_empty());
    // Who waits for another ends first; the rest is not held up by it.
    assert_eq!(["base", "front", "steady"].map(|name| machine.pid(name)), before);
    scene.write("code/let-front-go", "");
    until("what it waited for ends too", || machine.pid("base").is_empty());
    assert!(apply.try_wait().unwrap().is_none(), "what is gone has to end");
    std::fs::remove_file(scene.path.join("code/let-front-go")).unwrap();
    scene.write("code/let-aged-go", "");
    let output = apply.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    for line in
        ["stopped    capc-aged", "restarted  capc-front", "restarted  capc-base", "restarted  capc-reader"]
    {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
    assert!(machine.sees("reader", "/given") && !machine.sees("reader", "/other"));
    assert!(!machine.sees("base", "/other") && !machine.sees("front", "/other"));
    assert_eq!(machine.pid("steady"), before[2]);
    scene.write("code/let-front-go", "");
}

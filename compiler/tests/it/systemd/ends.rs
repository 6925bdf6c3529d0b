//! How things end with `--init systemd`, and what of them is left.

use super::{PART, edit, parts, pid, reconfigure, said, scene, sees};
use crate::booted::Booted;
use crate::scene::{Scene, needs_root, until};
use std::process::{Child, Stdio};

/// Begins an apply.
fn begin(machine: &Booted) -> Child {
    let words =
        ["reconfigure", "system.kdl", "--init", "systemd", "--store", "store", "--key", "key", "--yes"];
    let mut command = machine.command(&[&[env!("CARGO_BIN_EXE_capc")], &words[..]].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A service that does not listen to the signal, until somebody lets it go.
const DEAF: &str = "trap '' TERM\nwhile ! [ -e /code/let-$1-go ]; do sleep 0.05; done\n";

/// A service that others wait for.
const PORT: &str =
    "import signal, socket\nport = socket.create_server((\"127.0.0.1\", 8471))\nsignal.pause()\n";

/// Of those that have what is revoked, two do not listen: one that is gone, and one that waits for another.
const SLOW: &str = "system slow\ndir given \"./given\"\ndir other \"./other\"\ndir code \"./code\"\n\
        service aged { RUN-aged; holds other at=\"/other\"; }\n\
        service base { run \"/usr/bin/python3\" \"/code/port.py\"; image \"std:python3\"; holds code read at=\"/code\"; holds other at=\"/other\"; provides port tcp=\"127.0.0.1:8471\"; }\n\
        service front { RUN-front; holds other at=\"/other\"; holds base.port; }\n\
        service reader { run \"/usr/bin/sleep\" \"1000\"; holds given at=\"/given\"; holds other at=\"/other\"; }\n\
        service steady { run \"/usr/bin/sleep\" \"1000\"; holds given at=\"/given\"; }\n";

/// Writes the system in which all have it.
pub fn give_to_slow_ones(scene: &Scene) {
    write_slow_ones(scene, SLOW);
}

/// Writes the system in which nobody has it, and one is gone.
pub fn revoke_from_slow_ones(scene: &Scene) {
    let lines = SLOW.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("service aged"));
    write_slow_ones(scene, &lines.collect::<String>().replace("; holds other at=\"/other\"", ""));
}

fn write_slow_ones(scene: &Scene, system: &str) {
    scene.write("code/deaf.sh", DEAF);
    scene.write("code/port.py", PORT);
    let run = |name: &str| {
        format!(
            "run \"/bin/sh\" \"/code/deaf.sh\" \"{name}\"; image \"/usr/bin/sleep\"; holds code read at=\"/code\"; \
             stop within=\"100s\""
        )
    };
    let text = system.replace("RUN-aged", &run("aged")).replace("RUN-front", &run("front"));
    scene.write("system.kdl", text.replace("./", &format!("{}/", scene.path.display())));
}

#[test]
fn one_that_is_slow_to_stop_keeps_no_revoked_grant_alive_elsewhere() {
    if !needs_root("ends at once with systemd") {
        return;
    }
    let scene = scene("systemd-slow-end", "");
    give_to_slow_ones(&scene);
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    let steady = pid(&machine, "steady");
    assert!(["aged", "base", "front", "reader"].iter().all(|name| sees(&machine, name, "/other")));

    // One is gone, one is changed, and both do not listen.
    revoke_from_slow_ones(&scene);
    let mut apply = begin(&machine);
    until("who ends at once has lost what was revoked", || pid(&machine, "reader") == "0");
    // Who waits for another ends first, as sealed; the rest is not held up by it.
    let state = |service: &str| machine.show(&format!("capc-{service}.service"), "ActiveState");
    until("both are asked to end", || ["aged", "front"].iter().all(|name| state(name) == "deactivating"));
    assert_eq!(state("base"), "active");
    assert_eq!(machine.show("capc-aged.service", "TimeoutStopUSec"), "1min 40s", "it ends as it was sealed");
    scene.write("code/let-front-go", "");
    until("what it waited for ends too", || pid(&machine, "base") == "0");
    assert!(apply.try_wait().unwrap().is_none(), "what is gone has to end");
    std::fs::remove_file(scene.path.join("code/let-front-go")).unwrap();
    scene.write("code/let-aged-go", "");
    let output = apply.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for line in
        ["stopped    capc-aged", "restarted  capc-front", "restarted  capc-base", "restarted  capc-reader"]
    {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
    assert!(sees(&machine, "reader", "/given") && !sees(&machine, "reader", "/other"));
    assert!(!sees(&machine, "base", "/other") && !sees(&machine, "front", "/other"));
    assert_eq!(machine.show("capc-aged.service", "LoadState"), "not-found");
    assert_eq!(pid(&machine, "steady"), steady);
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");
    scene.write("code/let-front-go", "");
}

#[test]
fn a_socket_that_was_unlinked_before_it_was_taken_away_is_closed_and_its_address_is_free() {
    if !needs_root("unlinked sockets with systemd") {
        return;
    }
    let text = "system unlinked\n\
        listen one tcp=\"127.0.0.1:8472\"\nlisten two tcp=\"127.0.0.1:8473\"\n\
        listen here unix=\"/run/here.sock\"\nlisten there unix=\"/run/there.sock\"\n\
        service disabled { run \"/usr/bin/sleep\" \"1000\"; holds one accept; holds here accept; }\n\
        service removed { run \"/usr/bin/sleep\" \"1000\"; holds two accept; holds there accept; }\n\
        service nightly { run \"/usr/bin/true\"; oneshot; schedule \"03:00\"; }\n";
    let scene = scene("systemd-unlinked", text);
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    machine.sh("systemctl disable capc-disabled.socket; cd /etc/systemd/system; ! [ -e capc-disabled.socket ] && rm capc-removed.socket capc-nightly.timer");
    // Another's unit of a like name stays.
    machine
        .sh("printf '[Service]\\nExecStart=/usr/bin/sleep 2000\\n' > /run/systemd/system/capc-others.service")
        .exits(0);
    machine.sh("systemctl start capc-others").exits(0);
    edit(&scene, "holds one accept; holds here accept; ", "");
    edit(&scene, "holds two accept; holds there accept; ", "");
    edit(&scene, "service nightly { run \"/usr/bin/true\"; oneshot; schedule \"03:00\"; }\n", "");
    let run = reconfigure(&machine, &[]).exits(0);
    for unit in ["disabled.socket", "removed.socket", "nightly.timer"] {
        assert!(run.out.contains(&format!("stopped    capc-{unit}\n")), "{}", run.out);
        assert_eq!(machine.show(&format!("capc-{unit}"), "ActiveState"), "inactive");
        assert_eq!(machine.show(&format!("capc-{unit}"), "LoadState"), "not-found");
    }
    machine.sh("! [ -e /run/here.sock ] && ! [ -e /run/there.sock ]").exits(0);
    machine
        .sh("python3 -c 'import socket; [socket.create_server((\"127.0.0.1\", port)) for port in (8472, 8473)]'")
        .exits(0);
    assert_eq!(machine.show("capc-others.service", "ActiveState"), "active");
    assert_eq!(machine.sh("ls /etc/systemd/system | grep -c capc").out, "4\n");

    // Another init has it all stopped, linked or not.
    machine.sh("rm /etc/systemd/system/capc-removed.service").exits(0);
    let none = ["reconfigure", "system.kdl", "--init", "none", "--store", "store", "--key", "key", "--yes"];
    machine.capc(&none).exits(0).says("stopped    capc-removed.service");
    assert_eq!(machine.sh("pgrep -af '[s]leep 1000'").out, "");
}

#[test]
fn a_changed_oneshot_runs_again_whatever_others_wait_for() {
    if !needs_root("changed oneshots with systemd") {
        return;
    }
    let oneshot = |name: &str, more: &str| {
        format!(
            "service {name} {{ run \"/usr/bin/python3\" \"/code/once.py\" \"{name}\"; image \"std:python3\"; oneshot; \
             holds code read at=\"/code\"; {more} }}\n\
             service after-{name} {{ run \"/usr/bin/sleep\" \"1000\"; holds {name}.FACET; }}\n"
        )
    };
    let port = |name: &str, more: &str| oneshot(name, more).replace("FACET", "up");
    let text = [
        "system once\ndir code \"./code\"\n",
        &oneshot("done", "provides ended done=#true;").replace("FACET", "ended"),
        &oneshot("joined", "provides ended done=#true; provides talk channel=#true;")
            .replace("FACET", "ended"),
        "service peer { run \"/usr/bin/sleep\" \"1000\"; holds joined.talk; }\n",
        &port("ready", "ready \"notify\"; provides up tcp=\"127.0.0.1:8474\";"),
        &port("listens", "provides up tcp=\"127.0.0.1:8475\";"),
        &port("chatty", "ready \"notify\"; provides up tcp=\"127.0.0.1:8476\";"),
    ];
    let names = ["done", "joined", "ready", "listens", "chatty"];
    let scene = scene("systemd-once", &text.concat());
    scene.write("code/once.py", ONCE);
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    let runs = |name: &str| said(&machine, name).lines().filter(|line| *line == "ran").count();
    let all_have_ended = || {
        names.iter().all(|name| {
            let unit = format!("capc-{name}.service");
            machine.show(&unit, "ActiveState") == "active" && machine.show(&unit, "SubState") == "exited"
        })
    };
    until("all have ended", all_have_ended);
    until("all have said so", || names.map(runs) == [1; 5]);
    let after: Vec<String> = names.iter().map(|name| pid(&machine, &format!("after-{name}"))).collect();
    // As they are, they are done.
    reconfigure(&machine, &[]).exits(0).says("left as they are: 11 services");
    assert_eq!(names.map(runs), [1; 5]);
    let text = std::fs::read_to_string(scene.path.join("system.kdl")).unwrap();
    scene.write("system.kdl", text.replace("; oneshot;", "; oneshot; env CHANGED=\"yes\";"));
    let run = reconfigure(&machine, &[]).exits(0);
    for name in names {
        assert!(run.out.contains(&format!("restarted  capc-{name}.service")), "{}", run.out);
    }
    until("all have ended again", all_have_ended);
    until("all have said so", || names.map(runs) == [2; 5]);
    let now: Vec<String> = names.iter().map(|name| pid(&machine, &format!("after-{name}"))).collect();
    assert_eq!(after, now, "who waited for it once goes on");
    reconfigure(&machine, &[]).exits(0).says("left as they are: 11 services");
    assert_eq!(names.map(runs), [2; 5]);
}

#[test]
fn a_facets_directory_that_somebody_unmounted_is_told_and_all_who_had_it_have_it_again() {
    if !needs_root("unmounted facets with systemd") {
        return;
    }
    let system = parts(&[
        ("maker", "provides late socket=\"/run/maker/maker.sock\""),
        ("user", "holds maker.late\n    holds activated.early"),
        ("activated", "provides early socket=\"/run/activated/activated.sock\" { activated; }"),
        ("idle", ""),
    ]);
    let scene = scene("systemd-unmounted", &system);
    scene.write("code/part.py", PART);
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    let answered = |times: usize| {
        until("the user has its answers", || {
            said(&machine, "user").matches("made late and made early").count() == times
        });
    };
    answered(1);
    let before = ["maker", "user", "idle"].map(|name| pid(&machine, name));
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");
    machine.sh("systemctl stop run-capc-facets-maker.late.mount").exits(0);
    let status = machine.capc(&["status", "--store", "store"]).exits(1);
    let status = status.says("unit        /etc/systemd/system/run-capc-facets-maker.late.mount is stopped");
    assert!(!status.out.contains("ln -s"), "{}", status.out);
    let mends = |out: &str| {
        let line = out.lines().find_map(|line| line.strip_prefix("mount it again    capc "));
        let words =
            line.expect(out).replace("system.kdl", "system.kdl --init systemd --store store --key key --yes");
        machine.capc(&words.split(' ').collect::<Vec<_>>()).exits(0)
    };
    let run = mends(&status.out).says("restarted  capc-maker.service").says("restarted  capc-user.service");
    run.says("left as they are: 2 services");
    answered(2);
    let after = ["maker", "user", "idle"].map(|name| pid(&machine, name));
    assert!(before[0] != after[0] && before[1] != after[1] && before[2] == after[2]);
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");

    // With the directory of one that is started by its socket go its socket and itself.
    machine.sh("systemctl stop run-capc-facets-activated.early.mount").exits(0);
    let status = machine.capc(&["status", "--store", "store"]).exits(1);
    let status = status.says("capc-activated.socket is stopped");
    mends(&status.out).says("listens    capc-activated.socket").says("started    capc-activated.service");
    answered(3);
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");

    // A socket alone.
    machine.sh("systemctl stop capc-activated.socket").exits(0);
    let status = machine.capc(&["status", "--store", "store"]).exits(1);
    status.says("start it again    systemctl start capc.target");
    machine.sh("systemctl start capc.target").exits(0);
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");
    // All of it is another matter: that is what the target is for.
    machine.sh("systemctl stop capc.target").exits(0);
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");
}

/// Runs to its end, in the way of its name.
const ONCE: &str = r#"import os, socket, sys, time
name = sys.argv[1]
print("ran", flush=True)
ports = {"ready": 8474, "listens": 8475, "chatty": 8476}
if name in ports:
    port = socket.create_server(("127.0.0.1", ports[name]))
if name in ("ready", "chatty"):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.connect(os.environ["NOTIFY_SOCKET"])
    notify.send(b"READY=1" if name == "ready" else b"READY=1\nSTATUS=all is well")
if name in ports:
    time.sleep(1)
"#;

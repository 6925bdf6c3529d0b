//! What goes wrong with `--init systemd`, before the switch and after it.

use super::{edit, pid, reconfigure, scene, sees};
use crate::booted::Booted;
use crate::scene::{Scene, needs_root, run, until};
use std::process::{Command, Stdio};

const SYSTEM: &str = r#"system faulty
dir given "./given"
dir code "./code"
service steady { run "/usr/bin/sleep" "1000"; holds given at="/given"; }
service works {
    run "/bin/sh" "/code/works.sh" "well"
    image "/usr/bin/sleep"
    holds code read at="/code"
}
"#;

const WORKS: &str = "[ \"$1\" = well ] || { echo \"cannot do this: $1\"; exit 3; }\nexec sleep 1000\n";

fn current(scene: &Scene) -> String {
    std::fs::read_link(scene.path.join("store/current"))
        .map_or("none".to_owned(), |link| link.display().to_string())
}

#[test]
fn what_systemd_could_not_be_told_is_refused_before_anything_is_sealed() {
    if !needs_root("refusals with systemd") {
        return;
    }
    let scene = scene("systemd-refused", SYSTEM);
    scene.write("code/works.sh", WORKS);
    let mut without = Command::new("unshare");
    let words = "mount -t tmpfs tmpfs /run; exec \"$0\" reconfigure system.kdl --init systemd --store store --key key --yes";
    without.args(["--mount", "sh", "-c", words, env!("CARGO_BIN_EXE_capc")]).current_dir(&scene.path);
    run(without).exits(3).complains("systemd does not run here");
    assert_eq!(current(&scene), "none");

    let machine = Booted::new(&scene);
    for place in ["/etc/systemd/system/capc-works.service", "/run/systemd/system/capc.target"] {
        machine.sh(&format!("mkdir -p /run/systemd/system; echo '[Unit]' > {place}")).exits(0);
        let refused = reconfigure(&machine, &[]).exits(3);
        refused.complains(place).complains("is a unit of the same name, and none of this store's");
        assert_eq!(current(&scene), "none");
        machine.sh(&format!("rm {place}")).exits(0);
    }
    machine.sh("mount -o bind,remount,ro /etc").exits(0);
    reconfigure(&machine, &[]).exits(3).complains("cannot link anything in `/etc/systemd/system`");
    assert_eq!(current(&scene), "none");
    machine.sh("mount -o bind,remount,rw /etc").exits(0);
    reconfigure(&machine, &[]).exits(0);
    // Another store's are strangers too.
    let other =
        ["reconfigure", "system.kdl", "--init", "systemd", "--store", "other", "--key", "key", "--yes"];
    machine.capc(&other).exits(3).complains("none of this store's");

    // Another init: everything is stopped, and forgotten.
    let none = ["reconfigure", "system.kdl", "--init", "none", "--store", "store", "--key", "key", "--yes"];
    machine.capc(&none).exits(0).says("stopped    capc-works.service");
    assert_eq!(machine.sh("ls /etc/systemd/system | grep capc").out, "");
    assert_eq!(machine.sh("pgrep -x sleep").out, "");
}

#[test]
fn who_waits_for_what_does_not_come_up_is_told_too() {
    if !needs_root("dependencies with systemd") {
        return;
    }
    let text = "system chain\nservice first { run \"/usr/bin/false\"; oneshot; provides end done=#true; }\n\
        service second { run \"/usr/bin/sleep\" \"1000\"; holds first.end; }\n";
    let scene = scene("systemd-chain", text);
    let machine = Booted::new(&scene);
    let failed =
        reconfigure(&machine, &[]).exits(3).complains("capc-first.service is failed (failed: exit-code)");
    failed.complains("not all of it came up: capc-first.service, capc-second.service");
}

#[test]
fn a_service_that_ends_in_no_time_has_ended_as_it_did() {
    if !needs_root("short services with systemd") {
        return;
    }
    let text = "system short\nservice well { run \"/usr/bin/true\"; }\nservice badly { run \"/usr/bin/false\"; }\n\
        service again { run \"/usr/bin/false\"; restart \"on-failure\"; }\n";
    let scene = scene("systemd-short", text);
    let machine = Booted::new(&scene);
    let failed = reconfigure(&machine, &[]).exits(3).says("started    capc-well.service");
    failed.complains("not all of it came up: capc-again.service, capc-badly.service");
    let ends = machine.sh(
        "for i in $(seq 30); do for unit in well badly; do systemctl reset-failed capc-$unit; systemctl start capc-$unit; \
         while systemctl -q is-active capc-$unit; do :; done; done; \
         systemctl show --value -p Result,ExecMainStatus capc-well capc-badly | tr '\\n' ' '; echo; done | sort | uniq -c",
    );
    assert_eq!(ends.out.split_whitespace().collect::<Vec<_>>(), ["30", "success", "0", "exit-code", "1"]);
    until("it is given up", || machine.show("capc-again.service", "ActiveState") == "failed");
    assert_eq!(machine.show("capc-again.service", "NRestarts"), "5");
}

#[test]
fn a_service_that_fails_after_the_switch_is_told_with_its_last_words_and_undone_if_wished() {
    if !needs_root("failures with systemd") {
        return;
    }
    let scene = scene("systemd-failed", SYSTEM);
    scene.write("code/works.sh", WORKS);
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    let before = ["steady", "works"].map(|service| pid(&machine, service));
    edit(&scene, "\"well\"", "\"badly\"");
    let failed =
        reconfigure(&machine, &[]).exits(3).complains("capc-works.service is failed (failed: exit-code)");
    let failed = failed
        .complains("    | cannot do this: badly")
        .complains("is current, and not all of it came up: capc-works.service");
    failed.says("left as it is: 1 service");
    assert_eq!(current(&scene), "generations/2");

    edit(&scene, "\"badly\"", "\"well\"");
    reconfigure(&machine, &[]).exits(0).says("started    capc-works.service");
    edit(&scene, "\"well\"", "\"worse\"");
    let undone =
        reconfigure(&machine, &["--rollback-on-failure"]).exits(3).complains("cannot do this: worse");
    undone.says("going back to the content of generation 3").says("started    capc-works.service");
    assert_eq!(current(&scene), "generations/5");
    let after = ["steady", "works"].map(|service| pid(&machine, service));
    assert_eq!(before[0], after[0], "what was never touched still runs");
    assert_eq!(machine.show("capc-works.service", "ActiveState"), "active");
    machine.capc(&["verify", "--chain", "--store", "store"]).exits(0);
}

/// A service that takes its time to be ready.
const SLOW: &str = r#"system slow
dir given "./given"
dir code "./code"
service first {
    run "/usr/bin/python3" "/code/slow.py" "one"
    image "std:python3"
    holds code read at="/code"
    ready "notify"
    provides up tcp="127.0.0.1:8464"
}
service second { run "/usr/bin/sleep" "1000"; holds first.up; holds given at="/given"; }
service third { run "/usr/bin/sleep" "1000"; holds given at="/given"; }
"#;

const SLOW_PY: &str = r#"import os, signal, socket, time
time.sleep(1.5)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1")
signal.pause()
"#;

/// Begins an apply in which `first` takes its time; returns when it is at it.
fn begin(scene: &Scene, machine: &Booted) -> std::process::Child {
    edit(scene, "\"one\"", "\"two\"");
    edit(
        scene,
        "service second { run \"/usr/bin/sleep\" \"1000\"",
        "service second { run \"/usr/bin/sleep\" \"1001\"",
    );
    edit(
        scene,
        "service third { run \"/usr/bin/sleep\" \"1000\"; holds given at=\"/given\"",
        "service fourth { run \"/usr/bin/sleep\" \"1000\"",
    );
    let was = pid(machine, "first");
    let words =
        ["reconfigure", "system.kdl", "--init", "systemd", "--store", "store", "--key", "key", "--yes"];
    let mut command = machine.command(&[&[env!("CARGO_BIN_EXE_capc")], &words[..]].concat());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the first service starts again", || {
        machine.show("capc-first.service", "ActiveState") == "activating" && pid(machine, "first") != was
    });
    child
}

/// What there must be in the end, whatever happened on the way.
#[track_caller]
fn is_as_sealed(machine: &Booted) {
    machine.capc(&["status", "--store", "store"]).exits(0).says("running     3 services").says("clean");
    let active = machine.sh("systemctl is-active capc-first capc-second capc-fourth capc.target");
    assert_eq!(active.out, "active\nactive\nactive\nactive\n");
    assert_eq!(machine.show("capc-third.service", "LoadState"), "not-found");
    assert_eq!(
        machine.sh("cat /proc/$(systemctl show --value -p MainPID capc-second)/cmdline | tr '\\0' ' '").out,
        "/usr/bin/sleep 1001 "
    );
    assert_eq!(machine.sh("pgrep -cx sleep").out, "2\n");
}

#[test]
fn an_apply_survives_a_systemd_that_starts_itself_anew() {
    if !needs_root("systemd that starts itself anew") {
        return;
    }
    let scene = scene("systemd-reexec", SLOW);
    scene.write("code/slow.py", SLOW_PY);
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    let apply = begin(&scene, &machine);
    machine.sh("systemctl daemon-reexec");
    let output = apply.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        said.contains("restarted  capc-first.service") && said.contains("restarted  capc-second.service"),
        "{said}"
    );
    is_as_sealed(&machine);
}

#[test]
fn what_an_apply_that_was_killed_left_undone_the_next_one_does() {
    if !needs_root("a killed apply with systemd") {
        return;
    }
    let scene = scene("systemd-killed", SLOW);
    scene.write("code/slow.py", SLOW_PY);
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    let mut apply = begin(&scene, &machine);
    machine.sh("pkill -KILL -x capc").exits(0);
    apply.wait().unwrap();
    reconfigure(&machine, &[]).exits(0);
    is_as_sealed(&machine);
}

/// Two systems of which each has what the other has not, and what the other has differently.
const SIDES: [(&str, &str); 2] = [
    (
        "listen port tcp=\"127.0.0.1:8467\"\nservice base { run \"/usr/bin/sleep\" \"1001\"; holds port accept; }\n\
         service left { run \"/usr/bin/sleep\" \"1011\"; }\n",
        "127.0.0.1:8467 sleep 1001 sleep 1011 ",
    ),
    (
        "listen port tcp=\"127.0.0.1:8468\"\nservice base { run \"/usr/bin/sleep\" \"1002\"; holds port accept; }\n\
         service right { run \"/usr/bin/sleep\" \"1012\"; }\n",
        "127.0.0.1:8468 sleep 1002 sleep 1012 ",
    ),
];

/// Stands before systemd's tool, and kills who calls it for the nth time.
const KILLS: &str = "#!/bin/sh\necho x >> calls\nif [ $(wc -l < calls) -ge \"$NTH\" ]; then kill -KILL $PPID; exit 1; fi\n\
                     exec /usr/bin/systemctl \"$@\"\n";

#[test]
fn an_apply_that_is_killed_at_any_word_to_systemd_ends_where_it_should_with_the_next() {
    if !needs_root("an apply killed at many places with systemd") {
        return;
    }
    let scene = scene("systemd-anywhere", "system sides\n");
    scene.program("fake/systemctl", KILLS);
    let machine = Booted::new(&scene);
    let mut killed = 0;
    for (side, nth) in [0, 1, 3, 5, 8, 11].into_iter().enumerate() {
        let (text, expected) = SIDES[side % 2];
        scene.write(
            "system.kdl",
            format!("system sides\n{text}service steady {{ run \"/usr/bin/sleep\" \"1000\"; }}\n"),
        );
        scene.write("calls", "");
        let steady = pid(&machine, "steady");
        let words = "PATH=$PWD/fake:$PATH NTH=$1 exec \"$0\" reconfigure system.kdl --init systemd --store store --key key --yes";
        if nth > 0 {
            let run =
                run(machine.command(&["sh", "-c", words, env!("CARGO_BIN_EXE_capc"), &nth.to_string()]));
            killed += usize::from(run.status != Some(0));
        }
        reconfigure(&machine, &[]).exits(0);
        let there = machine.sh(
            "systemctl show --value -p Listen capc-base.socket | cut -d' ' -f1 | tr '\\n' ' '; ps -C sleep -o args= | sort | grep -v 1000 | sed 's:.*/::' | tr '\\n' ' '",
        );
        assert_eq!(there.out, expected, "after the call {nth}");
        let listens = machine.sh("cat /proc/net/tcp").out;
        let ports =
            ["2113", "2114"].map(|port| listens.contains(&format!("0100007F:{port} 00000000:0000 0A")));
        assert_eq!(ports, [side % 2 == 0, side % 2 == 1], "after the call {nth}: {listens}");
        machine.capc(&["status", "--store", "store"]).exits(0).says("running     3 services").says("clean");
        assert!(
            nth == 0 || pid(&machine, "steady") == steady,
            "what did not change was touched after the call {nth}"
        );
        assert_eq!(machine.sh("ls /etc/systemd/system | grep -c capc").out, "6\n");
    }
    assert!(killed >= 4, "only {killed} were killed");
}

#[test]
fn what_is_being_started_from_what_was_does_not_keep_what_was_revoked() {
    if !needs_root("a start that is overtaken with systemd") {
        return;
    }
    let text = "system overtaken\ndir given \"./given\"\ndir other \"./other\"\ncode \"./bin\"\ncode \"/usr\"\n\
        integrity memfd \"./bin\"\nservice large {\n    run \"./bin/large\" \"1000\"\n    holds given at=\"/given\"\n    \
        holds other at=\"/other\"\n    restart \"always\"\n}\n";
    let scene = scene("systemd-overtaken", text);
    // Large enough that its launcher is seen at work.
    let program = scene.program("bin/large", std::fs::read("/usr/bin/sleep").unwrap());
    assert!(Command::new("truncate").args(["--size", "300M"]).arg(&program).status().unwrap().success());
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    // Its launcher has looked at the floor, and has no world yet.
    let held = machine.sh("systemctl kill -s KILL capc-large; for i in $(seq 1000); do \
         PID=$(systemctl show --value -p MainPID capc-large); \
         if [ \"$PID\" != 0 ] && ls -l /proc/$PID/fd | grep -q bin/large; \
         then kill -STOP $PID && echo held && break; fi; done");
    assert_eq!(held.out, "held\n");
    edit(&scene, "    holds other at=\"/other\"\n", "");
    reconfigure(&machine, &[]).exits(0).says("1 grant revoked").says("restarted  capc-large.service");
    let world = format!("/proc/{}/root", pid(&machine, "large"));
    machine.sh(&format!("test -e {world}/given/file && ! test -e {world}/other")).exits(0);
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");
}

#[test]
fn a_socket_is_made_although_others_listen_on_the_same_path_in_worlds_of_their_own() {
    if !needs_root("sockets of the same name with systemd") {
        return;
    }
    let text = "system names\nlisten one unix=\"/run/one.sock\"\nlisten two unix=\"/run/two.sock\"\n\
        service works { run \"/usr/bin/sleep\" \"1000\"; holds one accept; }\n";
    let scene = scene("systemd-names", text);
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    machine.sh(
        "unshare -m sh -c 'mount -t tmpfs tmpfs /run; exec python3 -c \"import signal, socket; s = socket.socket(socket.AF_UNIX); \
         s.bind(\\\"/run/two.sock\\\"); s.listen(); signal.pause()\"' > /dev/null 2>&1 < /dev/null & \
         until grep -q /run/two.sock /proc/net/unix; do sleep 0.05; done",
    );
    edit(&scene, "holds one accept;", "holds two accept; holds one accept;");
    reconfigure(&machine, &[]).exits(0).says("listens    capc-works.socket");
    machine.sh("test -S /run/two.sock").exits(0);
}

#[test]
fn what_takes_its_time_to_start_keeps_no_revoked_grant_alive() {
    if !needs_root("a start without end with systemd") {
        return;
    }
    let text = "system endless\ndir given \"./given\"\ndir other \"./other\"\n\
        service changed { run \"/usr/bin/sleep\" \"0\"; oneshot; provides end done=#true; }\n\
        service follower { run \"/usr/bin/sleep\" \"1000\"; holds given at=\"/given\"; holds other at=\"/other\"; holds changed.end; }\n\
        service reader { run \"/usr/bin/sleep\" \"1000\"; holds given at=\"/given\"; holds other at=\"/other\"; }\n";
    let scene = scene("systemd-endless", text);
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    assert!(sees(&machine, "reader", "/other") && sees(&machine, "follower", "/other"));
    edit(&scene, "; holds other at=\"/other\"", "");
    edit(&scene, "\"0\"; oneshot", "\"3000\"; oneshot");
    edit(
        &scene,
        "service reader",
        "service added { run \"/usr/bin/sleep\" \"2000\"; oneshot; }\nservice reader",
    );
    let words =
        ["reconfigure", "system.kdl", "--init", "systemd", "--store", "store", "--key", "key", "--yes"];
    let mut command = machine.command(&[&[env!("CARGO_BIN_EXE_capc")], &words[..]].concat());
    let mut apply = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    until("the endless ones run", || {
        machine.sh("pgrep -f '^/usr/bin/sleep [23]000'").out.lines().count() == 2
    });
    until("nobody has what was revoked", || {
        pid(&machine, "follower") == "0"
            && sees(&machine, "reader", "/given")
            && !sees(&machine, "reader", "/other")
    });
    machine.sh("pkill -KILL -x capc").exits(0);
    apply.wait().unwrap();
}

#[test]
fn what_was_edited_beside_a_unit_is_named_and_not_left_as_it_is() {
    if !needs_root("drop-ins with systemd") {
        return;
    }
    let scene =
        scene("systemd-edited", "system edited\nservice steady { run \"/usr/bin/sleep\" \"1000\"; }\n");
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");
    machine
        .sh("mkdir /etc/systemd/system/capc-steady.service.d; cd /etc/systemd/system/capc-steady.service.d; \
         printf '[Service]\\nType=simple\\nExecStart=\\nExecStart=/usr/bin/sleep 2000\\n' > own.conf; \
         systemctl daemon-reload; systemctl restart capc-steady")
        .exits(0);
    let status = machine.capc(&["status", "--store", "store"]).exits(1);
    status
        .says("/etc/systemd/system/capc-steady.service.d/own.conf is not sealed")
        .says("rm /etc/systemd/system/capc-steady.service.d/own.conf");
    reconfigure(&machine, &[]).exits(3).complains("capc-steady.service runs something that was not sealed");
    machine.sh("rm -r /etc/systemd/system/capc-steady.service.d; systemctl daemon-reload; systemctl restart capc-steady").exits(0);
    reconfigure(&machine, &[]).exits(0).says("left as it is: 1 service");
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");
}

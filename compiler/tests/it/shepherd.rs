//! `--init shepherd`, with the real Shepherd as the first process.

use crate::herded::{First, Herded, guile};
use crate::scene::{Run, needs_root, until};
use crate::systemd::{PART, SYSTEM, data_only, edit, parts, scene};

#[track_caller]
pub fn reconfigure(machine: &Herded, more: &[&str]) -> Run {
    let words =
        ["reconfigure", "system.kdl", "--init", "shepherd", "--store", "store", "--key", "key", "--yes"];
    machine.capc(&[&words, more].concat())
}

fn answer(machine: &Herded) -> String {
    machine
        .sh("python3 -c 'import socket; print(socket.create_connection((\"127.0.0.1\", 8461)).recv(99))'")
        .out
}

/// The two lines that a user adds.
fn config(scene: &crate::scene::Scene) -> String {
    let file = scene.path.join("store/current/init/shepherd.scm");
    format!("(load {file:?})\n(start-in-the-background '(capc))\n")
}

#[test]
fn what_differs_is_started_restarted_and_stopped_and_the_rest_is_left_alone() {
    if !needs_root("the Shepherd as the first process") {
        return;
    }
    let Some(guile) = guile() else { return };
    let scene = scene("shepherd", &SYSTEM.replace(" UTC", ""));
    let first = std::fs::read(scene.path.join("system.kdl")).unwrap();
    let machine = Herded::new(&scene, guile, "", First::Shepherd);
    let run = reconfigure(&machine, &[]).exits(0);
    for service in ["server", "prepared", "reader", "bystander", "nightly"] {
        assert!(run.out.contains(&format!("started    capc-{service}\n")), "{}", run.out);
    }
    assert!(scene.path.join("out/prepared").exists());
    assert!(answer(&machine).contains("served"));
    let status = machine.herd(&["status"]).exits(0);
    assert!(!status.out.contains("Stopped:"), "{}", status.out);
    machine.herd(&["status", "capc-nightly"]).exits(0).says("Upcoming timer alarms");

    let before = ["server", "bystander", "reader"].map(|service| machine.pid(service));
    assert!(machine.sees("reader", "/given/file") && machine.sees("reader", "/other/file"));

    // A grant is revoked, a service is new.
    edit(&scene, "    holds other at=\"/other\"\n", "");
    edit(
        &scene,
        "service bystander",
        "service second { run \"/usr/bin/sleep\" \"1000\"; }\nservice bystander",
    );
    let run = reconfigure(&machine, &[]).exits(0).says("1 grant revoked").says("restarted  capc-reader\n");
    run.says("started    capc-second\n").says("left as they are: 4 services");
    let after = ["server", "bystander", "reader"].map(|service| machine.pid(service));
    assert_eq!(before[..2], after[..2], "what was not touched goes on");
    assert_ne!(before[2], after[2]);
    assert!(machine.sees("reader", "/given/file") && !machine.sees("reader", "/other/file"));
    assert!(answer(&machine).contains("served"));

    // A step back is a step on.
    std::fs::write(scene.path.join("system.kdl"), first).unwrap();
    let run = machine.capc(&["rollback", "1", "--store", "store", "--yes", "--key", "key"]).exits(0);
    run.says("stopped    capc-second\n").says("restarted  capc-reader\n");
    assert!(machine.sees("reader", "/other/file"));
    assert_eq!(before[..2], ["server", "bystander"].map(|service| machine.pid(service)));
    machine.herd(&["status", "capc-second"]).exits(1);
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");

    // What the Shepherd is asked to do, it does.
    machine.herd(&["restart", "capc-server"]).exits(0);
    assert_ne!(before[0], machine.pid("server"));
    assert!(answer(&machine).contains("served"));
    machine.herd(&["stop", "capc"]).exits(0);
    assert_eq!(machine.sh("grep -lx capc-keeper /proc/[0-9]*/comm").out, "", "nothing runs any more");
    machine.herd(&["start", "capc"]).exits(0);
    assert!(answer(&machine).contains("served") && machine.sees("reader", "/other/file"));

    // At the next start of the machine, two lines of its configuration bring up what is current.
    drop(machine);
    let machine = Herded::new(&scene, guile, &config(&scene), First::Shepherd);
    until("all is up", || machine.herd(&["status", "capc"]).out.contains("running"));
    assert!(answer(&machine).contains("served"));
    assert!(machine.sees("reader", "/given/file") && machine.sees("reader", "/other/file"));
    reconfigure(&machine, &[]).exits(0).says("left as they are: 5 services");

    // Another init is to have them.
    let none = ["reconfigure", "system.kdl", "--init", "none", "--store", "store", "--key", "key", "--yes"];
    machine.capc(&none).exits(0);
    assert_eq!(machine.sh("grep -lx capc-keeper /proc/[0-9]*/comm").out, "");
    assert!(!machine.herd(&["status"]).exits(0).out.contains("capc"));
}

#[test]
fn a_oneshot_is_done_once_and_a_timer_runs_when_its_time_comes() {
    if !needs_root("oneshots and timers with the Shepherd") {
        return;
    }
    let Some(guile) = guile() else { return };
    let system = r#"system shown
state out "./out"
dir code "./code"
service prepared { run "/code/say" "prepared"; oneshot; holds code read at="/code"; provides done done=#true; }
service user { run "/usr/bin/sleep" "1000"; holds prepared.done; }
service ticking { run "/code/say" "tick"; oneshot; schedule "*:*:0/1"; holds code read at="/code"; }
"#;
    let scene = scene("shepherd-oneshots", system);
    scene.program("code/say", "#!/bin/sh\necho \"$1\"\n");
    let text = std::fs::read_to_string(scene.path.join("system.kdl")).unwrap();
    let here = scene.path.join("code/say").display().to_string();
    scene.write(
        "system.kdl",
        text.replace("\"/code/say\"", &format!("{here:?}"))
            .replace("state out", "dir other \"./other\"\nstate out"),
    );
    let machine = Herded::new(&scene, guile, "", First::Shepherd);
    reconfigure(&machine, &[]).exits(0);
    let count = |service: &str, word: &str| machine.said(service).matches(word).count();
    until("it has ticked three times", || count("ticking", "tick") >= 3);
    // Who waits for it starts again; what was done stays done.
    machine.herd(&["restart", "capc-user"]).exits(0);
    reconfigure(&machine, &[]).exits(0).says("left as they are: 3 services");
    assert_eq!(count("prepared", "prepared"), 1);
    // Nor is a time that comes between the switch and the Shepherd's hearing of it a failure of what is sealed.
    let late = "strace -qq -o /dev/null -e trace=connect -e inject=connect:delay_enter=1500000:when=2+";
    let capc = env!("CARGO_BIN_EXE_capc");
    let words = "reconfigure system.kdl --init shepherd --store store --key key --yes";
    machine.sh(&format!("{late} {capc} {words}")).exits(0).says("left as they are: 3 services");
    assert!(machine.said("ticking").contains("refused: floor"));
    // As something else it is done again, and nobody who waited for it is touched.
    let before = machine.pid("user");
    edit(&scene, "\"prepared\"; oneshot", "\"prepared otherwise\"; oneshot");
    edit(&scene, "\"tick\"", "\"tock\"");
    let run = reconfigure(&machine, &[]).exits(0).says("restarted  capc-prepared\n");
    run.says("restarted  capc-ticking\n").says("left as it is: 1 service");
    assert_eq!(machine.pid("user"), before);
    assert_eq!(count("prepared", "prepared otherwise"), 1);
    let ticks = count("ticking", "tick");
    until("it goes on as it is now", || count("ticking", "tock") >= 2);
    assert_eq!(count("ticking", "tick"), ticks);
    machine.herd(&["stop", "capc-ticking"]).exits(0);
    machine.herd(&["trigger", "capc-ticking"]);
}

#[test]
fn facets_channels_and_readiness_pass_through() {
    if !needs_root("facets and channels with the Shepherd") {
        return;
    }
    let Some(guile) = guile() else { return };
    let system = parts(&[
        ("maker", "provides late socket=\"/run/maker/maker.sock\""),
        ("activated", "provides early socket=\"/run/activated/activated.sock\" { activated; }"),
        ("user", "holds maker.late\n    holds activated.early\n    holds notifier.up"),
        (
            "notifier",
            "ready \"notify\"\n    reload signal=\"HUP\"\n    restart \"on-failure\"\n    provides up tcp=\"127.0.0.1:8463\"",
        ),
        ("talker", "provides talk channel=#true"),
        ("listener", "holds talker.talk fd=3 // revoked\n    restart \"on-failure\""),
        ("other", "holds talker.talk fd=3"),
    ]);
    let scene = scene("shepherd-parts", &system);
    scene.write("code/part.py", PART);
    let machine = Herded::new(&scene, guile, "", First::Shepherd);
    reconfigure(&machine, &[]).exits(0);
    until("the user has its answers", || machine.said("user").contains("made late and made early"));
    until("the listener is answered", || machine.said("listener").contains("heard LISTENER"));
    assert!(machine.said("notifier").contains("about to be ready"));

    machine.herd(&["reload", "capc-notifier"]).exits(0);
    until("it has read again", || machine.said("notifier").contains("read again"));

    // No service has a descriptor that it was not handed.
    for (service, most) in [("user", 2), ("activated", 3), ("talker", 4), ("listener", 3)] {
        let open = machine.sh(&format!("ls /proc/{}/fd | sort -n | tail -1", machine.pid(service))).out;
        assert_eq!(open.trim(), most.to_string(), "{service}");
    }

    // A socket outlives its service, and a channel one of its ends.
    let socket = "stat -c %i:%U:%a /run/capc/facets/activated.early/activated.sock";
    let before = machine.sh(socket).exits(0).out;
    let killed = machine.pid("listener");
    machine.sh(&format!("kill -9 {killed}")).exits(0);
    machine.herd(&["restart", "capc-activated"]).exits(0);
    assert_eq!(machine.sh(socket).exits(0).out, before);
    until("the channel speaks again", || machine.said("listener").matches("heard LISTENER").count() == 2);

    // A grant is revoked, and with it the pair.
    let all = ["talker", "listener", "other", "maker"];
    let before = all.map(|service| machine.pid(service));
    edit(&scene, "    holds talker.talk fd=3 // revoked\n", "");
    let run = reconfigure(&machine, &[]).exits(0).says("restarted  capc-talker\n");
    run.says("restarted  capc-listener\n").says("left as they are: 5 services");
    let after = all.map(|service| machine.pid(service));
    assert!(before[0] != after[0] && before[1] != after[1]);
    assert_eq!(before[2..], after[2..], "whose channel is as it was goes on");
    machine.herd(&["restart", "capc-other"]).exits(0);
    until("the pair that is left speaks", || machine.said("other").matches("heard OTHER").count() == 2);
}

#[test]
fn what_waits_at_a_data_only_socket_does_not_cross_when_the_other_side_passes_none() {
    if !needs_root("data-only facets with the Shepherd") {
        return;
    }
    let Some(guile) = guile() else { return };
    for (name, facet) in [
        ("shepherd-flips", data_only::ACTIVATED),
        ("shepherd-flips-own", "socket=\"/run/m/x\" { data-only; }"),
    ] {
        let scene = data_only::before(name, facet, "/run/m/x");
        let machine = Herded::new(&scene, guile, "", First::Shepherd);
        data_only::and_after(&scene, || reconfigure(&machine, &[]));
    }
}

//! `--init systemd`, with the real systemd as the first process.

mod boot;
pub mod data_only;
pub mod ends;
mod faults;
mod limits;
mod web;

use crate::booted::Booted;
use crate::scene::{Run, Scene, needs_root, until};
use crate::transaction::make_key;

/// A web server on a passed socket, in ten lines.
const SERVER: &str = r#"import socket
listener = socket.socket(fileno=3)
while True:
    peer, _ = listener.accept()
    peer.sendall(b"served\n")
    peer.close()
"#;

pub const SYSTEM: &str = r#"system shown
listen web tcp="127.0.0.1:8461"
dir given "./given"
dir other "./other"
dir code "./code"
service server {
    run "/usr/bin/python3" "/code/server.py"
    image "std:python3"
    holds web accept
    holds code read at="/code"
    provides page listen=web
}
service prepared {
    run "/usr/bin/touch" "/out/prepared"
    oneshot
    holds out read write create modify at="/out"
    provides done done=#true
}
service reader {
    run "/usr/bin/sleep" "1000"
    holds given at="/given"
    holds other at="/other"
    holds prepared.done
    restart "on-failure"
}
service bystander { run "/usr/bin/sleep" "1000"; }
service nightly { run "/usr/bin/sleep" "2000"; oneshot; schedule "Mon 03:00 UTC"; holds given at="/given"; }
state out "./out"
"#;

pub fn scene(name: &str, system: &str) -> Scene {
    let scene = Scene::new(name);
    scene.write("system.kdl", system.replace("./", &format!("{}/", scene.path.display())));
    scene.write("given/file", "a sealed line\n");
    scene.write("other/file", "another\n");
    scene.write("code/server.py", SERVER);
    make_key(&scene, "key", "");
    scene
}

#[track_caller]
pub fn reconfigure(machine: &Booted, more: &[&str]) -> Run {
    let words =
        ["reconfigure", "system.kdl", "--init", "systemd", "--store", "store", "--key", "key", "--yes"];
    machine.capc(&[&words, more].concat())
}

/// Replaces words of the system file.
pub fn edit(scene: &Scene, from: &str, to: &str) {
    let path = scene.path.join("system.kdl");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from:?} is not in\n{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

pub fn pid(machine: &Booted, service: &str) -> String {
    machine.show(&format!("capc-{service}.service"), "MainPID")
}

/// Whether a service sees something, as the kernel shows its world from outside.
fn sees(machine: &Booted, service: &str, path: &str) -> bool {
    machine.sh(&format!("test -e /proc/{}/root{path}", pid(machine, service))).status == Some(0)
}

fn answer(machine: &Booted) -> String {
    machine
        .sh("python3 -c 'import socket; print(socket.create_connection((\"127.0.0.1\", 8461)).recv(99))'")
        .out
}

#[test]
fn what_differs_is_started_restarted_and_stopped_and_the_rest_is_left_alone() {
    if !needs_root("systemd as the first process") {
        return;
    }
    let scene = scene("systemd", SYSTEM);
    let first = std::fs::read(scene.path.join("system.kdl")).unwrap();
    let machine = Booted::new(&scene);
    let run = reconfigure(&machine, &[]).exits(0).says("listens    capc-server.socket");
    let run = run.says("waits      capc-nightly.timer");
    for service in ["server", "prepared", "reader", "bystander"] {
        assert!(run.out.contains(&format!("started    capc-{service}.service")), "{}", run.out);
    }
    let [prepared, reader] =
        ["prepared", "reader"].map(|service| run.out.find(&format!("started    capc-{service}")));
    assert!(prepared < reader, "{}", run.out);
    assert!(scene.path.join("out/prepared").exists());
    assert!(answer(&machine).contains("served"));
    assert_eq!(machine.show("capc-nightly.service", "ActiveState"), "inactive");
    assert!(machine.show("capc-nightly.timer", "TimersCalendar").contains("Mon *-*-* 03:00:00 UTC"));

    // Not a word from systemd's own reader, of any unit.
    let verify = machine.sh("systemd-analyze verify --man=no store/current/init/systemd/* 2>&1").exits(0);
    assert_eq!(verify.out, "");

    let before = ["server", "bystander", "reader"].map(|service| pid(&machine, service));
    assert!(sees(&machine, "reader", "/given/file") && sees(&machine, "reader", "/other/file"));

    // A grant is revoked, a service is new.
    edit(&scene, "    holds other at=\"/other\"\n", "");
    edit(
        &scene,
        "service bystander",
        "service second { run \"/usr/bin/sleep\" \"1000\"; }\nservice bystander",
    );
    let run =
        reconfigure(&machine, &[]).exits(0).says("1 grant revoked").says("restarted  capc-reader.service");
    run.says("started    capc-second.service").says("left as they are: 3 services");
    let after = ["server", "bystander", "reader"].map(|service| pid(&machine, service));
    assert_eq!(before[..2], after[..2], "what was not touched goes on");
    assert_ne!(before[2], after[2]);
    assert!(sees(&machine, "reader", "/given/file") && !sees(&machine, "reader", "/other/file"));
    assert!(answer(&machine).contains("served"));

    // What runs by the calendar is not waited for, and does not keep what was taken from it.
    machine.sh("systemctl start --no-block capc-nightly.service").exits(0);
    until("it runs", || {
        pid(&machine, "nightly") != "0" && machine.sh("pgrep -f '^/usr/bin/sleep 2000'").status == Some(0)
    });
    reconfigure(&machine, &[]).exits(0).says("left as they are: 6 services");
    edit(
        &scene,
        "\"2000\"; oneshot; schedule \"Mon 03:00 UTC\"; holds given at=\"/given\"",
        "\"2001\"; oneshot; schedule \"Tue 04:00 UTC\"",
    );
    reconfigure(&machine, &[]).exits(0).says("restarted  capc-nightly.service");
    until("it runs again", || machine.sh("pgrep -f '^/usr/bin/sleep 2001'").status == Some(0));
    assert!(machine.sh("pgrep -f '^/usr/bin/sleep 2000'").status != Some(0));
    assert!(machine.show("capc-nightly.timer", "TimersCalendar").contains("Tue *-*-* 04:00:00 UTC"));
    machine.sh("systemctl stop capc-nightly.service");

    // A oneshot that is another now runs again; who once waited for it goes on.
    edit(&scene, "\"/out/prepared\"", "\"/out/again\"");
    reconfigure(&machine, &[])
        .exits(0)
        .says("restarted  capc-prepared.service")
        .says("left as they are: 4 services");
    assert!(scene.path.join("out/again").exists());

    // A step back is a step on.
    std::fs::write(scene.path.join("system.kdl"), first).unwrap();
    let run = machine.capc(&["rollback", "1", "--store", "store", "--yes", "--key", "key"]).exits(0);
    run.says("stopped    capc-second.service").says("restarted  capc-reader.service");
    assert!(sees(&machine, "reader", "/other/file"));
    assert_eq!(before[..2], ["server", "bystander"].map(|service| pid(&machine, service)));
    assert_eq!(machine.show("capc-second.service", "LoadState"), "not-found");
    assert!(machine.sh("ls /etc/systemd/system").out.contains("capc-reader.service"));

    // Somebody takes a link away and replaces another.
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");
    machine
        .sh("cd /etc/systemd/system; rm capc-reader.service; ln -sfn /dev/null capc-bystander.service")
        .exits(0);
    let status = machine.capc(&["status", "--store", "store"]).exits(1);
    let status = status
        .says("/etc/systemd/system/capc-reader.service is gone; what is sealed is not what the init does");
    let status = status.says("/etc/systemd/system/capc-bystander.service is changed");
    let repair: Vec<&str> = status
        .out
        .lines()
        .filter_map(|line| line.get(18..))
        .filter(|line| line.starts_with("ln ") || line.starts_with("systemctl "))
        .collect();
    assert_eq!(repair.len(), 3, "{}", status.out);
    machine.sh(&repair.join("\n")).exits(0);
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");
    assert_eq!(before[..2], ["server", "bystander"].map(|service| pid(&machine, service)));
}

/// Programs that are passed something, make something, or say that they are ready.
pub const PART: &str = r#"import os, select, signal, socket, sys, time

def tell(text):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.connect(os.environ["NOTIFY_SOCKET"])
    notify.send(text.encode())

def serve(listener, text):
    while True:
        peer, _ = listener.accept()
        peer.sendall(text)
        peer.close()

def ask(path):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    return peer.recv(99).decode()

role = sys.argv[1]
if role == "maker":
    time.sleep(0.3)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("/run/maker/maker.sock")
    listener.listen()
    serve(listener, b"made late")
if role == "activated":
    serve(socket.socket(fileno=3), b"made early")
if role == "user":
    print(ask("/run/maker/maker.sock"), "and", ask("/run/activated/activated.sock"), flush=True)
    signal.pause()
if role == "idle":
    signal.pause()
if role == "notifier":
    signal.signal(signal.SIGHUP, lambda *_: print("read again", flush=True))
    time.sleep(0.3)
    print("about to be ready", flush=True)
    tell("READY=1\nSTATUS=at work")
    while True:
        signal.pause()
        tell("WATCHDOG_USEC=200000")
if role == "talker":
    ends = [socket.socket(fileno=end) for end in (3, 4) if os.path.exists(f"/proc/self/fd/{end}")]
    while True:
        for end in select.select(ends, [], [])[0]:
            end.send(end.recv(99).upper())
if role in ("listener", "other"):
    if not os.path.exists("/proc/self/fd/3"):
        signal.pause()
    channel = socket.socket(fileno=3)
    channel.send(role.encode())
    print("heard", channel.recv(99).decode(), flush=True)
    signal.pause()
"#;

/// Returns a system of services that run `part.py` with an argument each, and have what stands beside it.
pub fn parts(services: &[(&str, &str)]) -> String {
    let mut text = "system parts\ndir code \"./code\"\n".to_owned();
    for (role, more) in services {
        text.push_str(&format!(
            "service {role} {{\n    run \"/usr/bin/python3\" \"/code/part.py\" \"{role}\"\n    image \"std:python3\"\n    \
             holds code read at=\"/code\"\n    {more}\n}}\n"
        ));
    }
    text
}

/// What a service has said, as the journal has it.
pub fn said(machine: &Booted, service: &str) -> String {
    machine.sh(&format!("journalctl --output=cat --unit capc-{service}.service")).out
}

#[test]
fn facets_channels_and_readiness_pass_through() {
    if !needs_root("facets and channels with systemd") {
        return;
    }
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
    let scene = scene("systemd-parts", &system);
    scene.write("code/part.py", PART);
    let machine = Booted::new(&scene);
    let run = reconfigure(&machine, &[]).exits(0).says("started    capc-channels.service");
    let [up, user] = ["notifier", "user"].map(|service| run.out.find(&format!("started    capc-{service}.")));
    assert!(up < user, "{}", run.out);
    let verify = machine.sh("systemd-analyze verify --man=no store/current/init/systemd/* 2>&1").exits(0);
    assert_eq!(verify.out, "");
    until("the user has its answers", || said(&machine, "user").contains("made late and made early"));
    until("the listener is answered", || said(&machine, "listener").contains("heard LISTENER"));
    assert!(said(&machine, "notifier").contains("about to be ready"));
    assert_eq!(machine.show("capc-notifier.service", "StatusText"), "at work");

    machine.sh("systemctl reload capc-notifier").exits(0);
    until("it has read again", || said(&machine, "notifier").contains("read again"));
    // It promised a sign of life, and gives none.
    until("the silent one is started again", || machine.show("capc-notifier.service", "NRestarts") == "1");

    // A socket outlives its service, and a channel one of its ends.
    let socket = "stat -c %i /run/capc/facets/activated.early/activated.sock";
    let before = machine.sh(socket).exits(0).out;
    machine.sh("systemctl kill -s KILL capc-listener.service; systemctl restart capc-activated.service capc-listener.service").exits(0);
    assert_eq!(machine.sh(socket).exits(0).out, before);
    until("the channel speaks again", || said(&machine, "listener").matches("heard LISTENER").count() == 2);

    // A grant is revoked, and with it the pair.
    let kept = |machine: &Booted| machine.show("capc-channels.service", "NFileDescriptorStore");
    assert_eq!(kept(&machine), "4");
    let all = ["talker", "listener", "other", "maker"];
    let before = all.map(|service| pid(&machine, service));
    edit(&scene, "    holds talker.talk fd=3 // revoked\n", "");
    let run = reconfigure(&machine, &[]).exits(0).says("restarted  capc-channels.service");
    run.says("restarted  capc-talker.service").says("restarted  capc-listener.service");
    assert_eq!(kept(&machine), "2");
    let after = all.map(|service| pid(&machine, service));
    assert!(before[0] != after[0] && before[1] != after[1]);
    assert_eq!(before[2..], after[2..], "whose channel is as it was goes on");
    machine.sh("systemctl restart capc-other.service").exits(0);
    until("the pair that is left speaks", || said(&machine, "other").matches("heard OTHER").count() == 2);

    // A facet goes with its maker, and so do its socket and its directory.
    assert!(machine.sh("mountpoint -q /run/capc/facets/activated.early").status == Some(0));
    let text = std::fs::read_to_string(scene.path.join("system.kdl")).unwrap();
    let [from, to] = ["service activated", "service user"].map(|words| text.find(words).unwrap());
    let text = format!("{}{}", &text[..from], &text[to..]).replace("    holds activated.early\n", "");
    scene.write("system.kdl", text.replace("\"user\"\n", "\"idle\"\n"));
    let run = reconfigure(&machine, &[]).exits(0).says("stopped    capc-activated.socket");
    let run = run
        .says("stopped    capc-activated.service")
        .says("stopped    run-capc-facets-activated.early.mount");
    run.says("restarted  capc-user.service").says("left as they are: 5 services");
    assert!(machine.sh("mountpoint -q /run/capc/facets/activated.early").status != Some(0));
}

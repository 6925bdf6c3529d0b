//! `capc why-denied`: what a running service is refused becomes a line with the statement that would grant it.

use crate::scene::{Running, Scene, is_root, needs_root, until};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

const SYSTEM: &str = r#"system refused
dir kept "HERE/kept"
connect web tcp="192.0.2.1:80"

service refused-one {
    run "/usr/bin/python3" "HERE/refused.py"
    image "std:python3"
    config "HERE/refused.py"
    holds kept read create
    holds web connect
    provides notes channel=#true { data-only; }
}
service refused-two {
    run "/bin/bash" "-c" ": </dev/tcp/127.0.0.1/7; exec /usr/bin/sleep 600"
    image "/usr/bin/sleep"
    holds web connect
    holds refused-one.notes
}
"#;

const REFUSED: &str = r#"
import ctypes, os, socket, time
def tried(what):
    try: what()
    except OSError as error: print(error, flush=True)
tried(lambda: open("HERE/kept/old", "a"))
tried(lambda: socket.create_connection(("127.0.0.1", 9)))
for time_of_ten in range(10): ctypes.CDLL(None).unshare(0x10000000)
ctypes.CDLL(None).recvmsg(0, None, 0)
time.sleep(600)
"#;

/// Reads to the end in the background.
fn heard(from: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let kept = text.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            kept.lock().unwrap().push_str(&format!("{line}\n"));
        }
    });
    text
}

/// Begins to ask; none where the kernel does not tell.
fn asking(scene: &Scene, service: &str) -> Option<(Running, Arc<Mutex<String>>)> {
    let mut command = scene.command(["why-denied", service]);
    let mut child: Child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (heard(child.stdout.take().unwrap()), heard(child.stderr.take().unwrap()));
    let mut asking = Running(child);
    let mut has_ended = false;
    until("it follows", || {
        has_ended = asking.0.try_wait().unwrap().is_some();
        has_ended || err.lock().unwrap().contains("following")
    });
    if has_ended {
        let said = err.lock().unwrap().clone();
        let is_absent = ["audit", "Landlock"].iter().any(|word| said.contains(word));
        assert!(is_absent && asking.0.wait().unwrap().code() == Some(3), "{said}");
        eprintln!("not tried: why something is denied ({})", said.trim());
        return None;
    }
    Some((asking, out))
}

#[test]
fn what_a_service_is_denied_is_told_with_the_statement_that_grants_it() {
    if !needs_root("why something is denied") {
        return;
    }
    let scene = Scene::new("why-denied");
    let here = scene.path.display().to_string();
    let old = scene.write("kept/old", "old\n");
    for path in [&old, &scene.path.join("kept")] {
        let owner = rustix::fs::Uid::from_raw(4000);
        rustix::fs::chown(path, Some(owner), None).unwrap();
    }
    scene.write("system.kdl", SYSTEM.replace("HERE", &here));
    scene.write("refused.py", REFUSED.replace("HERE", &here));
    let Some((mut asking, out)) = asking(&scene, "refused-one") else { return };
    let mut up = scene.command(["up", "system.kdl", "--store", "store"]);
    let mut up =
        Running(up.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let expected = [
        format!("refused-one (python3) may not write to {here}/kept/old: holds kept read modify create\n"),
        "refused-one (python3) may not connect to 127.0.0.1:9 over TCP: connect port-9 tcp=\"127.0.0.1:9\"; \
         holds port-9 connect\n"
            .to_owned(),
        "refused-one (python3) may not call unshare: syscalls \"namespaces\"\n".to_owned(),
        "refused-one may not call unshare: 10 times by now\n".to_owned(),
        "refused-one (python3) may not call recvmsg: descriptors are passed by it, and none may cross `refused-one.notes`, \
         which is `data-only`: send and recv do without\n"
            .to_owned(),
    ];
    until("all of it is told", || {
        assert!(up.0.try_wait().unwrap().is_none(), "the system ended");
        let out = out.lock().unwrap();
        expected.iter().all(|line| out.contains(line.as_str()))
    });
    kill_process(Pid::from_child(&asking.0), Signal::TERM).unwrap();
    assert_eq!(asking.0.wait().unwrap().code(), Some(0));
    until("the sum is told", || out.lock().unwrap().contains("call unshare: 10 times in all\n"));
    let out = out.lock().unwrap();
    assert!(!out.contains("refused-two"), "only what was asked for is told:\n{out}");
}

#[test]
fn why_something_was_denied_is_told_to_root_alone() {
    let scene = Scene::new("why-denied-plain");
    scene.plain_capc(["why-denied"]).exits(3).complains("only root may read");
}

const TRIED: &str = r#"
import os, socket, time
def tried(what):
    try: what()
    except OSError as error: print(error, flush=True)
def unix(kind, path): socket.socket(socket.AF_UNIX, kind).connect(path)
tried(lambda: open("HERE/hidden"))
tried(lambda: open("HERE/read/old", "a"))
tried(lambda: open("HERE/read/new", "w"))
tried(lambda: open("HERE/mine/secret"))
tried(lambda: open("/dev/shm/mine", "w"))
tried(lambda: os.spawnv(os.P_WAIT, "/usr/bin/id", ["id"]))
tried(lambda: os.spawnv(os.P_WAIT, "HERE/read/old", ["old"]))
tried(lambda: unix(socket.SOCK_STREAM, "\0capc-nobody"))
tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
tried(lambda: os.kill(1, 15))
tried(lambda: os.nice(-5))
tried(lambda: open("/dev/ptmx"))
tried(lambda: unix(socket.SOCK_STREAM, "/run/other/talk"))
"#;

/// Asks by following system calls, before anything runs, what a service is denied that ends at once.
fn traced(scene: &Scene, service: &str) -> String {
    let mut command = scene.command(["why-denied", service, "--trace"]);
    let mut child: Child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (heard(child.stdout.take().unwrap()), heard(child.stderr.take().unwrap()));
    let mut asking = Running(child);
    until("it follows", || err.lock().unwrap().contains("following"));
    scene.capc(["up", "system.kdl", "--store", "store"]).exits(0);
    kill_process(Pid::from_child(&asking.0), Signal::TERM).unwrap();
    assert_eq!(asking.0.wait().unwrap().code(), Some(0), "{}", err.lock().unwrap());
    until("the last of it is told", || out.lock().unwrap().contains("/run/other/talk"));
    let out = out.lock().unwrap();
    out.clone()
}

#[test]
fn what_a_world_does_not_have_is_told_of_a_service_that_is_followed() {
    let scene = Scene::new("why-denied-trace");
    let here = scene.path.display().to_string();
    for name in ["hidden", "read/old", "mine/secret"] {
        scene.write(name, "text\n");
    }
    std::fs::set_permissions(scene.path.join("read/old"), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(scene.path.join("mine/secret"), PermissionsExt::from_mode(0o000)).unwrap();
    let service = r#"system tries
dir read "HERE/read"
dir mine "HERE/mine"
service job {
    run "/usr/bin/python3" "HERE/tried.py"
    image "std:python3"
    config "HERE/tried.py"
    holds read read
    holds mine read
    oneshot
}
service other {
    run "/bin/sh" "-c" "read -r x </etc/hostname || true"
    oneshot
    provides talk socket="/run/other/talk"
}
"#;
    scene.write("tried.py", TRIED.replace("HERE", &here));
    scene.write("system.kdl", service.replace("HERE", &here));
    let told = traced(&scene, "job");
    for line in [
        format!("find {here}/hidden: file hidden \"{here}/hidden\"; holds hidden read\n"),
        format!("write to {here}/read/old: holds read read modify\n"),
        format!("make a file in {here}/read: holds read read create\n"),
        format!("execute {here}/read/old: holds read read exec\n"),
        "find and execute /usr/bin/id: image \"/usr/bin/id\"\n".to_owned(),
        "make /dev/shm/mine: scratch \"/dev/shm\"\n".to_owned(),
        "connect to the abstract socket @capc-nobody: nothing grants it: what has no path".to_owned(),
        "find the socket /run/other/talk: holds other.talk connect\n".to_owned(),
        "make a socket of AF_INET for datagrams: network net; holds net use\n".to_owned(),
        "signal a process outside of its world, or its keeper: nothing grants it".to_owned(),
        "call setpriority: privilege sys-nice \"CAP_SYS_NICE\"; holds sys-nice use\n".to_owned(),
        "find /dev/ptmx: device ptmx \"/dev/ptmx\"; holds ptmx read\n".to_owned(),
    ] {
        assert!(told.contains(&format!("job (python3) may not {line}")), "{line} is not in\n{told}");
    }
    if is_root() {
        let line =
            format!("use {here}/mine/secret: granted, but its owner and mode keep it from the service");
        assert!(told.contains(&line), "{line} is not in\n{told}");
    }
    assert!(!told.contains("other ("), "only what was asked for is told:\n{told}");
}

#[test]
fn a_service_that_does_not_run_is_asked_for_with_a_word_about_it() {
    let scene = Scene::new("why-denied-nobody");
    let asked = scene.plain_capc(["why-denied", "capc-nobody", "--trace", "--seconds", "1"]).exits(0);
    asked.complains("no service `capc-nobody` runs here by now").complains("nothing was denied");
}

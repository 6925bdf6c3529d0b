//! `capc why-denied`: what a running service is refused becomes a line with the statement that would grant it.

use crate::scene::{Running, Scene, needs_root, until};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
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

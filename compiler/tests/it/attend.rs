//! What another init has done for it: descriptors passed, readiness told, channels kept. The test is the init.

use crate::scene::{Running, Scene, needs_root, run, until};
use crate::transaction::{make_key, reconfigure};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix, SocketFlags,
    SocketType, sockopt,
};
use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// An init with a `/run` of its own, as a machine has one.
struct Init {
    scene: Scene,
    /// A process in the mount namespace.
    inside: Running,
    notify: OwnedFd,
}

/// One datagram of the sd_notify(3) protocol.
#[derive(Debug)]
struct Word {
    text: String,
    along: Option<OwnedFd>,
}

impl Init {
    fn new(scene: Scene) -> Self {
        let mut inside = Command::new("unshare");
        let script = "mount -t tmpfs tmpfs /run && echo ready && exec sleep 1000";
        inside.args(["--mount", "--propagation", "private", "sh", "-c", script]).stdout(Stdio::piped());
        let mut inside = Running(inside.spawn().unwrap());
        inside.0.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
        let path = scene.path.join("notify");
        let notify =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
                .unwrap();
        rustix::net::bind(&notify, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        sockopt::set_socket_timeout(&notify, sockopt::Timeout::Recv, Some(Duration::from_secs(60))).unwrap();
        Self { scene, inside, notify }
    }

    /// Returns the launcher and the generation.
    fn sealed(&self) -> [PathBuf; 2] {
        let store = self.scene.path.join("store");
        let launcher = std::fs::read_link(store.join("trust/1")).unwrap();
        [store.join("trust").join(launcher), store.join("generations/1")]
    }

    /// Returns a command in the namespace, by a shell that is told the descriptors to put from 3 on.
    fn command(&self, descriptors: &[OwnedFd], words: &[&str]) -> Command {
        let mut script = String::new();
        for (descriptor, number) in descriptors.iter().zip(3..) {
            // The shell must have them; what it execs has them from 3 on alone.
            rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::empty()).unwrap();
            let high = rustix::io::fcntl_dupfd_cloexec(descriptor, 200 + number).unwrap();
            rustix::io::fcntl_setfd(&high, rustix::io::FdFlags::empty()).unwrap();
            script += &format!("exec {number}<&{0} {0}<&-; ", high.as_raw_fd());
            std::mem::forget(high);
        }
        script += "export LISTEN_PID=$$; exec \"$@\"";
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.inside.0.id().to_string(), "--"]);
        command.args(["bash", "-c", &script, "bash", env!("CARGO_BIN_EXE_capc")]).args(words);
        command.env("NOTIFY_SOCKET", self.scene.path.join("notify"));
        command.env("LISTEN_FDS", descriptors.len().to_string());
        command
    }

    /// Returns capc that does one thing for the generation.
    fn prepare(&self, descriptors: &[OwnedFd], what: &str) -> Command {
        let [_, generation] = self.sealed();
        self.command(descriptors, &[what, generation.to_str().unwrap()])
    }

    fn attend(&self, words: &[&str], service: &str) -> Command {
        let sealed = self.sealed();
        let mut all = vec!["attend"];
        all.extend(words);
        all.extend(sealed.iter().map(|path| path.to_str().unwrap()));
        all.push(service);
        self.command(&[], &all)
    }

    /// Returns what it is told first of each service: what that is started from.
    fn status(&self) -> String {
        let [_, generation] = self.sealed();
        format!("STATUS={}", generation.display())
    }

    fn hear(&self) -> Word {
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let parts = &mut [IoSliceMut::new(&mut bytes)];
        let length =
            rustix::net::recvmsg(&self.notify, parts, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap().bytes;
        let along = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
            _ => None,
        });
        Word { text: String::from_utf8(bytes[..length].to_vec()).unwrap(), along }
    }
}

fn process(number: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{number}"))
}

fn redis(name: &str) -> Option<Init> {
    if !needs_root("attending services") {
        return None;
    }
    let scene = Scene::new(name);
    let kept = scene.path.join("kept");
    scene.write(
        "system.kdl",
        format!(
            r#"system attended
state kept {kept:?}
service redis {{
    run "/usr/bin/redis-server" "--port" "0" "--unixsocket" "/run/redis/redis.sock" "--dir" {kept:?} "--logfile" "/dev/null"
    holds kept read write
    provides api socket="/run/redis/redis.sock"
}}
service asker {{
    run "/usr/bin/redis-cli" "-s" "/run/redis/redis.sock" "ping"
    oneshot
    holds redis.api
}}
"#
        ),
    );
    make_key(&scene, "key", "");
    reconfigure(&scene, &["--yes"]).exits(0);
    let init = Init::new(scene);
    run(init.prepare(&[], "facets")).exits(0);
    Some(init)
}

const READY: [&str; 2] = ["--ready-socket", "/run/redis/redis.sock"];

#[test]
fn an_init_hears_that_a_service_is_ready_when_its_socket_listens() {
    let Some(init) = redis("attend-ready") else { return };
    // What it starts has its standard output, and goes on.
    let status = init.attend(&READY, "redis").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success());
    assert_eq!(init.hear().text, init.status());
    let word = init.hear().text;
    let (main, rest) = word.strip_prefix("MAINPID=").unwrap().split_once('\n').unwrap();
    assert_eq!(rest, "READY=1");
    let main_process = process(main);
    assert!(std::fs::read_to_string(main_process.join("comm")).unwrap().starts_with("redis"));
    // At once, since it listens: no second try.
    run(init.attend(&["--wait"], "asker")).exits(0).says("PONG");
    // A second look at facets leaves the socket where it is.
    run(init.prepare(&[], "facets")).exits(0);
    run(init.attend(&["--wait"], "asker")).exits(0).says("PONG");
    let pid = rustix::process::Pid::from_raw(main.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    until("redis has ended", || !main_process.exists());
}

#[test]
fn who_stays_hands_signals_on_and_ends_as_the_service_does() {
    let Some(init) = redis("attend-stay") else { return };
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::KILL] {
        let mut command = init.attend(&["--wait", "--say-ready", "1", READY[0], READY[1]], "redis");
        let mut attendant = Running(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut said = [0];
        attendant.0.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"1");
        let main = children_named("redis-server", &attendant.0);
        assert_eq!(main.len(), 1, "{main:?}");
        rustix::process::kill_process(rustix::process::Pid::from_child(&attendant.0), signal).unwrap();
        let status = attendant.0.wait().unwrap();
        if signal == rustix::process::Signal::TERM {
            assert_eq!(status.code(), Some(0));
        }
        // Killed, it hands nothing on; the world ends with it nevertheless.
        until("the world has ended", || !process(&main[0]).exists());
    }
}

#[test]
fn a_service_that_ends_before_it_listens_was_never_ready() {
    let Some(init) = redis("attend-unready") else { return };
    let attendant = run(init.attend(&["--ready-socket", "/run/redis/other.sock"], "asker"));
    attendant.exits(3).complains("`asker` ended before its sockets listened");
    run(init.attend(&["--ready-port", "1"], "nobody")).exits(77);
    // One that goes on and never listens has its time.
    let late = ["--wait", "--within", "300", "--ready-socket", "/run/redis/other.sock", "--say-end", "1"];
    run(init.attend(&late, "redis")).exits(3).complains("`redis` was not ready within its time");
    let ends = run(init.attend(&["--wait", "--say-ready", "1", "--say-end", "1"], "nobody")).exits(77);
    assert!(ends.out.ends_with("e77\n"), "{}", ends.out);
}

fn children_named(name: &str, parent: &Child) -> Vec<String> {
    let all = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", parent.id())).unwrap();
    let is_named = |pid: &&str| {
        std::fs::read_to_string(process(pid).join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    };
    all.split_ascii_whitespace().filter(is_named).map(str::to_owned).collect()
}

#[test]
fn a_channel_outlives_its_keeper_and_not_its_grant() {
    if !needs_root("keeping channels") {
        return;
    }
    let scene = Scene::new("attend-channels");
    let place = scene.copy("testdata/system/hello");
    std::fs::copy(place.join("system.kdl"), scene.path.join("system.kdl")).unwrap();
    for name in ["bin", "greetings"] {
        std::fs::rename(place.join(name), scene.path.join(name)).unwrap();
    }
    make_key(&scene, "key", "");
    reconfigure(&scene, &["--yes"]).exits(0);
    let init = Init::new(scene);
    let keeper = |stored: &[OwnedFd], names: &str| {
        let mut command = init.prepare(stored, "channels");
        Running(command.env("LISTEN_FDNAMES", names).spawn().unwrap())
    };
    let first = keeper(&[], "");
    let mut stored: Vec<(String, OwnedFd)> = Vec::new();
    loop {
        let word = init.hear();
        if let (Some(name), Some(end)) = (word.text.strip_prefix("FDSTORE=1\nFDNAME="), word.along) {
            stored.push((name.to_owned(), end));
        }
        if word.text == "READY=1" {
            break;
        }
    }
    assert_eq!(stored.len(), 2);
    let greeter = init.attend(&["--wait", "--pass", "channel:hello.visitor"], "greeter").spawn().unwrap();
    let greeter = Running(greeter);
    assert_eq!(init.hear().text, init.status());
    assert_eq!(init.hear().text, "READY=1");
    until("the greeter runs", || !children_named("greeter", &greeter.0).is_empty());
    drop(first);
    let visit = |expected: i32| {
        run(init.attend(&["--wait", "--pass", "channel:greeter.hello"], "visitor")).exits(expected)
    };
    visit(3).complains("cannot get the channel `greeter.hello` of `visitor`");
    // The next keeper has the same pair, of which the greeter still has one end, and forgets one that nobody is granted.
    let (other, _) = std::os::unix::net::UnixStream::pair().unwrap();
    stored.push(("maker-of-nothing".to_owned(), other.into()));
    let names: Vec<String> = stored.iter().map(|(name, _)| name.clone()).collect();
    let ends: Vec<OwnedFd> = stored.into_iter().map(|(_, end)| end).collect();
    let _second = keeper(&ends, &names.join(":"));
    assert_eq!(init.hear().text, "FDSTOREREMOVE=1\nFDNAME=maker-of-nothing");
    assert_eq!(init.hear().text, "READY=1");
    visit(0).says("Hello! You asked");
    run(init.attend(&["--pass", "channel:prowler"], "greeter")).exits(3).complains("knows no such end");
}

/// Says what only its launcher may say, from more and more processes.
const FORGER: &str = r#"import os, socket
victim = open("/given/victim").read().strip()
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
while True:
    if os.fork() == 0:
        notify.send(f"MAINPID={victim}".encode())
        os._exit(0)
    os.wait()
"#;

/// Attends it in a PID namespace, where the number of its launcher, which has ended, is the next one again and again.
const AGAIN: &str = r#"
sleep 1000 < /dev/null > /dev/null 2>&1 &
victim=$!
echo $victim > given/victim
"$@" &
attendant=$!
while kill -0 $attendant 2> /dev/null; do
    echo $attendant > /proc/sys/kernel/ns_last_pid
done
wait $attendant
echo "status $?"
kill -0 $victim && echo "the other one lives"
"#;

#[test]
fn a_service_that_gets_its_launchers_number_speaks_for_no_other_process() {
    if !needs_root("forged words to the attendant") {
        return;
    }
    let scene = Scene::new("attend-forged");
    scene.write("given/forger.py", FORGER);
    scene.write("given/victim", "");
    let given = scene.path.join("given");
    scene.write(
        "system.kdl",
        format!(
            "system forged\ndir given {given:?}\nservice forger {{\n    run \"/usr/bin/python3\" \"/given/forger.py\"\n    \
             image \"std:python3\"\n    holds given at=\"/given\"\n    ready \"notify\"\n    \
             provides up tcp=\"127.0.0.1:8471\"\n}}\n"
        ),
    );
    make_key(&scene, "key", "");
    reconfigure(&scene, &["--yes"]).exits(0);
    let init = Init::new(scene);
    let sealed = init.sealed();
    let mut command = Command::new("nsenter");
    command.args([
        "--mount",
        "--target",
        &init.inside.0.id().to_string(),
        "--",
        "unshare",
        "--pid",
        "--fork",
    ]);
    command.args(["--kill-child", "--mount-proc", "sh", "-c", AGAIN, "sh", env!("CARGO_BIN_EXE_capc")]);
    command.args(["attend", "--wait", "--ready-notify", "--within", "3000"]).args(&sealed).arg("forger");
    command.current_dir(&init.scene.path);
    let run = run(command);
    assert!(run.out.contains("status 3\nthe other one lives"), "{}\n{}", run.out, run.err);
}

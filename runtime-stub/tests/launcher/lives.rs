//! How a world begins and ends: what the init is told, and who takes whom along.

use crate::generation::{Store, USER};
use crate::world::{Caller, Scratch, World, pass, refused};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, test_kill_process, waitpid};
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const BOTH: [Caller; 2] = [Caller::Root, Caller::User];

/// A service that was started without the launcher staying.
struct Started {
    service: Pid,
    keeper: Pid,
    ready: bool,
    stdout: Option<std::process::ChildStdout>,
    socket: UnixDatagram,
    /// Keeps what the service is made of.
    _store: Store,
    _scratch: Scratch,
}

pub fn number(text: &str, name: &str) -> Pid {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_else(|| panic!("no {name} in {text}"));
    Pid::from_raw(value.parse().unwrap()).unwrap()
}

fn start(caller: Caller, world: &World, life: Option<i32>) -> Started {
    let scratch = Scratch::new(caller);
    let path = scratch.path.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let store = world.store();
    let mut command = store.command(caller, &[]);
    // As short an environment as an init's.
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("NOTIFY_SOCKET", &path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(life) = life {
        pass(&mut command, &[life]);
        command.env("CAPC_LIFE", "3");
    }
    let mut child = command.spawn().unwrap();
    let stdout = child.stdout.take();
    let mut complaint = child.stderr.take().unwrap();
    assert!(child.wait().unwrap().success(), "{}", std::io::read_to_string(&mut complaint).unwrap());
    let text = receive(&socket);
    let (service, keeper) = (number(&text, "MAINPID="), number(&text, "X_CAPC_KEEPER="));
    let ready = text.lines().any(|line| line == "READY=1");
    Started { service, keeper, ready, stdout, socket, _store: store, _scratch: scratch }
}

pub fn receive(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

/// Waits for the end of a process that the launcher left to us.
pub fn end(pid: Pid) -> WaitStatus {
    let begin = Instant::now();
    loop {
        match waitpid(Some(pid), WaitOptions::NOHANG).unwrap() {
            Some((_, status)) => return status,
            None => assert!(begin.elapsed() < Duration::from_secs(20), "{pid:?} does not end"),
        }
        std::thread::yield_now();
    }
}

fn killed(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_init_is_told_its_own_children() {
    for caller in BOTH {
        let started = start(caller, &World::program(caller, &["/bin/sleep", "1000"]), None);
        assert!(started.ready);
        // Nothing of the host's mounts stays in use by a world.
        for process in [started.service, started.keeper] {
            let links = ["root", "cwd"].map(|link| format!("/proc/{}/{link}", process.as_raw_pid()));
            let [root, cwd] =
                links.map(|link| fs::metadata(link).map(|found| (found.dev(), found.ino())).unwrap());
            assert_eq!(root, cwd);
            assert_ne!(root, fs::metadata("/").map(|found| (found.dev(), found.ino())).unwrap());
        }
        kill_process(started.service, Signal::TERM).unwrap();
        assert_eq!(end(started.service).terminating_signal(), Some(Signal::TERM.as_raw()));
        assert!(end(started.keeper).exited(), "the keeper ends with the service");
    }
}

#[test]
fn a_keeper_says_for_what_it_lives() {
    for caller in BOTH {
        // Where the command line lies on its page is chance.
        for _ in 0..12 {
            let started = start(caller, &World::program(caller, &["/bin/sleep", "1000"]), None);
            let line = fs::read_to_string(format!("/proc/{}/cmdline", started.keeper.as_raw_pid())).unwrap();
            let words: Vec<&str> = line.split_terminator('\0').collect();
            assert!(words.len() >= 3 && words.iter().all(|word| !word.is_empty()), "{words:?}");
            kill_process(started.service, Signal::TERM).unwrap();
            end(started.service);
            end(started.keeper);
        }
    }
}

#[test]
fn what_a_service_leaves_behind_ends_with_it() {
    for caller in BOTH {
        let started = start(caller, &World::shell(caller, "sleep 1000 & echo begun; exit 7"), None);
        assert_eq!(end(started.service).exit_status(), Some(7));
        end(started.keeper);
        // The pipe closes when the last process of the world is gone.
        assert_eq!(std::io::read_to_string(started.stdout.unwrap()).unwrap(), "begun\n");
    }
}

#[test]
fn without_its_keeper_a_service_ends() {
    for caller in BOTH {
        let started = start(caller, &World::program(caller, &["/bin/sleep", "1000"]), None);
        kill_process(started.keeper, Signal::KILL).unwrap();
        assert_eq!(end(started.service).terminating_signal(), Some(Signal::KILL.as_raw()));
        end(started.keeper);
    }
}

#[test]
fn without_its_supervisor_a_world_ends() {
    for caller in BOTH {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let world = World::program(caller, &["/bin/sleep", "1000"]);
        let started = start(caller, &world, Some(read.as_raw_fd()));
        test_kill_process(started.service).unwrap();
        drop(write);
        assert_eq!(end(started.service).terminating_signal(), Some(Signal::KILL.as_raw()));
        end(started.keeper);
    }
}

#[test]
fn a_launcher_that_is_killed_leaves_nothing() {
    for caller in BOTH {
        // While it prepares.
        let lines =
            ["prepare /usr/bin/sh", "prepare-arg -c", "prepare-arg echo%20begun;%20exec%20sleep%201000"];
        let store = World::shell(caller, "echo never").with(&lines).store();
        let mut command = store.command(caller, &[]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        std::io::Read::read_exact(&mut stdout, &mut [0; 6]).unwrap();
        killed(&mut child);
        assert_eq!(std::io::read_to_string(stdout).unwrap(), "");
        // While it waits.
        let store = World::shell(caller, "echo begun; sleep 1000; echo never").store();
        let mut child = store.waiting(caller).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        std::io::Read::read_exact(&mut stdout, &mut [0; 6]).unwrap();
        killed(&mut child);
        assert_eq!(std::io::read_to_string(stdout).unwrap(), "");
    }
}

#[test]
fn a_launcher_that_stays_hands_signals_on() {
    for caller in BOTH {
        let script = "trap 'echo got; exit 5' USR1; echo begun; while :; do sleep 1000 & wait; done";
        let store = World::shell(caller, script).store();
        let mut child = store.waiting(caller).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        std::io::Read::read_exact(&mut stdout, &mut [0; 6]).unwrap();
        let launcher = Pid::from_child(&child);
        // The launcher waits for signals once the service runs; until then they would end it, and the world with it.
        let call = || fs::read_to_string(format!("/proc/{}/syscall", launcher.as_raw_pid())).unwrap();
        while !call().starts_with("128 ") {
            std::thread::yield_now();
        }
        kill_process(launcher, Signal::USR1).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(5));
        assert_eq!(std::io::read_to_string(stdout).unwrap(), "got\n");
    }
}

#[test]
fn a_service_tells_the_init_itself_when_it_is_ready() {
    for caller in BOTH {
        let mut world = World::program(caller, &["/usr/bin/perl", "-e", TELL]);
        world.programs.push("/usr/bin/perl");
        world.ready = "notify";
        let started = start(caller, &world.with(&["notify /run/notify"]), None);
        assert!(!started.ready);
        assert_eq!(receive(&started.socket), "READY=1");
        end(started.service);
        end(started.keeper);
    }
}

/// `sendto` of READY=1 to $NOTIFY_SOCKET without any module: numbers are those of x86_64.
const TELL: &str = r#"socket(my $s, 1, 2, 0) or die "socket $!"; my $a = pack("S a*", 1, $ENV{NOTIFY_SOCKET}); defined send($s, "READY=1", 0, $a) or die "send $!";"#;

#[test]
fn a_service_that_tells_needs_someone_to_tell() {
    for caller in BOTH {
        let mut world = World::shell(caller, "echo never");
        world.ready = "notify";
        refused(
            &world.with(&["notify /run/notify"]).output(),
            "notification: the service tells when it is ready",
        );
    }
}

#[test]
fn a_service_that_ends_at_once_has_started() {
    for caller in BOTH {
        let store = World::program(caller, &["/bin/true"]).store();
        for _ in 0..50 {
            let output = store.command(caller, &[]).output().unwrap();
            assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
        }
    }
}

#[test]
fn descriptors_on_their_way_elsewhere_keep_nobody_from_starting() {
    // The kernel counts by user, and lets one with more of them on their way than a process may have open send no more.
    let (one, _other) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    let send = || {
        let (user, root) = (rustix::process::Uid::from_raw(USER), rustix::process::Uid::ROOT);
        rustix::thread::set_thread_res_uid(user, root, root).unwrap();
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(100))];
        let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
        let descriptors = [one.as_fd(); 100];
        assert!(control.push(rustix::net::SendAncillaryMessage::ScmRights(&descriptors)));
        let text = [std::io::IoSlice::new(b".")];
        rustix::net::sendmsg(&one, &text, &mut control, rustix::net::SendFlags::empty()).unwrap();
    };
    std::thread::scope(|scope| scope.spawn(send).join().unwrap());
    let store = World::shell(Caller::User, "echo hello").store();
    let mut command = store.waiting(Caller::User);
    let limit = || {
        let few = rustix::process::Rlimit { current: Some(60), maximum: Some(60) };
        Ok(rustix::process::setrlimit(rustix::process::Resource::Nofile, few)?)
    };
    // SAFETY: one system call.
    unsafe { std::os::unix::process::CommandExt::pre_exec(&mut command, limit) };
    let output = command.output().unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.stdout.as_slice(), complained.as_ref()), (&b"hello\n"[..], ""));
}

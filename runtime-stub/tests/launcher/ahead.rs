//! Worlds that are built before they are to start.

use crate::generation::Store;
use crate::lives::{end, number, receive};
use crate::world::{Caller, Scratch, World, facet, pass, refused};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Child, Stdio};
use std::time::Duration;

const BOTH: [Caller; 2] = [Caller::Root, Caller::User];

/// A world that waits for its start.
struct Waiting {
    launcher: Child,
    start: Option<fs::File>,
    socket: UnixDatagram,
    /// Keeps the notification socket's place.
    _scratch: Scratch,
}

fn build(caller: Caller, store: &Store) -> Waiting {
    let scratch = Scratch::new(caller);
    let path = scratch.path.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let (read, write): (OwnedFd, OwnedFd) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let mut command = store.command(caller, &[]);
    command.env("NOTIFY_SOCKET", &path).env("CAPC_START", "3");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    pass(&mut command, &[read.as_raw_fd()]);
    let launcher = command.spawn().unwrap();
    assert_eq!(receive(&socket), "X_CAPC_BUILT=1");
    Waiting { launcher, start: Some(write.into()), socket, _scratch: scratch }
}

/// Returns the processes in whose world no host's mount is: those that the launcher has made.
fn made_by(launcher: &Child) -> Vec<Pid> {
    let own = fs::read_link(format!("/proc/{}/ns/mnt", launcher.id())).unwrap();
    let numbers = fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|number| fs::read_link(format!("/proc/{number}/ns/mnt")).is_ok_and(|found| found == own))
        .filter(|number: &i32| u32::try_from(*number) != Ok(launcher.id()))
        .filter_map(Pid::from_raw)
        .collect()
}

/// Waits for the end of a service and of its keeper, which cannot end before the service was waited for.
fn all_end(made: &[Pid]) {
    let name = |pid: &Pid| fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_pid())).unwrap();
    let (keepers, services): (Vec<Pid>, Vec<Pid>) =
        made.iter().partition(|process| name(process) == "capc-keeper\n");
    assert_eq!((keepers.len(), services.len()), (1, 1));
    services.into_iter().chain(keepers).for_each(|process| {
        end(process);
    });
}

#[test]
fn the_program_begins_when_it_is_told_to() {
    for caller in BOTH {
        let store = World::shell(caller, "echo begun; exit 7").store();
        let mut waiting = build(caller, &store);
        // All of the world is there, and confined, but for the program.
        let made = made_by(&waiting.launcher);
        assert_eq!(made.len(), 2, "{made:?}");
        let status = |pid: &Pid| fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).unwrap();
        for process in &made {
            assert!(status(process).contains("Seccomp:\t2"), "{}", status(process));
            assert!(status(process).contains("NoNewPrivs:\t1"), "{}", status(process));
        }
        std::thread::sleep(Duration::from_millis(50));
        assert!(waiting.launcher.try_wait().unwrap().is_none());
        waiting.start.as_mut().unwrap().write_all(b".").unwrap();
        let text = receive(&waiting.socket);
        assert!(text.contains("READY=1"), "{text}");
        let (service, keeper) = (number(&text, "MAINPID="), number(&text, "X_CAPC_KEEPER="));
        assert!(made.contains(&service) && made.contains(&keeper));
        assert_eq!(end(service).exit_status(), Some(7));
        end(keeper);
        let output = waiting.launcher.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"begun\n"[..]));
    }
}

#[test]
fn a_world_that_is_never_to_start_leaves_nothing() {
    for caller in BOTH {
        let store = World::shell(caller, "echo never").store();
        // Its supervisor lets go of it, or is killed.
        let mut waiting = build(caller, &store);
        let made = made_by(&waiting.launcher);
        drop(waiting.start.take());
        all_end(&made);
        let output = waiting.launcher.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]));
        // The launcher is killed.
        let mut waiting = build(caller, &store);
        let made = made_by(&waiting.launcher);
        waiting.launcher.kill().unwrap();
        all_end(&made);
        assert_eq!(waiting.launcher.wait_with_output().unwrap().stdout, b"");
        // The keeper is killed: that is told at once, not when it is to start.
        let mut waiting = build(caller, &store);
        let made = made_by(&waiting.launcher);
        let name = |pid: &Pid| fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_pid())).unwrap();
        let keeper = made.iter().find(|process| name(process) == "capc-keeper\n").unwrap();
        kill_process(*keeper, Signal::KILL).unwrap();
        all_end(&made);
        let _start = waiting.start.take();
        let output = waiting.launcher.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "capc launcher: program: its process ended while it waited to begin\n");
        // It is not refused: a supervisor may try again.
        assert_eq!(output.status.code(), Some(126));
        assert_eq!(output.stdout, b"");
        assert!(waiting.socket.set_nonblocking(true).is_ok());
        assert!(waiting.socket.recv(&mut [0]).is_err(), "a process that is gone was named");
    }
}

#[test]
fn a_socket_of_the_run_before_stays_until_the_start() {
    for caller in BOTH {
        let lines =
            ["facet /run/it it.sock make 4711 4712", "allow /run/it read,modify,create,remove,socket"];
        let world = World::shell(caller, "ls /run/it").with(&lines).with(&["unlink /run/it/left"]);
        let store = world.store();
        let owner = if caller == Caller::Root { (4711, 4712) } else { (4000, 4000) };
        let facet = facet(&store, "it.sock", owner);
        let left = UnixListener::bind(facet.path.join("left")).unwrap();
        let mut waiting = build(caller, &store);
        assert!(facet.path.join("left").exists(), "what still runs may listen there");
        waiting.start.as_mut().unwrap().write_all(b".").unwrap();
        let text = receive(&waiting.socket);
        end(number(&text, "MAINPID="));
        end(number(&text, "X_CAPC_KEEPER="));
        let output = waiting.launcher.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]));
        drop(left);
    }
}

#[test]
fn what_lets_a_world_start_is_not_what_the_service_is_given() {
    for caller in BOTH {
        let store = World::shell(caller, "echo never").with(&["descriptor 3 listen one"]).store();
        for number in ["77", "3"] {
            let mut command = store.command(caller, &[]);
            let (read, _write) = rustix::pipe::pipe().unwrap();
            pass(&mut command, &[read.as_raw_fd()]);
            let words = match number {
                "77" => "descriptors: CAPC_START names no open descriptor",
                _ => "what the launcher is passed for itself stands where a granted one must",
            };
            refused(&command.env("CAPC_START", number).output().unwrap(), words);
        }
    }
}

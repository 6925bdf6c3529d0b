//! What a supervisor that runs can be asked, and what it keeps of what services print.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use capc_supervisor::{Answer, Ps, Ready, Request, Restart, Service, SignalName, Until, ask, log_path};
use rustix::process::Signal;

use crate::handing::{free_port, listen};
use crate::scene::{Scene, at, service, wait};

/// Waits until it is told to end, and tells what it hears.
const ATTENTIVE: &str =
    "trap 'echo heard HUP' HUP; trap 'exit 0' TERM; echo here; while :; do sleep 0.05; done";

#[track_caller]
fn list(scene: &Scene) -> Ps {
    match ask(&scene.path("runtime"), &Request::Ps).unwrap() {
        Answer::Ps { ps } => ps,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(scene: &Scene, request: Request, expected: &str) {
    let answer = match ask(&scene.path("runtime"), &request).unwrap() {
        Answer::Done { state } => state,
        Answer::Refused { why } => why,
        Answer::Ps { ps } => ps.to_string(),
    };
    assert_eq!(answer, expected, "{request:?}");
}

fn stop(service: &str) -> Request {
    Request::Stop { service: service.into() }
}

fn restart(service: &str) -> Request {
    Request::Restart { service: service.into() }
}

fn reload(service: &str) -> Request {
    Request::Reload { service: service.into() }
}

#[test]
fn the_list_says_how_every_service_is() {
    let mut scene = Scene::new();
    scene.add(
        Service { ready: Ready::Notify, ..service("web") },
        "exec $ACTOR --notify 'STATUS=fine\nREADY=1' sleep 600",
    );
    scene.add(Service { oneshot: true, ..service("setup") }, "true");
    let schedule = Some("2199-12-31 UTC".to_owned().try_into().unwrap());
    scene.add(Service { oneshot: true, schedule, ..service("nightly") }, "true");
    scene.start();
    scene.expect_all(&["web ready after", "setup ended well"]);
    let ps = list(&scene);
    let states: Vec<(&str, &str)> =
        ps.services.iter().map(|service| (service.name.as_str(), service.state.as_str())).collect();
    assert_eq!(states, [("web", "running"), ("setup", "ended"), ("nightly", "resting")]);
    assert_eq!(ps.system, "test");
    assert_eq!(ps.services[0].status.as_deref(), Some("fine"));
    assert_eq!(ps.services[2].next.as_deref(), Some("2199-12-31T00:00:00Z"));
    let pid = ps.services[0].pid.unwrap();
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists() && ps.services[1].pid.is_none());
    let shown = ps.to_string();
    assert!(shown.starts_with("NAME     STATE    FOR"), "{shown}");
    assert!(shown.contains(&format!("{pid}  0         fine\n")), "{shown}");
    scene.signal(Signal::TERM);
    scene.end("stopped");
    assert!(
        ask(&scene.path("runtime"), &Request::Ps)
            .unwrap_err()
            .to_string()
            .starts_with("no supervisor runs in")
    );
}

#[test]
fn one_service_is_stopped_started_again_and_reloaded_while_others_go_on() {
    let mut scene = Scene::new();
    let web = Service { restart: Restart::Always, reload: Some(SignalName::Hup), ..service("web") };
    scene.add(web, ATTENTIVE);
    scene.add(Service { waits: vec![wait("web", Until::Ready)], ..service("page") }, ATTENTIVE);
    scene.start();
    scene.expect_all(&["web  | here", "page | here"]);
    check(&scene, reload("web"), "running");
    scene.expect("web  | heard HUP");
    check(
        &scene,
        reload("page"),
        "`page` has no signal to reload by: its configuration would say `reload signal=\"HUP\"`",
    );
    check(&scene, stop("web"), "stopped");
    check(&scene, reload("web"), "`web` does not run: it is stopped");
    check(&scene, restart("web"), "running");
    check(&scene, restart("page"), "running");
    check(&scene, stop("nobody"), "no service is named `nobody`");
    check(&scene, stop("page"), "stopped");
    check(&scene, stop("web"), "stopped");
    scene.end("all ended well");
}

#[test]
fn nonsense_and_silence_disturb_nobody() {
    let mut scene = Scene::new();
    scene.add(service("web"), ATTENTIVE);
    scene.start();
    scene.expect("here");
    let control = scene.path("runtime/control");
    assert_eq!(std::fs::metadata(&control).unwrap().permissions().mode() & 0o777, 0o600);
    let _silent: Vec<UnixStream> = (0..8).map(|_| UnixStream::connect(&control).unwrap()).collect();
    for question in ["{\"do\":\"dance\"}\n", "{\"do\":\"stop\"}\n", "\n", "ps\n"] {
        let mut socket = UnixStream::connect(&control).unwrap();
        socket.write_all(question.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with("{\"answer\":\"refused\",\"why\":\"this is no question"),
            "{question}: {answer}"
        );
    }
    // One too long, and one that is never finished.
    let mut long = UnixStream::connect(&control).unwrap();
    let _ = long.write_all(&[b'x'; 10_000]);
    UnixStream::connect(&control).unwrap().write_all(b"{\"do\"").unwrap();
    assert_eq!(list(&scene).services.len(), 1);
    scene.signal(Signal::TERM);
    scene.end("stopped");
    assert!(!control.exists());
}

#[test]
fn what_a_service_printed_and_what_was_said_of_it_is_kept() {
    let mut scene = Scene::new();
    scene.add(Service { name: "shop-web".into(), ..service("shop-web") }, "echo one; echo two >&2; exit 3");
    scene.add(service("other"), "echo other");
    scene.start();
    scene.end("failed: shop-web");
    let path = log_path(&scene.path("runtime"), "shop-web");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines: Vec<&str> = text.lines().map(|line| line.split_once("Z ").unwrap().1).collect();
    // It may print before it is known to run.
    lines.sort_by_key(|line| line.contains("started"));
    assert_eq!(lines, ["| one", "| two", ": shop-web failed with status 3", ": shop-web started"]);
}

#[test]
fn a_service_goes_on_when_its_next_world_is_refused_and_is_away_only_once_that_is_built() {
    let mut scene = Scene::new();
    scene.add(service("web"), ATTENTIVE);
    scene.start();
    scene.expect("web  | here");
    let first = list(&scene).services[0].pid;
    std::fs::write(scene.path("generation/web.refuse"), "no room").unwrap();
    check(
        &scene,
        restart("web"),
        "`web` goes on as it was: its next world could not be built: refused: no room",
    );
    scene.expect("web goes on as it was: its next world could not be built: refused: no room");
    assert_eq!(list(&scene).services[0].pid, first);
    std::fs::remove_file(scene.path("generation/web.refuse")).unwrap();
    check(&scene, restart("web"), "running");
    scene.expect_all(&["web stopped, to start again", "web started", "web  | here"]);
    let second = list(&scene).services[0].pid;
    assert!(second.is_some() && second != first);
    scene.signal(Signal::TERM);
    scene.end("stopped");
}

/// Returns whether nobody waits at the first socket of the only service.
fn is_hurried(scene: &Scene) -> bool {
    let pid = list(scene).services[0].pid.unwrap();
    let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/3")).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
    u32::from_str_radix(flags, 8).unwrap() & rustix::fs::OFlags::NONBLOCK.bits() != 0
}

// Both runs have one and the same socket, and what one sets on it the other has too.
#[test]
fn a_socket_stays_as_the_service_has_set_it_until_the_next_run_begins() {
    let mut scene = Scene::new();
    let descriptors = vec![listen("http", &format!("tcp:127.0.0.1:{}", free_port()))];
    let script = "test -e @/second || $ACTOR --hurry 3; touch @/second;";
    scene.add(Service { descriptors, ..service("web") }, &format!("{script} {ATTENTIVE}"));
    scene.start();
    scene.expect_all(&["web  | here", "web started"]);
    assert!(is_hurried(&scene));
    std::fs::write(scene.path("generation/web.refuse"), "no room").unwrap();
    let goes_on = "`web` goes on as it was: its next world could not be built: refused: no room";
    check(&scene, restart("web"), goes_on);
    assert!(is_hurried(&scene));
    std::fs::remove_file(scene.path("generation/web.refuse")).unwrap();
    check(&scene, restart("web"), "running");
    assert!(!is_hurried(&scene));
    scene.signal(Signal::TERM);
    scene.end("stopped");
}

#[test]
fn a_service_that_spoils_its_socket_is_not_spared_a_restart() {
    let mut scene = Scene::new();
    let port = free_port();
    let descriptors = vec![listen("http", &format!("tcp:127.0.0.1:{port}"))];
    let script = "test -e @/second || $ACTOR --spoil 3; touch @/second;";
    scene.add(Service { descriptors, ..service("web") }, &format!("{script} {ATTENTIVE}"));
    scene.start();
    scene.expect("web  | here");
    let connect = || std::net::TcpStream::connect(("127.0.0.1", port));
    assert!(connect().is_err());
    check(&scene, restart("web"), "running");
    connect().unwrap();
    scene.signal(Signal::TERM);
    scene.end("stopped");
}

#[test]
fn who_waits_for_a_restart_is_told_that_everything_ends_and_who_asks_for_a_reload_waits_for_no_restart() {
    let mut scene = Scene::new();
    scene.add(Service { reload: Some(SignalName::Hup), ..service("web") }, ATTENTIVE);
    scene.add(Service { waits: vec![wait("web", Until::Ready)], ..service("page") }, ATTENTIVE);
    scene.start();
    scene.expect_all(&["web  | here", "page | here"]);
    std::fs::write(scene.path("generation/web.hang"), "").unwrap();
    std::thread::scope(|scope| {
        let runtime = scene.path("runtime");
        let restarted = scope.spawn(move || ask(&runtime, &restart("web")).unwrap());
        // The restart is on its way: a launcher hangs.
        let hangs = || {
            let all = std::fs::read_dir("/proc").unwrap().flatten();
            let command = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
            let mut commands =
                all.filter_map(command).map(|text| String::from_utf8_lossy(&text).into_owned());
            let place = scene.path("generation").display().to_string();
            commands
                .any(|text| text.contains("capc-launcher") && text.contains(&place) && text.contains("web"))
        };
        while !hangs() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let asked = std::time::Instant::now();
        check(&scene, reload("web"), "running");
        assert!(asked.elapsed() < std::time::Duration::from_secs(3), "it waited for the restart");
        assert!(!restarted.is_finished());
        scene.signal(Signal::TERM);
        let why = "the system is stopping".to_owned();
        assert_eq!(restarted.join().unwrap(), Answer::Refused { why });
    });
    let lines = scene.end("stopped");
    assert!(at(&lines, "page stopped") < at(&lines, "web stopped"), "{lines:#?}");
}

#[test]
fn who_asks_when_no_descriptor_is_left_is_turned_away() {
    let mut scene = Scene::new();
    scene.add(service("web"), ATTENTIVE);
    scene.start();
    scene.expect("here");
    let held = std::fs::read_dir(format!("/proc/{}/fd", scene.pid().as_raw_pid())).unwrap();
    let held = held.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let held: std::collections::BTreeSet<u64> = held.collect();
    let limit = (0..).find(|number| !held.contains(number)).map(|free| free + 9);
    let limit = rustix::process::Rlimit { current: limit, maximum: limit };
    rustix::process::prlimit(Some(scene.pid()), rustix::process::Resource::Nofile, limit).unwrap();
    let connect = || UnixStream::connect(scene.path("runtime/control")).unwrap();
    let patience = Some(std::time::Duration::from_secs(10));
    // Whoever has got in stays until he asks.
    let mut silent: Vec<UnixStream> = (0..31).map(|_| connect()).collect();
    let last = silent.last_mut().unwrap();
    last.set_read_timeout(patience).unwrap();
    assert_eq!(last.read(&mut [0]).unwrap(), 0);
    let why = ask(&scene.path("runtime"), &restart("web")).unwrap_err().to_string();
    assert!(why.ends_with("it has ended, or too many others ask it at this moment"), "{why}");
    drop(silent);
    while ask(&scene.path("runtime"), &Request::Ps).is_err() {}
    assert_eq!(list(&scene).services[0].state, "running");
    scene.signal(Signal::TERM);
    scene.end("stopped");
}

#[test]
fn a_restart_that_a_stop_takes_back_is_told_where_the_service_has_come_to() {
    let mut scene = Scene::new();
    scene.add(service("web"), ATTENTIVE);
    scene.start();
    scene.expect("web  | here");
    // Its next world is never built.
    std::fs::write(scene.path("generation/web.hang"), "").unwrap();
    let runtime = scene.path("runtime");
    let restarted = std::thread::spawn(move || ask(&runtime, &restart("web")).unwrap());
    let begin = std::time::Instant::now();
    while !scene.path("generation/web.hangs").exists() {
        assert!(begin.elapsed().as_secs() < 20, "nobody builds its next world");
        std::thread::yield_now();
    }
    check(&scene, stop("web"), "stopped");
    match restarted.join().unwrap() {
        Answer::Done { state } => assert_eq!(state, "stopped"),
        other => panic!("{other:?}"),
    }
    scene.end("all ended well");
}

//! Who starts when, who is ready when, who starts again.

use capc_supervisor::{Ready, Restart, Service, Until};

use crate::scene::{Scene, at, service, wait};

#[test]
fn services_start_in_the_order_of_their_waits_and_all_end_well() {
    let mut scene = Scene::new();
    let client = Service { waits: vec![wait("greeter", Until::Ready)], ..service("client") };
    scene.add(client, "echo hello from the client");
    let greeter =
        Service { ready: Ready::Notify, waits: vec![wait("setup", Until::Done)], ..service("greeter") };
    scene.add(greeter, "echo waking; exec $ACTOR --notify 'READY=1\nSTATUS=two\u{1b} words' true");
    scene.add(Service { oneshot: true, ..service("setup") }, "echo one; printf two >&2");
    scene.start();
    let lines = scene.end("all ended well");
    for line in [
        "setup   | one",
        "setup   | two",
        "capc    : setup ended well",
        "greeter | waking",
        "capc    : greeter: two\\x1b words",
        "capc    : client ended well",
        "client  | hello from the client",
    ] {
        assert!(lines.iter().any(|other| other == line), "{line} in {lines:#?}");
    }
    assert!(at(&lines, "setup ended well") < at(&lines, "greeter started"));
    assert!(at(&lines, "greeter ready after") < at(&lines, "client started"));
    // What a service printed comes before the news of its end.
    assert!(at(&lines, "setup   | two") < at(&lines, "setup ended well"));
}

#[test]
fn a_service_is_ready_when_its_socket_listens() {
    let mut scene = Scene::new();
    let socket = scene.path("s.sock").display().to_string();
    let server = Service { ready: Ready::Socket, ready_sockets: vec![socket], ..service("server") };
    scene.add(server, "echo before; read go <@/gate; exec $ACTOR --listen @/s.sock");
    scene.add(
        Service { waits: vec![wait("server", Until::Ready)], ..service("client") },
        "test -S @/s.sock && echo met",
    );
    scene.gate("gate");
    scene.start();
    scene.expect("before");
    std::fs::write(scene.path("gate"), "go\n").unwrap();
    scene.expect("server ready after");
    scene.expect("client | met");
    scene.signal(rustix::process::Signal::INT);
    scene.end("stopped");
}

/// Another process listens at the very path, in the same network namespace, and is not taken for the service.
#[test]
fn a_strangers_socket_makes_nobody_ready() {
    let mut scene = Scene::new();
    let path = scene.path("s.sock");
    let _stranger = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let paths = vec![path.display().to_string()];
    let server =
        Service { ready: Ready::Socket, ready_sockets: paths, start_within_ms: 200, ..service("server") };
    scene.add(server, "exec sleep 600");
    // The worlds share a network, and not their processes.
    scene.start_under(&["unshare", "--user", "--map-root-user", "--mount-proc", "--pid", "--fork"]);
    scene.expect("server not ready within 200 ms");
    scene.end("failed: server");
}

#[test]
fn a_failing_service_is_restarted_until_it_works_and_its_dependents_wait() {
    let mut scene = Scene::new();
    let flappy = Service { restart: Restart::OnFailure, oneshot: true, ..service("flappy") };
    scene.add(flappy, "echo x >>@/tries; test $(wc -l <@/tries) -ge 3");
    scene.add(Service { waits: vec![wait("flappy", Until::Done)], ..service("next") }, "true");
    scene.start();
    let lines = scene.end("all ended well");
    assert_eq!(scene.read("tries").lines().count(), 3);
    assert!(at(&lines, "starts again in 100 ms") < at(&lines, "starts again in 200 ms"));
    assert!(at(&lines, "flappy ended well") < at(&lines, "next started"));
}

#[test]
fn five_failures_are_enough() {
    let mut scene = Scene::new();
    scene.add(Service { restart: Restart::Always, ..service("broken") }, "echo x >>@/tries; exit 3");
    scene.start();
    let lines = scene.end("failed: broken");
    assert_eq!(scene.read("tries").lines().count(), 5);
    at(&lines, "broken failed with status 3; given up after 5 failures within 60 s");
}

#[test]
fn a_refused_service_is_not_retried_and_its_dependents_do_not_start() {
    let mut scene = Scene::new();
    scene.add(Service { restart: Restart::Always, ..service("web") }, "");
    scene.add(Service { waits: vec![wait("web", Until::Ready)], ..service("page") }, "echo never");
    std::fs::write(scene.path("generation/web.refuse"), "`/bin/web` drifted").unwrap();
    scene.start();
    let lines = scene.end("failed: web page");
    at(&lines, "capc : web refused: `/bin/web` drifted");
    at(&lines, "capc : page not started: it waits for web, which was refused");
}

#[test]
fn a_service_that_is_never_ready_fails_in_time() {
    let mut scene = Scene::new();
    let quiet = Service { ready: Ready::Notify, start_within_ms: 200, ..service("quiet") };
    scene.add(quiet, "exec sleep 600");
    std::fs::write(scene.path("generation/stuck.hang"), "").unwrap();
    scene.add(Service { start_within_ms: 200, ..service("stuck") }, "");
    scene.start();
    let lines = scene.end("failed: quiet stuck");
    at(&lines, "quiet not ready within 200 ms");
    at(&lines, "stuck not ready within 200 ms");
}

/// `READY=1` is the main process's to say, and `MAINPID=` the launcher's.
#[test]
fn words_from_the_wrong_mouth_are_ignored() {
    let mut scene = Scene::new();
    let forger = Service { ready: Ready::Notify, ..service("forger") };
    let script = "$ACTOR --notify READY=1; echo child spoke; read go <@/gate; \
                  exec $ACTOR --notify \"MAINPID=$PPID\nREADY=1\" sleep 600";
    scene.add(forger, script);
    scene.gate("gate");
    scene.start();
    scene.expect("child spoke");
    std::fs::write(scene.path("gate"), "go\n").unwrap();
    scene.expect("forger ready after");
    // The signal still reaches the true main process, or this would last for ever.
    scene.signal(rustix::process::Signal::TERM);
    let lines = scene.end("stopped");
    assert_eq!(lines.iter().filter(|line| line.contains("ready after")).count(), 1);
    assert!(at(&lines, "child spoke") < at(&lines, "ready after"));
}

//! Services that start by the calendar, and what services say of themselves.

use capc_supervisor::{Ready, Restart, Service};
use rustix::process::Signal;

use crate::scene::{Scene, at, service};

#[test]
fn a_scheduled_service_runs_each_time_its_time_comes() {
    let mut scene = Scene::new();
    let schedule = Some("*:*:* UTC".to_owned().try_into().unwrap());
    scene.add(Service { oneshot: true, schedule, ..service("tick") }, "echo x >>@/runs");
    scene.start();
    for _ in 0..2 {
        scene.expect("tick started");
        scene.expect("tick ended well; starts at ");
    }
    scene.signal(Signal::TERM);
    let lines = scene.end("stopped");
    at(&lines, "capc : tick rests; starts at ");
    assert!(scene.read("runs").lines().count() >= 2);
}

#[test]
fn an_unknown_time_zone_is_named_and_nothing_starts() {
    let mut scene = Scene::new();
    let schedule = Some("daily Middle/Earth".to_owned().try_into().unwrap());
    scene.add(Service { oneshot: true, schedule, ..service("tick") }, "echo never");
    scene.start();
    let lines = scene.end("cannot find the time zone Middle/Earth");
    assert_eq!(lines.len(), 1);
}

#[test]
fn a_service_that_promised_to_speak_and_is_silent_is_killed_and_started_again() {
    let mut scene = Scene::new();
    let web = Service { ready: Ready::Notify, restart: Restart::OnFailure, ..service("web") };
    scene.add(web, "exec $ACTOR --notify 'WATCHDOG_USEC=200000\nREADY=1' sleep 600");
    scene.start();
    scene.expect("web killed: it has not said for 200 ms that it lives");
    scene.expect("web failed: silent for too long; starts again in 100 ms");
    scene.expect("web ready after");
    scene.signal(Signal::TERM);
    scene.end("stopped");
}

#[test]
fn what_a_service_says_is_told_and_its_claims_are_not_believed() {
    let mut scene = Scene::new();
    let words = "exec $ACTOR --notify 'MAINPID=1234\nSTATUS=half way\nRELOADING=1\nREADY=1\nSTOPPING=1' true";
    scene.add(service("web"), words);
    scene.start();
    let lines = scene.end("all ended well");
    let order = [
        "web started",
        "web names a main process, which is not its to name",
        "capc : web: half way",
        "web reloads",
        "web reloaded",
        "web is about to end",
        "web ended well",
    ];
    assert!(order.map(|text| at(&lines, text)).is_sorted(), "{lines:#?}");
}

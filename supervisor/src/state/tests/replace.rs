//! Worlds that are built before they are to start.

use super::*;

fn running(change: impl FnOnce(&mut Service)) -> Scene {
    let mut scene = Scene::new(vec![service("web", &[], change)]);
    scene.check("begin", "launch web");
    scene.check("launched web", "\"web started\"");
    scene
}

#[test]
fn a_service_runs_until_its_next_world_is_built() {
    let mut scene = running(|_| {});
    scene.check("restart web", "build web");
    scene.check("restart web", "");
    assert!(!scene.state.is_settled(ServiceId(0), Wish::Restart));
    assert!(scene.state.is_to_start(ServiceId(0)));
    assert_eq!(scene.state.view(ServiceId(0)).unwrap().state, "running");
    scene.check("built web", "TERM web");
    scene.check("built web", "");
    scene.check("died web 15", "\"web stopped, to start again\"; relaunch web");
    scene.check("launched web", "\"web started\"");
    assert!(scene.state.is_settled(ServiceId(0), Wish::Restart));
    assert!(!scene.state.is_to_start(ServiceId(0)));
    scene.check("restart web", "build web");
}

#[test]
fn a_service_whose_next_world_is_refused_goes_on() {
    let mut scene = running(|_| {});
    scene.check("restart web", "build web");
    scene.check("unbuilt web reason", "\"web goes on as it was: its next world could not be built: reason\"");
    assert!(scene.state.is_settled(ServiceId(0), Wish::Restart));
    assert!(!scene.state.is_to_start(ServiceId(0)));
    scene.check("after 100000", "");
    scene.check("restart web", "build web");
}

#[test]
fn a_world_that_takes_too_long_to_build_is_not_waited_for() {
    let mut scene = running(|_| {});
    scene.check("restart web", "build web");
    assert_eq!(scene.state.wake_at(), Some(Duration::from_secs(5)));
    scene.check("after 4999", "");
    scene.check("after 1", "TERM web");
    scene.check("unbuilt web reason", "");
    scene.check("died web 15", "\"web stopped, to start again\"; relaunch web");
}

#[test]
fn a_service_that_ends_before_it_is_replaced_starts_again_at_once() {
    let mut scene = running(|_| {});
    scene.check("restart web", "build web");
    scene.check(
        "ended web 1",
        "\"web failed with status 1, before it was stopped to start again\"; relaunch web",
    );
    scene.check("built web", "");
}

#[test]
fn whoever_asks_for_a_stop_takes_back_the_restart() {
    let mut scene = running(|_| {});
    scene.check("restart web", "build web");
    scene.check("stop web", "TERM web");
    assert!(!scene.state.is_to_start(ServiceId(0)));
    scene.check("built web", "");
    scene.check("died web 15", "\"web stopped\"");

    let mut scene = running(|_| {});
    scene.check("restart web", "build web");
    scene.check("stop", "\"stopping; once more kills what is left\"; TERM web");
    assert!(!scene.state.is_to_start(ServiceId(0)));
    scene.check("built web", "");
    scene.check("died web 15", "\"web stopped\"");
    scene.outcome(Some(Outcome::Stopped));
}

#[test]
fn what_cannot_be_there_twice_is_stopped_first() {
    let mut scene = running(|web| web.limits.tasks = Some(10));
    scene.check("restart web", "TERM web");
    scene.check("died web 15", "\"web stopped, to start again\"; relaunch web");
    let mut scene = running(|web| web.prepares = true);
    scene.check("restart web", "TERM web");
}

#[test]
fn the_end_of_a_pause_finds_the_next_world_built() {
    let mut scene = running(|web| web.restart = Restart::Always);
    scene.check("ended web 1", "\"web failed with status 1; starts again in 100 ms\"");
    assert_eq!(scene.state.wake_at(), Some(Duration::ZERO));
    scene.check("after 1", "build web");
    assert_eq!(scene.state.wake_at(), Some(Duration::from_millis(100)));
    scene.check("built web", "");
    scene.check("after 99", "relaunch web");
    scene.check("launched web", "\"web started\"");
    scene.check("ended web 1", "\"web failed with status 1; starts again in 200 ms\"");
    scene.check("after 99", "");
    scene.check("after 1", "build web");
    scene.check("unbuilt web reason", "");
    scene.check("after 100", "relaunch web");
    scene.check("refused web reason", "\"web refused: reason\"");
    assert!(!scene.state.is_to_start(ServiceId(0)));
}

#[test]
fn a_service_that_is_to_start_again_does_so_however_it_ends_meanwhile() {
    let quick = |web: &mut Service| {
        web.ready = Ready::Notify;
        web.start_within_ms = 1000;
    };
    let mut scene = running(quick);
    scene.check("says web READY=1", "\"web ready after 0 ms\"");
    scene.check("restart web", "build web");
    scene.check("says web WATCHDOG=trigger", "\"web killed: it says that it has failed\"; kill web");
    assert!(scene.state.is_to_start(ServiceId(0)));
    scene.check("built web", "");
    scene.check("died web 9", "\"web stopped, to start again\"; relaunch web");
    scene.check("launched web", "\"web started\"");
    scene.check("restart web", "build web");
    scene.check("after 1000", "\"web not ready within 1 s\"; TERM web");
    scene.check("died web 15", "\"web stopped, to start again\"; relaunch web");
    scene.check("launched web", "\"web started\"");
    scene.check("restart web", "build web");
    scene.check("says web STOPPING=1", "\"web is about to end\"");
    scene.check("ended web 0", "\"web stopped, to start again\"; relaunch web");
}

#[test]
fn the_end_of_everything_takes_back_restarts_and_keeps_its_order() {
    let mut scene = Scene::new(vec![plain("base", &[]), plain("app", &["base"])]);
    scene.check("begin", "launch base");
    scene.check("launched base", "\"base started\"; launch app");
    scene.check("launched app", "\"app started\"");
    scene.check("restart base", "build base");
    scene.check("stop", "\"stopping; once more kills what is left\"; TERM app");
    assert!(!scene.state.is_replacing(ServiceId(0)) && !scene.state.is_to_start(ServiceId(0)));
    scene.check("built base", "");
    scene.check("after 5000", "");
    scene.check("died app 15", "\"app stopped\"; TERM base");
    scene.check("died base 15", "\"base stopped\"");
    scene.outcome(Some(Outcome::Stopped));
}

#[test]
fn who_asks_for_a_reload_does_not_wait_for_a_restart() {
    let mut scene = running(|web| web.reload = Some(SignalName::Hup));
    scene.check("restart web", "build web");
    scene.check("reload web", "\"web is to reload: HUP sent\"; HUP web");
    assert!(scene.state.is_settled(ServiceId(0), Wish::Reload));
    assert!(!scene.state.is_settled(ServiceId(0), Wish::Restart));
}

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
    assert!(!scene.state.is_settled(ServiceId(0)));
    assert!(scene.state.is_to_start(ServiceId(0)));
    assert_eq!(scene.state.view(ServiceId(0)).unwrap().state, "running");
    scene.check("built web", "TERM web");
    scene.check("built web", "");
    scene.check("died web 15", "\"web stopped, to start again\"; relaunch web");
    scene.check("launched web", "\"web started\"");
    assert!(scene.state.is_settled(ServiceId(0)));
    assert!(!scene.state.is_to_start(ServiceId(0)));
    scene.check("restart web", "build web");
}

#[test]
fn a_service_whose_next_world_is_refused_goes_on() {
    let mut scene = running(|_| {});
    scene.check("restart web", "build web");
    scene.check("unbuilt web reason", "\"web goes on as it was: its next world could not be built: reason\"");
    assert!(scene.state.is_settled(ServiceId(0)));
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

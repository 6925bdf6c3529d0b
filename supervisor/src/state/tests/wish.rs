//! What somebody wishes for one service.

use super::*;

#[test]
fn a_service_that_is_to_stop_stops_alone_and_starts_again_only_when_asked() {
    let db = service("db", &[], |db| db.restart = Restart::Always);
    let mut scene = Scene::new(vec![db, plain("web", &["db"])]);
    scene.check("begin", "launch db");
    scene.check("launched db", "\"db started\"; launch web");
    scene.check("launched web", "\"web started\"");
    scene.check("stop db", "TERM db");
    assert!(!scene.state.is_settled(ServiceId(0), Wish::Restart));
    scene.check("died db 15", "\"db stopped\"");
    scene.check("after 100000", "");
    assert_eq!(scene.state.view(ServiceId(0)).unwrap().state, "stopped");
    scene.check("restart db", "relaunch db");
    scene.check("launched db", "\"db started\"");
    assert_eq!(scene.state.view(ServiceId(0)).unwrap().state, "running");
}

#[test]
fn a_restart_stops_first_and_forgets_failures() {
    let mut scene = Scene::new(vec![service("web", &[], |web| web.restart = Restart::OnFailure)]);
    scene.check("begin", "launch web");
    scene.check("launched web", "\"web started\"");
    scene.check("ended web 1", "\"web failed with status 1; starts again in 100 ms\"");
    assert_eq!(scene.state.view(ServiceId(0)).unwrap().state, "pausing");
    scene.check("restart web", "relaunch web");
    scene.check("restart web", "");
    scene.check("launched web", "TERM web");
    scene.check("after 10000", "\"web killed: still there 10 s after it was to stop\"; kill web");
    scene.check("died web 9", "\"web stopped, to start again\"; relaunch web");
    scene.check("launched web", "\"web started\"");
    scene.check("ended web 1", "\"web failed with status 1; starts again in 100 ms\"");
    scene.check("after 100", "relaunch web");
    assert_eq!(scene.state.view(ServiceId(0)).unwrap().restarts, 1);
}

#[test]
fn a_stop_takes_back_a_restart_and_what_waits_for_its_time_or_for_another_stops_at_once() {
    let nightly = service("nightly", &[], |nightly| {
        nightly.oneshot = true;
        nightly.schedule = Some("*-*-* 03:00 UTC".to_owned().try_into().unwrap());
    });
    let mut scene =
        Scene::new(vec![service("db", &[], |db| db.ready = Ready::Notify), plain("web", &["db"]), nightly]);
    scene.check("begin", "\"nightly rests; starts at Thu 2026-11-26 03:00:00 UTC\"; launch db");
    scene.check("restart db", "");
    scene.check("stop db", "");
    scene.check("stop web", "\"web stopped\"");
    scene.check("restart nightly", "launch nightly");
    scene.check("launched nightly", "\"nightly started\"");
    scene.check("ended nightly 0", "\"nightly ended well; starts at Thu 2026-11-26 03:00:00 UTC\"");
    scene.check("stop nightly", "\"nightly stopped\"");
    scene.check("launched db", "TERM db");
    scene.check("died db 15", "\"db stopped\"");
    scene.outcome(Some(Outcome::AllEndedWell));
}

#[test]
fn a_reload_is_the_signal_of_the_plan_and_refused_where_there_is_none() {
    let web = service("web", &[], |web| web.reload = Some(SignalName::Hup));
    let mut scene = Scene::new(vec![web, plain("db", &[])]);
    let refusal = |scene: &Scene, id, wish| scene.state.refusal(ServiceId(id), wish).unwrap_or_default();
    scene.check("begin", "launch web; launch db");
    assert_eq!(refusal(&scene, 0, Wish::Reload), "`web` does not run: it is starting");
    scene.check("launched web", "\"web started\"");
    assert_eq!(refusal(&scene, 0, Wish::Reload), "");
    scene.check("reload web", "\"web is to reload: HUP sent\"; HUP web");
    assert!(refusal(&scene, 1, Wish::Reload).contains("`reload signal=\"HUP\"`"));
    scene.check("stop", "\"stopping; once more kills what is left\"; TERM web");
    for wish in [Wish::Stop, Wish::Restart, Wish::Reload] {
        assert_eq!(refusal(&scene, 0, wish), "the system is stopping");
    }
}

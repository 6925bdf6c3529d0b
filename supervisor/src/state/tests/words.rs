//! What services say of themselves.

use super::*;

#[test]
fn a_service_that_falls_silent_is_killed_and_has_failed() {
    let web = service("web", &[], |web| {
        web.ready = Ready::Notify;
        web.restart = Restart::OnFailure;
    });
    let mut scene = Scene::new(vec![web]);
    scene.check("begin", "launch web");
    scene.check("launched web", "\"web started\"");
    scene.check("says web WATCHDOG_USEC=2000000", "");
    scene.check("after 5000", "");
    scene.check("says web READY=1", "\"web ready after 5 s\"");
    scene.check("after 1999", "");
    scene.check("says web WATCHDOG=1", "");
    scene.check("after 1999", "");
    scene.check("after 1", "\"web killed: it has not said for 2 s that it lives\"; kill web");
    scene.check("died web 9", "\"web failed: silent for too long; starts again in 100 ms\"");
    scene.check("after 100", "relaunch web");
    scene.check("launched web", "\"web started\"");
    // What its last run promised binds no other.
    scene.check("says web READY=1", "\"web ready after 0 ms\"");
    scene.check("after 50000", "");
    scene.check("says web WATCHDOG=trigger", "\"web killed: it says that it has failed\"; kill web");
    scene.check("died web 9", "\"web failed: by its own word; starts again in 100 ms\"");
}

#[test]
fn a_service_may_ask_for_more_time_and_not_for_ever_when_it_stops() {
    let web = service("web", &[], |web| {
        web.ready = Ready::Notify;
        web.start_within_ms = 1000;
        web.stop.within_ms = 100;
    });
    let mut scene = Scene::new(vec![web]);
    scene.check("begin", "launch web");
    scene.check("launched web", "\"web started\"");
    scene.check("says web EXTEND_TIMEOUT_USEC=5000000", "");
    scene.check("after 4999", "");
    scene.check("says web READY=1", "\"web ready after 4.9 s\"");
    scene.check("stop", "\"stopping; once more kills what is left\"; TERM web");
    scene.check("says web EXTEND_TIMEOUT_USEC=500000", "");
    scene.check("after 499", "");
    scene.check("says web EXTEND_TIMEOUT_USEC=999999999", "");
    scene.check("after 500", "");
    scene.check("after 1", "\"web killed: still there 1 s after it was to stop\"; kill web");
}

#[test]
fn a_service_that_says_it_stops_is_given_its_time_and_its_end_is_its_own() {
    let mut scene = Scene::new(vec![service("web", &[], |web| web.restart = Restart::OnFailure)]);
    scene.check("begin", "launch web");
    scene.check("launched web", "\"web started\"");
    scene.check("says web STOPPING=1", "\"web is about to end\"");
    scene.check("says web STOPPING=1", "");
    scene.check("after 9999", "");
    scene.check("after 1", "\"web killed: still there 10 s after it was to stop\"; kill web");
    scene.check("died web 9", "\"web failed by signal 9; starts again in 100 ms\"");
    scene.check("after 100", "relaunch web");
    scene.check("launched web", "\"web started\"");
    scene.check("says web STOPPING=1", "\"web is about to end\"");
    scene.check("ended web 0", "\"web ended well\"");
}

#[test]
fn words_that_change_nothing_but_what_is_known() {
    let mut scene = Scene::new(vec![plain("web", &[])]);
    scene.check("begin", "launch web");
    scene.check("launched web", "\"web started\"");
    scene.check("says web READY=1", "");
    scene.check("says web STATUS=3 of 4", "\"web: 3 of 4\"");
    scene.check("says web RELOADING=1", "\"web reloads\"");
    scene.check("says web READY=1", "\"web reloaded\"");
    scene.check(
        "says web MAINPID=7",
        "\"web names a main process, which is not its to name; that counts for nothing\"",
    );
    scene.check("says web MAINPID=8", "");
}

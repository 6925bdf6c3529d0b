//! Services that start by the calendar.

use super::*;

fn nightly(waits: &[(&str, Until)], change: impl FnOnce(&mut Service)) -> Service {
    let mut nightly = service("nightly", waits, |nightly| {
        nightly.oneshot = true;
        nightly.schedule = Some("*-*-* 03:00 UTC".to_owned().try_into().unwrap());
    });
    change(&mut nightly);
    nightly
}

#[test]
fn a_scheduled_service_rests_until_its_time_runs_and_rests_again() {
    let mut scene = Scene::new(vec![nightly(&[], |_| {})]);
    scene.check("begin", "\"nightly rests; starts at Thu 2026-11-26 03:00:00 UTC\"");
    assert_eq!(scene.state.wake_at_clock(), Some("2026-11-26T03:00:00Z".parse().unwrap()));
    scene.check("pass 3", "");
    scene.outcome(None);
    scene.check("pass 1", "launch nightly");
    scene.check("launched nightly", "\"nightly started\"");
    scene.check("pass 2", "");
    scene.check("ended nightly 0", "\"nightly ended well; starts at Fri 2026-11-27 03:00:00 UTC\"");
    scene.check("pass 22", "relaunch nightly");
    scene.check("launched nightly", "\"nightly started\"");
    scene.check("ended nightly 2", "\"nightly failed with status 2; starts at Sat 2026-11-28 03:00:00 UTC\"");
    scene.check("stop", "\"stopping; once more kills what is left\"");
    scene.outcome(Some(Outcome::Stopped));
}

#[test]
fn a_time_that_comes_during_a_run_is_passed_over() {
    let mut scene = Scene::new(vec![nightly(&[], |_| {})]);
    scene.check("begin", "\"nightly rests; starts at Thu 2026-11-26 03:00:00 UTC\"");
    scene.check("pass 4", "launch nightly");
    scene.check("launched nightly", "\"nightly started\"");
    scene.check("pass 50", "");
    scene.check("ended nightly 0", "\"nightly ended well; starts at Sun 2026-11-29 03:00:00 UTC\"");
}

#[test]
fn a_scheduled_service_that_fails_is_tried_again_and_then_rests() {
    let mut scene = Scene::new(vec![nightly(&[], |nightly| nightly.restart = Restart::OnFailure)]);
    scene.check("begin", "\"nightly rests; starts at Thu 2026-11-26 03:00:00 UTC\"");
    scene.check("pass 4", "launch nightly");
    for pause in [100, 200, 400, 800] {
        let failed = format!("\"nightly did not start: why; starts again in {pause} ms\"");
        scene.check("unborn nightly why", &failed);
        scene.check(&format!("after {pause}"), "relaunch nightly");
    }
    scene.check(
        "unborn nightly why",
        "\"nightly did not start: why; given up after 5 failures within 60 s; starts at Fri 2026-11-27 03:00:00 UTC\"",
    );
}

#[test]
fn a_clock_that_jumps_over_many_times_starts_one_run() {
    let mut scene = Scene::new(vec![nightly(&[], |_| {})]);
    scene.check("begin", "\"nightly rests; starts at Thu 2026-11-26 03:00:00 UTC\"");
    scene.check("set 14400", "launch nightly");
    scene.check("launched nightly", "\"nightly started\"");
    scene.check("ended nightly 0", "\"nightly ended well; starts at Sun 2026-12-06 03:00:00 UTC\"");
}

#[test]
fn a_clock_set_back_a_little_runs_nothing_twice_and_set_back_far_is_believed() {
    let mut scene = Scene::new(vec![nightly(&[], |_| {})]);
    scene.check("begin", "\"nightly rests; starts at Thu 2026-11-26 03:00:00 UTC\"");
    scene.check("pass 4", "launch nightly");
    scene.check("set -59", "");
    scene.check("launched nightly", "\"nightly started\"");
    scene.check("ended nightly 0", "\"nightly ended well; starts at Fri 2026-11-27 03:00:00 UTC\"");
    scene.check("set 30", "");
    scene.check("set -60", "\"nightly finds the clock set; starts at Thu 2026-11-26 03:00:00 UTC\"");
    scene.check("set 2880", "relaunch nightly");
}

#[test]
fn who_waits_for_a_scheduled_service_waits_for_its_first_good_end_and_a_time_with_nobody_to_wait_for_is_lost()
{
    let after = service("after", &[("nightly", Until::Done)], |_| {});
    let mut scene = Scene::new(vec![after, nightly(&[("db", Until::Ready)], |_| {}), plain("db", &[])]);
    scene.check("begin", "\"nightly rests; starts at Thu 2026-11-26 03:00:00 UTC\"; launch db");
    scene.check("launched db", "\"db started\"");
    scene.check("pass 4", "launch nightly");
    scene.check("launched nightly", "\"nightly started\"");
    scene.check(
        "ended nightly 0",
        "\"nightly ended well; starts at Fri 2026-11-27 03:00:00 UTC\"; launch after",
    );
    scene.check("ended db 1", "\"db failed with status 1\"");
    scene.check(
        "pass 24",
        "\"nightly not started: it waits for db, which failed; starts at Sat 2026-11-28 03:00:00 UTC\"",
    );
}

#[test]
fn a_schedule_that_is_past_is_over() {
    let past = nightly(&[], |nightly| nightly.schedule = Some("2020-01-01".to_owned().try_into().unwrap()));
    let mut scene = Scene::new(vec![past]);
    scene.check("begin", "\"nightly rests; its time does not come again\"");
    scene.outcome(Some(Outcome::AllEndedWell));
}

mod replace;
mod rest;
mod wish;
mod words;

use super::*;
use crate::plan::{Format, Limits, Mode, Restart, Service, Stop, Until, Wait};

/// A world in which services do as the test says, with one clock.
struct Scene {
    plan: Plan,
    state: State,
    now: Duration,
    /// By how much the clock was set.
    set: jiff::SignedDuration,
}

fn service(name: &str, waits: &[(&str, Until)], change: impl FnOnce(&mut Service)) -> Service {
    let mut service = Service {
        name: name.to_owned(),
        waits: waits.iter().map(|(on, until)| Wait { on: (*on).to_owned(), until: *until }).collect(),
        oneshot: false,
        prepares: false,
        schedule: None,
        restart: Restart::Never,
        ready: Ready::Started,
        ready_sockets: Vec::new(),
        ready_ports: Vec::new(),
        descriptors: Vec::new(),
        stop: Stop { signal: SignalName::Term, within_ms: 10_000 },
        reload: None,
        start_within_ms: 60_000,
        data_only: false,
        limits: Limits::default(),
    };
    change(&mut service);
    service
}

/// Reads one word as a service would say it.
fn word(text: &str) -> Word {
    crate::notification::Notification::read(text.as_bytes()).words.pop().unwrap_or(Word::Main)
}

fn plain(name: &str, waits: &[&str]) -> Service {
    let waits: Vec<_> = waits.iter().map(|on| (*on, Until::Ready)).collect();
    service(name, &waits, |_| {})
}

impl Scene {
    fn new(services: Vec<Service>) -> Scene {
        let plan = Plan {
            format: Format::V1,
            name: "test".to_owned(),
            mode: Mode::Root,
            facets: Vec::new(),
            channels: Vec::new(),
            services,
        };
        plan.check().unwrap();
        let timetables = plan.services.iter().zip(0..).filter_map(|(service, id)| {
            Some((ServiceId(id), Timetable::new(service.schedule.as_ref()?).unwrap()))
        });
        let state = State::new(&plan, timetables.collect(), false);
        Scene { state, plan, now: Duration::ZERO, set: jiff::SignedDuration::ZERO }
    }

    fn id(&self, name: &str) -> ServiceId {
        ServiceId(self.plan.services.iter().position(|service| service.name == name).unwrap())
    }

    /// Lets something happen and compares what is to be done: words for actions, joined by `; `.
    #[track_caller]
    fn check(&mut self, what: &str, expected: &str) {
        let mut words = what.split(' ');
        let (verb, name) = (words.next().unwrap(), words.next());
        let id = || self.id(name.unwrap());
        let event = match verb {
            "begin" => Event::Begin,
            "stop" if name.is_none() => Event::Stop,
            "stop" => Event::Wished(id(), Wish::Stop),
            "restart" => Event::Wished(id(), Wish::Restart),
            "reload" => Event::Wished(id(), Wish::Reload),
            "launched" => Event::Launched(id()),
            "ready" => Event::Ready(id()),
            "built" => Event::Built(id()),
            "unbuilt" => Event::NotBuilt(id(), words.next().unwrap().to_owned()),
            "refused" => Event::Refused(id(), words.next().unwrap().to_owned()),
            "unborn" => Event::Ended(id(), Ending::Unborn(words.next().unwrap().to_owned())),
            "ended" => Event::Ended(id(), Ending::Code(words.next().unwrap().parse().unwrap())),
            "died" => Event::Ended(id(), Ending::Signal(words.next().unwrap().parse().unwrap())),
            "after" => {
                self.now += Duration::from_millis(name.unwrap().parse().unwrap());
                Event::Tick
            }
            // Lets hours pass.
            "pass" => {
                self.now += Duration::from_secs(name.unwrap().parse::<u64>().unwrap() * 3600);
                Event::Clock
            }
            // Sets the clock by so many minutes.
            "set" => {
                self.set += jiff::SignedDuration::from_mins(name.unwrap().parse().unwrap());
                Event::Clock
            }
            "says" => Event::Said(id(), word(&words.collect::<Vec<_>>().join(" "))),
            other => panic!("{other}"),
        };
        let begin: Timestamp = "2026-11-25T23:00:00Z".parse().unwrap();
        let clock = begin.checked_add(self.now).unwrap().checked_add(self.set).unwrap();
        let actions = self.state.step(Moment { since: self.now, clock }, event);
        let name = |id: ServiceId| self.plan.services[id.0].name.as_str();
        let words: Vec<String> = actions
            .into_iter()
            .map(|action| match action {
                Action::Launch(id, Attempt::First) => format!("launch {}", name(id)),
                Action::Launch(id, Attempt::Again) => format!("relaunch {}", name(id)),
                Action::Build(id) => format!("build {}", name(id)),
                Action::Signal(id, signal) => format!("{signal} {}", name(id)),
                Action::Kill(id) => format!("kill {}", name(id)),
                Action::Say(_, text) => format!("\"{text}\""),
            })
            .collect();
        assert_eq!(words.join("; "), expected, "after `{what}`");
    }

    #[track_caller]
    fn outcome(&self, expected: Option<Outcome>) {
        assert_eq!(self.state.outcome(), expected);
    }
}

#[test]
fn those_that_wait_for_nobody_start_together_and_the_others_when_what_they_wait_for_is_ready() {
    let db = service("db", &[], |db| db.ready = Ready::Notify);
    let mut scene = Scene::new(vec![plain("web", &["db", "log"]), db, plain("log", &[])]);
    scene.check("begin", "launch db; launch log");
    scene.check("launched log", "\"log started\"");
    scene.check("launched db", "\"db started\"");
    scene.check("after 12", "");
    scene.check("ready db", "\"db ready after 12 ms\"; launch web");
    scene.check("launched web", "\"web started\"");
    scene.outcome(None);
}

#[test]
fn a_oneshot_is_done_when_it_ended_well_whatever_its_policy() {
    let setup = service("setup", &[], |setup| {
        setup.oneshot = true;
        setup.restart = Restart::Always;
    });
    let mut scene = Scene::new(vec![setup, service("app", &[("setup", Until::Done)], |_| {})]);
    scene.check("begin", "launch setup");
    scene.check("launched setup", "\"setup started\"");
    scene.check("ended setup 0", "\"setup ended well\"; launch app");
    scene.check("launched app", "\"app started\"");
    scene.check("ended app 0", "\"app ended well\"");
    scene.outcome(Some(Outcome::AllEndedWell));
}

#[test]
fn a_oneshot_that_fails_follows_its_policy_and_its_dependents_go_on_waiting() {
    let setup = service("setup", &[], |setup| {
        setup.oneshot = true;
        setup.restart = Restart::OnFailure;
    });
    let mut scene = Scene::new(vec![setup, service("app", &[("setup", Until::Done)], |_| {})]);
    scene.check("begin", "launch setup");
    scene.check("launched setup", "\"setup started\"");
    scene.check("ended setup 1", "\"setup failed with status 1; starts again in 100 ms\"");
    scene.check("after 99", "build setup");
    scene.check("after 1", "relaunch setup");
    scene.check("launched setup", "\"setup started\"");
    scene.check("ended setup 0", "\"setup ended well\"; launch app");
}

#[test]
fn what_waits_for_a_failed_service_is_not_started_and_is_named_at_every_remove() {
    let mut scene =
        Scene::new(vec![plain("page", &["web"]), plain("web", &["db"]), plain("db", &[]), plain("x", &[])]);
    scene.check("begin", "launch db; launch x");
    scene.check(
        "unborn db why",
        "\"db did not start: why\"; \"web not started: it waits for db, which failed\"; \
         \"page not started: it waits for web, which was not started\"",
    );
    scene.outcome(None);
    scene.check("launched x", "\"x started\"");
    scene.check("ended x 0", "\"x ended well\"");
    scene.outcome(Some(Outcome::SomeFailed(vec!["page".into(), "web".into(), "db".into()])));
}

#[test]
fn a_refused_service_is_not_tried_again() {
    let db = service("db", &[], |db| db.restart = Restart::Always);
    let mut scene = Scene::new(vec![db, plain("web", &["db"])]);
    scene.check("begin", "launch db");
    scene.check(
        "refused db drifted",
        "\"db refused: drifted\"; \"web not started: it waits for db, which was refused\"",
    );
    scene.outcome(Some(Outcome::SomeFailed(vec!["db".into(), "web".into()])));
}

#[test]
fn pauses_double_and_the_fifth_failure_within_a_minute_is_the_last() {
    let mut scene = Scene::new(vec![service("web", &[], |web| web.restart = Restart::OnFailure)]);
    scene.check("begin", "launch web");
    for pause in [100, 200, 400, 800] {
        scene.check("launched web", "\"web started\"");
        scene.check("died web 11", &format!("\"web failed by signal 11; starts again in {pause} ms\""));
        scene.check(&format!("after {pause}"), "relaunch web");
    }
    scene.check("launched web", "\"web started\"");
    scene.check("ended web 3", "\"web failed with status 3; given up after 5 failures within 60 s\"");
    scene.outcome(Some(Outcome::SomeFailed(vec!["web".into()])));
}

#[test]
fn ten_seconds_of_health_make_the_next_pause_the_shortest_again() {
    let mut scene = Scene::new(vec![service("web", &[], |web| web.restart = Restart::Always)]);
    scene.check("begin", "launch web");
    scene.check("launched web", "\"web started\"");
    scene.check("ended web 1", "\"web failed with status 1; starts again in 100 ms\"");
    scene.check("after 100", "relaunch web");
    scene.check("launched web", "\"web started\"");
    scene.check("after 9999", "");
    scene.check("ended web 1", "\"web failed with status 1; starts again in 200 ms\"");
    scene.check("after 200", "relaunch web");
    scene.check("launched web", "\"web started\"");
    scene.check("after 10000", "");
    scene.check("ended web 1", "\"web failed with status 1; starts again in 100 ms\"");
}

#[test]
fn a_service_that_always_restarts_may_end_well_as_often_as_it_likes() {
    let mut scene = Scene::new(vec![service("web", &[], |web| web.restart = Restart::Always)]);
    scene.check("begin", "launch web");
    for pause in
        ["100 ms", "200 ms", "400 ms", "800 ms", "1.6 s", "3.2 s", "6.4 s", "12.8 s", "25.6 s", "30 s"]
    {
        scene.check("launched web", "\"web started\"");
        scene.check("ended web 0", &format!("\"web ended well; starts again in {pause}\""));
        scene.check("after 30000", "relaunch web");
    }
}

#[test]
fn who_is_not_ready_in_time_is_stopped_then_killed_and_has_failed() {
    let web = service("web", &[], |web| {
        web.ready = Ready::Socket;
        web.ready_ports = vec![80];
        web.start_within_ms = 500;
        web.stop.within_ms = 50;
    });
    let mut scene = Scene::new(vec![web, plain("page", &["web"])]);
    scene.check("begin", "launch web");
    scene.check("after 100", "");
    scene.check("launched web", "\"web started\"");
    assert_eq!(scene.state.awaiting_sockets().collect::<Vec<_>>(), [ServiceId(0)]);
    scene.check("after 399", "");
    scene.check("after 1", "\"web not ready within 500 ms\"; TERM web");
    scene.check("ready web", "");
    scene.check("after 50", "\"web killed: still there 50 ms after it was to stop\"; kill web");
    scene.check(
        "died web 9",
        "\"web failed: too slow to become ready\"; \"page not started: it waits for web, which failed\"",
    );
}

#[test]
fn ending_well_instead_of_becoming_ready_in_time_is_still_a_failure() {
    let web = service("web", &[], |web| web.ready = Ready::Notify);
    let mut scene = Scene::new(vec![web]);
    scene.check("begin", "launch web");
    scene.check("launched web", "\"web started\"");
    scene.check("after 60000", "\"web not ready within 60 s\"; TERM web");
    scene.check("ended web 0", "\"web failed: too slow to become ready\"");
    scene.outcome(Some(Outcome::SomeFailed(vec!["web".into()])));
}

#[test]
fn what_prepares_takes_as_long_as_it_takes_and_then_the_service_has_its_time() {
    let db = service("db", &[], |db| {
        db.prepares = true;
        db.ready = Ready::Notify;
    });
    let mut scene = Scene::new(vec![db]);
    scene.check("begin", "launch db");
    scene.check("after 7200000", "");
    assert_eq!(scene.state.view(ServiceId(0)).unwrap().state, "preparing");
    scene.check("launched db", "\"db started\"");
    scene.check("after 59999", "");
    scene.check("after 1", "\"db not ready within 60 s\"; TERM db");
    let mut scene = Scene::new(vec![service("db", &[], |db| db.prepares = true)]);
    scene.check("begin", "launch db");
    scene.check("stop", "\"stopping; once more kills what is left\"");
    scene.check("after 10000", "\"db killed: still there 10 s after it was to stop\"; kill db");
}

#[test]
fn a_launcher_that_hangs_is_killed() {
    let mut scene = Scene::new(vec![plain("web", &[])]);
    scene.check("begin", "launch web");
    scene.check("after 60000", "\"web not ready within 60 s\"; kill web");
    scene.check("launched web", "kill web");
    scene.check("died web 9", "\"web failed: too slow to become ready\"");
}

#[test]
fn a_service_that_ends_before_it_is_ready_lets_nobody_start() {
    let db = service("db", &[], |db| db.ready = Ready::Notify);
    let mut scene = Scene::new(vec![db, plain("web", &["db"])]);
    scene.check("begin", "launch db");
    scene.check("launched db", "\"db started\"");
    scene.check(
        "ended db 0",
        "\"db ended well before it was ready: one that goes to the background has to stay in the foreground\"; \"web not \
         started: it waits for db, which ended before it was ready\"",
    );
    scene.outcome(Some(Outcome::SomeFailed(vec!["web".into()])));
}

#[test]
fn stopping_goes_against_the_order_of_waits_each_with_its_signal() {
    let web = service("web", &[("mid", Until::Done)], |web| web.stop.signal = SignalName::Quit);
    let mid = service("mid", &[("db", Until::Ready)], |mid| mid.oneshot = true);
    let mut scene = Scene::new(vec![plain("db", &[]), mid, web, plain("log", &[])]);
    scene.check("begin", "launch db; launch log");
    scene.check("launched db", "\"db started\"; launch mid");
    scene.check("launched log", "\"log started\"");
    scene.check("launched mid", "\"mid started\"");
    scene.check("ended mid 0", "\"mid ended well\"; launch web");
    scene.check("launched web", "\"web started\"");
    // `db` is needed by `web` through `mid`, though that has ended.
    scene.check("stop", "\"stopping; once more kills what is left\"; QUIT web; TERM log");
    scene.check("died log 15", "\"log stopped\"");
    scene.check("ended web 0", "\"web stopped\"; TERM db");
    scene.check("after 10000", "\"db killed: still there 10 s after it was to stop\"; kill db");
    scene.outcome(None);
    scene.check("died db 9", "\"db stopped\"");
    scene.outcome(Some(Outcome::Stopped));
}

#[test]
fn a_second_request_kills_at_once() {
    let mut scene = Scene::new(vec![plain("db", &[]), plain("web", &["db"])]);
    scene.check("begin", "launch db");
    scene.check("launched db", "\"db started\"; launch web");
    scene.check("launched web", "\"web started\"");
    scene.check("stop", "\"stopping; once more kills what is left\"; TERM web");
    scene.check("stop", "kill db; kill web");
    scene.check("died web 9", "\"web stopped\"");
    scene.check("died db 9", "\"db stopped\"");
    scene.outcome(Some(Outcome::Stopped));
}

#[test]
fn stopping_starts_nothing_and_a_launcher_at_work_finishes_first() {
    let flappy = service("flappy", &[], |flappy| flappy.restart = Restart::Always);
    let mut scene = Scene::new(vec![flappy, plain("db", &[]), plain("web", &["db"])]);
    scene.check("begin", "launch flappy; launch db");
    scene.check("launched flappy", "\"flappy started\"");
    scene.check("ended flappy 1", "\"flappy failed with status 1; starts again in 100 ms\"");
    scene.check("stop", "\"stopping; once more kills what is left\"");
    scene.check("after 200", "");
    scene.check("launched db", "TERM db");
    scene.check("died db 15", "\"db stopped\"");
    scene.outcome(Some(Outcome::Stopped));
}

#[test]
fn what_crashes_while_others_stop_is_not_restarted() {
    let db = service("db", &[], |db| db.restart = Restart::Always);
    let mut scene = Scene::new(vec![db, plain("web", &["db"])]);
    scene.check("begin", "launch db");
    scene.check("launched db", "\"db started\"; launch web");
    scene.check("launched web", "\"web started\"");
    scene.check("stop", "\"stopping; once more kills what is left\"; TERM web");
    scene.check("died db 11", "\"db failed by signal 11\"");
    scene.check("died web 15", "\"web stopped\"");
    scene.outcome(Some(Outcome::Stopped));
}

#[test]
fn those_that_wait_for_each_other_are_named_while_others_run() {
    let services = vec![
        plain("d", &["a"]),
        plain("a", &["b", "ok"]),
        plain("b", &["a"]),
        plain("c", &["c"]),
        plain("ok", &[]),
    ];
    let mut scene = Scene::new(services);
    scene.check(
        "begin",
        "\"a not started: it waits for b, in a circle\"; \"b not started: it waits for a, in a circle\"; \
         \"c not started: it waits for c, in a circle\"; \"d not started: it waits for a, which was not started\"; launch ok",
    );
}

#[test]
fn nothing_to_start_is_an_end_and_a_late_word_changes_nothing() {
    Scene::new(vec![]).outcome(Some(Outcome::AllEndedWell));
    let mut scene = Scene::new(vec![plain("a", &[])]);
    scene.check("begin", "launch a");
    scene.check("launched a", "\"a started\"");
    scene.check("ended a 0", "\"a ended well\"");
    for late in ["ended a 1", "launched a", "ready a", "refused a x", "begin", "after 100000"] {
        scene.check(late, "");
    }
    scene.outcome(Some(Outcome::AllEndedWell));
}

#[test]
fn a_refusal_travels_down_a_chain_of_ten_thousand() {
    let count = 10_000;
    let name = |n: usize| format!("s{n}");
    let wait = |n: usize| if n == 0 { vec![] } else { vec![name(n - 1)] };
    let services =
        (0..count).map(|n| plain(&name(n), &wait(n).iter().map(String::as_str).collect::<Vec<_>>()));
    let plan = Plan { services: services.collect(), ..Scene::new(vec![]).plan };
    let mut state = State::new(&plan, BTreeMap::new(), false);
    let now = Moment { since: Duration::ZERO, clock: Timestamp::UNIX_EPOCH };
    state.step(now, Event::Begin);
    state.step(now, Event::Refused(ServiceId(0), "x".to_owned()));
    assert!(matches!(state.outcome(), Some(Outcome::SomeFailed(names)) if names.len() == count));
}

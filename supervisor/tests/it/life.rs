//! How everything ends: on request, by force, and when the supervisor itself is killed.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use capc_supervisor::{Restart, Service, SignalName, Stop, Until};
use rustix::process::Signal;

use crate::scene::{ACTOR, Scene, at, service, wait};

/// Says its name when it is asked to stop.
const POLITE: &str = "trap 'echo leaving; exit 0' TERM QUIT; echo here; while :; do sleep 0.05; done";

#[test]
fn ctrl_c_stops_in_reverse_order_each_with_its_own_signal() {
    let mut scene = Scene::new();
    scene.add(service("db"), POLITE);
    let web = Service {
        waits: vec![wait("db", Until::Ready)],
        restart: Restart::Always,
        stop: Stop { signal: SignalName::Quit, within_ms: 10_000 },
        ..service("web")
    };
    scene.add(web, POLITE);
    scene.start();
    scene.expect_all(&["db   | here", "web  | here"]);
    scene.signal(Signal::INT);
    let lines = scene.end("stopped");
    let order = ["stopping", "web  | leaving", "web stopped", "db   | leaving", "db stopped"]
        .map(|text| at(&lines, text));
    assert!(order.is_sorted(), "{lines:#?}");
}

#[test]
fn who_does_not_stop_in_time_is_killed() {
    let mut scene = Scene::new();
    let stop = Stop { signal: SignalName::Term, within_ms: 100 };
    scene.add(Service { stop, ..service("deaf") }, "trap '' TERM; echo here; while :; do sleep 0.05; done");
    scene.start();
    scene.expect("here");
    scene.signal(Signal::TERM);
    let lines = scene.end("stopped");
    at(&lines, "deaf killed: still there 100 ms after it was to stop");
}

#[test]
fn a_second_ctrl_c_hastens() {
    let mut scene = Scene::new();
    // Longer than anybody waits here.
    let stop = Stop { signal: SignalName::Term, within_ms: 600_000 };
    let deaf = Service { stop, ..service("deaf") };
    scene.add(deaf, "trap '' TERM; echo here; while :; do sleep 0.05; done");
    scene.start();
    scene.expect("here");
    scene.signal(Signal::INT);
    scene.expect("stopping");
    scene.signal(Signal::INT);
    scene.end("stopped");
}

#[test]
fn when_the_supervisor_is_killed_every_world_ends() {
    let mut scene = Scene::new();
    for name in ["one", "two"] {
        scene.add(service(name), "echo pid $$; exec sleep 600");
    }
    scene.start();
    // The keepers are at their post once the services are known to run.
    let lines = scene.expect_all(&["one  | pid ", "two  | pid ", "one started", "two started"]);
    let pids: Vec<&str> = lines.iter().filter_map(|line| Some(line.split_once("| pid ")?.1)).collect();
    assert_eq!(pids.len(), 2);
    scene.signal(Signal::KILL);
    let begin = Instant::now();
    let is_there = |pid: &&str| {
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        status.contains("(sleep)") && !status.contains(" Z ")
    };
    while pids.iter().any(is_there) {
        assert!(begin.elapsed() < Duration::from_secs(20), "{pids:?} live on");
        std::thread::yield_now();
    }
}

#[test]
fn nothing_of_an_old_run_lives_into_the_new_one() {
    let mut scene = Scene::new();
    let web = Service { restart: Restart::OnFailure, ..service("web") };
    // The first run notes its own keeper; the second looks for it.
    let script = r#"
        if test -e @/keeper; then test -e "$(cat @/keeper)" && echo undead; exit 0; fi
        until grep -la -- "--keep.$$.[0-9]" /proc/[0-9]*/cmdline 2>/dev/null >@/found; do :; done
        mv @/found @/keeper; exit 1"#;
    scene.add(web, script);
    scene.start();
    let lines = scene.end("all ended well");
    assert!(scene.read("keeper").starts_with("/proc/") && !lines.iter().any(|line| line.contains("undead")));
}

#[test]
fn a_second_supervisor_is_kept_out() {
    let mut scene = Scene::new();
    scene.add(service("web"), "echo here; exec sleep 600");
    scene.start();
    scene.expect("here");
    let words = ["--supervise", "plan.json", "generation", "runtime"];
    let output = Command::new(ACTOR).args(words).current_dir(&scene.place).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("outcome: another supervisor runs this system"));
    scene.signal(Signal::TERM);
    scene.end("stopped");
}

/// Service lines that flood, tear or carry control characters arrive whole and harmless.
#[test]
fn logs_are_lines_of_their_service() {
    let mut scene = Scene::new();
    scene.add(
        service("noisy"),
        "for i in 1 2 3; do head -c 9000 /dev/zero | tr '\\0' x; echo; done; printf '\\033[31mred'",
    );
    scene.add(service("b"), "i=0; while test $i -lt 2000; do echo line $i; i=$((i+1)); done");
    scene.start();
    let lines = scene.end("all ended well");
    let of_b: Vec<&String> = lines.iter().filter(|line| line.starts_with("b     | line ")).collect();
    assert_eq!(of_b.len(), 2000);
    assert_eq!(of_b[1999], "b     | line 1999");
    assert_eq!(lines.iter().filter(|line| line.len() == 8192 + "noisy | ".len()).count(), 3);
    at(&lines, "noisy | \\x1b[31mred");
}

/// As the first process of a PID namespace it reaps what others leave behind, and a signal still stops it.
#[test]
fn as_first_process_it_reaps_strangers() {
    let mut scene = Scene::new();
    // The grandchild outlives its parent, so it becomes the first process's child, and then ends.
    scene.add(service("web"), "(sh -c 'sleep 0.1; echo orphan ends >&2' &) ; read go <@/gate; grep -L Zombie /proc/[0-9]*/status | wc -l");
    scene.gate("gate");
    scene.start_under(&["unshare", "--user", "--map-root-user", "--mount-proc", "--pid", "--fork"]);
    scene.expect("orphan ends");
    fs::write(scene.path("gate"), "go\n").unwrap();
    scene.end("all ended well");
}

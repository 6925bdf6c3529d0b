//! Control groups: where all processes of a service are, by which nothing of it stays, and what is refused without.
//!
//! What controllers do is tried in a machine of its own, with the compiler's tests: not every kernel has them here.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use capc_supervisor::{Limits, Needs, Restart, Service};
use rustix::process::Signal;

use crate::scene::{Scene, at, service};

/// Returns a service's group, which it prints, as this process sees it; none where nobody may make groups.
fn group(scene: &mut Scene, name: &str) -> Option<PathBuf> {
    let line = scene.expect("group ");
    let below = line.split_once("group 0::").unwrap().1.trim_start_matches('/').to_owned();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    let found = mount.map(|line| PathBuf::from(line.split(' ').nth(4).unwrap()).join(&below));
    let found = found.filter(|_| below.ends_with(&format!("{name}.world")));
    if found.is_none() {
        eprintln!("not tried: control groups (nobody may make any here)");
    }
    found
}

const SAY: &str = "echo group $(grep ^0:: /proc/self/cgroup)";

#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// Away from its session, its parent and its output: nothing but the group knows whose it is.
const DAEMON: &str = "setsid sh -c 'sleep 600 & echo $! >@/daemon' >/dev/null 2>&1 &
    until test -s @/daemon; do :; done";

fn runs(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    status.contains("(sleep)") && !status.contains(" Z ")
}

#[test]
fn what_a_service_left_behind_ends_with_it() {
    let mut scene = Scene::new();
    scene.add(service("web"), &format!("{SAY}; {DAEMON}; read go <@/gate"));
    scene.gate("gate");
    scene.start();
    let Some(group) = group(&mut scene, "web") else { return };
    until("the daemon runs", || runs(&scene.read("daemon")));
    assert!(group.is_dir());
    fs::write(scene.path("gate"), "go\n").unwrap();
    scene.end("all ended well");
    assert!(!runs(&scene.read("daemon")), "the daemon lives on");
    assert!(!group.exists() && !group.parent().unwrap().exists());
}

#[test]
fn each_start_has_a_group_that_holds_nothing_of_the_one_before() {
    let mut scene = Scene::new();
    let web = Service { restart: Restart::OnFailure, ..service("web") };
    let again = "if test -e @/daemon; then wc -l <$(echo @/group)/cgroup.procs; exit 0; fi";
    scene.add(web, &format!("{SAY}; {again}; read group <@/gate; ln -s $group @/group; {DAEMON}; exit 1"));
    scene.gate("gate");
    scene.start();
    let Some(group) = group(&mut scene, "web") else { return };
    fs::write(scene.path("gate"), format!("{}\n", group.display())).unwrap();
    let lines = scene.end("all ended well");
    // The service, its keeper and the shell of the substitution; the launcher may be there still.
    let count: u32 = lines.iter().find_map(|line| line.split_once("| ")?.1.parse().ok()).unwrap();
    assert!((2..=4).contains(&count), "{lines:#?}");
    assert!(!runs(&scene.read("daemon")), "the daemon lives on");
}

#[test]
fn what_a_killed_supervisor_left_behind_is_removed_by_the_next() {
    let mut scene = Scene::new();
    scene.add(service("web"), &format!("{SAY}; {DAEMON}; sleep 600"));
    scene.start();
    let Some(group) = group(&mut scene, "web") else { return };
    until("the daemon runs", || runs(&scene.read("daemon")));
    scene.signal(Signal::KILL);
    let mut next = Scene::new();
    next.add(service("other"), "true");
    next.start();
    next.end("all ended well");
    assert!(!runs(&scene.read("daemon")), "the daemon lives on");
    assert!(!group.parent().unwrap().exists());
}

#[test]
fn groups_of_a_supervisor_that_lives_are_left_alone_by_another() {
    let mut scene = Scene::new();
    scene.add(service("web"), &format!("{SAY}; read go <@/gate"));
    scene.gate("gate");
    scene.start();
    let Some(group) = group(&mut scene, "web") else { return };
    let mut next = Scene::new();
    next.add(service("other"), "true");
    next.start();
    next.end("all ended well");
    assert!(group.is_dir());
    fs::write(scene.path("gate"), "go\n").unwrap();
    scene.end("all ended well");
}

#[test]
fn a_service_that_must_be_limited_does_not_start_where_nothing_limits_it() {
    let mut scene = Scene::new();
    let limited = |needs: bool| Limits {
        memory: Some(1 << 30),
        tasks: Some(100),
        cpu: Some(50),
        needs: Needs { cpu: needs, ..Needs::default() },
    };
    scene.add(Service { limits: limited(true), ..service("strict") }, "echo here");
    scene.add(Service { limits: limited(false), ..service("lenient") }, "echo here");
    let covered =
        "mount -t tmpfs none /sys/fs/cgroup 2>/dev/null; umount -a -t cgroup2 2>/dev/null; exec \"$@\"";
    scene.start_under(&["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", covered, "sh"]);
    let lines = scene.end("failed: strict");
    at(&lines, "lenient | here");
    at(&lines, "strict refused: nothing limits its processor time here (");
    assert!(!lines.iter().any(|line| line.contains("strict  | here")), "{lines:#?}");
}

//! The supervisor as the first process of a PID namespace, as in a container.

use capc_supervisor::Service;

use crate::scene::{Scene, at, service};

const AS_FIRST: [&str; 6] = ["unshare", "--user", "--map-root-user", "--mount-proc", "--pid", "--fork"];

#[test]
fn the_first_process_reaps_whatever_is_left_to_it() {
    let mut scene = Scene::new();
    // The orphan's parent ends at once; a process that nobody reaps stays in /proc.
    scene.add(
        Service { oneshot: true, ..service("web") },
        "sh -c 'sh -c \"echo \\$\\$ >@/orphan; mv @/orphan @/known; exec sleep 0.1\" &'; \
         while ! test -e @/known; do sleep 0.02; done; while test -e /proc/$(cat @/known); do sleep 0.02; done; echo reaped",
    );
    scene.start_under(&AS_FIRST);
    let lines = scene.end("all ended well");
    at(&lines, "web  | reaped");
}

/// The kernel keeps signals from a first process that has no handler for them.
#[test]
fn the_first_process_stops_by_each_signal_that_switches_off() {
    for signal in ["TERM", "INT", "PWR", "37", "38"] {
        let mut scene = Scene::new();
        let script =
            format!("trap 'echo leaving; exit 0' TERM; kill -{signal} 1; while :; do sleep 0.02; done");
        scene.add(service("web"), &script);
        scene.start_under(&AS_FIRST);
        let lines = scene.end("stopped");
        at(&lines, "web  | leaving");
    }
}

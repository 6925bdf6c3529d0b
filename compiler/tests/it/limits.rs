//! Limits that control groups hold whole services to, in a machine whose kernel has controllers.

use crate::boot::{Console, STARTS, commands, make, scene};

/// Each process of `hog` alone is within the limit that it has without control groups; nobody counts the tasks of `bomb` by
/// its identity, which may be shared.
const LIMITED: &str = r#"system limited
identity shared
service hog {
    run "./hog"
    image "/usr/bin/head"
    image "/usr/bin/tail"
    oneshot
    limits memory="40M"
    provides over done=#true
}
service modest {
    run "./modest"
    oneshot
    limits memory="40M" tasks=4 cpu="1000%"
}
service bomb {
    run "./bomb"
    image "/usr/bin/sleep"
    oneshot
    as shared
    holds shared
    limits tasks=7
}
service spinner {
    run "./spinner"
    oneshot
    limits cpu="20%"
}
service lenient {
    run "./modest"
    oneshot
    limits cpu="1000%" best-effort=#true
}
"#;

/// Holds three times 25 MB, since there is no end of a line to let go of.
const HOG: &str = "#!/bin/sh
for one in 1 2 3; do
    head -c 25000000 /dev/zero | (tail -n 1 >/dev/null; echo one has held it) &
done
wait
";

/// Counts what it was not refused: the keeper and itself are there as well.
const BOMB: &str = "#!/bin/sh
trap 'set -- /proc/[0-9]*; echo there are $#' EXIT
for one in 1 2 3 4 5 6 7 8 9 10 11 12; do
    sleep 1000 &
done
";

const SPINNER: &str = "#!/bin/sh
number=0
while [ $number -lt 30000 ]; do number=$((number + 1)); done
";

#[test]
fn control_groups_hold_whole_services_to_their_limits_where_there_are_controllers() {
    let Some(scene) = scene("limits") else { return };
    scene.write("machine/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    scene.write("machine/srv/system.kdl", LIMITED);
    for (name, text) in
        [("hog", HOG), ("bomb", BOMB), ("spinner", SPINNER), ("modest", "#!/bin/sh\necho all is well\n")]
    {
        scene.program(&format!("machine/srv/{name}"), text);
    }
    std::fs::create_dir_all(scene.path.join("machine/usr/bin")).unwrap();
    std::fs::copy(scene.path.join("bin/capc"), scene.path.join("machine/usr/bin/capc")).unwrap();
    make(&scene, Some(&[]));
    let boot = commands(STARTS);
    let console = Console::of(&scene, &boot);
    console
        .says("capc: limits: memory, tasks and processor time of all processes of a service together, by control groups\n")
        .says("hog failed: it used more memory than its limit, and all of it was killed\n")
        .says("modest  | all is well")
        .says("modest ended well")
        .says("bomb    | there are 8\n")
        .says("bomb: its limit of tasks refused it 1 more\n")
        .says("lenient | all is well")
        .says("spinner ended well");
    let waited = console.0.split("spinner: its limit of processor time made it wait ").nth(1);
    let times: u32 = waited.and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap();
    assert!(times > 3, "{}", console.0);
    assert!(!console.0.contains("modest: "), "{}", console.0);

    // Compiled and run there, nothing needs to be counted for each process by itself.
    let console = Console::of(&scene, &boot.replace("/var/lib/capc/current", "/srv/system.kdl"));
    console.says("hog failed: it used more memory than its limit").says("bomb    | there are 8\n");
    assert!(!console.0.contains("note: "), "{}", console.0);

    // The same kernel without the controller.
    let without = boot.replace("quiet", "quiet cgroup_disable=cpu");
    Console::of(&scene, &without)
        .says(
            "capc: limits: memory and tasks of all processes of a service together, by control groups; \
             processor time not at all (/sys/fs/cgroup/cgroup.controllers lists no cpu)\n",
        )
        .says("hog failed: it used more memory than its limit")
        .says("spinner refused: nothing limits its processor time here (")
        .says("modest refused: nothing limits its processor time here (")
        .says("lenient | all is well");
}

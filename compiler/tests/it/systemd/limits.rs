//! Limits that systemd holds all processes of a service to together.

use super::{reconfigure, said, scene};
use crate::booted::Booted;
use crate::scene::{needs_root, until};

/// Each process alone is within its limit, and counted by its number nobody is at all.
const LIMITED: &str = r#"system limited
dir code "./code"
identity shared
service memory {
    run "/usr/bin/python3" "/code/memory.py"
    image "std:python3"
    holds code read at="/code"
    limits memory="100M"
}
service tasks {
    run "/usr/bin/python3" "/code/tasks.py"
    image "std:python3"
    as shared
    holds shared
    holds code read at="/code"
    limits tasks=6 cpu="50%" best-effort=#true
}
"#;

const MEMORY: &str = r#"import os, time
for one in range(3):
    if os.fork() == 0:
        much = b"x" * (60 << 20)
        time.sleep(1000)
print("one ended by", os.wait()[1] & 127, flush=True)
time.sleep(1000)
"#;

const TASKS: &str = r#"import os, time
number = 1
try:
    while number < 100:
        if os.fork() == 0:
            time.sleep(1000)
        number += 1
except BlockingIOError:
    print("no more than", number, flush=True)
time.sleep(1000)
"#;

#[test]
fn limits_count_for_all_processes_of_a_service_together() {
    if !needs_root("limits with systemd") {
        return;
    }
    let scene = scene("systemd-limits", LIMITED);
    scene.write("code/memory.py", MEMORY);
    scene.write("code/tasks.py", TASKS);
    let machine = Booted::new(&scene);
    let has = |controller: &str, old: &str| {
        let line = format!(
            "grep -qw {controller} /sys/fs/cgroup/cgroup.controllers || test -e /sys/fs/cgroup/{old}/tasks"
        );
        machine.sh(&line).status == Some(0)
    };
    if !has("memory", "memory") || !has("pids", "pids") {
        return eprintln!("not tried: limits with systemd (this kernel hands no control groups on)");
    }
    let run = reconfigure(&machine, &[]).exits(0);
    assert!(!run.out.contains("counts for each of its processes alone"), "{}", run.out);
    let is_killed = || said(&machine, "memory").contains("one ended by 9");
    until("one process too many is killed", || {
        is_killed() || machine.show("capc-memory.service", "Result") == "oom-kill"
    });
    until("there are enough tasks", || said(&machine, "tasks").contains("no more than"));
    // The world's keeper counts as well.
    assert!(said(&machine, "tasks").contains("no more than 8"), "{}", said(&machine, "tasks"));
    let unit =
        std::fs::read_to_string(scene.path.join("store/current/init/systemd/capc-tasks.service")).unwrap();
    let cpu = if has("cpu", "cpu,cpuacct") {
        assert!(unit.contains("CPUQuota=50%\n"), "{unit}");
        "500ms"
    } else {
        run.says("its processor time is not limited, for want of control groups");
        "infinity"
    };
    assert_eq!(machine.show("capc-tasks.service", "CPUQuotaPerSecUSec"), cpu);
}

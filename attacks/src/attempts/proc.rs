//! What /proc and /sys tell and let change.

use super::call::io;
use crate::attempt::{Attack, Attempt, attack};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::Path;

pub const ALL: &[Attack] = &[
    attack("write a kernel setting", |_| opened("/proc/sys/kernel/core_pattern")),
    attack("read a kernel setting", |_| io(fs::read("/proc/sys/kernel/randomize_va_space"))),
    attack("press a magic key", |_| opened("/proc/sysrq-trigger")),
    attack("read the kernel's memory", |_| first_byte("/proc/kcore")),
    attack("read the kernel's symbols", |_| first_byte("/proc/kallsyms")),
    attack("read the kernel's arguments", |_| first_byte("/proc/cmdline")),
    attack("list the kernel's modules", |_| first_byte("/proc/modules")),
    attack("list the kernel's keys", |_| io(fs::read("/proc/keys"))),
    attack("read how the machine is used", |_| first_byte("/proc/loadavg")),
    attack("list the machine's interrupts", |_| first_byte("/proc/interrupts")),
    attack("list the machine's disks", |_| first_byte("/proc/diskstats")),
    attack("list a process's files", |aim| io(fs::read_dir(format!("/proc/{}/fd", aim.pid)))),
    attack("read a process's arguments", |aim| first_byte(format!("/proc/{}/cmdline", aim.pid))),
    attack("read a process's environment", |aim| first_byte(format!("/proc/{}/environ", aim.twin))),
    attack("read the first process's environment", |_| first_byte("/proc/1/environ")),
    attack("open the first process's memory", |_| opened("/proc/1/mem")),
    attack("be spared when memory runs out", |_| io(fs::write("/proc/self/oom_score_adj", "-1000"))),
    attack("map its own users", |_| io(fs::write("/proc/self/uid_map", "0 0 1"))),
    attack("list /sys", |_| io(fs::read_dir("/sys"))),
    attack("list its control groups", |_| io(fs::read_dir("/sys/fs/cgroup"))),
    attack("leave its control group", |_| opened("/sys/fs/cgroup/cgroup.procs")),
    attack("read the firmware's tables", |_| io(fs::read_dir("/sys/firmware/acpi"))),
    attack("list network interfaces", |_| io(fs::read_dir("/sys/class/net"))),
];

fn opened(path: &str) -> Attempt {
    io(OpenOptions::new().write(true).open(path))
}

/// Some of these are empty for whoever may not read them.
fn first_byte(path: impl AsRef<Path>) -> Attempt {
    io(File::open(path).and_then(|mut file| file.read_exact(&mut [0])))
}

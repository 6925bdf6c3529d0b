//! What the first process of a machine does last: it switches the machine off, where another program just ends.

use rustix::system::RebootCommand;

/// The machine's own PID namespace, by the number that the kernel gives it (`PROC_PID_INIT_INO`).
const OF_MACHINE: &str = "pid:[4026531836]";

/// Returns whether this is the first process of a machine, and not only of a container.
pub fn is_first_of_machine() -> bool {
    let namespace = std::fs::read_link("/proc/self/ns/pid");
    rustix::process::getpid().is_init() && namespace.is_ok_and(|path| path.as_os_str() == OF_MACHINE)
}

/// Writes out what is not on disks yet and switches the machine off; returns only if the kernel refuses.
pub fn switch_off() {
    rustix::fs::sync();
    if let Err(error) = rustix::system::reboot(RebootCommand::PowerOff) {
        super::complain!("capc: cannot switch the machine off: {error}");
    }
}

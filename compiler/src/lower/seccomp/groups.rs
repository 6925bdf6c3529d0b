//! System calls beyond the usual: what `syscalls` names, and what a kernel privilege is of no use without.

use syscalls::x86_64::Sysno::{self, *};

/// The group whose calls do what others do where no filter sees it.
pub const IO_URING: &str = "io_uring";

/// The groups of `syscalls`; `docs/language.md` lists them.
#[rustfmt::skip]
const GROUPS: &[(&str, &[Sysno])] = &[
    (IO_URING, &[io_uring_setup, io_uring_enter, io_uring_register]),
    ("bpf", &[Sysno::bpf]),
    ("perf", &[perf_event_open]),
    ("keyring", &[add_key, request_key, keyctl]),
    ("ptrace", TRACING),
    ("namespaces", &[unshare, setns]),
    ("mount", MOUNTING),
    ("userfaultfd", &[userfaultfd]),
];

const TRACING: &[Sysno] = &[ptrace, process_vm_readv, process_vm_writev, process_madvise, kcmp, pidfd_getfd];

#[rustfmt::skip]
const MOUNTING: &[Sysno] = &[
    mount, umount2, pivot_root, open_tree, open_tree_attr, move_mount, fsopen, fsconfig, fsmount, fspick,
    mount_setattr, statmount, listmount,
];

/// What a privilege gates that no other call does, by its number in linux/capability.h (capabilities(7)).
#[rustfmt::skip]
const GATED: &[(u8, &[Sysno])] = &[
    (2, &[open_by_handle_at]),                                                  // CAP_DAC_READ_SEARCH
    (16, &[init_module, finit_module, delete_module]),                          // CAP_SYS_MODULE
    (17, &[iopl, ioperm]),                                                      // CAP_SYS_RAWIO
    (18, &[chroot]),                                                            // CAP_SYS_CHROOT
    (19, TRACING),                                                              // CAP_SYS_PTRACE
    (20, &[acct]),                                                              // CAP_SYS_PACCT
    (21, MOUNTING),                                                             // CAP_SYS_ADMIN
    (21, &[unshare, setns, quotactl, quotactl_fd, swapon, swapoff, sethostname, setdomainname, fanotify_init,
        fanotify_mark]),
    (22, &[reboot, kexec_load, kexec_file_load]),                               // CAP_SYS_BOOT
    (23, &[move_pages, migrate_pages]),                                         // CAP_SYS_NICE
    (25, &[settimeofday, clock_settime, clock_adjtime, adjtimex]),              // CAP_SYS_TIME
    (26, &[vhangup]),                                                           // CAP_SYS_TTY_CONFIG
    (34, &[syslog]),                                                            // CAP_SYSLOG
    (38, &[perf_event_open]),                                                   // CAP_PERFMON
    (39, &[Sysno::bpf]),                                                        // CAP_BPF
];

/// What everybody may call, and to any use only who has a privilege.
#[rustfmt::skip]
const OF_ONESELF: &[(u8, &[Sysno])] = &[
    (6, &[setgid, setregid, setresgid, setgroups, setfsgid]),                   // CAP_SETGID
    (7, &[setuid, setreuid, setresuid, setfsuid]),                              // CAP_SETUID
    (23, &[setpriority, ioprio_set, sched_setscheduler, sched_setparam, sched_setattr, sched_setaffinity]), // CAP_SYS_NICE
    (24, &[setrlimit, prlimit64]),                                              // CAP_SYS_RESOURCE
];

/// `CAP_NET_ADMIN`, `CAP_AUDIT_WRITE`, `CAP_AUDIT_CONTROL`, `CAP_AUDIT_READ`: used by talking to the kernel over sockets.
const OVER_NETLINK: [u8; 4] = [12, 29, 30, 37];
/// `CAP_NET_RAW`.
const NET_RAW: u8 = 13;

/// What a service may call beyond the usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Beyond {
    /// Words of `syscalls`.
    pub groups: Vec<String>,
    /// Numbers of kernel privileges.
    pub privileges: Vec<u8>,
}

impl Beyond {
    /// Returns the calls.
    pub fn calls(&self) -> impl Iterator<Item = Sysno> {
        let groups = GROUPS.iter().filter(|(word, _)| self.has_group(word)).map(|(_, calls)| *calls);
        let gated = GATED.iter().filter(|(number, _)| self.privileges.contains(number));
        groups.chain(gated.map(|(_, calls)| *calls)).flatten().copied()
    }

    /// Returns whether it may make namespaces for its children too.
    #[must_use]
    pub fn makes_namespaces(&self) -> bool {
        // CAP_SYS_ADMIN.
        self.has_group("namespaces") || self.privileges.contains(&21)
    }

    /// Returns whether it may talk to every part of the kernel that talks over netlink.
    #[must_use]
    pub fn talks_to_the_kernel(&self) -> bool {
        self.privileges.iter().any(|number| OVER_NETLINK.contains(number))
    }

    /// Returns whether it may send and receive packets as they are.
    #[must_use]
    pub fn sees_packets(&self) -> bool {
        self.privileges.contains(&NET_RAW)
    }

    fn has_group(&self, word: &str) -> bool {
        self.groups.iter().any(|group| group == word)
    }
}

/// Returns whether a privilege, by its number, is used by messages to the kernel or as packets.
#[must_use]
pub fn uses_messages(privilege: u8) -> bool {
    privilege == NET_RAW || OVER_NETLINK.contains(&privilege)
}

/// Returns the group of `syscalls` that admits a call.
#[must_use]
pub fn group_of_call(number: u32) -> Option<&'static str> {
    let has = |calls: &[Sysno]| calls.iter().any(|call| super::table::number(*call) == number);
    GROUPS.iter().find(|(_, calls)| has(calls)).map(|(word, _)| *word)
}

/// Returns the number of the kernel privilege that a call is of no use without.
#[must_use]
pub fn privilege_of_call(number: u32) -> Option<u8> {
    let has = |calls: &[Sysno]| calls.iter().any(|call| super::table::number(*call) == number);
    GATED.iter().chain(OF_ONESELF).find(|(_, calls)| has(calls)).map(|(privilege, _)| *privilege)
}

/// Returns the numbers of the calls that some groups of `syscalls` and some privileges admit.
pub fn calls_beyond(groups: Vec<String>, privileges: Vec<u8>) -> impl Iterator<Item = u32> {
    let beyond = Beyond { groups, privileges };
    beyond.calls().map(super::table::number).collect::<Vec<u32>>().into_iter()
}

//! Landlock and seccomp: what a process gives up for itself and all it starts.

use super::{Answer, Fd, call, signed};
pub use linux_raw_sys::ptrace::sock_filter as Instruction;
use linux_raw_sys::{general as k, landlock as l, ptrace};

/// What a Landlock ruleset decides about.
#[derive(Copy, Clone)]
pub struct Handled {
    /// Rights on files.
    pub files: u64,
    /// Rights on TCP ports.
    pub ports: u64,
    /// Scopes.
    pub scopes: u64,
}

/// Returns the version of Landlock that the kernel has.
pub fn landlock_abi() -> Answer<u32> {
    let flags = l::LANDLOCK_CREATE_RULESET_VERSION as usize;
    // SAFETY: with this flag no structure is read.
    unsafe { call(k::__NR_landlock_create_ruleset, [0, 0, flags]) }.map(|answer| answer as u32)
}

/// Makes a ruleset without rules: nothing of what it handles is allowed.
pub fn new_ruleset(handled: Handled) -> Answer<Fd> {
    let Handled { files, ports, scopes } = handled;
    let attributes =
        l::landlock_ruleset_attr { handled_access_fs: files, handled_access_net: ports, scoped: scopes };
    // Older kernels take a longer structure if what they do not know is zero.
    // SAFETY: the structure has the size that is told.
    unsafe {
        call(k::__NR_landlock_create_ruleset, [&raw const attributes as usize, size_of_val(&attributes), 0])
    }
    .map(Fd::of)
}

/// Allows rights on a file, or on a directory and all beneath it.
pub fn allow_beneath(ruleset: &Fd, place: &Fd, rights: u64) -> Answer<()> {
    let rule = l::landlock_path_beneath_attr { allowed_access: rights, parent_fd: place.number() };
    let kind = l::landlock_rule_type::LANDLOCK_RULE_PATH_BENEATH as usize;
    // SAFETY: the kind of rule is the structure's.
    unsafe { call(k::__NR_landlock_add_rule, [signed(ruleset.number()), kind, &raw const rule as usize, 0]) }
        .map(drop)
}

/// Allows rights on a TCP port.
pub fn allow_port(ruleset: &Fd, port: u16, rights: u64) -> Answer<()> {
    let rule = l::landlock_net_port_attr { allowed_access: rights, port: u64::from(port) };
    let kind = l::landlock_rule_type::LANDLOCK_RULE_NET_PORT as usize;
    // SAFETY: the kind of rule is the structure's.
    unsafe { call(k::__NR_landlock_add_rule, [signed(ruleset.number()), kind, &raw const rule as usize, 0]) }
        .map(drop)
}

/// Is bound by a ruleset from now on; `flags` say what of that is told to the kernel's audit.
pub fn obey(ruleset: &Fd, flags: u32) -> Answer<()> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_landlock_restrict_self, [signed(ruleset.number()), flags as usize]) }.map(drop)
}

/// Whether a refused system call is told to the kernel's audit, and where that is off, to its log.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Telling {
    /// It is not.
    Nobody,
    /// It is.
    Audit,
}

/// Has every system call judged by a program from now on.
pub fn filter_calls(program: &[Instruction], telling: Telling) -> Answer<()> {
    let length = u16::try_from(program.len()).map_err(|_| super::Errno::EINVAL)?;
    let program = ptrace::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    let operation = ptrace::SECCOMP_SET_MODE_FILTER as usize;
    let flags = match telling {
        Telling::Nobody => 0,
        Telling::Audit => ptrace::SECCOMP_FILTER_FLAG_LOG as usize,
    };
    // SAFETY: the kernel reads the structure and as many instructions as it says, and changes none.
    unsafe { call(k::__NR_seccomp, [operation, flags, &raw const program as usize]) }.map(drop)
}

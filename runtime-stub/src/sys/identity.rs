//! Identity: user, groups, kernel privileges, limits, and who may look on.

use super::{Answer, call};
use linux_raw_sys::{general as k, prctl as p};

/// Returns the effective user of this process.
#[must_use]
pub fn user() -> u32 {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_geteuid, []) }.map_or(u32::MAX, |answer| answer as u32)
}

/// Returns the effective group of this process.
#[must_use]
pub fn group() -> u32 {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_getegid, []) }.map_or(u32::MAX, |answer| answer as u32)
}

/// Becomes a user, for good.
pub fn become_user(uid: u32) -> Answer<()> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_setresuid, [uid as usize; 3]) }.map(drop)
}

/// Becomes a group, for good.
pub fn become_group(gid: u32) -> Answer<()> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_setresgid, [gid as usize; 3]) }.map(drop)
}

/// Has these supplementary groups and no others.
pub fn set_groups(gids: &[u32]) -> Answer<()> {
    // SAFETY: the kernel reads as many numbers as the slice has.
    unsafe { call(k::__NR_setgroups, [gids.len(), gids.as_ptr() as usize]) }.map(drop)
}

/// Has these kernel privileges (a bit each) permitted, effective and inheritable, and no others.
pub fn set_privileges(kept: u64) -> Answer<()> {
    let header = k::__user_cap_header_struct { version: k::_LINUX_CAPABILITY_VERSION_3, pid: 0 };
    let half = |bits: u32| k::__user_cap_data_struct { effective: bits, permitted: bits, inheritable: bits };
    let data = [half(kept as u32), half((kept >> 32) as u32)];
    // SAFETY: version 3 reads one header and two structures.
    unsafe { call(k::__NR_capset, [&raw const header as usize, data.as_ptr() as usize]) }.map(drop)
}

fn control(option: u32, value: usize, second: usize) -> Answer<()> {
    // SAFETY: the options used in this file take numbers and no memory.
    unsafe { call(k::__NR_prctl, [option as usize, value, second, 0, 0]) }.map(drop)
}

/// Takes a privilege out of all that may ever be had; `EINVAL` for one that the kernel does not know.
pub fn drop_from_bounds(privilege: u32) -> Answer<()> {
    control(p::PR_CAPBSET_DROP, privilege as usize, 0)
}

/// Has no ambient privileges.
pub fn clear_ambient() -> Answer<()> {
    control(p::PR_CAP_AMBIENT, p::PR_CAP_AMBIENT_CLEAR_ALL as usize, 0)
}

/// Has an ambient privilege, kept over programs.
pub fn raise_ambient(privilege: u32) -> Answer<()> {
    control(p::PR_CAP_AMBIENT, p::PR_CAP_AMBIENT_RAISE as usize, privilege as usize)
}

/// Keeps privileges when the user changes.
pub fn keep_privileges_of_root() -> Answer<()> {
    control(p::PR_SET_KEEPCAPS, 1, 0)
}

/// Makes user 0 a user like others, for good.
pub fn forget_root() -> Answer<()> {
    // SECBIT_NOROOT and SECBIT_NOROOT_LOCKED.
    control(p::PR_SET_SECUREBITS, 0b11, 0)
}

/// Gains nothing by executing programs any more.
pub fn gain_nothing() -> Answer<()> {
    control(p::PR_SET_NO_NEW_PRIVS, 1, 0)
}

/// Who may look into this process.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Onlookers {
    /// Nobody without privileges.
    Nobody,
    /// Its own user.
    SameUser,
}

/// Says who may look into this process.
pub fn let_look(who: Onlookers) -> Answer<()> {
    control(p::PR_SET_DUMPABLE, usize::from(who == Onlookers::SameUser), 0)
}

/// Sets the limit in force of a resource, and leaves how far that may be raised.
pub fn lower_limit(resource: u32, soft: u64) -> Answer<()> {
    let mut limit = k::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills in one structure.
    unsafe { call(k::__NR_prlimit64, [0, resource as usize, 0, &raw mut limit as usize]) }?;
    set_limit(resource, soft, limit.rlim_max)
}

/// Sets a resource limit.
pub fn set_limit(resource: u32, soft: u64, hard: u64) -> Answer<()> {
    let limit = k::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel reads one structure.
    unsafe { call(k::__NR_prlimit64, [0, resource as usize, &raw const limit as usize, 0]) }.map(drop)
}

//! Entering: a mount namespace, and for a plain user a user namespace before it, in which services can be started.

use super::identity::write;
use super::namespaces;
use crate::refusal::{Layer, OrRefuse, Reason, Refusal, Subject};
use crate::sys::memory::Arena;
use crate::sys::start::Start;
use crate::sys::{self, CLONE_NEWUSER, StringList};
use capc_schemas::manifest::Mode;
use core::ffi::CStr;

/// Enters and becomes a program, whose arguments begin after `skip`; returns only if that fails.
///
/// # Errors
/// Always, when it returns.
pub fn enter<'m>(
    start: Start,
    mode: Mode,
    skip: usize,
    program: &'m CStr,
    room: &'m mut [u8],
) -> Result<u8, Refusal<'m>> {
    match mode {
        Mode::Root => {}
        Mode::User => become_root_of_oneself()?,
    }
    namespaces::leave_mounts()?;
    let mut arena = Arena::new(room);
    let too_long = Refusal::of(Layer::Usage, "too many arguments or variables");
    let (arguments, environment) = (start.arguments().skip(skip), start.environment());
    let room = arena.list(start.arguments().count(), 0).ok_or(too_long)?;
    let arguments = StringList::of(room, arguments).ok_or(too_long)?;
    let room = arena.list(start.environment().count() + 1, 0).ok_or(too_long)?;
    let environment = StringList::of(room, environment).ok_or(too_long)?;
    let reason = Reason::Exec(sys::execute(program, arguments, environment));
    Err(Refusal { layer: Layer::Program, subject: Subject::Path(program), reason })
}

/// Enters a user namespace in which this user and group are 0.
///
/// # Errors
/// When the kernel does not let us.
pub fn become_root_of_oneself<'m>() -> Result<(), Refusal<'m>> {
    let (uid, gid) = (sys::user(), sys::group());
    let asked = "unshare (kernel.unprivileged_userns_clone, user.max_user_namespaces or \
                 kernel.apparmor_restrict_unprivileged_userns may forbid it)";
    sys::unshare(CLONE_NEWUSER).or_refuse(Layer::Users, asked)?;
    write("/proc/self/setgroups", format_args!("deny"))?;
    write("/proc/self/uid_map", format_args!("0 {uid} 1"))?;
    write("/proc/self/gid_map", format_args!("0 {gid} 1"))
}

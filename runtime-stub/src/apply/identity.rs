//! Identity: a user and group of its own, and no kernel privileges but those kept.

use crate::plan::{Identity, Plan};
use crate::refusal::{Layer, OrRefuse, Refusal, Sentence};
use crate::sys::{self, At, CLONE_NEWUSER, Errno, O_WRONLY, Onlookers};
use capc_schemas::manifest::Mode;

/// Takes what the service will never have out of all that it may ever have, as far as that can be done ahead.
///
/// # Errors
/// When the kernel does not let us.
pub fn bind<'m>(plan: &Plan<'_>) -> Result<(), Refusal<'m>> {
    match plan.mode {
        Mode::Root => drop_bounds(plan.kept),
        Mode::User => Ok(()),
    }
}

/// Becomes the service's identity, for good; after [`bind`].
///
/// # Errors
/// When the kernel does not let us.
pub fn assume<'m>(plan: &Plan<'_>) -> Result<(), Refusal<'m>> {
    match plan.mode {
        Mode::Root => become_other(plan)?,
        Mode::User => {
            enter_users(plan.identity)?;
            // A new user namespace begins with all of them.
            drop_bounds(plan.kept)?;
            sys::forget_root().or_refuse(Layer::Privileges, "securebits")?;
        }
    }
    let layer = Layer::Privileges;
    sys::clear_ambient().or_refuse(layer, "clearing the ambient set")?;
    sys::set_privileges(plan.kept).or_refuse(layer, "capset")?;
    each(plan.kept).try_for_each(sys::raise_ambient).or_refuse(layer, "raising an ambient one")?;
    sys::gain_nothing().or_refuse(layer, "no_new_privs")
}

fn become_other<'m>(plan: &Plan<'_>) -> Result<(), Refusal<'m>> {
    let layer = Layer::Identity;
    sys::forget_root().or_refuse(Layer::Privileges, "securebits")?;
    if plan.kept != 0 {
        sys::keep_privileges_of_root().or_refuse(Layer::Privileges, "keeping them")?;
    }
    sys::set_groups(plan.groups).or_refuse(layer, "setgroups")?;
    sys::become_group(plan.identity.gid).or_refuse(layer, "setresgid")?;
    sys::become_user(plan.identity.uid).or_refuse(layer, "setresuid")?;
    // Whose user changes is as open to others as fs.suid_dumpable says, and this memory is the launcher's, too.
    sys::let_look(Onlookers::Nobody).or_refuse(layer, "prctl")
}

/// Enters a user namespace in which the launcher's 0 is the service's number; needs `/proc`.
fn enter_users<'m>(identity: Identity) -> Result<(), Refusal<'m>> {
    let layer = Layer::Users;
    sys::unshare(CLONE_NEWUSER).or_refuse(layer, "unshare")?;
    // The maps of a process that nobody may look into are not its own to write.
    sys::let_look(Onlookers::SameUser).or_refuse(layer, "prctl")?;
    write("/proc/self/setgroups", format_args!("deny"))?;
    write("/proc/self/uid_map", format_args!("{} 0 1", identity.uid))?;
    write("/proc/self/gid_map", format_args!("{} 0 1", identity.gid))?;
    sys::let_look(Onlookers::Nobody).or_refuse(layer, "prctl")
}

/// Writes a file of this process.
///
/// # Errors
/// When the kernel does not let us.
pub fn write<'m>(path: &'static str, text: core::fmt::Arguments<'_>) -> Result<(), Refusal<'m>> {
    let name = Sentence::raw(path.as_bytes());
    let fd = sys::open(At::Here, name.c_str(), O_WRONLY, 0, 0).or_refuse(Layer::Users, path)?;
    sys::write_all(&fd, Sentence::of(text).bytes()).or_refuse(Layer::Users, path)
}

/// Takes every privilege but those kept out of all that may ever be had.
fn drop_bounds<'m>(kept: u64) -> Result<(), Refusal<'m>> {
    for privilege in each(!kept) {
        match sys::drop_from_bounds(privilege) {
            Ok(()) => {}
            // The kernel knows no more.
            Err(Errno::EINVAL) => break,
            Err(errno) => return Err(errno).or_refuse(Layer::Privileges, "emptying the bounding set"),
        }
    }
    Ok(())
}

fn each(privileges: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |privilege| privileges >> privilege & 1 == 1)
}

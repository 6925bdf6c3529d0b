//! Namespaces: a service sees no mount, queue, name, address or control group of others.

use crate::plan::Plan;
use crate::refusal::{Layer, OrRefuse, Refusal};
use crate::sys::{self, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUTS};

/// Leaves the mounts of others.
///
/// # Errors
/// When the kernel does not let us.
pub fn leave_mounts<'m>() -> Result<(), Refusal<'m>> {
    sys::unshare(CLONE_NEWNS).or_refuse(Layer::Mounts, "unshare")?;
    sys::make_mounts_private().or_refuse(Layer::Mounts, "making mounts private")
}

/// Leaves the queues and the name of others.
///
/// # Errors
/// Names the one that the kernel does not let us leave.
pub fn leave_queues_and_name<'m>(plan: &Plan<'_>) -> Result<(), Refusal<'m>> {
    sys::unshare(CLONE_NEWIPC).or_refuse(Layer::Ipc, "unshare")?;
    sys::unshare(CLONE_NEWUTS).or_refuse(Layer::Uts, "unshare")?;
    sys::set_host_name(plan.host_name).or_refuse(Layer::Uts, "sethostname")
}

/// Leaves the view of others' control groups: those of its own are all that the service sees.
///
/// # Errors
/// When the kernel does not let us.
pub fn leave_groups<'m>() -> Result<(), Refusal<'m>> {
    sys::unshare(CLONE_NEWCGROUP).or_refuse(Layer::Cgroup, "unshare")
}

/// Leaves the network for an empty one with loopback up.
///
/// # Errors
/// When the kernel does not let us.
pub fn leave_network<'m>() -> Result<(), Refusal<'m>> {
    sys::unshare(CLONE_NEWNET).or_refuse(Layer::Network, "unshare")?;
    sys::raise_loopback().or_refuse(Layer::Network, "bringing loopback up")
}

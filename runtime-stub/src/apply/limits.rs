//! Resource limits.

use crate::plan::Plan;
use crate::refusal::{Layer, OrRefuse, Reason, Refusal, Subject};
use crate::sys;
use capc_schemas::manifest::Limit;
use linux_raw_sys::general as k;

/// Sets the limits.
///
/// # Errors
/// Names the one that the kernel does not set; a hard limit is raised with CAP_SYS_RESOURCE only.
pub fn set<'m>(plan: &Plan<'_>) -> Result<(), Refusal<'m>> {
    plan.limits.iter().try_for_each(|limit| {
        sys::set_limit(resource(limit.limit), limit.soft, limit.hard).map_err(|errno| Refusal {
            layer: Layer::Limits,
            subject: Subject::Word(limit.limit.word()),
            reason: Reason::Kernel("prlimit", errno),
        })
    })
}

/// Has so many open files as the limit in force; how far that may be raised stays as it is.
///
/// # Errors
/// When it is over what is allowed.
pub fn files<'m>(soft: u64) -> Result<(), Refusal<'m>> {
    sys::lower_limit(k::RLIMIT_NOFILE, soft).or_refuse(Layer::Limits, "prlimit")
}

const fn resource(limit: Limit) -> u32 {
    match limit {
        Limit::As => k::RLIMIT_AS,
        Limit::Core => k::RLIMIT_CORE,
        Limit::Cpu => k::RLIMIT_CPU,
        Limit::Data => k::RLIMIT_DATA,
        Limit::Fsize => k::RLIMIT_FSIZE,
        Limit::Memlock => k::RLIMIT_MEMLOCK,
        Limit::Msgqueue => k::RLIMIT_MSGQUEUE,
        Limit::Nice => k::RLIMIT_NICE,
        Limit::Nofile => k::RLIMIT_NOFILE,
        Limit::Nproc => k::RLIMIT_NPROC,
        Limit::Rtprio => k::RLIMIT_RTPRIO,
        Limit::Sigpending => k::RLIMIT_SIGPENDING,
        Limit::Stack => k::RLIMIT_STACK,
    }
}

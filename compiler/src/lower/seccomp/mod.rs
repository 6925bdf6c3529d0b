//! The system calls of a service, as a program for the kernel: an allow-list, and nothing that the other layers keep out
//! comes back through it.
//!
//! What is granted stands in `table`, by groups, and beyond it in `groups`; what is granted with certain arguments only,
//! in `checks`; `program` turns all of it into instructions. A number that no kernel of our table has is ENOSYS, so that programs built for newer
//! kernels fall back; a known one that is not granted is EPERM.

mod checks;
mod groups;
mod program;
mod table;
#[cfg(test)]
mod second;
#[cfg(test)]
pub(super) mod tests;

pub use groups::{Beyond, IO_URING, calls_beyond, group_of_call, privilege_of_call, uses_messages};
pub use program::Instruction;
pub use table::name_of_call;

use checks::{Check, ENOSYS, EPERM};
use std::collections::{BTreeMap, BTreeSet};
use syscalls::x86_64::Sysno;

/// What of the network a service may ask the kernel for beyond unix sockets.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sockets {
    /// TCP over IPv4 and IPv6.
    pub tcp: bool,
    /// UDP over them, to and from anywhere.
    pub udp: bool,
    /// Connecting only: without `listen`, which would take a free port of the host's by itself, past Landlock.
    pub deaf: bool,
    /// Asking the kernel for addresses and routes, as the C library does to look up names.
    pub routes: bool,
    /// Data alone: none of the calls that descriptors are passed and taken with.
    pub data_only: bool,
}

impl Sockets {
    /// Returns the usual calls that are not granted.
    fn withheld(self) -> impl Iterator<Item = u32> {
        let deaf = self.deaf.then_some(Sysno::listen);
        let data_only = MESSAGES.into_iter().filter(move |_| self.data_only);
        deaf.into_iter().chain(data_only).map(table::number)
    }
}

/// The calls that messages with descriptors are sent and received with (unix(7)).
const MESSAGES: [Sysno; 4] = [Sysno::sendmsg, Sysno::sendmmsg, Sysno::recvmsg, Sysno::recvmmsg];

/// Returns whether a call is one of those that descriptors are passed and taken with.
#[must_use]
pub fn passes_descriptors(call: u32) -> bool {
    MESSAGES.iter().any(|message| table::number(*message) == call)
}

/// Returns the calls that every service may make, with some arguments at least, and those that programs fall back from.
#[must_use]
pub fn usual_calls() -> BTreeSet<u32> {
    let checked = checks::all(Sockets::default(), &Beyond::default()).into_iter().map(|(number, _)| number);
    checked.chain(table::granted()).chain(table::absent()).collect()
}

/// Returns the filter of a service.
#[must_use]
pub fn filter(sockets: Sockets, beyond: &Beyond) -> Vec<Instruction> {
    let mut verdicts: BTreeMap<u32, Check> =
        table::known().map(|number| (number, Check::Fail(EPERM))).collect();
    verdicts.extend(table::granted().map(|number| (number, Check::Allow)));
    verdicts.extend(table::absent().map(|number| (number, Check::Fail(ENOSYS))));
    verdicts.extend(checks::all(sockets, beyond));
    verdicts.extend(beyond.calls().map(|call| (table::number(call), Check::Allow)));
    verdicts.extend(sockets.withheld().map(|number| (number, Check::Fail(EPERM))));
    program::assemble(&verdicts)
}

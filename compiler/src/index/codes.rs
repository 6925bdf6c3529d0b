//! The numbers that stand for words in an index. They are part of its format: new ones come at the end.

use crate::authority::{Carries, EdgeRule};
use crate::model::{FileKind, Kind, Protocol, Rule, Statement};

/// Something that has a number.
pub trait Coded: Copy + PartialEq + 'static {
    /// Every one there is, by its number.
    const CODES: &'static [Self];

    /// Returns the number.
    fn code(self) -> u32 {
        Self::CODES.iter().position(|one| *one == self).unwrap_or(Self::CODES.len()) as u32
    }

    /// Returns what has a number.
    fn coded(code: u32) -> Option<Self> {
        Self::CODES.get(code as usize).copied()
    }
}

impl Coded for Kind {
    const CODES: &'static [Self] = &[
        Self::Dir,
        Self::File,
        Self::State,
        Self::Secret,
        Self::Listen,
        Self::Connect,
        Self::Socket,
        Self::Device,
        Self::Network,
        Self::Privilege,
        Self::Caller,
        Self::Identity,
        Self::Facet,
        Self::Mount,
        Self::Control,
        Self::Launch,
        Self::Ask,
    ];
}

impl Coded for Rule {
    const CODES: &'static [Self] = &[Self::Axiom, Self::Endowment, Self::Introduction, Self::Creation];
}

impl Coded for Statement {
    const CODES: &'static [Self] =
        &[Self::Given, Self::Holds, Self::Argument, Self::Attenuate, Self::Gives, Self::Grants];
}

impl Coded for EdgeRule {
    const CODES: &'static [Self] = &[Self::Use, Self::Pass, Self::Share, Self::Meet, Self::Control];
}

impl Coded for FileKind {
    const CODES: &'static [Self] = &[Self::System, Self::Module, Self::Home];
}

impl Coded for Protocol {
    const CODES: &'static [Self] = &[Self::Tcp, Self::Udp];
}

impl Coded for Carries {
    const CODES: &'static [Self] = &[
        Self::NONE,
        Self::HOLD,
        Self::LEARN,
        Self::HOLD.or(Self::LEARN),
        Self::EFFECT,
        Self::HOLD.or(Self::EFFECT),
        Self::REACH,
        Self::ALL,
    ];
}

/// The sorts of meetings.
pub const MEETINGS: [&str; 2] = ["place", "identity"];

/// Objects that are nothing more.
pub const RECONFIGURE: u32 = 0;
/// Everybody beyond the network.
pub const OUTSIDE: u32 = 1;
/// A scope.
pub const SCOPE: u32 = 2;
/// A resource.
pub const RESOURCE: u32 = 3;
/// A service.
pub const SERVICE: u32 = 4;
/// A program.
pub const PROGRAM: u32 = 5;
/// A user.
pub const USER: u32 = 6;
/// A powerbox.
pub const POWERBOX: u32 = 7;

/// The ways of talking to a facet.
pub mod transport {
    pub const SOCKET: u32 = 0;
    pub const CHANNEL: u32 = 1;
    pub const TCP: u32 = 2;
    pub const LISTEN: u32 = 3;
    pub const MOUNT: u32 = 4;
    pub const DONE: u32 = 5;
    pub const CONTROL: u32 = 6;
    pub const LAUNCH: u32 = 7;
    pub const ASK: u32 = 8;
}

/// The sorts of resources.
pub mod resource {
    pub const PATH: u32 = 0;
    pub const LISTEN: u32 = 1;
    pub const CONNECT: u32 = 2;
    pub const IDENTITY: u32 = 3;
    pub const NETWORK: u32 = 4;
    pub const PRIVILEGE: u32 = 5;
    pub const CALLER: u32 = 6;
}

/// The sorts of addresses.
pub mod address {
    pub const IP: u32 = 0;
    pub const UNIX: u32 = 1;
}

/// The bits of what stands in one number.
pub mod flag {
    pub const ACTIVATED: u32 = 1;
    pub const DATA_ONLY: u32 = 2;
    /// An edge: its rule in the lowest three bits, what it carries in the next three.
    pub const RELAYED: u32 = 64;
    pub const CONSENT: u32 = 128;
    /// A rule instance: its rule in the lowest two bits, its statement in the next three.
    pub const EXACT: u32 = 32;
    pub const LATE: u32 = 64;
}

//! What `capc ps`, `stop`, `restart` and `reload` say to a supervisor that runs, over a socket in its runtime directory.
//!
//! One line of JSON asks, one answers, and the connection ends. The directory and the socket are the owner's alone, and
//! the kernel tells who connects; nobody else is answered.

mod ask;
mod server;
mod table;

use serde::{Deserialize, Serialize};

pub use ask::ask;
pub(crate) use server::{CallerId, Control};

/// What a supervisor can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// How all services are.
    Ps,
    /// That one stops, and is not started again.
    Stop {
        /// Which.
        service: String,
    },
    /// That one starts again, or at all.
    Restart {
        /// Which.
        service: String,
    },
    /// That one gets its signal to read its configuration again.
    Reload {
        /// Which.
        service: String,
    },
}

/// What a supervisor answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase", deny_unknown_fields)]
pub enum Answer {
    /// How all services are.
    Ps {
        /// The list.
        ps: Ps,
    },
    /// It was done.
    Done {
        /// The state in which that left the service.
        state: String,
    },
    /// It was not done.
    Refused {
        /// Why.
        why: String,
    },
}

/// How the services of a system are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ps {
    /// The version of this format.
    pub format: PsFormat,
    /// The name of the system.
    pub system: String,
    /// What services are held to together, and what holds them.
    #[serde(default)]
    pub limits: String,
    /// The services in the order of the plan.
    pub services: Vec<PsService>,
}

/// The versions of [`Ps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PsFormat {
    /// The first.
    #[serde(rename = "capc/ps/1")]
    V1,
}

/// How one service is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PsService {
    /// Its name.
    pub name: String,
    /// `waiting`, `preparing`, `starting`, `running`, `reloading`, `stopping`, `pausing`, `resting`, `ended`, `failed`, `refused`,
    /// `not-started` or `stopped`.
    pub state: String,
    /// Since when, in UTC.
    pub since: String,
    /// Its main process, as the machine numbers it.
    pub pid: Option<i32>,
    /// How often it was started again after an end.
    pub restarts: u32,
    /// What it last said of itself.
    pub status: Option<String>,
    /// When it starts next, in UTC, if by the calendar.
    pub next: Option<String>,
}

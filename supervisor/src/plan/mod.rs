//! The plan that the compiler seals for this supervisor: `init/plan.json`.
//!
//! Reading is strict: an unknown word, a missing field or a loose end is refused before anything is touched.

mod check;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;
use crate::groups::Controller;

/// Everything that the supervisor is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this format.
    pub format: Format,
    /// The name of the system.
    pub name: String,
    /// Whether ids are the machine's or those of one user namespace.
    pub mode: Mode,
    /// The memory directories behind socket facets, one each.
    pub facets: Vec<Facet>,
    /// The nameless socket pairs.
    pub channels: Vec<Channel>,
    /// The services; their order decides nothing but the order of messages.
    pub services: Vec<Service>,
}

/// The versions of the plan that this supervisor reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// The first.
    #[serde(rename = "capc/plan/1")]
    V1,
}

/// Who runs the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The superuser: every service has a uid of its own.
    Root,
    /// A plain user inside a user namespace, where the supervisor's id is 0.
    User,
}

/// A memory directory behind a socket facet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facet {
    /// Its place below `RUNTIME/facets`.
    pub key: String,
    /// The maker's uid.
    pub uid: u32,
    /// The maker's gid.
    pub gid: u32,
}

/// One socket pair between the maker of a facet and one holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// The service that made the facet.
    pub maker: String,
    /// The name of the maker's descriptor.
    pub maker_name: String,
    /// The service that holds the facet.
    pub holder: String,
    /// The name of the holder's descriptor.
    pub holder_name: String,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its object path, such as `shop/nginx`.
    pub name: String,
    /// What must have happened before it starts.
    pub waits: Vec<Wait>,
    /// Whether it runs to its end.
    pub oneshot: bool,
    /// Whether its launcher runs another program to its end first, which takes as long as it takes.
    pub prepares: bool,
    /// When it starts, if that is by the calendar and not with the others.
    pub schedule: Option<Calendar>,
    /// What follows its end.
    pub restart: Restart,
    /// How it is known to be ready.
    pub ready: Ready,
    /// With [`Ready::Socket`]: the paths, as its own world has them, that must be listening.
    pub ready_sockets: Vec<String>,
    /// With [`Ready::Socket`]: the TCP ports that must be listening.
    pub ready_ports: Vec<u16>,
    /// What it is handed from descriptor 3 on, in this order.
    pub descriptors: Vec<Descriptor>,
    /// How it is asked to stop.
    pub stop: Stop,
    /// The signal that makes it read its configuration again.
    pub reload: Option<SignalName>,
    /// How long it may take to become ready.
    pub start_within_ms: u64,
    /// Whether it may pass and take no descriptors; what is sent to it meanwhile is not for whoever it is when it may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub data_only: bool,
    /// What all of it together may use, where the init holds it to that.
    #[serde(default, skip_serializing_if = "Limits::are_none")]
    pub limits: Limits,
}

/// What all processes of a service together may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// Per cent of one processor.
    pub cpu: Option<u64>,
    /// Which of them it must not be started without.
    #[serde(default, skip_serializing_if = "Needs::are_none")]
    pub needs: Needs,
}

/// Which limits a service must not be started without, since nothing else holds it to anything in their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// That of memory.
    pub memory: bool,
    /// That of processes and threads.
    pub tasks: bool,
    /// That of processor time.
    pub cpu: bool,
}

impl Limits {
    /// Returns whether nothing is limited.
    fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether one of them is set and must be.
    pub(crate) fn need(&self, controller: Controller) -> bool {
        let Limits { memory, tasks, cpu, needs } = self;
        match controller {
            Controller::Memory => memory.is_some() && needs.memory,
            Controller::Tasks => tasks.is_some() && needs.tasks,
            Controller::Cpu => cpu.is_some() && needs.cpu,
        }
    }
}

impl Needs {
    /// Returns whether nothing is needed.
    fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// One thing a service waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// The other service.
    pub on: String,
    /// The state of it that is waited for.
    pub until: Until,
}

/// The state of another service that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Until {
    /// It is ready.
    Ready,
    /// It has ended well.
    Done,
}

/// What follows the end of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Nothing.
    Never,
    /// Another start, unless it ended well.
    OnFailure,
    /// Another start; a oneshot that ended well is done nevertheless.
    Always,
}

/// How a service is known to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ready {
    /// It runs.
    Started,
    /// It says `READY=1`.
    Notify,
    /// Its sockets and ports listen.
    Socket,
}

/// How a service is asked to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// The signal that asks.
    pub signal: SignalName,
    /// How long it may take before it is killed.
    pub within_ms: u64,
}

/// Something that is handed to a service as an open descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Descriptor {
    /// A socket bound to an address of the machine.
    Listen {
        /// The name that the service knows it by.
        name: String,
        /// Where it listens.
        address: Address,
    },
    /// A socket in a facet's directory, bound before anybody starts.
    Activated {
        /// The name that the service knows it by.
        name: String,
        /// The facet's key.
        facet: String,
        /// The socket's file in the facet's directory.
        file: String,
    },
    /// One end of a channel.
    Channel {
        /// The name that the service knows it by, which [`Plan::channels`] refers to.
        name: String,
    },
}

/// Where a socket listens: `tcp:127.0.0.1:80`, `udp:[::]:53` or `unix:/run/x.sock`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A UDP port.
    Udp(SocketAddr),
    /// A path.
    Unix(PathBuf),
}

/// A signal by its name without `SIG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are the kernel's")]
pub enum SignalName {
    Hup,
    Int,
    Quit,
    Abrt,
    Kill,
    Usr1,
    Usr2,
    Alrm,
    Term,
    Cont,
    Winch,
}

/// Why a plan is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError(String);

impl Plan {
    /// Reads and checks a plan.
    pub fn from_json(text: &[u8]) -> Result<Plan, PlanError> {
        let plan: Plan = serde_json::from_slice(text).map_err(|error| PlanError(error.to_string()))?;
        plan.check()?;
        Ok(plan)
    }

    /// Writes the plan, the same bytes for the same plan, with a final newline.
    pub fn to_json(&self) -> Result<String, PlanError> {
        let mut text = serde_json::to_string_pretty(self).map_err(|error| PlanError(error.to_string()))?;
        text.push('\n');
        Ok(text)
    }
}

impl TryFrom<String> for Address {
    type Error = PlanError;

    fn try_from(text: String) -> Result<Address, PlanError> {
        let (kind, rest) = text.split_once(':').unwrap_or((&text, ""));
        let address = match kind {
            "tcp" => rest.parse().ok().map(Address::Tcp),
            "udp" => rest.parse().ok().map(Address::Udp),
            "unix" if rest.starts_with('/') && !rest.contains('\0') => {
                Some(Address::Unix(PathBuf::from(rest)))
            }
            _ => None,
        };
        address.ok_or_else(|| {
            PlanError(format!("address {text:?} is not tcp:ADDR:PORT, udp:ADDR:PORT or unix:/PATH"))
        })
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(out, "tcp:{address}"),
            Address::Udp(address) => write!(out, "udp:{address}"),
            Address::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&format!("{self:?}").to_uppercase())
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the plan is refused: {}", self.0)
    }
}

impl std::error::Error for PlanError {}

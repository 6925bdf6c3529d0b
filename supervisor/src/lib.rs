//! The embedded supervisor: starts sealed services in order, keeps them, stops them in reverse.
//!
//! The compiler writes a [`Plan`] and seals it. [`run`] makes what must exist before any service (`world`, `groups`), starts a
//! launcher for each (`process`), some of them `ahead` of their time, and from then on turns what happens into events
//! (`roster`, `notification`, `readiness`, `signals`, `clock`) for one pure machine that decides everything (`state`). It
//! creates no authority: a service gets what its launcher finds in the sealed manifest, and the descriptors that the plan
//! names.
//! Where another init does all this, `attend` does for it what it cannot do itself.
#![forbid(unsafe_code)]

mod calendar;
mod plan;
mod error;
mod harmless;
mod groups;
mod state;
mod notification;
mod clock;
mod logs;
mod journal;
mod sockets;
mod control;
mod world;
mod process;
mod ahead;
mod roster;
mod readiness;
mod signals;
mod run;
mod attend;

pub use attend::{Attended, Passed, attend, keep_channels, mount_facets};
pub use calendar::{Calendar, PlainTimes};
pub use control::{Answer, Ps, PsFormat, PsService, Request, ask};
pub use error::Error;
pub use groups::{Controller, Groups};
pub use journal::log_path;
pub use logs::{Log, Prefixed};
pub use plan::{
    Address, Channel, Descriptor, Facet, Format, Limits, Mode, Needs, Plan, PlanError, Ready, Restart,
    Service, SignalName, Stop, Until, Wait,
};
pub use run::{Launcher, Outcome, run};

//! Units for systemd: one service each, with its sockets and its timer, the directories of facets, and a target for all.
//!
//! They say what systemd does from outside: the order, what it listens on, how long things may take, what follows an end,
//! limits, logs. What a service is given stands in its manifest alone.

mod name;
mod text;
mod service;
mod socket;
mod ground;

pub use name::{CHANNELS, FACETS, GROUND, TARGET, mount, unit};

use super::Site;
use crate::seal::Content;
use capc_supervisor::{Descriptor, Mode, Service};
use text::Unit;

/// Where they lie in a generation.
pub const DIRECTORY: &str = "init/systemd/";

/// Returns the units.
///
/// # Errors
/// Says what systemd cannot do.
pub fn files(site: &Site<'_>) -> Result<Content, String> {
    if site.plan.mode == Mode::User {
        return Err("units for systemd start services as root does: run this as root".to_owned());
    }
    let mut units = Units(Content::new());
    socket::refuse_shared(site.plan)?;
    for facet in &site.plan.facets {
        units.add(mount(&facet.key)?, ground::mount(facet)?);
    }
    for service in &site.plan.services {
        if listens(service) {
            units.add(unit(&service.name, "socket")?, socket::unit(site, service)?);
        }
        if let Some(calendar) = &service.schedule {
            units.add(unit(&service.name, "timer")?, ground::timer(service, calendar));
        }
        units.add(unit(&service.name, "service")?, service::unit(site, service)?);
    }
    if !site.plan.channels.is_empty() {
        units.add(CHANNELS.to_owned(), service::channels(site)?);
    }
    units.add(GROUND.to_owned(), ground::sockets(site)?);
    units.add(TARGET.to_owned(), ground::target(site)?);
    Ok(units.0)
}

/// Returns whether systemd makes sockets for a service.
#[must_use]
pub fn listens(service: &Service) -> bool {
    service.descriptors.iter().any(|descriptor| !matches!(descriptor, Descriptor::Channel { .. }))
}

struct Units(Content);

impl Units {
    fn add(&mut self, name: String, unit: Unit) {
        self.0.insert(format!("{DIRECTORY}{name}"), unit.into_bytes());
    }
}

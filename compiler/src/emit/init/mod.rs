//! What an init loads: files made from the sealed plan alone, and sealed with it.
//!
//! They say how the launcher is called, in which order, and which sockets are made first. They give nothing: what a service gets
//! stands in its manifest, which the launcher verifies.

mod order;
pub mod shepherd;
pub mod systemd;

pub use order::in_order;

use crate::model::Init;
use crate::seal::Content;
use capc_supervisor::Plan;
use std::path::Path;

/// The sealed plan of a generation.
pub const PLAN: &str = "init/plan.json";

/// What the files of an init are made from. Paths are those that the system itself has.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// What is to be started, and how.
    pub plan: &'a Plan,
    /// The launcher that judges each start.
    pub launcher: &'a Path,
    /// The generation's directory, by its number.
    pub generation: &'a Path,
    /// capc itself, which attends where an init cannot do what a service needs.
    pub capc: &'a Path,
    /// What is sealed beside it.
    pub content: &'a Content,
}

/// Returns the files that an init loads, by their paths in the generation; none for the embedded supervisor, which reads the plan.
///
/// # Errors
/// Says what the init cannot do.
pub fn files(init: Init, site: &Site<'_>) -> Result<Content, String> {
    match init {
        Init::Capc => Ok(Content::new()),
        Init::Systemd => systemd::files(site),
        Init::Shepherd => shepherd::files(site),
    }
}

/// Takes what was made for an init out of a generation's content; returns which init that was.
pub fn take(content: &mut Content) -> Option<Init> {
    let init = content.keys().find_map(|path| match path.as_str() {
        path if path.starts_with(systemd::DIRECTORY) => Some(Init::Systemd),
        shepherd::FILE => Some(Init::Shepherd),
        _ => None,
    });
    let known = init.or_else(|| content.contains_key(PLAN).then_some(Init::Capc));
    content.retain(|path, _| path == PLAN || !path.starts_with("init/"));
    known
}

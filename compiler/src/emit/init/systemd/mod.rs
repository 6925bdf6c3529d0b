//! Units for systemd.

use super::Site;
use crate::seal::Content;

/// Where they lie in a generation.
pub const DIRECTORY: &str = "init/systemd/";

/// Returns the units.
///
/// # Errors
/// Says what systemd cannot do.
pub fn files(site: &Site<'_>) -> Result<Content, String> {
    let _ = site;
    Err("units for systemd are not made yet".to_owned())
}

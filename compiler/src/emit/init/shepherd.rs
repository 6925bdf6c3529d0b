//! A file for the GNU Shepherd.

use super::Site;
use crate::seal::Content;

/// What the Shepherd loads.
pub const FILE: &str = "init/shepherd.scm";

/// Returns the file.
///
/// # Errors
/// Says what the Shepherd cannot do.
pub fn files(site: &Site<'_>) -> Result<Content, String> {
    let _ = site;
    Err("a file for the Shepherd is not made yet".to_owned())
}

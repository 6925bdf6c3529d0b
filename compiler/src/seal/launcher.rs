//! The launcher that goes with a trust root: capc's own copy, with the record of whom it trusts written into it.

use super::key::Signers;
use capc_schemas::seal::{Scope, ScopeKind};
use capc_schemas::token::{AbsPath, Digest, Token};
use capc_schemas::trust::{self, Root};
use std::fmt;

/// The launcher as built with capc, without a trust record: it refuses everything.
static LAUNCHER: &[u8] = include_bytes!(env!("CAPC_LAUNCHER"));

/// Whom a launcher trusts.
pub struct TrustRoot<'a> {
    /// The name of the system.
    pub scope: &'a str,
    /// The digest of the machine.
    pub host: Digest,
    /// The file with the least number that may start; absolute.
    pub floor: &'a str,
    /// The directory of facets; absolute.
    pub runtime: &'a str,
    /// Who must have signed.
    pub signers: &'a Signers,
}

/// Whom a launcher trusts, as read from its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name of the system.
    pub scope: String,
    /// The digest of the machine.
    pub host: Digest,
    /// Where its facets and the like are while it runs.
    pub runtime: String,
    /// Who must have signed.
    pub signers: Signers,
}

impl Record {
    /// Reads the record in a launcher's image; none if there is none, or not one alone.
    #[must_use]
    pub fn of(image: &[u8]) -> Option<Self> {
        let at = place(image)?;
        let record = image.get(at..)?.first_chunk()?;
        let trust = trust::Trust::parse(record).ok()?;
        Some(Self {
            scope: trust.root.scope.name.to_string(),
            host: trust.root.host,
            runtime: String::from_utf8(trust.root.runtime.token().bytes().collect()).ok()?,
            signers: Signers::new(trust.signers(), trust.root.threshold)?,
        })
    }
}

/// Returns where in an image the record begins, if there is one place alone.
fn place(image: &[u8]) -> Option<usize> {
    let first = *trust::MAGIC.first()?;
    let mut places = image.iter().enumerate().filter(|(at, byte)| {
        **byte == first && image.get(*at..).is_some_and(|rest| rest.starts_with(&trust::MAGIC))
    });
    match (places.next(), places.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

/// Why no launcher can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LauncherError {
    /// A path is not absolute.
    Root,
    /// The record is too long.
    Length,
    /// The launcher that capc carries has no place for the record, or several: it was not built as it should be.
    Image,
}

impl fmt::Display for LauncherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "the trust root has a path that is not absolute",
            Self::Length => "the trust root's names are too long",
            Self::Image => "the launcher inside capc has no place for a trust record",
        })
    }
}

impl std::error::Error for LauncherError {}

/// Returns the launcher's image with a trust record in it, or without one.
///
/// # Errors
/// When the record cannot be written.
pub fn launcher_with(root: Option<&TrustRoot<'_>>) -> Result<Vec<u8>, LauncherError> {
    let mut image = LAUNCHER.to_vec();
    let Some(root) = root else { return Ok(image) };
    let record = Root {
        scope: Scope { kind: ScopeKind::System, name: Token::new(root.scope.as_bytes()) },
        host: root.host,
        floor: AbsPath::new(root.floor.as_bytes()).ok_or(LauncherError::Root)?,
        runtime: AbsPath::new(root.runtime.as_bytes()).ok_or(LauncherError::Root)?,
        threshold: root.signers.threshold(),
    };
    let mut text = String::new();
    trust::write(&mut text, &record, root.signers.keys().iter().copied())
        .map_err(|_| LauncherError::Length)?;
    let record = trust::record_of(&text).ok_or(LauncherError::Length)?;
    let at = place(&image).ok_or(LauncherError::Image)?;
    let place = image.get_mut(at..at + record.len()).ok_or(LauncherError::Image)?;
    place.copy_from_slice(&record);
    Ok(image)
}

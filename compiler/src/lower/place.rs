//! What can stand at one path of a world, and what may be done with it there.

use capc_schemas::manifest::{Access, Execution, FacetRole, FileKind, FileMode, Integrity, Owner, Rights};
use capc_schemas::token::Digest;

/// What stands at one path of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A private directory in memory.
    Tmpfs { bytes: u64, mode: FileMode, sockets: bool },
    /// A symbolic link.
    Link { target: String },
    /// A generated file.
    Text { mode: FileMode, content: String },
    /// A device node, with what may be done with it.
    Device { from: String, rights: Rights },
    /// A file with a digest.
    Sealed { from: String, digest: Digest, execution: Execution, integrity: Integrity },
    /// Code.
    Image { from: String },
    /// Something granted.
    Grant(Grant),
    /// A private copy of a secret.
    Secret { from: String },
    /// The directory of a facet.
    Facet { key: String, role: FacetRole, uid: u32, gid: u32 },
}

/// Something granted, as it stands in a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The place on the machine, without links.
    pub from: String,
    /// What it is.
    pub kind: FileKind,
    /// Whose it is there.
    pub owner: Owner,
    /// What may be done with it.
    pub rights: Rights,
    /// The directory that the launcher makes first: it, or one that it is a part of.
    pub state: Option<String>,
}

const WRITE: Rights = Rights::MODIFY.or(Rights::CREATE).or(Rights::REMOVE);
/// Every right that changes something.
const CHANGE: Rights = WRITE.or(Rights::SOCKET);
const READ_EXEC: Rights = Rights::READ.or(Rights::EXEC);

impl Grant {
    /// Returns whether its mount is writable.
    #[must_use]
    pub fn access(&self) -> Access {
        let changes = [Rights::MODIFY, Rights::CREATE, Rights::REMOVE, Rights::SOCKET];
        if changes.into_iter().any(|right| self.rights.contains(right)) {
            Access::ReadWrite
        } else {
            Access::ReadOnly
        }
    }

    /// Returns whether programs in it may be executed.
    #[must_use]
    pub const fn execution(&self) -> Execution {
        if self.rights.contains(Rights::EXEC) { Execution::Exec } else { Execution::NoExec }
    }
}

impl Place {
    /// Returns what Landlock allows there.
    #[must_use]
    pub fn rights(&self) -> Rights {
        match self {
            Self::Tmpfs { sockets: true, .. } => Rights::READ.or(CHANGE),
            Self::Tmpfs { sockets: false, .. } => Rights::READ.or(WRITE),
            Self::Link { .. } => Rights::NONE,
            Self::Text { .. } | Self::Secret { .. } => Rights::READ,
            Self::Device { rights, .. } => *rights,
            Self::Sealed { execution: Execution::NoExec, .. } => Rights::READ,
            Self::Sealed { execution: Execution::Exec, .. } | Self::Image { .. } => READ_EXEC,
            Self::Grant(grant) => grant.rights,
            Self::Facet { role: FacetRole::Make, .. } => Rights::READ.or(CHANGE),
            Self::Facet { role: FacetRole::Hold, .. } => Rights::READ,
        }
    }

    /// Returns what its mount keeps from being done there, whatever Landlock allows.
    #[must_use]
    pub fn kept_by_mount(&self) -> Rights {
        match self {
            Self::Grant(grant) => {
                let exec = if grant.execution() == Execution::NoExec { Rights::EXEC } else { Rights::NONE };
                if grant.access() == Access::ReadOnly { exec.or(CHANGE) } else { exec }
            }
            // A mount without `exec`, on which reading and writing a device is no change.
            Self::Device { .. } => Rights::EXEC.or(Rights::CREATE).or(Rights::REMOVE).or(Rights::SOCKET),
            // Code is bound read-only and everything else is the service's own, so nothing is gained there.
            _ => Rights::READ.or(Rights::EXEC).or(CHANGE),
        }
    }

    /// Returns whether something else can stand inside it.
    #[must_use]
    pub fn holds_places(&self) -> bool {
        match self {
            Self::Tmpfs { .. } | Self::Image { .. } => true,
            Self::Grant(grant) => grant.kind == FileKind::Dir,
            Self::Link { .. } | Self::Text { .. } | Self::Device { .. } | Self::Sealed { .. } => false,
            Self::Secret { .. } | Self::Facet { .. } => false,
        }
    }

    /// Returns where it is bound from, if it is a whole directory of the machine.
    #[must_use]
    pub fn bound_from(&self) -> Option<&str> {
        match self {
            Self::Image { from } | Self::Grant(Grant { from, .. }) => Some(from),
            _ => None,
        }
    }

    /// Returns it in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Tmpfs { .. } => "a private place in memory".into(),
            Self::Link { target } => format!("a link to `{target}`"),
            Self::Text { .. } => "a generated file".into(),
            Self::Device { from, .. } | Self::Sealed { from, .. } | Self::Image { from } => {
                format!("`{from}` of the machine")
            }
            Self::Grant(grant) => format!("what is granted of `{}`", grant.from),
            Self::Secret { from } => format!("the secret `{from}`"),
            Self::Facet { key, .. } => format!("the directory of the facet `{}`", key.replace('+', "/")),
        }
    }
}

/// Makes one of two things at one path, if they do not differ but in rights; returns whether they do not.
pub fn merge(there: &mut Place, new: &Place) -> bool {
    let new_one = match (&mut *there, new) {
        (
            Place::Sealed { from, execution, integrity, digest: _ },
            Place::Sealed { from: other, execution: other_execution, integrity: other_integrity, digest: _ },
        ) => {
            if *other_execution == Execution::Exec {
                *execution = Execution::Exec;
            }
            *integrity = (*integrity).max(*other_integrity);
            return from == other;
        }
        (Place::Grant(grant), Place::Grant(other))
            if (&grant.from, grant.owner) == (&other.from, other.owner) =>
        {
            grant.rights = grant.rights.or(other.rights);
            grant.state = grant.state.take().or(other.state.clone());
            return true;
        }
        (Place::Device { from, rights }, Place::Device { from: other, rights: more }) if from == other => {
            *rights = rights.or(*more);
            return true;
        }
        // What is read-only and sealed as code or configuration is readable with that already.
        (Place::Image { from } | Place::Sealed { from, .. }, Place::Grant(grant)) => {
            return *from == grant.from && READ_EXEC.contains(grant.rights);
        }
        (Place::Grant(grant), Place::Image { from } | Place::Sealed { from, .. }) => {
            *from == grant.from && READ_EXEC.contains(grant.rights)
        }
        // One of several facets in a directory makes it the maker's.
        (Place::Facet { key, role, .. }, Place::Facet { key: other, role: other_role, .. })
            if key == other =>
        {
            if *other_role == FacetRole::Make {
                *role = FacetRole::Make;
            }
            return true;
        }
        (there, new) => return there == new,
    };
    if new_one {
        *there = new.clone();
    }
    new_one
}

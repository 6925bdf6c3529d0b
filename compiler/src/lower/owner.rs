//! Whose a granted path is on disk, and how the service comes to see it as its own.

use super::identity::as_its_owner;
use super::{Mode, Run};
use crate::machine::{FileType, Metadata, Wish};
use crate::model::{Kind, Rights};
use crate::source::Span;
use capc_schemas::manifest::Owner;

/// File systems whose mounts cannot be id-mapped, by their magic numbers (linux/magic.h), as of Linux 6.12.
const WITHOUT_MAPPING: [(u64, &str); 11] = [
    (0x6969, "nfs"),
    (0x0102_1997, "9p"),
    (0x794c_7630, "overlayfs"),
    (0x6573_5546, "fuse"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb"),
    (0x5346_414f, "afs"),
    (0x00c3_6400, "ceph"),
    (0x8584_58f6, "ramfs"),
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
];

/// Every right that changes something.
pub const CHANGE: Rights = Rights(Kind::FS_WRITE.0 | Kind::FS_SOCKET.0);

/// Something granted, looked at.
pub struct Granted<'a> {
    /// Where it is, without links.
    pub path: &'a str,
    /// What it is.
    pub metadata: Metadata,
    /// What may be done with it.
    pub rights: Rights,
    /// Who holds it.
    pub holder: &'a str,
    /// The numbers of the holder.
    pub identity: (u32, u32),
    /// The statement.
    pub span: Span,
}

/// Returns whether a path's mode lets somebody do that.
#[must_use]
pub fn permits(metadata: Metadata, (uid, gid): (u32, u32), wish: Wish) -> bool {
    let bit = match wish {
        Wish::Read => 0o4,
        Wish::Write => 0o2,
        Wish::Execute => 0o1,
    };
    let shift = match () {
        () if metadata.uid == uid => 6,
        () if metadata.gid == gid => 3,
        () => 0,
    };
    metadata.mode >> shift & bit != 0
}

/// Returns who owns a path and what its mode is, in words.
#[must_use]
pub fn words(metadata: Metadata) -> String {
    format!("it belongs to {}:{} with mode {:04o}", metadata.uid, metadata.gid, metadata.mode)
}

/// Returns how a granted path is mounted, or refuses it.
pub fn owner(run: &mut Run<'_>, granted: &Granted<'_>) -> Option<Owner> {
    let Granted { path, metadata, rights, holder, identity, span } = *granted;
    let Metadata { uid, gid, .. } = metadata;
    if run.options.mode == Mode::User {
        let refused = wishes(metadata, rights).find(|wish| !run.host.machine.may(path, *wish));
        if let Some(wish) = refused {
            let message = format!("`{path}` is not yours to {}: {}", word(wish), words(metadata));
            run.refusals.refuse(
                span,
                message,
                "granted here",
                "grant what you may use yourself, or run capc as root",
            );
            return None;
        }
        return Some(Owner::Plain);
    }
    if uid == identity.0 {
        return Some(Owner::Plain);
    }
    let changes = !rights.and(CHANGE).is_empty();
    let mapped_away = run.host.machine.file_system(path).ok();
    let without = WITHOUT_MAPPING.iter().find(|(magic, _)| mapped_away == Some(*magic));
    if without.is_none() && !(uid == 0 && changes) {
        return Some(Owner::Mapped { uid, gid });
    }
    if wishes(metadata, rights).all(|wish| permits(metadata, identity, wish)) {
        return Some(Owner::Plain);
    }
    let reason = match without {
        Some((_, name)) => format!("and {name} has no id-mapped mounts"),
        None => "and what is root's is never changed in its name".to_owned(),
    };
    let message = format!("`{holder}` could not use `{path}`: {}, {reason}", words(metadata));
    let otherwise = as_its_owner(run.host.machine, uid);
    let help = format!("give it to a user of its own (`chown`), declare it as a `state`, or {otherwise}");
    run.refusals.refuse(span, message, "granted here", help);
    None
}

const fn word(wish: Wish) -> &'static str {
    match wish {
        Wish::Read => "read",
        Wish::Write => "change",
        Wish::Execute => "enter or execute",
    }
}

fn wishes(metadata: Metadata, rights: Rights) -> impl Iterator<Item = Wish> {
    let is_dir = metadata.file_type == FileType::Directory;
    let wishes = [
        (Wish::Read, rights.contains(Kind::FS_READ)),
        (Wish::Write, !rights.and(CHANGE).is_empty()),
        (Wish::Execute, is_dir || rights.contains(Kind::FS_EXEC)),
    ];
    wishes.into_iter().filter(|(_, wanted)| *wanted).map(|(wish, _)| wish)
}

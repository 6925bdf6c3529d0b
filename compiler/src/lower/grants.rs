//! Granted paths: directories, files, secrets, and sockets of others, each at its place; `state` has a file of its own.

use super::owner::{Granted, owner, permits, words};
use super::place::{Grant, Place};
use super::world::World;
use super::{Held, Mode, Run, Subject, state};
use crate::machine::{FileType, Metadata, Wish, walk};
use crate::model::{Kind, Placement, Rights, Target};
use crate::source::Span;
use capc_schemas::manifest::{self, FileKind, Owner};

/// The longest secret that the launcher copies.
const LONGEST_SECRET: u64 = 1 << 20;

/// Adds every granted path.
pub fn add<'a>(run: &mut Run<'a>, world: &mut World, subject: Subject<'a>) {
    for held in run.held(subject) {
        let Target::Resource(resource) = held.capability.target else { continue };
        let Some(path) = held.capability.path.clone() else { continue };
        let at =
            held.placement.and_then(|placement| placement.at()).map_or(path.clone(), |at| at.path.clone());
        if matches!(held.capability.kind, Kind::Dir | Kind::File | Kind::State) {
            refuse_blind_execution(run, subject, &held);
        }
        match held.capability.kind {
            Kind::Dir | Kind::File => add_path(run, world, subject, &held, (&at, &path)),
            Kind::State => state::add(run, world, subject, &held, (&at, resource)),
            Kind::Secret => add_secret(run, world, &held, (&at, &path)),
            Kind::Socket => add_socket(run, world, &held, (&at, &path)),
            Kind::Device => add_device(run, world, &held, (&at, &path)),
            Kind::Network
            | Kind::Privilege
            | Kind::Caller
            | Kind::Listen
            | Kind::Connect
            | Kind::Identity
            | Kind::Facet
            | Kind::Mount
            | Kind::Control
            | Kind::Launch
            | Kind::Ask => {}
        }
    }
}

/// Returns what lies at a path, unless a symbolic link leads there: then it is refused, with the place to write instead.
pub fn straight(run: &mut Run<'_>, path: &str, span: Span) -> Option<Metadata> {
    match walk(run.host.machine, path) {
        Ok(walk) => match walk.links.first() {
            None => Some(walk.metadata),
            Some((link, _)) => {
                let message = format!("`{path}` crosses the symbolic link `{link}`");
                let help = format!("write the place itself, \"{}\", or say `alias` for the link", walk.real);
                run.refusals.refuse(span, message, "needed by this", help);
                None
            }
        },
        Err((at, error)) => {
            let message = format!("`{at}` cannot be looked at: {error}");
            run.refusals.refuse(
                span,
                message,
                "needed by this",
                "make it first, or write the path that you mean",
            );
            None
        }
    }
}

fn add_path(
    run: &mut Run<'_>,
    world: &mut World,
    subject: Subject<'_>,
    held: &Held<'_>,
    (at, path): (&str, &str),
) {
    let Some(metadata) = straight(run, path, held.span) else { return };
    let is_part = held.capability.part.is_some();
    let is_dir = metadata.file_type == FileType::Directory;
    let fits = match metadata.file_type {
        FileType::Directory => held.capability.kind == Kind::Dir,
        FileType::Regular => held.capability.kind == Kind::File || is_part,
        FileType::Link | FileType::Socket | FileType::Device | FileType::Other => false,
    };
    if !fits {
        let message =
            format!("`{path}` is {}, not a {}", metadata.file_type.words(), held.capability.kind.word());
        let help = "declare it as what it is: `dir`, `file`, `socket`, or `device`";
        return run.refusals.refuse(held.span, message, "granted here", help);
    }
    let granted = Granted {
        path,
        metadata,
        rights: held.rights,
        holder: &subject.object.name,
        identity: (world.uid, world.gid),
        span: held.span,
    };
    let Some(owner) = owner(run, &granted) else { return };
    let kind = if is_dir { FileKind::Dir } else { FileKind::File };
    let grant = Grant { from: path.to_owned(), kind, owner, rights: rights(held.rights), state: None };
    world.put(at, Place::Grant(grant), held.span, &mut run.refusals);
}

/// The kernel opens for reading what it executes (execve(2)), so `exec` alone would be a right to nothing.
fn refuse_blind_execution(run: &mut Run<'_>, subject: Subject<'_>, held: &Held<'_>) {
    let of_this =
        |placement: &&Placement| run.model.capability(placement.capability).target == held.capability.target;
    let asked = subject.service.placements.iter().filter(of_this);
    let all = asked.fold(held.rights, |all, placement| all.or(placement.rights));
    if held.rights.contains(Kind::FS_EXEC) && !all.contains(Kind::FS_READ) {
        let message = format!("`{}` may execute `{}` and not read it", subject.object.name, held.name);
        run.refusals.refuse(held.span, message, "Linux executes only what may be read", "say `read exec`");
    }
}

/// Returns the rights of things with a path as the manifest has them.
pub fn rights(held: Rights) -> manifest::Rights {
    let pairs = [
        (Kind::FS_READ, manifest::Rights::READ),
        (Kind::FS_EXEC, manifest::Rights::EXEC),
        (Kind::FS_MODIFY, manifest::Rights::MODIFY),
        (Kind::FS_CREATE, manifest::Rights::CREATE),
        (Kind::FS_REMOVE, manifest::Rights::REMOVE),
        (Kind::FS_SOCKET, manifest::Rights::SOCKET),
    ];
    let held = pairs.into_iter().filter(|(right, _)| held.contains(*right));
    held.fold(manifest::Rights::NONE, |all, (_, right)| all.or(right))
}

fn add_secret(run: &mut Run<'_>, world: &mut World, held: &Held<'_>, (at, path): (&str, &str)) {
    let Some(metadata) = straight(run, path, held.span) else { return };
    let wrong = match metadata {
        Metadata { file_type: FileType::Regular, size, .. } if size <= LONGEST_SECRET => None,
        Metadata { file_type: FileType::Regular, size, .. } => {
            Some(format!("has {size} bytes, more than {LONGEST_SECRET}"))
        }
        Metadata { file_type, .. } => Some(format!("is {}, not a file", file_type.words())),
    };
    if let Some(wrong) = wrong {
        let help = "a secret is a small file; hold anything else as a `dir` or a `file`";
        return run.refusals.refuse(held.span, format!("`{path}` {wrong}"), "a secret", help);
    }
    if run.options.mode == Mode::User && !run.host.machine.may(path, Wish::Read) {
        let message = format!("`{path}` is not yours to read: {}", words(metadata));
        return run.refusals.refuse(
            held.span,
            message,
            "a secret",
            "use a file of your own, or run capc as root",
        );
    }
    world.put(at, Place::Secret { from: path.to_owned() }, held.span, &mut run.refusals);
}

/// A socket of something that capc does not run: connecting takes the right to write to its file.
fn add_socket(run: &mut Run<'_>, world: &mut World, held: &Held<'_>, (at, path): (&str, &str)) {
    let Some(metadata) = straight(run, path, held.span) else { return };
    if metadata.file_type != FileType::Socket {
        let message = format!("`{path}` is {}, not a socket", metadata.file_type.words());
        return run.refusals.refuse(
            held.span,
            message,
            "needed by this",
            "start what makes the socket first",
        );
    }
    let may = match run.options.mode {
        Mode::Root => permits(metadata, (world.uid, world.gid), Wish::Write),
        Mode::User => run.host.machine.may(path, Wish::Write),
    };
    if !may {
        let message = format!("`{}` could not connect to `{path}`: {}", world.name, words(metadata));
        let help = "let the service run `as` an identity that may, or change the socket's mode";
        return run.refusals.refuse(held.span, message, "needed by this", help);
    }
    put_socket(run, world, (at, path), held.span);
}

/// A device node; who may open it is decided by its mode, as everywhere.
fn add_device(run: &mut Run<'_>, world: &mut World, held: &Held<'_>, (at, path): (&str, &str)) {
    let Some(metadata) = straight(run, path, held.span) else { return };
    if metadata.file_type != FileType::Device {
        let message = format!("`{path}` is {}, not a device", metadata.file_type.words());
        let help = "declare it as what it is: `dir`, `file`, or `socket`";
        return run.refusals.refuse(held.span, message, "granted here", help);
    }
    let (reads, writes) = (held.rights.contains(Kind::DEVICE_READ), held.rights.contains(Kind::DEVICE_WRITE));
    // Whoever may only `ioctl` has to open it for something.
    let wishes = [(Wish::Read, reads || !writes), (Wish::Write, writes)];
    let may = |wish: Wish| match run.options.mode {
        Mode::Root => permits(metadata, (world.uid, world.gid), wish),
        Mode::User => run.host.machine.may(path, wish),
    };
    if !wishes.into_iter().filter(|(_, wanted)| *wanted).all(|(wish, _)| may(wish)) {
        let message = format!("`{}` could not open `{path}`: {}", world.name, words(metadata));
        let help = "let the service run `as` an identity of the device's group (`identity NAME group=…`), or change its mode";
        return run.refusals.refuse(held.span, message, "granted here", help);
    }
    let pairs = [
        (Kind::DEVICE_READ, manifest::Rights::READ),
        (Kind::DEVICE_WRITE, manifest::Rights::MODIFY),
        (Kind::DEVICE_IOCTL, manifest::Rights::DEVICE),
    ];
    let rights = pairs.into_iter().filter(|(right, _)| held.rights.contains(*right));
    let rights = rights.fold(manifest::Rights::NONE, |all, (_, right)| all.or(right));
    // Below that, whoever opens a device may do everything with it that `ioctl` does.
    world.needs_abi(5);
    world.put(at, Place::Device { from: path.to_owned(), rights }, held.span, &mut run.refusals);
}

/// Puts a socket's file at a place; no right is needed but the one that its mode gives.
pub fn put_socket(run: &mut Run<'_>, world: &mut World, (at, path): (&str, &str), span: Span) {
    let grant = Grant {
        from: path.to_owned(),
        kind: FileKind::File,
        owner: Owner::Plain,
        rights: manifest::Rights::READ,
        state: None,
    };
    world.put(at, Place::Grant(grant), span, &mut run.refusals);
}

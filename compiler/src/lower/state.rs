//! State: a directory that belongs to the one service that changes it, made by the launcher when it is not there.

use super::grants::{rights, straight};
use super::identity::as_its_owner;
use super::owner::{CHANGE, words};
use super::place::{Grant, Place};
use super::world::World;
use super::{Held, Mode, Run, Subject};
use crate::machine::{FileType, join, parent};
use crate::model::{ObjectId, Resource, Rights, Target};
use capc_schemas::manifest::{FileKind, Owner};

/// Adds a state at its place.
pub fn add(
    run: &mut Run<'_>,
    world: &mut World,
    subject: Subject<'_>,
    held: &Held<'_>,
    (at, resource): (&str, ObjectId),
) {
    let Some(Resource::Path { path: declared, .. }) = run.model.object(resource).resource() else { return };
    let base = match (&run.options.state_root, run.options.mode) {
        (Some(root), Mode::User) => {
            // One directory for each path, so that no parents are needed.
            let name =
                declared.trim_start_matches('/').replace('%', "%25").replace('+', "%2B").replace('/', "+");
            join(&root.to_string_lossy(), &name)
        }
        _ => declared.to_string(),
    };
    let keeper = keeper(run, resource).unwrap_or(subject.id);
    let keeper_identity = run.identity(keeper);
    let keeps = keeper_identity.uid == world.uid || run.options.mode == Mode::User;
    if run.options.mode == Mode::Root && !check_state(run, subject, held, &base, keeper) {
        return;
    }
    let mut from = base.clone();
    let mut kind = FileKind::Dir;
    if let Some(part) = &held.capability.part {
        from = join(&base, part);
        match run.host.machine.metadata(&from) {
            Ok(found) if found.file_type == FileType::Directory => {}
            Ok(found) if found.file_type == FileType::Regular => kind = FileKind::File,
            _ => {
                let message = format!("`{part}` is not there in the state `{declared}`");
                let help = "let the service that keeps the state make it first, or hold the whole of it";
                return run.refusals.refuse(held.span, message, "a part that is to be mounted", help);
            }
        }
    }
    let owner = match keeps {
        true => Owner::Plain,
        false => Owner::Mapped { uid: keeper_identity.uid, gid: keeper_identity.gid },
    };
    let grant = Grant { from, kind, owner, rights: rights(held.rights), state: keeps.then_some(base) };
    world.put(at, Place::Grant(grant), held.span, &mut run.refusals);
}

/// Returns the service that a state belongs to: the one that changes it, or else the first that has it.
fn keeper(run: &Run<'_>, resource: ObjectId) -> Option<ObjectId> {
    let model = run.model;
    let mut holders: Vec<(bool, &str, ObjectId)> = Vec::new();
    for (id, object, _) in model.services() {
        let of_it = run
            .holdings
            .of(id)
            .iter()
            .filter(|holding| model.capability(holding.capability).target == Target::Resource(resource));
        let rights = of_it.fold(Rights::NONE, |all, holding| all.or(holding.rights));
        if !rights.is_empty() {
            holders.push((rights.and(CHANGE).is_empty(), &object.name, id));
        }
    }
    holders.sort();
    holders.first().map(|(_, _, id)| *id)
}

/// Checks what the launcher would refuse: parents that are not there, and a directory that is somebody else's.
fn check_state(
    run: &mut Run<'_>,
    subject: Subject<'_>,
    held: &Held<'_>,
    base: &str,
    keeper: ObjectId,
) -> bool {
    let uid = run.identity(keeper).uid;
    match run.host.machine.metadata(base) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if keeper != subject.id {
                let keeper = &run.model.object(keeper).name;
                run.refusals.note(format!(
                    "`{}` cannot start before `{keeper}` has made `{base}`",
                    subject.object.name
                ));
            }
            straight(run, parent(base), held.span).is_some()
        }
        Err(error) => {
            let message = format!("`{base}` cannot be looked at: {error}");
            run.refusals.refuse(held.span, message, "needed by this", "write the path that you mean");
            false
        }
        Ok(metadata) => {
            if straight(run, base, held.span).is_none() {
                return false;
            }
            let is_empty = run.host.machine.list(base).is_ok_and(|names| names.is_empty());
            if metadata.file_type != FileType::Directory || (metadata.uid != uid && !is_empty) {
                let keeper = &run.model.object(keeper).name;
                let message = format!("`{base}` is not the state of `{keeper}`: {}", words(metadata));
                let otherwise = as_its_owner(run.host.machine, metadata.uid);
                let help = format!("give it to that service (`chown -R {uid} {base}`), or {otherwise}");
                run.refusals.refuse(held.span, message, "there is something of another's", help);
                return false;
            }
            true
        }
    }
}

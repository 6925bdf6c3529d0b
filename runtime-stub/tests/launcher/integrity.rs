//! What keeps a program from being another: replaced before it starts, and while it starts.

use crate::disk::Disk;
use crate::generation::{Store, place_program, sha256};
use crate::world::{Caller, Scratch, World, check, refused};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const SEALED: &[u8] = b"#!/usr/bin/sh\necho as sealed\n";
// As long as the other, so that it can take its place in the middle of a line.
const ANOTHER: &[u8] = b"#!/usr/bin/sh\necho another!!\n";

/// A world that runs a file of the host as `/opt/tool`.
fn tool(caller: Caller, integrity: &'static str, from: &Path) -> World {
    let digest = sha256(&fs::read(from).unwrap());
    let line = format!("{integrity} /opt/tool {} {digest} exec", from.display());
    World::program(caller, &["/opt/tool"]).with(&[&line, "allow /opt read,exec"])
}

fn rename_over(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    place_program(bytes, &new);
    fs::rename(new, path).unwrap();
}

/// Writes into the file that is there.
fn overwrite(path: &Path, bytes: &[u8]) {
    let before = fs::metadata(path).unwrap().ino();
    place_program(bytes, path);
    assert_eq!(fs::metadata(path).unwrap().ino(), before, "the same file");
}

/// Starts a service, calls `change` when all is in its place and only the program is still to be started, and returns what
/// it says.
fn changed_while_starting(world: &World, change: impl FnOnce()) -> String {
    let sync = Scratch::new(world.caller);
    rustix::fs::mknodat(rustix::fs::CWD, sync.path.join("go"), rustix::fs::FileType::Fifo, 0o666.into(), 0)
        .unwrap();
    fs::set_permissions(sync.path.join("go"), std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    sync.own();
    let grant = format!("grant /sync {} dir ro noexec plain", sync.path.display());
    let world = world.clone().with(&[
        &grant,
        "allow /sync read",
        "prepare /usr/bin/sh",
        "prepare-arg -c",
        "prepare-arg echo%20ready;%20read%20go%20</sync/go",
    ]);
    let store = world.store();
    let mut child = store.waiting(world.caller).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    if line == "ready\n" {
        change();
        // Both ways, since such an opening waits for nobody.
        let mut go = fs::OpenOptions::new().read(true).write(true).open(sync.path.join("go")).unwrap();
        go.write_all(b"go\n").unwrap();
        line.clear();
        said.read_to_string(&mut line).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    line + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn what_is_replaced_before_it_starts_is_refused() {
    for caller in [Caller::Root, Caller::User] {
        for integrity in ["pinned", "memfd"] {
            for replace in [rename_over, overwrite] {
                let scratch = Scratch::new(caller);
                let path = scratch.path.join("tool");
                place_program(SEALED, &path);
                let store = tool(caller, integrity, &path).store();
                assert_eq!(store.output(caller).stdout, b"as sealed\n");
                replace(&path, ANOTHER);
                refused(
                    &store.output(caller),
                    "it drifted: its digest is not the sealed one; `capc reconfigure`",
                );
                replace(&path, SEALED);
                assert_eq!(store.output(caller).stdout, b"as sealed\n");
            }
        }
    }
}

#[test]
fn what_is_renamed_over_while_it_starts_is_not_seen() {
    for caller in [Caller::Root, Caller::User] {
        for integrity in ["pinned", "memfd"] {
            let scratch = Scratch::new(caller);
            let path = scratch.path.join("tool");
            place_program(SEALED, &path);
            let world = tool(caller, integrity, &path);
            let said = changed_while_starting(&world, || rename_over(&path, ANOTHER));
            assert_eq!(said, "as sealed\n", "{caller:?} {integrity}");
        }
    }
}

// `pinned` has a window between the check and the start, for whoever may write to the file; `memfd` has none.
#[test]
fn what_is_overwritten_while_it_starts_is_seen_by_pinned_and_not_by_memfd() {
    for caller in [Caller::Root, Caller::User] {
        for (integrity, expected) in [("pinned", "another!!\n"), ("memfd", "as sealed\n")] {
            let scratch = Scratch::new(caller);
            let path = scratch.path.join("tool");
            place_program(SEALED, &path);
            let world = tool(caller, integrity, &path);
            let said = changed_while_starting(&world, || overwrite(&path, ANOTHER));
            assert_eq!(said, expected, "{caller:?} {integrity}");
        }
    }
}

#[test]
fn a_whole_closure_is_copied_and_its_originals_may_change() {
    // A program that is no script, with an interpreter and libraries of its own: all of them are copies.
    for caller in [Caller::Root, Caller::User] {
        let scratch = Scratch::new(caller);
        let path = scratch.path.join("tool");
        place_program(&fs::read("/bin/true").unwrap(), &path);
        let mut world = tool(caller, "memfd", &path);
        world.integrity = "memfd";
        let said = changed_while_starting(&world, || overwrite(&path, &fs::read("/bin/false").unwrap()));
        assert_eq!(said, "", "{caller:?}: the copy of `true` ran");
        let mut listing = World::shell(
            caller,
            "ls -A /; cat /proc/self/mountinfo | grep -c ' - tmpfs .*\\<rw\\>.* / '; exit 0",
        );
        listing.programs.push("/usr/bin/grep");
        listing.integrity = "memfd";
        check(&listing, "bin\ndev\netc\nlib\nlib64\nproc\ntmp\nusr\n0\n");
    }
}

#[test]
fn copies_are_sealed_against_everybody() {
    let script = "grep -c '/usr/bin/sh ro,nosuid,nodev.* - tmpfs capc-nothing ro\\|/usr/bin/sh ro,nosuid,nodev.* - tmpfs none ro' /proc/self/mountinfo";
    let mut world = World::shell(Caller::Root, script);
    world.programs.push("/usr/bin/grep");
    world.integrity = "memfd";
    check(&world, "1\n");
}

#[test]
fn store_means_a_place_where_nothing_changes() {
    let Some(disk) = Disk::with(&[("tool", SEALED)]) else { return };
    let path = disk.path.join("tool");
    let world = tool(Caller::Root, "store", &path);
    let could = "store: ";
    refused(&world.output(), could);
    disk.remount("ro");
    let said = changed_while_starting(&world, || {
        let error = fs::OpenOptions::new().write(true).open(&path).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem, "nobody overwrites it");
        let error = fs::rename(disk.path.join("lost+found"), disk.path.join("found")).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem, "nobody renames anything");
    });
    assert_eq!(said, "as sealed\n");
    let user = tool(Caller::User, "store", &path);
    assert_eq!(user.output().stdout, b"as sealed\n", "a plain user's too");
    disk.remount("rw");
    refused(&world.output(), "it is not mounted read-only, so it could have been changed");
    refused(&user.output(), could);
}

#[test]
fn a_copy_of_something_else_than_a_file_is_refused() {
    let scratch = Scratch::new(Caller::Root);
    let path = scratch.path.join("tool");
    place_program(SEALED, &path);
    let stores: Vec<Store> =
        ["pinned", "memfd"].map(|integrity| tool(Caller::Root, integrity, &path).store()).into();
    fs::remove_file(&path).unwrap();
    stores.iter().for_each(|store| refused(&store.output(Caller::Root), "no such file"));
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o755.into(), 0).unwrap();
    stores.iter().for_each(|store| refused(&store.output(Caller::Root), "it is no regular file"));
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/usr/bin/sh", &path).unwrap();
    stores.iter().for_each(|store| refused(&store.output(Caller::Root), "a symbolic link"));
}

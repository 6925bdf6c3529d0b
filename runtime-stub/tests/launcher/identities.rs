//! The identity cache: what was hashed is not hashed again, and nothing that could have changed since is taken for that.

use crate::disk::Disk;
use crate::generation::{Store, place_program, sha256};
use crate::world::{Caller, Scratch, World, refused};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

const TOOL: &[u8] = b"#!/usr/bin/sh\necho as sealed\n";
const ANOTHER: &[u8] = b"#!/usr/bin/sh\necho another!!\n";

/// A disk with a tool on it that was changed long ago, and a service that runs it.
struct Scene {
    disk: Disk,
    store: Store,
}

impl Scene {
    fn new() -> Option<Self> {
        let disk = Disk::with(&[("tool", TOOL)])?;
        let store = service(&disk.path.join("tool"));
        Some(Self { disk, store })
    }

    fn tool(&self) -> PathBuf {
        self.disk.path.join("tool")
    }

    fn cache(&self) -> PathBuf {
        self.store.dir.join("run/identities")
    }
}

// Read by a shell, as a library is by a loader: what is executed itself nobody can have open for writing (ETXTBSY).
fn service(tool: &Path) -> Store {
    let line = format!("pinned /opt/tool {} {} exec", tool.display(), sha256(&fs::read(tool).unwrap()));
    World::program(Caller::Root, &["/bin/sh", "/opt/tool"]).with(&[&line, "allow /opt read,exec"]).store()
}

/// Starts the service, which must say that it is as sealed, and returns whether its tool was read.
#[track_caller]
fn reads(store: &Store, tool: &Path) -> bool {
    let trace = store.dir.join("trace");
    let mut command = Command::new("strace");
    command.args(["-qq", "-y", "-e", "trace=read", "-o"]).arg(&trace);
    command.arg(store.launcher()).arg("--wait").arg(store.generation()).arg("test/it").env_clear();
    let output = command.output().unwrap();
    assert_eq!(output.stdout, b"as sealed\n", "{}", String::from_utf8_lossy(&output.stderr));
    let trace = fs::read_to_string(&trace).unwrap();
    assert!(trace.contains("/SEAL>"), "{trace}");
    trace.contains(&format!("<{}>", tool.display()))
}

#[test]
fn an_unchanged_file_is_hashed_once() {
    let Some(scene) = Scene::new() else { return };
    assert!(reads(&scene.store, &scene.tool()));
    assert!(!reads(&scene.store, &scene.tool()));
    let metadata = fs::metadata(scene.cache()).unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (0, 0o600), "the cache is root's alone");
    let beside: Vec<_> = fs::read_dir(scene.store.dir.join("run")).unwrap().collect();
    assert_eq!(beside.len(), 2, "facets and the cache, and no draft: {beside:?}");
}

#[test]
fn a_known_file_that_changes_is_hashed_again_and_refused() {
    let changes: [fn(&Path); 4] = [
        |tool| place_program(ANOTHER, tool),
        |tool| {
            let new = tool.with_extension("new");
            place_program(ANOTHER, &new);
            fs::rename(new, tool).unwrap();
        },
        // With the times that it had: the time of change is not its owner's to set.
        |tool| {
            let before = fs::metadata(tool).unwrap();
            let file = fs::OpenOptions::new().write(true).open(tool).unwrap();
            (&file).write_all(ANOTHER).unwrap();
            file.set_modified(before.modified().unwrap()).unwrap();
        },
        |tool| fs::OpenOptions::new().append(true).open(tool).unwrap().write_all(b"\n").unwrap(),
    ];
    for change in changes {
        let Some(scene) = Scene::new() else { return };
        reads(&scene.store, &scene.tool());
        assert!(!reads(&scene.store, &scene.tool()));
        change(&scene.tool());
        refused(&scene.store.output(Caller::Root), "it drifted");
    }
}

// A store through a shared mapping can leave every time of the file as it was.
#[test]
fn a_file_that_somebody_could_write_to_is_not_remembered() {
    let Some(scene) = Scene::new() else { return };
    let file = fs::OpenOptions::new().read(true).write(true).open(scene.tool()).unwrap();
    let length = TOOL.len();
    let (protection, flags) =
        (rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE, rustix::mm::MapFlags::SHARED);
    // SAFETY: the kernel chooses the place.
    let mapped =
        unsafe { rustix::mm::mmap(std::ptr::null_mut(), length, protection, flags, &file, 0) }.unwrap();
    drop(file);
    for _ in 0..2 {
        assert!(reads(&scene.store, &scene.tool()), "hashed at every start while the mapping is there");
    }
    // SAFETY: the mapping is as long as the text, and nobody else here looks at it.
    unsafe { std::ptr::copy_nonoverlapping(ANOTHER.as_ptr(), mapped.cast::<u8>(), length) };
    refused(&scene.store.output(Caller::Root), "it drifted");
    // SAFETY: as above.
    unsafe { std::ptr::copy_nonoverlapping(TOOL.as_ptr(), mapped.cast::<u8>(), length) };
    assert!(reads(&scene.store, &scene.tool()));
    // SAFETY: this is the whole mapping, and it is not used afterwards.
    unsafe { rustix::mm::munmap(mapped, length) }.unwrap();
    assert!(reads(&scene.store, &scene.tool()), "changed a moment ago, so it is not remembered yet either");
}

#[test]
fn a_file_that_was_changed_a_moment_ago_is_not_remembered() {
    let Some(scene) = Scene::new() else { return };
    place_program(TOOL, &scene.tool());
    for _ in 0..2 {
        assert!(reads(&scene.store, &scene.tool()));
    }
}

#[test]
fn a_file_system_that_answers_for_its_own_times_is_not_believed() {
    let scratch = Scratch::new(Caller::Root);
    let options = std::ffi::CString::new("mode=755").unwrap();
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("capc", &scratch.path, "tmpfs", flags, options.as_c_str()).unwrap();
    let tool = scratch.path.join("tool");
    place_program(TOOL, &tool);
    let store = service(&tool);
    let found = [reads(&store, &tool), reads(&store, &tool)];
    rustix::mount::unmount(&scratch.path, rustix::mount::UnmountFlags::DETACH).unwrap();
    assert_eq!(found, [true, true]);
}

#[test]
fn a_cache_that_is_not_roots_of_this_boot_and_whole_is_not_believed() {
    let Some(scene) = Scene::new() else { return };
    reads(&scene.store, &scene.tool());
    let good = fs::read(scene.cache()).unwrap();
    let path = scene.cache();
    let spoil: [&dyn Fn(); 6] = [
        &|| fs::set_permissions(&path, PermissionsExt::from_mode(0o620)).unwrap(),
        &|| chown(&path, Some(4711), None).unwrap(),
        &|| {
            let mut other = good.clone();
            other[20] = if other[20] == b'0' { b'1' } else { b'0' };
            fs::write(&path, other).unwrap();
        },
        &|| fs::write(&path, &good[..good.len() - 1]).unwrap(),
        &|| fs::write(&path, b"").unwrap(),
        &|| {
            fs::rename(&path, path.with_extension("aside")).unwrap();
            std::os::unix::fs::symlink("identities.aside", &path).unwrap();
        },
    ];
    for (number, spoil) in spoil.iter().enumerate() {
        assert!(!reads(&scene.store, &scene.tool()), "before {number}");
        spoil();
        assert!(reads(&scene.store, &scene.tool()), "spoilt as {number}");
    }
    // What was spoilt is replaced by a good one.
    assert!(!reads(&scene.store, &scene.tool()));
    fs::set_permissions(scene.store.dir.join("run"), PermissionsExt::from_mode(0o777)).unwrap();
    assert!(reads(&scene.store, &scene.tool()), "where others can write, nothing is believed");
}

#[test]
fn a_plain_user_has_no_cache() {
    let scratch = Scratch::new(Caller::User);
    let store = World::shell(Caller::User, "true").store();
    assert!(store.output(Caller::User).status.success());
    assert_eq!(fs::read_dir(store.dir.join("run")).unwrap().count(), 1, "only `facets` is there");
    drop(scratch);
}

//! What is refused: anything that is not as it was sealed, or not for here and now.

use crate::generation::{Store, bare_launcher, host, place_program};
use crate::world::{Caller, Scratch, World, refused};
use capc_schemas::public_key::PublicKey;
use capc_schemas::token::Digest;
use ed25519_dalek::SigningKey;
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A service that would say so if it were started.
fn world() -> World {
    World::shell(Caller::Root, "echo started")
}

fn store() -> Store {
    world().store()
}

#[track_caller]
fn check(store: &Store, words: &str) {
    refused(&store.output(Caller::Root), words);
}

#[test]
fn as_sealed_it_starts() {
    assert_eq!(store().output(Caller::Root).stdout, b"started\n");
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let store = store();
    for (file, step) in [("SEAL", 1), ("SEAL.sig", 1), ("manifests/test/it", 97)] {
        let path = store.generation().join(file);
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(step) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, bad).unwrap();
            check(&store, if file == "manifests/test/it" { "manifest" } else { "signature" });
        }
        for length in (0..good.len()).step_by(step * 7) {
            fs::write(&path, &good[..length]).unwrap();
            refused(&store.output(Caller::Root), "");
        }
        for more in [&b"\n"[..], b"x", &good] {
            fs::write(&path, [&good, more].concat()).unwrap();
            refused(&store.output(Caller::Root), "");
        }
        fs::write(&path, good).unwrap();
    }
    assert_eq!(store.output(Caller::Root).stdout, b"started\n");
}

#[test]
fn something_else_in_a_files_place_is_refused_at_once() {
    for (file, layer) in
        [("SEAL", "seal: "), ("SEAL.sig", "signature: "), ("manifests/test/it", "manifest: ")]
    {
        let store = store();
        let path = store.generation().join(file);
        let aside = store.dir.join("aside");
        fs::rename(&path, &aside).unwrap();
        check(&store, layer);
        symlink(&aside, &path).unwrap();
        check(&store, layer);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        check(&store, layer);
        fs::remove_dir(&path).unwrap();
        let fifo = |path: &Path| {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o644.into(), 0)
        };
        fifo(&path).unwrap();
        check(&store, layer);
        fs::remove_file(&path).unwrap();
        let device = rustix::fs::makedev(1, 5);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::CharacterDevice,
            0o644.into(),
            device,
        )
        .unwrap();
        check(&store, layer);
        fs::remove_file(&path).unwrap();
        fs::write(&path, vec![b'a'; (1 << 20) + 1]).unwrap();
        check(&store, layer);
        fs::rename(&aside, &path).unwrap();
        assert_eq!(store.output(Caller::Root).stdout, b"started\n");
    }
    let store = store();
    let (dir, aside) = (store.generation().join("manifests"), store.dir.join("aside"));
    fs::rename(&dir, &aside).unwrap();
    symlink(&aside, &dir).unwrap();
    check(&store, "manifest: opening it");
}

#[test]
fn one_services_manifest_is_not_anothers() {
    let mut store = store();
    let other = store.manifests[0].1.replace("service test/it", "service test/other");
    store.manifests.push(("test/other".into(), other.clone()));
    store.write();
    fs::write(store.generation().join("manifests/test/it"), &other).unwrap();
    check(&store, "manifest: its digest is not the sealed one");
    // Sealed under the wrong name, it says so itself.
    store.manifests[0].1 = other;
    store.write();
    check(&store, "manifest: it is that of another service");
    store.manifests.remove(0);
    store.write();
    check(&store, "manifest: no service of this name is sealed");
}

#[test]
fn a_generation_is_for_one_machine_scope_and_time() {
    let mut other = store();
    other.host = Digest([7; 32]);
    other.write();
    check(&other, "seal: it is for another machine");
    let mut other = store();
    other.number = 2;
    other.write();
    check(&other, "floor: the generation's number: it is 2, and at least 3 is needed");
    let other = store();
    let record = fs::read(other.launcher()).unwrap();
    let digest = host().to_string();
    let at = record.windows(64).position(|window| window == digest.as_bytes()).unwrap();
    let mut changed = record.clone();
    changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
    place_program(&changed, &other.launcher());
    check(&other, "host: this launcher was made for another machine");
    let at = record.windows(12).position(|window| window == b"system test\n").unwrap();
    let mut changed = record;
    changed[at + 7..at + 11].copy_from_slice(b"best");
    place_program(&changed, &other.launcher());
    check(&other, "seal: it is of another scope");
}

#[test]
fn the_floor_must_be_there_and_be_roots() {
    let spoiled: [(Option<&str>, &str); 9] = [
        (None, "floor: opening it"),
        (Some(""), "floor: it holds no decimal number"),
        (Some("3"), "floor: it holds no decimal number"),
        (Some("03\n"), "floor: it holds no decimal number"),
        (Some("+3\n"), "floor: it holds no decimal number"),
        (Some("3\n\n"), "floor: it holds no decimal number"),
        (Some("-1\n"), "floor: it holds no decimal number"),
        (Some("4\n"), "floor: the generation's number"),
        (Some("18446744073709551616\n"), "floor: it holds no decimal number"),
    ];
    for (floor, words) in spoiled {
        let mut store = store();
        store.floor = floor.map(String::from);
        store.write();
        check(&store, words);
    }
    let store = store();
    let path = store.dir.join("floor");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    check(&store, "floor: others than its owner");
    fs::rename(&path, store.dir.join("aside")).unwrap();
    symlink(store.dir.join("aside"), &path).unwrap();
    check(&store, "floor: opening it");
}

#[test]
fn a_launcher_without_a_trust_root_refuses_everything() {
    let store = store();
    place_program(&fs::read(bare_launcher()).unwrap(), &store.launcher());
    check(&store, "trust record: it is empty");
}

#[test]
fn only_trusted_keys_sign_and_enough_of_them() {
    let mut other = store();
    other.keys = vec![SigningKey::from_bytes(&[99; 32])];
    other.write();
    check(&other, "signature: it is none of a trusted key");
    let mut two = store();
    let second = SigningKey::from_bytes(&[98; 32]);
    two.trusted.push(PublicKey::plain(second.verifying_key().to_bytes()));
    two.threshold = 2;
    two.write();
    check(&two, "signature: fewer signed than the threshold");
    let once = fs::read_to_string(two.generation().join("SEAL.sig")).unwrap();
    fs::write(two.generation().join("SEAL.sig"), once.repeat(2)).unwrap();
    check(&two, "signature: its signers do not ascend");
    two.keys.push(second);
    two.write();
    assert_eq!(two.output(Caller::Root).stdout, b"started\n");
}

#[test]
fn a_pinned_file_that_changed_is_refused() {
    let scratch = Scratch::new(Caller::Root);
    let file = scratch.path.join("config");
    fs::write(&file, "as sealed").unwrap();
    let digest = crate::generation::sha256(b"as sealed");
    let pinned = format!("pinned /etc/config {} {digest} noexec", file.display());
    let store =
        World::shell(Caller::Root, "cat /etc/config").with(&[&pinned, "allow /etc/config read"]).store();
    assert_eq!(store.output(Caller::Root).stdout, b"as sealed");
    fs::write(&file, "as sealeD").unwrap();
    check(&store, "it drifted");
    fs::remove_file(&file).unwrap();
    check(&store, "pinned: ");
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    check(&store, "it is no regular file");
}

#[test]
fn a_source_behind_a_link_is_refused() {
    let scratch = Scratch::new(Caller::Root);
    fs::create_dir(scratch.path.join("real")).unwrap();
    symlink("real", scratch.path.join("link")).unwrap();
    let grant = format!("grant /data {} dir ro noexec plain", scratch.path.join("link").display());
    refused(&world().with(&[&grant]).output(), "a symbolic link on the way (ELOOP)");
    let grant = format!("grant /data {} dir ro noexec plain", scratch.path.join("none").display());
    refused(&world().with(&[&grant]).output(), "no such file or directory (ENOENT)");
    let grant = format!("grant /data {} file ro noexec plain", scratch.path.join("real").display());
    refused(&world().with(&[&grant]).output(), "it is a directory");
    refused(&world().with(&["device /dev/zero /etc/passwd"]).output(), "it is no device");
}

#[test]
fn the_command_line_and_what_is_passed_are_checked() {
    let store = store();
    let run =
        |arguments: &[&str]| Command::new(store.launcher()).args(arguments).env_clear().output().unwrap();
    let generation = store.generation();
    let generation = generation.to_str().unwrap();
    for arguments in [&[][..], &["a"], &["a", "b", "c"], &["--enter", "other", "x"], &["--doctor", "x"]] {
        refused(&run(arguments), "usage: ");
    }
    refused(&run(&[generation, "../it"]), "usage: the service is no name");
    refused(&run(&[generation, "it"]), "manifest: no service of this name is sealed");
    symlink(generation, store.dir.join("current")).unwrap();
    refused(&run(&[store.dir.join("current").to_str().unwrap(), "test/it"]), "generation: ");
    let mut command = store.waiting(Caller::Root);
    refused(&command.env("CAPC_LIFE", "77").output().unwrap(), "descriptors: CAPC_LIFE");
    for (files, words) in [
        ("", "limits: CAPC_FILES holds no number"),
        ("many", "limits: CAPC_FILES holds no number"),
        ("-1", "limits: CAPC_FILES holds no number"),
        ("99999999999999999999", "limits: CAPC_FILES holds no number"),
        // More than the machine lets anybody have.
        ("18446744073709551615", "limits: prlimit"),
    ] {
        refused(&store.waiting(Caller::Root).env("CAPC_FILES", files).output().unwrap(), words);
    }
    let wanting = world().with(&["descriptor 3 listen a"]).store();
    check(&wanting, "descriptors: the init passed fewer");
    let mut command = wanting.waiting(Caller::Root);
    crate::world::pass(&mut command, &[2]);
    refused(&command.output().unwrap(), "descriptors: what the init passed is no socket");
}

#[test]
fn every_layer_is_needed() {
    let mut newer = world();
    newer.abi = 99;
    refused(&newer.output(), "landlock: the kernel's ABI: it is");
    let mut open = world();
    open.filter.clear();
    refused(&open.output(), "seccomp: the manifest has no program");
    let store = store();
    for (call, words) in [
        ("landlock_create_ruleset", "landlock: "),
        ("landlock_restrict_self", "landlock: "),
        ("seccomp", "seccomp: "),
        ("clone3", "pid namespace: "),
        ("setns", "pid namespace: "),
        ("unshare", "mount namespace: "),
        ("open_tree", "place: "),
        ("move_mount", "root: "),
        ("mount_setattr", "root: "),
        ("pivot_root", "root: "),
        ("close_range", "close_range: "),
        ("setresuid", "identity: "),
        ("capset", "privileges: "),
        ("sethostname", "uts namespace: "),
        ("openat2", ""),
    ] {
        refused(&injected(&store, &[&format!("{call}:error=ENOSYS")]), words);
    }
}

/// Starts a service while strace makes the kernel answer otherwise.
fn injected(store: &Store, injections: &[&str]) -> Output {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]);
    for injection in injections {
        command.args(["-e", &format!("inject={injection}")]);
    }
    command.arg(store.launcher()).arg("--wait").arg(store.generation()).arg("test/it").env_clear();
    let output = command.stdin(Stdio::null()).output();
    let output =
        output.unwrap_or_else(|error| panic!("this test needs strace (apt-get install strace): {error}"));
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(!complained.contains("strace:"), "{complained}");
    output
}

#[test]
fn what_is_wrong_is_told_and_not_what_follows_from_it() {
    let scratch = Scratch::new(Caller::Root);
    chown(&scratch.path, Some(1234), Some(1235)).unwrap();
    let grant = format!("grant /data {} dir rw noexec 1234:1235", scratch.path.display());
    let store = world().with(&[&grant]).store();
    assert_eq!(store.output(Caller::Root).stdout, b"started\n");
    // The launcher comes to its own part, for which it needs a process in the world, when the world has ended.
    let late = "symlinkat:delay_enter=100000:when=1";
    for (injection, words) in [
        ("keyctl:error=EPERM", "session: leaving the session's keys: operation not permitted (EPERM)\n"),
        ("capset:error=EPERM", "keeper: dropping privileges: operation not permitted (EPERM)\n"),
    ] {
        refused(&injected(&store, &[injection, late]), words);
    }
    // The keeper comes to its own when the service is killed.
    for late in ["setns:delay_enter=100000", "pidfd_open:delay_enter=100000"] {
        let words = "refused: program: its process ended without a word\n";
        // Nobody else comes to a fifth `prctl`.
        refused(&injected(&store, &["prctl:signal=KILL:when=5", late]), words);
    }
}

//! A store that somebody has tampered with: whatever was done to it, nothing is started.
//!
//! Where every byte is tried, the launcher's own verification runs inside the test, since a process for each would take
//! minutes; `refusals` tries a part of them with whole processes.

use crate::generation::{Store, place_program, sha256};
use crate::world::{Caller, World, refused};
use capc_launcher::load::{self, Buffers};
use capc_schemas::token::{Digest, RelPath};
use std::ffi::CString;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

const MOST: usize = 1 << 20;

fn store() -> Store {
    World::shell(Caller::Root, "echo started").store()
}

/// The launcher's verification, inside this process.
pub struct Verifier {
    record: [u8; capc_schemas::trust::RECORD_BYTES],
    generation: CString,
    seal: Vec<u8>,
    signature: Vec<u8>,
    manifest: Vec<u8>,
}

impl Verifier {
    pub fn of(store: &Store) -> Self {
        let room = |most: usize| vec![0; most + 1];
        Self {
            record: store.record(),
            generation: CString::new(store.generation().as_os_str().as_bytes()).unwrap(),
            seal: room(capc_schemas::seal::MAX_BYTES),
            signature: room(capc_schemas::sshsig::MAX_BYTES),
            manifest: room(capc_schemas::manifest::MAX_BYTES),
        }
    }

    /// Returns why the service is refused, if it is.
    pub fn refusal(&mut self, service: &str) -> Option<String> {
        let trust = load::trust(&self.record).unwrap();
        let buffers =
            Buffers { seal: &mut self.seal, signature: &mut self.signature, manifest: &mut self.manifest };
        let found = load::manifest(&trust, &self.generation, RelPath::new(service).unwrap(), buffers);
        found.err().map(|refusal| {
            assert_eq!(refusal.status(), 77);
            refusal.to_string()
        })
    }
}

#[track_caller]
fn check(store: &Store, words: &str) {
    refused(&store.output(Caller::Root), words);
}

#[track_caller]
fn starts(store: &Store) {
    assert_eq!(store.output(Caller::Root).stdout, b"started\n");
}

#[test]
fn no_flipped_byte_and_no_cut_passes() {
    let store = store();
    let mut verifier = Verifier::of(&store);
    assert_eq!(verifier.refusal("test/it"), None);
    for file in ["SEAL", "SEAL.sig", "manifests/test/it"] {
        let path = store.generation().join(file);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            for flip in [1 << (at % 8), 0xff] {
                bad[at] = good[at] ^ flip;
                fs::write(&path, &bad).unwrap();
                assert!(verifier.refusal("test/it").is_some(), "{file}, byte {at} changed by {flip:#x}");
            }
            fs::write(&path, &good[..at]).unwrap();
            assert!(verifier.refusal("test/it").is_some(), "{file}, cut to {at} bytes");
        }
        fs::write(&path, good).unwrap();
    }
    assert_eq!(verifier.refusal("test/it"), None);
}

#[test]
fn another_generations_manifest_is_refused() {
    let old = store();
    let mut new = World::shell(Caller::Root, "echo newer").store();
    new.number = 4;
    new.write();
    let manifest = Path::new("manifests/test/it");
    fs::copy(old.generation().join(manifest), new.generation().join(manifest)).unwrap();
    check(&new, "manifest: its digest is not the sealed one");
}

#[test]
fn an_old_generation_put_back_is_refused_by_every_launcher() {
    let mut store = store();
    let old_launcher = store.dir.join("old-launcher");
    place_program(&fs::read(store.launcher()).unwrap(), &old_launcher);
    let old = store.generation();
    // A later key signs the next generation, and the launcher that trusts it is another program.
    let key = ed25519_dalek::SigningKey::from_bytes(&[77; 32]);
    store.trusted = vec![capc_schemas::public_key::PublicKey::plain(key.verifying_key().to_bytes())];
    store.keys = vec![key];
    store.number = 4;
    store.floor = Some("4\n".into());
    store.write();
    starts(&store);
    let launch = |launcher: &Path, generation: &Path| {
        Command::new(launcher).arg("--wait").arg(generation).arg("test/it").env_clear().output().unwrap()
    };
    let too_old = "floor: the generation's number: it is 3, and at least 4 is needed";
    refused(&launch(&old_launcher, &old), too_old);
    refused(&launch(&store.launcher(), &old), "signature: ");
    refused(&launch(&old_launcher, &store.generation()), "signature: ");
    // Under the newer one's name it is still the older.
    let aside = store.dir.join("aside");
    fs::rename(store.generation(), &aside).unwrap();
    fs::rename(&old, store.generation()).unwrap();
    refused(&launch(&old_launcher, &store.generation()), too_old);
    fs::remove_file(store.dir.join("floor")).unwrap();
    refused(&launch(&old_launcher, &store.generation()), "floor: opening it");
}

#[test]
fn something_else_in_the_floors_place_is_refused_at_once() {
    let store = store();
    let path = store.dir.join("floor");
    let node = |kind, device| {
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, 0o600.into(), device).unwrap();
    };
    node(rustix::fs::FileType::Fifo, 0);
    check(&store, "floor: it is no regular file");
    node(rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 5));
    check(&store, "floor: it is no regular file");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    check(&store, "floor: it is no regular file");
}

#[test]
fn a_file_that_is_not_sealed_gives_nobody_anything() {
    let store = store();
    let manifests = store.generation().join("manifests/test");
    let stranger = store.manifests[0].1.replace("service test/it", "service test/stranger");
    fs::write(manifests.join("stranger"), stranger).unwrap();
    fs::write(store.generation().join("extra"), "extra").unwrap();
    assert_eq!(
        Verifier::of(&store).refusal("test/stranger").unwrap(),
        "manifest: no service of this name is sealed"
    );
    starts(&store);
}

#[test]
fn a_sealed_text_of_one_byte_over_a_mebibyte_is_refused() {
    let mut store = store();
    let seal = fs::read_to_string(store.generation().join("SEAL")).unwrap();
    let mut long = seal.clone();
    let mut number = 0;
    while long.len() + 200 < MOST {
        writeln!(long, "{}  more/{number:06}", Digest([3; 32])).unwrap();
        number += 1;
    }
    let line = format!("{}  more/", Digest([3; 32]));
    for (length, words) in [(MOST, None), (MOST + 1, Some("seal: it is too long"))] {
        let name = "z".repeat(length - long.len() - line.len() - 1);
        let text = format!("{long}{line}{name}\n");
        assert_eq!(text.len(), length);
        store.write_seal(&text);
        assert_eq!(Verifier::of(&store).refusal("test/it").as_deref(), words);
    }
    check(&store, "seal: it is too long");
    let manifest = store.manifests[0].1.clone();
    for (length, words) in [(MOST, None), (MOST + 1, Some("manifest: it is too long"))] {
        let fill = "e".repeat(length - manifest.len() - "env LONG \n".len());
        store.manifests[0].1 = manifest.replace("env PATH", &format!("env LONG {fill}\nenv PATH"));
        assert_eq!(store.manifests[0].1.len(), length);
        store.write();
        assert_eq!(Verifier::of(&store).refusal("test/it").as_deref(), words);
    }
}

#[test]
fn sealed_paths_ascend_and_stay_inside() {
    let store = store();
    let seal = fs::read_to_string(store.generation().join("SEAL")).unwrap();
    let (_, name) = seal.lines().last().unwrap().split_once("  ").unwrap();
    let digest = sha256(b"");
    for path in
        [name, "aaa", "zzz/../../../etc/passwd", "/etc/passwd", "zzz//a", "zzz/", "zzz/.", "zzz a", "zzz\\a"]
    {
        store.write_seal(&format!("{seal}{digest}  {path}\n"));
        check(&store, "seal: line ");
    }
    store.write_seal(&format!("{seal}{digest}  zzz/a\n"));
    starts(&store);
}

#[test]
fn the_time_of_day_is_nothing_to_the_launcher() {
    // What reads no clock starts and refuses the same in 1970 and in 2100. It cannot do so without a system call either:
    // it has no C library, and never looks for the kernel's shared page.
    let store = store();
    let trace = store.dir.join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=execve,openat2,/clock|time", "-o"]).arg(&trace);
    command.arg(store.launcher()).arg("--wait").arg(store.generation()).arg("test/it").env_clear();
    let output = command.output().expect("this test needs strace: apt-get install strace");
    assert_eq!(output.stdout, b"started\n");
    let trace = fs::read_to_string(&trace).unwrap();
    // The second program is the service's own, whose loader and shell may read what they like.
    let launching: Vec<&str> = trace.lines().take_while(|line| !line.contains("/usr/bin/sh")).collect();
    assert!(launching.iter().any(|line| line.contains("SEAL.sig")), "{trace}");
    let clocks = ["clock_", "gettimeofday(", "time(", "timerfd"];
    assert!(!launching.iter().any(|line| clocks.iter().any(|call| line.contains(call))), "{trace}");
}

#[test]
fn a_whole_generation_is_verified_before_anything_starts() {
    let mut store = store();
    store
        .manifests
        .push(("other".to_owned(), store.manifests[0].1.replace("service test/it", "service other")));
    store.write();
    let check = |words: &str| {
        let output = Command::new(store.launcher()).arg("--check").arg(store.generation()).output().unwrap();
        match words {
            "" => assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty()),
            words => refused(&output, words),
        }
    };
    check("");
    let path = store.generation().join("manifests/other");
    let good = fs::read(&path).unwrap();
    fs::write(&path, [&good[..], b"\n"].concat()).unwrap();
    check("manifests/other: its digest is not the sealed one");
    fs::remove_file(&path).unwrap();
    check("manifests/other: opening it");
    fs::write(&path, &good).unwrap();
    fs::write(store.generation().join("SEAL.sig"), "").unwrap();
    check("signature: ");
}

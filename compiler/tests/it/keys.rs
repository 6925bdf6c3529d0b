//! Signing keys: made, introduced, counted and changed.

use crate::scene::{Run, Scene, run};
use crate::transaction::{make_key, reconfigure, scene};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const SYSTEM: &str = "system keyed\nservice a { run \"/usr/bin/true\"; oneshot; }\n";

#[track_caller]
fn rotate(scene: &Scene, words: &[&str]) -> Run {
    scene.capc(["key", "rotate", "--store", "store", "--yes"].iter().chain(words))
}

#[track_caller]
fn with_keys(scene: &Scene, keys: &[&str]) -> Run {
    let keys: Vec<&str> = keys.iter().flat_map(|key| ["--key", key]).chain(["--yes"]).collect();
    reconfigure(scene, &keys)
}

fn chain(scene: &Scene) -> Run {
    scene.capc(["verify", "--chain", "--store", "store"])
}

#[test]
fn a_key_is_made_for_its_owner_alone_and_never_overwritten() {
    let scene = scene("key-init", SYSTEM);
    let init = || scene.capc(["key", "init", "--key", "keys/root", "--no-passphrase"]);
    init().exits(0).says("ssh-ed25519 ").says("SHA256:");
    let mode = |name: &str| std::fs::metadata(scene.path.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("keys/root"), mode("keys")), (0o600, 0o700));
    let old = std::fs::read(scene.path.join("keys/root")).unwrap();
    init().exits(3).complains("capc overwrites no key");
    std::fs::remove_file(scene.path.join("keys/root")).unwrap();
    init().exits(3).complains("keys/root.pub");
    scene.write("keys/root", &old);
    std::fs::set_permissions(scene.path.join("keys/root"), PermissionsExt::from_mode(0o600)).unwrap();
    with_keys(&scene, &["keys/root"]).exits(0);
    scene.capc(["key", "init", "--key", "fresh"]).exits(2).complains("--no-passphrase");
}

#[test]
fn only_whom_the_generation_before_names_signs_the_next() {
    let scene = scene("key-stranger", SYSTEM);
    make_key(&scene, "stranger", "");
    with_keys(&scene, &["key"]).exits(0);
    with_keys(&scene, &["stranger"]).exits(3).complains("may not sign generation 2");
    with_keys(&scene, &["key", "stranger"]).exits(3).complains("may not sign generation 2");
    let show = |key: &str| scene.capc(["key", "show", "--store", "store", "--key", key]);
    show("key.pub").exits(0).says("generation 2 must be signed by 1 of these 1").says("may sign it");
    show("stranger.pub").exits(3).says("may not sign it");
}

#[test]
fn a_change_of_keys_is_signed_by_old_and_new_and_then_only_the_new_count() {
    let scene = scene("key-rotate", SYSTEM);
    make_key(&scene, "new", "");
    with_keys(&scene, &["key"]).exits(0);
    rotate(&scene, &["--key", "new", "--new-key", "new"])
        .exits(3)
        .complains("generation 1 says who may sign");
    rotate(&scene, &["--key", "key", "--new-key", "key"]).exits(2).complains("may sign already");
    rotate(&scene, &["--key", "key", "--new-key", "new"]).exits(0).says("generation 2 is current");
    let signatures = std::fs::read_to_string(scene.path.join("store/generations/2/SEAL.sig")).unwrap();
    assert_eq!(signatures.matches("BEGIN SSH SIGNATURE").count(), 2);
    chain(&scene).exits(0).says("generation 2: follows 1 and names new keys");
    with_keys(&scene, &["key"]).exits(3).complains("may not sign generation 3");
    with_keys(&scene, &["new"]).exits(0).says("generation 3 is current");
    chain(&scene).exits(0).says("every link holds");
    scene.capc(["verify", "--store", "store", "--key", "new.pub"]).exits(0);
    scene.capc(["verify", "--store", "store", "--key", "key.pub"]).exits(3);
    // The launcher of 3 takes nothing that the old key signed alone.
    let old = scene.path.join("store/generations/1");
    let judged = |number: u32| {
        let mut command = Command::new(scene.path.join(format!("store/trust/{number}")));
        command.arg("--check").arg(&old);
        run(command)
    };
    judged(1).exits(0);
    judged(2).exits(77);
    judged(3).exits(77).complains("signature");
}

#[test]
fn a_change_of_keys_without_the_new_one_is_no_link() {
    let scene = scene("key-forged", SYSTEM);
    make_key(&scene, "new", "");
    with_keys(&scene, &["key"]).exits(0);
    rotate(&scene, &["--key", "key", "--new-key", "new"]).exits(0);
    // The new key's signature taken away: the old one alone names it.
    let path = scene.path.join("store/generations/2/SEAL.sig");
    let whole = std::fs::read_to_string(&path).unwrap();
    let end = "-----END SSH SIGNATURE-----\n";
    let armours: Vec<String> = whole.split_inclusive(end).map(str::to_owned).collect();
    for armour in armours {
        std::fs::write(&path, armour).unwrap();
        chain(&scene).exits(3).says("generation 2: BROKEN");
        with_keys(&scene, &["new"]).exits(3);
    }
    std::fs::write(&path, whole).unwrap();
    with_keys(&scene, &["new"]).exits(0);
}

#[test]
fn as_many_distinct_keys_sign_as_the_threshold_says() {
    let scene = scene("threshold", SYSTEM);
    for name in ["a", "b", "c", "d"] {
        make_key(&scene, name, "");
    }
    let first = ["--yes", "--key", "a", "--key", "b", "--key", "c", "--threshold"];
    reconfigure(&scene, &[&first[..], &["4"]].concat()).exits(2).complains("--threshold 4");
    reconfigure(&scene, &[&first[..], &["2"]].concat()).exits(0);
    with_keys(&scene, &["b"]).exits(3).complains("2 of SHA256:");
    with_keys(&scene, &["b", "b"]).exits(3).complains("2 of SHA256:");
    with_keys(&scene, &["c", "a"]).exits(0).says("generation 2 is current");
    scene.capc(["key", "show", "--store", "store"]).exits(0).says("signed by 2 of these 3");
    chain(&scene).exits(0);
    // Each of the signatures by itself is one that ssh-keygen takes.
    let text = std::fs::read_to_string(scene.path.join("store/generations/2/SEAL.sig")).unwrap();
    let keys: String = ["a", "b", "c"]
        .map(|name| {
            format!("{name} {}", std::fs::read_to_string(scene.path.join(format!("{name}.pub"))).unwrap())
        })
        .concat();
    scene.write("allowed", keys);
    let mut good = 0;
    for (index, armour) in text.split_inclusive("-----END SSH SIGNATURE-----\n").enumerate() {
        scene.write(&format!("{index}.sig"), armour);
        for name in ["a", "b", "c"] {
            let line = format!(
                "ssh-keygen -Y verify -f allowed -I {name} -n capc.system.v1 -s {index}.sig < store/generations/2/SEAL"
            );
            let mut verify = Command::new("sh");
            verify.args(["-c", &line]).current_dir(&scene.path);
            good += usize::from(run(verify).status == Some(0));
        }
    }
    assert_eq!(good, 2);
    // From 2 of 3 to 1 of 1, and on.
    rotate(&scene, &["--key", "a", "--new-key", "d"]).exits(3).complains("2 of SHA256:");
    rotate(&scene, &["--key", "a", "--key", "b", "--new-key", "d"]).exits(0);
    with_keys(&scene, &["d"]).exits(0).says("generation 4 is current");
    chain(&scene).exits(0).says("every link holds");
}

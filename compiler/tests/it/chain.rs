//! The chain of generations: listed, verified, gone back along, and cut off at its old end.

use crate::scene::{NOBODY, Run, Scene, needs_root, until};
use crate::transaction::{make_key, reconfigure, scene, up};
use std::path::Path;

const ONE: &str = "system chained\nservice a { run \"/usr/bin/sleep\" \"1000\"; }\n";
const TWO: &str =
    "system chained\nservice a { run \"/usr/bin/sleep\" \"1000\"; }\nservice b { run \"/usr/bin/true\"; }\n";
const THREE: &str = "system chained\nservice a { run \"/usr/bin/sleep\" \"2000\"; }\n";

/// A store with three generations.
fn three(name: &str) -> Scene {
    let scene = scene(name, ONE);
    for (number, system) in [ONE, TWO, THREE].into_iter().enumerate() {
        scene.write("system.kdl", system);
        reconfigure(&scene, &["--yes"]).exits(0).says(&format!("generation {} is current", number + 1));
    }
    scene
}

#[track_caller]
fn on_store(scene: &Scene, words: &[&str]) -> Run {
    scene.capc(words.iter().copied().chain(["--store", "store"]))
}

#[track_caller]
fn rollback(scene: &Scene, number: &str, more: &[&str]) -> Run {
    let words = ["rollback", number, "--store", "store", "--key", "key"];
    scene.capc(words.iter().chain(more))
}

fn read(scene: &Scene, name: &str) -> String {
    std::fs::read_to_string(scene.path.join("store/generations").join(name)).unwrap()
}

#[test]
fn generations_say_what_each_changed_and_who_signed_it() {
    let scene = three("listed");
    let run = on_store(&scene, &["generations"]).exits(0);
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", run.out);
    assert!(lines[0].starts_with("1  under the floor") && lines[1].contains("+b"), "{}", run.out);
    assert!(lines[2].contains("current") && lines[2].contains("~a -b"), "{}", run.out);
    let key = std::fs::read_to_string(scene.path.join("key.pub")).unwrap();
    let key = capc::seal::public_key_of(&key).unwrap();
    assert!(lines.iter().all(|line| line.ends_with(&capc::seal::fingerprint(&key))), "{}", run.out);
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen.args(["-l", "-f", "key.pub"]).current_dir(&scene.path);
    crate::scene::run(keygen).says(&capc::seal::fingerprint(&key));
}

#[test]
fn a_rollback_is_a_signed_generation_with_the_old_content() {
    let scene = three("rollback");
    let shown = rollback(&scene, "2", &["--dry-run"]).exits(0);
    shown
        .says("generation 4 of chained, with the content of 2")
        .says("services that differ from generation 3: ~a +b");
    assert!(!scene.path.join("store/generations/4").exists());
    rollback(&scene, "2", &["--yes"]).exits(0).says("generation 4 is current");
    assert!(read(&scene, "4/SEAL").contains("\n# content-of 2\n"));
    assert_eq!(read(&scene, "4/manifests/a"), read(&scene, "2/manifests/a"));
    on_store(&scene, &["verify", "--chain"]).exits(0).says("every link holds; 4 is current");
    on_store(&scene, &["generations"]).exits(0).says("content of 2");
    rollback(&scene, "4", &["--yes"]).exits(2).complains("is the current one");
    rollback(&scene, "9", &["--yes"]).exits(3).complains("it has 1, 2, 3, 4");
    // What follows is compiled from the file again.
    reconfigure(&scene, &["--yes"]).exits(0).says("generation 5 is current").says("-b");
}

#[test]
fn a_rollback_gives_nobody_the_uid_of_somebody_else() {
    let scene = three("rollback-uids");
    rollback(&scene, "1", &["--yes"]).exits(0);
    // `b` was made after 1, and keeps its number all the same.
    assert_eq!(read(&scene, "4/identities.json"), read(&scene, "3/identities.json"));
    scene.write("system.kdl", TWO.replace("service b", "service c"));
    reconfigure(&scene, &["--yes"]).exits(0);
    let uids: std::collections::BTreeMap<String, u32> =
        serde_json::from_str(&read(&scene, "5/identities.json")).unwrap();
    assert_ne!(uids["b"], uids["c"]);
}

#[test]
fn a_generation_that_was_changed_is_not_gone_back_to() {
    let scene = three("rollback-spoiled");
    scene.write("store/generations/1/manifests/a", "another");
    rollback(&scene, "1", &["--yes"]).exits(3).complains("is not what was sealed");
    on_store(&scene, &["verify", "--chain"]).exits(3).says("generation 1: BROKEN");
}

#[test]
fn every_broken_link_is_told() {
    let scene = three("links");
    on_store(&scene, &["verify", "--chain", "--key", "key.pub"]).exits(0).says("generation 3: follows 2");
    make_key(&scene, "stranger", "");
    on_store(&scene, &["verify", "--chain", "--key", "stranger.pub"]).exits(3).says("did not sign it");
    // 2 signed again by somebody else.
    let place = scene.path.join("store/generations/2/SEAL.sig");
    let good = std::fs::read(&place).unwrap();
    let sign = |key: &str| {
        let mut command = std::process::Command::new("sh");
        let line = format!("ssh-keygen -Y sign -q -n capc.system.v1 -f {key} < store/generations/2/SEAL");
        command.args(["-c", &line]).current_dir(&scene.path);
        crate::scene::run(command).exits(0).out
    };
    std::fs::write(&place, sign("stranger")).unwrap();
    let run = on_store(&scene, &["verify", "--chain"]).exits(3).says("generation 2: BROKEN");
    assert!(run.out.contains("generation 1: introduces") && run.out.contains("generation 3: follows 2"));
    std::fs::write(&place, &good).unwrap();
    // 2 sealed again, well signed, with another content: 3 does not follow that.
    let seal = read(&scene, "2/SEAL");
    scene.write("store/generations/2/SEAL", seal.replace("# compiler 0.1.0", "# compiler 0.1.1"));
    std::fs::write(&place, sign("key")).unwrap();
    on_store(&scene, &["verify", "--chain"])
        .exits(3)
        .says("generation 3: BROKEN: it does not follow generation 2");
    std::fs::remove_dir_all(scene.path.join("store/generations/2")).unwrap();
    on_store(&scene, &["verify", "--chain"]).exits(0).says("those before are gone");
}

#[test]
fn garbage_is_what_is_old_and_nothing_runs_from() {
    let scene = three("gc");
    let before = std::fs::read_dir(scene.path.join("store/generations")).unwrap().count();
    on_store(&scene, &["gc", "--keep", "1", "--dry-run"])
        .exits(0)
        .says("would remove generation 2")
        .says("kept 3 (current)");
    assert_eq!(std::fs::read_dir(scene.path.join("store/generations")).unwrap().count(), before);
    on_store(&scene, &["gc", "--keep", "2"])
        .exits(0)
        .says("removed generation 1")
        .says("kept 2, 3 (current)");
    assert!(!scene.path.join("store/trust/1").exists());
    on_store(&scene, &["gc", "--keep", "2"]).exits(0).says("nothing to remove");
    on_store(&scene, &["verify", "--chain"]).exits(0).says("generation 2: those before are gone");
    rollback(&scene, "2", &["--yes"]).exits(0).says("generation 4 is current");
}

#[test]
fn what_runs_is_no_garbage() {
    if !needs_root("a running old generation as root") {
        return;
    }
    let scene = scene("gc-running", ONE);
    reconfigure(&scene, &["--yes"]).exits(0);
    let _supervisor = up(&scene, "store/generations/1");
    until("the service runs", || on_store(&scene, &["generations"]).exits(0).out.contains("running"));
    reconfigure(&scene, &["--yes"]).exits(0);
    reconfigure(&scene, &["--yes"]).exits(0);
    let run = on_store(&scene, &["gc", "--keep", "1"]).exits(0);
    run.says("removed generation 2").says("kept 1 (something runs from it), 3 (current)");
    on_store(&scene, &["verify", "--chain"]).exits(0);
}

#[test]
fn a_manifest_is_shown_for_people_and_programs() {
    let scene = three("show");
    let run = on_store(&scene, &["show", "a"]).exits(0);
    run.says("runs         /usr/bin/sleep 2000").says("as sealed in generation 3");
    on_store(&scene, &["show", "b"]).exits(2).complains("no service `b` is sealed in generation 3");
    let json = on_store(&scene, &["show", "b", "--generation", "2", "--format", "json"]).exits(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (json["format"].as_str(), json["run"][0].as_str()),
        (Some("capc/manifest/1"), Some("/usr/bin/true"))
    );
}

#[test]
fn a_plain_user_has_a_chain_of_his_own() {
    let scene = Scene::new("plain-chain");
    scene.write("system.kdl", "system mine\nservice a { run \"/usr/bin/true\"; oneshot; }\n");
    // `ssh-keygen` serves nobody whom the machine does not know.
    let go = |words: &[&str]| scene.capc_as(NOBODY, words);
    let key = "plain-state/key";
    go(&["key", "init", "--key", key, "--no-passphrase"]).exits(0).says("SHA256:");
    let go = |words: &[&str]| go(&[words, &["--store", "plain-state/store"]].concat());
    for _ in 0..2 {
        go(&["reconfigure", "system.kdl", "--yes", "--key", key]).exits(0);
    }
    go(&["rollback", "1", "--yes", "--key", key]).exits(0).says("generation 3 is current");
    go(&["verify", "--chain"]).exits(0).says("every link holds");
    go(&["status"]).exits(0).says("mode        user").says("nothing differs");
    go(&["gc", "--keep", "1"]).exits(0).says("kept 3 (current)");
    assert!(Path::new(&scene.path.join("plain-state/store/generations/3")).exists());
}

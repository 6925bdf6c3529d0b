//! Sealed generations: what `reconfigure` writes, standard tools accept; what differs, nothing starts from.

use crate::scene::{Run, Scene, needs_root, run};
use std::path::{Path, PathBuf};
use std::process::Command;

const SYSTEM: &str = r#"system sealed
dir given "./given"
service reader { run "/usr/bin/cat" "/given/file"; oneshot; holds given at="/given"; }
service other { run "/usr/bin/env"; oneshot; }
"#;

fn scene(name: &str) -> Scene {
    let scene = Scene::new(name);
    scene.write("system.kdl", SYSTEM);
    scene.write("given/file", "a sealed line\n");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(scene.path.join("key"));
    run(keygen).exits(0);
    scene
}

#[track_caller]
fn reconfigure(scene: &Scene) -> Run {
    scene.capc(["reconfigure", "system.kdl", "--init", "capc", "--store", "store", "--key", "key", "--yes"])
}

fn launcher(scene: &Scene) -> PathBuf {
    let trust = std::fs::read_dir(scene.path.join("store/trust")).unwrap();
    let mut found =
        trust.map(|entry| entry.unwrap().path()).filter(|path| path.to_string_lossy().contains("launcher-"));
    found.next().unwrap()
}

#[track_caller]
fn launch(scene: &Scene, generation: &Path, service: &str) -> Run {
    let mut command = Command::new(launcher(scene));
    command.arg("--wait").arg(generation).arg(service).env_clear();
    run(command)
}

#[test]
fn standard_tools_verify_a_generation() {
    let scene = scene("standard");
    reconfigure(&scene).exits(0).says("generation 1 is current");
    let generation = scene.path.join("store/current/");
    let mut sums = Command::new("sha256sum");
    sums.args(["--strict", "--quiet", "-c", "SEAL"]).current_dir(&generation);
    run(sums).exits(0);
    let key = std::fs::read_to_string(scene.path.join("key.pub")).unwrap();
    scene.write("allowed", format!("root {key}"));
    let mut verify = Command::new("sh");
    verify.arg("-c").arg(
        "ssh-keygen -Y verify -f allowed -I root -n capc.system.v1 -s store/current/SEAL.sig < store/current/SEAL",
    );
    verify.current_dir(&scene.path);
    run(verify).exits(0).says("Good");
    scene
        .capc(["verify", "--store", "store", "--key", "key.pub"])
        .exits(0)
        .says("generation 1 of system sealed");
}

#[test]
fn the_same_input_seals_the_same_bytes_number_and_previous_apart() {
    let scene = scene("same");
    reconfigure(&scene).exits(0);
    reconfigure(&scene).exits(0).says("no service differs from generation 1");
    let seal = |number: u32| {
        let text =
            std::fs::read_to_string(scene.path.join(format!("store/generations/{number}/SEAL"))).unwrap();
        text.lines()
            .filter(|line| !line.starts_with("# number") && !line.starts_with("# previous"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(seal(1), seal(2));
}

#[test]
fn a_dry_run_touches_nothing() {
    let scene = scene("dry");
    let run = scene.capc(["reconfigure", "system.kdl", "--store", "store", "--key", "key", "--dry-run"]);
    run.exits(0).says("nothing was written");
    assert!(!scene.path.join("store").exists());
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_sealed() {
    let scene = scene("ask");
    scene.capc(["reconfigure", "system.kdl", "--store", "store", "--key", "key"]).exits(2).complains("--yes");
    assert!(!scene.path.join("store/current").exists());
}

#[test]
fn a_signer_that_fails_or_lies_publishes_nothing() {
    let scene = scene("signer");
    reconfigure(&scene).exits(0);
    // The private half of another key: what it signs, nobody trusts.
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(scene.path.join("stranger"));
    run(keygen).exits(0);
    std::fs::copy(scene.path.join("stranger"), scene.path.join("key")).unwrap();
    reconfigure(&scene).exits(3);
    std::fs::remove_file(scene.path.join("key")).unwrap();
    reconfigure(&scene).exits(3).complains("ssh-keygen did not sign");
    let current = std::fs::read_link(scene.path.join("store/current")).unwrap();
    assert_eq!(current, Path::new("generations/1"));
    assert_eq!(std::fs::read_dir(scene.path.join("store/generations")).unwrap().count(), 1, "no litter");
}

#[test]
fn a_run_that_ended_before_its_switch_is_no_obstacle() {
    let scene = scene("killed");
    reconfigure(&scene).exits(0);
    scene.write("store/generations/2/SEAL", "written, and never switched to");
    scene.write("store/generations/.new-3/SEAL", "half");
    reconfigure(&scene).exits(0).says("generation 2 is current");
    scene.capc(["verify", "--store", "store", "--key", "key.pub"]).exits(0);
    assert_eq!(std::fs::read_dir(scene.path.join("store/generations")).unwrap().count(), 2);
}

#[test]
fn the_launcher_starts_what_was_sealed_and_nothing_else() {
    if !needs_root("the launcher as root") {
        return;
    }
    let scene = scene("launcher");
    reconfigure(&scene).exits(0);
    let generation = scene.path.join("store/generations/1");
    launch(&scene, &generation, "reader").exits(0).says("a sealed line");
    launch(&scene, &generation, "nobody").exits(77);
    for file in ["SEAL", "SEAL.sig", "manifests/reader"] {
        let path = generation.join(file);
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(1 + whole.len() / 60) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            let run = launch(&scene, &generation, "reader").exits(77);
            assert_eq!((run.out.as_str(), run.err.lines().count()), ("", 1), "{file} byte {at}: {}", run.err);
        }
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        launch(&scene, &generation, "reader").exits(77);
        std::fs::write(&path, &whole).unwrap();
    }
    launch(&scene, &generation, "reader").exits(0);
    let manifests = ["reader", "other"].map(|name| generation.join("manifests").join(name));
    let [reader, other] = manifests.clone().map(|path| std::fs::read(path).unwrap());
    std::fs::write(&manifests[0], &other).unwrap();
    std::fs::write(&manifests[1], &reader).unwrap();
    launch(&scene, &generation, "reader").exits(77);
    std::fs::write(&manifests[0], &reader).unwrap();
    std::fs::write(&manifests[1], &other).unwrap();
    reconfigure(&scene).exits(0);
    launch(&scene, &generation, "reader").exits(77).complains("floor");
    launch(&scene, &scene.path.join("store/generations/2"), "reader").exits(0);
    std::fs::remove_file(scene.path.join("store/trust/floor")).unwrap();
    launch(&scene, &scene.path.join("store/generations/2"), "reader").exits(77);
}

#[test]
fn the_embedded_supervisor_runs_a_sealed_generation() {
    if needs_root("a sealed generation as root") {
        let scene = scene("up-sealed");
        reconfigure(&scene).exits(0);
        scene.capc(["up", "store/current"]).exits(0).says("a sealed line");
    }
}

#[test]
fn a_program_that_changed_since_is_refused() {
    if !needs_root("drift as root") {
        return;
    }
    let scene = scene("drift");
    scene.program("bin/tool", "#!/bin/sh\necho first\n");
    scene.write("system.kdl", "system drift\nservice tool { run \"./bin/tool\"; oneshot; }\n");
    reconfigure(&scene).exits(0);
    let generation = scene.path.join("store/generations/1");
    launch(&scene, &generation, "tool").exits(0).says("first");
    scene.program("bin/tool", "#!/bin/sh\necho second\n");
    let run = launch(&scene, &generation, "tool").exits(77);
    assert_eq!(run.out, "");
}

#[test]
fn a_machine_that_is_not_as_the_configuration_says_is_refused_before_anything() {
    let scene = scene("refused");
    scene.write(
        "system.kdl",
        "system refused\ndir gone \"./gone\"\nservice a { run \"/usr/bin/no-such-program\"; holds gone; }\n",
    );
    let run = reconfigure(&scene).exits(3);
    let run = run.complains("no-such-program").complains("gone");
    assert!(run.err.contains("system.kdl:"), "{}", run.err);
    assert!(!scene.path.join("store/current").exists());
}

//! Sealed generations: what `reconfigure` writes, standard tools accept; what differs, nothing starts from.

use crate::scene::{Run, Scene, needs_root, run};
use crate::transaction::up_command;
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

/// Seals again what lies in a generation, with the right key: whoever signs could sign anything.
fn seal_again(scene: &Scene, generation: &Path, changed: &str) {
    let sum = |path: &Path| {
        let mut sum = Command::new("sha256sum");
        sum.arg(path);
        run(sum).exits(0).out.split_whitespace().next().unwrap().to_owned()
    };
    let text = std::fs::read_to_string(generation.join("SEAL")).unwrap();
    let line = |line: &str| match line.split_once("  ") {
        Some((_, path)) if path == changed => format!("{}  {path}\n", sum(&generation.join(path))),
        _ => format!("{line}\n"),
    };
    std::fs::write(generation.join("SEAL"), text.lines().map(line).collect::<String>()).unwrap();
    std::fs::remove_file(generation.join("SEAL.sig")).unwrap();
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-q", "-Y", "sign", "-n", "capc.system.v1", "-f"]).arg(scene.path.join("key"));
    sign.arg(generation.join("SEAL"));
    run(sign).exits(0);
}

const ASSERTED: &str = r#"system asserted
dir given "./given"
secret stamp "./given/file"
service reader { run "/usr/bin/cat" "/given/file"; oneshot; holds given; provides api channel=#true; }
service other { run "/usr/bin/env"; oneshot; holds reader.api; trusted "tells nobody"; }
service third { run "/usr/bin/env"; oneshot; holds fourth.door; }
service fourth { run "/usr/bin/env"; oneshot; provides door channel=#true; }
never third reaches stamp
never third holds given read
"#;

#[test]
fn a_generation_answers_as_its_configuration_does() {
    let scene = scene("answers");
    scene.write("system.kdl", ASSERTED);
    reconfigure(&scene).exits(0);
    let graph = std::fs::read_to_string(scene.path.join("store/current/graph.json")).unwrap();
    // What was sealed answers, whatever became of the file; what was warned of then is not said again.
    let questions: &[&[&str]] = &[
        &["why", "other", "given"],
        &["why", "other", "given", "--all"],
        &["why", "third", "stamp"],
        &["who", "given"],
        &["what", "reader"],
        &["graph"],
        &["graph", "--format", "svg"],
        &["order"],
    ];
    let asked = |more: &[&str]| {
        let formats = [&[][..], &["--format", "json"]];
        let all =
            questions.iter().flat_map(|question| formats.map(|format| [question, format, more].concat()));
        all.filter(|words| words.iter().filter(|word| **word == "--format").count() < 2)
            .map(|words| scene.capc(words).exits(0))
            .collect::<Vec<_>>()
    };
    let from_file: Vec<String> = asked(&["--config", "system.kdl"]).into_iter().map(|run| run.out).collect();
    let from_generation = asked(&["--store", "store"]);
    assert!(from_generation.iter().all(|run| run.err.is_empty()));
    assert_eq!(from_generation.iter().map(|run| run.out.clone()).collect::<Vec<_>>(), from_file);
    assert_eq!(scene.capc(["graph", "system.kdl", "--format", "json"]).out, graph);
    scene.write("system.kdl", ASSERTED.replace("holds reader.api; ", ""));
    reconfigure(&scene).exits(0);
    let diff = scene.capc(["diff", "2", "1", "--store", "store"]).exits(1);
    diff.says("system.kdl:5  service other").says("+ other holds reader.api: connect");
    scene.capc(["why", "nobody", "given", "--store", "store"]).exits(2).complains("no object is named");
}

#[test]
fn an_index_that_is_not_what_was_sealed_answers_nothing() {
    let scene = scene("damaged");
    reconfigure(&scene).exits(0);
    let path = scene.path.join("store/generations/1/index");
    let whole = std::fs::read(&path).unwrap();
    let ask = || scene.capc(["why", "reader", "given", "--store", "store"]).exits(3);
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(ask().complains("`index` is not what was sealed").out, "");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ask().complains("index").out, "");
    // Sealed with the right key, and still no index.
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    seal_again(&scene, &scene.path.join("store/generations/1"), "index");
    assert_eq!(ask().complains("the index is damaged: it is cut off").out, "");
}

#[test]
fn a_certificate_that_proves_less_than_is_asserted_is_refused() {
    let scene = scene("certificate");
    scene.write("system.kdl", ASSERTED);
    reconfigure(&scene).exits(0);
    scene.capc(["verify", "store"]).exits(2).complains("`store` is a store: say `--store store`");
    let verify = || scene.capc(["verify", "--store", "store", "--key", "key.pub"]);
    verify().exits(0).says("2 assertions proved");
    let generation = scene.path.join("store/generations/1");
    let path = generation.join("certificate.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    let graph = std::fs::read_to_string(generation.join("graph.json")).unwrap();
    let certificate: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let tampered = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut changed = certificate.clone();
        change(&mut changed);
        assert_ne!(changed, certificate);
        std::fs::write(&path, serde_json::to_string(&changed).unwrap()).unwrap();
        seal_again(&scene, &generation, "certificate.json");
        verify().exits(3).complains("certificate.json");
    };
    // Of those whom somebody reaches, one is left out.
    tampered(&|certificate| {
        let sets = certificate["views"][0]["sets"].as_array_mut().unwrap();
        for members in sets.iter_mut().map(|set| set["members"].as_array_mut().unwrap()) {
            members.retain(|member| member != "fourth");
        }
    });
    tampered(&|certificate| certificate["views"][0]["assertions"].as_array_mut().unwrap().truncate(1));
    tampered(&|certificate| certificate["views"][0]["trusted"] = serde_json::json!([]));
    tampered(&|certificate| certificate["format"] = "capc/certificate/0".into());
    std::fs::write(&path, &whole).unwrap();
    seal_again(&scene, &generation, "certificate.json");
    verify().exits(0);
    std::fs::write(generation.join("graph.json"), graph.replacen("reader", "writer", 1)).unwrap();
    seal_again(&scene, &generation, "graph.json");
    verify().exits(3).complains("graph.json");
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
        run(up_command(&scene, "store/current")).exits(0).says("a sealed line");
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

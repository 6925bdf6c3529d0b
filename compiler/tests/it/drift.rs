//! What differs from what was sealed is told, with the command that accepts or undoes it.

use crate::scene::{Run, Scene, repository, run};
use crate::transaction::make_key;
use std::process::Command;

const SYSTEM: &str = r#"system drifting
code "/usr" "/bin" "/lib" "/lib64" "./opt"
service tool {
    run "./opt/demo/tool"
    config "./etc/demo.conf"
    image "./opt/demo/share"
    oneshot
}
"#;

fn scene(name: &str) -> Scene {
    let scene = Scene::new(name);
    make_key(&scene, "key", "");
    scene.program("opt/demo/tool", "#!/bin/sh\necho first\n");
    scene.write("opt/demo/share/data", "shared\n");
    scene.write("etc/demo.conf", "configured\n");
    scene.write("system.kdl", SYSTEM);
    reconfigure(&scene, &[]).exits(0);
    status(&scene).exits(0).says("nothing differs from what was sealed");
    scene
}

#[track_caller]
fn reconfigure(scene: &Scene, more: &[&str]) -> Run {
    let words = ["reconfigure", "system.kdl", "--store", "store", "--key", "key", "--yes"];
    scene.capc(words.iter().chain(more))
}

#[track_caller]
fn status(scene: &Scene) -> Run {
    scene.capc(["status", "--store", "store"])
}

#[test]
fn each_sort_of_drift_is_told_and_accepted() {
    let scene = scene("drift-sorts");
    let at = |name: &str| scene.path.join(name).display().to_string();
    for (name, text, kind) in [
        ("opt/demo/tool", "#!/bin/sh\necho second\n", "program"),
        ("etc/demo.conf", "changed\n", "config"),
        ("opt/demo/share/data", "other\n", "image"),
    ] {
        scene.write(name, text);
        let path = if kind == "image" { at("opt/demo/share") } else { at(name) };
        let run = status(&scene).exits(1).says(&format!("{kind:<11} {path} is changed"));
        let run =
            run.says(if kind == "image" { "seen by tool as it is now" } else { "refused until then: tool" });
        run.says(&format!("capc reconfigure {} --same-config", at("system.kdl")));
        reconfigure(&scene, &["--same-config"]).exits(0);
        status(&scene).exits(0);
    }
    std::fs::remove_file(scene.path.join("etc/demo.conf")).unwrap();
    status(&scene).exits(1).says("is gone");
}

/// Undoes an edit by the command that `status` said, after which it has nothing to say.
#[track_caller]
fn undo(scene: &Scene, said: &Run) {
    let undo = said.out.lines().find_map(|line| line.strip_prefix("undo an edit      ")).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", undo]);
    crate::scene::run(command).exits(0);
    status(scene).exits(0);
}

#[test]
fn an_edited_source_is_told_and_undone_and_not_accepted_unseen() {
    let scene = scene("drift-source");
    let path = scene.path.join("system.kdl");
    scene.write("system.kdl", format!("{SYSTEM}service more {{ run \"/usr/bin/true\"; }}\n"));
    let run = status(&scene).exits(1).says(&format!("source      {} is changed", path.display()));
    assert!(!run.out.contains("--same-config"), "{}", run.out);
    reconfigure(&scene, &["--same-config"])
        .exits(3)
        .complains("is not the one that generation 1 was sealed from");
    undo(&scene, &run);
}

#[test]
fn a_command_that_people_copy_is_quoted() {
    let scene = Scene::new("drift-quoted");
    make_key(&scene, "key", "");
    let text = "system quoted\nservice a { run \"/usr/bin/true\"; oneshot; }\n";
    scene.write("it's; odd/system.kdl", text);
    scene.capc(["reconfigure", "it's; odd/system.kdl", "--store", "store", "--key", "key", "--yes"]).exits(0);
    scene.write("it's; odd/system.kdl", format!("{text}// edited\n"));
    let run = status(&scene).exits(1);
    undo(&scene, &run);
}

#[test]
fn a_generation_that_is_not_what_was_sealed_is_broken_and_not_only_drifted() {
    let scene = scene("drift-broken");
    scene.write("store/generations/1/manifests/tool", "another");
    status(&scene).exits(3).says("BROKEN      `manifests/tool` is not what was sealed");
    reconfigure(&scene, &[]).exits(0);
    status(&scene).exits(0);
    std::fs::remove_file(scene.path.join("store/trust/floor")).unwrap();
    status(&scene).exits(3).says("there is no floor");
    scene.write("store/trust/floor", "9\n");
    status(&scene).exits(3).says("an old generation was put back");
}

/// Builds a package of one script.
fn package(scene: &Scene, version: &str) -> std::path::PathBuf {
    let root = scene.path.join(format!("build-{version}"));
    let control = format!(
        "Package: capc-demo\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: demo\n"
    );
    scene.write(&format!("build-{version}/DEBIAN/control"), control);
    scene.program(&format!("build-{version}/opt/demo/tool"), format!("#!/bin/sh\necho {version}\n"));
    let file = scene.path.join(format!("demo-{version}.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "--build"]).arg(root).arg(&file);
    run(build).exits(0);
    file
}

/// Installs a package below a root of the test's own, with the hook that Debian would run after it.
#[track_caller]
fn install(scene: &Scene, version: &str, settings: &str) -> Run {
    let package = package(scene, version);
    let root = scene.path.join("target");
    for directory in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    if !root.join("var/lib/dpkg/status").exists() {
        scene.write("target/var/lib/dpkg/status", "");
    }
    let settings = format!(
        "CAPC={}\nSTORE={}\n{settings}",
        env!("CARGO_BIN_EXE_capc"),
        scene.path.join("store").display()
    );
    scene.write("settings", settings);
    let hook = repository().join("packaging/debian/after-packages");
    let mut dpkg = Command::new("dpkg");
    dpkg.args(["--force-not-root", "--force-script-chrootless", "--log=/dev/null"]);
    dpkg.arg(format!("--root={}", root.display()));
    dpkg.arg(format!(
        "--post-invoke=CAPC_SETTINGS={} {}",
        scene.path.join("settings").display(),
        hook.display()
    ));
    dpkg.arg("-i").arg(package);
    // dpkg looks for programs where root has them.
    dpkg.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    run(dpkg)
}

#[test]
fn a_package_upgrade_shows_its_drift_and_is_sealed_when_that_is_wanted() {
    let scene = Scene::new("drift-dpkg");
    make_key(&scene, "key", "");
    install(&scene, "1", "").exits(0);
    scene.write("system.kdl", "system demo\ncode \"/usr\" \"/bin\" \"/lib\" \"/lib64\" \"./target/opt\"\nservice tool { run \"./target/opt/demo/tool\"; oneshot; }\n");
    reconfigure(&scene, &[]).exits(0);
    let tool = scene.path.join("target/opt/demo/tool").display().to_string();
    // Shown, and nothing done.
    let run = install(&scene, "2", "").exits(0);
    run.says("capc: packages changed what was sealed").says(&format!("{tool} is changed"));
    status(&scene).exits(1);
    // Sealed, by a key that needs nobody.
    let key = scene.path.join("key").display().to_string();
    let config = scene.path.join("system.kdl").display().to_string();
    let automatic = format!("RECONFIGURE=yes\nCONFIG={config}\nKEY={key}\n");
    install(&scene, "3", &automatic).exits(0).says("generation 2 is current");
    status(&scene).exits(0);
    // Never with an edit that nobody has looked at.
    scene.write(
        "system.kdl",
        std::fs::read_to_string(scene.path.join("system.kdl")).unwrap() + "// an edit\n",
    );
    let run = install(&scene, "4", &automatic).exits(0);
    assert!(run.out.contains("source ") && run.err.contains("--same-config"), "{}\n{}", run.out, run.err);
    status(&scene).exits(1);
}

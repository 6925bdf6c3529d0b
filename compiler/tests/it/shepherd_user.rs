//! A plain user's Shepherd.

use crate::herded::guile;
use crate::scene::{NOBODY, Running, Scene, is_root, run, until};
use crate::transaction::make_key;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

#[test]
fn a_plain_users_shepherd_has_the_supervisor_that_has_the_services() {
    let Some(guile) = guile() else { return };
    let scene = Scene::new("shepherd-user");
    // Where the user can read it.
    let unpacked = scene.path.join("debian-13");
    let copied = Command::new("cp").arg("-r").arg(guile.parent().unwrap()).arg(&unpacked).status();
    assert!(copied.unwrap().success());
    for file in ["run", "prelude.scm"] {
        let text = std::fs::read_to_string(unpacked.join(file)).unwrap();
        let from = guile.parent().unwrap().display().to_string();
        std::fs::write(unpacked.join(file), text.replace(&from, &unpacked.display().to_string())).unwrap();
    }
    scene.write(
        "system.kdl",
        r#"system mine
dir given "./given"
dir other "./other"
service reader { run "/usr/bin/sleep" "1000"; holds given at="/given"; holds other at="/other"; }
"#,
    );
    scene.write("given/file", "");
    scene.write("other/file", "");
    scene.write("config.scm", "");
    make_key(&scene, "key", "");
    for file in ["run", "shepherd"] {
        let path = scene.path.join(file);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
    }
    if is_root() {
        let owned =
            format!("chown -R {NOBODY}:{NOBODY} run shepherd key key.pub given other && chown {NOBODY} .");
        let mut chown = Command::new("sh");
        chown.args(["-c", &owned]).current_dir(&scene.path);
        run(chown).exits(0);
    }
    let as_user = |command: &mut Command| {
        command.env("XDG_RUNTIME_DIR", scene.path.join("run"));
        command.env("SHEPHERD_SOCKET", scene.path.join("shepherd/socket"));
    };
    let program = |words: &[&str]| {
        let mut command = scene.command_as(NOBODY, [] as [&str; 0]);
        // The same user and environment, for another program than capc.
        let mut other = Command::new(command.get_program());
        if is_root() {
            let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
            other.args(&arguments[..arguments.len() - 1]).arg(unpacked.join("run"));
        } else {
            other = Command::new(unpacked.join("run"));
        }
        other.args(words).current_dir(&scene.path);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => other.env(name, value),
                None => other.env_remove(name),
            };
        }
        command = other;
        as_user(&mut command);
        command
    };
    let socket = scene.path.join("shepherd/socket").display().to_string();
    let mut shepherd = program(&["shepherd", "-s", &socket, "-c", "config.scm", "-l", "shepherd/log"]);
    let _shepherd = Running(shepherd.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    let herd = |words: &[&str]| run(program(&[&["herd", "-s", &socket], words].concat()));
    until("the user's Shepherd answers", || herd(&["status"]).status == Some(0));
    let capc = |words: &[&str]| {
        let mut command = scene.command_as(NOBODY, words);
        as_user(&mut command);
        run(command)
    };
    let reconfigure = || {
        capc(&[
            "reconfigure",
            "system.kdl",
            "--init",
            "shepherd",
            "--store",
            "store",
            "--key",
            "key",
            "--yes",
        ])
    };
    reconfigure().exits(0).says("started    capc-up");
    let pid = || {
        let found = capc(&["ps", "--format", "json"]).exits(0).out;
        let number = found.split("\"pid\":").nth(1).unwrap_or_default();
        number.split([',', '}']).next().unwrap_or_default().to_owned()
    };
    let sees = |path: &str| std::path::Path::new(&format!("/proc/{}/root{path}", pid())).exists();
    until("the service runs", || pid().parse::<u32>().is_ok());
    let first = pid();
    assert!(sees("/given/file") && sees("/other/file"));
    reconfigure().exits(0);
    assert_eq!(pid(), first, "nothing differs, nothing starts again");
    let text = std::fs::read_to_string(scene.path.join("system.kdl")).unwrap();
    std::fs::write(scene.path.join("system.kdl"), text.replace("holds other at=\"/other\"; ", "")).unwrap();
    reconfigure().exits(0).says("restarted  capc-up").says("1 grant revoked");
    until("the service runs again", || pid().parse::<u32>().is_ok() && pid() != first);
    assert!(sees("/given/file") && !sees("/other/file"));
    herd(&["stop", "capc"]).exits(0);
    assert!(!std::path::Path::new(&format!("/proc/{first}")).exists());
}

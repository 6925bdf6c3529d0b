//! `capc ps`, `logs`, `stop`, `restart` and `reload` beside a `capc up` that runs, and what a killed one leaves.

use crate::scene::{Scene, needs_root, until};
use std::fs::File;
use std::process::{Child, Command, Stdio};

const SYSTEM: &str = r#"system steered
service web { run "./bin/web"; image "/usr/bin/sleep"; restart "always"; reload signal="HUP"; }
service nightly { run "/usr/bin/true"; oneshot; schedule "2199-12-31 UTC"; }
service talk { run "./bin/talk"; image "/usr/bin/sleep"; provides line socket="/run/talk/line" { activated; }; }
service hear { run "./bin/web"; image "/usr/bin/sleep"; holds talk.line; }
"#;

const WEB: &str =
    "#!/bin/sh\ntrap 'echo reloaded' HUP\ntrap 'exit 0' TERM\necho here\nwhile :; do sleep 0.05; done\n";

/// A `capc up` in the background, killed in the end.
struct Up(Child);

impl Up {
    fn start(mut command: Command, scene: &Scene) -> Up {
        let out = File::create(scene.path.join("out")).unwrap();
        let err = File::create(scene.path.join("err")).unwrap();
        Up(command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap())
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn scene(name: &str) -> Scene {
    let scene = Scene::new(name);
    scene.write("system.kdl", SYSTEM);
    scene.program("bin/web", WEB);
    scene.program("bin/talk", WEB);
    scene
}

fn said(scene: &Scene) -> String {
    std::fs::read_to_string(scene.path.join("out")).unwrap_or_default()
}

#[track_caller]
fn is_steered(scene: &Scene, capc: &dyn Fn(&[&str]) -> Command) {
    let run =
        |arguments: &[&str]| crate::scene::run(capc(&[arguments, &["--config", "system.kdl"]].concat()));
    run(&["ps"]).exits(3).complains("`system.kdl` does not run");
    let mut up = Up::start(capc(&["up", "system.kdl"]), scene);
    until("all run", || {
        ["web", "talk", "hear"].iter().all(|name| said(scene).contains(&format!("{name} started")))
    });
    let list = run(&["ps"]).exits(0).says("NAME     STATE    FOR").says("nightly  resting").out;
    assert_eq!(list.lines().count(), 6, "{list}");
    assert!(list.lines().last().unwrap().starts_with("limits: memory"), "{list}");
    run(&["ps", "--format", "json"]).exits(0).says("\"format\":\"capc/ps/1\",\"system\":\"steered\"");
    until("web listens to signals", || said(scene).contains("web     | here"));
    run(&["reload", "web"]).exits(0).says("web is running");
    until("web has reloaded", || said(scene).contains("web     | reloaded"));
    run(&["reload", "hear"]).exits(3).complains("`hear` has no signal to reload by");
    run(&["stop", "web"]).exits(0).says("web is stopped");
    run(&["restart", "web"]).exits(0).says("web is running");
    run(&["restart", "nightly"]).exits(0);
    run(&["stop", "wep"]).exits(2).complains("no service `wep` runs here; did you mean `web`?");
    run(&["restart", "\u{1b}[2J\nx"]).exits(2).complains("no service `\\u{1b}[2J\\u{a}x` runs here");
    run(&["logs", "web", "-n", "3"]).exits(0).says(" : web stopped\n");
    let mut follow = capc(&["logs", "web", "--follow", "--config", "system.kdl"]);
    let mut follow = Up(follow.stdout(File::create(scene.path.join("followed")).unwrap()).spawn().unwrap());
    let followed = || std::fs::read_to_string(scene.path.join("followed")).unwrap_or_default();
    until("the log is shown", || followed().contains(" | reloaded\n"));
    up.signal(rustix::process::Signal::TERM);
    assert!(up.0.wait().unwrap().success());
    until("the end is shown", || followed().matches(" : web stopped\n").count() == 2);
    assert!(follow.0.try_wait().unwrap().is_none());
    run(&["stop", "web"]).exits(3).complains("`system.kdl` does not run");
    run(&["logs", "web", "-n", "1"]).exits(0).says(" : web stopped\n");
}

#[test]
fn services_of_what_runs_are_steered_as_root() {
    if needs_root("steering as root") {
        let scene = scene("steer-root");
        is_steered(&scene, &|arguments| scene.command(arguments));
    }
}

#[test]
fn services_of_what_runs_are_steered_as_a_plain_user() {
    let scene = scene("steer-plain");
    is_steered(&scene, &|arguments| scene.plain_command(arguments));
}

/// Returns how many processes run a program of the scene's.
fn alive(scene: &Scene) -> usize {
    let here = scene.path.join("bin").display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|command| String::from_utf8_lossy(command).contains(&here))
        .count()
}

#[track_caller]
fn ends_with_its_supervisor(scene: &Scene, capc: &dyn Fn(&[&str]) -> Command) {
    let up = || Up::start(capc(&["up", "system.kdl"]), scene);
    for moment in
        [None, Some("capc    : "), Some("talk started"), Some("hear started"), Some("hear    | here")]
    {
        let mut up = up();
        until("the moment has come", || moment.is_none_or(|words| said(scene).contains(words)));
        up.signal(rustix::process::Signal::KILL);
        up.0.wait().unwrap();
        until("every world has ended", || alive(scene) == 0);
    }
    let mut last = up();
    until("all run", || {
        ["web", "talk", "hear"].iter().all(|name| said(scene).contains(&format!("{name} started")))
    });
    last.signal(rustix::process::Signal::TERM);
    assert!(last.0.wait().unwrap().success());
    assert_eq!(alive(scene), 0);
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("talk.line"), "{mounts}");
}

// "When the supervisor dies, every world ends, and the next `up` starts clean."
#[test]
fn a_killed_supervisor_leaves_no_world_and_nothing_in_the_way_as_root() {
    if needs_root("killing the supervisor as root") {
        let scene = scene("killed-root");
        ends_with_its_supervisor(&scene, &|arguments| scene.command(arguments));
    }
}

#[test]
fn a_killed_supervisor_leaves_no_world_and_nothing_in_the_way_as_a_plain_user() {
    let scene = scene("killed-plain");
    ends_with_its_supervisor(&scene, &|arguments| scene.plain_command(arguments));
}

#[test]
fn a_system_runs_with_its_supervisor_as_the_first_process_of_a_namespace() {
    if needs_root("the first process of a namespace") {
        let scene = Scene::new("first");
        scene.copy("testdata/system/hello");
        let mut command = Command::new("unshare");
        command.args([
            "--pid",
            "--fork",
            "--mount-proc",
            env!("CARGO_BIN_EXE_capc"),
            "up",
            "hello/system.kdl",
        ]);
        let run = crate::scene::run({
            command.args(["--store", "store"]).current_dir(&scene.path);
            command
        });
        run.exits(0).says("Hello! You asked, and I was given this file to answer with.");
    }
}

// LANGUAGE.md: `prepare` "runs to its end first, in the same world"; `done` is "a oneshot that has ended well".
#[test]
fn what_prepares_comes_first_and_who_waits_for_done_last() {
    let scene = Scene::new("prepared");
    scene.write(
        "system.kdl",
        "system prepared\ndir data \"./data\"\n\
         service app { run \"./bin/app\"; oneshot; holds data; holds setup.finished; }\n\
         service setup { run \"./bin/setup\"; prepare \"./bin/prepare\"; oneshot; holds data read create modify; \
         provides finished done=#true; }\n",
    );
    let script = |text: &str| format!("#!/bin/sh\ncd \"${{0%/bin/*}}/data\"\n{text}\n");
    scene.write("data/kept", "");
    std::fs::set_permissions(scene.path.join("data"), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .unwrap();
    scene.program("bin/prepare", script("echo one >order"));
    scene.program("bin/setup", script("read -r first <order; echo \"after $first\"; echo two >order"));
    scene.program("bin/app", script("read -r first <order; echo \"after $first\""));
    let run = scene.plain_capc(["up", "system.kdl"]).exits(0);
    let said: Vec<&str> = run.out.lines().filter(|line| line.contains("after ")).collect();
    assert_eq!(said, ["setup | after one", "app   | after two"], "{}", run.out);
}

const REPLACED: &str = r#"system replaced
dir pages "./pages"
service web { run "./bin/web"; image "/usr/bin/sleep" "/usr/bin/cat"; holds pages read; holds server.api; }
service server { run "/usr/bin/python3" "HERE/bin/server.py"; image "std:python3" "./bin/server.py"; provides api socket="/run/api/api.sock"; }
"#;

/// Binds its socket itself, and so starts again only where that of the run before is gone.
const SERVER: &str = "import os, socket, time\nown = socket.socket(socket.AF_UNIX)\n\
                      own.bind('/run/api/api.sock')\nown.listen()\nprint('bound', flush=True)\ntime.sleep(600)\n";

#[track_caller]
fn is_replaced(scene: &Scene, capc: &dyn Fn(&[&str]) -> Command) {
    scene.write("system.kdl", REPLACED.replace("HERE", &scene.path.display().to_string()));
    scene.write("pages/page", "one\n");
    scene.write("bin/server.py", SERVER);
    let pages = scene.path.join("pages").display().to_string();
    scene.program("bin/web", format!("#!/bin/sh\ncat {pages}/page\nexec sleep 600\n"));
    let run =
        |arguments: &[&str]| crate::scene::run(capc(&[arguments, &["--config", "system.kdl"]].concat()));
    let mut up = Up::start(capc(&["up", "system.kdl"]), scene);
    let count = |line: &str| said(scene).lines().filter(|said| *said == line).count();
    until("both run", || count("web    | one") == 1 && count("server | bound") == 1);
    let running = || {
        let list = run(&["ps"]).exits(0).out;
        list.lines()
            .find(|line| line.starts_with("web"))
            .unwrap_or_default()
            .split_whitespace()
            .nth(4)
            .map(str::to_owned)
    };
    let first = running();
    // Its next world cannot be built: the one that runs is not given up for that.
    std::fs::rename(scene.path.join("pages"), scene.path.join("away")).unwrap();
    run(&["restart", "web"]).exits(3).complains("`web` goes on as it was: its next world could not be built");
    assert!(said(scene).contains("capc   : web goes on as it was: "), "{}", said(scene));
    assert_eq!(running(), first);
    // What it is built from is what is there when somebody asks for the restart.
    scene.write("pages/page", "two\n");
    for round in 1..=3 {
        run(&["restart", "web"]).exits(0).says("web is running");
        until("it sees the new one", || count("web    | two") == round);
        run(&["restart", "server"]).exits(0).says("server is running");
        until("it has bound its socket again", || count("server | bound") == round + 1);
    }
    assert_ne!(running(), first);
    // Nothing of the worlds that were replaced is held.
    let held = std::fs::read_dir(format!("/proc/{}/fd", up.0.id())).unwrap().flatten();
    let held: Vec<String> = held
        .filter_map(|entry| Some(std::fs::read_link(entry.path()).ok()?.display().to_string()))
        .filter(|link| ["mnt:", "net:", "ipc:"].iter().any(|name| link.starts_with(name)))
        .collect();
    assert!(held.is_empty(), "{held:?}");
    up.signal(rustix::process::Signal::TERM);
    assert!(up.0.wait().unwrap().success());
    assert_eq!(alive(scene), 0);
}

#[test]
fn a_restarted_service_is_replaced_by_a_world_that_is_built_already_as_root() {
    if needs_root("replacing as root") {
        let scene = scene("replace-root");
        is_replaced(&scene, &|arguments| scene.command(arguments));
    }
}

#[test]
fn a_restarted_service_is_replaced_by_a_world_that_is_built_already_as_a_plain_user() {
    let scene = scene("replace-plain");
    is_replaced(&scene, &|arguments| scene.plain_command(arguments));
}

//! A user's home beside the system that endows the user.

use crate::scene::Scene;

const SYSTEM: &str = r#"system desk
dir documents "/home/alice/documents"
dir pictures "/home/alice/pictures"
secret key "/home/alice/key"
program backup { run "/usr/bin/restic"; holds tty; holds documents read }
user alice {
    holds documents read
    holds documents modify
    holds pictures read path="2026" as=photos
    holds backup.launch
}
never alice holds key
"#;

/// Compares the errors, `CODE: MESSAGE` a line, of a home beside the system.
#[track_caller]
fn check(name: &str, home: &str, expected: &[&str]) {
    let scene = Scene::new(&format!("home-{name}"));
    let system = scene.write("system.kdl", SYSTEM);
    let home = scene.write("alice.kdl", home);
    let run = scene.capc([
        "check".as_ref(),
        "--format".as_ref(),
        "plain".as_ref(),
        system.as_os_str(),
        home.as_os_str(),
    ]);
    let plain = |line: &'_ str| {
        let (_, rest) = line.split_once(": ")?;
        Some(rest.split_once(" (").map_or(rest, |(message, _)| message).to_owned())
    };
    let lines: Vec<String> = run.out.lines().filter_map(plain).collect();
    assert_eq!(lines, expected);
}

// "`home NAME`: like a module: it `takes` what the `system` file's `user NAME` holds, by those names, and nothing else".
#[test]
fn a_home_takes_what_its_user_holds_by_those_names() {
    check(
        "takes",
        "home alice\ntakes documents dir read modify\ntakes photos dir\ntakes backup.launch launch\n\
         takes music dir optional=#true\n\
         program editor { run \"/usr/bin/vim\"; holds documents read modify; holds photos; holds backup.launch; holds music; holds tty }\n\
         never editor holds photos modify",
        &[],
    );
}

#[test]
fn a_home_takes_nothing_that_its_user_does_not_hold() {
    check(
        "more",
        "home alice\ntakes key secret\nprogram editor { run \"/usr/bin/vim\"; holds key }",
        &["unheld: `user alice` holds nothing named `key`"],
    );
    check(
        "parts",
        "home alice\ntakes pictures dir\nprogram editor { run \"/usr/bin/vim\"; holds pictures }",
        &["unheld: `user alice` holds nothing named `pictures`"],
    );
}

#[test]
fn a_home_takes_no_more_rights_than_its_user_has() {
    check(
        "rights",
        "home alice\ntakes documents dir read create\nprogram editor { run \"/usr/bin/vim\"; holds documents read create }",
        &["excess-rights: `alice` does not have `create` of `documents`"],
    );
    check(
        "narrow",
        "home alice\ntakes documents dir\nprogram editor { run \"/usr/bin/vim\"; holds documents read modify }",
        &["excess-rights: `alice` does not have `modify` of `documents`"],
    );
}

#[test]
fn a_homes_parameter_has_the_kind_that_the_user_holds() {
    check(
        "kind",
        "home alice\ntakes backup.launch dir\nprogram editor { run \"/usr/bin/vim\"; holds backup.launch }",
        &["wrong-kind: `backup.launch` is a `launch`, not a `dir`"],
    );
}

#[test]
fn a_home_of_nobody_is_refused() {
    check("bob", "home bob", &["unheld: the system has no `user bob`, whose home this would be"]);
}

#[test]
fn an_object_of_a_home_does_not_hide_what_is_taken() {
    check(
        "hides",
        "home alice\ntakes backup.launch launch\nprogram backup { run \"/usr/bin/vim\"; holds backup.launch }",
        &["duplicate-name: `backup` would hide `backup.launch`, which is taken"],
    );
}

const EDITOR: &str = "home alice\ntakes documents dir read\nprogram editor { run \"/usr/bin/vim\"; holds documents read; holds tty }\n";

#[test]
fn questions_know_the_homes_that_are_named_beside_the_system() {
    let scene = Scene::new("home-questions");
    scene.write("system.kdl", SYSTEM);
    scene.write("alice.kdl", EDITOR);
    let ask = |words: &[&str]| scene.capc(words);
    let beside = ["--config", "system.kdl", "--home", "alice.kdl"];
    let why = ask(&[&["why", "alice/editor", "documents"][..], &beside].concat()).exits(0);
    why.says("alice/editor holds documents").says("alice.kdl:3");
    ask(&[&["who", "documents"][..], &beside].concat()).exits(0).says("alice/editor  read");
    ask(&[&["what", "alice/editor"][..], &beside].concat()).exits(0).says("documents");
    ask(&[&["order"][..], &beside].concat()).exits(0);
    let graph = ask(&["graph", "system.kdl", "--home", "alice.kdl", "--format", "json"]).exits(0);
    graph.says("alice/editor");
    ask(&["why", "alice/editor", "documents", "--config", "system.kdl"])
        .exits(2)
        .complains("no object is named");
}

#[test]
fn what_is_no_home_of_a_system_is_refused_beside_it() {
    let scene = Scene::new("home-refused");
    scene.write("system.kdl", SYSTEM);
    scene.write("alice.kdl", EDITOR);
    let ask = |config: &str, home: &str| {
        scene.capc(["what", "outside", "--config", config, "--home", home]).exits(2)
    };
    ask("system.kdl", "system.kdl").complains("this is a system file and no home");
    ask("system.kdl", "gone.kdl").complains("cannot be read");
    ask("alice.kdl", "alice.kdl").complains("--home goes with a system file");
    scene.capc(["what", "outside", "--home", "alice.kdl"]).exits(2).complains("--config");
    scene.capc(["diff", ".", "system.kdl", "--home", "alice.kdl"]).exits(2).complains("which has no homes");
}

#[test]
fn a_difference_knows_the_homes_of_each_side() {
    let scene = Scene::new("home-diff");
    scene.write("new.kdl", SYSTEM);
    scene.write("alice.kdl", EDITOR);
    scene.capc(["diff", "new.kdl", "new.kdl", "--home", "alice.kdl"]).exits(0).says("no authority");
    let git = |words: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(words)
            .current_dir(&scene.path);
        crate::scene::run(git).exits(0);
    };
    scene.write("system.kdl", SYSTEM);
    scene.write("alice.kdl", EDITOR);
    git(&["init", "-q"]);
    git(&["add", "system.kdl", "alice.kdl"]);
    git(&["commit", "-qm", "first"]);
    scene.write(
        "alice.kdl",
        EDITOR
            .replace("takes documents dir read", "takes documents dir read\ntakes photos dir")
            .replace("holds tty", "holds tty; holds photos"),
    );
    let run = scene.capc(["diff", "HEAD", "--home", "alice.kdl", "--", "system.kdl"]).exits(1);
    run.says("alice/editor holds pictures/2026");
    scene.capc(["diff", "HEAD:system.kdl", "system.kdl", "--home", "alice.kdl"]).exits(1);
}

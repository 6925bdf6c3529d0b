//! The first thing a newcomer runs: `testdata/system/hello`.

use crate::scene::{Run, Scene, needs_root};

#[track_caller]
fn shows_the_point(run: Run) {
    let run = run.exits(0).says("Hello! You asked, and I was given this file to answer with.");
    for line in [
        "visitor | the greeter's directory is not in my world",
        "prowler | cannot read the greeter's files",
        "prowler | cannot list the greeter's directory",
        "prowler | cannot read /etc/shadow",
        "prowler | cannot see its sibling's process",
        "prowler | cannot signal its sibling",
        "prowler | cannot connect to this machine",
        "prowler | cannot connect to another machine",
        "prowler | cannot change its own program",
    ] {
        let unpadded: Vec<String> =
            run.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(unpadded.iter().any(|said| said.starts_with(line)), "{line:?} is not in\n{}", run.out);
    }
    assert!(!run.out.contains("OPEN"), "{}", run.out);
}

#[test]
fn hello_shows_the_point_as_root() {
    if needs_root("hello as root") {
        let scene = Scene::new("hello-root");
        scene.copy("testdata/system/hello");
        shows_the_point(scene.capc(["up", "hello/system.kdl", "--store", "store"]));
    }
}

#[test]
fn hello_shows_the_point_as_a_plain_user() {
    let scene = Scene::new("hello-plain");
    scene.copy("testdata/system/hello");
    let run = scene.plain_capc(["up", "hello/system.kdl"]).complains("as a plain user");
    shows_the_point(run);
}

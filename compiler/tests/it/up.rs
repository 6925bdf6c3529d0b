//! `capc up` has a process of its own compile and seal: what is left of it, and who may have it do so.

use crate::scene::{Running, Scene, run, until};
use std::fs::File;
use std::process::Stdio;

const SERVICES: usize = 200;

/// Starts a number of services that run until the end, as a plain user, with the store `store`.
fn started(scene: &Scene, services: usize) -> Running {
    let service = |number| format!("service s{number} {{ run \"/usr/bin/sleep\" \"1000\"; }}\n");
    scene.write("system.kdl", format!("system kept\n{}", (0..services).map(service).collect::<String>()));
    let mut command = scene.plain_command(["up", "system.kdl", "--store", "plain-state/store"]);
    let out = File::create(scene.path.join("out")).unwrap();
    let up = Running(command.stdin(Stdio::null()).stdout(out).stderr(Stdio::null()).spawn().unwrap());
    let said = || std::fs::read_to_string(scene.path.join("out")).unwrap();
    until("all are started", || said().matches(" started").count() == services);
    up
}

// It is about 2 MB here, and would be 7 MB with it.
#[test]
fn the_memory_of_compiling_and_sealing_is_not_kept_while_services_run() {
    let scene = Scene::new("kept");
    let up = started(&scene, SERVICES);
    let status = std::fs::read_to_string(format!("/proc/{}/status", up.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 4000, "its own memory is {kilobytes} kB");
}

#[test]
fn the_supervisor_has_the_lock_of_the_store_and_nobody_else_seals_into_it() {
    let scene = Scene::new("locked");
    let up = started(&scene, 1);
    let store = scene.path.join("plain-state/store");
    let holder = format!("another reconfigure holds the store: process {} (", up.0.id());
    scene.plain_capc(["up", "system.kdl", "--store", "plain-state/store"]).exits(3).complains(&holder);
    let seal = || {
        let arguments = ["--inside", "user", "--store", "plain-state/store", "--seal", "--", "system.kdl"];
        scene.plain_command(std::iter::once("up").chain(arguments))
    };
    // Standard input is to be the lock as the supervisor holds it.
    run(seal()).exits(3).complains("lock` was not handed on");
    let sealed = |lock: File| seal().stdin(lock).output().unwrap();
    let output = sealed(File::open(store.join("lock")).unwrap());
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_link(store.join("current")).unwrap().to_str(), Some("generations/1"));
    drop(up);
    // Now it is: who has that file open has the lock.
    let lock = File::open(store.join("lock")).unwrap();
    let output = sealed(lock.try_clone().unwrap());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_link(store.join("current")).unwrap().to_str(), Some("generations/2"));
    // Nobody is there to read what was sealed.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = seal().stdin(lock).stdout(writer).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the supervisor that this seals for is gone"), "{said}");
    assert_eq!(std::fs::read_link(store.join("current")).unwrap().to_str(), Some("generations/2"));
}

#[test]
fn a_configuration_may_come_from_standard_input() {
    let scene = Scene::new("up-stdin");
    scene.write("system.kdl", "system fed\nservice it { run \"/usr/bin/true\"; oneshot; }\n");
    let mut command = scene.plain_command(["up", "/dev/stdin", "--store", "plain-state/store"]);
    let output = command.stdin(File::open(scene.path.join("system.kdl")).unwrap()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("it ended well"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}

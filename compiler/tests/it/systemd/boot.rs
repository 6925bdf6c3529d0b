//! Units that were made for a system elsewhere come up with it, and names mean nothing but themselves in them.

use super::{parts, said, scene};
use crate::booted::Booted;
use crate::scene::{needs_root, until};
use std::path::Path;

#[test]
fn a_system_that_was_configured_from_outside_comes_up_at_boot() {
    if !needs_root("a boot with systemd") {
        return;
    }
    let text = "system elsewhere\nlisten web tcp=\"127.0.0.1:8465\"\n\
        service sleeper { run \"/usr/bin/sleep\" \"1000\"; holds web accept; }\n\
        service done { run \"/usr/bin/true\"; oneshot; provides end done=#true; }\n\
        service after { run \"/usr/bin/sleep\" \"1000\"; holds done.end; }\n";
    let scene = scene("systemd-boot", text);
    // The root of the other system is this one's, seen from elsewhere; its units are its own.
    let root = scene.path.join("root");
    std::fs::create_dir(&root).unwrap();
    scene.write("etc/keep", "");
    let store = scene.path.join("store");
    let words = format!(
        "mount --make-rprivate / && mount --bind / {root} && mkdir -p {etc} && mount --bind {etc} {root}/etc/systemd/system && \
         exec {capc} reconfigure system.kdl --root {root} --init systemd --store {root}{store} --key key --yes",
        root = root.display(),
        etc = scene.path.join("etc/systemd/system").display(),
        store = store.display(),
        capc = env!("CARGO_BIN_EXE_capc"),
    );
    let mut outside = std::process::Command::new("unshare");
    outside.args(["--mount", "sh", "-c", &words]).current_dir(&scene.path);
    crate::scene::run(outside).exits(0).says("another system's root");
    let link = std::fs::read_link(scene.path.join("etc/systemd/system/capc-sleeper.service")).unwrap();
    assert_eq!(link, store.join("current/init/systemd/capc-sleeper.service"));

    let machine = Booted::new(&scene);
    until("the system is up", || machine.sh("systemctl is-active capc.target").status == Some(0));
    let active =
        machine.sh("systemctl is-active capc-sleeper.service capc-sleeper.socket capc-done capc-after");
    assert_eq!(active.out, "active\nactive\nactive\nactive\n");
    let shown = machine.sh("systemctl show -p SubState --value capc-done");
    assert_eq!(shown.out, "exited\n", "what has ended well stays so");
    assert_eq!(machine.sh("systemctl is-enabled capc.target").out, "enabled\n");
    machine
        .capc(&["status", "--store", "store"])
        .exits(0)
        .says("running     2 services, all as they are sealed");
    // One word stops it all, in order.
    machine.sh("systemctl stop capc.target").exits(0);
    assert_eq!(
        machine.sh("systemctl is-active capc-sleeper.socket capc-sleeper capc-after").out,
        "inactive\n".repeat(3)
    );
}

#[test]
fn hostile_names_mean_nothing_but_themselves() {
    if !needs_root("hostile names with systemd") {
        return;
    }
    let system = parts(&[
        ("maker", "provides odd socket=\"/run/maker/%n $HOME \\\"'\\\\ ;é.sock\""),
        ("user", "holds maker.odd"),
        ("activated", "holds odd-listen accept"),
    ]);
    let system = format!("{system}listen odd-listen unix=\"/run/100% $HOME ;#.sock\"\n");
    let scene = scene("systemd-hostile", &system);
    let part = super::PART.replace("/run/maker/maker.sock", "/run/maker/%n $HOME \\\"'\\\\ ;é.sock");
    scene.write("code/part.py", part.replace(", \"and\", ask(\"/run/activated/activated.sock\")", ""));
    let machine = Booted::new(&scene);
    let store = "%n $HOME ${PATH} ;# é %";
    let words = ["reconfigure", "system.kdl", "--init", "systemd", "--store", store, "--key", "key", "--yes"];
    machine.capc(&words).exits(0);
    let verify = machine.sh("systemd-analyze verify --man=no ./*/current/init/systemd/* 2>&1").exits(0);
    assert_eq!(verify.out, "");
    until("the user has its answer", || said(&machine, "user").contains("made late"));
    // What systemd has read is what was meant.
    let generation = scene.path.join(store).join("generations/1");
    let argv = |unit: &str| machine.show(unit, "ExecStart").replace("$$", "$");
    let shown = argv("capc-maker.service");
    assert!(shown.contains("--ready-socket /run/maker/%n $HOME \"'\\ ;é.sock "), "{shown}");
    assert!(shown.contains(&format!(" {} maker ;", generation.display())), "{shown}");
    let path = format!("path={}/trust/launcher-", scene.path.join(store).display());
    let shown = machine.show("capc-user.service", "ExecStart");
    assert!(shown.contains(&path), "{shown}");
    assert_eq!(machine.show("capc-activated.socket", "Listen"), "/run/100% $HOME ;#.sock (Stream)");
    machine.sh("test -S '/run/100% $HOME ;#.sock'").exits(0);
    machine.capc(&["status", "--store", store]).exits(0);
    assert!(Path::new(&generation).exists());

    // What cannot be written is refused, and nothing is sealed.
    let words =
        ["reconfigure", "system.kdl", "--init", "systemd", "--store", "a\"b", "--key", "key", "--yes"];
    machine.capc(&words).exits(3).complains("cannot be written into a unit of systemd");
    assert!(!scene.path.join("a\"b/current").exists());
}

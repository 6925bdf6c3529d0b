//! How things end with `--init systemd`, and what of them is left.

use super::{edit, pid, reconfigure, scene, sees};
use crate::booted::Booted;
use crate::scene::{Scene, needs_root, until};
use std::process::{Child, Stdio};

/// Begins an apply.
fn begin(machine: &Booted) -> Child {
    let words =
        ["reconfigure", "system.kdl", "--init", "systemd", "--store", "store", "--key", "key", "--yes"];
    let mut command = machine.command(&[&[env!("CARGO_BIN_EXE_capc")], &words[..]].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A service that does not listen to the signal, until somebody lets it go.
const DEAF: &str = "trap '' TERM\nwhile ! [ -e /code/let-$1-go ]; do sleep 0.05; done\n";

/// A service that others wait for.
const PORT: &str =
    "import signal, socket\nport = socket.create_server((\"127.0.0.1\", 8471))\nsignal.pause()\n";

fn deaf(scene: &Scene, system: &str) -> String {
    scene.write("code/deaf.sh", DEAF);
    scene.write("code/port.py", PORT);
    let run = |name: &str| {
        format!(
            "run \"/bin/sh\" \"/code/deaf.sh\" \"{name}\"; image \"/usr/bin/sleep\"; holds code read at=\"/code\"; \
             stop within=\"100s\""
        )
    };
    let text = system.replace("RUN-aged", &run("aged")).replace("RUN-front", &run("front"));
    scene.write("system.kdl", text.replace("./", &format!("{}/", scene.path.display())));
    text
}

#[test]
fn one_that_is_slow_to_stop_keeps_no_revoked_grant_alive_elsewhere() {
    if !needs_root("ends at once with systemd") {
        return;
    }
    let system = "system slow\ndir given \"./given\"\ndir other \"./other\"\ndir code \"./code\"\n\
        service aged { RUN-aged; holds other at=\"/other\"; }\n\
        service base { run \"/usr/bin/python3\" \"/code/port.py\"; image \"std:python3\"; holds code read at=\"/code\"; holds other at=\"/other\"; provides port tcp=\"127.0.0.1:8471\"; }\n\
        service front { RUN-front; holds other at=\"/other\"; holds base.port; }\n\
        service reader { run \"/usr/bin/sleep\" \"1000\"; holds given at=\"/given\"; holds other at=\"/other\"; }\n\
        service steady { run \"/usr/bin/sleep\" \"1000\"; holds given at=\"/given\"; }\n";
    let scene = scene("systemd-slow-end", "");
    deaf(&scene, system);
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    let steady = pid(&machine, "steady");
    assert!(["aged", "base", "front", "reader"].iter().all(|name| sees(&machine, name, "/other")));

    // One is gone, one is changed, and both do not listen.
    let aged = system.find("service aged").zip(system.find("service base")).unwrap();
    deaf(
        &scene,
        &format!("{}{}", &system[..aged.0], &system[aged.1..]).replace("; holds other at=\"/other\"", ""),
    );
    let mut apply = begin(&machine);
    until("who ends at once has lost what was revoked", || pid(&machine, "reader") == "0");
    // Who waits for another ends first, as sealed; the rest is not held up by it.
    let state = |service: &str| machine.show(&format!("capc-{service}.service"), "ActiveState");
    until("both are asked to end", || ["aged", "front"].iter().all(|name| state(name) == "deactivating"));
    assert_eq!(state("base"), "active");
    assert_eq!(machine.show("capc-aged.service", "TimeoutStopUSec"), "1min 40s", "it ends as it was sealed");
    scene.write("code/let-front-go", "");
    until("what it waited for ends too", || pid(&machine, "base") == "0");
    assert!(apply.try_wait().unwrap().is_none(), "what is gone has to end");
    std::fs::remove_file(scene.path.join("code/let-front-go")).unwrap();
    scene.write("code/let-aged-go", "");
    let output = apply.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for line in
        ["stopped    capc-aged", "restarted  capc-front", "restarted  capc-base", "restarted  capc-reader"]
    {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
    assert!(sees(&machine, "reader", "/given") && !sees(&machine, "reader", "/other"));
    assert!(!sees(&machine, "base", "/other") && !sees(&machine, "front", "/other"));
    assert_eq!(machine.show("capc-aged.service", "LoadState"), "not-found");
    assert_eq!(pid(&machine, "steady"), steady);
    machine.capc(&["status", "--store", "store"]).exits(0).says("clean");
    scene.write("code/let-front-go", "");
}

#[test]
fn a_socket_that_was_unlinked_before_it_was_taken_away_is_closed_and_its_address_is_free() {
    if !needs_root("unlinked sockets with systemd") {
        return;
    }
    let text = "system unlinked\n\
        listen one tcp=\"127.0.0.1:8472\"\nlisten two tcp=\"127.0.0.1:8473\"\n\
        listen here unix=\"/run/here.sock\"\nlisten there unix=\"/run/there.sock\"\n\
        service disabled { run \"/usr/bin/sleep\" \"1000\"; holds one accept; holds here accept; }\n\
        service removed { run \"/usr/bin/sleep\" \"1000\"; holds two accept; holds there accept; }\n\
        service nightly { run \"/usr/bin/true\"; oneshot; schedule \"03:00\"; }\n";
    let scene = scene("systemd-unlinked", text);
    let machine = Booted::new(&scene);
    reconfigure(&machine, &[]).exits(0);
    machine.sh("systemctl disable capc-disabled.socket; cd /etc/systemd/system; ! [ -e capc-disabled.socket ] && rm capc-removed.socket capc-nightly.timer");
    // Another's unit of a like name stays.
    machine
        .sh("printf '[Service]\\nExecStart=/usr/bin/sleep 2000\\n' > /run/systemd/system/capc-others.service")
        .exits(0);
    machine.sh("systemctl start capc-others").exits(0);
    edit(&scene, "holds one accept; holds here accept; ", "");
    edit(&scene, "holds two accept; holds there accept; ", "");
    edit(&scene, "service nightly { run \"/usr/bin/true\"; oneshot; schedule \"03:00\"; }\n", "");
    let run = reconfigure(&machine, &[]).exits(0);
    for unit in ["disabled.socket", "removed.socket", "nightly.timer"] {
        assert!(run.out.contains(&format!("stopped    capc-{unit}\n")), "{}", run.out);
        assert_eq!(machine.show(&format!("capc-{unit}"), "ActiveState"), "inactive");
        assert_eq!(machine.show(&format!("capc-{unit}"), "LoadState"), "not-found");
    }
    machine.sh("! [ -e /run/here.sock ] && ! [ -e /run/there.sock ]").exits(0);
    machine
        .sh("python3 -c 'import socket; [socket.create_server((\"127.0.0.1\", port)) for port in (8472, 8473)]'")
        .exits(0);
    assert_eq!(machine.show("capc-others.service", "ActiveState"), "active");
    assert_eq!(machine.sh("ls /etc/systemd/system | grep -c capc").out, "4\n");

    // Another init has it all stopped, linked or not.
    machine.sh("rm /etc/systemd/system/capc-removed.service").exits(0);
    let none = ["reconfigure", "system.kdl", "--init", "none", "--store", "store", "--key", "key", "--yes"];
    machine.capc(&none).exits(0).says("stopped    capc-removed.service");
    assert_eq!(machine.sh("pgrep -af '[s]leep 1000'").out, "");
}

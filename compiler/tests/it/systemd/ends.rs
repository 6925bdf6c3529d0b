//! How things end with `--init systemd`, and what of them is left.

use super::{pid, reconfigure, scene, sees};
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

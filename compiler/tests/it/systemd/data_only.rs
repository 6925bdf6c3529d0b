//! A `data-only` facet while the side that passes no descriptors becomes the other: what was sent before does not cross.

use super::{edit, reconfigure, scene};
use crate::booted::Booted;
use crate::scene::{Run, Scene, needs_root, until};
use std::time::Duration;

/// The maker takes what comes as soon as it may; the holder sends what it has as long as it may.
const TALK: &str = r#"import os, socket, sys, time
def may_take():
    one, other = socket.socketpair()
    one.send(b"x")
    try: return bool(socket.recv_fds(other, 1, 1))
    except PermissionError: return False
if sys.argv[1] == "makes":
    if sys.argv[2] == "channel": door = socket.socket(fileno=3)
    elif os.environ.get("LISTEN_FDS"): door = socket.socket(fileno=3)
    else:
        door = socket.socket(socket.AF_UNIX)
        door.bind(sys.argv[2])
        door.listen()
    try:
        other = socket.socket(socket.AF_UNIX)
        other.bind("/run/m-y/y")
        other.listen()
    except FileNotFoundError: pass
    open("/out/bound" if not may_take() else "/out/free", "w").close()
    while not may_take(): time.sleep(1)
    while True:
        visitor = door if sys.argv[2] == "channel" else door.accept()[0]
        if socket.recv_fds(visitor, 9, 1)[1]: open("/out/taken", "w").close()
else:
    kept, given = [], os.open("/given/file", os.O_RDONLY)
    while True:
        try:
            if sys.argv[2] == "channel":
                door = socket.socket(fileno=os.dup(3))
                door.setblocking(False)
            else:
                door = socket.socket(socket.AF_UNIX)
                door.connect(sys.argv[2])
            socket.send_fds(door, [b"fd"], [given])
            if len(kept) < 20: kept.append(door)
        except OSError: pass
        time.sleep(0.002)
"#;

/// What the init listens at for the maker.
pub const ACTIVATED: &str = "socket=\"/run/m/x\" { activated; data-only; }";
/// Long enough to send much.
const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// A system in which the maker passes none.
pub fn before(name: &str, facet: &str, path: &str) -> Scene {
    let system = format!(
        r#"system flips
dir given "./given"
dir code "./code"
state out "./out"
service m {{
    run "/usr/bin/python3" "/code/talk.py" "makes" "{path}"
    image "std:python3"
    holds code read at="/code"
    holds out read write create modify at="/out"
    provides x {facet}
    // here
}}
service z {{
    run "/usr/bin/python3" "/code/talk.py" "holds" "{path}"
    image "std:python3"
    holds code read at="/code"
    holds given read at="/given"
    holds m.x
}}
// there
never m holds given
"#
    );
    let scene = scene(name, &system);
    scene.write("code/talk.py", TALK);
    scene
}

/// Lets the maker have something else that descriptors may cross, seals that, and sees whether one came over.
#[track_caller]
pub fn and_after(scene: &Scene, seal: impl Fn() -> Run) {
    seal().exits(0);
    let is_there = |file: &str| scene.path.join("out").join(file).exists();
    until("the maker passes none, and its holder sends", || is_there("bound"));
    std::thread::sleep(HALF_A_SECOND);
    assert!(!is_there("taken"));
    edit(scene, "    // here", "    provides y socket=\"/run/m-y/y\"");
    edit(scene, "// there", "service o { run \"/usr/bin/sleep\" \"1000\"; holds m.y; }");
    seal().exits(0);
    until("the maker passes some", || is_there("free"));
    std::thread::sleep(HALF_A_SECOND);
    assert!(!is_there("taken"), "a descriptor crossed");
}

#[track_caller]
fn check(name: &str, facet: &str, path: &str) {
    if !needs_root("systemd as the first process") {
        return;
    }
    let scene = before(name, facet, path);
    let machine = Booted::new(&scene);
    and_after(&scene, || reconfigure(&machine, &[]));
}

#[test]
fn what_waits_at_an_activated_socket_does_not_cross() {
    check("flips-activated", ACTIVATED, "/run/m/x");
}

#[test]
fn nobody_sends_to_who_is_started_to_take() {
    check("flips", "socket=\"/run/m/x\" { data-only; }", "/run/m/x");
}

#[test]
fn what_is_sent_into_a_channel_does_not_cross() {
    if !needs_root("systemd as the first process") {
        return;
    }
    let scene = before("flips-channel", "channel=#true { data-only; }", "channel");
    let machine = Booted::new(&scene);
    let said = std::cell::RefCell::new(String::new());
    and_after(&scene, || {
        let run = reconfigure(&machine, &[]);
        said.replace(run.out.clone());
        run
    });
    // It does not know any more who has not begun yet: for him, too, nothing is left from before.
    assert!(said.borrow().contains("restarted  capc-channels.service"), "{}", said.borrow());
}

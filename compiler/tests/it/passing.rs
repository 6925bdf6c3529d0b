//! Descriptors over facets: over an ordinary one they pass both ways, over one that is `data-only` neither way, and data does.

use crate::scene::{Run, Scene, needs_root};

/// The maker's side, for one connection to each path, and the holder's. Every exchange is in a child, since what a service may
/// not do, nobody in its world may.
const TALK: &str = r#"
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def told(what, do):
    try: return what + " " + str(do())
    except OSError as error: return what + " " + errno.errorcode[error.errno]
def given(door):
    try: socket.send_fds(door, [b"fd"], [os.open("HERE/given", os.O_RDONLY)])
    except FileNotFoundError: socket.send_fds(door, [b"fd"], [0])
    return "one"
def taken(door):
    came = socket.recv_fds(door, 2, 1)[1]
    return os.read(came[0], 5).decode() or "one" if came else "none"
def exchange(door, first, name):
    said = []
    def give():
        said.append(told("gives", lambda: given(door)))
        if said[-1] != "gives one": door.send(b"fd")
    def take():
        said.append(told("takes", lambda: taken(door)))
        if said[-1] == "takes EPERM": assert door.recv(2) == b"fd"
    if first:
        door.sendall(b"data")
        give(); take()
    else:
        assert door.recv(4, socket.MSG_WAITALL) == b"data"
        take(); give()
    print(name, *said, flush=True)
def calls():
    # sendmsg, recvmsg, recvmmsg, sendmmsg, io_uring_setup, pidfd_getfd: whether they are there at all.
    found = []
    for number in 46, 47, 299, 307, 425, 438:
        refused = libc.syscall(number, -1, 0, 0, 0, 0) == -1 and ctypes.get_errno() == errno.EPERM
        found.append("refused" if refused else "there")
    return " ".join(found)
side, paths = sys.argv[1], sys.argv[2:]
print(side, calls(), flush=True)
if side == "makes":
    doors = []
    for path in paths:
        if path == "channel":
            exchange(socket.socket(fileno=3), False, path)
            continue
        door = socket.socket(socket.AF_UNIX)
        door.bind(path)
        door.listen()
        doors.append(door)
    for path, door in zip(paths, doors):
        visitor = door.accept()[0]
        child = os.fork()
        if child == 0:
            door.close()
            exchange(visitor, False, path)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        visitor.close()
elif side == "holds":
    for path in paths:
        if path == "channel":
            door = socket.socket(fileno=3)
        else:
            door = socket.socket(socket.AF_UNIX)
            door.connect(path)
        exchange(door, True, path)
"#;

fn service(name: &str, words: &str, more: &str) -> String {
    format!(
        r#"service {name} {{
    run "/usr/bin/python3" "HERE/talk.py" {words}
    prepare "/usr/bin/python3" "HERE/talk.py" "prepares"
    image "std:python3"
    config "HERE/talk.py"
    restart "never"
    {more}
}}
"#
    )
}

const X: &str = "provides x socket=\"/run/m/x\" { data-only; }";
const Y: &str = "provides y socket=\"/run/m-y/y\"";
const ALL: &str = "there there there there refused refused";
const NONE: &str = "refused refused refused refused refused refused";

/// What the model says of the maker, and a holder's file.
const CANNOT: &str = "never m holds given\n";

/// Runs services as root and as a plain user; each must say exactly this. The model says what the maker could come to hold.
#[track_caller]
fn check(name: &str, services: &[String], can_hold: bool, expected: &[(&str, &[&str])]) {
    let scene = Scene::new(name);
    let here = scene.path.display().to_string();
    scene.write("talk.py", TALK.replace("HERE", &here));
    scene.write("given", "given");
    let system = format!("system passing\nfile given \"HERE/given\"\n{}", services.concat());
    scene.write("system.kdl", system.replace("HERE", &here));
    scene.write("asked.kdl", format!("{system}{CANNOT}").replace("HERE", &here));
    scene.capc(["check", "asked.kdl"]).exits(i32::from(can_hold));
    let says = |run: Run| {
        for (service, lines) in expected {
            let said = run.out.lines().filter_map(|line| line.split_once(" | "));
            let said: Vec<&str> =
                said.filter(|(who, _)| who.trim() == *service).map(|(_, text)| text).collect();
            assert_eq!(said, *lines, "{service}:\n{}{}", run.out, run.err);
        }
    };
    if needs_root("passing descriptors as root") {
        says(scene.capc(["up", "system.kdl", "--store", "store"]).exits(0));
    }
    says(scene.plain_capc(["up", "system.kdl"]).exits(0));
}

#[test]
fn over_an_ordinary_facet_descriptors_pass_both_ways() {
    let services = [
        service("m", r#""makes" "/run/m-y/y""#, Y),
        service("h", r#""holds" "/run/m-y/y""#, "holds m.y; holds given"),
    ];
    check(
        "passing",
        &services,
        true,
        &[
            ("m", &[&format!("prepares {ALL}"), &format!("makes {ALL}"), "/run/m-y/y takes given gives one"]),
            ("h", &[&format!("prepares {ALL}"), &format!("holds {ALL}"), "/run/m-y/y gives one takes one"]),
        ],
    );
}

#[test]
fn over_a_data_only_facet_data_passes_and_its_maker_takes_and_gives_no_descriptor() {
    let services = [
        service("m", r#""makes" "/run/m/x""#, X),
        service("h", r#""holds" "/run/m/x""#, "holds m.x; holds given"),
    ];
    check(
        "passing-maker",
        &services,
        false,
        &[
            (
                "m",
                &[&format!("prepares {NONE}"), &format!("makes {NONE}"), "/run/m/x takes EPERM gives EPERM"],
            ),
            // What it gives is dropped on the way: nobody may take it.
            ("h", &[&format!("prepares {ALL}"), &format!("holds {ALL}"), "/run/m/x gives one takes none"]),
        ],
    );
}

#[test]
fn a_data_only_channel_carries_data_alone() {
    let services = [
        service("m", r#""makes" "channel""#, "provides x channel=#true { data-only; }"),
        service("h", r#""holds" "channel""#, "holds m.x; holds given"),
    ];
    let [prepares, makes] = ["prepares", "makes"].map(|side| format!("{side} {NONE}"));
    check(
        "passing-channel",
        &services,
        false,
        &[
            ("m", &[&prepares, &makes, "channel takes EPERM gives EPERM"]),
            ("h", &[&format!("prepares {ALL}"), &format!("holds {ALL}"), "channel gives one takes none"]),
        ],
    );
}

#[test]
fn where_the_maker_passes_descriptors_to_others_it_is_the_holder_who_passes_none() {
    let services = [
        service("m", r#""makes" "/run/m/x" "/run/m-y/y""#, &format!("{X}\n    {Y}")),
        service("h", r#""holds" "/run/m/x""#, "holds m.x; holds given"),
        service("o", r#""holds" "/run/m-y/y""#, "holds m.y"),
    ];
    check(
        "passing-holder",
        &services,
        false,
        &[
            (
                "m",
                &[
                    &format!("prepares {ALL}"),
                    &format!("makes {ALL}"),
                    "/run/m/x takes none gives one",
                    "/run/m-y/y takes one gives one",
                ],
            ),
            (
                "h",
                &[&format!("prepares {NONE}"), &format!("holds {NONE}"), "/run/m/x gives EPERM takes EPERM"],
            ),
            ("o", &[&format!("prepares {ALL}"), &format!("holds {ALL}"), "/run/m-y/y gives one takes one"]),
        ],
    );
}

//! A service's world, looked at from inside: what the issue of a dead world comes to.

use crate::scene::{Run, Scene, needs_root};

const PROBES: &str = r#"system probes
dir given "./given"
dir withheld "./withheld"

service status { run "/usr/bin/cat" "/proc/self/status"; oneshot; holds given; }
service descriptors { run "/usr/bin/ls" "-l" "/proc/self/fd"; oneshot; holds given; }
service mounts { run "/usr/bin/cat" "/proc/self/mountinfo"; oneshot; holds given; }
service environment { run "/usr/bin/env"; env GIVEN="yes"; oneshot; }
service paths { run "./bin/paths"; oneshot; holds given; }
service writer { run "./bin/writer"; oneshot; holds given; }
"#;

/// Says of each path whether it is there; a shell's `test` needs no right but to look.
const PATHS: &str = r#"#!/bin/sh
here="${0%/bin/*}"
for path in / "$here/given" "$here/given/file" "$here/withheld" "$here/withheld/file" "$here/system.kdl" "$here/bin/writer" \
    /etc/passwd /etc/shadow /etc/machine-id /root /home /var/log /var/lib /usr/bin/ls /usr/bin/env /usr/share /boot /sys \
    /run/capc /proc/1/root /proc/sys /proc/cpuinfo /dev/null /dev/tty /dev/kmsg /dev/shm; do
    if [ -e "$path" ]; then echo "there: $path"; else echo "not there: $path"; fi
done
read -r line <"$here/given/file" && echo "read: $line"
"#;

const WRITER: &str = r#"#!/bin/sh
here="${0%/bin/*}"
(echo x >"$here/given/file") 2>/dev/null && echo "OPEN: wrote a file given for reading"
(echo x >"$here/given/new") 2>/dev/null && echo "OPEN: made a file in a directory given for reading"
(echo x >/etc/new) 2>/dev/null && echo "OPEN: wrote to /etc"
(echo x >/new) 2>/dev/null && echo "OPEN: wrote to /"
(echo x >/tmp/new) && echo "the private /tmp works"
cp=/tmp/copy
(cat </bin/sh >$cp) 2>/dev/null
chmod +x $cp 2>/dev/null && $cp -c 'echo OPEN: ran a program from /tmp' 2>/dev/null
echo done
"#;

fn scene(name: &str) -> Scene {
    let scene = Scene::new(name);
    scene.write("system.kdl", PROBES);
    scene.program("bin/paths", PATHS);
    scene.program("bin/writer", WRITER);
    scene.write("given/file", "a given line\n");
    scene.write("withheld/file", "a withheld line\n");
    scene
}

/// Returns what a service said, without its prefix.
fn said<'r>(run: &'r Run, service: &str) -> Vec<&'r str> {
    let lines = run.out.lines().filter_map(|line| line.split_once(" | "));
    lines.filter(|(who, _)| who.trim() == service).map(|(_, text)| text).collect()
}

#[track_caller]
fn dead_world(run: Run, here: &str) {
    let run = run.exits(0);
    let status = said(&run, "status");
    for line in [
        "CapInh:\t0000000000000000",
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "Groups:\t ",
        "NSpid:\t2",
    ] {
        let same = |said: &&&str| said.replace("\\t", "\t").trim_end() == line.trim_end();
        assert!(status.iter().any(|said| same(&said)), "{line:?} is not in {status:#?}");
    }

    // Nothing, the two log pipes, and the directory that `ls` itself has open.
    let descriptors: Vec<&str> =
        said(&run, "descriptors").into_iter().filter(|line| line.contains("->")).collect();
    let ends: Vec<&str> = descriptors.iter().map(|line| line.split(" -> ").nth(1).unwrap()).collect();
    assert_eq!(ends.len(), 4, "{descriptors:#?}");
    assert_eq!(ends[0], "/dev/null");
    assert!(
        ends[1].starts_with("pipe:") && ends[2].starts_with("pipe:") && ends[3].starts_with("/proc/"),
        "{descriptors:#?}"
    );

    let given = format!("{here}/given");
    for line in said(&run, "mounts") {
        let place = line.split(' ').nth(4).unwrap();
        let known = ["/", "/tmp", "/var/tmp", "/run", "/proc", "/usr/bin/cat", &given].contains(&place)
            || place.starts_with("/dev/")
            || (place.starts_with("/usr/lib") && place.contains(".so"));
        assert!(known, "an unexpected mount: {line}");
    }
    let environment = said(&run, "environment");
    assert_eq!(environment, ["GIVEN=yes"], "only what is written is in the environment");

    let paths = said(&run, "paths");
    for there in ["/", &given, &format!("{given}/file"), "/etc/passwd", "/dev/null"] {
        assert!(paths.contains(&format!("there: {there}").as_str()), "{there} is not in {paths:#?}");
    }
    let never =
        ["/withheld", "/withheld/file", "/system.kdl", "/bin/writer"].map(|path| format!("{here}{path}"));
    let machine = [
        "/etc/shadow",
        "/etc/machine-id",
        "/root",
        "/home",
        "/var/log",
        "/usr/bin/ls",
        "/usr/bin/env",
        "/usr/share",
        "/boot",
        "/sys",
    ];
    let kernel = ["/run/capc", "/proc/sys", "/proc/cpuinfo", "/dev/tty", "/dev/kmsg", "/dev/shm"];
    for hidden in never.iter().map(String::as_str).chain(machine).chain(kernel) {
        assert!(paths.contains(&format!("not there: {hidden}").as_str()), "{hidden} is in {paths:#?}");
    }
    assert!(paths.contains(&"read: a given line"));

    assert_eq!(said(&run, "writer"), ["the private /tmp works", "done"]);
}

#[test]
fn a_world_has_nothing_but_what_was_given_as_root() {
    if needs_root("a world as root") {
        let scene = scene("world-root");
        let run = scene.capc(["up", "system.kdl", "--store", "store"]);
        dead_world(run, scene.path.to_str().unwrap());
    }
}

#[test]
fn a_world_has_nothing_but_what_was_given_as_a_plain_user() {
    let scene = scene("world-plain");
    let run = scene.plain_capc(["up", "system.kdl"]);
    dead_world(run, scene.path.to_str().unwrap());
}

#[test]
fn what_a_service_changes_in_a_state_directory_is_there_the_next_time() {
    let scene = Scene::new("state");
    scene.write("system.kdl", format!("system memory\nstate diary \"{}/diary\"\nservice keeper {{ run \"./bin/keep\"; oneshot; holds diary read write; }}\n", scene.path.display()));
    scene.program("bin/keep", "#!/bin/sh\ncd \"${0%/bin/*}/diary\" || exit 1\n[ -e page ] && read -r old <page && echo \"found $old\"\necho \"an entry\" >page && echo wrote\n");
    if needs_root("a state directory as root") {
        scene.capc(["up", "system.kdl", "--store", "store"]).exits(0).says("wrote");
        scene.capc(["up", "system.kdl", "--store", "store"]).exits(0).says("found an entry");
    }
    scene.plain_capc(["up", "system.kdl"]).exits(0).says("wrote");
    scene.plain_capc(["up", "system.kdl"]).exits(0).says("found an entry");
}

const KINDS: &str = r#"system kinds
network net
privilege roots "CAP_SYS_CHROOT"
trust chrooter reason="shows that a privilege is there"
service spaces { run "/usr/bin/unshare" "--user" "/usr/bin/true"; image "/usr/bin/true"; syscalls "namespaces"; oneshot; }
service chrooter { run "/usr/sbin/chroot" "/" "/usr/bin/true"; image "/usr/bin/true"; holds roots; oneshot; }
service networker { run "/bin/bash" "-c" "exec 3<>/dev/tcp/127.0.0.1/PORT && read -r line <&3 && echo \"heard $line\""; holds net; oneshot; }
"#;

#[test]
fn a_network_a_privilege_and_a_group_of_system_calls_are_there_when_granted() {
    use std::io::Write;
    if !needs_root("kinds of capabilities as root") {
        return;
    }
    let scene = Scene::new("kinds");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let greeter = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"a greeting\n").unwrap();
    });
    scene.write("system.kdl", KINDS.replace("PORT", &port));
    scene.capc(["up", "system.kdl", "--store", "store"]).exits(0).says("heard a greeting");
    greeter.join().unwrap();
}

/// Answers every question for an address on the loopback of a network of its own, beside a command.
const NAME_SERVER: &str = r#"
import fcntl, socket, struct, subprocess, sys, threading
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
flags = struct.pack("16sH14x", b"lo", 1)
fcntl.ioctl(server, 0x8914, flags)
server.bind(("127.0.0.1", 53))
def serve():
    while True:
        question, asker = server.recvfrom(512)
        end = question.index(0, 12) + 5
        is_known = question[end - 3] == 1
        answer = question[:2] + b"\x81\x80\0\1\0" + bytes([is_known]) + b"\0\0\0\0" + question[12:end]
        address = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([192, 0, 2, 7])
        server.sendto(answer + address * is_known, asker)
threading.Thread(target=serve, daemon=True).start()
sys.exit(subprocess.call(sys.argv[1:]))
"#;

const NAMES: &str = r#"system names
network net
file resolver "./resolv.conf"
service knows { run "/usr/bin/getent" "hosts" "far.example"; image "std:nss"; holds net; holds resolver read at="/etc/resolv.conf"; oneshot; }
service lost { run "/bin/sh" "-c" "getent hosts far.example || echo unknown"; image "/usr/bin/getent" "std:nss"; holds net; oneshot; }
"#;

#[test]
fn a_service_with_the_network_and_a_resolver_finds_other_machines_by_name() {
    if !needs_root("a network of a test's own") {
        return;
    }
    let scene = Scene::new("names");
    scene.write("system.kdl", NAMES);
    scene.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    scene.write("names.py", NAME_SERVER);
    let up = scene.command(["up", "system.kdl", "--store", "store"]);
    let mut command = std::process::Command::new("unshare");
    command.args(["--net", "python3", "names.py"]).arg(up.get_program()).args(up.get_args());
    command.current_dir(&scene.path).envs(up.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = crate::scene::run(command).exits(0);
    assert!(said(&run, "knows").iter().any(|line| line.starts_with("192.0.2.7")), "{}", run.out);
    // Without a resolver glibc asks 127.0.0.1: that is the network's, and so is what it answers.
    assert!(said(&run, "lost").iter().any(|line| line.starts_with("192.0.2.7")), "{}", run.out);
}

#[test]
fn a_device_is_there_when_granted_as_root_and_as_a_plain_user() {
    if !needs_root("a device of a test's own") {
        return;
    }
    let scene = Scene::new("device");
    let node = scene.path.join("node");
    let node = node.display();
    // The device of /dev/zero (null(4)), under a name that no world has by itself.
    let made =
        std::process::Command::new("mknod").args(["-m", "666", &node.to_string(), "c", "1", "5"]).status();
    assert!(made.unwrap().success());
    let services = [
        format!(
            r#"service opener {{ run "/bin/sh" "-c" "exec 3<>{node} && echo opened"; holds zero read write; oneshot; }}"#
        ),
        format!(
            r#"service reader {{ run "/bin/sh" "-c" "(exec 3<>{node}) || echo refused"; holds zero read; oneshot; }}"#
        ),
        format!(r#"service other {{ run "/bin/sh" "-c" "[ -e {node} ] || echo nothing"; oneshot; }}"#),
    ];
    scene.write("system.kdl", format!("system devices\ndevice zero \"{node}\"\n{}\n", services.join("\n")));
    for run in [scene.capc(["up", "system.kdl", "--store", "store"]), scene.plain_capc(["up", "system.kdl"])]
    {
        let run = run.exits(0);
        assert_eq!(said(&run, "opener"), ["opened"]);
        assert!(said(&run, "reader").contains(&"refused"), "{}", run.out);
        assert_eq!(said(&run, "other"), ["nothing"]);
    }
}

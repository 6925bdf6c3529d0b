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

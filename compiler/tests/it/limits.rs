//! Limits that control groups hold whole services to, in a machine whose kernel has controllers.

use crate::boot::{Console, STARTS, commands, make, scene};
use crate::scene::{PLAIN, Running, Scene, needs_root, until};
use crate::transaction::make_key;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Each process of `hog` alone is within the limit that it has without control groups; nobody counts the tasks of `bomb` by
/// its identity, which may be shared.
const LIMITED: &str = r#"system limited
identity shared
service hog {
    run "./hog"
    image "/usr/bin/head"
    image "/usr/bin/tail"
    oneshot
    limits memory="40M"
    provides over done=#true
}
service modest {
    run "./modest"
    oneshot
    limits memory="40M" tasks=4 cpu="1000%"
}
service bomb {
    run "./bomb"
    image "/usr/bin/sleep"
    oneshot
    as shared
    holds shared
    limits tasks=7
}
service spinner {
    run "./spinner"
    oneshot
    limits cpu="20%"
}
service lenient {
    run "./modest"
    oneshot
    limits cpu="1000%" best-effort=#true
}
"#;

/// Holds three times 25 MB, since there is no end of a line to let go of.
const HOG: &str = "#!/bin/sh
for one in 1 2 3; do
    head -c 25000000 /dev/zero | (tail -n 1 >/dev/null; echo one has held it) &
done
wait
";

/// Counts what it was not refused: the keeper and itself are there as well.
const BOMB: &str = "#!/bin/sh
trap 'set -- /proc/[0-9]*; echo there are $#' EXIT
for one in 1 2 3 4 5 6 7 8 9 10 11 12; do
    sleep 1000 &
done
";

const SPINNER: &str = "#!/bin/sh
number=0
while [ $number -lt 30000 ]; do number=$((number + 1)); done
";

/// Hands a part of the machine on, which is none that may hold both processes and groups.
const INIT: &str = "#!/bin/sh -e
mkdir -p /proc /sys
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +memory +pids +cpu > /sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/part
echo 0 > /sys/fs/cgroup/part/cgroup.procs
exec /usr/bin/capc up /srv/system.kdl
";

#[test]
fn control_groups_hold_whole_services_to_their_limits_where_there_are_controllers() {
    let Some(scene) = scene("limits") else { return };
    scene.write("machine/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    scene.write("machine/srv/system.kdl", LIMITED);
    for (name, text) in
        [("hog", HOG), ("bomb", BOMB), ("spinner", SPINNER), ("modest", "#!/bin/sh\necho all is well\n")]
    {
        scene.program(&format!("machine/srv/{name}"), text);
    }
    std::fs::create_dir_all(scene.path.join("machine/usr/bin")).unwrap();
    std::fs::copy(scene.path.join("bin/capc"), scene.path.join("machine/usr/bin/capc")).unwrap();
    scene.program("machine/init", INIT);
    make(&scene, Some(&["/bin/sh", "/bin/mount", "/bin/mkdir"]));
    let boot = commands(STARTS);
    let console = Console::of(&scene, &boot);
    console
        .says("capc: limits: memory, tasks and processor time of all processes of a service together, by control groups\n")
        .says("hog failed: it used more memory than its limit, and all of it was killed\n")
        .says("modest  | all is well")
        .says("modest ended well")
        .says("bomb    | there are 8\n")
        .says("bomb: its limit of tasks refused it 1 more\n")
        .says("lenient | all is well")
        .says("spinner ended well");
    let waited = console.0.split("spinner: its limit of processor time made it wait ").nth(1);
    let times: u32 = waited.and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap();
    assert!(times > 3, "{}", console.0);
    assert!(!console.0.contains("modest: "), "{}", console.0);

    // Compiled and run in a group that it was handed, nothing needs to be counted for each process by itself.
    let console = Console::of(&scene, &boot.replace(STARTS, ""));
    console
        .says("capc: limits: memory, tasks and processor time of all processes of a service together, by control groups\n")
        .says("hog failed: it used more memory than its limit")
        .says("bomb    | there are 8\n")
        .says("spinner ended well");
    assert!(!console.0.contains("note: "), "{}", console.0);

    // The same kernel without the controller.
    let without = boot.replace("quiet", "quiet cgroup_disable=cpu");
    Console::of(&scene, &without)
        .says(
            "capc: limits: memory and tasks of all processes of a service together, by control groups; \
             processor time not at all (/sys/fs/cgroup/cgroup.controllers lists no cpu)\n",
        )
        .says("hog failed: it used more memory than its limit")
        .says("spinner refused: nothing limits its processor time here (")
        .says("modest refused: nothing limits its processor time here (")
        .says("lenient | all is well");
}

/// A service that is restarted beside itself: each of its worlds is held to the limits by itself.
const REPLACED: &str = r#"system replaced
service steady {
    run "./steady"
    image "/usr/bin/sleep"
    limits memory="40M" tasks=2 cpu="50%"
}
"#;

/// Starts what restarts it beside the first process, which leaves the root that this is in: the shell is started where that has
/// gone, by way of what it knows of its root.
const BESIDE: &str = "#!/bin/sh -e
mkdir -p /dev /proc /sys
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +memory +pids +cpu > /sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/part /sys/fs/cgroup/beside
echo 0 > /sys/fs/cgroup/part/cgroup.procs
(
    echo 0 > /sys/fs/cgroup/beside/cgroup.procs
    cd /proc/1
    until [ -e root/run/capc ]; do :; done
    cd -P root
    exec usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path usr/lib/x86_64-linux-gnu \
        usr/sbin/chroot . /bin/sh -e /srv/restarts
) &
exec /usr/bin/capc up /srv/system.kdl
";

/// Restarts it, and looks at the groups that there are.
const RESTARTS: &str = "PATH=/usr/bin:/bin
until capc ps --config /srv/system.kdl | grep -q running; do sleep 0.5; done
for round in 1 2 3; do
    capc restart steady --config /srv/system.kdl
    for group in /sys/fs/cgroup/part/*/steady*; do
        for limit in memory.max pids.max cpu.max; do
            read -r max <$group/$limit
            echo round $round: ${group##*/} $limit $max
        done
    done
done
kill -TERM 1
";

#[test]
fn a_service_is_replaced_in_a_group_of_its_own_with_the_same_limits() {
    let Some(scene) = scene("limits-replaced") else { return };
    scene.write("machine/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    scene.write("machine/srv/system.kdl", REPLACED);
    scene.program("machine/srv/steady", "#!/bin/sh\necho begun\nexec sleep 1000\n");
    std::fs::create_dir_all(scene.path.join("machine/usr/bin")).unwrap();
    std::fs::copy(scene.path.join("bin/capc"), scene.path.join("machine/usr/bin/capc")).unwrap();
    scene.program("machine/init", BESIDE);
    scene.write("machine/srv/restarts", RESTARTS);
    make(&scene, Some(&["/bin/sh", "/bin/mount", "/bin/mkdir", "/usr/sbin/chroot", "/usr/bin/grep"]));
    let console = Console::of(&scene, &commands(STARTS).replace(STARTS, ""));
    let groups = console.0.lines().filter(|line| line.starts_with("round "));
    let expected: Vec<String> = [(1, "steady+"), (2, "steady"), (3, "steady+")]
        .iter()
        .flat_map(|(round, name)| {
            ["memory.max 41943040", "pids.max 3", "cpu.max 50000 100000"]
                .map(|limit| format!("round {round}: {name}.world {limit}"))
        })
        .collect();
    assert_eq!(groups.collect::<Vec<_>>(), expected, "{}", console.0);
    assert_eq!(console.0.matches("steady is running\n").count(), 3, "{}", console.0);
    console.says("steady stopped\n");
}

/// A control group of a test's own, that belongs to a plain user as a service manager hands one on; removed in the end.
struct Part(PathBuf);

impl Part {
    fn new() -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
        let path = Path::new(mount.split(' ').nth(4)?).join(format!("capc-test-{}", std::process::id()));
        std::fs::create_dir(&path).ok()?;
        for file in ["", "cgroup.procs", "cgroup.subtree_control"] {
            std::os::unix::fs::chown(path.join(file), Some(PLAIN), Some(PLAIN)).unwrap();
        }
        Some(Self(path))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::write(self.0.join("cgroup.kill"), "1");
        until("a group is empty", || std::fs::remove_dir(&self.0).is_ok());
    }
}

/// Returns a command that a shell becomes after these words.
fn after(words: &str, command: &std::process::Command) -> std::process::Command {
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", &format!("{words}; exec \"$@\""), "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    shell.current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

#[test]
fn a_plain_user_has_groups_in_one_that_was_handed_on() {
    if !needs_root("a control group that is handed to a plain user") {
        return;
    }
    let Some(part) = Part::new() else {
        return eprintln!(
            "not tried: a control group that is handed to a plain user (nobody may make any here)"
        );
    };
    let scene = Scene::new("limits-plain");
    scene.program("web", "#!/bin/sh\ntail -n 1 /proc/self/cgroup\nexec sleep 1000\n");
    scene.write(
        "system.kdl",
        "system plain\nservice web { run \"./web\"; image \"/usr/bin/tail\"; image \"/usr/bin/sleep\" }\n",
    );
    let entered = format!("echo 0 > {}/cgroup.procs", part.0.display());
    let mut command = after(&entered, &scene.plain_command(["up", "system.kdl"]));
    let said = std::fs::File::create(scene.path.join("said")).unwrap();
    let mut up = Running(command.stdin(Stdio::null()).stdout(said).spawn().unwrap());
    // Its own group is all that it sees of them.
    let has_said = || std::fs::read_to_string(scene.path.join("said")).unwrap().contains("web  | 0::/\n");
    until("the service runs", || has_said() || up.0.try_wait().unwrap().is_some());
    assert!(has_said());
    let places = || std::fs::read_dir(&part.0).unwrap().map(|entry| entry.unwrap().path());
    let world = places().map(|path| path.join("web.world")).find(|path| path.is_dir()).unwrap();
    // `tail` has said its line before it has ended.
    let inside = || std::fs::read_to_string(world.join("cgroup.procs")).unwrap();
    until("the keeper and the service are in it, and nothing else", || inside().lines().count() == 2);
    drop(up);
    assert!(!places().any(|path| path.is_dir()), "{:?}", places().collect::<Vec<_>>());
}

#[test]
fn many_services_need_no_more_open_files_than_the_caller_may_have_and_have_none_of_the_supervisors() {
    let scene = Scene::new("limits-files");
    scene.program("asks", "#!/bin/sh\necho \"$(ulimit -Sn) of $(ulimit -Hn)\"\nexec sleep 1000\n");
    let many: String =
        (0..50).map(|number| format!("service s{number} {{ run \"/usr/bin/sleep\" \"1000\" }}\n")).collect();
    let asks = "run \"./asks\"; image \"/usr/bin/sleep\"";
    let text = format!(
        "system many\n{many}service asks {{ {asks} }}\nservice fewer {{ {asks}; limits files=77 }}\n"
    );
    scene.write("system.kdl", &text);
    // Each service takes some three of them.
    let mut command = after("ulimit -Sn 120; ulimit -Hn 3000", &scene.plain_command(["up", "system.kdl"]));
    let said = std::fs::File::create(scene.path.join("said")).unwrap();
    let mut up =
        Running(command.stdin(Stdio::null()).stderr(said.try_clone().unwrap()).stdout(said).spawn().unwrap());
    let said = || std::fs::read_to_string(scene.path.join("said")).unwrap();
    let has_said = || said().contains("asks  | 120 of 3000\n") && said().contains("fewer | 77 of 77\n");
    until("all run", || {
        (has_said() && said().matches(" started\n").count() == 52) || up.0.try_wait().unwrap().is_some()
    });
    assert!(has_said() && !said().contains("open files"), "{}", said());
}

#[test]
fn what_holds_services_to_their_limits_is_said_wherever_one_looks() {
    if !needs_root("a sealed generation that runs") {
        return;
    }
    let scene = Scene::new("limits-said");
    make_key(&scene, "key", "");
    scene.write(
        "system.kdl",
        "system said\nservice web { run \"/usr/bin/sleep\" \"1000\"; limits memory=\"64M\" cpu=\"50%\" best-effort=#true }\n\
         service strict { run \"/usr/bin/sleep\" \"1000\"; limits cpu=\"50%\" }\n",
    );
    let reconfigure =
        ["reconfigure", "system.kdl", "--store", "store", "--key", "key", "--init", "capc", "--yes"];
    scene
        .capc(reconfigure)
        .exits(0)
        .says("`web`: the limit on memory counts for each of its processes alone, and for all of them only where")
        .says("`web`: nothing limits its processor time where the supervisor has no control groups")
        .says("`strict`: it starts only where the supervisor can limit its processor time by control groups");
    // With a `/run` of its own, since one supervisor has a machine's.
    let script = "mount -t tmpfs tmpfs /run; $0 up store/current > said & up=$!
        until grep -q 'web .*started' said; do sleep 0.05; done
        $0 ps; $0 status --store store; $0 doctor; kill $up; wait $up";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, env!("CARGO_BIN_EXE_capc")]);
    command.current_dir(&scene.path);
    let run = crate::scene::run(command).exits(0);
    let first = run.err.lines().find_map(|line| line.strip_prefix("capc: limits: ")).unwrap();
    assert!(first.starts_with("memory"), "{first}");
    for before in ["limits: ", "limits      ", "limits "] {
        assert!(run.out.contains(&format!("\n{before}{first}\n")), "{before}{first} is not in\n{}", run.out);
    }
    let said = std::fs::read_to_string(scene.path.join("said")).unwrap();
    let is_refused = said.contains("strict refused: nothing limits its processor time here");
    assert_eq!(is_refused, first.contains("processor time not at all"), "{said}");
}

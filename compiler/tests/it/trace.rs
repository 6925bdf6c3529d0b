//! `capc trace`: what a program used becomes a patch, and with the patch it runs in its world.

use crate::scene::{Scene, is_root};
use std::process::{Command, Stdio};

const SYSTEM: &str = r#"system moving
dir kept "HERE/kept"

service job {
    run "/bin/sh" "-c" "cat HERE/given/one HERE/given/two && date +%Y > HERE/kept/year && cat HERE/kept/year && echo done"
    oneshot
    holds kept read
}
"#;

/// Applies a patch to a file, as a person would.
#[track_caller]
pub fn apply(scene: &Scene, patch: &str) {
    use std::io::Write;
    let mut git = Command::new("git")
        .args(["apply", "-p0", "-"])
        .current_dir(&scene.path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    git.stdin.take().unwrap().write_all(patch.as_bytes()).unwrap();
    assert!(git.wait().unwrap().success(), "{patch}");
}

#[test]
fn a_program_runs_in_its_world_with_the_patch_that_its_trace_gave() {
    let scene = Scene::new("trace");
    let here = scene.path.display().to_string();
    scene.write("given/one", "one\n");
    scene.write("given/two", "two\n");
    scene.write("kept/old", "old\n");
    // Who may write there without being root: whoever owns it.
    let owner = rustix::fs::Uid::from_raw(if is_root() { 4000 } else { rustix::process::getuid().as_raw() });
    rustix::fs::chown(scene.path.join("kept"), Some(owner), None).unwrap();
    scene.write("system.kdl", SYSTEM.replace("HERE", &here));

    scene.plain_capc(["up", "system.kdl"]).exits(3);
    let traced = scene.plain_capc(["trace", "job", "--config", "system.kdl"]).exits(0);
    for line in [
        "+    holds kept read write    // openat by sh",
        "+    image \"/usr/bin/cat\"    // execve by cat, 2 times",
        "+    image \"/usr/bin/date\"    // execve by date",
        "+    holds one read    // openat by cat",
    ] {
        assert!(traced.out.contains(line), "{line} is not in\n{}", traced.out);
    }
    assert!(!traced.out.contains("libc.so"), "what a program needs comes with it:\n{}", traced.out);
    let patch: String = traced
        .out
        .lines()
        .filter(|line| line.starts_with(['+', '-', ' ', '@']))
        .map(|line| format!("{line}\n"))
        .collect();
    apply(&scene, &patch);
    scene.plain_capc(["up", "system.kdl"]).exits(0).says("done");
    // And then nothing is missing any more.
    let again = scene.plain_capc(["trace", "job", "--config", "system.kdl"]).exits(0);
    again.complains("its world has everything that it used");
}

#[test]
fn a_service_that_is_not_there_is_told_with_the_one_that_was_meant() {
    let scene = Scene::new("trace-nobody");
    scene.write("system.kdl", "system s\nservice job { run \"/bin/true\"; oneshot; }\n");
    scene.capc(["trace", "jop", "--config", "system.kdl"]).exits(2).complains("did you mean `job`?");
}

#[test]
fn a_service_that_passes_no_descriptors_is_traced_with_a_word_about_them() {
    let scene = Scene::new("trace-data-only");
    let maker = "service job { run \"/bin/true\"; oneshot; provides x channel=#true { data-only; } }";
    scene
        .write("system.kdl", format!("system s\n{maker}\nservice a {{ run \"/bin/true\"; holds job.x; }}\n"));
    let traced = scene.plain_capc(["trace", "job", "--config", "system.kdl"]).exits(0);
    traced.complains("it may call neither sendmsg nor recvmsg, since `job.x` is `data-only`");
    let other = scene.plain_capc(["trace", "a", "--config", "system.kdl"]).exits(0);
    assert!(!other.err.contains("sendmsg"), "{}", other.err);
}

#[test]
fn what_a_program_chose_for_a_name_is_written_as_a_name_and_never_as_a_statement() {
    let scene = Scene::new("trace-names");
    let here = scene.path.display().to_string();
    let hostile = format!("{here}/given/a\" _ b\nservice evil {{ }}\n");
    scene.write(hostile.strip_prefix(&here).unwrap().trim_start_matches('/'), "given\n");
    // A process is called by its program's name, of which the kernel keeps 15 bytes.
    let program = scene.program("bin/x\nunit evil", "#!/bin/sh\nread -r line </etc/hostname\n");
    let script = "read -r line <\"$1\"; \"$2\"";
    let words = ["-c", script, "sh", &hostile, program.to_str().unwrap()].map(|word| format!("{word:?}"));
    let service = format!("service job {{ run \"/bin/sh\" {}; oneshot; }}\n", words.join(" "));
    scene.write("system.kdl", format!("system names\n{service}"));
    let traced = scene.capc(["trace", "job", "--config", "system.kdl"]).exits(0);
    assert!(traced.out.contains(r#"/given/a\" _ b\nservice evil { }\n""#), "{}", traced.out);
    assert!(traced.out.contains(r"by x\u{a}unit evil"), "{}", traced.out);
    for line in traced.out.lines().chain(traced.err.lines()) {
        let line = line.trim_start_matches(['+', ' ']);
        assert!(!line.starts_with("service evil") && !line.starts_with("unit evil"), "{}", traced.out);
    }
}

#[test]
fn a_group_of_system_calls_that_is_there_is_not_asked_for_again() {
    let scene = Scene::new("trace-calls");
    let service = |more: &str| {
        format!(
            "system calls\nservice job {{ run \"/usr/bin/unshare\" \"--user\" \"/usr/bin/true\"; oneshot; {more} }}\n"
        )
    };
    scene.write("system.kdl", service("image \"/usr/bin/true\""));
    let traced = scene.capc(["trace", "job", "--config", "system.kdl"]).exits(0);
    assert_eq!(traced.out.matches("syscalls \"namespaces\"").count(), 1, "{}", traced.out);
    scene.write("system.kdl", service("image \"/usr/bin/true\"; syscalls \"namespaces\""));
    let traced = scene.capc(["trace", "job", "--config", "system.kdl"]).exits(0);
    assert!(!traced.out.contains("+    syscalls"), "{}", traced.out);
}

#[test]
fn a_file_that_is_reached_by_a_link_and_a_place_that_does_not_last_are_named_as_the_program_needs_them() {
    let scene = Scene::new("trace-links");
    let here = scene.path.display().to_string();
    scene.write("real/file", "by a link\n");
    std::os::unix::fs::symlink("real", scene.path.join("link")).unwrap();
    let script =
        format!("cat {here}/link/file; awk 'BEGIN {{ print 6 * 7 }}'; echo shared > /dev/shm/capc-links");
    let service = format!("service job {{\n    run \"/bin/sh\" \"-c\" {script:?}\n    oneshot\n}}\n");
    scene.write("system.kdl", format!("system links\n{service}"));
    let traced = scene.plain_capc(["trace", "job", "--config", "system.kdl"]).exits(0);
    let _ = std::fs::remove_file("/dev/shm/capc-links");
    for line in
        ["+    image \"/usr/bin/awk\"", "+    scratch \"/dev/shm\"", &format!("read at=\"{here}/link/file\"")]
    {
        assert!(traced.out.contains(line), "{line} is not in\n{}", traced.out);
    }
    assert!(!traced.out.contains(".so"), "what a program needs comes with it:\n{}", traced.out);
    apply(&scene, &traced.out);
    scene.plain_capc(["up", "system.kdl"]).exits(0).says("by a link").says("42");
}

#[test]
fn a_daemon_that_goes_to_the_background_is_told_to_stay() {
    let scene = Scene::new("trace-background");
    let script = "setsid sleep 60 & sleep 0.2; exit 0";
    scene.write("system.kdl", format!("system s\nservice job {{ run \"/bin/sh\" \"-c\" {script:?}; }}\n"));
    let begun = std::time::Instant::now();
    let traced = scene.plain_capc(["trace", "job", "--config", "system.kdl", "--seconds", "1"]).exits(0);
    traced.complains(
        "others went on (sleep): a service ends with its first process, so let it stay in the foreground",
    );
    assert!(begun.elapsed().as_secs() < 40);
}

#[test]
fn who_runs_as_somebody_is_traced_as_him() {
    if !crate::scene::needs_root("a trace as somebody else") {
        return;
    }
    let scene = Scene::new("trace-as");
    let service =
        "identity worker user=\"nobody\"\nservice job { run \"/usr/bin/id\" \"-u\"; as worker; oneshot; }\n";
    scene.write("system.kdl", format!("system s\n{service}"));
    let nobody = uid_of("nobody");
    let traced = scene.capc(["trace", "job", "--config", "system.kdl"]).exits(0);
    let traced = traced.complains(&format!("with all that the user {nobody}, as which it runs, may do"));
    assert!(traced.err.lines().any(|line| line == nobody), "{}", traced.err);
}

fn uid_of(name: &str) -> String {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let account = accounts.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap();
    account.split(':').nth(2).unwrap().to_owned()
}

#[test]
fn what_only_the_world_has_is_told_before_a_program_fails_for_it() {
    let scene = Scene::new("trace-absent");
    let service = "service job { run \"/bin/true\"; oneshot; scratch \"/capc-absent\"; provides talk socket=\"/run/capc-absent/s\"; }";
    scene.write("system.kdl", format!("system s\n{service}\n"));
    let traced = scene.plain_capc(["trace", "job", "--config", "system.kdl"]).exits(0);
    traced.complains("what this machine has not: /capc-absent, /run/capc-absent; make it for the trace");
}

#[test]
fn what_a_program_prints_is_taken_for_no_patch() {
    let scene = Scene::new("trace-prints");
    let service =
        "service job { run \"/bin/sh\" \"-c\" \"echo '+++ printed'; read -r x </etc/hostname\"; oneshot; }";
    scene.write("system.kdl", format!("system s\n{service}\n"));
    let traced = scene.plain_capc(["trace", "job", "--config", "system.kdl"]).exits(0);
    assert!(traced.out.starts_with("--- ") && !traced.out.contains("printed\n+"), "{}", traced.out);
    traced.says("+    config \"/etc/hostname\"").complains("+++ printed");
}

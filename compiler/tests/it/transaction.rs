//! What a person is shown before signing, and what is left when something goes wrong on the way.

use crate::scene::{Run, Running, Scene, needs_root, run, until};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const OLD: &str = r#"system shown
dir given "./given"
dir other "./other"
service reader { run "/usr/bin/sleep" "1000"; holds given at="/given"; holds other at="/other"; }
"#;

const NEW: &str = r#"system shown
dir given "./given"
dir other "./other"
service reader { run "/usr/bin/sleep" "1000"; holds given at="/given"; }
service second { run "/usr/bin/sleep" "1000"; holds other at="/other"; }
"#;

pub fn make_key(scene: &Scene, name: &str, passphrase: &str) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-C", "test", "-N", passphrase, "-f"]).arg(scene.path.join(name));
    run(keygen).exits(0);
}

pub fn scene(name: &str, system: &str) -> Scene {
    let scene = Scene::new(name);
    scene.write("system.kdl", system);
    scene.write("given/file", "a sealed line\n");
    scene.write("other/file", "another\n");
    make_key(&scene, "key", "");
    scene
}

#[track_caller]
pub fn reconfigure(scene: &Scene, more: &[&str]) -> Run {
    let words = ["reconfigure", "system.kdl", "--init", "capc", "--store", "store"];
    let key: &[&str] = if more.contains(&"--key") { &[] } else { &["--key", "key"] };
    scene.capc(words.iter().chain(key).chain(more))
}

/// What lies in the store and where its links lead, for comparing.
fn listing(scene: &Scene) -> String {
    let mut find = Command::new("find");
    find.args(["store", "-printf", "%p %y %l %s\n"]).current_dir(&scene.path);
    let mut lines: Vec<String> = run(find).out.lines().map(str::to_owned).collect();
    lines.retain(|line| !line.starts_with("store/lock ") && !line.starts_with("store d"));
    lines.sort();
    lines.join("\n")
}

/// A stand-in for `ssh-keygen` that capc finds first.
#[track_caller]
fn with_signer(scene: &Scene, script: &str, more: &[&str]) -> Run {
    scene.program("fake/ssh-keygen", script);
    let mut command = Command::new(env!("CARGO_BIN_EXE_capc"));
    let path = format!("{}:/usr/bin:/bin", scene.path.join("fake").display());
    command.args(["reconfigure", "system.kdl", "--store", "store", "--key", "key", "--yes"]).args(more);
    command.current_dir(&scene.path).env("PATH", path);
    run(command)
}

#[test]
fn the_first_generation_shows_all_that_it_gives() {
    let scene = scene("first", OLD);
    let run = reconfigure(&scene, &["--yes"]).exits(0);
    run.says("+ reader holds given").says("+ reader holds other").says("to be signed by SHA256:");
}

#[test]
fn the_authority_diff_stands_before_the_signature() {
    let scene = scene("diff-first", OLD);
    reconfigure(&scene, &["--yes"]).exits(0);
    scene.write("system.kdl", NEW);
    // A signer that refuses: what was shown was shown before.
    let run = with_signer(&scene, "#!/bin/sh\nexit 1\n", &[]).exits(3);
    let run =
        run.says("services that differ from generation 1: ~reader +second").says("+ second holds other");
    let run = run.says("- reader no longer holds other").says("1 grant revoked");
    let [diff, digest] = ["- reader no longer", "sha256 of what is signed"].map(|word| run.out.find(word));
    assert!(diff < digest, "{}", run.out);
    assert!(!run.out.contains("is current"));
}

#[test]
fn a_dry_run_says_what_would_happen_and_touches_nothing() {
    let scene = scene("dry-run", OLD);
    let dry = reconfigure(&scene, &["--dry-run"]).exits(0);
    dry.says("would write   ").says("/store/generations/1: ").says("/store/trust/floor to 1");
    assert!(!scene.path.join("store").exists());
    reconfigure(&scene, &["--yes"]).exits(0);
    scene.write("system.kdl", NEW);
    let before = listing(&scene);
    let dry = reconfigure(&scene, &["--dry-run"])
        .exits(0)
        .says("would keep")
        .says("- reader no longer holds other");
    assert_eq!(listing(&scene), before);
    let real = reconfigure(&scene, &["--yes"]).exits(0);
    let digest = |text: &str| text.lines().find(|line| line.starts_with("sha256")).map(str::to_owned);
    assert_eq!(digest(&dry.out), digest(&real.out), "what a dry run names is what is signed");
    let seal = std::fs::read(scene.path.join("store/generations/2/SEAL")).unwrap();
    assert!(digest(&real.out).unwrap().ends_with(&capc::seal::digest(&seal).to_string()));
}

#[test]
fn a_dry_run_needs_no_lock_and_two_writers_exclude_each_other_by_name() {
    let scene = scene("two", OLD);
    reconfigure(&scene, &["--yes"]).exits(0);
    // The first waits for its signer, who waits for a file.
    scene.program(
        "fake/ssh-keygen",
        "#!/bin/sh\nuntil [ -e go ]; do sleep 0.02; done\nexec /usr/bin/ssh-keygen \"$@\"\n",
    );
    let path = format!("{}:/usr/bin:/bin", scene.path.join("fake").display());
    let mut first = Command::new(env!("CARGO_BIN_EXE_capc"))
        .args(["reconfigure", "system.kdl", "--store", "store", "--key", "key", "--yes"])
        .current_dir(&scene.path)
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the first is at work", || scene.path.join("store/generations/.new-2/SEAL").exists());
    let holder = format!("process {} (", first.id());
    reconfigure(&scene, &["--yes"]).exits(3).complains(&holder).complains("reconfigure system.kdl");
    reconfigure(&scene, &["--dry-run"]).exits(0);
    scene.write("go", "");
    assert!(first.wait().unwrap().success());
    reconfigure(&scene, &["--yes"]).exits(0).says("generation 3 is current");
}

#[test]
fn a_run_that_was_killed_while_its_signer_was_asked_is_no_obstacle() {
    let scene = scene("killed-signing", OLD);
    reconfigure(&scene, &["--yes"]).exits(0);
    let script = "#!/bin/sh\nkill -9 $PPID\n";
    let killed = with_signer(&scene, script, &[]);
    assert_eq!(killed.status, None);
    assert!(scene.path.join("store/generations/.new-2").exists());
    scene.capc(["verify", "--store", "store"]).exits(0).says("generation 1");
    reconfigure(&scene, &["--yes"]).exits(0).says("generation 2 is current");
    assert!(!scene.path.join("store/generations/.new-2").exists());
}

// Fact: `ssh-keygen -Y sign FILE` beside an old signature ends with 0 and leaves the old one.
#[test]
fn a_signer_that_fails_hangs_or_lies_publishes_nothing() {
    let scene = scene("signers", OLD);
    reconfigure(&scene, &["--yes"]).exits(0);
    let before = listing(&scene);
    make_key(&scene, "stranger", "");
    let old = scene.path.join("store/generations/1/SEAL.sig");
    let stranger = "exec /usr/bin/ssh-keygen -Y sign -n capc.system.v1 -f stranger";
    for (script, words) in [
        ("echo no touch >&2; exit 1".to_owned(), "no touch"),
        ("exit 0".to_owned(), "printed no Ed25519 signature"),
        (format!("cat > /dev/null; cat {}", old.display()), "an old signature"),
        ("cat > /dev/null; head -c 300 /dev/urandom".to_owned(), "printed no Ed25519 signature"),
        ("cat /dev/zero".to_owned(), "ssh-keygen did not sign"),
        (stranger.to_owned(), "signed with SHA256:"),
        (stranger.replace("capc.system.v1", "file"), "printed no Ed25519 signature"),
        ("kill -9 $$".to_owned(), "ssh-keygen did not sign"),
    ] {
        let run = with_signer(&scene, &format!("#!/bin/sh\n{script}\n"), &[]).exits(3).complains(words);
        assert!(!run.out.contains("is current"), "{script}: {}", run.out);
        assert_eq!(listing(&scene), before, "{script}");
    }
    // Longer than its time, and not for ever: nobody ends these.
    let hangs = "#!/bin/sh\nsleep 20 & sleep 20\n";
    with_signer(&scene, hangs, &["--sign-within", "1"])
        .exits(3)
        .complains("within 1 s")
        .complains("--sign-within");
    assert_eq!(listing(&scene), before);
    scene.capc(["verify", "--store", "store", "--key", "key.pub"]).exits(0);
}

#[test]
fn an_encrypted_key_without_a_terminal_is_refused_and_not_waited_for() {
    let scene = scene("encrypted", OLD);
    make_key(&scene, "locked", "correct horse");
    let mut command = Command::new("setsid");
    command.arg(env!("CARGO_BIN_EXE_capc")).args(["reconfigure", "system.kdl", "--store", "store", "--yes"]);
    command
        .args(["--key", "locked"])
        .current_dir(&scene.path)
        .env_remove("DISPLAY")
        .env_remove("SSH_ASKPASS");
    run(command).exits(3).complains("ssh-keygen did not sign with locked");
    assert!(!scene.path.join("store/current").exists());
}

#[test]
fn an_encrypted_key_is_asked_for_on_the_terminal_by_ssh_keygen_itself() {
    let scene = scene("terminal", OLD);
    make_key(&scene, "locked", "correct horse");
    let capc = env!("CARGO_BIN_EXE_capc");
    let line = format!("{capc} reconfigure system.kdl --store store --key locked --yes");
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(&scene.path).env_remove("SSH_AUTH_SOCK");
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    // What is typed before the question is thrown away (readpassphrase(3)).
    let (mut out, mut part) = (Vec::new(), [0; 4096]);
    let says = |out: &[u8], words: &str| String::from_utf8_lossy(out).contains(words);
    while let Ok(count @ 1..) = stdout.read(&mut part) {
        let asked = says(&out, "passphrase");
        out.extend(&part[..count]);
        if !asked && says(&out, "passphrase") {
            stdin.write_all(b"correct horse\n").unwrap();
        }
    }
    assert!(child.wait().unwrap().success() && says(&out, "generation 1 is current"));
}

#[test]
fn a_key_that_an_agent_holds_signs_by_its_public_half() {
    let scene = scene("agent", OLD);
    let socket = scene.path.join("agent.socket");
    let mut agent =
        Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    until("the agent listens", || socket.exists());
    let mut add = Command::new("ssh-add");
    add.args(["-q", "key"]).current_dir(&scene.path).env("SSH_AUTH_SOCK", &socket);
    run(add).exits(0);
    std::fs::remove_file(scene.path.join("key")).unwrap();
    let with_agent = |socket: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_capc"));
        command.args(["reconfigure", "system.kdl", "--store", "store", "--key", "key.pub", "--yes"]);
        command.current_dir(&scene.path).env("SSH_AUTH_SOCK", socket);
        run(command)
    };
    let signed = with_agent(&socket);
    let lonely = with_agent(&scene.path.join("no.socket"));
    agent.kill().unwrap();
    agent.wait().unwrap();
    signed.exits(0).says("generation 1 is current");
    lonely.exits(3).complains("ssh-keygen did not sign with key.pub");
}

#[test]
fn a_key_that_no_launcher_verifies_is_refused_by_its_kind() {
    let scene = scene("kinds", OLD);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-s", "key", "-I", "test", "-n", "test", "key.pub"]).current_dir(&scene.path);
    run(keygen).exits(0);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ecdsa", "-N", "", "-f", "curve"]).current_dir(&scene.path);
    run(keygen).exits(0);
    scene.write("rsa.pub", "ssh-rsa AAAAB3NzaC1yc2E= test\n");
    scene.write("token.pub", "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNr token\n");
    for (key, kind) in [
        ("key-cert.pub", "ssh-ed25519-cert-v01@openssh.com"),
        ("curve.pub", "ecdsa-sha2-nistp256"),
        ("rsa.pub", "ssh-rsa"),
        ("token.pub", "sk-ecdsa-sha2-nistp256@openssh.com"),
    ] {
        let words = format!("`{key}` is a key of the kind {kind}; the launcher verifies ssh-ed25519 and");
        reconfigure(&scene, &["--yes", "--key", key]).exits(3).complains(&words);
    }
    scene.write("cut.pub", "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t cut\n");
    reconfigure(&scene, &["--yes", "--key", "cut.pub"])
        .exits(3)
        .complains("no whole sk-ssh-ed25519@openssh.com");
    reconfigure(&scene, &["--yes", "--key", "gone"]).exits(3).complains("capc key init --key gone");
}

#[test]
fn a_revoked_grant_names_the_process_that_holds_it() {
    if !needs_root("revocation as root") {
        return;
    }
    let scene = scene("revoked", OLD);
    reconfigure(&scene, &["--yes"]).exits(0).says("no service of this store runs now");
    let _supervisor = up(&scene, "store/generations/1");
    scene.write("system.kdl", NEW);
    let mut shown = String::new();
    until("the service runs", || {
        shown = reconfigure(&scene, &["--dry-run"]).exits(0).out;
        shown.contains("holds it until it restarts")
    });
    let pid = shown.split("pid ").nth(1).unwrap().split(' ').next().unwrap();
    // Until its program is executed, the process is still its launcher's.
    until("the process is the service's", || {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        line.starts_with("/usr/bin/sleep")
    });
    let run = reconfigure(&scene, &["--yes"]).exits(0);
    run.says("1 grant revoked; pid ")
        .says("(reader, from generation 1)")
        .says("1 service running, to be restarted");
}

/// Runs a sealed generation, with a `/run` of its own, since one supervisor has a machine's `/run/capc`.
pub fn up(scene: &Scene, generation: &str) -> Running {
    let mut command = up_command(scene, generation);
    Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// Returns the command that runs a sealed generation so.
pub fn up_command(scene: &Scene, generation: &str) -> Command {
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs tmpfs /run && exec \"$@\"";
    command.args([
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        script,
        "sh",
        env!("CARGO_BIN_EXE_capc"),
    ]);
    command.args(["up", generation]).current_dir(&scene.path);
    command
}

#[test]
fn an_old_generation_put_back_is_not_built_upon() {
    let scene = scene("put-back", OLD);
    reconfigure(&scene, &["--yes"]).exits(0);
    reconfigure(&scene, &["--yes"]).exits(0);
    let current = scene.path.join("store/current");
    std::fs::remove_file(&current).unwrap();
    std::os::unix::fs::symlink("generations/1", &current).unwrap();
    for more in ["--yes", "--dry-run"] {
        reconfigure(&scene, &[more]).exits(3).complains("an old generation was put back");
    }
    assert!(scene.path.join("store/generations/2/SEAL").exists(), "nothing is removed");
    std::fs::remove_file(&current).unwrap();
    std::os::unix::fs::symlink("generations/2", &current).unwrap();
    reconfigure(&scene, &["--yes"]).exits(0).says("generation 3 is current");
}

#[test]
fn what_was_changed_in_the_current_generation_is_told_and_replaced() {
    let scene = scene("spoiled", OLD);
    reconfigure(&scene, &["--yes"]).exits(0);
    scene.write("store/generations/1/manifests/reader", "somebody else's");
    let run = reconfigure(&scene, &["--yes"]).exits(0);
    run.says("`manifests/reader` is not what was sealed").says("generation 2 is current");
    scene.capc(["verify", "--store", "store"]).exits(0).says("generation 2");
    let seal = scene.path.join("store/generations/2/SEAL");
    let text = std::fs::read_to_string(&seal).unwrap().replace("# number 2", "# number 3");
    std::fs::write(&seal, text).unwrap();
    reconfigure(&scene, &["--yes"]).exits(3);
}

#[test]
fn another_systems_root_is_configured_from_outside() {
    if !needs_root("another root as root") {
        return;
    }
    let scene = Scene::new("root");
    make_key(&scene, "key", "");
    for file in ["/usr/bin/env", "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"] {
        scene.program(&format!("target{file}"), std::fs::read(file).unwrap());
    }
    scene.write("target/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    scene.write(
        "target/etc/capc/system.kdl",
        "system there\nservice env { run \"/usr/bin/env\"; oneshot; }\n",
    );
    let go = || {
        let words =
            ["reconfigure", "target/etc/capc/system.kdl", "--root", "target", "--key", "key", "--yes"];
        scene.capc(words)
    };
    go().exits(3).complains("machine id");
    scene.write("target/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    go().exits(0).says("generation 1 is current").says("another system's root");
    let seal = std::fs::read_to_string(scene.path.join("target/var/lib/capc/current/SEAL")).unwrap();
    let host = capc::seal::host_digest("0123456789abcdef0123456789abcdef");
    assert!(seal.contains(&format!("# host {host}\n")), "{seal}");
    let index =
        std::fs::read_to_string(scene.path.join("target/var/lib/capc/current/sources/index.json")).unwrap();
    assert!(index.contains("\"/etc/capc/system.kdl\""), "{index}");
}

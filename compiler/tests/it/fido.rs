//! FIDO keys: made, touched and asked for a PIN by the real OpenSSH, with a token made of software in its hand.

use crate::scene::{Run, Running, Scene, run, until};
use crate::transaction::scene;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const SYSTEM: &str = "system touched\nservice a { run \"/usr/bin/true\"; oneshot; }\n";

/// The token, and nobody's agent.
fn with_token(command: &mut Command) -> &mut Command {
    let library = capc_token::library().unwrap();
    command.env("SSH_SK_PROVIDER", library).env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY")
}

#[track_caller]
fn make_token_key(scene: &Scene, name: &str, more: &[&str]) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519-sk", "-C", "test", "-N", "", "-f", name]).args(more);
    // Asked for a PIN without a terminal, ssh-keygen asks this program.
    let answer = scene.program("answer", format!("#!/bin/sh\necho {}\n", capc_token::PIN));
    keygen.current_dir(&scene.path).env("SSH_ASKPASS", answer).env("SSH_ASKPASS_REQUIRE", "force");
    with_token(&mut keygen);
    run(keygen).exits(0);
}

fn capc(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = scene.command(arguments);
    with_token(&mut command);
    command
}

fn reconfigure(scene: &Scene, keys: &[&str]) -> Command {
    let mut command = capc(scene, &["reconfigure", "system.kdl", "--store", "store", "--yes"]);
    command.args(keys.iter().flat_map(|key| ["--key", key]));
    command
}

#[track_caller]
fn rotate(scene: &Scene, words: &[&str]) -> Run {
    run(capc(scene, &[&["key", "rotate", "--store", "store", "--yes"], words].concat()))
}

fn chain(scene: &Scene) -> Run {
    scene.capc(["verify", "--chain", "--store", "store"])
}

#[test]
fn a_generation_that_a_fido_key_signed_is_one_for_capc_the_launcher_and_openssh() {
    let scene = scene("fido", SYSTEM);
    make_token_key(&scene, "token", &[]);
    run(reconfigure(&scene, &["token"]))
        .exits(0)
        .says("generation 1 is current")
        .complains("touch the FIDO key that holds SHA256:");
    scene.capc(["verify", "--store", "store"]).exits(0).says("signed by SHA256:");
    scene.capc(["verify", "--store", "store", "--key", "token.pub"]).exits(0);
    scene.capc(["verify", "--store", "store", "--key", "key.pub"]).exits(3);
    let public = std::fs::read_to_string(scene.path.join("token.pub")).unwrap();
    let line = public.strip_suffix(" test\n").unwrap();
    scene
        .capc(["key", "show", "--store", "store", "--key", "token.pub"])
        .exits(0)
        .says(line)
        .says("may sign it");
    let mut launcher = Command::new(scene.path.join("store/trust/1"));
    launcher.arg("--check").arg(scene.path.join("store/generations/1"));
    run(launcher).exits(0);
    scene.write("allowed", format!("root {line}\n"));
    let mut openssh = Command::new("sh");
    let verify = "ssh-keygen -Y verify -f allowed -I root -n capc.system.v1 -s SEAL.sig < SEAL";
    openssh.args(["-c", &verify.replace("SEAL", "store/generations/1/SEAL")]).current_dir(&scene.path);
    run(openssh).exits(0).says("ED25519-SK");
    // A key of the same token for something else may not sign.
    make_token_key(&scene, "stranger", &["-O", "application=ssh:stranger"]);
    run(reconfigure(&scene, &["stranger"])).exits(3).complains("may not sign generation 2");
    run(reconfigure(&scene, &["token"])).exits(0).says("generation 2 is current");
    run(capc(&scene, &["rollback", "1", "--store", "store", "--yes", "--key", "token"])).exits(0);
    chain(&scene).exits(0).says("every link holds");
}

#[test]
fn keys_change_between_files_and_fido_keys_and_sign_together() {
    let scene = scene("fido-rotate", SYSTEM);
    make_token_key(&scene, "token", &["-O", "application=ssh:touched"]);
    make_token_key(&scene, "spare", &[]);
    run(reconfigure(&scene, &["key"])).exits(0);
    rotate(&scene, &["--key", "key", "--new-key", "token"]).exits(0).says("generation 2 is current");
    run(reconfigure(&scene, &["key"])).exits(3).complains("may not sign generation 3");
    run(reconfigure(&scene, &["token"])).exits(0);
    rotate(
        &scene,
        &[
            "--key",
            "token",
            "--new-key",
            "token",
            "--new-key",
            "spare",
            "--new-key",
            "key",
            "--threshold",
            "2",
        ],
    )
    .exits(0)
    .says("generation 4 is current");
    run(reconfigure(&scene, &["token"])).exits(3).complains("2 of SHA256:");
    run(reconfigure(&scene, &["token", "token.pub"])).exits(3).complains("2 of SHA256:");
    run(reconfigure(&scene, &["key", "token"])).exits(0);
    run(reconfigure(&scene, &["spare", "token"])).exits(0).says("generation 6 is current");
    rotate(&scene, &["--key", "spare", "--key", "key", "--new-key", "key"]).exits(0);
    run(reconfigure(&scene, &["token"])).exits(3).complains("may not sign generation 8");
    chain(&scene).exits(0).says("every link holds");
}

#[test]
fn a_fido_key_signs_through_an_agent() {
    let scene = scene("fido-agent", SYSTEM);
    make_token_key(&scene, "token", &[]);
    let socket = scene.path.join("agent.socket");
    // An agent loads only libraries that it is told to trust.
    let library = capc_token::library().unwrap().canonicalize().unwrap();
    let mut agent = Command::new("ssh-agent");
    agent.arg("-D").arg("-P").arg(library).arg("-a").arg(&socket).stdout(Stdio::null());
    let _agent = Running(agent.spawn().unwrap());
    until("the agent listens", || socket.exists());
    let mut add = Command::new("ssh-add");
    with_token(&mut add).args(["-q", "token"]).current_dir(&scene.path).env("SSH_AUTH_SOCK", &socket);
    run(add).exits(0);
    std::fs::remove_file(scene.path.join("token")).unwrap();
    let mut signed = reconfigure(&scene, &["token.pub"]);
    signed.env("SSH_AUTH_SOCK", &socket).env_remove("SSH_SK_PROVIDER");
    run(signed).exits(0).says("generation 1 is current").complains("touch the FIDO key");
    let lonely = reconfigure(&scene, &["token.pub"]);
    run(lonely).exits(3).complains("ssh-keygen did not sign with token.pub");
    chain(&scene).exits(0);
}

#[test]
fn the_touch_is_asked_for_before_it_is_waited_for() {
    let scene = scene("fido-touch", SYSTEM);
    make_token_key(&scene, "token", &[]);
    let touched = scene.path.join("touched");
    let mut command = reconfigure(&scene, &["token"]);
    command.env(capc_token::TOUCHED, &touched).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    // Nobody touches before he is asked.
    assert!(lines.any(|line| line.starts_with("touch the FIDO key that holds SHA256:")));
    assert!(!scene.path.join("store/current").exists());
    std::fs::write(&touched, "").unwrap();
    assert!(child.wait().unwrap().success(), "{:?}", lines.collect::<Vec<_>>());
    std::fs::remove_file(&touched).unwrap();
    let mut command = reconfigure(&scene, &["token"]);
    command.args(["--sign-within", "1"]).env(capc_token::TOUCHED, &touched);
    run(command).exits(3).complains("did not end within 1 s");
    chain(&scene).exits(0).says("1 is current");
}

#[test]
fn what_was_signed_without_a_touch_or_with_flags_that_nobody_knows_is_not_published() {
    let scene = scene("fido-flags", SYSTEM);
    make_token_key(&scene, "token", &[]);
    make_token_key(&scene, "untouched", &["-O", "no-touch-required"]);
    let saying = |flags: &str| {
        let mut command = reconfigure(&scene, &["token"]);
        command.env(capc_token::FLAGS, flags);
        run(command)
    };
    for flags in ["0", "4", "41", "81"] {
        saying(flags).exits(3).complains("nobody touched it");
    }
    run(reconfigure(&scene, &["untouched"])).exits(3).complains("no-touch-required");
    assert!(!scene.path.join("store/current").exists());
    for flags in ["1", "5", "1d"] {
        saying(flags).exits(0);
    }
    chain(&scene).exits(0).says("every link holds; 3 is current");
}

#[test]
fn a_pin_is_asked_for_on_the_terminal_by_ssh_keygen_itself() {
    let scene = scene("fido-pin", SYSTEM);
    make_token_key(&scene, "token", &["-O", "verify-required"]);
    let capc = env!("CARGO_BIN_EXE_capc");
    let line = format!("{capc} reconfigure system.kdl --store store --key token --yes");
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(&scene.path);
    let script = with_token(&mut script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    // What is typed before the question is thrown away (readpassphrase(3)).
    let (mut out, mut part) = (Vec::new(), [0; 4096]);
    let says = |out: &[u8], words: &str| String::from_utf8_lossy(out).contains(words);
    while let Ok(count @ 1..) = stdout.read(&mut part) {
        let asked = says(&out, "Enter PIN");
        out.extend(&part[..count]);
        if !asked && says(&out, "Enter PIN") {
            writeln!(stdin, "{}", capc_token::PIN).unwrap();
        }
    }
    let out = String::from_utf8_lossy(&out).into_owned();
    assert!(child.wait().unwrap().success() && out.contains("generation 1 is current"), "{out}");
    // Without a terminal nobody is asked, nothing is waited for, and nothing else is tried as the PIN: after some wrong ones
    // a token locks itself.
    let mut command = Command::new("setsid");
    command.args(["-w", capc, "reconfigure", "system.kdl", "--store", "store", "--yes", "--key", "token"]);
    let tried = scene.path.join("tried");
    with_token(&mut command).current_dir(&scene.path).env(capc_token::TRIED, &tried);
    run(command).exits(3).complains("ssh-keygen did not sign with token");
    assert!(!tried.exists(), "{:?}", std::fs::read_to_string(tried));
    chain(&scene).exits(0).says("1 is current");
}

#[test]
fn capc_has_a_key_made_in_a_fido_key() {
    let scene = scene("fido-init", SYSTEM);
    let init = |provider: &Path| {
        let words = ["key", "init", "--kind", "fido", "--key", "keys/root", "--no-passphrase"];
        let mut command = capc(&scene, &words);
        command.env("SSH_SK_PROVIDER", provider);
        run(command)
    };
    init(Path::new("/none.so")).exits(3).complains("is a FIDO key plugged in");
    let made = init(&capc_token::library().unwrap()).exits(0).complains("touch the FIDO key");
    made.says("sk-ssh-ed25519@openssh.com AAAA").says("SHA256:");
    run(reconfigure(&scene, &["keys/root"])).exits(0);
    // Whoever has the file alone, and not the token, signs nothing.
    let mut lonely = reconfigure(&scene, &["keys/root"]);
    lonely.env("SSH_SK_PROVIDER", "/none.so");
    run(lonely).exits(3).complains("ssh-keygen did not sign");
}

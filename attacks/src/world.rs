//! The worlds that attacks run in, each given the same: a directory to read, one to keep things in, a listening socket.

use crate::outside::Outside;
use crate::report::{self, Line};
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The uid of the attacker where the world does not choose one.
const PLAIN: u32 = 4000;

/// The first uid that capc gives to a service without an identity.
const FRESH: u32 = 0x7000_0000;

/// Runs the attacks as root, in no world at all.
///
/// # Errors
/// When they cannot be run.
pub fn nothing(outside: &mut Outside) -> io::Result<Vec<Line>> {
    fs::create_dir_all(outside.base.join("state"))?;
    let arguments = outside.arguments(PLAIN)?;
    read(Command::new(&outside.program).args(arguments))
}

/// Runs the attacks in a world of capc's, as root.
///
/// # Errors
/// When they cannot be run.
pub fn capc(capc: &Path, outside: &mut Outside) -> io::Result<Vec<Line>> {
    let _ = fs::remove_dir_all(outside.base.join("state"));
    let system = system(outside, FRESH)?;
    read(Command::new(capc).args(["up", &system, "--store"]).arg(outside.base.join("store")))
}

/// Runs the attacks in a world of capc's that a plain user made.
///
/// # Errors
/// When they cannot be run.
pub fn capc_of_a_user(capc: &Path, outside: &mut Outside) -> io::Result<Vec<Line>> {
    let _ = fs::remove_dir_all(outside.base.join("state"));
    let system = system(outside, PLAIN)?;
    let home = outside.base.join("home");
    fs::create_dir_all(&home)?;
    chown(&home, Some(PLAIN), Some(PLAIN))?;
    // The build directory may lie where a plain user cannot go.
    let own = outside.base.join("bin/capc");
    if !Command::new("cp").arg(capc).arg(&own).status()?.success() {
        return Err(io::Error::other("capc cannot be copied"));
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", "4000", "--regid", "4000", "--clear-groups", "--"])
        .arg(own)
        .args(["up", &system]);
    read(command.env("HOME", &home).env("XDG_STATE_HOME", &home).env_remove("XDG_RUNTIME_DIR"))
}

/// Runs the attacks in the world of a usual bubblewrap profile: everything unshared, the system read-only.
///
/// # Errors
/// When they cannot be run.
pub fn bubblewrap(outside: &mut Outside) -> io::Result<Vec<Line>> {
    let state = outside.base.join("state");
    fs::create_dir_all(&state)?;
    fs::set_permissions(&state, PermissionsExt::from_mode(0o777))?;
    let arguments = outside.arguments(0)?;
    let mut command = Command::new("bwrap");
    command.args(["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]);
    for system in ["/usr", "/lib", "/lib64", "/bin"] {
        command.args(["--ro-bind", system, system]);
    }
    command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"]);
    let (given, bin) = (outside.base.join("given"), outside.base.join("bin"));
    command.arg("--ro-bind").arg(&given).arg(&given).arg("--bind").arg(&state).arg(&state);
    command.arg("--ro-bind").arg(&bin).arg(&bin).args(["--chdir", "/"]);
    read(command.arg(&outside.program).args(arguments))
}

/// Writes a system with the attacker alone; returns its path.
fn system(outside: &mut Outside, uid: u32) -> io::Result<String> {
    let arguments: Vec<String> =
        outside.arguments(uid)?.into_iter().map(|argument| format!("{argument:?}")).collect();
    let at = |name: &str| outside.base.join(name).display().to_string();
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let text = format!(
        r#"system attacks
dir given "{}"
state kept "{}"
listen socket tcp="127.0.0.1:{port}"
service attacker {{
    run "{}" {}
    oneshot
    holds socket accept
    holds given read
    holds kept read write
    limits memory="128M" tasks=64
}}
"#,
        at("given"),
        at("state"),
        outside.program.display(),
        arguments.join(" ")
    );
    let path = outside.base.join("system.kdl");
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}

fn read(command: &mut Command) -> io::Result<Vec<Line>> {
    let Output { stdout, stderr, .. } =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
    let lines = report::read(&String::from_utf8_lossy(&stdout));
    match lines.is_empty() {
        true => Err(io::Error::other(String::from_utf8_lossy(&stderr).into_owned())),
        false => Ok(lines),
    }
}

//! The worlds that attacks run in, each given the same: a directory to read, one to keep things in, a listening socket.

use crate::outside::Outside;
use crate::report::{self, Line};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The uid of the attacker where the world does not choose one.
pub const PLAIN: u32 = 4000;

/// The first uid that capc gives to a service without an identity.
const FRESH: u32 = 0x7000_0000;

/// What the names of files begin with that attacks make beside what they were given.
const MADE: &str = "capc-attack-";

/// Runs the attacks as root, in no world at all, and takes away what they left.
///
/// # Errors
/// When they cannot be run.
pub fn nothing(outside: &mut Outside) -> io::Result<Vec<Line>> {
    fs::create_dir_all(outside.base.join("state"))?;
    let arguments = outside.arguments(PLAIN)?;
    let lines = read(Command::new(&outside.program).args(arguments));
    // What they make in a world's own places, they made in the machine's.
    for place in ["/tmp", "/dev/shm"] {
        let made = fs::read_dir(place)?.filter_map(Result::ok);
        made.filter(|file| file.file_name().to_string_lossy().starts_with(MADE)).for_each(|file| {
            let _ = fs::remove_file(file.path());
        });
    }
    lines
}

/// Who makes a world of capc's.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Root.
    Root,
    /// A plain user.
    User,
}

/// Which Landlock the kernel says that it has.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Landlock {
    /// What it has.
    Whole,
    /// This ABI and nothing newer.
    Abi(u32),
}

/// The least Landlock that the manifest of the world in which attacks run allows: with a passed socket, rules on ports.
pub const LEAST_ABI: u32 = 4;

/// Runs the attacks in a world of capc's.
///
/// # Errors
/// When they cannot be run.
pub fn capc(capc: &Path, outside: &mut Outside, maker: Maker, landlock: Landlock) -> io::Result<Vec<Line>> {
    let _ = fs::remove_dir_all(outside.base.join("state"));
    let home = outside.base.join("home");
    fs::create_dir_all(&home)?;
    // The build directory may lie where a plain user cannot go.
    let own = outside.base.join("bin/capc");
    if !Command::new("cp").arg(capc).arg(&own).status()?.success() {
        return Err(io::Error::other("capc cannot be copied"));
    }
    let uid = match maker {
        Maker::Root => FRESH,
        Maker::User => PLAIN,
    };
    let system = system(outside, uid)?;
    let mut words: Vec<OsString> = Vec::new();
    if maker == Maker::User {
        chown(&home, Some(PLAIN), Some(PLAIN))?;
        words.extend(
            ["setpriv", "--reuid", "4000", "--regid", "4000", "--clear-groups", "--"].map(Into::into),
        );
    }
    if let Landlock::Abi(abi) = landlock {
        // The launcher asks first, then makes the ruleset, then asks again; each process is counted by itself.
        let inject = format!("inject=landlock_create_ruleset:retval={abi}:when=1+2");
        words.extend(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e", &inject].map(Into::into),
        );
    }
    words.extend([own.into(), "up".into(), system.into(), "--store".into(), home.join("store").into()]);
    let mut words = words.into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).env("HOME", &home).env("XDG_STATE_HOME", &home).env_remove("XDG_RUNTIME_DIR");
    read(&mut command)
}

/// Runs the attacks in the world of a usual bubblewrap profile, as a plain user: everything unshared, the system read-only.
///
/// # Errors
/// When they cannot be run.
pub fn bubblewrap(outside: &mut Outside) -> io::Result<Vec<Line>> {
    let state = outside.base.join("state");
    fs::create_dir_all(&state)?;
    fs::set_permissions(&state, PermissionsExt::from_mode(0o777))?;
    let arguments = outside.arguments(PLAIN)?;
    // The socket comes as standard input, and becomes the first that is passed.
    let socket = TcpListener::bind("127.0.0.1:0")?;
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "exec 3<&0 0</dev/null; exec setpriv --reuid 4000 --regid 4000 --clear-groups -- bwrap \"$@\"",
        "bwrap",
    ]);
    command.args(["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]);
    command.args(["--setenv", "LISTEN_FDS", "1"]);
    for system in ["/usr", "/lib", "/lib64", "/bin"] {
        command.args(["--ro-bind", system, system]);
    }
    command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"]);
    let (given, bin) = (outside.base.join("given"), outside.base.join("bin"));
    command.arg("--ro-bind").arg(&given).arg(&given).arg("--bind").arg(&state).arg(&state);
    command.arg("--ro-bind").arg(&bin).arg(&bin).args(["--chdir", "/"]);
    read_from(command.arg(&outside.program).args(arguments), OwnedFd::from(socket).into())
}

/// Writes a system with the attacker alone; returns its path.
fn system(outside: &mut Outside, uid: u32) -> io::Result<String> {
    let arguments: Vec<String> =
        outside.arguments(uid)?.into_iter().map(|argument| format!("{argument:?}")).collect();
    let at = |name: &str| outside.base.join(name).display().to_string();
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
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
    read_from(command, Stdio::null())
}

fn read_from(command: &mut Command, input: Stdio) -> io::Result<Vec<Line>> {
    let Output { stdout, stderr, .. } =
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
    let lines = report::read(&String::from_utf8_lossy(&stdout));
    match lines.is_empty() {
        true => Err(io::Error::other(String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())),
        false => Ok(lines),
    }
}

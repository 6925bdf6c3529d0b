//! Signing through `ssh-keygen`: capc holds no private key.

use crate::seal::{self, SignatureError, fingerprint};
use capc_schemas::public_key::{FIDO, PLAIN, PublicKey};
use capc_schemas::seal::ScopeKind;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// More than any signer has to say.
const MAX_ANSWER: u64 = 1 << 16;

/// Somebody who can be asked to sign.
pub struct Signer {
    /// The private half, or the public one of a key that an agent holds.
    pub path: PathBuf,
    /// The public half.
    pub key: PublicKey,
}

impl Signer {
    /// Reads the public half of a key file; of `NAME.pub` an agent is to have the private one.
    ///
    /// # Errors
    /// Says what is wrong and how a key is made.
    pub fn at(path: &Path) -> Result<Self, String> {
        let is_public = path.extension().is_some_and(|extension| extension == "pub");
        let public = if is_public { path.to_owned() } else { public_half(path) };
        match read_public(&public) {
            Ok(key) => Ok(Self { path: path.to_owned(), key }),
            Err(_) if !is_public && path.exists() && !public.exists() => Err(format!(
                "the key `{0}` has no public half beside it; make it with: ssh-keygen -y -f {0} > {0}.pub",
                path.display()
            )),
            Err(error) => Err(error),
        }
    }

    /// Returns it for people.
    pub fn describe(&self) -> String {
        format!("{} ({})", fingerprint(&self.key), self.path.display())
    }

    /// Has `ssh-keygen -Y sign` sign a SEAL, by standard input and output: with a file, an old signature beside it could
    /// be left standing with status 0. What comes is verified at once.
    fn sign(&self, seal: &[u8], within: Duration) -> Result<Vec<u8>, String> {
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "sign", "-n", ScopeKind::System.namespace(), "-f"]).arg(&self.path);
        if self.key.application.is_some() {
            // What ssh-keygen says of it is kept for when it fails, and an agent says nothing.
            super::complain!("touch the FIDO key that holds {}", self.describe());
        }
        if nobody_can_be_asked() {
            command.envs([("SSH_ASKPASS_REQUIRE", "force"), ("SSH_ASKPASS", "/bin/false")]);
        }
        let Answer { status, out, err } = ask(command, seal, within)?;
        let said = String::from_utf8_lossy(&err);
        let said = said.trim();
        if status != Some(0) {
            return Err(format!("ssh-keygen did not sign with {}: {said}", self.path.display()));
        }
        match seal::signed_by(seal, &out) {
            Ok(signed) if signed == [self.key] => Ok(out),
            Ok(signed) => {
                let signed: Vec<String> = signed.iter().map(fingerprint).collect();
                Err(format!(
                    "ssh-keygen ended well, but signed with {}, which is not {}",
                    signed.join(", "),
                    self.describe()
                ))
            }
            Err(SignatureError::Bad) => Err(format!(
                "ssh-keygen ended well, but what it printed signs something else than this SEAL: an old signature, \
or a `{}` that does not belong to its `.pub`",
                self.path.display()
            )),
            Err(SignatureError::Untouched) => Err(format!(
                "ssh-keygen ended well, but by what the FIDO key says nobody touched it: the launcher takes no such \
signature; a key made without `-O no-touch-required` waits for the touch ({})",
                self.path.display()
            )),
            Err(_) => Err(format!(
                "ssh-keygen ended well, but printed no Ed25519 signature ({} bytes); it said: {said}",
                out.len()
            )),
        }
    }
}

/// Has every signer sign; the signatures stand by key, as the launcher reads them.
///
/// # Errors
/// Says who did not, and why.
pub fn sign_all(signers: &[Signer], seal: &[u8], within: Duration) -> Result<Vec<u8>, String> {
    let mut all: Vec<&Signer> = signers.iter().collect();
    all.sort_by_key(|signer| signer.key);
    all.dedup_by_key(|signer| signer.key.point);
    let mut armours = Vec::new();
    for signer in all {
        armours.extend(signer.sign(seal, within)?);
    }
    Ok(armours)
}

/// Returns whether there is neither a terminal to ask for a passphrase or PIN on, nor a program that asks.
///
/// ssh-keygen would then take the first line of what it is to sign for one, and a FIDO key locks itself after some wrong PINs.
fn nobody_can_be_asked() -> bool {
    let value = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    // ssh(1) says when the program is run.
    let has_program = match value("SSH_ASKPASS_REQUIRE") {
        Some(wish) => !wish.eq_ignore_ascii_case("never"),
        None => value("DISPLAY").is_some(),
    };
    !has_program && std::fs::File::open("/dev/tty").is_err()
}

/// Returns the path of a key's public half.
#[must_use]
pub fn public_half(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Reads a public key file.
///
/// # Errors
/// Says what is wrong and how a key is made.
pub fn read_public(path: &Path) -> Result<PublicKey, String> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let key = path.with_extension("");
        format!(
            "cannot read the public key `{}`: {error}\nmake a key with: capc key init --key {}",
            path.display(),
            key.display()
        )
    })?;
    seal::public_key_of(&text).ok_or_else(|| {
        let path = path.display();
        match text.split_ascii_whitespace().next().unwrap_or("") {
            PLAIN => format!("`{path}` is no whole {PLAIN} key of OpenSSH"),
            FIDO => format!(
                "`{path}` is no whole {FIDO} key of OpenSSH, or its application is not `ssh:` with up to 60 printable bytes"
            ),
            other if ["ssh-", "sk-", "ecdsa-"].iter().any(|kind| other.starts_with(kind)) => format!(
                "`{path}` is a key of the kind {other}; the launcher verifies {PLAIN} and {FIDO} alone, from a file, an \
agent or a FIDO key"
            ),
            _ => format!("`{path}` is no Ed25519 public key of OpenSSH"),
        }
    })
}

/// What a program answered.
struct Answer {
    status: Option<i32>,
    out: Vec<u8>,
    err: Vec<u8>,
}

/// Runs a program with some input until it ends, or its time has run out.
fn ask(mut command: Command, input: &[u8], within: Duration) -> Result<Answer, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("`{name}` is not installed (Debian: openssh-client)"),
        _ => format!("cannot run {name}: {error}"),
    })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // Nobody waits for these threads: what a stopped signer has started itself may hold the pipes open for long.
    let input = input.to_vec();
    thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
    let (out, err) = (listen(stdout), listen(stderr));
    let in_time = matches!(wait(&mut child, within), Ok(true));
    if !in_time {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| format!("{name}: {error}"))?;
    let answer = in_time.then(|| Some((out.recv_timeout(within).ok()?, err.recv_timeout(within).ok()?)));
    // A signer that does not read its input to the end has signed something else, which is seen later.
    let (out, err) = answer.flatten().ok_or_else(|| {
        format!(
            "{name} did not end within {} s and was stopped; --sign-within gives it more time",
            within.as_secs()
        )
    })?;
    Ok(Answer { status: status.code(), out, err })
}

/// Reads to the end, or as much as makes sense; whoever goes on writing is then told that nobody listens.
fn listen(stream: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (told, answer) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stream.map(|stream| stream.take(MAX_ANSWER).read_to_end(&mut text));
        told.send(text)
    });
    answer
}

/// Returns whether a child ends in time.
fn wait(child: &mut Child, within: Duration) -> io::Result<bool> {
    let pid = Pid::from_child(child);
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let within = Timespec { tv_sec: i64::try_from(within.as_secs()).unwrap_or(i64::MAX), tv_nsec: 0 };
    let mut watched = [PollFd::new(&process, PollFlags::IN)];
    loop {
        match rustix::event::poll(&mut watched, Some(&within)) {
            Ok(ended) => return Ok(ended > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

//! `capc key`: made by `ssh-keygen`, shown, and changed by a generation that old and new keys sign.

use super::rollback::{again, with_default_key};
use super::signer::{Signer, public_half};
use super::transaction::{self, Ground};
use super::{Failure, compile};
use crate::cli::{Exit, Key, KeyInit, KeyKind, KeyRotate, KeyShow, Sealing};
use crate::emit::store;
use crate::seal::{Signers, fingerprint, line_of};
use std::io::IsTerminal;
use std::os::unix::fs::DirBuilderExt;
use std::process::{Command, Stdio};

/// Does what is asked with keys.
pub fn run(command: &Key) -> Exit {
    let result = match command {
        Key::Init(arguments) => init(arguments),
        Key::Show(arguments) => show(arguments),
        Key::Rotate(arguments) => rotate(arguments),
    };
    match result {
        Ok(exit) => exit,
        Err(failure) => failure.report(),
    }
}

fn init(arguments: &KeyInit) -> Result<Exit, Failure> {
    let path = compile::absolute(&arguments.key)?;
    let public = public_half(&path);
    for there in [&path, &public] {
        if there.symlink_metadata().is_ok() {
            return Err(Failure::refused(format!(
                "`{}` is there already; capc overwrites no key: choose another name, and let `capc key rotate` change to it",
                there.display()
            )));
        }
    }
    if !arguments.no_passphrase && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "there is no terminal to ask for a passphrase on; --no-passphrase makes a key without one",
        ));
    }
    if let Some(parent) = path.parent() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(|error| Failure::refused(format!("cannot make `{}`: {error}", parent.display())))?;
    }
    let kind = match arguments.kind {
        KeyKind::File => "ed25519",
        KeyKind::Fido => "ed25519-sk",
    };
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", kind, "-C", "capc", "-f"]).arg(&path);
    if arguments.no_passphrase {
        keygen.args(["-N", ""]).stdin(Stdio::null());
    }
    if arguments.kind == KeyKind::Fido {
        super::complain!("touch the FIDO key, so that it makes a key");
    }
    let status =
        keygen.status().map_err(|error| Failure::refused(format!("cannot run ssh-keygen: {error}")))?;
    if !status.success() {
        return Err(Failure::refused(match arguments.kind {
            KeyKind::File => "ssh-keygen made no key",
            KeyKind::Fido => "ssh-keygen made no key: is a FIDO key plugged in, and was it touched?",
        }));
    }
    let signer = Signer::at(&path).map_err(Failure::refused)?;
    super::say!("{}", signer.describe());
    super::say!("{}", line_of(&signer.key));
    super::say!(
        "keep `{}` where only you can read it; the first `capc reconfigure` introduces it",
        path.display()
    );
    Ok(Exit::Clean)
}

fn show(arguments: &KeyShow) -> Result<Exit, Failure> {
    let refused = |error: store::StoreError| Failure::refused(error.to_string());
    let path = compile::absolute(&arguments.store)?;
    let asked = signers(&arguments.keys)?;
    let Some(found) = store::standing(&path).map_err(refused)? else {
        super::say!("the store `{}` has no generation: the first one introduces its keys", path.display());
        for signer in &asked {
            super::say!("  {}", signer.describe());
        }
        return Ok(Exit::Clean);
    };
    store::signed(&path, &found).map_err(refused)?;
    let next = found.next_signers().map_err(refused)?;
    let number = found.number + 1;
    super::say!("generation {number} must be signed by {} of these {}:", next.threshold(), next.keys().len());
    for key in next.keys() {
        super::say!("  {}  {}", fingerprint(key), line_of(key));
    }
    let mut exit = Exit::Clean;
    for signer in &asked {
        let may = next.keys().contains(&signer.key);
        super::say!("{} {}", signer.describe(), if may { "may sign it" } else { "may not sign it" });
        exit = if may { exit } else { Exit::Refused };
    }
    Ok(exit)
}

fn rotate(arguments: &KeyRotate) -> Result<Exit, Failure> {
    let new = signers(&arguments.new_keys)?;
    let keys: Vec<_> = new.iter().map(|signer| signer.key).collect();
    let threshold = arguments.threshold;
    let next = threshold
        .map_or_else(|| Signers::all(&keys), |threshold| Signers::new(keys.iter().copied(), threshold));
    let next = next.ok_or_else(|| {
        let number = threshold.unwrap_or(0);
        Failure::usage(format!("--threshold {number} asks for other than 1 to {} keys", keys.len()))
    })?;
    let ground = Ground::open(&compile::absolute(&arguments.store)?, None, &arguments.sealing)?;
    let current = ground.current()?;
    let mut sealing = with_default_key(&arguments.sealing, current)?;
    sealing.keys.extend(arguments.new_keys.iter().cloned());
    // A key that stays is asked once.
    let mut known = Vec::new();
    let mut asked = Vec::new();
    for signer in signers(&sealing.keys)? {
        if !known.contains(&signer.key) {
            known.push(signer.key);
            asked.push(signer.path);
        }
    }
    let sealing = Sealing { keys: asked, ..sealing };
    if current.next_signers().is_ok_and(|named| named == next) {
        return Err(Failure::usage("these keys, and as many of them, may sign already"));
    }
    let proposal = again(current, Some(next))?;
    match transaction::run(ground, proposal, &sealing)? {
        Ok(done) => done.applied.map(|()| Exit::Clean),
        Err(exit) => Ok(exit),
    }
}

fn signers(paths: &[std::path::PathBuf]) -> Result<Vec<Signer>, Failure> {
    paths.iter().map(|path| Signer::at(path)).collect::<Result<_, _>>().map_err(Failure::refused)
}

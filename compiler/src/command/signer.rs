//! Signing through `ssh-keygen`: capc holds no private key.

use crate::seal;
use capc_schemas::seal::ScopeKind;
use capc_schemas::token::PublicKey;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
            "cannot read the public key `{}`: {error}\nmake a key with: ssh-keygen -t ed25519 -f {}",
            path.display(),
            key.display()
        )
    })?;
    seal::public_key_of(&text)
        .ok_or_else(|| format!("`{}` is no Ed25519 public key of OpenSSH", path.display()))
}

/// Has `ssh-keygen -Y sign` sign a SEAL, by standard input and output: with a file, an old signature beside it could be
/// left standing with status 0.
///
/// # Errors
/// Says what `ssh-keygen` said.
pub fn sign(key: &Path, seal: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", ScopeKind::System.namespace(), "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run ssh-keygen: {error}"))?;
    let mut stdin = child.stdin.take().ok_or("ssh-keygen has no standard input")?;
    let sent = stdin.write_all(seal);
    drop(stdin);
    let output = child.wait_with_output().map_err(|error| format!("ssh-keygen: {error}"))?;
    if !output.status.success() || sent.is_err() {
        return Err(format!("ssh-keygen did not sign: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(output.stdout)
}

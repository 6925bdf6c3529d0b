//! A FIDO token made of software: a library that OpenSSH loads as `SSH_SK_PROVIDER`, for tests alone.
//!
//! It speaks OpenSSH's sk-api.h, version 10, and signs as PROTOCOL.u2f says. Nothing is kept: a key handle is the private
//! key. How it behaves is told by its environment, see [`FLAGS`], [`TOUCHED`], [`TRIED`] and
//! [`PIN`].

mod api;

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Names the variable with the flags, in hexadecimal, that it says of the moment instead of what is so.
pub const FLAGS: &str = "CAPC_TOKEN_FLAGS";

/// Names the variable with a file: the token is touched when that is there.
pub const TOUCHED: &str = "CAPC_TOKEN_TOUCHED";

/// Names the variable with a file that it adds each wrong PIN to; real ones count them, and lock themselves.
pub const TRIED: &str = "CAPC_TOKEN_TRIED";

/// The PIN of whoever owns it.
pub const PIN: &str = "1234";

/// How long it waits to be touched.
const PATIENCE: Duration = Duration::from_secs(20);

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;

/// Returns the library that OpenSSH is to load; cargo puts it beside the tests of whoever depends on this package.
///
/// # Errors
/// When it is not there.
pub fn library() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = test.parent().unwrap_or(Path::new("/")).join("libcapc_token.so");
    if path.exists() { Ok(path) } else { Err(format!("cargo built no `{}`", path.display())) }
}

/// Why it does not do what it is asked.
enum Denial {
    /// It is not touched, or has no randomness.
    General,
    /// That is no Ed25519 key.
    Unsupported,
    /// Its owner's PIN is missing, or wrong.
    Pin,
}

/// What it signs, and says of the moment.
struct Signed {
    flags: u8,
    counter: u32,
    signature: [u8; 64],
}

/// Makes a key; returns it, of which the public half is told to all and the other to whoever keeps the handle.
fn enroll(flags: u8, pin: Option<&str>) -> Result<SigningKey, Denial> {
    moment(flags, pin)?;
    Ok(SigningKey::from_bytes(&random()?))
}

/// Signs some data for an application.
fn sign(
    handle: &[u8],
    application: &[u8],
    data: &[u8],
    flags: u8,
    pin: Option<&str>,
) -> Result<Signed, Denial> {
    let key = SigningKey::from_bytes(handle.try_into().map_err(|_| Denial::Unsupported)?);
    let flags = moment(flags, pin)?;
    // Real ones count up, each in its own way: nobody is to rely on it.
    let counter = u32::from_be_bytes(random()?);
    let (application, data) = (Sha256::digest(application), Sha256::digest(data));
    let signed = [application.as_slice(), &[flags], &counter.to_be_bytes(), data.as_slice()].concat();
    Ok(Signed { flags, counter, signature: key.sign(&signed).to_bytes() })
}

/// Waits for the touch and looks at the PIN, as far as these flags ask for them; returns what is so.
fn moment(asked: u8, pin: Option<&str>) -> Result<u8, Denial> {
    let is_verified = asked & VERIFIED != 0;
    if is_verified && pin != Some(PIN) {
        if let (Some(file), Some(wrong)) = (std::env::var_os(TRIED), pin) {
            let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
            let _ = opened.and_then(|mut file| writeln!(file, "{wrong}"));
        }
        return Err(Denial::Pin);
    }
    let end = Instant::now() + PATIENCE;
    while let Some(file) = std::env::var_os(TOUCHED).filter(|_| asked & PRESENT != 0)
        && !Path::new(&file).exists()
    {
        if Instant::now() > end {
            return Err(Denial::General);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let told = std::env::var(FLAGS).ok().and_then(|flags| u8::from_str_radix(&flags, 16).ok());
    Ok(told.unwrap_or(asked & PRESENT | if is_verified { VERIFIED } else { 0 }))
}

fn random<const COUNT: usize>() -> Result<[u8; COUNT], Denial> {
    let mut bytes = [0; COUNT];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map(|()| bytes).map_err(|_| Denial::General)
}

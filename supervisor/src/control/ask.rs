//! Asking a supervisor that runs.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{Answer, Request};
use crate::error::Error;
use crate::sockets;

/// More than any answer has.
const LONGEST: u64 = 64 << 20;

/// Asks the supervisor that has a runtime directory.
///
/// # Errors
/// [`Error::NotRunning`] if there is none, and what the system says otherwise.
pub fn ask(runtime: &Path, request: &Request) -> Result<Answer, Error> {
    let mut socket = match sockets::connect(&runtime.join("control")) {
        Ok(socket) => UnixStream::from(socket),
        Err(error) => {
            return Err(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    Error::NotRunning(runtime.display().to_string())
                }
                _ => Error::when::<io::Error>(format!("ask the supervisor in {}", runtime.display()))(error),
            });
        }
    };
    let mut line = serde_json::to_string(request).map_err(io::Error::other).map_err(Error::when("ask"))?;
    line.push('\n');
    let mut answer = Vec::new();
    let asked = socket.write_all(line.as_bytes());
    let heard = asked.and_then(|()| socket.take(LONGEST).read_to_end(&mut answer));
    let is_turned_away = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
    };
    if let Some(error) = heard.err().filter(|error| !is_turned_away(error)) {
        return Err(Error::when::<io::Error>("hear the supervisor's answer")(error));
    }
    if answer.is_empty() {
        let why = io::Error::other("it has ended, or too many others ask it at this moment");
        return Err(Error::when::<io::Error>("hear the supervisor's answer")(why));
    }
    serde_json::from_slice(&answer)
        .map_err(io::Error::from)
        .map_err(Error::when("read the supervisor's answer"))
}

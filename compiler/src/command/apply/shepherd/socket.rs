//! The Shepherd's socket: one command a connection, one reply, both Scheme (`(shepherd comm)` of the Shepherd itself).

use super::datum::Datum;
use crate::command::Failure;
use crate::emit::init::shepherd::Scheme;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It was done, with this result.
    Done(Datum),
    /// It was not, for this reason.
    Failed(String),
}

/// How many letters of a reason are passed on.
const MOST_SAID: usize = 1000;
/// The longest reply that is read.
const LONGEST: u64 = 16 << 20;

/// How long an answer may take.
pub struct Patience<'p> {
    /// In all.
    pub within: Duration,
    /// How long nothing is said meanwhile.
    pub silent: Duration,
    /// What is done when nothing was said for so long.
    pub meanwhile: &'p mut dyn FnMut(),
}

/// Has the Shepherd that listens at a place do something.
///
/// # Errors
/// When it is not there, or ends without an answer.
pub fn ask(
    place: &Path,
    action: &str,
    service: &str,
    arguments: &[&str],
    within: Duration,
) -> Result<Reply, Failure> {
    let patience = Patience { within, silent: within, meanwhile: &mut || {} };
    ask_patiently(place, action, service, arguments, patience)?.ok_or_else(|| {
        let (place, seconds) = (place.display(), within.as_secs());
        Failure::refused(format!("the Shepherd at {place} did not answer within {seconds} seconds"))
    })
}

/// The same of something that may take its time; none if that is over.
///
/// # Errors
/// When it is not there, or ends without an answer.
pub fn ask_patiently(
    place: &Path,
    action: &str,
    service: &str,
    arguments: &[&str],
    patience: Patience<'_>,
) -> Result<Option<Reply>, Failure> {
    let gone = |error: std::io::Error| {
        Failure::refused(format!("the Shepherd at {} went away: {error}", place.display()))
    };
    let mut socket = UnixStream::connect(place).map_err(|error| {
        Failure::refused(format!(
            "no Shepherd answers at {}: {error}; start it, name its socket in SHEPHERD_SOCKET, or seal for another init with --init",
            place.display()
        ))
    })?;
    // What is told to it is what root's services are: whoever answers must be root, or the caller.
    let peer = rustix::net::sockopt::socket_peercred(&socket).map_err(|error| gone(error.into()))?;
    if !peer.uid.is_root() && peer.uid != rustix::process::geteuid() {
        return Err(Failure::refused(format!("who answers at {} is neither root nor you", place.display())));
    }
    socket.set_read_timeout(Some(patience.silent)).map_err(gone)?;
    let arguments: Vec<String> = arguments.iter().map(|one| Scheme::text(one).to_string()).collect();
    let command = format!(
        "(shepherd-command (version 0) (action {action}) (service {service}) (arguments ({})) (directory \"/\"))",
        arguments.join(" ")
    );
    socket.write_all(command.as_bytes()).map_err(gone)?;
    let mut text = Vec::new();
    let mut socket = socket.take(LONGEST);
    let begin = Instant::now();
    // What was read before a pause is kept.
    while let Err(error) = socket.read_to_end(&mut text) {
        match error.kind() {
            ErrorKind::WouldBlock if begin.elapsed() >= patience.within => return Ok(None),
            ErrorKind::WouldBlock => (patience.meanwhile)(),
            _ => return Err(gone(error)),
        }
    }
    let reply = Datum::read(&String::from_utf8_lossy(&text));
    let cut = || Failure::refused(format!("the Shepherd at {} went away without an answer", place.display()));
    reply.as_ref().and_then(understood).map(Some).ok_or_else(cut)
}

/// Returns whether somebody takes connections there.
pub fn answers(place: &Path) -> bool {
    UnixStream::connect(place).is_ok()
}

/// Returns what a reply says; none if it is no reply.
fn understood(reply: &Datum) -> Option<Reply> {
    let error = reply.field("error")?.first()?;
    if error.atom() == Some("#f") {
        // The result of an action is the one part of a list.
        return Some(Reply::Done(reply.field("result")?.first()?.list().first()?.clone()));
    }
    Some(Reply::Failed(reason(error)))
}

/// Returns what an error says: that of an exception is a format and what goes into it.
fn reason(error: &Datum) -> String {
    let said = match error.list() {
        [_, _, kind, _, _, _, arguments] if kind.atom() == Some("action-exception") => match arguments.list()
        {
            [_, format, values, ..] if format.text().is_some() => {
                let mut parts = format.text().unwrap_or_default().split('~');
                let mut said = parts.next().unwrap_or_default().to_owned();
                let mut values = values.list().iter();
                for part in parts {
                    said += &values.next().map(Datum::to_string).unwrap_or_default();
                    said += part.get(1..).unwrap_or_default();
                }
                said
            }
            _ => error.to_string(),
        },
        _ => error.list().iter().skip(2).map(Datum::to_string).collect::<Vec<String>>().join(" "),
    };
    said.chars().take(MOST_SAID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &str, expected: &str) {
        let reply = understood(&Datum::read(reply).unwrap()).unwrap();
        assert_eq!(format!("{reply:?}"), expected);
    }

    #[test]
    fn a_reply_of_the_shepherd_says_what_came_of_it() {
        check(r#"(reply (version 0) (result ((1 "a"))) (error #f) (messages ("x")))"#, {
            r#"Done(List([Atom("1"), Text("a")]))"#
        });
        let error = |error: &str| {
            format!("(reply (version 0) (result #f) (error (error (version 0) {error})) (messages ()))")
        };
        check(
            &error(
                r#"action-exception load root system-error ("open-fdes" "~A" ("No such file or directory") (2))"#,
            ),
            r#"Failed("No such file or directory")"#,
        );
        check(
            &error(r#"action-exception eval root misc-error (#f "~A ~S" ("capc: x" 5) #f)"#),
            r#"Failed("capc: x 5")"#,
        );
        check(&error("service-not-found capc"), r#"Failed("service-not-found capc")"#);
    }
}

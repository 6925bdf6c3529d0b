//! Why the supervisor could not begin or go on.

use std::fmt;
use std::io;

use crate::plan::PlanError;

/// Why the supervisor could not begin or go on.
#[derive(Debug)]
pub enum Error {
    /// The plan does not fit together.
    Plan(PlanError),
    /// Another supervisor has the runtime directory.
    Taken(String),
    /// No supervisor has the runtime directory.
    NotRunning(String),
    /// A service ended before its sockets listened.
    Unready(String),
    /// A service was not ready within its time.
    Late(String),
    /// The system refused something.
    System {
        /// What was being done, as in `cannot DOING`.
        doing: String,
        /// What the system said.
        why: io::Error,
    },
}

impl Error {
    /// Returns a function that says of an error what was being done.
    pub(crate) fn when<E: Into<io::Error>>(doing: impl Into<String>) -> impl FnOnce(E) -> Error {
        |why| Error::System { doing: doing.into(), why: why.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Plan(error) => error.fmt(out),
            Error::Taken(runtime) => write!(out, "another supervisor runs this system (it holds {runtime})"),
            Error::NotRunning(runtime) => write!(out, "no supervisor runs in {runtime}"),
            Error::Unready(service) => write!(out, "`{service}` ended before its sockets listened"),
            Error::Late(service) => write!(out, "`{service}` was not ready within its time"),
            Error::System { doing, why } => write!(out, "cannot {doing}: {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Plan(error) => Some(error),
            Error::Taken(_) | Error::NotRunning(_) | Error::Unready(_) | Error::Late(_) => None,
            Error::System { why, .. } => Some(why),
        }
    }
}

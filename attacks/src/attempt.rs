//! One attempt, in a child of its own.

use crate::aim::Aim;
use std::fmt;

/// What an attempt comes to: it succeeded, or the number of the error that stopped it, or [`NO_EFFECT`].
pub type Attempt = Result<(), i32>;

/// What an attempt returns that was not refused and changed nothing either.
pub const NO_EFFECT: i32 = 0;

/// How long an attempt may take, in seconds.
const PATIENCE: u32 = 5;

/// Something that nobody in a world should be able to do.
pub struct Attack {
    /// What it is, as the end of "can it …".
    pub name: &'static str,
    /// Tries it.
    pub run: fn(&Aim) -> Attempt,
}

/// Returns an attack.
pub const fn attack(name: &'static str, run: fn(&Aim) -> Attempt) -> Attack {
    Attack { name, run }
}

/// How an attempt ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Open,
    /// It failed with this error.
    Refused(i32),
    /// It was not refused, and changed nothing.
    NoEffect,
    /// It was killed with this signal.
    Killed(i32),
    /// It could not even be begun.
    NotBegun,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("succeeded"),
            Self::Refused(number) => match errno_name(*number) {
                Some(name) => f.write_str(name),
                None => write!(f, "errno {number}"),
            },
            Self::NoEffect => f.write_str("no effect"),
            Self::Killed(libc::SIGSYS) => f.write_str("killed: SIGSYS"),
            Self::Killed(libc::SIGALRM) => f.write_str("no answer"),
            Self::Killed(libc::SIGKILL) => f.write_str("killed: SIGKILL"),
            Self::Killed(signal) => write!(f, "killed: signal {signal}"),
            Self::NotBegun => f.write_str("no child for it"),
        }
    }
}

/// Makes an attempt in a child and returns how it ended.
pub fn outcome(attack: &Attack, aim: &Aim) -> Outcome {
    const OTHER: i32 = 255;
    // SAFETY: this program has one thread, so the child may do everything.
    let child = unsafe { libc::fork() };
    match child {
        ..0 => Outcome::NotBegun,
        0 => {
            // SAFETY: neither call touches memory; `alarm` ends what hangs.
            unsafe { libc::alarm(PATIENCE) };
            // Where too much memory is somebody's end, it is to be this one's, and not of the one that counts.
            let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
            let code = match (attack.run)(aim) {
                Ok(()) => 0,
                Err(number) if (1..OTHER).contains(&number) => number,
                Err(_) => OTHER,
            };
            // SAFETY: ends the child without running what the parent has registered.
            unsafe { libc::_exit(code) }
        }
        _ => {
            let mut status = 0;
            // SAFETY: `status` outlives the call.
            while unsafe { libc::waitpid(child, &mut status, libc::__WALL) } < 0 {
                if crate::attempts::call::last_error() != libc::EINTR {
                    return Outcome::NotBegun;
                }
            }
            match libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)) {
                Some(0) => Outcome::Open,
                Some(OTHER) => Outcome::NoEffect,
                Some(number) => Outcome::Refused(number),
                None => Outcome::Killed(libc::WTERMSIG(status)),
            }
        }
    }
}

/// Returns the name of an error that is usual here.
fn errno_name(number: i32) -> Option<&'static str> {
    const NAMES: &[(i32, &str)] = &[
        (libc::EPERM, "EPERM"),
        (libc::ENOENT, "ENOENT"),
        (libc::ESRCH, "ESRCH"),
        (libc::ENXIO, "ENXIO"),
        (libc::EBADF, "EBADF"),
        (libc::EAGAIN, "EAGAIN"),
        (libc::ENOMEM, "ENOMEM"),
        (libc::EACCES, "EACCES"),
        (libc::EFAULT, "EFAULT"),
        (libc::EBUSY, "EBUSY"),
        (libc::EEXIST, "EEXIST"),
        (libc::EXDEV, "EXDEV"),
        (libc::ENODEV, "ENODEV"),
        (libc::ENOTDIR, "ENOTDIR"),
        (libc::EINVAL, "EINVAL"),
        (libc::EMFILE, "EMFILE"),
        (libc::ENOTTY, "ENOTTY"),
        (libc::ETXTBSY, "ETXTBSY"),
        (libc::EFBIG, "EFBIG"),
        (libc::ENOSPC, "ENOSPC"),
        (libc::EROFS, "EROFS"),
        (libc::ENOSYS, "ENOSYS"),
        (libc::EOPNOTSUPP, "EOPNOTSUPP"),
        (libc::EPROTONOSUPPORT, "EPROTONOSUPPORT"),
        (libc::ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT"),
        (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
        (libc::ENETUNREACH, "ENETUNREACH"),
        (libc::ECONNREFUSED, "ECONNREFUSED"),
        (libc::ENOTCONN, "ENOTCONN"),
        (libc::EDQUOT, "EDQUOT"),
    ];
    NAMES.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

//! Session: no terminal, no ignored signals, no keys, no permissions that only the init's umask would take away.

use crate::refusal::{Layer, OrRefuse, Refusal};
use crate::sys::{self, Errno};

/// Begins anew.
///
/// # Errors
/// When the kernel does not let us.
pub fn begin<'m>() -> Result<(), Refusal<'m>> {
    sys::new_session().or_refuse(Layer::Session, "setsid")?;
    sys::reset_signals().or_refuse(Layer::Session, "resetting signals")?;
    sys::set_umask(0o022);
    match sys::new_keyring() {
        // A kernel without keys has none to leave behind.
        Ok(()) | Err(Errno::ENOSYS) => Ok(()),
        Err(errno) => Err(errno).or_refuse(Layer::Session, "leaving the session's keys"),
    }
}

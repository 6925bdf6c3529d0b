//! What the attempts aim at.

use std::path::PathBuf;

/// The argument with which this program does nothing, successfully.
pub const SUCCEED: &str = "--succeed";

/// Where everything lies: what this world was given, and what it was not.
#[derive(Debug, Default)]
pub struct Aim {
    /// A directory that was given for reading: with `file`, `program`, a listening socket `door` and a FIFO `pipe`.
    pub given: PathBuf,
    /// A directory that was given for reading and changing.
    pub state: PathBuf,
    /// A directory beside them that was not given: with `secret`, and a listening socket `door`.
    pub outside: PathBuf,
    /// A port of 127.0.0.1 outside, which greets over TCP and answers over UDP.
    pub port: u16,
    /// The name of a listening abstract socket outside.
    pub name: String,
    /// A process outside.
    pub pid: i32,
    /// A process outside that runs under the same uid.
    pub twin: i32,
    /// The key of a System V segment, a message queue and a semaphore outside.
    pub key: i32,
}

impl Aim {
    /// Reads `KEY=VALUE` arguments.
    ///
    /// # Errors
    /// Names the argument that is none.
    pub fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut aim = Self::default();
        for argument in arguments {
            let bad = || format!("`{argument}` is no argument of this program");
            let (key, value) = argument.split_once('=').ok_or_else(bad)?;
            let number = || value.parse::<i32>().map_err(|_| bad());
            match key {
                "given" => aim.given = value.into(),
                "state" => aim.state = value.into(),
                "outside" => aim.outside = value.into(),
                "name" => aim.name = value.into(),
                "port" => aim.port = value.parse().map_err(|_| bad())?,
                "pid" => aim.pid = number()?,
                "twin" => aim.twin = number()?,
                "key" => aim.key = number()?,
                _ => return Err(bad()),
            }
        }
        Ok(aim)
    }
}

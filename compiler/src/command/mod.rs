//! One command a file: what each does with the pipeline, and what it prints.

mod apply;
mod attend;
mod check;
mod compile;
mod denied;
mod diff;
mod doctor;
mod drift;
mod explain;
mod files;
mod first;
mod fmt;
mod foreign;
mod gc;
mod generation;
mod generations;
mod graph;
mod import;
mod instance;
mod key;
mod last;
mod launcher;
mod logs;
mod manual;
mod memory;
mod ps;
mod question;
mod reconfigure;
mod review;
mod revision;
mod rollback;
mod running;
#[cfg(test)]
mod schemas;
mod sealed_plan;
mod sealed_words;
mod show;
mod signer;
mod status;
mod steer;
mod together;
mod trace;
mod transaction;
mod up;
mod verify;

use crate::cli::{Cli, Command, Exit};
use clap::Parser;
use std::ffi::OsString;

/// Prints to standard output as it is; that somebody stopped reading (`| head`) is no error.
macro_rules! say_as_is {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(std::io::stdout().lock(), $($part)*);
    }};
}
/// Prints a line to standard output.
macro_rules! say {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), $($part)*);
    }};
}
/// Prints to standard error as it is.
macro_rules! complain_as_is {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(std::io::stderr().lock(), $($part)*);
    }};
}
/// Prints a line to standard error.
macro_rules! complain {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr().lock(), $($part)*);
    }};
}
use {complain, complain_as_is, say, say_as_is};

/// Runs what the arguments say to its end, and returns the status.
///
/// The first process of a machine makes the machine ready before and switches it off after, whatever came of it: a kernel
/// whose first process ends does not go on.
#[must_use]
pub fn called(arguments: &[OsString]) -> u8 {
    if !first::is_first_of_machine() {
        return parsed(arguments);
    }
    let status = match first::make_ready(arguments) {
        Ok(()) => parsed(arguments),
        Err(failure) => failure.report() as u8,
    };
    last::switch_off();
    status
}

fn parsed(arguments: &[OsString]) -> u8 {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => run(cli.command),
        Err(error) => {
            // Nobody may listen any more.
            let _ = error.print();
            u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8)
        }
    }
}

/// Runs a command to its end; returns the status of the process, which is a service's own where capc stood in its stead.
fn run(command: Command) -> u8 {
    let exit = match command {
        Command::Attend(arguments) => return attend::run(&arguments),
        Command::Channels(arguments) => attend::channels(&arguments),
        Command::Facets(arguments) => attend::facets(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Import { command } => import::run(&command),
        Command::Reconfigure(arguments) => reconfigure::run(&arguments),
        Command::Files(arguments) => files::run(&arguments),
        Command::Up(arguments) => up::run(&arguments),
        Command::Ps(arguments) => ps::run(&arguments),
        Command::Logs(arguments) => logs::run(&arguments),
        Command::Stop(arguments) => steer::stop(&arguments),
        Command::Restart(arguments) => steer::restart(&arguments),
        Command::Reload(arguments) => steer::reload(&arguments),
        Command::Graph(arguments) => graph::run(&arguments),
        Command::Order(arguments) => question::order(&arguments),
        Command::Why(arguments) => question::why(&arguments),
        Command::Who(arguments) => question::who(&arguments),
        Command::What(arguments) => question::what(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::WhyDenied(arguments) => denied::run(&arguments),
        Command::Trace(arguments) => trace::run(&arguments),
        Command::Generations(arguments) => generations::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Rollback(arguments) => rollback::run(&arguments),
        Command::Gc(arguments) => gc::run(&arguments),
        Command::Key { command } => key::run(&command),
        Command::Explain { code } => explain::run(&code),
        Command::Fmt(arguments) => fmt::run(&arguments),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { directory } => manual::pages(&directory),
        Command::Doctor => doctor::run(),
    };
    exit as u8
}

/// Says why nothing was done, and with which status.
#[derive(Debug)]
pub struct Failure {
    /// The status.
    pub exit: Exit,
    /// One line.
    pub message: String,
}

impl Failure {
    /// Refused by the seal, the key or the system.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, message: message.into() }
    }

    /// Wrong usage, or an unreadable file.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// Prints itself; returns its status.
    pub fn report(&self) -> Exit {
        complain!("capc: {}", crate::emit::report::harmless(&self.message));
        self.exit
    }
}

/// Prints a document for programs to standard output.
///
/// # Errors
/// When standard output is closed.
pub fn print_json(document: &impl serde::Serialize) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    crate::emit::harmless::write_json(&mut out, document)
        .and_then(|()| out.write_all(b"\n"))
        .map_err(|error| Failure::refused(format!("cannot print: {error}")))
}

//! What the launcher is asked to do: its command line, and variables of the environment.

use crate::refusal::{Layer, Refusal};
use crate::sys::start::Start;
use crate::sys::{Fd, is_open};
use capc_schemas::manifest::Mode;
use capc_schemas::token::RelPath;
use capc_schemas::words;
use core::ffi::CStr;

/// What is asked.
#[derive(Clone, Copy)]
pub enum Request {
    /// Start a service.
    Launch(Launch),
    /// Enter namespaces in which services can be started, then a program.
    Enter {
        /// As whom.
        mode: Mode,
        /// How many arguments stand before the program.
        skip: usize,
        /// The program.
        program: &'static CStr,
    },
    /// Try every layer.
    Doctor,
    /// Verify a whole generation and start nothing.
    Check {
        /// The generation's directory.
        generation: &'static CStr,
    },
}

words! {
    /// Whether the launcher stays.
    Stay {
        /// It exits once the service runs, whose parent is the init.
        Leave = "leave",
        /// It exits once the service runs, whose program waits until the init knows it: one that looks a process up when it is
        /// told of it would miss a short one's end.
        Introduce = "introduce",
        /// It stays as the service's parent and ends as the service does.
        Wait = "wait",
    }
}

/// A service to start.
#[derive(Clone, Copy)]
pub struct Launch {
    /// Whether the launcher stays.
    pub stay: Stay,
    /// The generation's directory.
    pub generation: &'static CStr,
    /// The service.
    pub service: RelPath<'static>,
    /// The init's notification socket.
    pub notify_socket: Option<&'static CStr>,
}

const USAGE: Refusal<'static> = Refusal::of(
    Layer::Usage,
    "capc-launcher [--wait | --introduce] GENERATION SERVICE | --check GENERATION | --enter root|user PROGRAM ARGUMENTS... | --doctor",
);

/// Reads the command line.
///
/// # Errors
/// When it asks for nothing that the launcher does.
pub fn request(start: Start) -> Result<Request, Refusal<'static>> {
    match start.arguments().nth(1).map(CStr::to_bytes) {
        Some(b"--doctor") if start.arguments().count() == 2 => return Ok(Request::Doctor),
        Some(b"--check") if start.arguments().count() == 3 => {
            return Ok(Request::Check { generation: start.arguments().nth(2).ok_or(USAGE)? });
        }
        Some(b"--enter") => {
            let mut arguments = start.arguments().skip(2);
            let mode = arguments.next().and_then(|word| Mode::from_word(word.to_str().ok()?)).ok_or(USAGE)?;
            return Ok(Request::Enter { mode, skip: 3, program: arguments.next().ok_or(USAGE)? });
        }
        _ => {}
    }
    let mut arguments = start.arguments().skip(1).peekable();
    let stay = match arguments.peek().map(|argument| argument.to_bytes()) {
        Some(b"--wait") => Stay::Wait,
        Some(b"--introduce") => Stay::Introduce,
        _ => Stay::Leave,
    };
    if stay != Stay::Leave {
        arguments.next();
    }
    let (Some(generation), Some(service), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err(USAGE);
    };
    // What looks like an option is none of a generation's names.
    if generation.to_bytes().first() == Some(&b'-') {
        return Err(USAGE);
    }
    let service = service.to_str().ok().and_then(RelPath::new);
    Ok(Request::Launch(Launch {
        stay,
        generation,
        service: service.ok_or(Refusal::of(Layer::Usage, "the service is no name"))?,
        notify_socket: start.variable(b"NOTIFY_SOCKET").filter(|path| !path.is_empty()),
    }))
}

/// Takes over the reading end of the supervisor's life pipe, if there is one.
///
/// # Errors
/// When the variable names no open descriptor from 3 on.
pub fn life_pipe(start: Start) -> Result<Option<Fd>, Refusal<'static>> {
    let none = Refusal::of(Layer::Descriptors, "CAPC_LIFE names no open descriptor from 3 on");
    descriptor(start, b"CAPC_LIFE", none)
}

/// Takes over the control group that the supervisor made for the service, if there is one.
///
/// # Errors
/// When the variable names no open descriptor from 3 on.
pub fn control_group(start: Start) -> Result<Option<Fd>, Refusal<'static>> {
    let none = Refusal::of(Layer::Cgroup, "CAPC_CGROUP names no open descriptor from 3 on");
    descriptor(start, b"CAPC_CGROUP", none)
}

/// Takes over the reading end of the pipe through which the supervisor lets a world begin that it had built ahead, if there is one.
///
/// # Errors
/// When the variable names no open descriptor from 3 on.
pub fn start_pipe(start: Start) -> Result<Option<Fd>, Refusal<'static>> {
    let none = Refusal::of(Layer::Descriptors, "CAPC_START names no open descriptor from 3 on");
    descriptor(start, b"CAPC_START", none)
}

/// Returns how many open files a service without a limit of its own may have, if the supervisor itself may have more.
///
/// # Errors
/// When the variable holds no number.
pub fn files(start: Start) -> Result<Option<u64>, Refusal<'static>> {
    let Some(text) = start.variable(b"CAPC_FILES") else { return Ok(None) };
    let number = text.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or(Refusal::of(Layer::Limits, "CAPC_FILES holds no number"))
}

fn descriptor(start: Start, variable: &[u8], none: Refusal<'static>) -> Result<Option<Fd>, Refusal<'static>> {
    let Some(text) = start.variable(variable) else { return Ok(None) };
    let number = text.to_str().ok().and_then(|text| text.parse().ok());
    match number.filter(|number| *number >= 3 && is_open(*number)) {
        Some(number) => Ok(Some(Fd::inherited(number))),
        None => Err(none),
    }
}

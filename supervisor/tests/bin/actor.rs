//! Plays every other part in the supervisor's integration tests.
//!
//! - `actor GENERATION SERVICE`: the launcher. Runs `GENERATION/SERVICE`, a shell script, as a launcher would: the
//!   service and a keeper outlive it as the supervisor's own children, and one datagram names both.
//!   `GENERATION/SERVICE.refuse` makes it refuse with that text; `GENERATION/SERVICE.hang` makes it do nothing
//!   but say so in `GENERATION/SERVICE.hangs`.
//! - `actor --keep PID LIFE`: the keeper, which ends the service when the supervisor is gone.
//! - `actor --supervise PLAN GENERATION RUNTIME`: a program such as `capc up`.
//! - `actor --notify TEXT PROGRAM ARGS…`: says TEXT to the supervisor, then becomes the program.
//! - `actor --send FD TEXT` and `actor --receive FD`: use a channel.
//! - `actor --hurry FD`: lets nobody wait at a socket; `actor --spoil FD` makes it one that nobody can listen at, nor beside it.
//! - `actor --listen PATH`: listens at a path, and stays.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, thread};

use capc_supervisor::{Groups, Launcher, Outcome, Plan, Prefixed, run};
use rustix::net::{RecvFlags, SendFlags};

type Answer = Result<ExitCode, Box<dyn Error>>;

fn main() -> Answer {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--supervise", plan, generation, runtime] => supervise(plan, generation, runtime),
        ["--keep", service, life] => keep(service, life),
        ["--notify", text, program @ ..] => {
            notify(text)?;
            become_program(program)
        }
        ["--send", number, text] => {
            rustix::net::send(descriptor(number)?, text.as_bytes(), SendFlags::empty())?;
            Ok(ExitCode::SUCCESS)
        }
        ["--receive", number] => {
            let mut bytes = [0; 64];
            let (length, _) = rustix::net::recv(descriptor(number)?, &mut bytes, RecvFlags::empty())?;
            println!("{}", String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()));
            Ok(ExitCode::SUCCESS)
        }
        ["--hurry", number] => {
            let socket = descriptor(number)?;
            let flags = rustix::fs::fcntl_getfl(&socket)?;
            rustix::fs::fcntl_setfl(&socket, flags | rustix::fs::OFlags::NONBLOCK)?;
            Ok(ExitCode::SUCCESS)
        }
        ["--spoil", number] => {
            let socket = descriptor(number)?;
            rustix::net::sockopt::set_socket_reuseaddr(&socket, false)?;
            rustix::net::shutdown(&socket, rustix::net::Shutdown::Both)?;
            Ok(ExitCode::SUCCESS)
        }
        ["--listen", path] => {
            let _listener = UnixListener::bind(path)?;
            loop {
                thread::park();
            }
        }
        [generation, service] => launch(Path::new(generation), service),
        _ => Err("no such part".into()),
    }
}

fn supervise(plan: &str, generation: &str, runtime: &str) -> Answer {
    // The launcher's children become the supervisor's, as CLONE_PARENT would make them.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let plan = Plan::from_json(&fs::read(plan)?)?;
    let launcher = Launcher { program: env::current_exe()?, generation: generation.into() };
    let outcome =
        run(&plan, &launcher, Groups::make(), Path::new(runtime), &mut Prefixed::new(io::stdout(), &plan));
    match outcome {
        Ok(Outcome::AllEndedWell) => println!("outcome: all ended well"),
        Ok(Outcome::SomeFailed(names)) => println!("outcome: failed: {}", names.join(" ")),
        Ok(Outcome::Stopped) => println!("outcome: stopped"),
        Err(error) => println!("outcome: {error}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn launch(generation: &Path, service: &str) -> Answer {
    let script = generation.join(service);
    if let Ok(why) = fs::read_to_string(script.with_extension("refuse")) {
        eprintln!("capc launcher: refused: {why}");
        return Ok(ExitCode::from(77));
    }
    if script.with_extension("hang").exists() {
        fs::write(script.with_extension("hangs"), "")?;
        thread::sleep(Duration::from_secs(600));
    }
    let life = env::var("CAPC_LIFE")?;
    if let Ok(start) = env::var("CAPC_START") {
        notify("X_CAPC_BUILT=1")?;
        if File::from(descriptor(&start)?).read(&mut [0])? == 0 {
            return Ok(ExitCode::SUCCESS);
        }
    }
    if let Ok(group) = env::var("CAPC_CGROUP") {
        fs::write(format!("/proc/self/fd/{group}/cgroup.procs"), "0")?;
    }
    // The service starts only when it has a keeper, and says nothing before it is named.
    // No signal is ignored that whoever runs the tests ignores, as with the real one: a shell could not trap it.
    let mut service = Command::new("env");
    let service = service.args(["--default-signal", "sh", "-e", &script.to_string_lossy()]);
    let service = service.env("ACTOR", env::current_exe()?);
    let service = service.env_remove("CAPC_CGROUP").env_remove("CAPC_START").spawn()?;
    let keeper =
        Command::new(env::current_exe()?).args(["--keep", &service.id().to_string(), &life]).spawn()?;
    notify(&format!("MAINPID={}\nX_CAPC_KEEPER={}", service.id(), keeper.id()))?;
    Ok(ExitCode::SUCCESS)
}

/// Waits for the end of the supervisor; the end of the service is the supervisor's to act on.
fn keep(service: &str, life: &str) -> Answer {
    File::from(descriptor(life)?).read_to_end(&mut Vec::new())?;
    Command::new("kill").args(["-KILL", service]).status()?;
    Ok(ExitCode::SUCCESS)
}

fn notify(text: &str) -> io::Result<usize> {
    let socket = env::var("NOTIFY_SOCKET").map_err(io::Error::other)?;
    UnixDatagram::unbound()?.send_to(text.as_bytes(), socket)
}

fn become_program(program: &[&str]) -> Answer {
    let Some((program, arguments)) = program.split_first() else { return Ok(ExitCode::SUCCESS) };
    Err(Command::new(program).args(arguments).exec().into())
}

/// Returns a copy of an inherited descriptor.
fn descriptor(number: &str) -> io::Result<OwnedFd> {
    // A socket cannot be opened by its path in /proc, so it comes by way of the process's own pidfd.
    let number: i32 = number.parse().map_err(io::Error::other)?;
    let own = rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty())?;
    Ok(rustix::process::pidfd_getfd(own, number, rustix::process::PidfdGetfdFlags::empty())?)
}

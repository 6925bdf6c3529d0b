//! `capc why-denied`: what running services were refused, and which statement would grant it.

mod answer;
mod closely;
mod netlink;
mod record;
mod switch;
mod worlds;

use super::{Failure, complain, doctor, say};
use crate::cli::{Exit, WhyDenied};
use crate::diag::nearest;
use answer::Denial;
use netlink::{Read, Records};
use record::{Process, Record, Refused};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use switch::SwitchedOn;
use worlds::Worlds;

/// The records of one event come together; without a record of its end, it is told after so long.
const TOGETHER: Duration = Duration::from_millis(50);
/// What was announced is heard within that, or never.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many events may be waited for.
const WAITING: usize = 1024;
/// So many different denials are told: names are the services' own choice, and memory is not theirs.
const TOLD: usize = 4096;
/// What of seccomp the kernel tells.
const LOGGED: &str = "/proc/sys/kernel/seccomp/actions_logged";
/// The first version of Landlock that tells.
const LEAST_ABI: u32 = 7;

/// Follows denials.
pub fn run(arguments: &WhyDenied) -> Exit {
    match follow(arguments) {
        Ok(()) => Exit::Clean,
        Err(failure) => failure.report(),
    }
}

fn follow(arguments: &WhyDenied) -> Result<(), Failure> {
    let only = arguments.service.as_deref();
    let mut telling = Telling { only, is_followed: arguments.trace, ..Telling::default() };
    telling.worlds.look();
    telling.expect();
    if arguments.trace {
        let cannot = |error: io::Error| Failure::refused(format!("signals cannot be heard: {error}"));
        let end = interrupted().map_err(cannot)?;
        closely::follow(arguments, &mut telling, &end);
        telling.sum();
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::refused("only root may read what the kernel's audit tells: run it as root"));
    }
    let cannot = |error: io::Error| Failure::refused(format!("the kernel's audit cannot be read: {error}"));
    let records = Records::join().map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::PROTONOSUPPORT) => Failure::refused("this kernel has no audit (CONFIG_AUDIT)"),
        Some(Errno::PERM) => {
            Failure::refused("the kernel's audit cannot be read without the privilege audit_read")
        }
        _ => cannot(error),
    })?;
    must_tell()?;
    let end = interrupted().map_err(cannot)?;
    let switched = SwitchedOn::now()?;
    if !hears(&records).map_err(cannot)? {
        return Err(Failure::refused(
            "nothing is heard of the kernel's audit, as in a network namespace of one's own: run it outside",
        ));
    }
    complain!(
        "capc: following what {} denied; system calls of services that start from now on",
        telling.whom()
    );
    let until = arguments.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let outcome = telling.until(&records, &end, until).map_err(cannot);
    drop(switched);
    telling.sum();
    outcome
}

/// Returns what has something to read once somebody asks for the end.
fn interrupted() -> io::Result<UnixStream> {
    let (end, writer) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        pipe::register(signal, writer.try_clone()?)?;
    }
    Ok(end)
}

/// Returns whether what is told is heard: the kernel tells it in the first network namespace alone, and refuses nobody.
fn hears(records: &Records) -> io::Result<bool> {
    netlink::announce()?;
    let until = Instant::now() + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        match records.next()? {
            Read::Record(kind, text) if netlink::is_announcement(kind, &text) => return Ok(true),
            Read::Record(..) | Read::Lost => {}
            Read::Nothing => {
                let left = Timespec::try_from(left).ok();
                match poll(&mut [PollFd::new(records, PollFlags::IN)], left.as_ref()) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

/// Refuses a kernel that does not tell what it refuses, and says what else it is not told.
fn must_tell() -> Result<(), Failure> {
    let logged = std::fs::read_to_string(LOGGED).unwrap_or_default();
    if !logged.split_ascii_whitespace().any(|action| action == "errno") {
        complain!(
            "capc: refused system calls are not told: `errno` is not in {LOGGED}; `sysctl -w \
             kernel.seccomp.actions_logged=\"{} errno\"` adds it",
            logged.trim()
        );
    }
    let abi = doctor::landlock_abi().ok_or_else(|| {
        Failure::refused("this kernel has no Landlock that services could start with: see `capc doctor`")
    })?;
    if abi < LEAST_ABI {
        return Err(Failure::refused(format!(
            "this kernel does not tell what Landlock refuses: its Landlock has ABI {abi}, and that needs {LEAST_ABI} (Linux 6.15)"
        )));
    }
    Ok(())
}

/// The records of one event.
#[derive(Default)]
struct Event {
    refused: Vec<Refused>,
    call: Option<(Denial, Process)>,
    process: Option<Process>,
}

/// What is told, and what was.
#[derive(Default)]
struct Telling<'a> {
    only: Option<&'a str>,
    /// By their system calls, and not by the audit.
    is_followed: bool,
    worlds: Worlds,
    events: BTreeMap<u64, Event>,
    told: BTreeMap<(String, Denial), u64>,
    left_out: BTreeSet<String>,
    has_lost: bool,
}

impl Telling<'_> {
    /// Says so if the service that is asked for does not run.
    fn expect(&self) {
        let Some(only) = self.only.filter(|only| self.worlds.services().all(|service| service != *only))
        else {
            return;
        };
        let meant = nearest(only, self.worlds.services()).map(|meant| format!("; did you mean `{meant}`?"));
        complain!("capc: no service {} runs here by now{}", self.named(), meant.unwrap_or_default());
    }

    fn named(&self) -> String {
        let name = self.only.map(crate::emit::harmless::one_line);
        name.map_or_else(|| "services".to_owned(), |name| format!("`{name}`"))
    }

    fn whom(&self) -> String {
        self.only.map_or_else(
            || "services are".to_owned(),
            |name| format!("`{}` is", crate::emit::harmless::one_line(name)),
        )
    }

    /// Tells until somebody asks for the end, or the time is over.
    fn until(&mut self, records: &Records, end: &UnixStream, until: Option<Instant>) -> io::Result<()> {
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            let patience = if self.events.is_empty() { left } else { Some(TOGETHER) };
            let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
            let mut waits = [PollFd::new(records, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
            match poll(&mut waits, patience.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let [are_there, is_over] = waits.map(|wait| !wait.revents().is_empty());
            if are_there {
                self.read(records)?;
            } else {
                self.tell_all();
            }
            if is_over {
                break;
            }
        }
        self.read(records)?;
        self.tell_all();
        Ok(())
    }

    fn read(&mut self, records: &Records) -> io::Result<()> {
        // One who floods us does not keep us from the end.
        for _ in 0..WAITING {
            match records.next()? {
                Read::Nothing => break,
                Read::Lost => {
                    if !std::mem::replace(&mut self.has_lost, true) {
                        complain!("capc: more was denied than could be read: some of it is not told");
                    }
                }
                Read::Record(kind, text) => {
                    if let Some((serial, record)) = record::parse(kind, &text) {
                        self.take(serial, record);
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, serial: u64, record: Record) {
        match record {
            Record::Domain { domain, pid } => return self.worlds.introduce(domain, pid),
            Record::Gone { domain } => {
                self.tell_all();
                return self.worlds.forget(domain);
            }
            Record::End => {
                if let Some(event) = self.events.remove(&serial) {
                    self.tell(event);
                }
                return;
            }
            // Processes are those of denials, not of whatever else is told.
            Record::Process(process) => {
                if let Some(event) = self.events.get_mut(&serial) {
                    event.process = Some(process);
                }
                return;
            }
            Record::Refused(refused) => self.events.entry(serial).or_default().refused.push(refused),
            Record::Call { call, is_native, process } => {
                let denial = if is_native { Denial::Call(call) } else { Denial::Foreign };
                // Now, as it may end with that.
                let _ = self.worlds.of_process(process.pid);
                self.events.entry(serial).or_default().call = Some((denial, process));
            }
        }
        if self.events.len() > WAITING {
            self.tell_all();
        }
    }

    fn tell_all(&mut self) {
        for event in std::mem::take(&mut self.events).into_values() {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: Event) {
        let Event { refused, call, process } = event;
        for refused in refused {
            let domain = refused.domain;
            if let (None, Some(process)) = (self.worlds.of_domain(domain), &process) {
                self.worlds.introduce(domain, process.pid);
            }
            let owner = self.worlds.of_domain(domain);
            self.line(owner.as_deref(), process.as_ref(), Denial::of(refused));
        }
        if let Some((denial, process)) = call {
            let owner = self.worlds.of_user(process.pid, process.uid);
            self.line(owner.as_deref(), Some(&process), denial);
        }
    }

    /// Prints a denial, the first time and when it has been ten, a hundred, a thousand.
    fn line(&mut self, owner: Option<&worlds::Owner>, process: Option<&Process>, denial: Denial) {
        let by = process.map(|process| process.name.clone());
        let Some(owner) = owner else {
            // Others use Landlock too. Who asked for one service wants no guesses.
            let whose = format!(
                "a process that ended, or that is no service's ({})",
                by.as_deref().unwrap_or("unknown")
            );
            if self.only.is_none()
                && self.left_out.len() < TOLD
                && self.left_out.insert(format!("{whose}{denial:?}"))
            {
                say!("{whose}: may not {}", denial.tried());
            }
            return;
        };
        if self.only.is_some_and(|only| only != owner.service) {
            return;
        }
        let key = (owner.service.clone(), denial);
        if self.told.len() >= TOLD && !self.told.contains_key(&key) {
            if self.left_out.insert(String::new()) {
                complain!("capc: more than {TOLD} different denials: no further ones are told");
            }
            return;
        }
        let (service, denial) = (&key.0, &key.1);
        let times = self.told.get(&key).map_or(1, |times| times + 1);
        let by = by.filter(|by| by != service).map(|by| format!(" ({by})")).unwrap_or_default();
        if times == 1 {
            say!("{service}{by} may not {}: {}", denial.tried(), denial.granted_by(owner));
        } else if times >= 10 && times == 10_u64.pow(times.ilog10()) {
            say!("{service} may not {}: {times} times by now", denial.tried());
        }
        self.told.insert(key, times);
    }

    /// Says at the end how often was what was denied more than once.
    fn sum(&self) {
        for ((service, denial), times) in self.told.iter().filter(|(_, times)| **times > 1) {
            say!("{service} may not {}: {times} times in all", denial.tried());
        }
        if self.told.is_empty() {
            complain!(
                "capc: nothing was denied that is told this way{}",
                if self.is_followed { "" } else { "; `--trace` tells of what a world does not have, too" }
            );
        }
    }
}

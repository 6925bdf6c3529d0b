//! `capc why-denied --trace`: hears of everything that services try in vain by following their system calls, as a debugger does.
//!
//! What a world does not contain fails without a record; whoever follows the call sees it fail.

use super::Telling;
use super::answer::Denial;
use super::record::Process;
use super::worlds::{Owner, Worlds};
use crate::cli::WhyDenied;
use crate::command::complain;
use crate::command::running::{is_keeper, is_trusted, processes, world_of};
use crate::command::trace::offered::Offered;
use crate::command::trace::suggest::is_fleeting;
use capc_trace::{Access, Refusal, Tried, Whom, Why};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// So often it looks for supervisors and worlds that are new: a supervisor compiles for longer before it starts anything.
const LOOK: Duration = Duration::from_millis(10);
/// Who has been there for longer than that seldom becomes either: it is looked at once in so many times.
const YOUNG: Duration = Duration::from_secs(10);
const SELDOM: u32 = 25;
/// Whoever tries more than that waits until it has been told.
const AT_ONCE: usize = 256;

/// So many worlds are known at once.
const WORLDS: usize = 4096;

/// What worlds offer, by whose they are, which is kept with it.
type Known = BTreeMap<*const Owner, (Arc<Owner>, Offered)>;

/// What was tried in vain, and in whose world.
type Heard = io::Result<(Refusal, Arc<Owner>)>;

/// Follows until somebody asks for the end, or the time is over.
pub fn follow(arguments: &WhyDenied, telling: &mut Telling<'_>, end: &UnixStream) {
    let until = arguments.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (sender, receiver) = sync_channel(AT_ONCE);
    let (mut seen, mut known) = (Seen::default(), Known::default());
    complain!("capc: following the system calls of {}, which makes them slower", telling.named());
    loop {
        let whom = unfollowed(telling, &mut seen);
        if !whom.running.is_empty() || !whom.makers.is_empty() {
            begin(whom, telling.only.map(str::to_owned), sender.clone());
        }
        hear(telling, &mut known, &receiver);
        if until.is_some_and(|until| Instant::now() >= until) {
            return;
        }
        let patience = Timespec::try_from(LOOK).ok();
        let mut waits = [PollFd::new(end, PollFlags::IN)];
        let over = poll(&mut waits, patience.as_ref());
        if over.is_ok_and(|ready| ready > 0) {
            return hear(telling, &mut known, &receiver);
        }
    }
}

/// Which processes there were, and which of them are followed.
#[derive(Default)]
struct Seen {
    since: BTreeMap<u32, Instant>,
    followed: BTreeSet<u32>,
    times: u32,
}

/// Returns supervisors, and processes of worlds that no supervisor of ours made, that nobody follows yet.
fn unfollowed(telling: &mut Telling<'_>, seen: &mut Seen) -> Whom {
    let mut whom = Whom::default();
    let here = world_of(std::process::id());
    let now = Instant::now();
    let pids: BTreeSet<u32> = processes().into_iter().collect();
    seen.since.retain(|pid, _| pids.contains(pid));
    seen.followed.retain(|pid| pids.contains(pid));
    seen.times = seen.times.wrapping_add(1);
    let looks_at_all = seen.times % SELDOM == 1;
    for pid in pids {
        let since = *seen.since.entry(pid).or_insert(now);
        let is_young = now.duration_since(since) < YOUNG;
        if seen.followed.contains(&pid) || !(is_young || looks_at_all) {
            continue;
        }
        if is_supervisor(pid) && is_ours(pid) {
            seen.followed.insert(pid);
            whom.makers.extend(threads(pid));
        } else if world_of(pid).is_some_and(|world| Some(world) != here) && !is_traced(pid) {
            // Whether it is in a world is known once its keeper says so.
            let owner = telling.worlds.of_process(pid);
            if owner.is_some_and(|owner| is_asked(telling.only, &owner)) && !is_keeper(pid) {
                seen.followed.insert(pid);
                if is_launcher(pid) { &mut whom.makers } else { &mut whom.running }.extend(threads(pid));
            }
        }
    }
    whom
}

fn is_asked(only: Option<&str>, owner: &Owner) -> bool {
    only.is_none_or(|only| only == owner.service)
}

/// Returns whether a process is a `capc up` that starts services.
fn is_supervisor(pid: u32) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    let is_capc = words.next().is_some_and(|program| program.ends_with(b"capc"));
    is_capc && words.next() == Some(b"up") && words.any(|word| word == b"--inside")
}

/// Returns whether a supervisor is the caller's own, or the caller is root.
fn is_ours(pid: u32) -> bool {
    let own = std::fs::metadata(format!("/proc/{pid}")).map(|status| status.uid());
    let caller = rustix::process::geteuid();
    caller.is_root() || (is_trusted(pid) && own.is_ok_and(|own| own == caller.as_raw()))
}

/// Returns whether a process is still the launcher, and no program of a world.
fn is_launcher(pid: u32) -> bool {
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    program.starts_with("/memfd:capc-launcher") || program.ends_with("launcher")
}

fn is_traced(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|tracer| tracer.trim() != "0")
}

fn threads(pid: u32) -> Vec<u32> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Follows some in a thread of their own, which ends with them or with us.
fn begin(whom: Whom, only: Option<String>, sender: SyncSender<Heard>) {
    std::thread::spawn(move || {
        // Whose a process is is looked up while it waits for us.
        let worlds = RefCell::new(Worlds::default());
        let here = world_of(std::process::id());
        let is_meant = |pid: u32| {
            let is_away = world_of(pid).is_some_and(|world| Some(world) != here);
            is_away
                && worlds.borrow_mut().of_process(pid).is_none_or(|owner| is_asked(only.as_deref(), &owner))
        };
        let tell = |refusal: Refusal| {
            let owner = worlds.borrow_mut().of_process(refusal.pid);
            owner.is_none_or(|owner| sender.send(Ok((refusal, owner))).is_ok())
        };
        let failed = capc_trace::follow(&whom, is_meant, tell);
        if let Err(error) = failed {
            let _ = sender.send(Err(error));
        }
    });
}

/// Tells what has been heard by now.
fn hear(telling: &mut Telling<'_>, known: &mut Known, receiver: &Receiver<Heard>) {
    for heard in receiver.try_iter().take(AT_ONCE) {
        match heard {
            Ok((refusal, owner)) => tell(telling, known, refusal, &owner),
            Err(error) => {
                let why = match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        "another debugger follows it already, or the kernel lets nobody follow it".to_owned()
                    }
                    _ => error.to_string(),
                };
                complain!("capc: something that runs cannot be followed: {why}");
            }
        }
    }
}

fn tell(telling: &mut Telling<'_>, known: &mut Known, refusal: Refusal, owner: &Arc<Owner>) {
    let Refusal { pid, by, tried, why } = refusal;
    if known.len() >= WORLDS {
        known.clear();
    }
    let offered = || owner.manifest().map(|manifest| Offered::of(&manifest, Vec::new())).unwrap_or_default();
    let (_, offered) = known.entry(Arc::as_ptr(owner)).or_insert_with(|| (owner.clone(), offered()));
    if let Some(denial) = denial(tried, why, owner, offered) {
        let process = Process { pid, uid: 0, name: crate::emit::harmless::one_line(&by) };
        telling.line(Some(owner), Some(&process), denial);
    }
}

/// Returns what was denied; none where the world is not the reason.
fn denial(tried: Tried, why: Why, owner: &Owner, offered: &Offered) -> Option<Denial> {
    Some(match tried {
        Tried::File(path, access) => return of_file(&path, access, why, offered),
        Tried::Owner(path) => Denial::Owner(path),
        Tried::Socket(path) => match why {
            Why::Missing
                if !path.exists()
                    && !owner.known.values().flatten().any(|known| Path::new(known) == path) =>
            {
                return None;
            }
            Why::Missing => Denial::Socket(path),
            Why::ReadOnly | Why::Denied => Denial::Mode(path),
        },
        Tried::Abstract(name) => Denial::Abstract(name),
        Tried::Connect(address) => Denial::Connect(address),
        Tried::Bind(address) => Denial::Bind(address),
        Tried::Family(family, kind) => Denial::Family(family, kind),
        Tried::Signal => Denial::Signal,
        Tried::Call(call) => Denial::Call(call),
    })
}

fn of_file(path: &Path, access: Access, why: Why, offered: &Offered) -> Option<Denial> {
    let place = offered.leads(path);
    // Names are made in directories.
    let needed = match access {
        Access::Create | Access::Remove | Access::Socket => place.parent().unwrap_or(&place).to_owned(),
        Access::Read | Access::Execute | Access::Modify => place.clone(),
    };
    let has = offered.has_file(&place, access);
    match why {
        // The linker looks itself where it finds nothing written down.
        _ if place.as_os_str() == "/etc/ld.so.cache" => None,
        // Programs look for much that no machine has.
        Why::Missing if has || (needed.canonicalize().is_err() && !makes_for_itself(access, &needed)) => None,
        Why::Missing => Some(Denial::Missing(access, place)),
        Why::Denied if offered.grants(&place, access) => Some(Denial::Mode(place)),
        Why::Denied | Why::ReadOnly => Some(Denial::lacks(access, needed)),
    }
}

/// Returns whether somebody makes something in a directory that the machine need not have: it comes empty.
fn makes_for_itself(access: Access, directory: &Path) -> bool {
    matches!(access, Access::Create | Access::Socket) && is_fleeting(directory)
}

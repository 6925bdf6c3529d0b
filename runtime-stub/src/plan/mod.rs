//! Turns a manifest into what is to be done: places in an order in which they can be made, and lists for the rest.
//!
//! Pure: nothing is opened, nothing asked.

mod places;

pub use places::{Ground, Place, What};

use crate::refusal::{Layer, Reason, Refusal, Subject};
use crate::sys::memory::Arena;
use crate::sys::{Instruction, StringList};
use capc_schemas::manifest::{Kind, Limit, Line, Manifest, Mode, Network, Ready, Rights};
use capc_schemas::token::{AbsPath, Token};
use core::ffi::CStr;

/// A user and a group.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// A program and what it is started with.
#[derive(Copy, Clone)]
pub struct Program<'m> {
    /// Where it is in the world.
    pub at: &'m CStr,
    /// Its arguments, the first being its path.
    pub arguments: StringList<'m>,
}

/// Rights beneath a place.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Rule<'m> {
    /// The place.
    pub at: &'m CStr,
    /// What is allowed.
    pub rights: Rights,
}

/// A resource limit.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ResourceLimit {
    /// Of what.
    pub limit: Limit,
    /// The limit in force.
    pub soft: u64,
    /// How far it may be raised.
    pub hard: u64,
}

/// Everything that is to be done for one service.
pub struct Plan<'m> {
    /// Who starts it.
    pub mode: Mode,
    /// The least version of Landlock.
    pub landlock_abi: u32,
    /// What it is in its world.
    pub identity: Identity,
    /// What that is called outside its own user namespace: what its files are owned by while the world is built.
    pub outside: Identity,
    /// Its supplementary groups.
    pub groups: &'m [u32],
    /// Its host name.
    pub host_name: &'m [u8],
    /// Its network.
    pub network: Network,
    /// Places, each after those that it lies in.
    pub places: &'m [Place<'m>],
    /// Directories of its own on the host.
    pub states: &'m [&'m CStr],
    /// Sockets that may be left over.
    pub unlinks: &'m [&'m CStr],
    /// Where the notification socket is bound.
    pub notify: Option<&'m CStr>,
    /// Landlock's rules on files.
    pub rules: &'m [Rule<'m>],
    /// TCP ports to bind.
    pub bind_ports: &'m [u16],
    /// TCP ports to connect to.
    pub connect_ports: &'m [u16],
    /// Resource limits.
    pub limits: &'m [ResourceLimit],
    /// Kernel privileges that it keeps, a bit each.
    pub kept: u64,
    /// The seccomp program.
    pub filter: &'m [Instruction],
    /// The numbers of the passed descriptors in the service, ascending.
    pub descriptors: &'m [u16],
    /// Its environment.
    pub environment: StringList<'m>,
    /// Its working directory.
    pub work_dir: &'m CStr,
    /// The program that runs first.
    pub prepare: Option<Program<'m>>,
    /// When it counts as ready.
    pub ready: Ready,
    /// Its program.
    pub run: Program<'m>,
}

/// A list that is being filled.
pub(crate) struct List<'m, T> {
    slots: &'m mut [T],
    used: usize,
}

impl<'m, T: Copy> List<'m, T> {
    pub(crate) fn of(arena: &mut Arena<'m>, count: usize, fill: T) -> Option<Self> {
        Some(Self { slots: arena.list(count, fill)?, used: 0 })
    }

    pub(crate) fn push(&mut self, value: T) -> Option<()> {
        *self.slots.get_mut(self.used)? = value;
        self.used += 1;
        Some(())
    }

    fn done(self) -> &'m [T] {
        self.slots.get(..self.used).unwrap_or(&[])
    }
}

const NO_ROOM: Refusal<'static> = Refusal::of(Layer::Manifest, "it does not fit the launcher's memory");

/// Returns what is to be done for the service of a manifest.
///
/// # Errors
/// When the places contradict each other, or a layer would be missing.
pub fn plan<'m>(manifest: &Manifest<'m>, mut arena: Arena<'m>) -> Result<&'m Plan<'m>, Refusal<'m>> {
    let arena = &mut arena;
    let count = |kind| manifest.count(kind);
    let place_count: usize = places::KINDS.iter().map(|kind| count(*kind)).sum();
    let nothing = Place { at: c"", ground: Ground::Ours, within: None, what: What::Proc };
    let no_rule = Rule { at: c"", rights: Rights::NONE };
    let no_limit = ResourceLimit { limit: Limit::Core, soft: 0, hard: 0 };
    let no_instruction = Instruction { code: 0, jt: 0, jf: 0, k: 0 };
    let mut lists = Lists {
        places: List::of(arena, place_count, nothing).ok_or(NO_ROOM)?,
        states: List::of(arena, count(Kind::State), c"").ok_or(NO_ROOM)?,
        unlinks: List::of(arena, count(Kind::Unlink), c"").ok_or(NO_ROOM)?,
        rules: List::of(arena, count(Kind::Allow), no_rule).ok_or(NO_ROOM)?,
        bind_ports: List::of(arena, count(Kind::BindPort), 0).ok_or(NO_ROOM)?,
        connect_ports: List::of(arena, count(Kind::ConnectPort), 0).ok_or(NO_ROOM)?,
        limits: List::of(arena, count(Kind::Rlimit), no_limit).ok_or(NO_ROOM)?,
        filter: List::of(arena, count(Kind::Bpf), no_instruction).ok_or(NO_ROOM)?,
        descriptors: List::of(arena, count(Kind::Descriptor), 0).ok_or(NO_ROOM)?,
        environment: List::of(arena, count(Kind::Env) + 1, c"").ok_or(NO_ROOM)?,
        prepare: List::of(arena, count(Kind::PrepareArg) + 1, c"").ok_or(NO_ROOM)?,
        run: List::of(arena, count(Kind::Arg) + 1, c"").ok_or(NO_ROOM)?,
    };
    let mut once = Once::default();
    for line in manifest.lines() {
        match line {
            Line::Format { version: _ } | Line::Service { name: _ } | Line::End => {}
            Line::Mode { mode } => once.mode = Some(mode),
            Line::LandlockAbi { abi } => once.landlock_abi = abi,
            Line::Uid { uid, gid } => once.identity = Some(Identity { uid, gid }),
            Line::Groups { gids } => {
                let mut groups = List::of(arena, gids.gids().count(), 0).ok_or(NO_ROOM)?;
                gids.gids().try_for_each(|gid| groups.push(gid)).ok_or(NO_ROOM)?;
                once.groups = groups.done();
            }
            Line::Hostname { name } => once.host_name = string(arena, name)?.to_bytes(),
            Line::Network { network } => once.network = Some(network),
            Line::State { from } => lists.states.push(path(arena, from)?).ok_or(NO_ROOM)?,
            Line::Unlink { at } => lists.unlinks.push(path(arena, at)?).ok_or(NO_ROOM)?,
            Line::Allow { at, rights } => {
                lists.rules.push(Rule { at: path(arena, at)?, rights }).ok_or(NO_ROOM)?;
            }
            Line::BindPort { port } => lists.bind_ports.push(port).ok_or(NO_ROOM)?,
            Line::ConnectPort { port } => lists.connect_ports.push(port).ok_or(NO_ROOM)?,
            Line::Rlimit { limit, soft, hard } => {
                lists.limits.push(ResourceLimit { limit, soft, hard }).ok_or(NO_ROOM)?;
            }
            Line::Keep { capability } => {
                let bit = 1_u64.checked_shl(u32::from(capability));
                once.kept |= bit.ok_or(Refusal::of(Layer::Privileges, "there is no such privilege"))?;
            }
            Line::Bpf { code, jt, jf, k } => {
                lists.filter.push(Instruction { code, jt, jf, k }).ok_or(NO_ROOM)?;
            }
            Line::Descriptor { fd, kind: _, name: _ } => lists.descriptors.push(fd).ok_or(NO_ROOM)?,
            Line::Env { name, value } => {
                let bytes = name.bytes().chain(core::iter::once(b'=')).chain(value.bytes());
                lists.environment.push(arena.string(bytes).ok_or(NO_ROOM)?).ok_or(NO_ROOM)?;
            }
            Line::Workdir { at } => once.work_dir = path(arena, at)?,
            Line::Prepare { at } => {
                once.prepare = Some(path(arena, at)?);
                once.prepare.and_then(|at| lists.prepare.push(at)).ok_or(NO_ROOM)?;
            }
            Line::PrepareArg { text } => lists.prepare.push(string(arena, text)?).ok_or(NO_ROOM)?,
            Line::Ready { ready } => once.ready = Some(ready),
            Line::Run { at } => {
                once.run = path(arena, at)?;
                lists.run.push(once.run).ok_or(NO_ROOM)?;
            }
            Line::Arg { text } => lists.run.push(string(arena, text)?).ok_or(NO_ROOM)?,
            Line::Tmpfs { .. }
            | Line::Link { .. }
            | Line::Text { .. }
            | Line::Device { .. }
            | Line::Store { .. }
            | Line::Pinned { .. }
            | Line::Memfd { .. }
            | Line::Image { .. }
            | Line::Grant { .. }
            | Line::Secret { .. }
            | Line::Facet { .. }
            | Line::Proc
            | Line::Notify { .. } => {
                let (at, what) = places::what(arena, line)?;
                if what == What::Notify {
                    once.notify = Some(at);
                    let bytes = b"NOTIFY_SOCKET=".iter().chain(at.to_bytes()).copied();
                    lists.environment.push(arena.string(bytes).ok_or(NO_ROOM)?).ok_or(NO_ROOM)?;
                }
                lists.places.push(Place { at, ground: Ground::Ours, within: None, what }).ok_or(NO_ROOM)?;
            }
        }
    }
    let plan = lists.finish(once, arena)?;
    arena.keep(plan).ok_or(NO_ROOM)
}

/// What stands once in a manifest.
#[derive(Default)]
struct Once<'m> {
    mode: Option<Mode>,
    landlock_abi: u32,
    identity: Option<Identity>,
    groups: &'m [u32],
    host_name: &'m [u8],
    network: Option<Network>,
    kept: u64,
    notify: Option<&'m CStr>,
    work_dir: &'m CStr,
    prepare: Option<&'m CStr>,
    ready: Option<Ready>,
    run: &'m CStr,
}

/// What may stand often.
struct Lists<'m> {
    places: List<'m, Place<'m>>,
    states: List<'m, &'m CStr>,
    unlinks: List<'m, &'m CStr>,
    rules: List<'m, Rule<'m>>,
    bind_ports: List<'m, u16>,
    connect_ports: List<'m, u16>,
    limits: List<'m, ResourceLimit>,
    filter: List<'m, Instruction>,
    descriptors: List<'m, u16>,
    environment: List<'m, &'m CStr>,
    prepare: List<'m, &'m CStr>,
    run: List<'m, &'m CStr>,
}

impl<'m> Lists<'m> {
    fn finish(self, once: Once<'m>, arena: &mut Arena<'m>) -> Result<Plan<'m>, Refusal<'m>> {
        let incomplete = Refusal::of(Layer::Manifest, "a necessary line is missing");
        let identity = once.identity.ok_or(incomplete)?;
        let mode = once.mode.ok_or(incomplete)?;
        let outside = match mode {
            Mode::Root => identity,
            // The launcher's own user namespace maps the caller to 0, and the service's maps that to its number.
            Mode::User => Identity { uid: 0, gid: 0 },
        };
        let filter = self.filter.done();
        if filter.is_empty() {
            return Err(Refusal::of(Layer::Seccomp, "the manifest has no program"));
        }
        let places = places::ordered(self.places)?;
        let unlinks = self.unlinks.done();
        if let Some(stray) = unlinks.iter().find(|at| !places::is_in_made_facet(places, at)) {
            return Err(Refusal::at(
                Layer::Facet,
                stray,
                "it lies in no directory that the service makes facets in",
            ));
        }
        let mut list = |strings: &'m [&'m CStr]| {
            let room = arena.list(strings.len() + 1, 0_usize)?;
            StringList::of(room, strings.iter().copied())
        };
        let prepare = match once.prepare {
            Some(at) => Some(Program { at, arguments: list(self.prepare.done()).ok_or(NO_ROOM)? }),
            None => None,
        };
        Ok(Plan {
            mode,
            landlock_abi: once.landlock_abi,
            identity,
            outside,
            groups: once.groups,
            host_name: once.host_name,
            network: once.network.ok_or(incomplete)?,
            places,
            states: self.states.done(),
            unlinks,
            notify: once.notify,
            rules: self.rules.done(),
            bind_ports: self.bind_ports.done(),
            connect_ports: self.connect_ports.done(),
            limits: self.limits.done(),
            kept: once.kept,
            filter,
            descriptors: self.descriptors.done(),
            environment: list(self.environment.done()).ok_or(NO_ROOM)?,
            work_dir: once.work_dir,
            prepare,
            ready: once.ready.ok_or(incomplete)?,
            run: Program { at: once.run, arguments: list(self.run.done()).ok_or(NO_ROOM)? },
        })
    }
}

pub(crate) fn path<'m>(arena: &mut Arena<'m>, path: AbsPath<'m>) -> Result<&'m CStr, Refusal<'m>> {
    string(arena, path.token())
}

pub(crate) fn string<'m>(arena: &mut Arena<'m>, token: Token<'m>) -> Result<&'m CStr, Refusal<'m>> {
    if token.has(0) {
        return Err(Refusal {
            layer: Layer::Manifest,
            subject: Subject::Itself,
            reason: Reason::Words("a NUL where none can be"),
        });
    }
    arena.string(token.bytes()).ok_or(NO_ROOM)
}

#[cfg(test)]
mod tests;

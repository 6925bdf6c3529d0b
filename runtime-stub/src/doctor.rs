//! Tries every layer for real, each in a process of its own, and says which are there.

use crate::apply::contents;
use crate::apply::keeper::SERVICE_PID;
use crate::apply::places::INERT;
use crate::apply::{enter, idmap, landlock, namespaces, proc};
use crate::plan::Identity;
use crate::refusal::{Layer, OrRefuse, REFUSED, Refusal, Sentence, Subject};
use crate::sys::{
    self, At, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWUTS, Depth, Fd, Instruction,
    MOUNT_ATTR_RDONLY, NewFileSystem, O_PATH, Parent, Patience, Side,
};

/// What every manifest asks of Landlock at least.
const LEAST_ABI: u32 = 3;

type Found<'m> = Result<Sentence, Refusal<'m>>;

/// Examines this kernel as the caller; returns 0 if every layer that services need is there, else 1.
#[must_use]
pub fn examine() -> u8 {
    let trials: [(Layer, fn() -> Found<'static>); 13] = [
        (Layer::Users, users),
        (Layer::Mounts, mounts),
        (Layer::Ipc, || plain(sys::unshare(CLONE_NEWIPC).or_refuse(Layer::Ipc, "unshare"))),
        (Layer::Uts, || plain(sys::unshare(CLONE_NEWUTS).or_refuse(Layer::Uts, "unshare"))),
        (Layer::Cgroup, || plain(sys::unshare(CLONE_NEWCGROUP).or_refuse(Layer::Cgroup, "unshare"))),
        (Layer::Network, || plain(namespaces::leave_network())),
        (Layer::Pids, || plain(pids(|| Ok(())))),
        (Layer::Proc, || plain(pids(process_file_system))),
        (Layer::IdMap, id_map),
        (Layer::Descriptors, || {
            plain(sys::close_range(3, u32::MAX).or_refuse(Layer::Descriptors, "close_range"))
        }),
        (Layer::Privileges, || plain(sys::gain_nothing().or_refuse(Layer::Privileges, "no_new_privs"))),
        (Layer::Landlock, landlock),
        (Layer::Seccomp, seccomp),
    ];
    // For a plain user every layer is that of a user namespace, as services get it.
    let as_user = sys::user() != 0;
    let mut missing = 0;
    for (layer, trial) in trials {
        // Only root has services with owners to map.
        let is_needed = layer != Layer::IdMap || !as_user;
        let (ok, detail) = attempt(|| {
            if as_user && layer != Layer::Users {
                enter::become_root_of_oneself()?;
            }
            trial()
        });
        missing |= u8::from(!ok && is_needed);
        let mut line = Sentence::of(format_args!("{layer} {} ", if ok { "ok" } else { "missing" }));
        line.add(detail.bytes());
        sys::tell(line.bytes().trim_ascii_end());
        sys::tell(b"\n");
    }
    missing
}

/// Tries one thing in a process of its own; returns whether it is there, and a word on it.
fn attempt(trial: impl FnOnce() -> Found<'static>) -> (bool, Sentence) {
    let told = sys::pipe().and_then(|(read, write)| match sys::fork(Parent::Self_, 0, None)? {
        Side::Child => {
            drop(read);
            let (status, text) = match trial() {
                Ok(detail) => (0, detail),
                Err(refusal) => (REFUSED, Sentence::of(format_args!("{refusal}"))),
            };
            let _ = sys::write_all(&write, text.bytes());
            sys::exit(status)
        }
        Side::Parent(child) => {
            drop(write);
            let mut text = [0; 2048];
            let text = Sentence::raw(sys::read_all(&read, &mut text)?);
            let end = sys::end_of(&child.fd, Patience::Wait)?;
            Ok((end == Some(sys::End::Exited(0)), text))
        }
    });
    told.unwrap_or_else(|errno| (false, Sentence::of(format_args!("it cannot be tried: {errno}"))))
}

fn plain(result: Result<(), Refusal<'static>>) -> Found<'static> {
    result.map(|()| Sentence::raw(b""))
}

fn users() -> Found<'static> {
    plain(enter::become_root_of_oneself())
}

fn mounts() -> Found<'static> {
    let layer = Layer::Mounts;
    namespaces::leave_mounts()?;
    let own = Identity { uid: 0, gid: 0 };
    let memory = contents::memory(4096, 0o755, own).or_refuse(layer, "mounting a tmpfs")?;
    sys::attach_over_root(&memory).or_refuse(layer, "move_mount")?;
    let root = sys::open(At::Here, c"/", O_PATH, 0, 0).or_refuse(layer, "openat2")?;
    let tree = sys::clone_tree(&root, Depth::All).or_refuse(layer, "open_tree")?;
    let attributes = INERT | MOUNT_ATTR_RDONLY;
    plain(sys::set_attributes(&tree, attributes, Depth::All, None).or_refuse(layer, "mount_setattr"))
}

/// Does something as the service of a world.
fn pids(inside: fn() -> Result<(), Refusal<'static>>) -> Result<(), Refusal<'static>> {
    let layer = Layer::Pids;
    let (end, hold) = sys::pipe().or_refuse(layer, "pipe")?;
    let keeper = match sys::fork(Parent::Self_, CLONE_NEWPID, None).or_refuse(layer, "clone3")? {
        Side::Child => {
            drop(hold);
            let _ = sys::read(&end, &mut [0]);
            sys::exit(0)
        }
        Side::Parent(keeper) => keeper,
    };
    sys::join_pids_of(&keeper.fd).or_refuse(layer, "setns")?;
    let (words, report) = sys::pipe().or_refuse(layer, "pipe")?;
    let service =
        match sys::fork(Parent::Self_, 0, Some(SERVICE_PID)).or_refuse(layer, "clone3 with set_tid")? {
            Side::Child => {
                drop(hold);
                match inside() {
                    Ok(()) => sys::exit(0),
                    Err(refusal) => {
                        let _ = sys::write_all(&report, Sentence::of(format_args!("{refusal}")).bytes());
                        sys::exit(REFUSED)
                    }
                }
            }
            Side::Parent(service) => service,
        };
    drop((report, words));
    match sys::end_of(&service.fd, Patience::Wait).or_refuse(layer, "waiting")? {
        Some(sys::End::Exited(0)) => Ok(()),
        _ => Err(Refusal {
            layer,
            subject: Subject::Itself,
            reason: crate::refusal::Reason::Words("it fails inside"),
        }),
    }
}

fn process_file_system() -> Result<(), Refusal<'static>> {
    namespaces::leave_mounts()?;
    let layer = Layer::Proc;
    let root = NewFileSystem::of(c"tmpfs")
        .and_then(|tmpfs| tmpfs.mount(INERT))
        .or_refuse(layer, "mounting a tmpfs")?;
    sys::make_dir(At::Dir(&root), c"proc", 0o755).or_refuse(layer, "making its place")?;
    sys::attach_over_root(&root).or_refuse(layer, "attaching it")?;
    proc::attach(&proc::make()?, &root)
}

fn id_map() -> Found<'static> {
    let layer = Layer::IdMap;
    let mut maps = idmap::Maps::default();
    let one = |number| Identity { uid: number, gid: number };
    let owners: &Fd = maps.of(one(0), one(1000))?;
    let tmpfs = NewFileSystem::of(c"tmpfs")
        .and_then(|tmpfs| tmpfs.mount(INERT))
        .or_refuse(layer, "mounting a tmpfs")?;
    plain(sys::set_attributes(&tmpfs, INERT, Depth::One, Some(owners)).or_refuse(layer, "mount_setattr"))
}

fn landlock() -> Found<'static> {
    let layer = Layer::Landlock;
    let abi = landlock::suffices(LEAST_ABI)?;
    let ruleset = sys::new_ruleset(sys::Handled { files: 1, ports: 0, scopes: 0 });
    let ruleset = ruleset.or_refuse(layer, "landlock_create_ruleset")?;
    sys::gain_nothing().or_refuse(layer, "no_new_privs")?;
    sys::obey(&ruleset, 0).or_refuse(layer, "landlock_restrict_self")?;
    Ok(Sentence::of(format_args!("ABI {abi}")))
}

fn seccomp() -> Found<'static> {
    const ALLOW_ALL: [Instruction; 1] = [Instruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }];
    sys::gain_nothing().or_refuse(Layer::Seccomp, "no_new_privs")?;
    plain(sys::filter_calls(&ALLOW_ALL, sys::Telling::Nobody).or_refuse(Layer::Seccomp, "seccomp"))
}

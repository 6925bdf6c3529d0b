//! Id-mapped mounts: on disk a file is its owner's, in the world it is the service's own.
//!
//! The mapping is that of a user namespace in which nobody lives: a child makes it, is written its maps, and ends.

use crate::plan::Identity;
use crate::refusal::{Layer, OrRefuse, Refusal, Sentence};
use crate::sys::{self, At, CLONE_NEWUSER, Fd, O_RDONLY, O_WRONLY, Parent, Patience, Side};

const LAYER: Layer = Layer::IdMap;

/// The namespaces made so far, for the next mount of the same owner.
#[derive(Default)]
pub struct Maps {
    made: [Option<(Identity, Fd)>; 8],
    next: usize,
}

impl Maps {
    /// Returns a user namespace in which `owner` appears as `holder`.
    ///
    /// # Errors
    /// When the kernel does not let us make one.
    pub fn of<'m>(&mut self, owner: Identity, holder: Identity) -> Result<&Fd, Refusal<'m>> {
        let found = self.made.iter().position(|made| made.as_ref().is_some_and(|(other, _)| *other == owner));
        let index = match found {
            Some(index) => index,
            None => {
                let index = self.next % self.made.len();
                let fd = make(owner, holder)?;
                if let Some(slot) = self.made.get_mut(index) {
                    *slot = Some((owner, fd));
                }
                self.next += 1;
                index
            }
        };
        let made = self.made.get(index).and_then(Option::as_ref);
        made.map(|(_, fd)| fd).ok_or(Refusal::of(LAYER, "a namespace was lost"))
    }
}

fn make<'m>(owner: Identity, holder: Identity) -> Result<Fd, Refusal<'m>> {
    let (end, hold) = sys::pipe().or_refuse(LAYER, "pipe")?;
    let child =
        match sys::fork(Parent::Self_, CLONE_NEWUSER, None).or_refuse(LAYER, "making a user namespace")? {
            Side::Child => {
                // The child lives until the parent lets go of the other end.
                drop(hold);
                let _ = sys::read(&end, &mut [0]);
                sys::exit(0)
            }
            Side::Parent(child) => child,
        };
    let answer = map(child.pid, owner, holder);
    drop(hold);
    sys::end_of(&child.fd, Patience::Wait).or_refuse(LAYER, "waiting for a namespace's maker")?;
    answer
}

fn map<'m>(pid: i32, owner: Identity, holder: Identity) -> Result<Fd, Refusal<'m>> {
    write(format_args!("/proc/{pid}/uid_map"), format_args!("{} {} 1", owner.uid, holder.uid))?;
    write(format_args!("/proc/{pid}/gid_map"), format_args!("{} {} 1", owner.gid, holder.gid))?;
    let path = Sentence::of(format_args!("/proc/{pid}/ns/user"));
    sys::open(At::Here, path.c_str(), O_RDONLY, 0, 0).or_refuse(LAYER, "opening a user namespace")
}

fn write<'m>(path: core::fmt::Arguments<'_>, text: core::fmt::Arguments<'_>) -> Result<(), Refusal<'m>> {
    let fd = sys::open(At::Here, Sentence::of(path).c_str(), O_WRONLY, 0, 0)
        .or_refuse(LAYER, "opening an id map")?;
    sys::write_all(&fd, Sentence::of(text).bytes()).or_refuse(LAYER, "writing an id map")
}

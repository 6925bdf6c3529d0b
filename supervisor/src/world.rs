//! What exists before any service and outlives each: the runtime directory, facets, sockets and channels.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::pipe::PipeFlags;

use crate::error::Error;
use crate::plan::{Address, Descriptor, Facet, Mode, Plan, Service};
use crate::sockets::{self, Owner};
use crate::state::Attempt;

/// Everything that the supervisor holds for the services.
pub(crate) struct World {
    // Declared, and so let go, before the lock.
    facets: Facets,
    notify: OwnedFd,
    notify_path: PathBuf,
    /// Every world ends when no writing end is open any more; this is the only one.
    life: (OwnedFd, OwnedFd),
    listeners: BTreeMap<Address, (Owner, OwnedFd)>,
    /// By service and name.
    channels: BTreeMap<(String, String), OwnedFd>,
    _lock: File,
}

impl World {
    /// Makes all that the plan asks for.
    pub(crate) fn build(plan: &Plan, runtime: &Path) -> Result<World, Error> {
        make_directory(runtime)?;
        let lock = lock(runtime)?;
        let notify_path = runtime.join("notify");
        let notify =
            sockets::notify(&notify_path).map_err(Error::when(format!("bind {}", notify_path.display())))?;
        let life = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(Error::when("make the life pipe"))?;
        let mut world = World {
            facets: Facets { directory: runtime.join("facets"), mounted: Vec::new() },
            notify,
            notify_path,
            life,
            listeners: BTreeMap::new(),
            channels: BTreeMap::new(),
            _lock: lock,
        };
        make_directory(&world.facets.directory)?;
        for facet in &plan.facets {
            world.facets.mount(facet, plan.mode)?;
        }
        for service in &plan.services {
            for descriptor in &service.descriptors {
                if let Some((address, owner)) = world.place(descriptor, plan) {
                    world.listen(&address, owner)?;
                }
            }
        }
        for channel in &plan.channels {
            let (maker, holder) = sockets::pair().map_err(Error::when("make a channel"))?;
            world.channels.insert((channel.maker.clone(), channel.maker_name.clone()), maker);
            world.channels.insert((channel.holder.clone(), channel.holder_name.clone()), holder);
        }
        Ok(world)
    }

    /// Returns the socket on which launchers and services report, and its path.
    pub(crate) fn notify(&self) -> (&OwnedFd, &Path) {
        (&self.notify, &self.notify_path)
    }

    /// Returns the reading end of the life pipe.
    pub(crate) fn life(&self) -> BorrowedFd<'_> {
        self.life.0.as_fd()
    }

    /// Returns what a service is handed, in order, as good as new.
    ///
    /// At another attempt what its last run left in its channels is gone.
    pub(crate) fn descriptors(
        &mut self,
        plan: &Plan,
        service: &Service,
        attempt: Attempt,
    ) -> Result<Vec<OwnedFd>, Error> {
        let mut descriptors = Vec::with_capacity(service.descriptors.len());
        for descriptor in &service.descriptors {
            let end = match (self.place(descriptor, plan), descriptor) {
                (Some((address, owner)), _) => self.listen(&address, owner)?.as_fd(),
                (None, Descriptor::Channel { name }) => {
                    let end = self.channels.get(&(service.name.clone(), name.clone()));
                    let end = end
                        .ok_or(Errno::NOENT)
                        .map_err(Error::when(format!("find channel end `{name}`")))?
                        .as_fd();
                    if attempt == Attempt::Again {
                        sockets::drain(end);
                    }
                    end
                }
                (None, Descriptor::Listen { name, .. } | Descriptor::Activated { name, .. }) => {
                    return Err(Error::when::<Errno>(format!("find the facet of `{name}`"))(Errno::NOENT));
                }
            };
            sockets::make_blocking(end).map_err(Error::when("reset a socket"))?;
            descriptors.push(end.try_clone_to_owned().map_err(Error::when("copy a descriptor"))?);
        }
        Ok(descriptors)
    }

    /// Returns what a service is handed ahead of its start, or nothing if some of it is spoiled.
    ///
    /// Nothing is done to it: whom the service replaces may be at work with the very same sockets.
    pub(crate) fn lent(&self, plan: &Plan, service: &Service) -> Result<Option<Vec<OwnedFd>>, Error> {
        let ends = service.descriptors.iter().map(|descriptor| self.sound(plan, service, descriptor));
        let Some(ends) = ends.collect::<Option<Vec<_>>>() else { return Ok(None) };
        let copies = ends.iter().map(BorrowedFd::try_clone_to_owned).collect::<io::Result<_>>();
        copies.map(Some).map_err(Error::when("copy a descriptor"))
    }

    /// Makes what a service was lent ahead of its start as good as new; returns false if that cannot be done.
    pub(crate) fn refresh(&self, plan: &Plan, service: &Service) -> bool {
        service.descriptors.iter().all(|descriptor| {
            let Some(end) = self.sound(plan, service, descriptor) else { return false };
            if matches!(descriptor, Descriptor::Channel { .. }) {
                sockets::drain(end);
            }
            sockets::make_blocking(end).is_ok()
        })
    }

    /// Returns the end of a descriptor, unless it is spoiled.
    fn sound(&self, plan: &Plan, service: &Service, descriptor: &Descriptor) -> Option<BorrowedFd<'_>> {
        match (self.place(descriptor, plan), descriptor) {
            (Some((address, _)), _) => {
                let listener = self.listeners.get(&address).map(|(_, socket)| socket.as_fd());
                listener.filter(|socket| sockets::is_sound(*socket, &address))
            }
            (None, Descriptor::Channel { name }) => {
                self.channels.get(&(service.name.clone(), name.clone())).map(AsFd::as_fd)
            }
            (None, Descriptor::Listen { .. } | Descriptor::Activated { .. }) => None,
        }
    }

    /// Returns where a descriptor listens, if it does.
    fn place(&self, descriptor: &Descriptor, plan: &Plan) -> Option<(Address, Owner)> {
        match descriptor {
            Descriptor::Listen { name: _, address } => Some((address.clone(), Owner::Own)),
            Descriptor::Activated { name: _, facet, file } => {
                let maker = plan.facets.iter().find(|other| other.key == *facet)?;
                let address = Address::Unix(self.facets.directory.join(facet).join(file));
                Some((address, owner(maker, plan.mode)))
            }
            Descriptor::Channel { name: _ } => None,
        }
    }

    /// Returns the one socket of an address, made where there is none or it is spoiled.
    fn listen(&mut self, address: &Address, owner: Owner) -> Result<&OwnedFd, Error> {
        let is_sound = |(_, socket): &(Owner, OwnedFd)| sockets::is_sound(socket.as_fd(), address);
        if !self.listeners.get(address).is_some_and(is_sound) {
            // The spoiled one must be closed first: it may still have the address.
            self.listeners.remove(address);
            let made = match address {
                Address::Unix(path) => sockets::listen_unix(path, owner),
                Address::Tcp(_) | Address::Udp(_) => sockets::listen(address),
            };
            let socket = made.map_err(Error::when(format!("listen on {address}")))?;
            self.listeners.insert(address.clone(), (owner, socket));
        }
        let found = self.listeners.get(address).map(|(_, socket)| socket);
        found.ok_or(Errno::NOENT).map_err(Error::when(format!("listen on {address}")))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Best effort: what stays is replaced by the next supervisor.
        for (address, (_, _)) in &self.listeners {
            if let Address::Unix(path) = address
                && sockets::is_socket(path)
            {
                let _ = fs::remove_file(path);
            }
        }
        let _ = fs::remove_file(&self.notify_path);
    }
}

/// The memory directories of socket facets; unmounted when dropped.
struct Facets {
    directory: PathBuf,
    mounted: Vec<PathBuf>,
}

impl Facets {
    fn mount(&mut self, facet: &Facet, mode: Mode) -> Result<(), Error> {
        self.mounted.push(mount_facet(&self.directory, facet, mode)?);
        Ok(())
    }
}

impl Drop for Facets {
    fn drop(&mut self) {
        for place in self.mounted.iter().rev() {
            let _ = rustix::mount::unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
            let _ = fs::remove_dir(place);
        }
    }
}

/// Mounts the memory directory of a facet, over nothing that was mounted there before; returns its place.
pub(crate) fn mount_facet(directory: &Path, facet: &Facet, mode: Mode) -> Result<PathBuf, Error> {
    let place = directory.join(&facet.key);
    make_directory(&place)?;
    // One that a killed supervisor left behind, where mounts are not private.
    while rustix::mount::unmount(&place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).is_ok() {}
    let (uid, gid) = match owner(facet, mode) {
        Owner::Own => (0, 0),
        Owner::Other(uid, gid) => (uid, gid),
    };
    let doing = || Error::when::<io::Error>(format!("mount a memory directory for facet `{}`", facet.key));
    let options = CString::new(format!("size=64k,nr_inodes=16,mode=0755,uid={uid},gid={gid}"))
        .map_err(|error| doing()(error.into()))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("tmpfs", &place, "tmpfs", flags, Some(options.as_c_str()))
        .map_err(|error| doing()(error.into()))?;
    Ok(place)
}

/// Returns whose a facet is. In a user namespace there is one id, the supervisor's own.
fn owner(facet: &Facet, mode: Mode) -> Owner {
    match mode {
        Mode::Root => Owner::Other(facet.uid, facet.gid),
        Mode::User => Owner::Own,
    }
}

/// Makes a directory that is its owner's alone, and those above it.
pub(crate) fn make_directory(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(Error::when(format!("make {}", path.display())))
}

/// Keeps a second supervisor out of the runtime directory for as long as the file is open.
fn lock(runtime: &Path) -> Result<File, Error> {
    let path = runtime.join("lock");
    let doing = || Error::when::<io::Error>(format!("lock {}", path.display()));
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(doing())?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(Error::Taken(path.display().to_string())),
        Err(error) => Err(doing()(error.into())),
    }
}

//! The place of all groups of one supervisor, and the kernel's rules for making one.
//!
//! A lock on the directory says that its supervisor lives; the kernel lets go of it however that ends.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::Controller;
use super::group::{self, put};

/// How the directories of supervisors are named, before a number.
const NAME: &str = "capc-worlds-";
/// How the groups are named that supervisors move themselves to, before a number.
const SELF: &str = "capc-supervisor-";
/// How a service's group ends, so that none has the name of one of the kernel's files.
const ENDING: &str = ".world";

/// A directory in which services have their groups.
#[derive(Debug)]
pub(super) struct Tree {
    /// The group that the supervisor was started in.
    above: PathBuf,
    path: PathBuf,
    /// Which controllers were not handed on before, by the kernel's names.
    enabled: Vec<&'static str>,
    /// The group that this process was moved to.
    moved_to: Option<PathBuf>,
    _lock: File,
}

impl Tree {
    /// Makes one in a group; returns which controllers work in it, and why not all.
    pub(super) fn make(above: &Path) -> Result<(Tree, Vec<Controller>, Option<String>), String> {
        let refused =
            |error: io::Error| format!("capc may not make control groups in {}: {error}", above.display());
        remove_left_behind(above);
        let (path, lock) = new_directory(above).map_err(refused)?;
        let mut tree =
            Tree { above: above.to_owned(), path, enabled: Vec::new(), moved_to: None, _lock: lock };
        let there = words(&above.join("cgroup.controllers"));
        let (listed, unlisted): (Vec<Controller>, Vec<Controller>) = Controller::ALL
            .into_iter()
            .partition(|controller| there.iter().any(|word| word == controller.name()));
        let names: Vec<&str> = unlisted.into_iter().map(Controller::name).collect();
        let (controllers, refused) = tree.hand_on(&listed);
        let lack = refused.or_else(|| {
            let file = above.join("cgroup.controllers");
            (!names.is_empty()).then(|| format!("{} lists no {}", file.display(), names.join(", ")))
        });
        Ok((tree, controllers, lack))
    }

    /// Returns where the group of a service is: the first place or, while that is taken, the second.
    pub(super) fn places_of(&self, service: &str) -> [PathBuf; 2] {
        // INVARIANT: no name of a service has a point or a plus in it.
        let name = service.replace('/', ".");
        [format!("{name}{ENDING}"), format!("{name}+{ENDING}")].map(|name| self.path.join(name))
    }

    /// Makes controllers work in the groups of services; returns those that do, and why others do not.
    fn hand_on(&mut self, listed: &[Controller]) -> (Vec<Controller>, Option<String>) {
        let before = words(&self.above.join(CONTROL));
        let new: Vec<Controller> =
            listed.iter().copied().filter(|one| !before.iter().any(|word| word == one.name())).collect();
        let mut refused = None;
        if !listed.is_empty() && !is_root(&self.above) {
            refused =
                self.move_away().err().map(|error| format!("capc may not leave its control group: {error}"));
        }
        let (enabled, error) = enable(&self.above, &new);
        self.enabled = enabled.iter().map(|controller| controller.name()).collect();
        refused = refused.or(error.map(|error| self.why(&error)));
        let usable: Vec<Controller> =
            listed.iter().copied().filter(|one| !new.contains(one) || enabled.contains(one)).collect();
        let (controllers, error) = enable(&self.path, &usable);
        refused = refused.or(error.map(|error| format!("a controller of {}: {error}", self.path.display())));
        if self.enabled.is_empty() {
            self.move_back();
        }
        (controllers, refused)
    }

    fn why(&self, error: &io::Error) -> String {
        let above = self.above.display();
        match error.kind() {
            io::ErrorKind::ResourceBusy => format!(
                "there are other processes in the control group {above}; start capc in one of its own, as by \
                 `systemd-run --scope --property=Delegate=yes`"
            ),
            _ => format!("controllers of {above}: {error}"),
        }
    }

    /// Moves this process to a group of its own beside the tree: one that hands controllers on holds no processes.
    fn move_away(&mut self) -> io::Result<()> {
        let place = self.above.join(format!("{SELF}{}", std::process::id()));
        match fs::create_dir(&place) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => self.moved_to = Some(place.clone()),
        }
        put(&place.join(PROCESSES), "0").inspect_err(|_| self.move_back())
    }

    fn move_back(&mut self) {
        if let Some(place) = self.moved_to.take() {
            // Where that is refused this process stays where it is, which harms nobody.
            let _ = put(&self.above.join(PROCESSES), "0");
            let _ = fs::remove_dir(place);
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Best effort: what stays is removed by the next supervisor.
        let _ = remove_with_groups(&self.path);
        // The kernel refuses that where another supervisor uses them.
        for name in self.enabled.drain(..) {
            let _ = put(&self.above.join(CONTROL), &format!("-{name}"));
        }
        self.move_back();
    }
}

const CONTROL: &str = "cgroup.subtree_control";
const PROCESSES: &str = "cgroup.procs";

/// Returns whether a group is that of the whole machine, which may hold both groups and processes.
fn is_root(group: &Path) -> bool {
    !group.join("cgroup.events").exists()
}

fn words(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Hands controllers of a group on to those below; returns which, and an error of those that it does not.
fn enable(group: &Path, controllers: &[Controller]) -> (Vec<Controller>, Option<io::Error>) {
    let write = |some: &[Controller]| {
        let words: Vec<String> = some.iter().map(|controller| format!("+{}", controller.name())).collect();
        put(&group.join(CONTROL), &words.join(" "))
    };
    // All at once if that is possible: each time may take some ten milliseconds.
    if controllers.is_empty() || write(controllers).is_ok() {
        return (controllers.to_vec(), None);
    }
    let mut last = None;
    let one_by_one = controllers.iter().copied().filter(|controller| match write(&[*controller]) {
        Ok(()) => true,
        Err(error) => {
            last = Some(error);
            false
        }
    });
    (one_by_one.collect(), last)
}

/// Makes a directory that no other supervisor has, and locks it.
fn new_directory(above: &Path) -> io::Result<(PathBuf, File)> {
    let mut number = u64::from(std::process::id());
    loop {
        let path = above.join(format!("{NAME}{number}"));
        match fs::create_dir(&path) {
            // The number is that of a process in another namespace.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number = number.wrapping_add(1 << 32)
            }
            Err(error) => return Err(error),
            Ok(()) => {
                let lock = File::open(&path)?;
                rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
                // Another supervisor may have taken it for one that was left behind, before it was locked.
                if path.exists() {
                    return Ok((path, lock));
                }
            }
        }
    }
}

/// Removes what supervisors that are no more left behind in a group.
fn remove_left_behind(above: &Path) {
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let numbered = |prefix: &str| {
            let number = name.strip_prefix(prefix);
            number
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let path = entry.path();
        if numbered(NAME) {
            let lock = File::open(&path).map_err(drop).and_then(|directory| {
                let locked = rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive);
                locked.map(|()| directory).map_err(drop)
            });
            if lock.is_ok() {
                let _ = remove_with_groups(&path);
            }
        } else if numbered(SELF) {
            // One that a supervisor is in stays.
            let _ = fs::remove_dir(path);
        }
    }
}

/// Empties and removes all groups of services in a directory, and then that.
fn remove_with_groups(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)?.flatten().filter(|entry| entry.path().is_dir()) {
        group::remove(&entry.path())?;
    }
    fs::remove_dir(path)
}

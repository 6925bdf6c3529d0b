//! Kernel privileges and groups of system calls that a service was granted by name.

use super::seccomp::Beyond;
use super::world::World;
use super::{Mode, Run, Subject};
use crate::model::{Resource, Target, privilege_number};

/// `CAP_MKNOD`: of no use in a world, since Landlock lets nobody make a device.
const MKNOD: u8 = 27;

/// Adds the privileges that a service keeps, and returns what it may call with them.
pub fn add<'a>(run: &mut Run<'a>, world: &mut World, subject: Subject<'a>) -> Beyond {
    let groups = subject.service.syscalls.iter().map(|(word, _)| word.to_string()).collect();
    let mut beyond = Beyond { groups, privileges: Vec::new() };
    for held in run.held(subject) {
        let Target::Resource(resource) = held.capability.target else { continue };
        let Some(Resource::Privilege(name)) = run.model.object(resource).resource() else { continue };
        let Some(number) = privilege_number(name) else { continue };
        if number == MKNOD {
            let message = format!("`{name}` would be of no use to `{}`: no world makes devices", world.name);
            let help = "declare the `device` that it needs, and let it hold that";
            run.refusals.refuse(held.span, message, "granted here", help);
        } else if run.options.mode == Mode::User {
            let message = format!("`{name}` for `{}` is not a plain user's to give", world.name);
            run.refusals.refuse(held.span, message, "granted here", "run capc as root");
        } else {
            world.keep.insert(number);
            beyond.privileges.push(number);
        }
    }
    beyond
}

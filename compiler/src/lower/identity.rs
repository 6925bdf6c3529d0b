//! Who a service is: a number of its own, kept from generation to generation, and what its world says about it.

use super::place::Place;
use super::refusals::Refusals;
use super::world::World;
use super::{Mode, Options};
use crate::machine::Machine;
use crate::model::{Model, ObjectId, Resource, Service, Target};
use crate::source::Span;
use capc_schemas::manifest::{FileMode, Network};
use std::collections::{BTreeMap, BTreeSet};

/// Returns whether a number is one that capc gives to services.
#[must_use]
pub const fn is_given(uid: u32) -> bool {
    uid >= FIRST
}

/// The first number of those that no distribution gives to anybody (systemd's `UIDS-GIDS` table leaves them free).
const FIRST: u32 = 0x7000_0000;
/// Everybody that a user namespace or an id-mapping does not know.
const NOBODY: u32 = 65534;

/// The numbers of a service.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Whether others may run under the same number.
    pub is_shared: bool,
}

impl Default for Identity {
    fn default() -> Self {
        Self { uid: NOBODY, gid: NOBODY, is_shared: true }
    }
}

/// Gives every service its identity; returns also the numbers that must be kept.
pub fn allocate(
    model: &Model,
    machine: &dyn Machine,
    options: &Options,
    refusals: &mut Refusals,
) -> (BTreeMap<ObjectId, Identity>, BTreeMap<String, u32>) {
    let users = Names::read(machine, "/etc/passwd");
    let groups = Names::read(machine, "/etc/group");
    let mut numbers = options.previous.clone();
    let mut taken: BTreeSet<u32> = numbers.values().copied().collect();
    taken.extend(users.numbers.values().chain(groups.numbers.values()).map(|(number, _)| number));
    let mut next = FIRST;
    let mut fresh = |key: String| {
        *numbers.entry(key).or_insert_with(|| {
            while !taken.insert(next) {
                next += 1;
            }
            next
        })
    };
    let mut services: Vec<_> = model.services().collect();
    services.sort_by(|(_, one, _), (_, other, _)| one.name.cmp(&other.name));
    let mut identities = BTreeMap::new();
    for (id, object, service) in services {
        let named = service.identity.and_then(|(capability, span)| {
            let Target::Resource(resource) = model.capability(capability).target else { return None };
            let resource = model.object(resource);
            match resource.resource() {
                Some(Resource::Identity { user, group }) => Some((resource.name.clone(), user, group, span)),
                _ => None,
            }
        });
        let Some((name, user, group, span)) = named else {
            let number = fresh(object.name.to_string());
            identities.insert(id, Identity { uid: number, gid: number, is_shared: false });
            continue;
        };
        let mut known = |names: &Names, name: &String, what: &str| {
            let found = names.numbers.get(name).copied();
            if found.is_none() {
                let help = format!("make the {what} first, or leave `{what}=` out for a fresh one");
                refusals.refuse(span, format!("this machine has no {what} `{name}`"), "wanted here", help);
            }
            found
        };
        let user = user.as_ref().map(|user| known(&users, user, "user"));
        let group = group.as_ref().map(|group| known(&groups, group, "group"));
        if options.mode == Mode::User
            && (group.is_some() || user.flatten().is_some_and(|(uid, _)| uid != machine.caller()))
        {
            let message =
                format!("`{}` runs as another user, which a plain user cannot make it", object.name);
            refusals.refuse(span, message, "another identity", "run capc as root, or leave `as` out");
        }
        let uid = match user {
            Some(user) => user.map_or(NOBODY, |(uid, _)| uid),
            None => fresh(format!("identity {name}")),
        };
        let gid = match (group, user.flatten()) {
            (Some(group), _) => group.map_or(NOBODY, |(gid, _)| gid),
            (None, Some((_, gid))) => gid,
            (None, None) => uid,
        };
        identities.insert(id, Identity { uid, gid, is_shared: true });
    }
    (identities, numbers)
}

/// Says how a service runs as the owner of something: with the statements, if that is an account and not root.
#[must_use]
pub fn as_its_owner(machine: &dyn Machine, uid: u32) -> String {
    let users = Names::read(machine, "/etc/passwd");
    let mut named = users.numbers.iter().filter(|(_, (number, _))| *number == uid && uid != 0);
    let named = named
        .next()
        .filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    match named {
        Some((name, _)) => {
            format!(
                "let the service run `as` its owner: `identity owner user=\"{name}\"` beside it, `as owner` in it"
            )
        }
        None => "let the service run `as` its owner".to_owned(),
    }
}

/// The lines of `/etc/passwd` or `/etc/group`: name to number, and to the primary group.
struct Names {
    numbers: BTreeMap<String, (u32, u32)>,
}

impl Names {
    fn read(machine: &dyn Machine, path: &str) -> Self {
        let real = crate::machine::walk(machine, path).map(|walk| walk.real);
        let bytes = real.ok().and_then(|real| machine.read(&real).ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let entry = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let number = fields.nth(1)?.parse().ok()?;
            let group = fields.next().and_then(|gid| gid.parse().ok()).unwrap_or(number);
            Some((name, (number, group)))
        };
        Self { numbers: text.lines().filter_map(entry).collect() }
    }
}

/// Returns a service's name where no `/` may stand.
#[must_use]
pub fn plain_name(name: &str) -> String {
    // A host name has at most 64 bytes; names are ASCII.
    name.replace('/', "-").chars().take(64).collect()
}

/// Puts what the C library asks about identities and names into `/etc`, but where something was granted.
pub fn describe(world: &mut World, service: &Service, hosts: &BTreeSet<(String, String)>, span: Span) {
    let name = plain_name(&world.name);
    let home = service.workdir.as_ref().map_or("/", |workdir| &*workdir.path);
    let (uid, gid) = (world.uid, world.gid);
    let hosts: String = hosts.iter().map(|(address, name)| format!("{address} {name}\n")).collect();
    let dns = if world.network == Network::Open { " dns" } else { "" };
    let files = [
        ("/etc/passwd", format!("{name}:x:{uid}:{gid}::{home}:/usr/sbin/nologin\n")),
        ("/etc/group", format!("{name}:x:{gid}:\n")),
        ("/etc/hosts", format!("127.0.0.1 localhost {name}\n::1 localhost\n{hosts}")),
        ("/etc/nsswitch.conf", format!("passwd: files\ngroup: files\nhosts: files{dns}\n")),
    ];
    let Some(mode) = FileMode::new(0o444) else { return };
    for (at, content) in files {
        world.put_if_free(at, Place::Text { mode, content }, span);
    }
}

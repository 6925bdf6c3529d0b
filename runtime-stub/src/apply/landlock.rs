//! Landlock: rights on files and TCP ports as granted, signals and abstract sockets within the world.

use super::places::relative;
use crate::load::NO_LINKS;
use crate::plan::Plan;
use crate::refusal::{Layer, OrRefuse, Reason, Refusal, Subject};
use crate::sys::{self, At, Fd, FileType, Handled, O_PATH, RESOLVE_BENEATH};
use capc_schemas::manifest::{Network, Rights};
use linux_raw_sys::landlock as l;

const LAYER: Layer = Layer::Landlock;

/// The newest version whose rights are used here.
const NEWEST: u32 = 6;
/// The first version that tells audit what it refuses.
const LOGS: u32 = 7;

/// Rights that mean something on a file that is no directory.
const ON_FILES: u64 = (l::LANDLOCK_ACCESS_FS_EXECUTE
    | l::LANDLOCK_ACCESS_FS_WRITE_FILE
    | l::LANDLOCK_ACCESS_FS_READ_FILE
    | l::LANDLOCK_ACCESS_FS_TRUNCATE
    | l::LANDLOCK_ACCESS_FS_IOCTL_DEV) as u64;

/// Returns all that a kernel of this version can decide about, as far as it is used here.
const fn handled(abi: u32) -> Handled {
    let abi = if abi < NEWEST { abi } else { NEWEST };
    let rights = match abi {
        0 | 1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    let files = (1 << rights) - 1;
    let ports =
        if abi >= 4 { l::LANDLOCK_ACCESS_NET_BIND_TCP | l::LANDLOCK_ACCESS_NET_CONNECT_TCP } else { 0 };
    let scopes = if abi >= 6 { l::LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | l::LANDLOCK_SCOPE_SIGNAL } else { 0 };
    Handled { files, ports: ports as u64, scopes: scopes as u64 }
}

/// Returns the kernel's names for rights.
fn rights(rights: Rights) -> u64 {
    let of = |right, bits: u32| if rights.contains(right) { bits } else { 0 };
    let bits = of(Rights::READ, l::LANDLOCK_ACCESS_FS_READ_FILE | l::LANDLOCK_ACCESS_FS_READ_DIR)
        | of(Rights::EXEC, l::LANDLOCK_ACCESS_FS_EXECUTE)
        | of(Rights::MODIFY, l::LANDLOCK_ACCESS_FS_WRITE_FILE | l::LANDLOCK_ACCESS_FS_TRUNCATE)
        | of(
            Rights::CREATE,
            l::LANDLOCK_ACCESS_FS_MAKE_REG | l::LANDLOCK_ACCESS_FS_MAKE_DIR | l::LANDLOCK_ACCESS_FS_MAKE_SYM,
        )
        | of(Rights::REMOVE, l::LANDLOCK_ACCESS_FS_REMOVE_FILE | l::LANDLOCK_ACCESS_FS_REMOVE_DIR)
        | of(Rights::SOCKET, l::LANDLOCK_ACCESS_FS_MAKE_SOCK | l::LANDLOCK_ACCESS_FS_MAKE_FIFO)
        | of(Rights::DEVICE, l::LANDLOCK_ACCESS_FS_IOCTL_DEV)
        | of(Rights::CREATE.or(Rights::REMOVE), l::LANDLOCK_ACCESS_FS_REFER);
    u64::from(bits)
}

/// Returns the kernel's ABI of Landlock, which must be new enough; comes before anything is made.
///
/// # Errors
/// When it is not, or is not there.
pub fn suffices<'m>(least: u32) -> Result<u32, Refusal<'m>> {
    let found = sys::landlock_abi().or_refuse(LAYER, "landlock_create_ruleset")?;
    if found >= least {
        return Ok(found);
    }
    let reason = Reason::Least { found: u64::from(found), least: u64::from(least) };
    Err(Refusal { layer: LAYER, subject: Subject::Word("the kernel's ABI"), reason })
}

/// Makes the ruleset of a plan; the root must be the world's.
///
/// # Errors
/// When a place is not there, or the kernel does not take a rule.
pub fn ruleset<'m>(plan: &Plan<'m>) -> Result<Fd, Refusal<'m>> {
    let abi = sys::landlock_abi().or_refuse(LAYER, "landlock_create_ruleset")?;
    let mut handled = handled(abi);
    if plan.network == Network::Open {
        handled.ports = 0;
    }
    let ruleset = sys::new_ruleset(handled).or_refuse(LAYER, "landlock_create_ruleset")?;
    let root = sys::open(At::Here, c"/", O_PATH, 0, NO_LINKS).or_refuse(LAYER, "opening the root")?;
    for rule in plan.rules {
        let place = sys::open(At::Dir(&root), relative(rule.at), O_PATH, 0, NO_LINKS | RESOLVE_BENEATH)
            .or_refuse_at(LAYER, "opening it", rule.at)?;
        let status = sys::status(&place).or_refuse_at(LAYER, "looking at it", rule.at)?;
        let sensible = if status.file_type == FileType::Directory { u64::MAX } else { ON_FILES };
        let rights = rights(rule.rights) & sensible & handled.files;
        if rights != 0 {
            sys::allow_beneath(&ruleset, &place, rights).or_refuse_at(LAYER, "landlock_add_rule", rule.at)?;
        }
    }
    if handled.ports != 0 {
        let bind = u64::from(l::LANDLOCK_ACCESS_NET_BIND_TCP);
        let connect = u64::from(l::LANDLOCK_ACCESS_NET_CONNECT_TCP);
        let ports = plan.bind_ports.iter().map(|port| (*port, bind));
        ports
            .chain(plan.connect_ports.iter().map(|port| (*port, connect)))
            .try_for_each(|(port, right)| sys::allow_port(&ruleset, port, right))
            .or_refuse(LAYER, "landlock_add_rule for a port")?;
    }
    Ok(ruleset)
}

/// Is bound by a ruleset from now on, and so are the programs that are executed.
///
/// What it refuses them is told to the kernel's audit, which is off unless somebody listens: `capc why-denied`.
///
/// # Errors
/// When the kernel does not take it.
pub fn obey<'m>(ruleset: &Fd) -> Result<(), Refusal<'m>> {
    let abi = sys::landlock_abi().or_refuse(LAYER, "landlock_create_ruleset")?;
    let flags = if abi >= LOGS { l::LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON } else { 0 };
    sys::obey(ruleset, flags).or_refuse(LAYER, "landlock_restrict_self")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_right_of_the_kernel_is_handled_and_devices_are_never_made() {
        assert_eq!(handled(1).files, u64::from(l::LANDLOCK_ACCESS_FS_REFER) - 1);
        assert_eq!(handled(7).files, 2 * u64::from(l::LANDLOCK_ACCESS_FS_IOCTL_DEV) - 1);
        assert_eq!((handled(3).ports, handled(4).ports, handled(5).scopes, handled(6).scopes), (0, 3, 0, 3));
        let all = ["read", "exec", "modify", "create", "remove", "socket", "device"];
        let all = all.iter().filter_map(|word| Rights::from_word(word)).fold(Rights::NONE, Rights::or);
        let devices = u64::from(l::LANDLOCK_ACCESS_FS_MAKE_CHAR | l::LANDLOCK_ACCESS_FS_MAKE_BLOCK);
        assert_eq!(rights(all), handled(6).files & !devices);
    }
}

//! From a denial to what it was, and to the statement that would grant it.

use super::record::Refused;
use super::worlds::Owner;
use crate::command::sealed_words::path_of;
use crate::command::trace::suggest::{Suggestion, for_one};
use crate::emit::harmless::one_line;
use crate::lower::{group_of_call, name_of_call, passes_descriptors, privilege_of_call, usual_calls};
use crate::model::PRIVILEGES;
use crate::syntax::print::kdl::word;
use capc_schemas::manifest::{Line, Rights};
use capc_trace::{Access, Evidence, Use};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What was denied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denial {
    /// Rights on a file, or on the directory that has the name.
    File(Vec<String>, PathBuf),
    /// Connecting over TCP.
    Connect(SocketAddr),
    /// Listening at a TCP port.
    Bind(SocketAddr),
    /// A system call.
    Call(u32),
    /// A system call of another architecture's.
    Foreign,
    /// Something else of Landlock's: a scope.
    Other(String),
    /// Using a file that the world has not.
    Missing(Access, PathBuf),
    /// Using a file that the service holds, and that its owner and mode keep from it.
    Mode(PathBuf),
    /// Giving a file to somebody else.
    Owner(PathBuf),
    /// Connecting to a unix socket that the world has not.
    Socket(PathBuf),
    /// Connecting to a unix socket without a path.
    Abstract(String),
    /// Making a socket of a family and kind.
    Family(u32, u32),
    /// Sending a signal to somebody else.
    Signal,
}

/// A right of Landlock's on files: its name, what it lets do, and what grants it.
const FILES: [(&str, &str, Rights, Access); 14] = [
    ("fs.execute", "execute", Rights::EXEC, Access::Execute),
    ("fs.read_file", "read", Rights::READ, Access::Read),
    ("fs.read_dir", "list", Rights::READ, Access::Read),
    ("fs.write_file", "write to", Rights::MODIFY, Access::Modify),
    ("fs.truncate", "truncate", Rights::MODIFY, Access::Modify),
    ("fs.make_reg", "make a file in", Rights::CREATE, Access::Create),
    ("fs.make_dir", "make a directory in", Rights::CREATE, Access::Create),
    ("fs.make_sym", "make a link in", Rights::CREATE, Access::Create),
    ("fs.remove_file", "remove a file from", Rights::REMOVE, Access::Remove),
    ("fs.remove_dir", "remove a directory from", Rights::REMOVE, Access::Remove),
    ("fs.make_sock", "make a socket in", Rights::SOCKET, Access::Socket),
    ("fs.make_fifo", "make a FIFO in", Rights::SOCKET, Access::Socket),
    // To move a name between directories is to remove and to create.
    ("fs.refer", "move a name between directories, of which one is", Rights::CREATE, Access::Create),
    ("fs.ioctl_dev", "control the device", Rights::DEVICE, Access::Modify),
];

/// The rights of the language on what has a path, in its order.
const WORDS: [(&str, Rights); 6] = [
    ("read", Rights::READ),
    ("exec", Rights::EXEC),
    ("modify", Rights::MODIFY),
    ("create", Rights::CREATE),
    ("remove", Rights::REMOVE),
    ("socket", Rights::SOCKET),
];

impl Denial {
    /// Returns what Landlock refused.
    #[must_use]
    pub fn of(refused: Refused) -> Self {
        let Refused { domain: _, rights, path, address, port } = refused;
        let host = address.and_then(|address| address.parse().ok());
        let socket = SocketAddr::new(host.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port);
        match path {
            Some(path) => Self::File(rights, PathBuf::from(std::ffi::OsString::from_vec(path))),
            None if rights.iter().any(|right| right == "net.connect_tcp") => Self::Connect(socket),
            None if rights.iter().any(|right| right == "net.bind_tcp") => Self::Bind(socket),
            None => Self::Other(rights.join(", ")),
        }
    }

    /// Returns that a right lacks on a file or directory that the world has.
    #[must_use]
    pub fn lacks(access: Access, path: PathBuf) -> Self {
        let right = match access {
            Access::Read if path.is_dir() => "fs.read_dir",
            Access::Read => "fs.read_file",
            Access::Execute => "fs.execute",
            Access::Modify => "fs.write_file",
            Access::Create => "fs.make_reg",
            Access::Remove => "fs.remove_file",
            Access::Socket => "fs.make_sock",
        };
        Self::File(vec![right.to_owned()], path)
    }

    /// Says what was tried, as what one may not do.
    #[must_use]
    pub fn tried(&self) -> String {
        match self {
            Self::File(rights, path) => {
                let doing = FILES.iter().filter(|(name, ..)| rights.iter().any(|right| right == name));
                let mut doing: Vec<&str> = doing.map(|(_, doing, ..)| *doing).collect();
                if doing.is_empty() {
                    doing = rights.iter().map(String::as_str).collect();
                }
                format!("{} {}", doing.join(" and "), one_line(&path.to_string_lossy()))
            }
            Self::Connect(address) if address.ip().is_unspecified() => {
                format!("connect to TCP port {}", address.port())
            }
            Self::Connect(address) => format!("connect to {address} over TCP"),
            Self::Bind(address) if address.ip().is_unspecified() => {
                format!("bind TCP port {}", address.port())
            }
            Self::Bind(address) => format!("bind {address} over TCP"),
            Self::Call(call) => match name_of_call(*call) {
                Some(name) => format!("call {name}"),
                None => format!("make the system call of number {call}"),
            },
            Self::Foreign => "make system calls of another architecture".to_owned(),
            Self::Other(rights) => format!("reach out of its world ({rights})"),
            Self::Missing(access, path) => {
                let doing = match access {
                    Access::Read => "find",
                    Access::Execute => "find and execute",
                    Access::Modify => "find and write to",
                    Access::Create => "make",
                    Access::Remove => "remove",
                    Access::Socket => "make the socket",
                };
                format!("{doing} {}", one_line(&path.to_string_lossy()))
            }
            Self::Mode(path) => format!("use {}", one_line(&path.to_string_lossy())),
            Self::Owner(path) => format!("give away {}", one_line(&path.to_string_lossy())),
            Self::Socket(path) => format!("find the socket {}", one_line(&path.to_string_lossy())),
            Self::Abstract(name) => format!("connect to the abstract socket @{}", one_line(name)),
            Self::Family(family, kind) => format!("make a socket {}", family_name(*family, *kind)),
            Self::Signal => "signal a process outside of its world, or its keeper".to_owned(),
        }
    }

    /// Says which statement would grant it to a service, or that none does.
    #[must_use]
    pub fn granted_by(&self, owner: &Owner) -> String {
        match self {
            Self::File(rights, path) => of_file(rights, path, owner),
            Self::Connect(address) => written(&Use::Connect(with_host(*address)), "connect", owner),
            Self::Bind(address) => written(&Use::Bind(*address), "bind", owner),
            Self::Call(call) => of_call(*call, owner),
            Self::Foreign => "nothing grants it".to_owned(),
            Self::Other(rights) if rights.contains("signal") => Self::Signal.granted_by(owner),
            Self::Other(rights) if rights.contains("abstract") => Self::Abstract(String::new()).granted_by(owner),
            Self::Other(_) => "nothing grants it: a world's scopes always hold".to_owned(),
            Self::Missing(access, path) => match (path.parent(), access) {
                (Some(parent), Access::Create | Access::Remove | Access::Socket)
                    if parent == Path::new("/") =>
                {
                    "nothing grants it: `/` is the world's own; let it use a directory that it can hold".to_owned()
                }
                _ => written(&Use::File(path.clone(), *access), "open", owner),
            },
            Self::Mode(path) => of_mode(path, owner),
            Self::Owner(_) => {
                "nothing grants it: what a service makes is its own; let it run `as` whom the files should belong to".to_owned()
            }
            Self::Socket(path) => written(&Use::Socket(path.clone()), "connect", owner),
            Self::Abstract(_) => {
                "nothing grants it: what has no path cannot be held; let both use a socket with a path".to_owned()
            }
            Self::Family(family, kind) => of_family(*family, *kind).to_owned(),
            Self::Signal => {
                "nothing grants it: services are stopped and restarted by the init (`capc stop`, `capc restart`)".to_owned()
            }
        }
    }
}

/// `AF_UNIX`, `AF_INET`, `AF_INET6`, `AF_NETLINK`, `AF_PACKET` of socket(2).
const FAMILIES: [(u32, &str); 5] =
    [(1, "AF_UNIX"), (2, "AF_INET"), (10, "AF_INET6"), (16, "AF_NETLINK"), (17, "AF_PACKET")];

fn family_name(family: u32, kind: u32) -> String {
    let name = FAMILIES.iter().find(|(number, _)| *number == family);
    let name = name.map_or_else(|| format!("of family {family}"), |(_, name)| format!("of {name}"));
    match kind {
        1 => format!("{name} for streams"),
        2 => format!("{name} for datagrams"),
        3 => format!("{name} for raw packets"),
        _ => name,
    }
}

fn of_family(family: u32, kind: u32) -> &'static str {
    match (family, kind) {
        (2 | 10, 1) => {
            "`connect NAME tcp=\"HOST:PORT\"` and `holds NAME connect`, or `listen NAME tcp=\"HOST:PORT\"` and `holds NAME bind`, \
             give the one port that it wants"
        }
        (2 | 10, 2) => "network net; holds net use",
        (2 | 10 | 17, 3) => "privilege net-raw \"CAP_NET_RAW\"; holds net-raw use",
        (16, _) => {
            "network net; holds net use (addresses and routes); all of it: privilege net-admin \"CAP_NET_ADMIN\"; holds net-admin use"
        }
        _ => "nothing grants it: worlds have no sockets of this family",
    }
}

/// Says of a file that is held and could not be used, whose it is.
fn of_mode(path: &Path, owner: &Owner) -> String {
    let uid = owner.manifest().and_then(|manifest| {
        manifest.lines().find_map(|line| match line {
            Line::Uid { uid, gid: _ } => Some(uid),
            _ => None,
        })
    });
    let who = uid.map_or_else(|| "the service".to_owned(), |uid| format!("the service, whose uid is {uid}"));
    let found = path
        .metadata()
        .map(|found| format!("{}:{} with mode {:04o}", found.uid(), found.gid(), found.mode() & 0o7777));
    match found {
        Ok(found) => format!(
            "granted, but its owner and mode keep it from {who}: it belongs to {found}; `chown` or `chmod` it, or run `as` its owner"
        ),
        Err(_) => {
            format!("granted, but owners and modes, of it or of a directory above it, keep it from {who}")
        }
    }
}

/// A port of any host is declared with one, which the statement needs.
fn with_host(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address }
}

fn of_call(call: u32, owner: &Owner) -> String {
    if group_of_call(call) == Some("mount") {
        return "nothing grants it: no world may mount; mount it outside, and let the service hold it as a `dir`".to_owned();
    }
    if group_of_call(call).is_some() {
        return written(&Use::Call(call), "call", owner);
    }
    if name_of_call(call) == Some("memfd_create") {
        return "granted with the flag MFD_NOEXEC_SEAL; most programs do without it, as on an older kernel"
            .to_owned();
    }
    let privilege = privilege_of_call(call).and_then(|number| PRIVILEGES.get(usize::from(number)));
    if let Some(privilege) = privilege {
        let name = privilege.to_lowercase().replace('_', "-");
        let statements = format!("privilege {name} \"CAP_{privilege}\"; holds {name} use");
        return match *privilege {
            "SETUID" | "SETGID" => {
                format!("nothing has to: it runs `as` who it is from the beginning ({statements} would)")
            }
            _ => statements,
        };
    }
    if matches!(name_of_call(call), Some("clone3" | "openat2")) {
        return "nothing grants it: programs do without, as on an older kernel".to_owned();
    }
    if let Some(facet) = owner.data_only.as_ref().filter(|_| passes_descriptors(call)) {
        return format!(
            "descriptors are passed by it, and none may cross `{facet}`, which is `data-only`: send and recv do without"
        );
    }
    if name_of_call(call) == Some("socket") {
        return "its family is not granted: `connect` and `listen` give TCP, a `network` UDP".to_owned();
    }
    if usual_calls().contains(&call) {
        return "granted with other arguments alone".to_owned();
    }
    "nothing grants it: no group of `syscalls` has it".to_owned()
}

fn of_file(rights: &[String], path: &Path, owner: &Owner) -> String {
    let needed: Vec<_> = FILES.iter().filter(|(name, ..)| rights.iter().any(|right| right == name)).collect();
    let Some((_, _, _, access)) = needed.first() else { return "nothing grants it".to_owned() };
    let mut wanted = needed.iter().fold(Rights::NONE, |all, (_, _, right, _)| all.or(*right));
    if rights.iter().any(|right| right == "fs.refer") {
        wanted = wanted.or(Rights::REMOVE);
    }
    match held(path, owner) {
        Held::As { name, rights: has } if !wanted.contains(Rights::DEVICE) => {
            let all = WORDS.iter().filter(|(_, right)| has.or(wanted).contains(*right));
            let words: Vec<&str> = all.map(|(word, _)| *word).collect();
            return format!("holds {} {}", word(&name), words.join(" "));
        }
        Held::Above => {
            return "nothing has to: a directory of the world's own, on the way to what it has".to_owned();
        }
        Held::As { .. } | Held::Not => {}
    }
    let is_name = matches!(access, Access::Create | Access::Remove | Access::Socket);
    // A name is made in a directory, and that is what the record has.
    let path = if is_name { path.join("name") } else { path.to_owned() };
    let statement = written(&Use::File(path, *access), "open", owner);
    match statement.ends_with(" read write") && wanted.contains(Rights::DEVICE) {
        true => statement + " ioctl",
        false => statement,
    }
}

/// How a service has what is at a path.
enum Held {
    /// By a statement for that or something above.
    As { name: String, rights: Rights },
    /// It leads to something that the service has.
    Above,
    /// Not at all.
    Not,
}

fn held(path: &Path, owner: &Owner) -> Held {
    let Some(manifest) = owner.manifest() else { return Held::Not };
    let (mut best, mut leads_on) = (None, false);
    for line in manifest.lines() {
        match line {
            Line::Grant { at, from, .. } if path.starts_with(path_of(at)) => {
                let from = path_of(from);
                let name = owner.known.iter().find(|(_, known)| known.as_deref() == Some(from.as_str()));
                best = name.map(|(name, _)| (name.clone(), path_of(at))).or(best);
            }
            Line::Grant { at, .. }
            | Line::Pinned { at, .. }
            | Line::Image { at, .. }
            | Line::Tmpfs { at, .. } => {
                leads_on |= Path::new(&path_of(at)).starts_with(path) && Path::new(&path_of(at)) != path;
            }
            _ => {}
        }
    }
    match best {
        Some((name, place)) => {
            let rules = manifest.lines().filter_map(|line| match line {
                // What several places below one have in common is allowed there.
                Line::Allow { at, rights } if Path::new(&place).starts_with(path_of(at)) => Some(rights),
                _ => None,
            });
            Held::As { name, rights: rules.fold(Rights::NONE, Rights::or) }
        }
        None if leads_on => Held::Above,
        None => Held::Not,
    }
}

/// Writes the statements that give one thing.
fn written(used: &Use, call: &'static str, owner: &Owner) -> String {
    let evidence = Evidence { by: String::new(), call, times: 1 };
    let Suggestion { declared, stated, ungranted } = for_one(used, &evidence, &owner.known);
    if let Some(why) = ungranted.first().filter(|_| stated.is_empty()).and_then(|told| told.split_once("): "))
    {
        return format!("nothing grants it: {}", one_line(why.1));
    }
    let statements: Vec<String> =
        declared.into_iter().chain(stated).map(|(statement, _)| one_line(&statement)).collect();
    if statements.is_empty() { "nothing grants it".to_owned() } else { statements.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const MANIFEST: &str = "capc-manifest 1\n";

    #[track_caller]
    fn check(denial: &Denial, tried: &str, granted: &str) {
        let known = BTreeMap::from([("taken".to_owned(), Some("/srv/taken".to_owned()))]);
        let data_only = Some("desk.notes".to_owned());
        let owner = Owner { service: "job".to_owned(), manifest: MANIFEST.into(), known, data_only };
        assert_eq!((denial.tried().as_str(), denial.granted_by(&owner).as_str()), (tried, granted));
    }

    fn file(right: &str, path: &str) -> Denial {
        Denial::File(vec![right.to_owned()], PathBuf::from(path))
    }

    #[test]
    fn a_denial_is_answered_with_the_statement_that_grants_it() {
        check(&file("fs.make_fifo", "/srv/taken"), "make a FIFO in /srv/taken", "holds taken read socket");
        check(
            &Denial::Connect(SocketAddr::from(([192, 0, 2, 1], 25))),
            "connect to 192.0.2.1:25 over TCP",
            "connect port-25 tcp=\"192.0.2.1:25\"; holds port-25 connect",
        );
        check(
            &Denial::Bind(SocketAddr::from(([0, 0, 0, 0], 80))),
            "bind TCP port 80",
            "listen listen-80 tcp=\"0.0.0.0:80\"; holds listen-80 bind",
        );
        check(
            &file("fs.ioctl_dev", "/dev/kvm"),
            "control the device /dev/kvm",
            "device kvm \"/dev/kvm\"; holds kvm read write ioctl",
        );
        let call = |name| Denial::Call((0..500).find(|number| name_of_call(*number) == Some(name)).unwrap());
        check(&call("unshare"), "call unshare", "syscalls \"namespaces\"");
        check(
            &call("clock_settime"),
            "call clock_settime",
            "privilege sys-time \"CAP_SYS_TIME\"; holds sys-time use",
        );
        check(
            &call("mount"),
            "call mount",
            "nothing grants it: no world may mount; mount it outside, and let the service hold it as a `dir`",
        );
        check(
            &call("recvmsg"),
            "call recvmsg",
            "descriptors are passed by it, and none may cross `desk.notes`, which is `data-only`: send and recv do without",
        );
    }

    #[test]
    fn a_hostile_path_is_shown_on_one_line_and_written_as_a_name() {
        check(
            &file("fs.write_file", "/srv/a\u{1b}[2J\" _\nservice evil"),
            r#"write to /srv/a\u{1b}[2J" _\u{a}service evil"#,
            r#"file a--2j----service-evil "/srv/a\u{1b}[2J\" _\nservice evil"; holds a--2j----service-evil read modify"#,
        );
    }
}

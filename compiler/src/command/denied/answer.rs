//! From a denial to what it was, and to the statement that would grant it.

use super::record::Refused;
use super::worlds::Owner;
use crate::command::sealed_words::path_of;
use crate::command::trace::suggest::{Suggestion, for_one};
use crate::emit::harmless::one_line;
use crate::lower::{calls_beyond, group_of_call, name_of_call, passes_descriptors, usual_calls};
use crate::syntax::print::kdl::word;
use capc_schemas::manifest::{Line, Rights};
use capc_trace::{Access, Evidence, Use};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
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
            Self::Other(_) => "nothing grants it: a world's scopes always hold".to_owned(),
        }
    }
}

/// A port of any host is declared with one, which the statement needs.
fn with_host(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address }
}

fn of_call(call: u32, owner: &Owner) -> String {
    if group_of_call(call).is_some() {
        return written(&Use::Call(call), "call", owner);
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
    if usual_calls().contains(&call) || calls_beyond(Vec::new(), (0..64).collect()).any(|more| more == call) {
        return "granted with other arguments, or with a `privilege` alone".to_owned();
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
                Line::Allow { at, rights } if path_of(at) == place => Some(rights),
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
    let Suggestion { declared, stated, ungranted: _ } = for_one(used, &evidence, &owner.known);
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

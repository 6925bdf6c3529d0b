//! What the kernel says of the sockets that systemd made: who listens.

use crate::emit::init::systemd::FACETS;
use capc_supervisor::{Address, Descriptor, Service};
use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};

/// A socket that listens (linux/tcp_states.h).
const LISTENS: &str = "0A";
/// The same of a unix socket (linux/net.h, `__SO_ACCEPTCON`).
const ACCEPTS: u32 = 1 << 16;

/// What systemd listens on at a moment.
pub struct Listening {
    tables: [(&'static str, String); 4],
    unix: String,
    /// The numbers of its sockets. Others may listen on the same address, or on the same path of a world of theirs.
    own: BTreeSet<String>,
}

impl Listening {
    /// Looks.
    pub fn now() -> Self {
        let table = |name: &str| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
        let tables = ["tcp", "tcp6", "udp", "udp6"].map(|name| (name, table(name)));
        Self { tables, unix: table("unix"), own: own() }
    }

    /// Returns whether all that a service is to be passed is listened on.
    pub fn has_all_of(&self, service: &Service) -> bool {
        service.descriptors.iter().all(|descriptor| match descriptor {
            Descriptor::Listen { name: _, address: Address::Tcp(address) } => self.has("tcp", *address),
            Descriptor::Listen { name: _, address: Address::Udp(address) } => self.has("udp", *address),
            Descriptor::Listen { name: _, address: Address::Unix(path) } => {
                self.accepts(&path.to_string_lossy())
            }
            Descriptor::Activated { name: _, facet, file } => {
                self.accepts(&format!("{FACETS}/{facet}/{file}"))
            }
            Descriptor::Channel { name: _ } => true,
        })
    }

    fn has(&self, protocol: &str, address: SocketAddr) -> bool {
        let (name, local) = match address.ip() {
            IpAddr::V4(ip) => (protocol.to_owned(), format!("{:08X}", u32::from_ne_bytes(ip.octets()))),
            IpAddr::V6(ip) => {
                let words = ip.octets();
                let words =
                    words.as_chunks::<4>().0.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word)));
                (format!("{protocol}6"), words.collect())
            }
        };
        let wanted = format!("{local}:{:04X}", address.port());
        let Some((_, table)) = self.tables.iter().find(|(table, _)| *table == name) else { return false };
        table.lines().skip(1).any(|line| {
            let mut words = line.split_ascii_whitespace().skip(1);
            let (local, state, number) = (words.next(), words.nth(1), words.nth(5));
            local == Some(wanted.as_str())
                && (protocol == "udp" || state == Some(LISTENS))
                && self.is_own(number)
        })
    }

    fn accepts(&self, path: &str) -> bool {
        self.unix.lines().skip(1).any(|line| {
            let mut words = line.split_ascii_whitespace().skip(3);
            let flags = words.next().and_then(|flags| u32::from_str_radix(flags, 16).ok());
            let number = words.nth(2);
            line.split_once(path).is_some_and(|(before, after)| before.ends_with(' ') && after.is_empty())
                && flags.is_some_and(|flags| flags & ACCEPTS != 0)
                && self.is_own(number)
        })
    }

    fn is_own(&self, number: Option<&str>) -> bool {
        number.is_some_and(|number| self.own.contains(number))
    }
}

/// Returns the numbers of the sockets that the first process has.
fn own() -> BTreeSet<String> {
    let entries = fs::read_dir("/proc/1/fd").into_iter().flatten().flatten();
    let targets =
        entries.filter_map(|entry| fs::read_link(entry.path()).ok()?.into_os_string().into_string().ok());
    targets.filter_map(|to| Some(to.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}

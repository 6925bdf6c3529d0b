//! What lies in a traced process: texts, addresses, and where its paths lead.

use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

/// The longest path (limits.h).
const LONGEST: usize = 4096;
/// `AT_FDCWD`, as the low half of an argument.
const HERE: i32 = -100;

/// Where a socket's name leads.
pub enum Address {
    /// A unix socket with a path.
    Path(PathBuf),
    /// An address of the internet.
    Internet(SocketAddr),
}

fn read(pid: Pid, at: u64, length: usize) -> Option<Vec<u8>> {
    let memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut bytes = vec![0; length];
    let count = memory.read_at(&mut bytes, at).ok()?;
    bytes.truncate(count);
    Some(bytes)
}

/// Returns the text that ends with a NUL at an address.
fn text(pid: Pid, at: u64) -> Option<OsString> {
    // Up to the end of a page at first: the next may not be there.
    let first = (LONGEST as u64 - at % LONGEST as u64) as usize;
    let mut bytes = read(pid, at, first)?;
    if !bytes.contains(&0) {
        bytes.extend(read(pid, at + first as u64, LONGEST)?);
    }
    let end = bytes.iter().position(|byte| *byte == 0)?;
    bytes.truncate(end);
    Some(OsString::from_vec(bytes))
}

/// Returns what a path argument means: from the root, its directory without links.
pub fn path(pid: Pid, directory: u64, at: u64) -> Option<PathBuf> {
    let text = text(pid, at)?;
    let path = Path::new(&text);
    let base = match directory as i32 {
        HERE => fs::read_link(format!("/proc/{pid}/cwd")).ok()?,
        number => fs::read_link(format!("/proc/{pid}/fd/{number}")).ok()?,
    };
    let whole = base.join(path);
    match (whole.parent(), whole.file_name()) {
        (Some(parent), Some(name)) => Some(parent.canonicalize().ok()?.join(name)),
        _ => whole.canonicalize().ok(),
    }
}

/// Returns the name that a path argument is, from the root, links and all; none where it goes back up.
pub fn asked(pid: Pid, directory: u64, at: u64) -> Option<PathBuf> {
    let text = text(pid, at)?;
    let path = Path::new(&text);
    let base = match directory as i32 {
        _ if path.is_absolute() => PathBuf::from("/"),
        HERE => fs::read_link(format!("/proc/{pid}/cwd")).ok()?,
        number => fs::read_link(format!("/proc/{pid}/fd/{number}")).ok()?,
    };
    // Collected anew, it has no `.` and no doubled `/`.
    let whole: PathBuf = base.join(path).components().collect();
    let goes_back = whole.components().any(|part| part == Component::ParentDir);
    (whole.is_absolute() && !goes_back).then_some(whole)
}

/// Returns what a descriptor is, if it has a path.
pub fn descriptor(pid: Pid, number: u64) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/{pid}/fd/{}", number as i32)).ok()?;
    let is_file = path.is_absolute() && !path.as_os_str().as_bytes().ends_with(b" (deleted)");
    is_file.then_some(path).filter(|path| !path.starts_with("/memfd:"))
}

/// Returns the address at an address; none of other families, abstract or nameless sockets.
pub fn address(pid: Pid, at: u64, length: u64) -> Option<Address> {
    let bytes = read(pid, at, usize::try_from(length).ok()?.min(128))?;
    let family = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    let port = |bytes: &[u8]| Some(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?));
    match family {
        1 => {
            let path = bytes.get(2..)?.split(|byte| *byte == 0).next()?;
            let path = PathBuf::from(OsString::from_vec(path.to_vec()));
            let base = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
            (!path.as_os_str().is_empty()).then(|| Address::Path(base.join(path)))
        }
        2 => {
            let ip: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(Address::Internet((IpAddr::V4(Ipv4Addr::from(ip)), port(&bytes)?).into()))
        }
        10 => {
            let ip: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            Some(Address::Internet((IpAddr::V6(Ipv6Addr::from(ip)), port(&bytes)?).into()))
        }
        _ => None,
    }
}

/// Returns the name of a unix socket that has no path, if that is what stands at an address.
pub fn abstract_name(pid: Pid, at: u64, length: u64) -> Option<String> {
    let bytes = read(pid, at, usize::try_from(length).ok()?.min(128))?;
    let name = bytes.strip_prefix(&1_u16.to_ne_bytes())?.strip_prefix(&[0])?;
    Some(String::from_utf8_lossy(name).trim_end_matches('\0').to_owned())
}

/// Returns the name that the kernel has for a socket, `socket:[INODE]`.
pub fn socket(pid: Pid, number: u64) -> Option<String> {
    let name = fs::read_link(format!("/proc/{pid}/fd/{}", number as i32)).ok()?;
    name.to_str().filter(|name| name.starts_with("socket:[")).map(str::to_owned)
}

/// Returns whether a descriptor is a socket for datagrams of the internet.
pub fn is_datagram(pid: Pid, number: u64) -> bool {
    // It stands in the list of the network's UDP sockets.
    let name = socket(pid, number).unwrap_or_default();
    let Some(inode) = name.strip_prefix("socket:[").and_then(|name| name.strip_suffix(']')) else {
        return false;
    };
    ["udp", "udp6"].iter().any(|table| {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        table.lines().any(|line| line.split_ascii_whitespace().nth(9) == Some(inode))
    })
}

/// Returns the name of a process.
pub fn name(pid: Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

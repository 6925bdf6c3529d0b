//! Whether a service's sockets listen, read from the kernel's tables for its network namespace.
//!
//! Asking the kernel disturbs nobody, where a connection made for a try would be one that the service must answer.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::Pid;

/// Tells whether all that `ready "socket"` asks for listens: sockets at paths of the service's world, and TCP ports.
pub(crate) fn listens(sockets: &[String], ports: &[u16], main: Pid) -> bool {
    let table = |name: &str| {
        fs::read(format!("/proc/{main}/net/{name}"))
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .ok()
    };
    let Some(unix) = table("unix") else { return false };
    let tcp = table("tcp").unwrap_or_default() + &table("tcp6").unwrap_or_default();
    // In the machine's own network the tables list everybody's sockets, and paths of other worlds.
    let strangers_too = link("self", "net") == link(&main.to_string(), "net");
    let is_own = |inodes: BTreeSet<u64>| {
        !inodes.is_empty() && (!strangers_too || sockets_of_world(main).any(|inode| inodes.contains(&inode)))
    };
    sockets.iter().all(|path| is_own(unix_listeners(&unix, path)))
        && ports.iter().all(|port| is_own(tcp_listeners(&tcp, *port)))
}

/// Returns the sockets bound at a path that listen, or that are of the kind that never does.
fn unix_listeners(table: &str, path: &str) -> BTreeSet<u64> {
    let inode = |line: &str| {
        // Num RefCount Protocol Flags Type St Inode Path
        let mut words = line.split_ascii_whitespace();
        let (flags, kind) = (words.nth(3)?, words.next()?);
        let inode = words.nth(1)?;
        // A path may have blanks in it, so it is what follows the inode and one blank.
        let at = line.find(&format!(" {inode} "))? + inode.len() + 2;
        let accepts = u32::from_str_radix(flags, 16).ok()? & 0x1_0000 != 0;
        let is_datagram = kind == "0002";
        ((accepts || is_datagram) && line.get(at..)? == path).then(|| inode.parse().ok())?
    };
    table.lines().filter_map(inode).collect()
}

/// Returns the sockets that listen on a TCP port of any address.
fn tcp_listeners(table: &str, port: u16) -> BTreeSet<u64> {
    let inode = |line: &str| {
        // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
        let mut words = line.split_ascii_whitespace();
        let (_, local) = words.nth(1)?.rsplit_once(':')?;
        let state = words.nth(1)?;
        let inode = words.nth(5)?;
        (state == "0A" && u16::from_str_radix(local, 16).ok()? == port).then(|| inode.parse().ok())?
    };
    table.lines().filter_map(inode).collect()
}

/// Returns the sockets that the service's main process, or another of its PID namespace, has open.
fn sockets_of_world(main: Pid) -> impl Iterator<Item = u64> {
    let world = link(&main.to_string(), "pid");
    let others = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(move |entry| {
        let name = entry.file_name().into_string().ok()?;
        let is_process = name.bytes().all(|byte| byte.is_ascii_digit());
        (is_process && world.is_some() && link(&name, "pid") == world).then_some(name)
    });
    std::iter::once(main.to_string()).chain(others).flat_map(|process| sockets_of(&process))
}

fn sockets_of(process: &str) -> Vec<u64> {
    let inode = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten().filter_map(inode).collect()
}

/// Returns the name of a process's namespace.
fn link(process: &str, namespace: &str) -> Option<String> {
    fs::read_link(format!("/proc/{process}/ns/{namespace}")).ok()?.into_os_string().into_string().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIX: &str = "\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 17431 /run/app/http.sock
0000000000000000: 00000003 00000000 00000000 0001 03 17432 /run/app/open.sock
0000000000000000: 00000002 00000000 00010000 0005 01 17433 /run/a b.sock
0000000000000000: 00000002 00000000 00000000 0002 01 17434 /dev/log
0000000000000000: 00000003 00000000 00000000 0001 03 17435
0000000000000000: 00000002 00000000 00010000 0001 01 17436 @/run/abstract
";

    const TCP: &str = "  \
sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5001 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F91 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 5002 1 0000000000000000 20 4 30 10 -1
   2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 5003 1 0 100 0 0 10 0
";

    #[track_caller]
    fn check(found: BTreeSet<u64>, expected: &[u64]) {
        assert_eq!(found, expected.iter().copied().collect());
    }

    #[test]
    fn a_socket_counts_when_it_listens_at_exactly_that_path() {
        check(unix_listeners(UNIX, "/run/app/http.sock"), &[17431]);
        check(unix_listeners(UNIX, "/run/a b.sock"), &[17433]);
        for other in ["/run/app/open.sock", "/run/app/http", "b.sock", "", "/run/abstract", "Path"] {
            check(unix_listeners(UNIX, other), &[]);
        }
    }

    #[test]
    fn a_datagram_socket_counts_when_it_is_bound() {
        check(unix_listeners(UNIX, "/dev/log"), &[17434]);
    }

    #[test]
    fn a_port_counts_when_it_listens_on_any_address() {
        check(tcp_listeners(TCP, 8080), &[5001]);
        check(tcp_listeners(TCP, 80), &[5003]);
        check(tcp_listeners(TCP, 8081), &[]);
    }

    #[test]
    fn a_cut_table_is_no_ground_for_readiness() {
        for end in 0..UNIX.find("http.sock").unwrap() {
            check(unix_listeners(&UNIX[..end], "/run/app/http.sock"), &[]);
        }
        check(tcp_listeners("0: 0100007F:1F90 00000000:0000 0A", 8080), &[]);
    }
}

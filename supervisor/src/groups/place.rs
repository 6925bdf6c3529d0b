//! Where this process's own control group lies in the file system.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Returns the directory of the group that this process is in; an error is a reason in words.
pub(super) fn own() -> Result<PathBuf, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    find(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?)
}

/// Finds it in what proc(5) shows of groups and mounts.
fn find(groups: &str, mounts: &str) -> Result<PathBuf, String> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let own = own.ok_or("this kernel has no cgroup2")?;
    let mut is_mounted = false;
    // What is mounted last covers the others.
    for line in mounts.lines().rev() {
        let Some((place, kind)) = line.split_once(" - ") else { continue };
        if !kind.starts_with("cgroup2 ") {
            continue;
        }
        is_mounted = true;
        let mut words = place.split(' ').skip(3);
        let (Some(root), Some(at)) = (words.next(), words.next()) else { continue };
        let root = if root == "/" { "" } else { root };
        let below = own.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        // A group outside of what this process's namespace shows is written with `..`.
        if let Some(below) = below.filter(|below| !below.split('/').any(|word| word == "..")) {
            let below = below.trim_start_matches('/');
            return Ok(if below.is_empty() { unescaped(at) } else { unescaped(at).join(below) });
        }
    }
    Err(match is_mounted {
        true => "the control group that capc is in is not among those that are mounted".to_owned(),
        false => "no cgroup2 is mounted".to_owned(),
    })
}

/// Returns a path that proc(5) wrote.
fn unescaped(path: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let number = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        let behind = after.get(3..);
        if let (Some(number), Some(behind)) = (number, behind) {
            bytes.push(number);
            rest = behind;
        } else {
            bytes.push(b'\\');
            rest = after;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Path::new(&OsString::from_vec(bytes)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str = "24 1 0:22 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[track_caller]
    fn check(groups: &str, mounts: &str, expected: Result<&str, &str>) {
        let found = find(groups, mounts).map(|path| path.display().to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn the_own_group_is_found_wherever_it_is_mounted() {
        check("0::/\n", UNIFIED, Ok("/sys/fs/cgroup"));
        check("0::/user.slice/x.scope\n", UNIFIED, Ok("/sys/fs/cgroup/user.slice/x.scope"));
        // A hybrid: only the second version counts, and its place is another.
        let hybrid = "40 31 0:37 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        check("4:memory:/a\n0::/b\n", hybrid, Ok("/sys/fs/cgroup/unified/b"));
        // A part of it that was mounted by itself, at a name with a space.
        let part = "41 31 0:38 /a /my\\040groups rw - cgroup2 cgroup2 rw\n";
        check("0::/a/b\n", part, Ok("/my groups/b"));
        check("0::/a\n", part, Ok("/my groups"));
    }

    #[test]
    fn a_group_that_cannot_be_seen_is_told() {
        let outside = Err("the control group that capc is in is not among those that are mounted");
        check("0::/ab\n", "41 31 0:38 /a /x rw - cgroup2 cgroup2 rw\n", outside);
        check("0::/../b\n", UNIFIED, outside);
        check("0::/b\n", "", Err("no cgroup2 is mounted"));
        check("4:memory:/a\n", UNIFIED, Err("this kernel has no cgroup2"));
    }
}

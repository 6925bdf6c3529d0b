//! Whom a unit ran as, and what that account may do with a path: a world shows a granted path as the service's own, so what
//! its account could not do must not be granted.

use crate::machine::{FileType, Machine, Metadata, join};

/// Whom a unit ran as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runner {
    /// root, who may do anything.
    Root,
    /// An account: its number if the machine knows it, and its groups.
    Account(Option<u32>, Vec<u32>),
}

impl Runner {
    /// Returns an account by its name or number.
    #[must_use]
    pub fn named(machine: &dyn Machine, user: &str, group: Option<&str>) -> Self {
        let text = |path: &str| String::from_utf8_lossy(&machine.read(path).unwrap_or_default()).into_owned();
        let (accounts, groups) = (text("/etc/passwd"), text("/etc/group"));
        let account = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>()).find_map(|parts| {
            let [name, _, uid, gid, ..] = parts.as_slice() else { return None };
            (*name == user || *uid == user).then(|| (uid.parse::<u32>().ok(), gid.parse::<u32>().ok()))
        });
        let (uid, own_group) = account.unwrap_or((user.parse().ok(), None));
        if uid == Some(0) || user == "root" {
            return Self::Root;
        }
        let mut found: Vec<u32> = Vec::new();
        for line in groups.lines() {
            let parts: Vec<&str> = line.split(':').collect();
            let [name, _, gid, members] = parts.as_slice() else { continue };
            let Ok(gid) = gid.parse::<u32>() else { continue };
            if Some(*name) == group || members.split(',').any(|member| member == user) {
                found.push(gid);
            }
        }
        found.extend(own_group.filter(|_| group.is_none()));
        Self::Account(uid, found)
    }

    /// Returns whether it may do something with what lies at a path and with all below it, as far as owners and modes tell. Of
    /// what is too much to be looked at, it may not.
    #[must_use]
    pub fn may_all(&self, machine: &dyn Machine, path: &str, wish: Wish) -> bool {
        let mut work: Vec<String> = vec![path.to_owned()];
        let mut looked_at = 0;
        while let Some(path) = work.pop() {
            looked_at += 1;
            if *self == Self::Root {
                return true;
            }
            let Ok(metadata) = machine.metadata(&path) else { return false };
            if metadata.file_type == FileType::Link {
                continue;
            }
            if looked_at > MOST_FILES || !self.may(&metadata, wish) {
                return false;
            }
            if metadata.file_type == FileType::Directory {
                let Ok(names) = machine.list(&path) else { return false };
                work.extend(names.iter().map(|name| join(&path, name)));
            }
        }
        true
    }

    /// Returns whether it may read what lies somewhere, or write to it, by owner and mode.
    #[must_use]
    pub fn may(&self, metadata: &Metadata, wish: Wish) -> bool {
        let Self::Account(uid, groups) = self else { return true };
        let shift = match (*uid == Some(metadata.uid), groups.contains(&metadata.gid)) {
            (true, _) => 6,
            (false, true) => 3,
            (false, false) => 0,
        };
        let needed = match wish {
            Wish::Read => 4,
            Wish::Write => 6,
        };
        // What lies in a directory is reached by its third bit.
        let needed = needed | u32::from(metadata.file_type == FileType::Directory);
        (metadata.mode >> shift) & needed == needed
    }
}

/// The most files below a path that are looked at.
const MOST_FILES: usize = 20_000;

/// What is to be done with a path.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Read it.
    Read,
    /// Read and write to it.
    Write,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::fake::FakeMachine;

    #[track_caller]
    fn check(user: &str, path: &str, expected: (bool, bool)) {
        let mut machine = FakeMachine::default();
        machine
            .file("/etc/passwd", "root:x:0:0:::\nweb:x:900:901:::\n")
            .file("/etc/group", "media:x:902:web\n");
        machine
            .file("/srv/site/page", "")
            .file("/srv/keys/key", "")
            .file("/srv/kept/x", "")
            .link("/srv/site/l", "/srv/keys");
        machine.owned("/srv/keys/key", 0, 0, 0o600);
        machine.owned("/srv/kept", 0, 902, 0o770);
        machine.owned("/srv/kept/x", 900, 0, 0o600);
        let runner = Runner::named(&machine, user, None);
        let may = |wish| runner.may_all(&machine, path, wish);
        assert_eq!((may(Wish::Read), may(Wish::Write)), expected);
    }

    #[test]
    fn owners_groups_and_modes_of_all_that_lies_below_count() {
        check("root", "/srv", (true, true));
        check("0", "/srv/keys", (true, true));
        check("web", "/srv/site", (true, false));
        check("web", "/srv/keys", (false, false));
        check("web", "/srv/kept", (true, true));
        check("900", "/srv/kept/x", (true, true));
        check("other", "/srv/kept", (false, false));
        check("other", "/nowhere", (false, false));
    }
}

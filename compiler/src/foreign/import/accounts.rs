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

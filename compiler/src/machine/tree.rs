//! One digest for a whole directory.

use super::{FileType, Machine, join};
use capc_schemas::token::Digest;
use sha2::{Digest as _, Sha256};
use std::io;

/// Returns a digest over the names, kinds, permissions and contents of everything beneath a path; links are not followed.
///
/// # Errors
/// Whatever the system says of one of them.
pub fn tree_digest(machine: &dyn Machine, path: &str) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    // The next one last, so that the order is that of names, directory by directory.
    let mut waiting = vec![String::new()];
    while let Some(below) = waiting.pop() {
        let at = if below.is_empty() { path.to_owned() } else { join(path, &below) };
        let metadata = machine.metadata(&at)?;
        // Lengths stand before what could hold anything, so that no two trees write the same.
        hasher.update((below.len() as u64).to_be_bytes());
        hasher.update(below.as_bytes());
        hasher.update(metadata.mode.to_be_bytes());
        match metadata.file_type {
            FileType::Regular => {
                hasher.update(b"f");
                hasher.update(machine.digest(&at)?.0);
            }
            FileType::Directory => {
                hasher.update(b"d");
                let names = machine.list(&at)?;
                waiting.extend(
                    names.iter().rev().map(|name| join(&below, name).trim_start_matches('/').to_owned()),
                );
            }
            FileType::Link => {
                let target = machine.read_link(&at)?;
                hasher.update(b"l");
                hasher.update((target.len() as u64).to_be_bytes());
                hasher.update(target.as_bytes());
            }
            FileType::Socket | FileType::Device | FileType::Other => hasher.update(b"o"),
        }
    }
    Ok(Digest(hasher.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::super::fake::FakeMachine;
    use super::*;

    #[test]
    fn a_tree_is_told_from_every_other() {
        let digest = |build: &dyn Fn(&mut FakeMachine)| {
            let mut machine = FakeMachine::default();
            machine.file("/tree/a/x", "one");
            build(&mut machine);
            tree_digest(&machine, "/tree").unwrap()
        };
        let plain = digest(&|_| {});
        assert_eq!(
            plain,
            digest(&|machine| {
                machine.file("/other", "no part of it");
            })
        );
        let others: [&dyn Fn(&mut FakeMachine); 4] = [
            &|machine| {
                machine.file("/tree/a/x", "two");
            },
            &|machine| {
                machine.file("/tree/b", "");
            },
            &|machine| {
                machine.file("/tree/a/y", "");
            },
            &|machine| {
                machine.link("/tree/b", "a");
            },
        ];
        let mut all: Vec<Digest> = others.iter().map(|build| digest(build)).collect();
        all.push(plain);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 5);
    }
}

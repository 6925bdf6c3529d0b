//! Whose a process is: the service in whose world it lives, by the world's keeper.

use crate::command::generation::{Sealed, Texts};
use crate::command::running::{is_keeper, keepers, launched, world_of};
use crate::command::trace::{Known, known};
use crate::index::Restored;
use crate::lower::{data_only_facet, is_given};
use capc_schemas::manifest::{Line, Manifest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many processes that ended are remembered.
const REMEMBERED: usize = 4096;

/// A service of a generation.
#[derive(Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub service: String,
    /// Its sealed manifest; empty where that cannot be read.
    pub manifest: Vec<u8>,
    /// The names of its system, with the paths that they stand for.
    pub known: Known,
    /// The facet that no descriptor may cross, where for its sake it passes none at all.
    pub data_only: Option<String>,
}

impl Owner {
    fn of(generation: &Path, service: String) -> Self {
        let sealed = Sealed::open(generation).ok();
        let manifest = sealed.as_ref().and_then(|sealed| sealed.need(&format!("manifests/{service}")).ok());
        let restored = sealed.and_then(|sealed| sealed.restored(Texts::Left).ok()?);
        let data_only = restored.as_ref().and_then(|restored| {
            let Restored { model, holdings, .. } = restored;
            data_only_facet(model, holdings, &service)
        });
        let known = restored.map(|restored| known(&restored.model)).unwrap_or_default();
        Self { service, manifest: manifest.unwrap_or_default(), known, data_only }
    }

    /// Returns its manifest.
    #[must_use]
    pub fn manifest(&self) -> Option<Manifest<'_>> {
        Manifest::parse(&self.manifest).ok()
    }
}

/// The worlds that are known.
#[derive(Default)]
pub struct Worlds {
    /// By their PID namespaces, with their keepers.
    worlds: BTreeMap<PathBuf, (u32, Arc<Owner>)>,
    /// By their Landlock domains.
    domains: BTreeMap<u64, Arc<Owner>>,
    /// By processes that had been seen alive.
    processes: BTreeMap<u32, Arc<Owner>>,
}

impl Worlds {
    /// Looks at all worlds that there are.
    pub fn look(&mut self) {
        let mut worlds = BTreeMap::new();
        for keeper in keepers() {
            let Some(world) = world_of(keeper) else { continue };
            let known = self.worlds.remove(&world).filter(|(known, _)| *known == keeper);
            let owner = match known {
                Some((_, owner)) => owner,
                None => {
                    let Some((generation, service)) = launched(keeper) else { continue };
                    Arc::new(Owner::of(&generation, service))
                }
            };
            worlds.insert(world, (keeper, owner));
        }
        self.worlds = worlds;
    }

    /// Returns the services whose worlds are known.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.worlds.values().map(|(_, owner)| owner.service.as_str())
    }

    /// Returns in whose world a process lives, or lived when it was last seen.
    pub fn of_process(&mut self, pid: u32) -> Option<Arc<Owner>> {
        let Some(world) = world_of(pid) else { return self.processes.get(&pid).cloned() };
        let is_known = |worlds: &Self| {
            // Numbers of namespaces are used again.
            let (keeper, owner) = worlds.worlds.get(&world)?;
            let is_there = is_keeper(*keeper) && world_of(*keeper).as_ref() == Some(&world);
            is_there.then(|| owner.clone())
        };
        let owner = is_known(self).or_else(|| {
            self.look();
            is_known(self)
        })?;
        if self.processes.len() >= REMEMBERED {
            self.processes.clear();
        }
        self.processes.insert(pid, owner.clone());
        Some(owner)
    }

    /// Returns in whose world a process lives or lived, or if it ended unseen, whose number it had.
    pub fn of_user(&mut self, pid: u32, uid: u32) -> Option<Arc<Owner>> {
        let owner = self.of_process(pid);
        if owner.is_some() || !is_given(uid) || world_of(pid).is_some() {
            return owner;
        }
        // Two stores may give one number to two services; then it is nobody's.
        let has_it = |owner: &Owner| {
            let mut lines = owner.manifest().into_iter().flat_map(|manifest| manifest.lines());
            lines.any(|line| matches!(line, Line::Uid { uid: own, gid: _ } if own == uid))
        };
        let mut owners = self.worlds.values().map(|(_, owner)| owner).filter(|owner| has_it(owner));
        let only = owners.next().cloned();
        only.filter(|_| owners.next().is_none())
    }

    /// Notes whose a Landlock domain is.
    pub fn introduce(&mut self, domain: u64, pid: u32) {
        if let Some(owner) = self.of_process(pid) {
            self.domains.insert(domain, owner);
        }
    }

    /// Forgets a domain that is gone.
    pub fn forget(&mut self, domain: u64) {
        self.domains.remove(&domain);
    }

    /// Returns whose a Landlock domain is.
    #[must_use]
    pub fn of_domain(&self, domain: u64) -> Option<Arc<Owner>> {
        self.domains.get(&domain).cloned()
    }
}

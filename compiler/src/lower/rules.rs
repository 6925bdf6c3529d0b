//! Landlock's rules for a world: one for a directory where everything is alike.

use super::world::World;
use crate::model::path_contains;
use capc_schemas::manifest::Rights;

impl World {
    /// Returns the Landlock rules: one for a directory where everything is alike.
    #[must_use]
    pub fn rules(&self) -> Vec<(String, Rights)> {
        let placed = self.places.iter().map(|(at, (place, _))| (at.as_str(), place.rights()));
        let mut leaves: Vec<(&str, Rights)> = placed.filter(|(_, rights)| *rights != Rights::NONE).collect();
        leaves.push(("/proc", Rights::READ));
        leaves.sort_by_key(|(at, _)| *at);
        let mut rules = Vec::new();
        cover("", &leaves, Rights::NONE, &mut rules);
        rules.sort_by(|(one, _), (other, _)| one.cmp(other));
        rules
    }
}

/// Adds rules for sorted places below a directory, which has `given` from above.
fn cover(directory: &str, leaves: &[(&str, Rights)], given: Rights, rules: &mut Vec<(String, Rights)>) {
    let Some((first, rights)) = leaves.first() else { return };
    // Where names can be made, a rule says exactly where.
    let is_mild = Rights::READ.or(Rights::EXEC).or(Rights::MODIFY).contains(*rights);
    let alike = is_mild && leaves.iter().all(|(_, other)| other == rights);
    if leaves.len() == 1 || (alike && !directory.is_empty()) {
        if !given.contains(*rights) {
            let at = if leaves.len() == 1 { first } else { directory };
            rules.push(((*at).to_owned(), *rights));
        }
        return;
    }
    let mut rest = leaves;
    let mut given = given;
    if *first == directory {
        if !given.contains(*rights) {
            rules.push(((*first).to_owned(), *rights));
        }
        given = given.or(*rights);
        rest = leaves.get(1..).unwrap_or_default();
    }
    while let Some((first, _)) = rest.first() {
        let below = first.get(directory.len() + 1..).unwrap_or("");
        let child = format!("{directory}/{}", below.split('/').next().unwrap_or(""));
        let length = rest.iter().take_while(|(at, _)| path_contains(&child, at)).count().max(1);
        let (inside, after) = rest.split_at(length.min(rest.len()));
        cover(&child, inside, given, rules);
        rest = after;
    }
}

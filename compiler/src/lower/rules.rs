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
        // By components: as letters, `/a-b` would stand between `/a` and what lies inside it.
        leaves.sort_by(|(one, _), (other, _)| one.split('/').cmp(other.split('/')));
        let mut rules = Vec::new();
        cover("", &leaves, Given { rights: Rights::NONE, ours: true }, &mut rules);
        rules.sort_by(|(one, _), (other, _)| one.cmp(other));
        rules
    }
}

/// What a directory has from above.
#[derive(Copy, Clone)]
struct Given {
    /// The rights.
    rights: Rights,
    /// Whether the directory is the launcher's own, so that nothing is in it but places.
    ours: bool,
}

/// Adds rules for places below a directory, sorted by components.
fn cover(directory: &str, leaves: &[(&str, Rights)], given: Given, rules: &mut Vec<(String, Rights)>) {
    let Some((first, rights)) = leaves.first() else { return };
    // Where names can be made, a rule says exactly where.
    let is_mild = Rights::READ.or(Rights::EXEC).or(Rights::MODIFY).contains(*rights);
    let alike = is_mild && leaves.iter().all(|(_, other)| other == rights);
    if leaves.len() == 1 || (alike && given.ours && *first != directory && !directory.is_empty()) {
        if !given.rights.contains(*rights) {
            let at = if leaves.len() == 1 { first } else { directory };
            rules.push(((*at).to_owned(), *rights));
        }
        return;
    }
    let mut rest = leaves;
    let mut given = given;
    if *first == directory {
        if !given.rights.contains(*rights) {
            rules.push(((*first).to_owned(), *rights));
        }
        given = Given { rights: given.rights.or(*rights), ours: false };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(places: &[(&str, Rights)], expected: &[(&str, Rights)]) {
        let mut leaves = places.to_vec();
        leaves.sort_by(|(one, _), (other, _)| one.split('/').cmp(other.split('/')));
        let mut rules = Vec::new();
        cover("", &leaves, Given { rights: Rights::NONE, ours: true }, &mut rules);
        let rules: Vec<(&str, Rights)> = rules.iter().map(|(at, rights)| (at.as_str(), *rights)).collect();
        assert_eq!(rules, expected);
    }

    #[test]
    fn places_alike_in_a_directory_of_ours_are_one_rule() {
        check(&[("/usr/lib/a", Rights::READ), ("/usr/lib/b", Rights::READ)], &[("/usr", Rights::READ)]);
    }

    #[test]
    fn what_lies_in_a_place_is_never_made_one_with_its_neighbours() {
        let read = Rights::READ.or(Rights::MODIFY);
        let places = [
            ("/a", Rights::CREATE),
            ("/a-b", Rights::READ),
            ("/a/x", read),
            ("/a/y", read),
            ("/a/p/x", read),
            ("/a/p/y", read),
        ];
        let expected = [
            ("/a", Rights::CREATE),
            ("/a/p/x", read),
            ("/a/p/y", read),
            ("/a/x", read),
            ("/a/y", read),
            ("/a-b", Rights::READ),
        ];
        check(&places, &expected);
    }
}

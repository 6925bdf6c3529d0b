//! What stands inside something else: whether it can, and whether it keeps its rights there.

use super::place::Place;
use super::refusals::Refusals;
use super::world::World;
use crate::machine::{FileType, Machine, walk};
use crate::model::path_contains;
use crate::source::Span;
use capc_schemas::manifest::{FileKind, Rights};

impl World {
    /// Drops what is there already as part of a bound directory, and refuses what cannot be put into one.
    pub fn settle(&mut self, machine: &dyn Machine, refusals: &mut Refusals) {
        self.quiet_surroundings();
        let mut dropped = Vec::new();
        for (at, (place, span)) in &self.places {
            let Some((outer_at, outer)) = self.above(at).next() else { continue };
            if !outer.holds_places() {
                let message = format!(
                    "{} cannot be seen at `{at}`, which lies inside {}",
                    place.words(),
                    outer.words()
                );
                refusals.refuse(
                    *span,
                    message,
                    "needed by this",
                    "let one of them be seen elsewhere with `at=`",
                );
                continue;
            }
            if let Some(from) = outer.bound_from() {
                let inside = format!("{from}{}", at.strip_prefix(outer_at).unwrap_or(""));
                match stands_in(place, &inside, from, machine) {
                    Standing::Mountable => {}
                    Standing::ThereAlready => dropped.push(at.clone()),
                    Standing::Nowhere => {
                        let message = format!(
                            "{} cannot be seen at `{at}`, which lies inside {}: `{inside}` is not there to mount it on",
                            place.words(),
                            outer.words()
                        );
                        refusals.refuse(
                            *span,
                            message,
                            "needed by this",
                            "make it there, or let it be seen elsewhere with `at=`",
                        );
                    }
                }
            }
            for outer in self.above(at) {
                refuse_gain((at, place), outer, *span, refusals);
            }
        }
        for at in dropped {
            self.places.remove(&at);
        }
    }

    /// In a private place where something stands that may not get sockets made in it, none are made.
    fn quiet_surroundings(&mut self) {
        let mut quiet = Vec::new();
        for (at, (place, _)) in &self.places {
            if !place.kept_by_mount().or(place.rights()).contains(Rights::SOCKET) {
                quiet.extend(self.above(at).map(|(outer, _)| outer.to_owned()));
            }
        }
        for at in quiet {
            if let Some((Place::Tmpfs { sockets, .. }, _)) = self.places.get_mut(&at) {
                *sockets = false;
            }
        }
    }
}

fn stands_in(place: &Place, inside: &str, outer: &str, machine: &dyn Machine) -> Standing {
    let found = machine.metadata(inside).map(|metadata| metadata.file_type);
    let is_dir = match place {
        Place::Tmpfs { .. } | Place::Facet { .. } => true,
        Place::Grant(grant) => grant.kind == FileKind::Dir,
        Place::Image { from } => {
            machine.metadata(from).is_ok_and(|found| found.file_type == FileType::Directory)
        }
        Place::Link { .. }
        | Place::Text { .. }
        | Place::Device { .. }
        | Place::Sealed { .. }
        | Place::Secret { .. } => false,
    };
    match (place, found) {
        (Place::Link { target }, Ok(FileType::Link))
            if machine.read_link(inside).is_ok_and(|said| said == *target) =>
        {
            Standing::ThereAlready
        }
        (Place::Link { .. }, _) => Standing::Nowhere,
        (_, Ok(FileType::Directory)) if is_dir => Standing::Mountable,
        (_, Ok(FileType::Regular | FileType::Socket | FileType::Device)) if !is_dir => Standing::Mountable,
        (Place::Sealed { from, .. }, Ok(FileType::Link)) => match walk(machine, inside) {
            Ok(walk) if walk.real == *from && path_contains(outer, from) => Standing::ThereAlready,
            _ => Standing::Nowhere,
        },
        _ => Standing::Nowhere,
    }
}

/// Landlock adds up rights along a path: refuses a place that would gain some by where it stands.
fn refuse_gain(
    (at, place): (&str, &Place),
    (outer_at, outer): (&str, &Place),
    span: Span,
    refusals: &mut Refusals,
) {
    // A part of what is granted as a whole is held with those rights anyway.
    let is_part = match (place.bound_from(), outer.bound_from()) {
        (Some(inner), Some(outer)) => path_contains(outer, inner),
        _ => false,
    };
    let granted = place.rights().or(place.kept_by_mount());
    if !is_part && !granted.contains(outer.rights()) {
        let message = format!(
            "{} would gain rights at `{at}`, inside {} at `{outer_at}`",
            place.words(),
            outer.words()
        );
        refusals.refuse(
            span,
            message,
            "granted with fewer rights than its surroundings",
            "let it be seen elsewhere with `at=`",
        );
    }
}

/// How a place inside a bound directory can be had.
enum Standing {
    Mountable,
    ThereAlready,
    Nowhere,
}

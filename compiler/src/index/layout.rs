//! The tables of an index in the order in which they lie there: one list for who writes and who reads.

use super::table::{Builder, Table};

/// What an index begins with.
pub const FORMAT: &[u8] = b"capc/index/1\n";

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $columns:literal,)*) => {
        /// The tables of an index, read where they lie.
        #[derive(Copy, Clone)]
        pub struct Tables<'i> {
            $($(#[$doc])* pub $name: Table<'i, $columns>,)*
        }

        /// The tables of an index that is being made.
        #[derive(Default)]
        pub struct Builders {
            $($(#[$doc])* pub $name: Builder<$columns>,)*
        }

        impl<'i> Tables<'i> {
            /// Takes all tables from the beginning of what is left; none when one is cut off.
            pub fn take(rest: &mut &'i [u8]) -> Option<Self> {
                Some(Self { $($name: Table::take(rest)?,)* })
            }
        }

        impl Builders {
            /// Writes all tables.
            pub fn write(&self, out: &mut Vec<u8>) {
                $(self.$name.write(out);)*
            }
        }
    };
}

tables! {
    /// Texts, sorted: where each ends among their letters.
    texts: 1,
    /// Files: name, path, length, and where their lines and their spans end.
    files: 5,
    /// Where lines begin.
    lines: 1,
    /// Spans, sorted by file and place: begin and length.
    spans: 2,
    /// Objects: kind, name, scope, span, `trusted`, `trust`, where their words begin, and where their holdings and what
    /// else they count as holding end.
    objects: 9,
    /// Facets: owner, name, transport, where its words begin, flags, span, and where what they expose ends.
    facets: 7,
    /// What facets expose: capability, rights, span.
    exposures: 3,
    /// Capabilities: name, target, part, kind, path, place.
    capabilities: 6,
    /// Rule instances that derive something: flags, rights, the holding that they need, the one that they lead to, who is
    /// introduced, span.
    derivations: 6,
    /// Holdings by holder: capability, rights, whether one rule instance settles them all, and it, or where theirs begin.
    holdings: 4,
    /// For each right of a holding the rule instance that settles it.
    provenance: 1,
    /// What objects count as holding besides, by object: capability, place, rights, the facet that exposes it, span.
    counted: 5,
    /// Paths, sorted by their components: text, the one above, one past the last that lies in it.
    places: 3,
    /// Where many meet many: what the name begins with, what they meet over, sort, place, span.
    meetings: 5,
    /// For each object and then each meeting where its edges end.
    nodes: 1,
    /// Edges by their beginning: end, flags, span.
    edges: 3,
    /// The edges that trust cuts: begin, end, flags, span.
    cut: 4,
    /// Names of questions, sorted: text and capability.
    names: 2,
    /// Why objects themselves control `reconfigure`: object and words; sorted.
    roots: 2,
    /// What else there is to say of objects, facets and the whole, as numbers one after another.
    words: 1,
}

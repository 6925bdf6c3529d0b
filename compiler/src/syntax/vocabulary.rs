//! What each statement of the language looks like: which of its words have their meaning by where they stand.
//!
//! KDL needs none of this: there a word's place is its meaning. TOML has no places, only keys, so that this table gives
//! every positional word a key. The reader of TOML, both writers and the table in `docs/language.md` go by it, and
//! nothing else does: what a statement may say, and what of it this version understands, is decided in `resolve`.

/// A statement.
#[derive(Copy, Clone, Debug)]
pub struct Word {
    /// Its word.
    pub name: &'static str,
    /// Whether a name follows the word, which in TOML stands in the table's header.
    pub is_named: bool,
    /// The words after that, by their places.
    pub slots: &'static [Slot],
    /// Its properties.
    pub properties: Properties,
    /// The statements that its body may have.
    pub body: &'static [Word],
    /// How several of it in one body are written in TOML.
    pub several: Several,
}

/// A place for words of a statement.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// One word.
    One(&'static str, Style),
    /// All words that are left.
    Rest(&'static str, Style),
    /// One of these words, and the word after it: in TOML a key and its value.
    Verb(&'static [&'static str]),
}

/// The properties that a statement may have.
#[derive(Copy, Clone, Debug)]
pub enum Properties {
    /// These.
    Only(&'static [(&'static str, Style)]),
    /// Names of the person's own.
    Own(Style),
}

/// Whether KDL puts a word in quotes though it need not.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Style {
    /// It does not: names, kinds, rights.
    Bare,
    /// It does: paths, addresses, sizes, times, sentences.
    Quoted,
}

/// How several statements of one kind are written in TOML.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Several {
    /// There is one as a rule; more than one are an array.
    Seldom,
    /// As an array, even of one.
    Often,
    /// As one statement with the words of all.
    Joined,
}

use Slot::{One, Rest, Verb};
use Style::{Bare, Quoted};

impl Word {
    const fn new(name: &'static str) -> Word {
        Word {
            name,
            is_named: false,
            slots: &[],
            properties: Properties::Only(&[]),
            body: &[],
            several: Several::Seldom,
        }
    }

    const fn named(name: &'static str) -> Word {
        Word { is_named: true, ..Word::new(name) }
    }

    const fn slots(self, slots: &'static [Slot]) -> Word {
        Word { slots, ..self }
    }

    const fn properties(self, only: &'static [(&'static str, Style)]) -> Word {
        Word { properties: Properties::Only(only), ..self }
    }

    const fn own_properties(self, style: Style) -> Word {
        Word { properties: Properties::Own(style), ..self }
    }

    const fn body(self, body: &'static [Word]) -> Word {
        Word { body, ..self }
    }

    const fn often(self) -> Word {
        Word { several: Several::Often, ..self }
    }

    const fn joined(self) -> Word {
        Word { several: Several::Joined, ..self }
    }

    /// Says whether it is a word that is there or is not, and says nothing else.
    #[must_use]
    pub const fn is_flag(&self) -> bool {
        let has_properties = match self.properties {
            Properties::Only(only) => !only.is_empty(),
            Properties::Own(_) => true,
        };
        self.slots.is_empty() && !has_properties && self.body.is_empty()
    }
}

impl Slot {
    /// Returns the keys that the place has in TOML.
    #[must_use]
    pub fn keys(&self) -> &[&'static str] {
        match self {
            One(key, _) | Rest(key, _) => std::slice::from_ref(key),
            Verb(keys) => keys,
        }
    }
}

impl Properties {
    /// Returns the names that are known.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let known = match self {
            Properties::Only(only) => *only,
            Properties::Own(_) => &[],
        };
        known.iter().map(|(name, _)| *name)
    }

    /// Returns how KDL writes a property.
    #[must_use]
    pub fn style(&self, name: &str) -> Style {
        match self {
            Properties::Only(only) => {
                only.iter().find(|(known, _)| *known == name).map_or(Quoted, |(_, style)| *style)
            }
            Properties::Own(style) => *style,
        }
    }
}

/// Returns the word of this name among those of a file or of a body.
#[must_use]
pub fn find(words: &'static [Word], name: &str) -> Option<&'static Word> {
    words.iter().find(|word| word.name == name)
}

/// The headers, of which a file has one, before everything else.
pub const HEADERS: [&str; 3] = ["system", "module", "home"];

const CAPABILITY: &[Slot] = &[One("cap", Bare), Rest("rights", Bare)];
const PATH: &[Slot] = &[One("path", Quoted)];
const HOLDS: Word = Word::new("holds")
    .slots(CAPABILITY)
    .properties(&[("at", Quoted), ("path", Quoted), ("as", Bare), ("when", Bare), ("fd", Bare)])
    .often();

/// The statements of a file.
pub const FILE: &[Word] = &[
    Word::new("system").slots(&[One("name", Bare)]),
    Word::new("module").slots(&[One("name", Bare)]),
    Word::new("home").slots(&[One("name", Bare)]),
    Word::named("dir").slots(PATH),
    Word::named("file").slots(PATH),
    Word::named("state").slots(PATH),
    Word::named("device").slots(PATH),
    Word::named("secret").slots(PATH),
    Word::named("socket").slots(PATH),
    Word::named("listen").properties(&[("tcp", Quoted), ("udp", Quoted), ("unix", Quoted)]),
    Word::named("connect").properties(&[("tcp", Quoted), ("udp", Quoted)]),
    Word::named("network"),
    Word::named("privilege").slots(&[One("capability", Quoted)]),
    Word::named("identity").properties(&[("user", Quoted), ("group", Quoted)]),
    Word::new("code").slots(&[Rest("paths", Quoted)]).joined(),
    Word::new("integrity").slots(&[One("level", Bare), Rest("paths", Quoted)]).often(),
    Word::new("alias").slots(&[One("from", Quoted), One("to", Quoted)]).often(),
    Word::new("reconfigure").body(&[
        Word::new("config").slots(PATH),
        Word::new("store").slots(PATH),
        Word::new("key").slots(PATH),
        Word::new("init").slots(&[One("name", Quoted)]),
    ]),
    Word::named("service").body(SERVICE),
    Word::named("program").body(SERVICE),
    Word::named("user").body(&[HOLDS]),
    Word::named("powerbox").body(&[
        Word::new("offers").slots(CAPABILITY).properties(&[("path", Quoted)]).often(),
        Word::new("asks").slots(&[One("by", Quoted)]),
    ]),
    Word::named("facet").slots(&[Rest("rights", Bare)]).properties(&[("of", Bare), ("path", Quoted)]),
    Word::new("use").slots(&[One("file", Quoted)]).own_properties(Bare).often(),
    Word::named("takes").slots(&[One("kind", Bare), Rest("rights", Bare)]).properties(&[("optional", Bare)]),
    Word::new("gives").own_properties(Bare),
    Word::new("never")
        .slots(&[One("subject", Bare), Verb(&["holds", "reaches"]), Rest("rights", Bare)])
        .often(),
    Word::new("only")
        .slots(&[Rest("subjects", Bare), Verb(&["hold", "reach"]), Rest("rights", Bare)])
        .often(),
    Word::named("trust").properties(&[("reason", Quoted)]),
    Word::new("allow")
        .slots(&[One("code", Bare)])
        .properties(&[("on", Bare), ("reason", Quoted), ("until", Quoted)])
        .often(),
];

/// The statements in the body of a service or a program.
const SERVICE: &[Word] = &[
    Word::new("run").slots(&[Rest("command", Quoted)]),
    Word::new("prepare").slots(&[Rest("command", Quoted)]),
    Word::new("image").slots(&[Rest("paths", Quoted)]).joined(),
    Word::new("config").slots(&[Rest("paths", Quoted)]).joined(),
    Word::new("as").slots(&[One("identity", Bare)]),
    Word::new("env").own_properties(Quoted),
    Word::new("workdir").slots(PATH),
    Word::new("syscalls").slots(&[Rest("groups", Quoted)]).joined(),
    Word::new("scratch").slots(PATH).properties(&[("size", Quoted)]).often(),
    HOLDS,
    Word::named("provides")
        .properties(&[
            ("socket", Quoted),
            ("channel", Bare),
            ("tcp", Quoted),
            ("listen", Bare),
            ("mount", Quoted),
            ("done", Bare),
        ])
        .body(&[
            Word::new("exposes").slots(CAPABILITY).often(),
            Word::new("activated"),
            Word::new("data-only"),
        ]),
    Word::new("grants").slots(CAPABILITY).properties(&[("to", Bare), ("when", Bare)]).often(),
    Word::new("trusted").slots(&[One("reason", Quoted)]),
    Word::new("oneshot"),
    Word::new("schedule").slots(&[One("at", Quoted)]),
    Word::new("restart").slots(&[One("when", Quoted)]),
    Word::new("ready").slots(&[One("by", Quoted)]),
    Word::new("limits").properties(&[
        ("memory", Quoted),
        ("tasks", Bare),
        ("files", Bare),
        ("cpu", Quoted),
        ("best-effort", Bare),
    ]),
    Word::new("stop").properties(&[("signal", Quoted), ("within", Quoted)]),
    Word::new("reload").properties(&[("signal", Quoted)]),
    Word::new("unconfined").slots(&[One("reason", Quoted)]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    // A key that meant two things would mean neither.
    #[test]
    fn every_key_of_a_table_has_one_meaning() {
        let mut words: Vec<&[Word]> = vec![FILE];
        while let Some(body) = words.pop() {
            let mut names = BTreeSet::new();
            for word in body {
                assert!(names.insert(word.name), "`{}` is there twice", word.name);
                let mut keys = BTreeSet::new();
                let slots = word.slots.iter().flat_map(|slot| slot.keys().iter().copied());
                let inner = word.body.iter().map(|word| word.name);
                for key in slots.chain(word.properties.names()).chain(inner) {
                    assert!(keys.insert(key), "`{key}` of `{}` means two things", word.name);
                }
                words.push(word.body);
            }
        }
    }
}

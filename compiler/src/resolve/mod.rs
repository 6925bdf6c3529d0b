//! Files to a model: scopes instantiated, names bound, every statement a rule instance.
//!
//! The way is `load` (files, each once) → `file` and `service` (trees to typed declarations) → `bind` (scopes, objects,
//! names) → `meaning` (what a name leads back to) → `statements` (bodies and assertions).

mod assertions;
mod bind;
mod calendar;
mod claim;
mod declaration;
mod elsewhere;
mod endowment;
mod file;
mod grants;
mod home;
mod load;
mod meaning;
mod names;
mod objects;
mod passings;
mod person;
mod provides;
mod resource;
mod service;
mod standard;
mod statements;
mod tables;
mod transports;
mod value;
mod words;

use crate::diag::Diagnostic;
use crate::model::{CapId, FileKind, Model, ObjectId};
use crate::source::{FileId, Files, SourceMap};
use foldhash::fast::RandomState;
pub use load::Named;
use names::{Binding, Meaning, ScopeId};
pub use service::SYSCALLS;
pub use standard::standard_images;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// A configuration, resolved as far as it goes.
pub struct Resolved {
    /// The files.
    pub sources: SourceMap,
    /// The model; none when the main file has no usable header.
    pub model: Option<Model>,
    /// Names of the system scope, for questions.
    pub names: Names,
    /// What is wrong, by place.
    pub diagnostics: Vec<Diagnostic>,
    /// The main file could not be read at all.
    pub unreadable: bool,
}

/// What the names of questions mean. Only questions ask, so what the model says of names stays there until then.
#[derive(Default)]
pub struct Names {
    /// The capabilities of each scope by the names that it has for them beside their own, with the paths of instances.
    capabilities: BTreeMap<String, CapId>,
}

impl Names {
    /// Returns a capability by a name of a scope, or by its own: a resource, `object.facet`, a `facet`, also of an instance.
    #[must_use]
    pub fn capability(&self, model: &Model, name: &str) -> Option<CapId> {
        let mut own = model.capabilities.iter();
        let known = self.capabilities.get(name).copied();
        known.or_else(|| own.position(|known| &*known.name == name).map(|at| CapId(at as u32)))
    }

    /// Returns names that were found before.
    #[must_use]
    pub fn restored(names: impl IntoIterator<Item = (String, CapId)>) -> Self {
        Self { capabilities: names.into_iter().collect() }
    }

    /// Returns the names that scopes have for capabilities.
    pub fn known(&self) -> impl Iterator<Item = (&str, CapId)> {
        self.capabilities.iter().map(|(name, capability)| (name.as_str(), *capability))
    }

    /// Returns the names of all capabilities.
    pub fn capabilities<'a>(&'a self, model: &'a Model) -> impl Iterator<Item = &'a str> {
        self.capabilities
            .keys()
            .map(String::as_str)
            .chain(model.capabilities.iter().map(|known| &*known.name))
    }

    /// Returns a subject by its name.
    #[must_use]
    pub fn subject(model: &Model, name: &str) -> Option<ObjectId> {
        let mut subjects = model.objects().filter(|(_, object)| object.is_subject());
        subjects.find(|(_, object)| &*object.name == name).map(|(id, _)| id)
    }

    /// Returns the names of all subjects.
    pub fn subjects(model: &Model) -> impl Iterator<Item = &str> {
        model.objects().filter(|(_, object)| object.is_subject()).map(|(_, object)| &*object.name)
    }
}

/// Resolves a `system` file, or a `module` or `home` file by itself. `main` is absolute; `shown` is its name in diagnostics.
pub fn resolve(files: &dyn Files, main: &Path, shown: &str) -> Resolved {
    resolve_with_homes(files, main, shown, &[])
}

/// Resolves a `system` file with some homes of its users.
pub fn resolve_with_homes(files: &dyn Files, main: &Path, shown: &str, homes: &[Named]) -> Resolved {
    let loaded = load::load(files, main, shown, homes);
    let main = FileId(0);
    let (model, names, mut diagnostics) = match loaded.declarations.first().and_then(Option::as_ref) {
        None => (None, Names::default(), Vec::new()),
        Some(declarations) => {
            let mut binder = bind::Binder::new(&loaded, declarations);
            binder.instantiate(main);
            if declarations.kind != FileKind::System {
                binder.open_parameters(main);
            }
            binder.statements();
            let names = question_names(&mut binder);
            let mut model = binder.model;
            model.derivations.sort_by_key(|derivation| derivation.span);
            model.passings = binder.passings.all();
            (Some(model), names, binder.diagnostics)
        }
    };
    let load::Loaded { sources, diagnostics: from_loading, unreadable, declarations, .. } = loaded;
    // A million small texts are let go one by one, and nothing that follows waits for it.
    let _ = std::thread::Builder::new().spawn(move || drop(declarations));
    diagnostics.extend(from_loading);
    sort(&mut diagnostics);
    Resolved { sources, model, names, diagnostics, unreadable }
}

/// Sorts diagnostics by place and drops what several instances of one module say alike.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| {
        let place = |diagnostic: &Diagnostic| diagnostic.labels.first().map(|label| label.span);
        let by_words = || (&a.message, &a.about).cmp(&(&b.message, &b.about));
        place(a).cmp(&place(b)).then(a.code.cmp(&b.code)).then_with(by_words)
    });
    // One cause is reported once: at the same words, for the same reason and about the same, only the first says something new.
    let mut seen: HashSet<_, RandomState> = HashSet::default();
    let kept: Vec<bool> = diagnostics
        .iter()
        .map(|one| seen.insert((one.code, one.labels.first().map(|label| label.span), &*one.about)))
        .collect();
    let mut kept = kept.into_iter();
    diagnostics.retain(|_| kept.next() != Some(false));
}

fn question_names(binder: &mut bind::Binder<'_>) -> Names {
    let mut names = Names::default();
    for index in 0..binder.scopes.len() {
        let scope = ScopeId(index);
        let Some(known) = binder.scopes.get(index) else { continue };
        let prefix = known.prefix.clone();
        // A resource's own name is that of its capability, and needs no second entry.
        let is_another =
            |binding: &Binding| binding.may_be_capability() && !matches!(binding, Binding::Capability(_));
        let own = known.names.iter().filter(|(_, named)| is_another(&named.binding));
        let own: Vec<std::sync::Arc<str>> = own.map(|(name, _)| name.clone()).collect();
        for name in own {
            if let Meaning::Capability { capability, .. } = binder.meaning(scope, &name) {
                names.capabilities.insert(format!("{prefix}{name}"), capability);
            }
        }
    }
    names
}

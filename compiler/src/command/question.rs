//! `capc order`, `why`, `who`, `what`: questions, answered from a file or from the current generation.

use super::generation::{INDEX, Sealed, SealedFiles, Texts};
use super::together::{self, Needed};
use super::{Failure, compile, print_json};
use crate::authority::{Authority, Drawn};
use crate::cli::{AnswerFormat, Answering, Exit, Questioned, What, Who, Why};
use crate::diag::nearest;
use crate::emit::graph::kind_word;
use crate::emit::store;
use crate::holdings::Holdings;
use crate::index::{Index, Restored};
use crate::model::{CapId, Model, ObjectId, SYSTEM, Target};
use crate::resolve::Names;
use crate::source::{RealFiles, SourceMap};
use crate::{Compilation, order as boot, query};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A configuration whose names resolve.
pub struct Answerable {
    model: Model,
    holdings: Holdings,
    names: Names,
    /// Where things stand.
    pub sources: SourceMap,
    /// What had been drawn, where it had been.
    pub drawn: Option<Drawn>,
}

impl Answerable {
    /// Opens a file with homes of its users, or a store's current generation.
    ///
    /// What is wrong is printed; it stops the answer only if names do not resolve. Of a generation it was told when it was
    /// sealed.
    ///
    /// # Errors
    /// With the status, when there is nothing to answer from.
    pub fn open(
        file: Option<&PathBuf>,
        homes: &[PathBuf],
        store_path: &Path,
        needed: Needed,
    ) -> Result<Self, Exit> {
        let opened = match (file, homes) {
            (Some(file), homes) => {
                together::compile_to_ask(&RealFiles, file, homes, &compile::today(), needed).map(
                    |(compilation, drawn)| {
                        Self::compiled(compilation).map(|answerable| Self { drawn, ..answerable })
                    },
                )
            }
            (None, []) => current(store_path),
            (None, _) => Err(Failure::usage("--home goes beside a system file: name it with --config")),
        };
        opened.map_err(|failure| failure.report())?
    }

    fn compiled(compilation: Compilation) -> Result<Self, Exit> {
        let complaint = compile::complain(&compilation);
        Self::of(compilation).map_err(|_| complaint)
    }

    /// Returns a compilation as something that answers, or the compilation if its names do not resolve.
    pub fn of(compilation: Compilation) -> Result<Self, Box<Compilation>> {
        if !compilation.has_answers() {
            return Err(Box::new(compilation));
        }
        match compilation {
            Compilation { model: Some(model), holdings: Some(holdings), names, sources, .. } => {
                Ok(Self { model, holdings, names, sources, drawn: None })
            }
            other => Err(Box::new(other)),
        }
    }

    /// Returns what a generation was compiled from as something that answers, with the texts of its files.
    ///
    /// # Errors
    /// When it is not what was sealed.
    pub fn sealed(path: &Path) -> Result<Result<Self, Box<Compilation>>, Failure> {
        let sealed = Sealed::open(path)?;
        if let Some(restored) = sealed.restored(Texts::Wanted)? {
            return Ok(Ok(Self::restored(restored)));
        }
        let files = SealedFiles::read(&sealed)?;
        Ok(Self::of(crate::compile_to_compare(&files, &files.main, &files.name, &[])))
    }

    /// Returns the name of the system.
    pub fn name(&self) -> &str {
        &self.model.name
    }

    /// Returns one line on what it comes to.
    pub fn summary(&self) -> String {
        let count = super::check::count;
        let (services, holdings) = (self.model.services().count(), self.holdings.all().len());
        format!("{}, {}", count(services, "service"), count(holdings, "holding"))
    }

    /// Returns where the trust root's signing key is.
    pub fn key(&self) -> &str {
        &self.model.root.key.path
    }

    /// Returns what an index says as something that answers.
    pub fn restored(restored: Restored) -> Self {
        let Restored { model, holdings, names, sources, drawn } = restored;
        Self { model, holdings, names, sources, drawn: Some(drawn) }
    }

    /// Returns the authority graph as the system's own assertions see it, drawn now unless it had been.
    pub fn authority(&self, drawn: Option<Drawn>) -> Authority<'_> {
        match drawn {
            Some(drawn) => Authority::restored(&self.model, &self.holdings, drawn),
            None => Authority::new(&self.model, &self.holdings, SYSTEM),
        }
    }

    /// Answers with what the model and its authority say.
    pub fn answer(mut self, ask: impl FnOnce(&Asked<'_>) -> Result<Exit, Exit>) -> Exit {
        let drawn = self.drawn.take();
        let authority = self.authority(drawn);
        let asked = Asked { authority: &authority, names: &self.names, sources: &self.sources };
        let exit = ask(&asked).unwrap_or_else(|exit| exit);
        // The program ends now, and a large configuration takes a while to be taken apart.
        std::mem::forget(authority);
        std::mem::forget(self);
        exit
    }
}

/// What questions are asked of.
pub struct Asked<'a> {
    /// The authority graph.
    pub authority: &'a Authority<'a>,
    names: &'a Names,
    /// Where things stand.
    pub sources: &'a SourceMap,
}

impl Asked<'_> {
    fn capability(&self, name: &str) -> Result<CapId, Exit> {
        let (model, names) = (self.authority.model, self.names);
        names.capability(model, name).ok_or_else(|| unknown("capability", name, names.capabilities(model)))
    }

    fn subject(&self, name: &str) -> Result<ObjectId, Exit> {
        let model = self.authority.model;
        Names::subject(model, name).ok_or_else(|| unknown("object", name, Names::subjects(model)))
    }

    /// Returns an object of any kind: by its name, or as what a capability of that name is of.
    pub fn object(&self, name: &str) -> Result<ObjectId, Exit> {
        let model = self.authority.model;
        let named = model.objects().find(|(_, object)| &*object.name == name).map(|(id, _)| id);
        let capability = || self.names.capability(model, name);
        let of = |capability: CapId| match model.capability(capability).target {
            Target::Resource(resource) => resource,
            Target::Facet(facet) => model.facet(facet).owner,
        };
        let names = || model.objects().map(|(_, object)| &*object.name);
        named.or_else(|| capability().map(of)).ok_or_else(|| unknown("object", name, names()))
    }

    /// Returns a kind that some object is of.
    pub fn kind(&self, name: &str) -> Result<String, Exit> {
        let model = self.authority.model;
        let known: BTreeSet<String> =
            model.objects().map(|(_, object)| kind_word(&object.kind).to_owned()).collect();
        known.get(name).cloned().ok_or_else(|| {
            let all = known.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
            Failure::usage(format!("no object is of the kind `{name}`; there are {all}")).report()
        })
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Exit {
    let known: Vec<&str> = known.collect();
    // Who leaves the instance out means what has this name inside one.
    let inside =
        known.iter().copied().find(|known| known.rsplit_once('/').is_some_and(|(_, own)| own == name));
    let meant = inside.or_else(|| nearest(name, known));
    let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    Failure::usage(format!("no {what} is named `{name}`{meant}")).report()
}

/// Reads the index of the current generation, or compiles the sources of one that has none.
fn current(store_path: &Path) -> Result<Result<Answerable, Exit>, Failure> {
    let found = store::current(store_path).map_err(|error| Failure::refused(error.to_string()))?;
    let none = || {
        Failure::usage(format!(
            "name a file with --config: the store `{}` has no generation",
            store_path.display()
        ))
    };
    let sealed = Sealed::of(found.ok_or_else(none)?);
    if let Some(restored) = sealed.restored(Texts::Left)? {
        return Ok(Ok(Answerable::restored(restored)));
    }
    let files = SealedFiles::read(&sealed)?;
    Ok(Answerable::compiled(crate::compile_on(&files, &files.main, &files.name, &compile::today())))
}

fn print(format: AnswerFormat, human: impl FnOnce() -> String, answer: &impl serde::Serialize) -> Exit {
    match format {
        AnswerFormat::Human => {
            super::say_as_is!("{}", crate::emit::report::harmless(&human()));
            Exit::Clean
        }
        AnswerFormat::Json => match print_json(answer) {
            Ok(()) => Exit::Clean,
            Err(failure) => failure.report(),
        },
    }
}

fn ask(answering: &Answering, ask: impl FnOnce(&Asked<'_>) -> Result<Exit, Exit>) -> Exit {
    match Answerable::open(answering.file(), &answering.homes, &answering.store, Needed::Authority) {
        Ok(open) => open.answer(ask),
        Err(exit) => exit,
    }
}

/// `capc order`.
pub fn order(arguments: &Questioned) -> Exit {
    let source = &arguments.source;
    match Answerable::open(source.file(), &source.homes, &source.store, Needed::Holdings) {
        Ok(Answerable { model, holdings, sources, .. }) => {
            let answer = query::order(&model, &boot::waits(&model, &holdings), &sources);
            print(arguments.format, || answer.human(), &answer)
        }
        Err(exit) => exit,
    }
}

/// `capc who`.
pub fn who(arguments: &Who) -> Exit {
    ask(&arguments.answering, |asked| {
        let capability = asked.capability(&arguments.capability)?;
        let answer = query::who(asked.authority, capability, &arguments.capability);
        Ok(print(arguments.answering.format, || answer.human(), &answer))
    })
}

/// `capc what`.
pub fn what(arguments: &What) -> Exit {
    ask(&arguments.answering, |asked| {
        let answer = query::what(asked.authority, asked.subject(&arguments.object)?);
        Ok(print(arguments.answering.format, || answer.human(), &answer))
    })
}

/// Answers from the index of the current generation as it lies there; none when the whole is needed, or to say what is wrong.
fn why_at_once(arguments: &Why) -> Option<Exit> {
    let Why { object, capability, answering, all: false } = arguments else { return None };
    if answering.file().is_some() || !answering.homes.is_empty() {
        return None;
    }
    let found = store::current(&answering.store).ok()??;
    let bytes = Sealed::of(found).read(INDEX).ok()??;
    let index = Index::open(&bytes).ok()?;
    let ids = (index.subject(object)?, index.capability(capability)?);
    let answer = query::why_held(&index, ids.0, ids.1, capability, &index.sources())?;
    Some(print(answering.format, || answer.human(), &answer))
}

/// `capc why`.
pub fn why(arguments: &Why) -> Exit {
    if let Some(exit) = why_at_once(arguments) {
        return exit;
    }
    ask(&arguments.answering, |asked| {
        let (object, capability) =
            (asked.subject(&arguments.object)?, asked.capability(&arguments.capability)?);
        let breadth = if arguments.all { query::Breadth::All } else { query::Breadth::Shortest };
        let name = &arguments.capability;
        let answer = query::why(asked.authority, object, capability, name, asked.sources, breadth);
        Ok(print(arguments.answering.format, || answer.human(), &answer))
    })
}

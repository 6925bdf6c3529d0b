//! `capc order`, `why`, `who`, `what`: questions, answered from a file or from the current generation.

use super::generation::SealedFiles;
use super::{Failure, compile, print_json};
use crate::authority::Authority;
use crate::cli::{AnswerFormat, Answering, Exit, Questioned, What, Who, Why};
use crate::diag::nearest;
use crate::emit::graph::kind_word;
use crate::emit::store;
use crate::holdings::Holdings;
use crate::model::{CapId, Model, ObjectId, SYSTEM, Target};
use crate::resolve::Names;
use crate::{Compilation, order as boot, query};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A configuration whose names resolve.
pub struct Answerable {
    compilation: Compilation,
}

impl Answerable {
    /// Opens a file, or the sources of a store's current generation.
    ///
    /// What is wrong is printed; it stops the answer only if names do not resolve.
    ///
    /// # Errors
    /// With the status, when there is nothing to answer from.
    pub fn open(file: Option<&PathBuf>, store_path: &Path) -> Result<Self, Exit> {
        let compilation = match file {
            Some(file) => compile::named(file),
            None => current(store_path),
        };
        let compilation = compilation.map_err(|failure| failure.report())?;
        let complaint = compile::complain(&compilation);
        if compilation.has_answers() { Ok(Self { compilation }) } else { Err(complaint) }
    }

    /// Returns the model, its holdings and its sources.
    pub const fn parts(&self) -> (Option<&Model>, Option<&Holdings>, &crate::source::SourceMap) {
        (self.compilation.model.as_ref(), self.compilation.holdings.as_ref(), &self.compilation.sources)
    }

    fn capability(&self, name: &str) -> Result<CapId, Exit> {
        let (Some(model), names) = (&self.compilation.model, &self.compilation.names) else {
            return Err(Exit::Errors);
        };
        names.capability(model, name).ok_or_else(|| unknown("capability", name, names.capabilities(model)))
    }

    fn subject(&self, name: &str) -> Result<ObjectId, Exit> {
        let Some(model) = &self.compilation.model else { return Err(Exit::Errors) };
        Names::subject(model, name).ok_or_else(|| unknown("object", name, Names::subjects(model)))
    }

    /// Returns an object of any kind: by its name, or as what a capability of that name is of.
    pub fn object(&self, name: &str) -> Result<ObjectId, Exit> {
        let Some(model) = &self.compilation.model else { return Err(Exit::Errors) };
        let named = model.objects().find(|(_, object)| &*object.name == name).map(|(id, _)| id);
        let capability = || self.compilation.names.capability(model, name);
        let of = |capability: CapId| match model.capability(capability).target {
            Target::Resource(resource) => resource,
            Target::Facet(facet) => model.facet(facet).owner,
        };
        let names = || model.objects().map(|(_, object)| &*object.name);
        named.or_else(|| capability().map(of)).ok_or_else(|| unknown("object", name, names()))
    }

    /// Returns a kind that some object is of.
    pub fn kind(&self, name: &str) -> Result<String, Exit> {
        let Some(model) = &self.compilation.model else { return Err(Exit::Errors) };
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

/// Compiles the sources that were sealed with the current generation.
fn current(store_path: &Path) -> Result<Compilation, Failure> {
    let found = store::current(store_path).map_err(|error| Failure::refused(error.to_string()))?;
    let none = || {
        Failure::usage(format!(
            "name a file with --config: the store `{}` has no generation",
            store_path.display()
        ))
    };
    let files = SealedFiles::read(&found.ok_or_else(none)?.path)?;
    Ok(crate::compile_on(&files, &files.main, &files.name, &compile::today()))
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

/// Answers with what the model and its authority say, as the system's own assertions see it.
fn answer(
    answering: &Answering,
    ask: impl FnOnce(&Answerable, &Authority<'_>) -> Result<Exit, Exit>,
) -> Exit {
    let open = match Answerable::open(answering.config.as_ref(), &answering.store) {
        Ok(open) => open,
        Err(exit) => return exit,
    };
    let (Some(model), Some(holdings), _) = open.parts() else { return Exit::Errors };
    let authority = Authority::new(model, holdings, SYSTEM);
    ask(&open, &authority).unwrap_or_else(|exit| exit)
}

/// `capc order`.
pub fn order(arguments: &Questioned) -> Exit {
    let open = match Answerable::open(arguments.file.as_ref().or(arguments.config.as_ref()), &arguments.store)
    {
        Ok(open) => open,
        Err(exit) => return exit,
    };
    let (Some(model), Some(holdings), sources) = open.parts() else { return Exit::Errors };
    let answer = query::order(model, &boot::waits(model, holdings), sources);
    print(arguments.format, || answer.human(), &answer)
}

/// `capc who`.
pub fn who(arguments: &Who) -> Exit {
    answer(&arguments.answering, |open, authority| {
        let answer = query::who(authority, open.capability(&arguments.capability)?, &arguments.capability);
        Ok(print(arguments.answering.format, || answer.human(), &answer))
    })
}

/// `capc what`.
pub fn what(arguments: &What) -> Exit {
    answer(&arguments.answering, |open, authority| {
        let answer = query::what(authority, open.subject(&arguments.object)?);
        Ok(print(arguments.answering.format, || answer.human(), &answer))
    })
}

/// `capc why`.
pub fn why(arguments: &Why) -> Exit {
    answer(&arguments.answering, |open, authority| {
        let (object, capability) =
            (open.subject(&arguments.object)?, open.capability(&arguments.capability)?);
        let breadth = if arguments.all { query::Breadth::All } else { query::Breadth::Shortest };
        let name = &arguments.capability;
        let answer = query::why(authority, object, capability, name, open.parts().2, breadth);
        Ok(print(arguments.answering.format, || answer.human(), &answer))
    })
}

//! capc, a build-time capability compiler: a reviewed configuration goes in, sealed manifests come out.
//!
//! The modules stand in the order in which the data flows, and each uses only those before it:
//! files are read (`source`) and parsed (`syntax`); scopes and names become objects, capabilities and rule instances
//! (`resolve` to `model`); the three rules say who holds what (`holdings`), who waits for whom (`order`), and what could
//! come of it (`authority`); `check` refuses, or hands out the evidence without which nothing is lowered; `lint` warns; questions are
//! answered (`query`); and against a machine's facts (`machine`) the rest is total: `lower` to manifests, `seal`, `emit`.
//! Beside it `foreign` reads other inits' services: for the circles in their orders, and as a configuration to start from.
//! [`compile`] shows the whole of it up to the evidence.
#![forbid(unsafe_code)]

pub mod source;
pub mod diag;
pub mod syntax;
pub mod model;
pub mod resolve;
pub mod holdings;
pub mod components;
pub mod order;
pub mod authority;
pub mod index;
pub mod certificate;
pub mod check;
pub mod lint;
pub mod query;
pub mod machine;
pub mod foreign;
pub mod lower;
pub mod seal;
pub mod emit;
pub mod cli;
pub mod command;

use diag::Diagnostic;
use std::path::Path;

/// A configuration, compiled as far as it goes.
pub struct Compilation {
    /// The files, in the order of their first `use`.
    pub sources: source::SourceMap,
    /// What they say; none when the main file has no usable header.
    pub model: Option<model::Model>,
    /// Who holds what.
    pub holdings: Option<holdings::Holdings>,
    /// The evidence that every rule is kept; none when anything is wrong.
    pub checked: Option<check::Checked>,
    /// What names mean, for questions.
    pub names: resolve::Names,
    /// Errors and warnings, by place.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether all names resolve, so that questions have answers.
    pub resolves: bool,
    /// The main file could not be read at all.
    pub unreadable: bool,
}

/// What rules and lints say of a configuration.
#[derive(Default)]
struct Judgement {
    checked: Option<check::Checked>,
    found: Vec<Diagnostic>,
    warned: Vec<Diagnostic>,
}

/// Compiles a configuration file: text to model, model to holdings, holdings to evidence.
///
/// `main` is an absolute path, `shown` its name in diagnostics. Lints are warnings, and no waiver runs out: [`compile_on`] is
/// told the day. Pure but for `files`.
#[must_use]
pub fn compile(files: &dyn source::Files, main: &Path, shown: &str) -> Compilation {
    compile_on(files, main, shown, &lint::Terms::default())
}

/// Compiles a configuration file under the terms of who asks: the day, and which lints are errors.
#[must_use]
pub fn compile_on(files: &dyn source::Files, main: &Path, shown: &str, terms: &lint::Terms) -> Compilation {
    compile_with_homes(files, main, shown, &[], terms)
}

/// Compiles a system file together with some homes of its users.
#[must_use]
pub fn compile_with_homes(
    files: &dyn source::Files,
    main: &Path,
    shown: &str,
    homes: &[resolve::Named],
    terms: &lint::Terms,
) -> Compilation {
    let mut compilation = Compilation::read(files, main, shown, homes);
    compilation.judge(terms);
    compilation
}

/// Compiles a system file together with some homes, to be asked: its authority is drawn while it is judged, if it has answers.
#[must_use]
pub fn compile_to_ask(
    files: &dyn source::Files,
    main: &Path,
    shown: &str,
    homes: &[resolve::Named],
    terms: &lint::Terms,
) -> (Compilation, Option<authority::Drawn>) {
    let mut compilation = Compilation::read(files, main, shown, homes);
    let Some((model, holdings)) = compilation.parts().filter(|_| compilation.is_sound()) else {
        compilation.judge(terms);
        return (compilation, None);
    };
    let (judgement, drawn) = std::thread::scope(|scope| {
        let judgement = scope.spawn(|| compilation.judgement(terms));
        let drawn = authority::Authority::new(model, holdings, model::SYSTEM).into_drawn();
        (judgement.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), drawn)
    });
    compilation.accept(judgement);
    (compilation, Some(drawn))
}

/// Compiles a configuration file to be compared: what has answers is not judged, which costs as much as to understand it.
#[must_use]
pub fn compile_to_compare(
    files: &dyn source::Files,
    main: &Path,
    shown: &str,
    homes: &[resolve::Named],
) -> Compilation {
    let mut compilation = Compilation::read(files, main, shown, homes);
    if !compilation.is_sound() {
        compilation.judge(&lint::Terms::default());
    }
    compilation
}

impl Compilation {
    /// Reads what a file says, and who holds what.
    fn read(files: &dyn source::Files, main: &Path, shown: &str, homes: &[resolve::Named]) -> Self {
        let resolve::Resolved { sources, model, names, diagnostics, unreadable } =
            resolve::resolve_with_homes(files, main, shown, homes);
        let resolves = !diagnostics.iter().any(Diagnostic::is_error);
        let holdings = model.as_ref().map(holdings::derive);
        Self { sources, model, holdings, checked: None, names, diagnostics, resolves, unreadable }
    }

    /// Checks every rule and tries every lint, side by side.
    fn judge(&mut self, terms: &lint::Terms) {
        let judgement = self.judgement(terms);
        self.accept(judgement);
    }

    fn judgement(&self, terms: &lint::Terms) -> Judgement {
        let Some((model, holdings)) = self.parts() else { return Judgement::default() };
        let (checked, found, warned) = std::thread::scope(|scope| {
            let lints = scope.spawn(|| lint::lint(model, holdings, terms));
            let (checked, found) = check::check(model, holdings, &self.sources);
            (checked, found, lints.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        // What does not mean what it says would be warned about for what it does not say.
        let means = self.has_answers() && found.iter().all(|diagnostic| diagnostic.code.leaves_answers());
        Judgement { checked, found, warned: if means { warned } else { Vec::new() } }
    }

    fn accept(&mut self, judgement: Judgement) {
        self.diagnostics.extend(judgement.found);
        self.diagnostics.extend(judgement.warned);
        self.checked = judgement.checked.filter(|_| !self.diagnostics.iter().any(Diagnostic::is_error));
        resolve::sort(&mut self.diagnostics);
    }

    /// Returns the model and its holdings, if there are any.
    #[must_use]
    pub fn parts(&self) -> Option<(&model::Model, &holdings::Holdings)> {
        Some((self.model.as_ref()?, self.holdings.as_ref()?))
    }

    /// Returns whether every name resolves and every statement derives something, so that there are answers whatever else is
    /// wrong.
    fn is_sound(&self) -> bool {
        let derives = |(model, holdings)| check::provenance(model, holdings, &self.sources).is_empty();
        self.has_answers() && self.parts().is_some_and(derives)
    }

    /// Returns whether every name resolves, so that what is wrong concerns no answer.
    #[must_use]
    pub fn has_answers(&self) -> bool {
        self.diagnostics.iter().all(|diagnostic| diagnostic.code.leaves_answers())
    }

    /// Returns whether anything stops what comes after.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Returns what the compilation came to, in numbers.
    #[must_use]
    pub fn summary(&self) -> emit::diagnostics::Summary {
        let errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
        emit::diagnostics::Summary {
            errors,
            warnings: self.diagnostics.len() - errors,
            services: self.model.as_ref().map_or(0, |model| model.services().count()),
            holdings: self.holdings.as_ref().map_or(0, |holdings| holdings.all().len()),
        }
    }
}

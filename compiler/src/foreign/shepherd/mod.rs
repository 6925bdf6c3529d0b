//! GNU Shepherd's services, and those of Guix: read from Scheme as people write it, never evaluated.

mod forms;
mod names;
mod reader;

use super::circles::{Reporter, report};
use super::{Foreign, Order, Why};
use crate::diag::{Code, Diagnostic, Severity, nearest};
use crate::source::{Files, Span};
use crate::syntax::text;
use forms::Service;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// With so many names looked at for suggestions, further mistakes get none.
const MOST_NAMES_LOOKED_AT: usize = 2_000_000;
/// How many places one report shows.
const SHOWN: usize = 12;
/// What Shepherd itself provides.
const OWN: [&str; 2] = ["root", "shepherd"];

/// Reads some files as one set of services. A path comes with the name that a person gave it.
#[must_use]
pub fn read(files: &dyn Files, paths: &[(PathBuf, String)]) -> Foreign {
    let mut set = Set::default();
    for (path, shown) in paths {
        match files.read(path) {
            Ok(bytes) => set.add(path, shown, bytes),
            Err(error) => {
                let file = set.foreign.sources.add(shown.clone(), path.clone(), Arc::from(""));
                let message = format!("cannot read `{shown}`: {error}");
                let span = Span { file, start: 0, end: 0 };
                let wrong = Diagnostic::new(Code::Syntax, message, span, "this file");
                set.foreign.diagnostics.push(wrong.help("name a file with services of GNU Shepherd or Guix"));
                set.foreign.unreadable = true;
            }
        }
    }
    set.judge()
}

#[derive(Default)]
struct Set {
    foreign: Foreign,
    services: Vec<(Service, Arc<str>)>,
}

impl Set {
    fn add(&mut self, path: &std::path::Path, shown: &str, bytes: Vec<u8>) {
        let (file, text, broken) = text::add(&mut self.foreign.sources, path, shown, bytes);
        self.foreign.diagnostics.extend(broken);
        let (tree, wrong) = reader::read(&text, file);
        self.foreign.diagnostics.extend(wrong);
        let services = forms::services(&tree, &text);
        if services.is_empty() {
            let span = Span { file, start: 0, end: 0 };
            let message = format!("`{shown}` has no service");
            let empty = warning(Code::MissingWord, message, span, "read to the end");
            let help = "known are `(service '(NAME …) …)`, `(make <service> …)` and `(shepherd-service …)`";
            self.foreign.diagnostics.push(empty.help(help));
        }
        self.services.extend(services.into_iter().map(|service| (service, text.clone())));
    }

    fn judge(self) -> Foreign {
        let Self { mut foreign, services } = self;
        let mut found: Vec<Diagnostic> = Vec::new();
        // Each name's service; who says a name last provides it.
        let mut providers: HashMap<&str, (u32, Span)> = HashMap::new();
        let mut titles: Vec<&str> = Vec::new();
        for (id, (service, text)) in services.iter().enumerate() {
            let own: HashSet<&str> =
                service.provides.known.iter().map(|span| names::words(text, *span)).collect();
            titles.push(service.provides.known.first().map_or("?", |span| names::words(text, *span)));
            for span in &service.provides.known {
                let name = names::words(text, *span);
                if let Some((other, before)) = providers.insert(name, (id as u32, *span))
                    && other != id as u32
                {
                    let message = format!("`{name}` is provided by two services");
                    let twice = warning(Code::DuplicateName, message, *span, "this one takes its place");
                    let twice = twice.label(before, "provided here first");
                    found.push(twice.help("leave one of the two, or give one another name"));
                }
            }
            found.extend(computed(service, own.is_empty()));
        }
        let mut orders: Vec<Order> = Vec::new();
        let mut missing: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
        for (id, (service, text)) in services.iter().enumerate() {
            for span in &service.requires.known {
                let name = names::words(text, *span);
                let why = Why::After(service.word);
                match providers.get(name) {
                    Some((to, _)) => {
                        orders.push(Order { from: id as u32, to: *to, name: name.into(), span: *span, why });
                    }
                    None if OWN.contains(&name) => {}
                    None => missing.entry(name).or_default().push(*span),
                }
            }
        }
        found.extend(unknown(&missing, &providers));
        let hint = |_: &[&Order]| None;
        let reporter = Reporter {
            sources: &foreign.sources,
            names: &titles,
            noun: "services",
            consequence: "which GNU Shepherd hangs on",
            rank: &|_| 0,
            hint: &hint,
        };
        found.extend(report(&reporter, &orders).into_iter().map(|circle| circle.diagnostic));
        foreign.services = services.len();
        foreign.orders = orders.len();
        foreign.diagnostics.extend(found);
        crate::resolve::sort(&mut foreign.diagnostics);
        foreign
    }
}

/// Says what is not known of a service.
fn computed(service: &Service, is_nameless: bool) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let help = "write the names as a list (`'(a b)`) to have them looked at";
    if let Some((first, more)) = service.provides.computed.split_first() {
        let message = "what this service provides is computed, so who waits for it is not known";
        let unknown = warning(Code::BadValue, message, *first, "only evaluation could tell");
        found.push(with_places(unknown, more, "so is this").help(help));
    } else if is_nameless {
        let message = "this service provides nothing that a list names, so nobody can wait for it";
        let nameless = warning(Code::MissingWord, message, service.head, "this service");
        found.push(nameless.help("say what it provides, as `'(NAME)`"));
    }
    if let Some((first, more)) = service.requires.computed.split_first() {
        let message = "what this service requires is computed, so a circle through it would not be seen";
        let unknown = warning(Code::BadValue, message, *first, "only evaluation could tell");
        found.push(with_places(unknown, more, "so is this").help(help));
    }
    found
}

/// Says what is required and not provided here, each name once.
fn unknown(missing: &BTreeMap<&str, Vec<Span>>, providers: &HashMap<&str, (u32, Span)>) -> Vec<Diagnostic> {
    let mut provided: Vec<&str> = providers.keys().copied().collect();
    provided.sort_unstable();
    let mut looked_at = 0;
    let mut found = Vec::new();
    for (name, places) in missing {
        let Some((first, more)) = places.split_first() else { continue };
        let message = format!("`{name}` is required, and not provided by any service read here");
        let unheld = with_places(warning(Code::Unheld, message, *first, "required here"), more, "and here");
        looked_at += provided.len();
        let meant = (looked_at <= MOST_NAMES_LOOKED_AT).then(|| nearest(name, provided.iter().copied()));
        found.push(match meant.flatten() {
            Some(meant) => unheld.help(format!("did you mean `{meant}`?")),
            None => unheld.help("name the file that provides it too, if it is to be looked at"),
        });
    }
    found
}

fn with_places(diagnostic: Diagnostic, more: &[Span], label: &str) -> Diagnostic {
    more.iter().take(SHOWN - 1).fold(diagnostic, |diagnostic, span| diagnostic.label(*span, label))
}

fn warning(code: Code, message: impl Into<String>, span: Span, label: &str) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(code, message, span, label);
    diagnostic.severity = Severity::Warning;
    diagnostic
}

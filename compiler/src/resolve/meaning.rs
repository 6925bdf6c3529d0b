//! What a name means: the way back through parameters, gifts and facets to a capability.

use super::bind::Binder;
use super::names::{Attenuation, Binding, Meaning, Parameter, ScopeId, ScopeNames};
use super::words::Word;
use crate::diag::{Code, Diagnostic, nearest};
use crate::model::{Derivation, Kind, ObjectId, PassedAs, Premise, Rights, Rule, Statement, Target};
use crate::source::Span;
use std::collections::HashSet;
use std::sync::Arc;

/// With so many names looked at for suggestions, further mistakes get none: each looks at every name of its scope, and nobody
/// reads more of them than are shown.
pub const MOST_NAMES_LOOKED_AT: usize = 2_000_000;

/// What helps when nothing else is known about a name.
const DECLARE_CAPABILITY: &str = "declare it in this file, like `dir site \"/srv/site\"`, or in a module take it from the file that uses it";
const DECLARE_OR_TAKE: &str = "declare it in this file, or take it from the file that uses this one";

/// The most facets of one object that are listed.
const MOST_FACETS: usize = 32;

/// One step on the way from a name to what it means.
enum Way {
    /// There.
    End(Meaning),
    /// By another name, possibly of another scope.
    On(ScopeId, Word),
}

impl Binder<'_> {
    /// Returns what a name means in a scope. What is wrong on the way is reported once; an unknown name itself is not.
    pub fn meaning(&mut self, scope: ScopeId, name: &Arc<str>) -> Meaning {
        if let Some(known) = self.found.get(scope, name) {
            return known;
        }
        let meaning = match self.way(scope, name) {
            Way::End(meaning) => meaning,
            Way::On(..) => self.followed(scope, name).unwrap_or_else(|| self.follow(scope, name)),
        };
        if let Meaning::Capability { .. } = meaning {
            self.found.add(scope, name, meaning);
        }
        meaning
    }

    /// Returns what a name means that has been followed.
    fn followed(&self, scope: ScopeId, name: &str) -> Option<Meaning> {
        self.meanings.get(scope.0)?.get(name).copied()
    }

    /// Follows a name that leads on to others, with a stack of its own.
    fn follow(&mut self, scope: ScopeId, name: &Arc<str>) -> Meaning {
        let mut stack: Vec<(ScopeId, Arc<str>)> = vec![(scope, name.clone())];
        let mut open: HashSet<(ScopeId, Arc<str>)> = stack.iter().cloned().collect();
        let mut last = Meaning::Unknown;
        while let Some((scope, name)) = stack.last().cloned() {
            if let Some(known) = self.followed(scope, &name) {
                last = known;
                stack.pop();
                continue;
            }
            let meaning = match self.way(scope, &name) {
                Way::End(meaning) => meaning,
                Way::On(next_scope, next) => match self.followed(next_scope, &next.text) {
                    Some(found) => self.arrive(scope, &name, &next, found),
                    None => {
                        let next_key = (next_scope, next.text.clone());
                        if open.insert(next_key.clone()) {
                            stack.push(next_key);
                            continue;
                        }
                        self.diagnostics.push(
                            Diagnostic::new(
                                Code::CircularProvenance,
                                format!("`{}` is passed round in a circle and comes from nowhere", next.text),
                                next.span,
                                "this leads back to itself",
                            )
                            .help("declare the thing itself, or take it from where it is"),
                        );
                        Meaning::Broken
                    }
                },
            };
            if self.meanings.len() <= scope.0 {
                self.meanings.resize_with(scope.0 + 1, Default::default);
            }
            if let Some(meanings) = self.meanings.get_mut(scope.0) {
                meanings.insert(name, meaning);
            }
        }
        last
    }

    /// Returns the next step from a name.
    fn way(&self, scope: ScopeId, name: &Arc<str>) -> Way {
        let Some(names) = self.scopes.get(scope.0) else { return Way::End(Meaning::Unknown) };
        let inner = name.split_once('.').and_then(|(object, facet)| Some((names.names.get(object)?, facet)));
        let Some((object, facet)) = inner else { return self.declared(scope, name) };
        match &object.binding {
            Binding::Subject(service) => match self.facet_of(*service, facet) {
                Some(facet) => Way::End(self.whole(facet)),
                None => Way::End(Meaning::Unknown),
            },
            Binding::Instance(instance) => {
                let given = self.scopes.get(instance.0).and_then(|inner| inner.gives.get(facet));
                given.map_or(Way::End(Meaning::Unknown), |inner| Way::On(*instance, inner.clone()))
            }
            Binding::Broken => Way::End(Meaning::Broken),
            Binding::Absent => Way::End(Meaning::Absent),
            // In a home, `backup` and `backup.launch` may both be taken.
            Binding::Capability(_)
            | Binding::Open { .. }
            | Binding::Parameter(_)
            | Binding::Endowed { .. }
            | Binding::Facet(_) => self.declared(scope, name),
        }
    }

    /// Returns the next step from a name that is declared as a whole.
    fn declared(&self, scope: ScopeId, name: &Arc<str>) -> Way {
        let named = self.scopes.get(scope.0).and_then(|names| names.names.get(name));
        let Some(named) = named else { return Way::End(Meaning::Unknown) };
        match &named.binding {
            Binding::Capability(capability) => Way::End(Meaning::Capability {
                capability: *capability,
                limit: self.model.capability(*capability).kind.all(),
                limited_at: None,
            }),
            Binding::Open { capability, rights, takes } => Way::End(Meaning::Capability {
                capability: *capability,
                limit: *rights,
                limited_at: Some(*takes),
            }),
            Binding::Subject(object) => Way::End(Meaning::Object(*object)),
            Binding::Instance(instance) => Way::End(Meaning::Object(self.scope_object(*instance))),
            Binding::Parameter(parameter) => Way::On(parameter.user, parameter.argument.clone()),
            Binding::Endowed { scope, first, .. } => Way::On(*scope, first.capability.clone()),
            Binding::Facet(attenuation) => Way::On(scope, attenuation.of.clone()),
            Binding::Absent => Way::End(Meaning::Absent),
            Binding::Broken => Way::End(Meaning::Broken),
        }
    }

    fn whole(&self, facet: crate::model::FacetId) -> Meaning {
        // Every facet's capability is made with it, in `service`.
        let capability = self.facet_capability(facet);
        capability.map_or(Meaning::Broken, |capability| Meaning::Capability {
            capability,
            limit: self.model.facet(facet).kind().all(),
            limited_at: None,
        })
    }

    /// Turns what the next name means into what this name means.
    fn arrive(&mut self, scope: ScopeId, name: &Arc<str>, next: &Word, found: Meaning) -> Meaning {
        let named = self
            .scopes
            .get(scope.0)
            .and_then(|names| names.names.get(name))
            .map(|named| named.binding.clone());
        match named {
            Some(Binding::Parameter(parameter)) => {
                let arrived = self.argument(scope, &parameter, next, found);
                self.passes_on(arrived, PassedAs::Parameter, name)
            }
            Some(Binding::Endowed { scope: declared, user, first, more, takes }) => {
                let arrived = self.endowed(scope, (declared, user), (&first, &more), &takes, found);
                self.passes_on(arrived, PassedAs::Parameter, name)
            }
            Some(Binding::Facet(attenuation)) => {
                let arrived = self.facet_statement(scope, name, next, found, &attenuation);
                self.passes_on(arrived, PassedAs::Facet, name)
            }
            _ => self.gift(scope, name, next, found),
        }
    }

    /// Remembers that something goes on under a name.
    fn passes_on(&mut self, arrived: Meaning, passed_as: PassedAs, name: &Arc<str>) -> Meaning {
        if let Meaning::Capability { capability, limit, limited_at: Some(at) } = arrived {
            let kind = self.model.capability(capability).kind;
            self.passings.made(at, passed_as, name, kind, limit);
        }
        arrived
    }

    fn argument(&mut self, scope: ScopeId, parameter: &Parameter, next: &Word, found: Meaning) -> Meaning {
        let Parameter { user, argument: _, kind, rights, takes, used } = *parameter;
        let Meaning::Capability { capability, limit, limited_at } = found else {
            return self.not_a_capability(user, next, found);
        };
        let given = self.model.capability(capability).kind;
        if given != kind {
            let message = format!("a `{}` is passed where a `{}` is taken", given.word(), kind.word());
            self.diagnostics.push(
                Diagnostic::new(Code::WrongKind, message, next.span, format!("a `{}`", given.word()))
                    .label(takes, format!("takes a `{}`", kind.word()))
                    .help(format!("pass a `{}`", kind.word())),
            );
            return Meaning::Broken;
        }
        let rights = self.within(rights, limit, limited_at, kind, next.span, next);
        let from = Some(Premise { holder: self.scope_object(user), capability });
        let template = self.derivation(Rule::Endowment, self.scope_object(scope), capability, rights, used);
        self.model.derivations.push(Derivation {
            from,
            exact: true,
            statement: Statement::Argument,
            capability_span: next.span,
            rights_span: next.span,
            receiver_span: next.span,
            ..template
        });
        Meaning::Capability { capability, limit: rights, limited_at: Some(takes) }
    }

    fn facet_statement(
        &mut self,
        scope: ScopeId,
        name: &Arc<str>,
        next: &Word,
        found: Meaning,
        attenuation: &Attenuation,
    ) -> Meaning {
        let Attenuation { of: _, rights, part, span } = attenuation;
        let Meaning::Capability { capability, limit, limited_at } = found else {
            return self.not_a_capability(scope, next, found);
        };
        let kind = self.model.capability(capability).kind;
        let named = self.rights_of(rights, kind);
        let rights_span = span_of(rights).unwrap_or(next.span);
        let rights = self.within(named, limit, limited_at, kind, rights_span, next);
        let full = format!("{}{name}", self.scopes.get(scope.0).map_or("", |names| &names.prefix)).into();
        let Some(attenuated) = self.part_of(capability, part.as_ref(), Some(full)) else {
            return Meaning::Broken;
        };
        let holder = self.scope_object(scope);
        let from = Some(Premise { holder, capability });
        let template = self.derivation(Rule::Creation, holder, attenuated, rights, *span);
        self.model.derivations.push(Derivation {
            from,
            exact: true,
            statement: Statement::Attenuate,
            capability_span: next.span,
            rights_span,
            receiver_span: next.span,
            ..template
        });
        Meaning::Capability { capability: attenuated, limit: rights, limited_at: Some(*span) }
    }

    fn gift(&mut self, user: ScopeId, name: &Arc<str>, next: &Word, found: Meaning) -> Meaning {
        let instance = name.split_once('.').and_then(|(instance, _)| {
            match self.scopes.get(user.0)?.names.get(instance).map(|named| &named.binding) {
                Some(Binding::Instance(instance)) => Some(*instance),
                _ => None,
            }
        });
        let Some(instance) = instance else { return Meaning::Unknown };
        let Meaning::Capability { capability, limit, .. } = found else {
            return self.not_a_capability(instance, next, found);
        };
        let from = Some(Premise { holder: self.scope_object(instance), capability });
        let template = self.derivation(Rule::Creation, self.scope_object(user), capability, limit, next.span);
        self.model.derivations.push(Derivation { from, statement: Statement::Gives, ..template });
        found
    }

    /// Reports a name that was to be a capability and is none.
    pub fn not_a_capability(&mut self, scope: ScopeId, word: &Word, found: Meaning) -> Meaning {
        match found {
            Meaning::Unknown => {
                let mut diagnostic = self.unknown(scope, word);
                if diagnostic.help.as_deref() == Some(DECLARE_OR_TAKE) {
                    diagnostic.help = Some(DECLARE_CAPABILITY.to_owned());
                }
                self.diagnostics.push(diagnostic);
                Meaning::Broken
            }
            Meaning::Object(object_id) => {
                let facets: Vec<&str> = self.facet_names(object_id).take(MOST_FACETS).collect();
                let message = format!("`{}` is an object, not a capability", word.text);
                let object = self.model.object(object_id).span;
                let wrong =
                    Diagnostic::new(Code::WrongKind, message, word.span, "one of its facets belongs here")
                        .label(object, "declared here");
                self.diagnostics.push(match facets.as_slice() {
                    [] => match self.model.object(object_id).service() {
                        Some(_) => wrong.help("let it provide a facet, or name its `control`"),
                        None => wrong.help("name a capability: a resource, or `OBJECT.FACET`"),
                    },
                    facets => wrong.help(format!(
                        "name one of its facets: `{}.{}`",
                        word.text,
                        facets.join(&format!("`, `{}.", word.text))
                    )),
                });
                Meaning::Broken
            }
            other => other,
        }
    }

    /// Returns what is said of a name that the scope does not have: where it is, or what was meant.
    pub fn unknown(&mut self, scope: ScopeId, word: &Word) -> Diagnostic {
        let shown: String = word.text.chars().take(80).collect();
        let unknown = Diagnostic::new(
            Code::Unheld,
            format!("nothing here is named `{shown}`"),
            word.span,
            "not in scope",
        );
        let Some(names) = self.scopes.get(scope.0) else { return unknown };
        self.names_looked_at += names.names.len();
        if self.names_looked_at > MOST_NAMES_LOOKED_AT {
            return unknown.help(DECLARE_OR_TAKE);
        }
        let facet_words = self.facet_words(names, &word.text);
        self.names_looked_at += facet_words.len();
        if word.text.starts_with('/') {
            let what = if names.user.is_some() { "takes site dir read" } else { "dir site \"/srv/site\"" };
            return unknown.help(format!(
                "paths are named once, beside the services: `{what}`; then hold it by that name"
            ));
        }
        let own = names.names.keys().map(|name| &**name);
        if let Some(meant) = nearest(&word.text, own.chain(facet_words.iter().map(String::as_str))) {
            return unknown.help(format!("did you mean `{meant}`?"));
        }
        if !facet_words.is_empty() {
            let mut facets: Vec<&str> = facet_words.iter().map(String::as_str).collect();
            facets.sort_unstable();
            facets.truncate(MOST_FACETS);
            return unknown.help(format!("there are {}", super::words::list(&facets)));
        }
        let mut outer = names.user;
        while let Some(user) = outer.and_then(|user| self.scopes.get(user.0)) {
            if let Some(elsewhere) = user.names.get(&word.text) {
                let used = self.model.object(names.object).span;
                return unknown
                    .label(elsewhere.span, "declared here")
                    .label(used, "could be passed on here")
                    .help(format!(
                        "pass it on (`use … {shown}={shown}`) and take it (`takes {shown} KIND`)"
                    ));
            }
            outer = user.user;
        }
        self.inside(names, word, unknown)
    }

    /// Returns the names that `OBJECT.FACET` could have been, if there is such an object.
    fn facet_words(&self, names: &ScopeNames, word: &str) -> Vec<String> {
        let Some((object, _)) = word.split_once('.') else { return Vec::new() };
        match names.names.get(object).map(|named| &named.binding) {
            Some(Binding::Subject(service)) => {
                self.facet_names(*service).map(|facet| format!("{object}.{facet}")).collect()
            }
            Some(Binding::Instance(instance)) => {
                let inner = self.scopes.get(instance.0);
                inner.map_or_else(Vec::new, |inner| {
                    inner.gives.keys().map(|name| format!("{object}.{name}")).collect()
                })
            }
            _ => Vec::new(),
        }
    }

    /// Adds where an unknown name is further in: what a module has, it may give.
    fn inside(&self, names: &ScopeNames, word: &Word, unknown: Diagnostic) -> Diagnostic {
        let object = word.text.split_once('.').map_or(&*word.text, |(object, _)| object);
        let last = word.text.rsplit_once('.').map_or(&*word.text, |(_, last)| last);
        let mut instances: Vec<(&Arc<str>, ScopeId)> = names
            .names
            .iter()
            .filter_map(|(name, named)| match named.binding {
                Binding::Instance(instance) => Some((name, instance)),
                _ => None,
            })
            .collect();
        instances.sort_unstable();
        for (instance, inner) in instances {
            let Some(inner) = self.scopes.get(inner.0) else { continue };
            if inner.gives.contains_key(&word.text) {
                return unknown.help(format!("name it as the instance gives it: `{instance}.{}`", word.text));
            }
            if let Some(known) = inner.names.get(object) {
                return unknown.label(known.span, format!("declared here, inside `{instance}`")).help(
                    format!(
                        "let the module give it (`gives {last}={}`), and name `{instance}.{last}`",
                        word.text
                    ),
                );
            }
        }
        unknown.help(DECLARE_OR_TAKE)
    }

    /// Returns the names of an object's facets, but for its `control`.
    fn facet_names(&self, object: ObjectId) -> impl Iterator<Item = &str> {
        let facets = self.model.object(object).facets().iter().map(|facet| &*self.model.facet(*facet).name);
        facets.filter(|name| *name != "control")
    }

    /// Returns rights as they are named, and reports those that the name does not allow.
    ///
    /// They stay in what is derived, so that one mistake is not reported again by everything that follows from it.
    pub fn within(
        &mut self,
        rights: Rights,
        limit: Rights,
        limited_at: Option<Span>,
        kind: Kind,
        span: Span,
        name: &Word,
    ) -> Rights {
        self.passings.asked(limited_at, rights);
        let excess = rights.without(limit);
        if let (false, Some(limited_at)) = (excess.is_empty(), limited_at) {
            let words: Vec<&str> = kind.words(excess).collect();
            let has: Vec<&str> = kind.words(limit).collect();
            let message = format!("`{}` does not carry {}", name.text, super::words::list(&words));
            self.diagnostics.push(
                Diagnostic::new(Code::ExcessRights, message, span, "more than the name stands for")
                    .label(limited_at, format!("attenuated here to {}", super::words::list(&has)))
                    .help(format!("name at most {}", super::words::list(&has))),
            );
        }
        rights
    }

    /// Returns the capability for a part, or reports that there are no parts of this kind.
    pub fn part_of(
        &mut self,
        capability: crate::model::CapId,
        part: Option<&Word>,
        name: Option<Arc<str>>,
    ) -> Option<crate::model::CapId> {
        let Some(part) = part else { return Some(capability) };
        let whole = self.model.capability(capability);
        if !matches!(whole.kind, Kind::Dir | Kind::State | Kind::Mount) {
            let message = format!("a `{}` has no parts", whole.kind.word());
            self.diagnostics.push(
                Diagnostic::new(Code::WrongKind, message, part.span, "only of a directory")
                    .help("leave `path=` out, or declare the directory above it"),
            );
            return None;
        }
        let below: Arc<str> = match &whole.part {
            Some(outer) => format!("{outer}/{}", part.text).into(),
            None => part.text.clone(),
        };
        Some(self.capability(whole.target, Some(below), name))
    }

    /// Returns the capability that a facet is.
    #[must_use]
    pub fn facet_capability(&self, facet: crate::model::FacetId) -> Option<crate::model::CapId> {
        self.known_capability(Target::Facet(facet))
    }
}

/// Returns the place from the first to the last of some words.
#[must_use]
pub fn span_of(words: &[Word]) -> Option<Span> {
    let first = words.first()?.span;
    let last = words.last()?.span;
    Some(Span { end: last.end, ..first })
}

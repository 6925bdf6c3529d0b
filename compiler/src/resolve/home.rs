//! A user's home: a scope that takes what the system's `user` holds, by those names, and nothing else.

use super::bind::Binder;
use super::declaration::{HoldsDeclaration, Item, TakesDeclaration, UserDeclaration};
use super::meaning::span_of;
use super::names::{Binding, Meaning, ScopeId};
use super::words::{Word, list, with_suggestion};
use crate::diag::{Code, Diagnostic};
use crate::model::{Derivation, ObjectId, Premise, Rights, Rule, Statement};
use crate::source::FileId;

impl Binder<'_> {
    /// Returns the home that was read for a user.
    fn home_of(&self, user: &UserDeclaration) -> Option<FileId> {
        let named =
            |file: &&FileId| self.declarations(**file).is_some_and(|home| home.name.text == user.name.text);
        self.loaded.homes.iter().find(named).copied()
    }

    /// Makes the scope of a user's home, if there is one, and declares its parameters.
    pub fn home(&mut self, scope: ScopeId, declaration: &UserDeclaration, user: ObjectId) -> Option<ScopeId> {
        let file = self.home_of(declaration)?;
        let home = self.declarations(file)?;
        let inner = self.enter(scope, &declaration.name, false, file);
        for item in &home.items {
            let Item::Takes(takes) = item else { continue };
            let held = |holds: &&HoldsDeclaration| holds.name().text == takes.name.text;
            let mut held = declaration.holds.iter().filter(held).cloned();
            let binding = match held.next() {
                Some(first) => {
                    let same = |holds: &HoldsDeclaration| {
                        holds.capability.text == first.capability.text
                            && holds.part().map(|part| &part.text) == first.part().map(|part| &part.text)
                    };
                    let more = held.filter(same).collect();
                    let takes = Box::new(takes.clone());
                    Binding::Endowed { scope, user, first: Box::new(first), more, takes }
                }
                None if takes.optional => Binding::Absent,
                None => {
                    self.not_endowed(declaration, takes);
                    Binding::Broken
                }
            };
            self.name(inner, &takes.name, binding);
        }
        Some(inner)
    }

    fn not_endowed(&mut self, user: &UserDeclaration, takes: &TakesDeclaration) {
        let (who, what) = (&user.name.text, &takes.name.text);
        let message = format!("`user {who}` holds nothing named `{what}`");
        let unheld = Diagnostic::new(Code::Unheld, message, takes.name.span, "not in the endowment")
            .label(user.name.span, "endowed here");
        let names = user.holds.iter().map(|holds| &*holds.name().text);
        let unheld = with_suggestion(unheld, what, names);
        self.diagnostics.push(match unheld.help.as_deref() {
            Some(meant) if meant.starts_with("did you mean") => unheld,
            _ => unheld.help(format!("let the system say `holds {what}` for `{who}`, or leave this out")),
        });
    }

    /// Reports homes of nobody, and second homes of somebody.
    pub fn stray_homes(&mut self, main: FileId) {
        let Some(system) = self.declarations(main) else { return };
        let users = system.items.iter().filter_map(|item| match item {
            Item::User(user) => Some(&user.name),
            _ => None,
        });
        let users: Vec<&Word> = users.collect();
        for file in self.loaded.homes.clone() {
            let Some(home) = self.declarations(file) else { continue };
            let name = &home.name;
            let first = self.loaded.homes.iter().find_map(|first| {
                self.declarations(*first).map(|other| &other.name).filter(|other| other.text == name.text)
            });
            if let Some(first) = first.filter(|first| first.span != name.span) {
                let message = format!("`{}` has two homes", name.text);
                self.diagnostics.push(
                    Diagnostic::new(Code::DuplicateName, message, name.span, "the second one")
                        .label(first.span, "the first one")
                        .help("put both into one file"),
                );
            } else if !users.iter().any(|user| user.text == name.text) {
                let message = format!("the system has no `user {}`, whose home this would be", name.text);
                let unheld = Diagnostic::new(Code::Unheld, message, name.span, "nobody of this name")
                    .label(system.name.span, "in this system");
                let unheld = with_suggestion(unheld, &name.text, users.iter().map(|user| &*user.text));
                self.diagnostics.push(match unheld.help {
                    Some(_) if !users.is_empty() => unheld,
                    _ => unheld.help(format!("declare one: `user {} {{ holds … }}`", name.text)),
                });
            }
        }
    }

    /// Reports objects that would hide a facet which is taken under its whole name.
    pub fn shadowed(&mut self, home: ScopeId) {
        let Some(names) = self.scopes.get(home.0).map(|names| &names.names) else { return };
        let mut found = Vec::new();
        for (taken, named) in names {
            let Some((object, _)) = taken.split_once('.') else { continue };
            if let Some(other) = names.get(object)
                && matches!(other.binding, Binding::Subject(_) | Binding::Instance(_))
            {
                found.push((other.span, object.to_owned(), named.span, taken.clone()));
            }
        }
        found.sort_unstable();
        for (span, object, taken_at, taken) in found {
            let message = format!("`{object}` would hide `{taken}`, which is taken");
            self.diagnostics.push(
                Diagnostic::new(Code::DuplicateName, message, span, "declared here")
                    .label(taken_at, "taken here")
                    .help("give the one in the home another name"),
            );
        }
    }

    /// Turns what a user holds by a name into what the name means in the user's home.
    pub fn endowed(
        &mut self,
        home: ScopeId,
        (scope, user): (ScopeId, ObjectId),
        (first, more): (&HoldsDeclaration, &[HoldsDeclaration]),
        takes: &TakesDeclaration,
        found: Meaning,
    ) -> Meaning {
        let Meaning::Capability { capability: whole, .. } = found else {
            // Reported where the user says it.
            return match found {
                Meaning::Absent => Meaning::Absent,
                _ => self.not_a_capability(scope, &first.capability, found),
            };
        };
        let (given, kind) = (self.model.capability(whole).kind, takes.kind.0);
        if given != kind {
            let message = format!("`{}` is a `{}`, not a `{}`", takes.name.text, given.word(), kind.word());
            self.diagnostics.push(
                Diagnostic::new(Code::WrongKind, message, takes.span, format!("takes a `{}`", kind.word()))
                    .label(first.span, format!("a `{}`", given.word()))
                    .help(format!("write `takes {} {}`", takes.name.text, given.word())),
            );
            return Meaning::Broken;
        }
        let mut limit = Rights::NONE;
        for holds in std::iter::once(first).chain(more) {
            limit = limit.or(self.rights_of(&holds.rights, kind));
        }
        let named = self.rights_of(&takes.rights, kind);
        let rights_span = span_of(&takes.rights).unwrap_or(takes.name.span);
        let excess = named.without(limit);
        if !excess.is_empty() {
            let words: Vec<&str> = kind.words(excess).collect();
            let has: Vec<&str> = kind.words(limit).collect();
            let message = format!("the user does not hold {} of `{}`", list(&words), takes.name.text);
            self.diagnostics.push(
                Diagnostic::new(Code::ExcessRights, message, rights_span, "more than the endowment")
                    .label(first.span, format!("endowed with {} here", list(&has)))
                    .help(format!("name at most {}, or let the system endow the user with more", list(&has))),
            );
        }
        let Some(capability) = self.part_of(whole, first.part(), None) else { return Meaning::Broken };
        let holder = self.scope_object(home);
        let template = self.derivation(Rule::Endowment, holder, capability, named, takes.span);
        self.model.derivations.push(Derivation {
            from: Some(Premise { holder: user, capability }),
            exact: true,
            statement: Statement::Argument,
            capability_span: takes.name.span,
            rights_span,
            receiver_span: takes.name.span,
            ..template
        });
        Meaning::Capability { capability, limit: named, limited_at: Some(takes.span) }
    }
}

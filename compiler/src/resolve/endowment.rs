//! What people come with: the bodies of `user` and `powerbox`, and what whoever launches a program has at hand.

use super::bind::Binder;
use super::declaration::{PowerboxDeclaration, UserDeclaration};
use super::meaning::span_of;
use super::names::{Meaning, ScopeId};
use super::statements::OwnNames;
use super::words::Word;
use crate::diag::{Code, Diagnostic};
use crate::model::{
    CapId, Derivation, Exposure, Kind, Object, ObjectId, ObjectKind, Powerbox, Premise, RECONFIGURE,
    Resource, Rule, SYSTEM, Statement, Target, User,
};
use std::sync::Arc;

/// What whoever launches a program has at hand: every program may name it, and nothing else may.
const CALLERS: [&str; 3] = ["tty", "stdio", "notify"];

impl Binder<'_> {
    /// Binds what a user holds.
    pub fn user_body(&mut self, object: ObjectId, scope: ScopeId, declaration: &UserDeclaration) -> OwnNames {
        let mut own = OwnNames::default();
        let mut placements = Vec::new();
        for holds in &declaration.holds {
            self.holds(object, scope, holds, &mut placements, Some(&mut own));
        }
        if let Some(known) = self.model.objects.get_mut(object.index()) {
            known.kind = ObjectKind::User(Box::new(User { placements }));
        }
        own
    }

    /// A powerbox holds what it offers.
    pub fn powerbox_body(
        &mut self,
        object: ObjectId,
        scope: ScopeId,
        declaration: &PowerboxDeclaration,
    ) -> OwnNames {
        let mut offers = Vec::new();
        for offered in &declaration.offers {
            let word = &offered.capability;
            let found = match self.holdable(object, scope, word) {
                found @ Meaning::Capability { .. } => found,
                other => self.not_a_capability(scope, word, other),
            };
            let Meaning::Capability { capability: whole, limit, limited_at } = found else { continue };
            let kind = self.model.capability(whole).kind;
            let named = self.rights_of(&offered.rights, kind);
            let rights_span = span_of(&offered.rights).unwrap_or(word.span);
            let rights = self.within(named, limit, limited_at, kind, rights_span, word);
            let Some(capability) = self.part_of(whole, offered.part.as_ref(), None) else { continue };
            let from = Some(Premise { holder: self.scope_object(scope), capability: whole });
            let template = self.derivation(Rule::Endowment, object, capability, rights, offered.span);
            self.model.derivations.push(Derivation {
                from,
                exact: true,
                statement: Statement::Holds,
                capability_span: word.span,
                rights_span,
                receiver_span: word.span,
                ..template
            });
            offers.push(Exposure { capability, rights: Some(rights), span: offered.span });
        }
        let asks = declaration.asks.as_ref().map(|word| (word.text.clone(), word.span));
        let ask = self.model.object(object).powerbox().and_then(|known| known.ask);
        if let Some(known) = self.model.objects.get_mut(object.index()) {
            known.kind = ObjectKind::Powerbox(Box::new(Powerbox { offers, asks, ask }));
        }
        OwnNames::default()
    }

    /// Returns what a name of a `holds` means: a name of the scope, or, for a program, of whoever launches it.
    pub fn holdable(&mut self, object: ObjectId, scope: ScopeId, word: &Word) -> Meaning {
        let found = self.meaning(scope, &word.text);
        if found != Meaning::Unknown || !CALLERS.contains(&&*word.text) {
            return found;
        }
        if matches!(self.model.object(object).kind, ObjectKind::Program(_)) {
            let capability = self.caller(&word.text);
            return Meaning::Capability { capability, limit: Kind::Caller.all(), limited_at: None };
        }
        let message = format!("`{}` is its caller's, and only a program has a caller", word.text);
        self.diagnostics.push(
            Diagnostic::new(Code::Unheld, message, word.span, "nobody launches this")
                .label(self.model.object(object).span, "declared here")
                .help("write `program` for what a person starts, or leave it out: a service has a log"),
        );
        Meaning::Broken
    }

    /// Returns what whoever launches a program has at hand, which is made when it is first spoken of.
    pub fn caller(&mut self, name: &Arc<str>) -> CapId {
        if let Some(known) = self.callers.get(name) {
            return *known;
        }
        let span = self.model.object(SYSTEM).span;
        let object = Object {
            name: name.clone(),
            kind: ObjectKind::Resource(Resource::Caller(name.clone())),
            scope: SYSTEM,
            span,
            trusted: None,
            lets_control: None,
        };
        let id = ObjectId(self.model.objects.len() as u32);
        self.model.objects.push(object);
        let capability = self.capability(Target::Resource(id), None, None);
        let derivation = self.derivation(Rule::Axiom, RECONFIGURE, capability, Kind::Caller.all(), span);
        self.model.derivations.push(derivation);
        self.callers.insert(name.clone(), capability);
        capability
    }
}

//! Assertions: whom and what they speak of, also inside instances.

use super::bind::Binder;
use super::declaration::{Item, NeverDeclaration};
use super::names::{Binding, Meaning, ScopeId};
use crate::model::{Never, OUTSIDE, ObjectId};

impl Binder<'_> {
    /// Returns a service by its name or, with the path of its instance, from further in: `shop/nginx`.
    pub fn subject(&self, scope: ScopeId, name: &str) -> Option<ObjectId> {
        if name == "outside" {
            return Some(OUTSIDE);
        }
        let (scope, name) = self.inner_scope(scope, name)?;
        match self.scopes.get(scope.0)?.names.get(name).map(|named| &named.binding) {
            Some(Binding::Service(object)) => Some(*object),
            _ => None,
        }
    }

    /// Returns the scope that the path of a name leads to, and the last word.
    fn inner_scope<'n>(&self, scope: ScopeId, name: &'n str) -> Option<(ScopeId, &'n str)> {
        let mut scope = scope;
        let mut rest = name;
        while let Some((instance, inner)) = rest.split_once('/') {
            match self.scopes.get(scope.0)?.names.get(instance).map(|named| &named.binding) {
                Some(Binding::Instance(next)) => scope = *next,
                _ => return None,
            }
            rest = inner;
        }
        Some((scope, rest))
    }

    /// Returns what a name of a question or an assertion means; it may lead into instances.
    pub fn asked(&mut self, scope: ScopeId, name: &str) -> Meaning {
        match self.inner_scope(scope, name) {
            Some((scope, name)) => self.meaning(scope, &name.into()),
            None => Meaning::Unknown,
        }
    }

    /// Binds the assertions of a scope.
    pub fn assertions(&mut self, scope: ScopeId) {
        let Some(declarations) = self.files.get(scope.0).and_then(|file| self.declarations(*file)) else {
            return;
        };
        for item in &declarations.items {
            if let Item::Never(never) = item {
                self.never(scope, never);
            }
        }
    }

    fn never(&mut self, scope: ScopeId, never: &NeverDeclaration) {
        let subject = self.subject(scope, &never.subject.text).or_else(|| {
            match self.asked(scope, &never.subject.text) {
                Meaning::Object(object) => Some(object),
                Meaning::Capability { capability, .. } => match self.model.capability(capability).target {
                    crate::model::Target::Resource(object) => Some(object),
                    crate::model::Target::Facet(facet) => Some(self.model.facet(facet).owner),
                },
                _ => None,
            }
        });
        if subject.is_none() && never.subject.text.as_ref() != "reconfigure" {
            let diagnostic = self.unknown(scope, &never.subject);
            self.diagnostics.push(diagnostic);
        }
        let found = self.asked(scope, &never.capability.text);
        let Meaning::Capability { capability, .. } = found else {
            self.not_a_capability(scope, &never.capability, found);
            return;
        };
        let kind = self.model.capability(capability).kind;
        let rights = match never.rights.as_slice() {
            [] => kind.all(),
            words => self.rights_of(words, kind),
        };
        let subject =
            subject.or((never.subject.text.as_ref() == "reconfigure").then_some(crate::model::RECONFIGURE));
        let Some(subject) = subject else { return };
        if rights.is_empty() {
            return;
        }
        self.model.nevers.push(Never {
            scope: self.scope_object(scope),
            subject,
            level: never.level,
            capability,
            rights,
            span: never.span,
            subject_span: never.subject.span,
            capability_span: never.capability.span,
        });
    }
}

//! Assertions: whom and what they speak of, also inside instances.

use super::bind::Binder;
use super::declaration::{Item, NeverDeclaration};
use super::names::{Binding, Meaning, ScopeId};
use crate::diag::{Code, Diagnostic};
use crate::model::{FacetId, Never, OUTSIDE, ObjectId, Target};

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
        let asked = self.asked(scope, &never.subject.text);
        let target = match asked {
            Meaning::Capability { capability, .. } => Some(self.model.capability(capability).target),
            _ => None,
        };
        if let Some(Target::Facet(facet)) = target {
            self.facet_as_subject(facet, never);
            return;
        }
        let subject = self.subject(scope, &never.subject.text).or(match (asked, target) {
            (Meaning::Object(object), _) | (_, Some(Target::Resource(object))) => Some(object),
            _ => None,
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

    fn facet_as_subject(&mut self, facet: FacetId, never: &NeverDeclaration) {
        let facet = self.model.facet(facet);
        let owner = &self.model.object(facet.owner).name;
        let message = format!("this can never apply: `{}` is a facet of `{owner}`", never.subject.text);
        let vacuous = Diagnostic::new(Code::Vacuous, message, never.subject.span, "not a subject")
            .label(facet.span, "provided here")
            .help(format!("name the service: `{owner}`"));
        self.diagnostics.push(vacuous);
    }
}

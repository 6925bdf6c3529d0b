//! Assertions, trust and waivers: whom and what they speak of, also inside instances.

use super::bind::Binder;
use super::declaration::{AllowDeclaration, Item, NeverDeclaration, OnlyDeclaration, TrustDeclaration};
use super::names::{Binding, Meaning, ScopeId};
use super::words::Word;
use crate::diag::{Code, Diagnostic};
use crate::model::{
    CapId, FacetId, Never, OUTSIDE, ObjectId, Only, RECONFIGURE, Rights, Target, Trust, Waived, Waiver,
};
use crate::source::Span;

impl Binder<'_> {
    /// Returns a subject by its name or, with the path of its instance, from further in: `shop/nginx`.
    pub fn subject(&self, scope: ScopeId, name: &str) -> Option<ObjectId> {
        if name == "outside" {
            return Some(OUTSIDE);
        }
        let (scope, name) = self.inner_scope(scope, name)?;
        match self.scopes.get(scope.0)?.names.get(name).map(|named| &named.binding) {
            Some(Binding::Subject(object)) => Some(*object),
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
        let Some((scope, name)) = self.inner_scope(scope, name) else { return Meaning::Unknown };
        let name = name.into();
        match self.meaning(scope, &name) {
            // What a launched program has at hand is nobody's name, but it can be asked for.
            Meaning::Unknown => match self.callers.get(&name) {
                Some(caller) => {
                    let limit = crate::model::Kind::Caller.all();
                    Meaning::Capability { capability: *caller, limit, limited_at: None }
                }
                None => Meaning::Unknown,
            },
            found => found,
        }
    }

    /// Binds the assertions, trust and waivers of a scope.
    pub fn assertions(&mut self, scope: ScopeId) {
        let Some(declarations) = self.files.get(scope.0).and_then(|file| self.declarations(*file)) else {
            return;
        };
        for item in &declarations.items {
            match item {
                Item::Never(never) => self.never(scope, never),
                Item::Only(only) => self.only(scope, only),
                Item::Trust(trust) => self.trust(scope, trust),
                Item::Allow(allow) => self.allow(scope, allow),
                Item::Resource(_)
                | Item::Broken(_)
                | Item::Code(_)
                | Item::Integrity(..)
                | Item::Alias(..)
                | Item::Root(_)
                | Item::Service(_)
                | Item::User(_)
                | Item::Powerbox(_)
                | Item::Facet(_)
                | Item::Use(_)
                | Item::Takes(_)
                | Item::Gives(_) => {}
            }
        }
    }

    fn never(&mut self, scope: ScopeId, never: &NeverDeclaration) {
        let subject = self.named_object(scope, &never.subject);
        let what = self.asked_rights(scope, &never.capability, &never.rights);
        let (Some(subject), Some((capability, rights))) = (subject, what) else { return };
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

    fn only(&mut self, scope: ScopeId, only: &OnlyDeclaration) {
        let mut subjects = Vec::new();
        for word in &only.subjects {
            subjects.push(self.named_object(scope, word).map(|subject| (subject, word.span)));
        }
        let what = self.asked_rights(scope, &only.capability, &only.rights);
        // One who is not known might be the very one who may.
        let subjects: Option<Vec<(ObjectId, Span)>> = subjects.into_iter().collect();
        let (Some(subjects), Some((capability, rights))) = (subjects, what) else { return };
        self.model.onlys.push(Only {
            scope: self.scope_object(scope),
            subjects,
            level: only.level,
            capability,
            rights,
            span: only.span,
            capability_span: only.capability.span,
        });
    }

    fn trust(&mut self, scope: ScopeId, trust: &TrustDeclaration) {
        let Some(subject) = self.named_object(scope, &trust.subject) else { return };
        self.model.trusts.push(Trust { subject, span: trust.span, subject_span: trust.subject.span });
        if let Some(object) = self.model.objects.get_mut(subject.index())
            && object.is_subject()
        {
            object.lets_control.get_or_insert(trust.span);
        }
    }

    fn allow(&mut self, scope: ScopeId, allow: &AllowDeclaration) {
        let on = match &allow.on {
            None => None,
            Some(word) => match self.asked(scope, &word.text) {
                Meaning::Capability { capability, .. } => Some(Waived::Capability(capability, word.span)),
                Meaning::Object(object) => Some(Waived::Object(object, word.span)),
                Meaning::Unknown if &*word.text == "outside" => Some(Waived::Object(OUTSIDE, word.span)),
                Meaning::Unknown => {
                    let diagnostic = self.unknown(scope, word);
                    self.diagnostics.push(diagnostic);
                    return;
                }
                Meaning::Absent | Meaning::Broken => return,
            },
        };
        let code = (allow.code.text.clone(), allow.code.span);
        self.model.waivers.push(Waiver { code, on, until: allow.until, span: allow.span });
    }

    /// Returns the object of which an assertion or a `trust` speaks, or reports a name that is none.
    ///
    /// Whether it can act is for `check` to say: a resource cannot, and that is another mistake than an unknown name.
    fn named_object(&mut self, scope: ScopeId, word: &Word) -> Option<ObjectId> {
        if &*word.text == "reconfigure" {
            return Some(RECONFIGURE);
        }
        if let Some(subject) = self.subject(scope, &word.text) {
            return Some(subject);
        }
        match self.asked(scope, &word.text) {
            Meaning::Object(object) => Some(object),
            Meaning::Capability { capability, .. } => match self.model.capability(capability).target {
                Target::Resource(object) => Some(object),
                Target::Facet(facet) => {
                    self.facet_as_subject(facet, word);
                    None
                }
            },
            Meaning::Unknown => {
                let diagnostic = self.unknown(scope, word);
                self.diagnostics.push(diagnostic);
                None
            }
            Meaning::Absent | Meaning::Broken => None,
        }
    }

    /// Returns the capability of which an assertion speaks, with the rights named or else all of its kind.
    fn asked_rights(&mut self, scope: ScopeId, word: &Word, rights: &[Word]) -> Option<(CapId, Rights)> {
        let found = self.asked(scope, &word.text);
        let Meaning::Capability { capability, limited_at, .. } = found else {
            self.not_a_capability(scope, word, found);
            return None;
        };
        self.passings.asked(limited_at, Rights::NONE);
        let kind = self.model.capability(capability).kind;
        let rights = match rights {
            [] => kind.all(),
            words => self.rights_of(words, kind),
        };
        (!rights.is_empty()).then_some((capability, rights))
    }

    fn facet_as_subject(&mut self, facet: FacetId, word: &Word) {
        let facet = self.model.facet(facet);
        let owner = &self.model.object(facet.owner).name;
        let message = format!("this can never apply: `{}` is a facet of `{owner}`", word.text);
        let vacuous = Diagnostic::new(Code::Vacuous, message, word.span, "not a subject")
            .label(facet.span, "provided here")
            .help(format!("name the object itself: `{owner}`"));
        self.diagnostics.push(vacuous);
    }
}

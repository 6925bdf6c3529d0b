//! `grants`: what one grant brings is a name for the next, so they are bound in the order in which names arrive.

use super::bind::Binder;
use super::declaration::GrantsDeclaration;
use super::meaning::span_of;
use super::names::{Meaning, ScopeId};
use super::objects::Body;
use super::statements::OwnNames;
use super::tables::ByName;
use super::words::Word;
use crate::diag::{Code, Diagnostic};
use crate::model::{CapId, Derivation, OUTSIDE, ObjectId, Premise, Rights, Rule, Statement};
use crate::source::Span;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// A `grants` whose capability has no name yet, because another grant may bring it.
struct Pending<'a> {
    granter: usize,
    grant: &'a GrantsDeclaration,
}

impl<'a> Binder<'a> {
    /// Binds grants; what one grant brings is a name for the next.
    pub fn grants(&mut self, bodies: &[(ObjectId, ScopeId, Body<'a>)], own: Vec<OwnNames>) {
        if bodies.iter().all(|(_, _, body)| body.grants().is_empty()) {
            return;
        }
        let index: HashMap<ObjectId, usize, RandomState> =
            bodies.iter().enumerate().map(|(at, (object, _, _))| (*object, at)).collect();
        let mut introduced: Vec<ByName<Meaning>> = vec![ByName::default(); bodies.len()];
        let mut waiting: HashMap<(usize, Arc<str>), Vec<Pending<'a>>, RandomState> = HashMap::default();
        let mut ready: Vec<Pending<'a>> = Vec::new();
        for (granter, (_, _, body)) in bodies.iter().enumerate().rev() {
            ready.extend(body.grants().iter().rev().map(|grant| Pending { granter, grant }));
        }
        while let Some(Pending { granter, grant }) = ready.pop() {
            let (Some((object, scope, _)), Some(names)) = (bodies.get(granter), own.get(granter)) else {
                continue;
            };
            let found = match self.own_or_scope(*scope, names, &grant.capability) {
                Meaning::Unknown => introduced
                    .get(granter)
                    .and_then(|names| names.get(&grant.capability.text))
                    .copied()
                    .unwrap_or(Meaning::Unknown),
                found => found,
            };
            if found == Meaning::Unknown {
                waiting
                    .entry((granter, grant.capability.text.clone()))
                    .or_default()
                    .push(Pending { granter, grant });
                continue;
            }
            let receiver = self.receiver(*scope, names, introduced.get(granter), &grant.to);
            let Meaning::Capability { capability, limit, limited_at } = found else {
                self.not_a_capability(*scope, &grant.capability, found);
                continue;
            };
            let Some(receiver) = receiver else { continue };
            self.grant(*object, receiver, grant, capability, limit, limited_at);
            let name = &grant.capability.text;
            let Some(at) = index.get(&receiver) else { continue };
            if let Some(names) = introduced.get_mut(*at)
                && !names.contains_key(name)
            {
                names.insert(name.clone(), found);
                ready.extend(waiting.remove(&(*at, name.clone())).into_iter().flatten());
            }
        }
        let mut unknown: Vec<Pending<'a>> = waiting.into_values().flatten().collect();
        unknown.sort_by_key(|pending| pending.grant.span);
        for Pending { granter, grant } in unknown {
            let Some((_, scope, _)) = bodies.get(granter) else { continue };
            self.not_a_capability(*scope, &grant.capability, Meaning::Unknown);
        }
    }

    fn grant(
        &mut self,
        granter: ObjectId,
        receiver: ObjectId,
        grant: &GrantsDeclaration,
        capability: CapId,
        limit: Rights,
        limited_at: Option<Span>,
    ) {
        let kind = self.model.capability(capability).kind;
        let rights_span = span_of(&grant.rights).unwrap_or(grant.capability.span);
        let exact = !grant.rights.is_empty();
        let rights = match exact {
            true => {
                let named = self.rights_of(&grant.rights, kind);
                self.within(named, limit, limited_at, kind, rights_span, &grant.capability)
            }
            false => {
                self.passings.asked(limited_at, Rights::NONE);
                limit
            }
        };
        let template = self.derivation(Rule::Introduction, receiver, capability, rights, grant.span);
        self.model.derivations.push(Derivation {
            from: Some(Premise { holder: granter, capability }),
            introduces: Some(receiver),
            exact,
            when: grant.when,
            statement: Statement::Grants,
            capability_span: grant.capability.span,
            rights_span,
            receiver_span: grant.to.span,
            ..template
        });
    }

    /// Returns the object that `to=` means: one by its name, or the maker of a facet by the facet's name.
    fn receiver(
        &mut self,
        scope: ScopeId,
        own: &OwnNames,
        introduced: Option<&ByName<Meaning>>,
        to: &Word,
    ) -> Option<ObjectId> {
        let known = own.get(&to.text).copied();
        let found = known.unwrap_or_else(|| match self.subject(scope, &to.text) {
            Some(object) => Meaning::Object(object),
            None => match self.meaning(scope, &to.text) {
                Meaning::Unknown => {
                    introduced.and_then(|names| names.get(&to.text)).copied().unwrap_or(Meaning::Unknown)
                }
                found => found,
            },
        });
        let object = match found {
            Meaning::Object(object) => Some(object),
            Meaning::Capability { capability, limited_at, .. } => {
                self.passings.asked(limited_at, Rights::NONE);
                self.model.facet_owner(capability)
            }
            Meaning::Unknown => {
                let diagnostic = self.unknown(scope, to);
                self.diagnostics.push(diagnostic);
                return None;
            }
            Meaning::Absent | Meaning::Broken => return None,
        };
        let object = object.filter(|object| *object != OUTSIDE && self.model.object(*object).is_subject());
        if object.is_none() {
            let message = format!("`{}` is nothing that could hold a capability", to.text);
            self.diagnostics.push(
                Diagnostic::new(
                    Code::WrongKind,
                    message,
                    to.span,
                    "a service or one of its facets belongs here",
                )
                .help("name the service that is to receive it"),
            );
        }
        object
    }
}

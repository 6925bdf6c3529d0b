//! Objects as they are declared: resources, services with their facets, and the capabilities that they are.

use super::bind::Binder;
use super::declaration::{
    GrantsDeclaration, PowerboxDeclaration, ProcessKind, ServiceDeclaration, TransportDeclaration,
    UserDeclaration,
};
use super::names::{Binding, ScopeId};
use super::words::Word;
use crate::diag::{Code, Diagnostic};
use crate::model::{
    CapId, Capability, Derivation, Facet, FacetId, Kind, Object, ObjectId, ObjectKind, PathUse, RECONFIGURE,
    Resource, Rights, Rule, SYSTEM, Service, Statement, Target, Transport, When,
};
use crate::source::Span;
use std::sync::Arc;

/// The declaration of a subject.
#[derive(Copy, Clone)]
pub enum Body<'a> {
    /// A service or a program.
    Process(&'a ServiceDeclaration),
    /// A user.
    User(&'a UserDeclaration),
    /// A powerbox.
    Powerbox(&'a PowerboxDeclaration),
}

impl<'a> Body<'a> {
    /// Returns what it grants.
    pub fn grants(self) -> &'a [GrantsDeclaration] {
        match self {
            Self::Process(declaration) => &declaration.grants,
            Self::User(_) | Self::Powerbox(_) => &[],
        }
    }
}

impl<'a> Binder<'a> {
    /// Returns an object's full name.
    fn full_name(&self, scope: ScopeId, name: &str) -> Arc<str> {
        self.scopes.get(scope.0).map_or_else(|| name.into(), |names| [&*names.prefix, name].concat().into())
    }

    /// Returns a scope as an object.
    pub fn scope_object(&self, scope: ScopeId) -> ObjectId {
        self.scopes.get(scope.0).map_or(SYSTEM, |names| names.object)
    }

    /// Adds an object to the model.
    pub fn add_object(&mut self, scope: ScopeId, name: &str, kind: ObjectKind, span: Span) -> ObjectId {
        let object = Object {
            name: self.full_name(scope, name),
            kind,
            scope: self.scope_object(scope),
            span,
            trusted: None,
            lets_control: None,
        };
        self.model.objects.push(object);
        ObjectId(self.model.objects.len() as u32 - 1)
    }

    /// Makes a resource, which `reconfigure` and so the system scope hold.
    pub fn resource(&mut self, scope: ScopeId, name: &Word, resource: &Resource, span: Span) -> CapId {
        let resource = match resource.clone() {
            Resource::Path { kind, path } => {
                let place = self.model.aliases.place(&PathUse { path, span });
                Resource::Path { kind, path: place.path }
            }
            Resource::Listen(crate::model::Address::Unix(path)) => Resource::Listen(
                crate::model::Address::Unix(self.model.aliases.place(&PathUse { path, span }).path),
            ),
            other => other,
        };
        let kind = resource.kind();
        let object = self.add_object(scope, &name.text, ObjectKind::Resource(resource), name.span);
        let capability = self.capability(Target::Resource(object), None, None);
        self.created(Rule::Axiom, RECONFIGURE, capability, kind.all(), span);
        let mut derivation = self.derivation(Rule::Endowment, SYSTEM, capability, kind.all(), span);
        derivation.from = Some(crate::model::Premise { holder: RECONFIGURE, capability });
        self.model.derivations.push(derivation);
        capability
    }

    /// Returns a derivation that cannot go wrong, to be changed where it can.
    pub fn derivation(
        &self,
        rule: Rule,
        holder: ObjectId,
        capability: CapId,
        rights: Rights,
        span: Span,
    ) -> Derivation {
        Derivation {
            rule,
            from: None,
            introduces: None,
            holder,
            capability,
            rights,
            exact: false,
            when: When::Start,
            statement: Statement::Given,
            span,
            capability_span: span,
            rights_span: span,
            receiver_span: span,
        }
    }

    fn created(&mut self, rule: Rule, holder: ObjectId, capability: CapId, rights: Rights, span: Span) {
        let derivation = self.derivation(rule, holder, capability, rights, span);
        self.model.derivations.push(derivation);
    }

    /// Declares a subject; returns its object, or nothing when another thing has its name.
    fn subject_object(
        &mut self,
        scope: ScopeId,
        name: &Word,
        kind: ObjectKind,
        body: Body<'a>,
    ) -> Option<ObjectId> {
        if self.scopes.get(scope.0).is_some_and(|names| names.names.contains_key(&name.text)) {
            // Reports the name; what a second declaration of it says is not counted.
            self.name(scope, name, Binding::Broken);
            return None;
        }
        let object = self.add_object(scope, &name.text, kind, name.span);
        self.name(scope, name, Binding::Subject(object));
        self.bodies.push((object, scope, body));
        Some(object)
    }

    /// Makes a facet that the maker's scope holds by creation, and the maker itself does not.
    fn facet_of_scope(
        &mut self,
        object: ObjectId,
        scope: ScopeId,
        transport: Transport,
        span: Span,
    ) -> FacetId {
        let name = match transport {
            Transport::Launch => "launch",
            Transport::Ask => "ask",
            _ => "control",
        };
        let facet = self.facet(object, name.into(), transport, span);
        let rights = self.model.facet(facet).kind().all();
        let capability = self.capability(Target::Facet(facet), None, None);
        self.created(Rule::Creation, self.scope_object(scope), capability, rights, span);
        facet
    }

    /// Makes a user.
    pub fn user(&mut self, scope: ScopeId, declaration: &'a UserDeclaration) -> Option<ObjectId> {
        let kind = ObjectKind::User(Box::default());
        self.subject_object(scope, &declaration.name, kind, Body::User(declaration))
    }

    /// Makes a powerbox, whose `ask` its scope holds.
    pub fn powerbox(&mut self, scope: ScopeId, declaration: &'a PowerboxDeclaration) {
        let kind = ObjectKind::Powerbox(Box::default());
        let body = Body::Powerbox(declaration);
        let Some(object) = self.subject_object(scope, &declaration.name, kind, body) else { return };
        let ask = self.facet_of_scope(object, scope, Transport::Ask, declaration.name.span);
        if let Some(ObjectKind::Powerbox(powerbox)) =
            self.model.objects.get_mut(object.index()).map(|object| &mut object.kind)
        {
            powerbox.ask = Some(ask);
        }
    }

    /// Makes a service or a program with its facets, which it and its scope hold.
    pub fn process(&mut self, scope: ScopeId, declaration: &'a ServiceDeclaration) {
        let kind = match declaration.kind {
            ProcessKind::Service => ObjectKind::Service(Box::default()),
            ProcessKind::Program => ObjectKind::Program(Box::default()),
        };
        let body = Body::Process(declaration);
        let Some(object) = self.subject_object(scope, &declaration.name, kind, body) else { return };
        let maker = self.scope_object(scope);
        let mut facets = Vec::new();
        for provided in &declaration.provides {
            let transport = match &provided.transport {
                TransportDeclaration::Socket(path) => Transport::Socket(self.model.aliases.place(path)),
                TransportDeclaration::Channel => Transport::Channel,
                TransportDeclaration::Tcp(address, _) => Transport::Tcp(address.clone()),
                TransportDeclaration::Done => Transport::Done,
                // Bound to what the service holds in `statements`; until then it is nothing in particular.
                TransportDeclaration::Listen(_) => Transport::Channel,
                TransportDeclaration::Mount(place) => {
                    Transport::Mount(PathUse { path: "/nonexistent".into(), span: place.span })
                }
            };
            let first = self
                .facets_by_name
                .find(object, &provided.name.text)
                .map(|first| self.model.facet(first).span);
            if first.is_some() || &*provided.name.text == "control" {
                let message =
                    format!("`{}` has two facets named `{}`", declaration.name.text, provided.name.text);
                let twice =
                    Diagnostic::new(Code::DuplicateName, message, provided.name.span, "provided again here");
                self.diagnostics.push(match first {
                    Some(first) => {
                        twice.label(first, "first provided here").help("give one of them another name")
                    }
                    None => twice
                        .label(declaration.name.span, "every service has a `control`")
                        .help("give it another name"),
                });
                continue;
            }
            let facet = self.facet(object, provided.name.text.clone(), transport, provided.name.span);
            if let Some(made) = self.model.facets.get_mut(facet.index()) {
                made.activated = provided.activated;
                made.data_only = provided.data_only;
            }
            facets.push(facet);
        }
        let provided: Vec<(FacetId, CapId)> =
            facets.iter().map(|facet| (*facet, self.capability(Target::Facet(*facet), None, None))).collect();
        let transport = match declaration.kind {
            ProcessKind::Service => Transport::Control,
            ProcessKind::Program => Transport::Launch,
        };
        facets.push(self.facet_of_scope(object, scope, transport, declaration.name.span));
        for (facet, capability) in provided {
            let span = self.model.facet(facet).span;
            let kind = self.model.facet(facet).kind();
            self.created(Rule::Creation, object, capability, kind.all(), span);
            self.created(Rule::Creation, maker, capability, kind.all(), span);
        }
        if let Some(ObjectKind::Service(process) | ObjectKind::Program(process)) =
            self.model.objects.get_mut(object.index()).map(|object| &mut object.kind)
        {
            **process = Service { facets, ..Service::default() };
        }
    }

    fn facet(&mut self, owner: ObjectId, name: Arc<str>, transport: Transport, span: Span) -> FacetId {
        let id = FacetId(self.model.facets.len() as u32);
        self.facets_by_name.add(owner, &name, id);
        self.model.facets.push(Facet {
            owner,
            name,
            transport,
            activated: false,
            data_only: false,
            exposes: Vec::new(),
            span,
        });
        id
    }

    /// Returns a facet of a service by its name.
    #[must_use]
    pub fn facet_of(&self, owner: ObjectId, name: &str) -> Option<FacetId> {
        self.facets_by_name.find(owner, name)
    }

    /// Returns the capability for a target or a part of it, under the name by which it is first spoken of.
    pub fn capability(&mut self, target: Target, part: Option<Arc<str>>, name: Option<Arc<str>>) -> CapId {
        if let Some(known) = self.capabilities.find(target, part.as_ref()) {
            return known;
        }
        let (whole, kind, path) = match target {
            Target::Resource(object) => {
                let object = self.model.object(object);
                let resource = object.resource();
                let path = match resource {
                    Some(Resource::Path { path, .. }) => Some(path.clone()),
                    _ => None,
                };
                (object.name.clone(), resource.map_or(Kind::Facet, Resource::kind), path)
            }
            Target::Facet(facet) => {
                let facet = self.model.facet(facet);
                let path = match &facet.transport {
                    Transport::Mount(place) => Some(place.path.clone()),
                    _ => None,
                };
                let owner = &self.model.object(facet.owner).name;
                ([owner, ".", &facet.name].concat().into(), facet.kind(), path)
            }
        };
        let (default, path) = match &part {
            None => (whole, path),
            Some(part) => {
                let below = path.map(|path| self.part_path(&path, part));
                ([&*whole, "/", part].concat().into(), below)
            }
        };
        let id = CapId(self.model.capabilities.len() as u32);
        self.capabilities.add(target, part.clone(), id);
        self.model.capabilities.push(Capability { name: name.unwrap_or(default), target, part, kind, path });
        id
    }

    fn part_path(&self, whole: &str, part: &str) -> Arc<str> {
        let path: Arc<str> = [whole.trim_end_matches('/'), "/", part].concat().into();
        self.model.aliases.rewrite(&path).unwrap_or(path)
    }

    /// Gives mounts and their parts their places: a mount is bound with its maker's body, after others spoke of it.
    pub fn place_mounts(&mut self) {
        for index in 0..self.model.capabilities.len() {
            let Some(Capability { target: Target::Facet(facet), part, .. }) =
                self.model.capabilities.get(index).cloned()
            else {
                continue;
            };
            let Transport::Mount(place) = &self.model.facet(facet).transport else { continue };
            let path = match &part {
                None => place.path.clone(),
                Some(part) => self.part_path(&place.path, part),
            };
            if let Some(capability) = self.model.capabilities.get_mut(index) {
                capability.path = Some(path);
            }
        }
    }

    /// Returns the capability for a whole target, if it has been spoken of.
    #[must_use]
    pub fn known_capability(&self, target: Target) -> Option<CapId> {
        self.capabilities.find(target, None)
    }
}

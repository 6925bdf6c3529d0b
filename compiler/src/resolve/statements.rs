//! The bodies of services, and assertions: names become ids, statements become rule instances.

use super::bind::Binder;
use super::declaration::{HoldsDeclaration, HoldsMore, ProcessKind, ServiceDeclaration};
use super::meaning::span_of;
use super::names::{Binding, Meaning, ScopeId};
use super::objects::Body;
use super::tables::ByName;
use super::words::Word;
use crate::diag::{Code, Diagnostic};
use crate::model::{
    Derivation, FileKind, Kind, ObjectId, ObjectKind, PathUse, Placement, Placing, Premise, RECONFIGURE,
    Ready, Rule, Service, Statement, Transport, path_contains,
};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names inside one body.
pub type OwnNames = ByName<Meaning>;

impl<'a> Binder<'a> {
    /// Binds everything that is said after names are declared.
    pub fn statements(&mut self) {
        self.every_name();
        self.given();
        let bodies = std::mem::take(&mut self.bodies);
        let mut own: Vec<OwnNames> = Vec::with_capacity(bodies.len());
        // Only grants ask for the names of a body once it is bound; the memory of the others serves again.
        let mut spare = OwnNames::default();
        for (object, scope, body) in &bodies {
            let mut names = match body {
                Body::Process(declaration) => self.body(*object, *scope, declaration, spare),
                Body::User(declaration) => self.user_body(*object, *scope, declaration),
                Body::Powerbox(declaration) => self.powerbox_body(*object, *scope, declaration),
            };
            (names, spare) = match body.grants().is_empty() {
                true => (OwnNames::default(), names),
                false => (names, OwnNames::default()),
            };
            spare.clear();
            own.push(names);
        }
        self.place_mounts();
        self.grants(&bodies, own);
        for scope in 0..self.scopes.len() {
            self.assertions(ScopeId(scope));
        }
        self.bodies = bodies;
    }

    /// Follows every name back once, so that a wrong one is reported though nobody uses it.
    fn every_name(&mut self) {
        for scope in 0..self.scopes.len() {
            let Some(names) = self.scopes.get(scope) else { continue };
            let mut all: Vec<(Span, Arc<str>)> = Vec::new();
            for (name, named) in &names.names {
                if named.binding.may_be_capability() {
                    all.push((named.span, name.clone()));
                }
                if let Binding::Instance(instance) = named.binding
                    && let Some(inner) = self.scopes.get(instance.0)
                {
                    all.extend(
                        inner.gives.iter().map(|(gift, inner)| (inner.span, format!("{name}.{gift}").into())),
                    );
                }
            }
            all.sort();
            for (_, name) in all {
                self.meaning(ScopeId(scope), &name);
            }
        }
    }

    /// Finds what is for somebody outside of the configuration.
    fn given(&mut self) {
        let system = ScopeId(0);
        if self.model.file == FileKind::Module {
            let gives = self.scopes.first().map(|names| names.gives.values().cloned().collect::<Vec<_>>());
            for word in gives.into_iter().flatten() {
                match self.meaning(system, &word.text) {
                    Meaning::Capability { capability, limit, limited_at } => {
                        self.passings.asked(limited_at, limit);
                        self.model.given.push(capability);
                    }
                    found => drop(self.not_a_capability(system, &word, found)),
                }
            }
        }
        let is_home = |file: &crate::source::FileId| {
            self.declarations(*file).is_some_and(|file| file.kind == FileKind::Home)
        };
        let scopes = self.scopes.iter().zip(&self.files).filter(|(_, file)| is_home(file));
        let homes: BTreeSet<ObjectId> = scopes.map(|(names, _)| names.object).collect();
        let facets = self.model.facets.iter().enumerate();
        let of_persons = facets.filter(|(_, facet)| {
            matches!(facet.transport, Transport::Launch | Transport::Ask)
                && homes.contains(&self.model.object(facet.owner).scope)
        });
        let given: Vec<crate::model::CapId> = of_persons
            .filter_map(|(index, _)| self.facet_capability(crate::model::FacetId(index as u32)))
            .collect();
        self.model.given.extend(given);
        self.model.given.sort_unstable();
    }

    /// Binds one body but for its grants; returns its own names, in a table that is empty yet.
    fn body(
        &mut self,
        object: ObjectId,
        scope: ScopeId,
        declaration: &ServiceDeclaration,
        mut own: OwnNames,
    ) -> OwnNames {
        let in_module = self.is_module(scope);
        let asks = declaration.asks_for_names();
        let mut service = Service {
            oneshot: declaration.oneshot.is_some(),
            restart: declaration.restart.map(|(restart, _)| restart).unwrap_or_default(),
            limits: declaration.limits.clone(),
            stop: declaration.stop.clone(),
            reload: declaration.reload.clone(),
            workdir: declaration.workdir.as_ref().map(|path| self.model.aliases.place(path)),
            environment: declaration
                .environment
                .iter()
                .map(|(name, value)| (name.text.clone(), value.clone()))
                .collect(),
            ..Service::default()
        };
        service.facets = self.model.object(object).facets().to_vec();
        service.schedule = declaration.schedule.as_ref().map(|word| (word.text.clone(), word.span));
        service.syscalls = declaration.syscalls.iter().map(|word| (word.text.clone(), word.span)).collect();
        service.unconfined = declaration.unconfined;
        service.program = declaration.program.as_ref().map(|path| self.model.aliases.place(path));
        service.arguments = declaration.arguments.iter().map(|word| (word.text.clone(), word.span)).collect();
        service.argument_paths = self.argument_paths(&declaration.arguments);
        service.prepare =
            declaration.prepare.as_ref().map(|(path, words)| (self.model.aliases.place(path), words.clone()));
        service.standard.clone_from(&declaration.standard);
        service.image = declaration.image.iter().map(|path| self.model.aliases.place(path)).collect();
        for scratch in &declaration.scratch {
            let mut scratch = scratch.clone();
            scratch.at = self.model.aliases.place(&scratch.at);
            service.scratch.push(scratch);
        }
        if in_module {
            let program = service.program.iter().chain(service.prepare.iter().map(|(path, _)| path));
            let code: Vec<PathUse> = program.chain(&service.image).cloned().collect();
            for path in code {
                self.code_only(&path);
            }
        }
        for facet in &service.facets {
            if let Some(capability) = self.facet_capability(*facet) {
                let facet = self.model.facet(*facet);
                let is_provided = !matches!(facet.transport, Transport::Control | Transport::Launch);
                if is_provided && asks {
                    let meaning =
                        Meaning::Capability { capability, limit: facet.kind().all(), limited_at: None };
                    own.insert(facet.name.clone(), meaning);
                    own.insert([&*declaration.name.text, ".", &facet.name].concat().into(), meaning);
                }
            }
        }
        service.placements.reserve_exact(declaration.holds.len());
        for holds in &declaration.holds {
            self.holds(object, scope, holds, &mut service.placements, asks.then_some(&mut own));
        }
        self.config(object, scope, declaration, &mut service);
        self.identity(object, scope, declaration, &mut service);
        self.transports(scope, object, declaration, &own);
        service.ready = declaration.ready.unwrap_or_else(|| self.default_readiness(&service));
        if let Some(known) = self.model.objects.get_mut(object.index()) {
            known.kind = match declaration.kind {
                ProcessKind::Service => ObjectKind::Service(Box::new(service)),
                ProcessKind::Program => ObjectKind::Program(Box::new(service)),
            };
            known.trusted = declaration.trusted;
        }
        own
    }

    /// A service is waited for until its facets exist, unless it says otherwise.
    fn default_readiness(&self, service: &Service) -> Ready {
        let minted = |transport: &Transport| matches!(transport, Transport::Socket(_) | Transport::Tcp(_));
        let mut facets = service.facets.iter().map(|facet| self.model.facet(*facet));
        match facets.any(|facet| minted(&facet.transport) && !facet.activated) {
            true => Ready::Socket,
            false => Ready::Started,
        }
    }

    /// Returns whether a scope has no authority of its own: a module or a home.
    pub fn is_module(&self, scope: ScopeId) -> bool {
        let file = self.files.get(scope.0).copied();
        file.and_then(|file| self.declarations(file)).is_some_and(|file| file.kind != FileKind::System)
    }

    fn argument_paths(&self, arguments: &[Word]) -> Vec<PathUse> {
        let absolute = arguments.iter().filter(|word| super::value::path_problem(&word.text).is_none());
        absolute
            .map(|word| self.model.aliases.place(&PathUse { path: word.text.clone(), span: word.span }))
            .collect()
    }

    /// Returns the resource that is a path or contains it, or else one that lies inside it, with how the path lies to it.
    fn declared_at(&mut self, path: &str) -> Option<(Span, &'static str)> {
        let model = &self.model;
        let places = self.places.get_or_insert_with(|| {
            let mut places = BTreeMap::new();
            for (_, object) in model.objects() {
                if let Some(crate::model::Resource::Path { path, .. }) = object.resource() {
                    places.entry(path.clone()).or_insert(object.span);
                }
            }
            places
        });
        let above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        let mut above = above.map(|above| if above.is_empty() { "/" } else { above }).chain([path]);
        let inside = || {
            let below = format!("{}/", path.trim_end_matches('/'));
            let (first, span) = places.range(Arc::<str>::from(below.as_str())..).next()?;
            first.starts_with(&below).then_some((*span, "contains"))
        };
        above.find_map(|place| Some((*places.get(place)?, "lies in"))).or_else(inside)
    }

    /// Reports code of a module that is not below a `code` root, or is something that the system declares.
    fn code_only(&mut self, path: &PathUse) {
        let below = self.model.code.iter().any(|root| path_contains(&root.path, &path.path));
        if !below {
            let message = format!("`{}` is not below a `code` root", path.path);
            self.diagnostics
                .push(Diagnostic::new(Code::Ambient, message, path.span, "a module may run only code").help(
                "put it below a `code` root, or let the system file name its directory: `code \"/usr\" …`",
            ));
            return;
        }
        if let Some((declared, lies)) = self.declared_at(&path.path) {
            let message = format!("`{}` {lies} a resource of the system", path.path);
            self.diagnostics.push(
                Diagnostic::new(Code::Ambient, message, path.span, "a module may run only code")
                    .label(declared, "declared here")
                    .help("take the resource as a parameter and hold it with `exec`"),
            );
        }
    }

    /// Returns where a holder wants to see what it holds.
    fn placing(&self, more: &HoldsMore) -> Option<Box<Placing>> {
        let at = more.at.as_ref().map(|path| self.model.aliases.place(path));
        (at.is_some() || more.fd.is_some()).then(|| Box::new(Placing { at, fd: more.fd }))
    }

    /// Binds one `holds` of a subject; its names are kept where anything asks for them.
    pub fn holds(
        &mut self,
        object: ObjectId,
        scope: ScopeId,
        holds: &HoldsDeclaration,
        placements: &mut Vec<Placement>,
        own: Option<&mut OwnNames>,
    ) {
        let found = match self.holdable(object, scope, &holds.capability) {
            found @ Meaning::Capability { .. } => found,
            other => self.not_a_capability(scope, &holds.capability, other),
        };
        let name = holds.name();
        let Meaning::Capability { capability: whole, limit, limited_at } = found else {
            if let Some(own) = own {
                own.entry(name.text.clone()).or_insert(found);
            }
            return;
        };
        let kind = self.model.capability(whole).kind;
        let named = self.rights_of(&holds.rights, kind);
        let rights_span = span_of(&holds.rights).unwrap_or(holds.capability.span);
        let rights = self.within(named, limit, limited_at, kind, rights_span, &holds.capability);
        let Some(capability) = self.part_of(whole, holds.part(), None) else { return };
        // What a caller has at hand comes with the launch, and is no scope's to give.
        let giver = if kind == Kind::Caller { RECONFIGURE } else { self.scope_object(scope) };
        let from = Some(Premise { holder: giver, capability: whole });
        let template = self.derivation(Rule::Endowment, object, capability, rights, holds.span);
        self.model.derivations.push(Derivation {
            from,
            exact: true,
            when: holds.when,
            statement: Statement::Holds,
            capability_span: holds.capability.span,
            rights_span,
            receiver_span: holds.capability.span,
            ..template
        });
        placements.push(Placement {
            capability,
            rights,
            name: name.text.clone(),
            placing: holds.more.as_ref().and_then(|more| self.placing(more)),
            span: holds.span,
        });
        let Some(own) = own else { return };
        // A name that was attenuated stays so: what else its holder comes to have of the same thing has another name.
        let meaning = Meaning::Capability { capability, limit, limited_at };
        match own.entry(name.text.clone()) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(meaning);
            }
            std::collections::hash_map::Entry::Occupied(mut entry) => match entry.get_mut() {
                Meaning::Capability { capability: known, limit: wider, limited_at: at }
                    if *known == capability =>
                {
                    if !wider.contains(limit) {
                        *wider = wider.or(limit);
                        *at = limited_at.filter(|_| *wider != kind.all());
                    }
                }
                _ if holds.given_name().is_none() => {}
                _ => {
                    let message = format!("`{}` already has a meaning in this body", name.text);
                    self.diagnostics.push(
                        Diagnostic::new(Code::DuplicateName, message, name.span, "named again here")
                            .help("give it another name"),
                    );
                }
            },
        }
    }

    /// `config`: paths in a system file, taken files and directories in a module.
    fn config(
        &mut self,
        object: ObjectId,
        scope: ScopeId,
        declaration: &ServiceDeclaration,
        service: &mut Service,
    ) {
        for word in &declaration.config {
            if word.text.starts_with('/') || word.text.starts_with("./") {
                if self.is_module(scope) {
                    self.diagnostics.push(
                        Diagnostic::new(
                            Code::Ambient,
                            "a module names no path of the machine",
                            word.span,
                            "a path",
                        )
                        .help("take it (`takes conf file`) and write `config conf`"),
                    );
                    continue;
                }
                service.config.extend(self.beside(scope, word));
                continue;
            }
            let found = self.meaning(scope, &word.text);
            let Meaning::Capability { capability, limited_at, .. } = found else {
                self.not_a_capability(scope, word, found);
                continue;
            };
            self.passings.asked(limited_at, Kind::FS_READ);
            let whole = self.model.capability(capability).clone();
            let Some(path) = whole.path.filter(|_| matches!(whole.kind, Kind::Dir | Kind::File)) else {
                let message = format!("a `{}` is no configuration", whole.kind.word());
                self.diagnostics.push(
                    Diagnostic::new(Code::WrongKind, message, word.span, "only a `file` or a `dir` is")
                        .help("name a `file` or a `dir`"),
                );
                continue;
            };
            let from = Some(Premise { holder: self.scope_object(scope), capability });
            let template = self.derivation(Rule::Endowment, object, capability, Kind::FS_READ, word.span);
            self.model.derivations.push(Derivation {
                from,
                exact: true,
                statement: Statement::Holds,
                ..template
            });
            service.config.push(PathUse { path, span: word.span });
        }
    }

    /// Returns a path of the machine, checked; `./` is the directory of the scope's file.
    fn beside(&mut self, scope: ScopeId, word: &Word) -> Option<PathUse> {
        let problem = match word.text.strip_prefix("./") {
            Some(beside) => super::value::relative_problem(beside),
            None => super::value::path_problem(&word.text),
        };
        if let Some(problem) = problem {
            let message = format!("`{}`: {problem}", word.text);
            self.diagnostics.push(
                Diagnostic::new(Code::BadValue, message, word.span, problem)
                    .help("write an absolute path like \"/etc/nginx\""),
            );
            return None;
        }
        let file = self.files.get(scope.0).and_then(|file| self.loaded.sources.file(*file))?;
        let directory =
            file.path.parent().map(|parent| parent.to_string_lossy().into_owned()).unwrap_or_default();
        let path: Arc<str> = match word.text.strip_prefix("./") {
            Some(beside) => format!("{}/{beside}", directory.trim_end_matches('/')).into(),
            None => word.text.clone(),
        };
        Some(self.model.aliases.place(&PathUse { path, span: word.span }))
    }

    fn identity(
        &mut self,
        object: ObjectId,
        scope: ScopeId,
        declaration: &ServiceDeclaration,
        service: &mut Service,
    ) {
        let Some(word) = &declaration.identity else { return };
        let found = self.meaning(scope, &word.text);
        let Meaning::Capability { capability, limited_at, .. } = found else {
            let is_unknown = matches!(found, Meaning::Unknown);
            self.not_a_capability(scope, word, found);
            // Whoever writes an account's name here means it, unless it is nearly that of something declared.
            let is_nearly = |help: &str| help.starts_with("did you mean");
            let unknown = self.diagnostics.last_mut().filter(|_| is_unknown);
            if let Some(unknown) = unknown.filter(|unknown| !unknown.help.as_deref().is_some_and(is_nearly)) {
                unknown.help =
                    Some(format!("declare it beside the services: `identity {0} user=\"{0}\"`", word.text));
            }
            return;
        };
        self.passings.asked(limited_at, Kind::Identity.all());
        let kind = self.model.capability(capability).kind;
        if kind != Kind::Identity {
            let message = format!("`{}` is a `{}`, not an identity", word.text, kind.word());
            self.diagnostics.push(
                Diagnostic::new(Code::WrongKind, message, word.span, "an identity belongs here")
                    .help("declare one: `identity NAME user=\"…\"`"),
            );
            return;
        }
        let from = Some(Premise { holder: self.scope_object(scope), capability });
        let template = self.derivation(Rule::Endowment, object, capability, Kind::Identity.all(), word.span);
        self.model.derivations.push(Derivation {
            from,
            exact: true,
            statement: Statement::Holds,
            ..template
        });
        service.identity = Some((capability, word.span));
    }

    /// Returns what a name means in a body: the body's own first, then the scope's.
    pub fn own_or_scope(&mut self, scope: ScopeId, own: &OwnNames, word: &Word) -> Meaning {
        match own.get(&word.text) {
            Some(own) => *own,
            None => self.meaning(scope, &word.text),
        }
    }

    /// Returns the capability of a kind that a service holds under a name, or reports what is wrong with it.
    pub fn own_capability(
        &mut self,
        scope: ScopeId,
        own: &OwnNames,
        word: &Word,
        kind: Kind,
    ) -> Option<crate::model::CapId> {
        let found = self.own_or_scope(scope, own, word);
        let Meaning::Capability { capability, .. } = found else {
            self.not_a_capability(scope, word, found);
            return None;
        };
        let given = self.model.capability(capability).kind;
        if given != kind {
            let message = format!("`{}` is a `{}`, not a `{}`", word.text, given.word(), kind.word());
            self.diagnostics.push(
                Diagnostic::new(
                    Code::WrongKind,
                    message,
                    word.span,
                    format!("a `{}` belongs here", kind.word()),
                )
                .help(format!("name a `{}` that the service holds", kind.word())),
            );
            return None;
        }
        if !own.contains_key(&word.text) {
            let message = format!("the service does not hold `{}`", word.text);
            self.diagnostics.push(
                Diagnostic::new(Code::Unheld, message, word.span, "in scope, but not held")
                    .help(format!("write `holds {}` in its body", word.text)),
            );
            return None;
        }
        Some(capability)
    }
}

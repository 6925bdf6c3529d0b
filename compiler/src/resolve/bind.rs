//! Instances: every scope of the configuration as objects, facets and names. The ways between scopes come after, in `meaning`.

use super::declaration::{Declarations, Item, UseDeclaration};
use super::load::Loaded;
use super::meaning::MOST_NAMES_LOOKED_AT;
use super::names::{Attenuation, Binding, Meaning, Named, Parameter, ScopeId, ScopeNames};
use super::objects::Body;
use super::passings::Passings;
use super::tables::{ByName, Capabilities, Facets, Found};
use super::words::{Word, with_suggestion};
use crate::diag::{Code, Diagnostic};
use crate::model::{
    Aliases, CapId, Kind, Model, Never, OUTSIDE, Object, ObjectId, ObjectKind, PassedAs, PathUse,
    RECONFIGURE, Resource, Rights, Root, SYSTEM, Scope, path_contains,
};
use crate::source::{FileId, Span};
use capc_schemas::manifest::Integrity;
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The most objects that a configuration may come to; modules that use modules can multiply.
const MAX_OBJECTS: usize = 4_000_000;

/// Builds the model, scope by scope.
pub struct Binder<'a> {
    /// The files.
    pub loaded: &'a Loaded,
    /// The model so far.
    pub model: Model,
    /// Each scope's names.
    pub scopes: Vec<ScopeNames>,
    /// Each scope's file.
    pub files: Vec<FileId>,
    /// Each subject with its scope and declaration, by object.
    pub bodies: Vec<(ObjectId, ScopeId, Body<'a>)>,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// How many names suggestions have looked at.
    pub names_looked_at: usize,
    /// For each scope, what those of its names mean that lead on to others, as far as they have been followed.
    pub meanings: Vec<ByName<Meaning>>,
    /// What words were found to mean.
    pub found: Found,
    /// The paths of resources with the place that declares each, once they have been asked for.
    pub places: Option<BTreeMap<Arc<str>, Span>>,
    /// `tty`, `stdio` and `notify`, so far as they are spoken of.
    pub callers: ByName<CapId>,
    /// Capabilities spoken of so far.
    pub capabilities: Capabilities,
    /// What is passed on under names, and what is asked of it there.
    pub passings: Passings,
    /// Facets by their service and name.
    pub facets_by_name: Facets,
}

impl<'a> Binder<'a> {
    /// Returns a binder with the objects that every configuration has.
    pub fn new(loaded: &'a Loaded, main: &Declarations) -> Self {
        let header = main.name.span;
        let object = |name: &str, kind, scope| Object {
            name: name.into(),
            kind,
            scope,
            span: header,
            trusted: None,
            lets_control: None,
        };
        let default = |path: &str| PathUse { path: path.into(), span: header };
        let objects = vec![
            object("reconfigure", ObjectKind::Reconfigure, RECONFIGURE),
            object("outside", ObjectKind::Outside, OUTSIDE),
            object("/", ObjectKind::Scope(Box::new(Scope { parent: None, lends_trust: false })), SYSTEM),
        ];
        let code = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/gnu/store", "/nix/store"];
        let root = Root {
            config: default("/etc/capc"),
            store: default("/var/lib/capc"),
            key: default("/etc/capc/keys/root"),
            init: None,
        };
        Self {
            loaded,
            model: Model {
                name: main.name.text.clone(),
                file: main.kind,
                objects,
                facets: Vec::new(),
                capabilities: Vec::new(),
                aliases: Aliases::default(),
                derivations: Vec::new(),
                given: Vec::new(),
                nevers: Vec::<Never>::new(),
                onlys: Vec::new(),
                trusts: Vec::new(),
                waivers: Vec::new(),
                passings: Vec::new(),
                code: code.iter().map(|path| default(path)).collect(),
                integrity: Vec::new(),
                root,
            },
            scopes: Vec::new(),
            files: Vec::new(),
            bodies: Vec::new(),
            diagnostics: Vec::new(),
            names_looked_at: 0,
            meanings: Vec::new(),
            found: Found::default(),
            capabilities: Capabilities::default(),
            places: None,
            callers: ByName::default(),
            passings: Passings::default(),
            facets_by_name: Facets::default(),
        }
    }

    /// Returns the declarations of a file.
    pub fn declarations(&self, file: FileId) -> Option<&'a Declarations> {
        self.loaded.declarations.get(file.0 as usize)?.as_ref()
    }

    /// Makes every scope with its objects and names, the system's first, then depth first in source order.
    pub fn instantiate(&mut self, main: FileId) {
        self.machine_words(main);
        let system = ScopeNames {
            object: SYSTEM,
            prefix: String::new(),
            names: ByName::default(),
            gives: ByName::default(),
            user: None,
        };
        self.scopes.push(system);
        self.files.push(main);
        self.stray_homes(main);
        let mut pending = vec![ScopeId(0)];
        while let Some(scope) = pending.pop() {
            let mut instances = self.declare(scope);
            instances.reverse();
            pending.extend(instances);
            if self.model.objects.len() > MAX_OBJECTS {
                let span = self
                    .declarations(main)
                    .map_or(Span { file: main, start: 0, end: 0 }, |main| main.name.span);
                self.diagnostics.push(
                    Diagnostic::new(
                        Code::BadValue,
                        "the modules come to more than four million objects",
                        span,
                        "used from here",
                    )
                    .help("use fewer instances"),
                );
                return;
            }
        }
    }

    /// `alias`, `code` and `reconfigure`, which every path needs first.
    fn machine_words(&mut self, main: FileId) {
        let Some(declarations) = self.declarations(main) else { return };
        for item in &declarations.items {
            if let Item::Alias(from, to) = item {
                self.model.aliases.add(from.path.clone(), to.path.clone());
                if self.model.aliases.rewrite(&from.path).is_none() {
                    self.diagnostics.push(
                        Diagnostic::new(
                            Code::BadValue,
                            "these aliases lead round in a circle",
                            from.span,
                            "this one closes it",
                        )
                        .help("an alias leads from a symbolic link to the place that it points to"),
                    );
                }
            }
        }
        let mut code: Option<Vec<PathUse>> = None;
        for item in &declarations.items {
            match item {
                Item::Code(paths) => code.get_or_insert_default().extend(paths.iter().cloned()),
                Item::Root(root) => {
                    let target = &mut self.model.root;
                    target.init = root.init.or(target.init);
                    for (place, given) in [
                        (&mut target.config, &root.config),
                        (&mut target.store, &root.store),
                        (&mut target.key, &root.key),
                    ] {
                        if let Some(given) = given {
                            *place = given.clone();
                        }
                    }
                }
                _ => {}
            }
        }
        let code = code.unwrap_or_else(|| self.model.code.clone());
        self.model.code = code.iter().map(|path| self.model.aliases.place(path)).collect();
        for item in &declarations.items {
            if let Item::Integrity(level, paths) = item {
                paths.iter().for_each(|path| self.integrity(*level, path));
            }
        }
        let root = &mut self.model.root;
        for place in [&mut root.config, &mut root.store, &mut root.key] {
            *place = self.model.aliases.place(place);
        }
    }

    /// Says how code below a path is kept from changing.
    fn integrity(&mut self, level: Integrity, path: &PathUse) {
        let place = self.model.aliases.place(path);
        let is_code = self.model.code.iter().any(|root| path_contains(&root.path, &place.path));
        if !is_code {
            let message = format!("`{}` is not below a `code` root", path.path);
            self.diagnostics.push(
                Diagnostic::new(Code::BadValue, message, path.span, "only code has a level of integrity")
                    .help("put it below a `code` root, or name its directory as one: `code \"/usr\" …`"),
            );
        }
        let known = self.model.integrity.iter().find(|(known, _)| known.path == place.path);
        if let Some((known, _)) = known {
            let message = format!("the integrity of `{}` is said twice", path.path);
            self.diagnostics.push(
                Diagnostic::new(Code::DuplicateName, message, path.span, "said again here")
                    .label(known.span, "said here first")
                    .help("leave one of them out"),
            );
        }
        self.model.integrity.push((place, level));
    }

    /// Declares one scope's names and objects; returns the scopes of its `use` statements.
    fn declare(&mut self, scope: ScopeId) -> Vec<ScopeId> {
        let Some(file) = self.files.get(scope.0).copied() else { return Vec::new() };
        let Some(declarations) = self.declarations(file) else { return Vec::new() };
        let mut instances = Vec::new();
        let mut uses = 0;
        for item in &declarations.items {
            match item {
                Item::Resource(resource) => {
                    let object = self.resource(scope, &resource.name, &resource.resource, resource.span);
                    self.name(scope, &resource.name, Binding::Capability(object));
                }
                Item::Service(service) => self.process(scope, service),
                Item::User(user) => {
                    let object = self.user(scope, user);
                    instances.extend(object.and_then(|object| self.home(scope, user, object)));
                }
                Item::Powerbox(powerbox) => self.powerbox(scope, powerbox),
                Item::Facet(facet) => {
                    let attenuation = Attenuation {
                        of: facet.of.clone(),
                        rights: facet.rights.clone(),
                        part: facet.part.clone(),
                        span: facet.span,
                    };
                    self.name(scope, &facet.name, Binding::Facet(Box::new(attenuation)));
                }
                Item::Use(used) => {
                    let file = self
                        .loaded
                        .uses
                        .get(file.0 as usize)
                        .and_then(|uses_of| uses_of.get(uses))
                        .copied()
                        .flatten();
                    uses += 1;
                    match file.and_then(|file| Some((file, self.declarations(file)?))) {
                        Some((file, module)) => instances.push(self.instance(scope, used, file, module)),
                        None => self.name(scope, &used.name, Binding::Broken),
                    }
                }
                Item::Gives(given) => {
                    for (name, inner) in given {
                        if let Some(names) = self.scopes.get_mut(scope.0)
                            && names.gives.insert(name.text.clone(), inner.clone()).is_some()
                        {
                            let message = format!("`{}` is given twice", name.text);
                            self.diagnostics.push(
                                Diagnostic::new(Code::DuplicateName, message, name.span, "given again here")
                                    .help("give it another name"),
                            );
                        }
                    }
                }
                Item::Broken(name) => self.name(scope, name, Binding::Broken),
                Item::Code(_)
                | Item::Integrity(..)
                | Item::Alias(..)
                | Item::Root(_)
                | Item::Takes(_)
                | Item::Never(_)
                | Item::Only(_)
                | Item::Trust(_)
                | Item::Allow(_) => {}
            }
        }
        if declarations.kind == crate::model::FileKind::Home {
            self.shadowed(scope);
        }
        instances
    }

    /// Declares a name, or reports that it is declared already.
    pub fn name(&mut self, scope: ScopeId, name: &Word, binding: Binding) {
        let Some(names) = self.scopes.get_mut(scope.0) else { return };
        if let Some(first) = names.names.get(&name.text) {
            let first = first.span;
            let message = format!("`{}` is declared twice", name.text);
            self.diagnostics.push(
                Diagnostic::new(Code::DuplicateName, message, name.span, "declared again here")
                    .label(first, "first declared here")
                    .help("give one of them another name"),
            );
            return;
        }
        names.names.insert(name.text.clone(), Named { span: name.span, binding });
    }

    /// Gives a module that is read by itself something for each of its parameters: places that nothing else speaks of.
    pub fn open_parameters(&mut self, main: FileId) {
        let Some(declarations) = self.declarations(main) else { return };
        for item in &declarations.items {
            let Item::Takes(takes) = item else { continue };
            let kind = takes.kind.0;
            let rights = self.rights_of(&takes.rights, kind);
            let nowhere: Arc<str> = format!("/{} (a parameter)", takes.name.text).into();
            let resource = match kind {
                Kind::Dir | Kind::File | Kind::State | Kind::Device | Kind::Secret | Kind::Socket => {
                    Resource::Path { kind, path: nowhere }
                }
                Kind::Listen => Resource::Listen(crate::model::Address::Unix(nowhere)),
                Kind::Identity => Resource::Identity { user: None, group: None },
                Kind::Network => Resource::Network,
                Kind::Privilege => Resource::Privilege(nowhere),
                Kind::Connect => Resource::Connect(crate::model::Address::Unix(nowhere)),
                Kind::Caller | Kind::Facet | Kind::Mount | Kind::Control | Kind::Launch | Kind::Ask => {
                    self.name(ScopeId(0), &takes.name, Binding::Absent);
                    continue;
                }
            };
            let capability = self.resource(ScopeId(0), &takes.name, &resource, takes.span);
            self.passings.made(takes.span, PassedAs::Parameter, &takes.name.text, kind, rights);
            self.name(ScopeId(0), &takes.name, Binding::Open { capability, rights, takes: takes.span });
        }
    }

    /// Makes the scope of a file that is used under a name.
    pub fn enter(&mut self, user: ScopeId, name: &Word, lends_trust: bool, file: FileId) -> ScopeId {
        let parent = self.scope_object(user);
        let kind = ObjectKind::Scope(Box::new(Scope { parent: Some(parent), lends_trust }));
        let object = self.add_object(user, &format!("{}/", name.text), kind, name.span);
        let prefix = self.model.object(object).name.to_string();
        let scope = ScopeId(self.scopes.len());
        self.scopes.push(ScopeNames {
            object,
            prefix,
            names: ByName::default(),
            gives: ByName::default(),
            user: Some(user),
        });
        self.files.push(file);
        scope
    }

    /// Makes the scope of one `use` and declares its parameters.
    fn instance(
        &mut self,
        user: ScopeId,
        used: &UseDeclaration,
        file: FileId,
        module: &Declarations,
    ) -> ScopeId {
        let scope = self.enter(user, &used.name, used.lends_trust, file);
        self.name(user, &used.name, Binding::Instance(scope));
        let arguments: HashMap<&str, &Word, RandomState> =
            used.arguments.iter().map(|(name, argument)| (&*name.text, argument)).collect();
        let mut parameters: Vec<&str> = Vec::new();
        for item in &module.items {
            let takes = match item {
                Item::Takes(takes) => takes,
                Item::Broken(name) => {
                    parameters.push(&name.text);
                    continue;
                }
                _ => continue,
            };
            parameters.push(&takes.name.text);
            let argument = arguments.get(&*takes.name.text).copied();
            let rights = self.rights_of(&takes.rights, takes.kind.0);
            let binding = match argument {
                Some(argument) => Binding::Parameter(Box::new(Parameter {
                    user,
                    argument: argument.clone(),
                    kind: takes.kind.0,
                    rights,
                    takes: takes.span,
                    used: used.span,
                })),
                None if takes.optional => Binding::Absent,
                None => {
                    let message = format!("`{}` needs an argument for `{}`", used.file.text, takes.name.text);
                    self.diagnostics.push(
                        Diagnostic::new(Code::MissingWord, message, used.span, "used here")
                            .label(takes.span, "taken here")
                            .help(format!(
                                "write `{}=NAME` with a {} that this file has",
                                takes.name.text,
                                takes.kind.0.word()
                            )),
                    );
                    Binding::Broken
                }
            };
            self.name(scope, &takes.name, binding);
        }
        let known: HashSet<&str, RandomState> = parameters.iter().copied().collect();
        for (name, _) in &used.arguments {
            if !known.contains(&*name.text) {
                let message = format!("`{}` takes no `{}`", used.file.text, name.text);
                let unknown = Diagnostic::new(Code::UnknownWord, message, name.span, "not a parameter")
                    .label(module.name.span, "of this module");
                self.names_looked_at += parameters.len();
                self.diagnostics.push(match self.names_looked_at <= MOST_NAMES_LOOKED_AT {
                    true => with_suggestion(unknown, &name.text, parameters.iter().copied()),
                    false => unknown,
                });
            }
        }
        scope
    }

    /// Returns the rights that words name, or the kind's least when none does; reports those that are none.
    pub fn rights_of(&mut self, words: &[Word], kind: Kind) -> Rights {
        if words.is_empty() {
            return kind.least();
        }
        let mut rights = Rights::NONE;
        for word in words {
            match kind.right(&word.text) {
                Some(right) => rights = rights.or(right),
                None => self.diagnostics.push(super::service::unknown_right(word, kind)),
            }
        }
        rights
    }
}

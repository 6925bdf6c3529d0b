//! What facets are talked to by, and what they expose: names of a body become ids.

use super::bind::Binder;
use super::declaration::{ServiceDeclaration, TransportDeclaration};
use super::names::{Meaning, ScopeId};
use super::statements::OwnNames;
use super::words::Word;
use crate::diag::{Code, Diagnostic};
use crate::model::{Exposure, Kind, ObjectId, PathUse, Rights, Transport};

impl Binder<'_> {
    /// Binds what the transports and exposures of facets name.
    pub fn transports(
        &mut self,
        scope: ScopeId,
        object: ObjectId,
        declaration: &ServiceDeclaration,
        own: &OwnNames,
    ) {
        let in_module = self.is_module(scope);
        for provided in &declaration.provides {
            let Some(facet) = self.facet_of(object, &provided.name.text) else { continue };
            if self.model.facet(facet).span != provided.name.span {
                continue;
            }
            let transport = match &provided.transport {
                TransportDeclaration::Listen(word) => {
                    self.own_capability(scope, own, word, Kind::Listen).map(Transport::Listen)
                }
                TransportDeclaration::Mount(word) if word.text.starts_with('/') => {
                    self.mount_path(in_module, word).map(Transport::Mount)
                }
                TransportDeclaration::Mount(word) => {
                    let capability = self.own_capability(scope, own, word, Kind::Dir);
                    let path =
                        capability.and_then(|capability| self.model.capability(capability).path.clone());
                    path.map(|path| Transport::Mount(PathUse { path, span: word.span }))
                }
                TransportDeclaration::Tcp(_, span) => {
                    if in_module {
                        self.diagnostics.push(
                            Diagnostic::new(
                                Code::Ambient,
                                "a module names no port of the machine",
                                *span,
                                "a port",
                            )
                            .help("take a `listen` and write `listen=NAME`"),
                        );
                    }
                    None
                }
                TransportDeclaration::Socket(_)
                | TransportDeclaration::Channel
                | TransportDeclaration::Done => None,
            };
            let mut exposes = Vec::new();
            for (word, rights, span) in &provided.exposes {
                let found = self.own_or_scope(scope, own, word);
                let Meaning::Capability { capability, limit, limited_at } = found else {
                    self.not_a_capability(scope, word, found);
                    continue;
                };
                self.passings.asked(limited_at, Rights::NONE);
                let kind = self.model.capability(capability).kind;
                if matches!(kind, Kind::Control | Kind::Identity | Kind::Privilege) {
                    let message = format!("a `{}` cannot be exposed", kind.word());
                    self.diagnostics.push(
                        Diagnostic::new(Code::WrongKind, message, word.span, "not through a facet")
                            .help("leave it out"),
                    );
                    continue;
                }
                // To expose more than is held is no mistake: what both have in common counts.
                let named = match (rights.is_empty(), limited_at) {
                    (true, None) => None,
                    (true, Some(_)) => Some(limit),
                    (false, None) => Some(self.rights_of(rights, kind)),
                    (false, Some(_)) => {
                        let named = self.rights_of(rights, kind).and(limit);
                        self.passings.asked(limited_at, named);
                        Some(named)
                    }
                };
                exposes.push(Exposure { capability, rights: named, span: *span });
            }
            if let Some(made) = self.model.facets.get_mut(facet.index()) {
                made.exposes = exposes;
                if let Some(transport) = transport {
                    made.transport = transport;
                }
            }
        }
    }

    fn mount_path(&mut self, in_module: bool, word: &Word) -> Option<PathUse> {
        if in_module {
            self.diagnostics.push(
                Diagnostic::new(Code::Ambient, "a module names no path of the machine", word.span, "a path")
                    .help("take a `dir` and write `mount=NAME`"),
            );
            return None;
        }
        if let Some(problem) = super::value::path_problem(&word.text) {
            let message = format!("`{}`: {problem}", word.text);
            self.diagnostics.push(
                Diagnostic::new(Code::BadValue, message, word.span, problem)
                    .help("write an absolute path like \"/mnt/disk\""),
            );
            return None;
        }
        Some(self.model.aliases.place(&PathUse { path: word.text.clone(), span: word.span }))
    }
}

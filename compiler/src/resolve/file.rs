//! Tree to declarations: the header and the statements of a file.

use super::claim;
use super::declaration::{
    Declarations, FacetDeclaration, Item, ParameterKind, ProcessKind, RootDeclaration, TakesDeclaration,
    UseDeclaration,
};
use super::resource::{self, RESOURCES};
use super::value::name_problem;
use super::words::{Body, Properties, Reader, Word, with_suggestion};
use crate::diag::{Code, Diagnostic};
use crate::model::{FileKind, Init, Kind};
use crate::source::Span;
use crate::syntax::tree::{NodeId, Value};
use capc_schemas::manifest::Integrity;

/// Statements beside the resources that only a system file may have.
const OF_SYSTEMS: [&str; 7] = ["code", "integrity", "alias", "reconfigure", "user", "trust", "allow"];
/// Statements that every file may have.
const OF_ALL: [&str; 7] = ["service", "program", "powerbox", "facet", "use", "never", "only"];

/// Reads a whole file. `directory` is where `./` begins. Returns `None` when there is no usable header.
pub fn read(reader: &mut Reader<'_>, directory: &str) -> Option<Declarations> {
    let tree = reader.tree;
    let mut roots = tree.roots();
    let Some(header) = roots.next() else {
        let span = Span { file: reader.file, start: 0, end: 0 };
        reader.missing(span, "the header of the file", "system web-1");
        return None;
    };
    let kind = match tree.name(header) {
        "system" => FileKind::System,
        "module" => FileKind::Module,
        "home" => FileKind::Home,
        other => {
            let span = reader.name_span(header);
            let message =
                "the first statement says what the file is: `system NAME`, `module NAME` or `home NAME`";
            let missing = Diagnostic::new(Code::MissingWord, message, span, "something else stands here");
            let other = other.to_owned();
            reader.report(match crate::diag::nearest(&other, ["system", "module", "home"]) {
                Some(meant) => missing.help(format!("did you mean `{meant}`?")),
                None => missing.help("write `system NAME` above it"),
            });
            return None;
        }
    };
    let mut words = reader.words(header, Properties::Only(&[]), Body::None);
    let name = reader.required(&mut words, "a name", "system web-1").and_then(|name| reader.name(name));
    let whole = words.whole;
    reader.end(words);
    let roots: Vec<NodeId> = roots.collect();
    let items = statements(reader, &roots, directory, kind);
    Some(Declarations { kind, name: name.unwrap_or(Word { text: "unnamed".into(), span: whole }), items })
}

/// From so many statements on, a file is read in two halves, side by side.
const MANY: usize = 2000;

/// Reads statements, which know nothing of each other.
fn statements(reader: &mut Reader<'_>, nodes: &[NodeId], directory: &str, kind: FileKind) -> Vec<Item> {
    let each = |reader: &mut Reader<'_>, nodes: &[NodeId]| -> Vec<Item> {
        nodes.iter().filter_map(|node| statement(reader, *node, directory, kind)).collect()
    };
    if nodes.len() < MANY {
        return each(reader, nodes);
    }
    let (first, second) = nodes.split_at(nodes.len() / 2);
    let mut other = Reader::new(reader.tree, reader.file);
    let (mut items, more) = std::thread::scope(|scope| {
        let more = scope.spawn(|| each(&mut other, second));
        (each(reader, first), more.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    reader.diagnostics.append(&mut other.diagnostics);
    items.extend(more);
    items
}

fn statement(reader: &mut Reader<'_>, node: NodeId, directory: &str, kind: FileKind) -> Option<Item> {
    let word = reader.tree.name(node);
    let declares = RESOURCES.contains(&word)
        || matches!(word, "service" | "program" | "user" | "powerbox" | "facet" | "use" | "takes");
    let item = typed(reader, node, directory, kind);
    // What is wrong with it has been reported; its name is a name all the same, so that its uses are not reported too.
    item.or_else(|| declares.then(|| broken(reader, node)).flatten())
}

/// Returns the name that a statement would have declared.
fn broken(reader: &Reader<'_>, node: NodeId) -> Option<Item> {
    let name = match reader.tree.name(node) {
        "use" => reader.tree.entries(node).find(|entry| entry.key.is_some_and(|key| key.text == "as")),
        _ => reader.tree.entries(node).find(|entry| entry.key.is_none()),
    }?;
    match name.value {
        Value::String { text, .. } => {
            Some(Item::Broken(Word { text: text.into(), span: reader.span(name.value_range) }))
        }
        Value::Number(_) | Value::Bool(_) | Value::Null => None,
    }
}

fn typed(reader: &mut Reader<'_>, node: NodeId, directory: &str, kind: FileKind) -> Option<Item> {
    let word = reader.tree.name(node);
    let is_system = kind == FileKind::System;
    match word {
        resource if RESOURCES.contains(&resource) => match is_system {
            true => resource::read(reader, node, directory),
            false => ambient(reader, node, kind, "declares a resource"),
        },
        "code" | "integrity" | "alias" | "reconfigure" if !is_system => {
            ambient(reader, node, kind, "speaks of the machine")
        }
        "user" if !is_system => ambient(reader, node, kind, "declares a user"),
        "trust" if !is_system => ambient(reader, node, kind, "trusts somebody with the trust root"),
        "allow" if !is_system => ambient(reader, node, kind, "waives a lint"),
        "takes" | "gives" if is_system => {
            let help = "declare the resource itself, for example `dir NAME \"/PATH\"`";
            not_in(reader, node, kind, "only a module or a home takes, and only a module gives", help)
        }
        "gives" if kind == FileKind::Home => {
            not_in(reader, node, kind, "nobody uses a home", "let the user hold it, or leave this out")
        }
        "code" => {
            let mut words = reader.words(node, Properties::Only(&[]), Body::None);
            let first = reader.required(&mut words, "a path", "code \"/usr\" \"/opt\"")?;
            let rest = reader.rest(&mut words, "a path");
            let paths = std::iter::once(first).chain(rest);
            Some(Item::Code(paths.filter_map(|path| reader.host_path(path, directory)).collect()))
        }
        "integrity" => {
            let example = "integrity memfd \"/opt/app\"";
            let mut words = reader.words(node, Properties::Only(&[]), Body::None);
            let level = reader.required(&mut words, "`store`, `pinned` or `memfd`", example)?;
            let first = reader.required(&mut words, "a path", example);
            let rest = reader.rest(&mut words, "a path");
            let levels: Vec<_> = Integrity::ALL.iter().map(|level| (level.word(), *level)).collect();
            let level = reader.choice(&level, &levels);
            let paths: Vec<_> =
                first.into_iter().chain(rest).filter_map(|path| reader.host_path(path, directory)).collect();
            Some(Item::Integrity(level?, paths))
        }
        "alias" => {
            let mut words = reader.words(node, Properties::Only(&[]), Body::None);
            let from = reader.required(&mut words, "a path", "alias \"/srv/www\" \"/data/www\"");
            let to = reader.required(&mut words, "a second path", "alias \"/srv/www\" \"/data/www\"");
            reader.end(words);
            let from = reader.host_path(from?, directory);
            let to = reader.host_path(to?, directory);
            Some(Item::Alias(from?, to?))
        }
        "reconfigure" => Some(Item::Root(root(reader, node, directory))),
        "service" => {
            let service = super::service::read(reader, node, directory, ProcessKind::Service);
            service.map(|service| Item::Service(Box::new(service)))
        }
        "program" => {
            let program = super::service::read(reader, node, directory, ProcessKind::Program);
            program.map(|program| Item::Service(Box::new(program)))
        }
        "user" => super::person::user(reader, node),
        "powerbox" => super::person::powerbox(reader, node),
        "facet" => facet(reader, node),
        "use" => instance(reader, node),
        "takes" => takes(reader, node, kind),
        "gives" => gives(reader, node),
        "never" => claim::never(reader, node),
        "only" => claim::only(reader, node),
        "trust" => claim::trust(reader, node),
        "allow" => claim::allow(reader, node),
        "system" | "module" | "home" => {
            let span = reader.name_span(node);
            reader.report(
                Diagnostic::new(Code::UnknownWord, "a file has one header", span, "a second one")
                    .help("put this into a file of its own and `use` it"),
            );
            None
        }
        unknown => {
            let span = reader.name_span(node);
            let known = match kind {
                FileKind::System => [&RESOURCES[..], &OF_SYSTEMS, &OF_ALL].concat(),
                FileKind::Module => [&OF_ALL[..], &["takes", "gives"]].concat(),
                FileKind::Home => [&OF_ALL[..], &["takes"]].concat(),
            };
            reader.report(unknown_statement(unknown, span, &known));
            None
        }
    }
}

/// Returns the diagnostic for a word that is no statement here.
pub fn unknown_statement(word: &str, span: Span, known: &[&str]) -> Diagnostic {
    let shown: String = word.chars().take(60).collect();
    let unknown = Diagnostic::new(
        Code::UnknownWord,
        format!("`{shown}` is no statement of the language"),
        span,
        "not known here",
    );
    match super::elsewhere::instead_of(word, known) {
        Some(instead) => unknown.help(instead),
        None => with_suggestion(unknown, word, known.iter().copied()),
    }
}

fn not_in(reader: &mut Reader<'_>, node: NodeId, kind: FileKind, label: &str, help: &str) -> Option<Item> {
    let span = reader.name_span(node);
    let message = format!("a {} file has no `{}`", kind.word(), reader.tree.name(node));
    reader.report(Diagnostic::new(Code::UnknownWord, message, span, label).help(help));
    None
}

fn ambient(reader: &mut Reader<'_>, node: NodeId, kind: FileKind, does: &str) -> Option<Item> {
    let span = reader.name_span(node);
    let file = kind.word();
    let message = format!("a {file} has no authority of its own, but this one {does}");
    let wrong = Diagnostic::new(Code::Ambient, message, span, "only a system file may say this");
    reader.report(match (RESOURCES.contains(&reader.tree.name(node)), kind) {
        (true, FileKind::Home) => {
            wrong.help("let the system's `user` hold it, and take it: `takes NAME KIND`")
        }
        (true, _) => wrong.help("take it from the file that uses the module: `takes NAME KIND`"),
        (false, _) => wrong.help("say this in the system file"),
    });
    None
}

fn root(reader: &mut Reader<'_>, node: NodeId, directory: &str) -> RootDeclaration {
    let words = reader.words(node, Properties::Only(&[]), Body::Allowed);
    reader.end(words);
    let mut root = RootDeclaration::default();
    let tree = reader.tree;
    for child in tree.children(node) {
        let word = tree.name(child).to_owned();
        let mut words = reader.words(child, Properties::Only(&[]), Body::None);
        let place = match word.as_str() {
            "config" => &mut root.config,
            "store" => &mut root.store,
            "key" => &mut root.key,
            "init" => {
                if let Some(init) = reader.required(&mut words, "an init", "init \"capc\"") {
                    let known =
                        [("systemd", Init::Systemd), ("shepherd", Init::Shepherd), ("capc", Init::Capc)];
                    root.init = reader.choice(&init, &known);
                }
                reader.end(words);
                continue;
            }
            _ => {
                reader.report(unknown_statement(&word, words.node, &["config", "store", "key", "init"]));
                continue;
            }
        };
        let path = reader.required(&mut words, "a path", "store \"/var/lib/capc\"");
        *place = path.and_then(|path| reader.host_path(path, directory));
        reader.end(words);
    }
    root
}

fn facet(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let example = "facet logo of=site read path=\"img/logo.png\"";
    let mut words = reader.words(node, Properties::Only(&["of", "path"]), Body::None);
    let name = reader.required(&mut words, "a name", example).and_then(|name| reader.name(name));
    let of = reader.property(&mut words, "of", "a capability's name");
    if of.is_none() {
        reader.missing(words.node, "what it is a facet of (`of=`)", example);
    }
    let part = reader.property(&mut words, "path", "a relative path").and_then(|part| reader.part(part));
    let rights = reader.rest(&mut words, "a right");
    Some(Item::Facet(FacetDeclaration { name: name?, of: of?, rights, part, span: words.whole }))
}

fn instance(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let example = "use \"modules/web.kdl\" as=shop http=https";
    let mut words = reader.words(node, Properties::Any, Body::None);
    let file = reader.required(&mut words, "a file", example);
    let name = reader.property(&mut words, "as", "a name");
    if name.is_none() {
        reader.missing(words.node, "the instance's name (`as=`)", example);
    }
    let name = name.and_then(|name| reader.name(name));
    let lends_trust = reader.flag(&mut words, "trust");
    let mut arguments = Vec::new();
    for argument in words.take_all() {
        if let Some(value) = reader.text(argument.value, argument.span, "a capability's name") {
            arguments.push((argument.key, value));
        }
    }
    let span = words.whole;
    reader.end(words);
    Some(Item::Use(UseDeclaration { file: file?, name: name?, lends_trust, arguments, span }))
}

fn takes(reader: &mut Reader<'_>, node: NodeId, file: FileKind) -> Option<Item> {
    const KINDS: [(&str, Kind); 16] = [
        ("dir", Kind::Dir),
        ("file", Kind::File),
        ("state", Kind::State),
        ("secret", Kind::Secret),
        ("listen", Kind::Listen),
        ("connect", Kind::Connect),
        ("socket", Kind::Socket),
        ("identity", Kind::Identity),
        ("facet", Kind::Facet),
        ("mount", Kind::Mount),
        ("control", Kind::Control),
        ("device", Kind::Device),
        ("network", Kind::Network),
        ("privilege", Kind::Privilege),
        ("launch", Kind::Launch),
        ("ask", Kind::Ask),
    ];
    let example = "takes root dir read";
    let mut words = reader.words(node, Properties::Only(&["optional"]), Body::None);
    let name = reader.required(&mut words, "a name", example);
    let name = name.and_then(|name| match file {
        FileKind::Home => reader.held_name(name),
        FileKind::System | FileKind::Module => reader.name(name),
    });
    if let Some(name) = &name
        && file == FileKind::Module
        && ["as", "trust"].contains(&&*name.text)
    {
        reader.bad(name, "`use` has a word of its own of this name", "choose another name for the parameter");
    }
    let kind = reader.required(&mut words, "a kind", example).and_then(|kind| reader.choice(&kind, &KINDS));
    let optional = reader.flag(&mut words, "optional");
    let rights = reader.rest(&mut words, "a right");
    Some(Item::Takes(TakesDeclaration {
        name: name?,
        kind: ParameterKind(kind?),
        rights,
        optional,
        span: words.whole,
    }))
}

fn gives(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let mut words = reader.words(node, Properties::Any, Body::None);
    let mut given = Vec::new();
    for gift in words.take_all() {
        if let Some(problem) = name_problem(&gift.key.text) {
            reader.bad(&gift.key, problem, "write a lower-case word like `status`");
            continue;
        }
        if let Some(value) = reader.text(gift.value, gift.span, "a capability's name") {
            given.push((gift.key, value));
        }
    }
    if given.is_empty() {
        reader.missing(words.node, "what the module gives", "gives status=nginx.status");
    }
    reader.end(words);
    Some(Item::Gives(given))
}

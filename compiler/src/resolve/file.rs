//! Tree to declarations: the header and the statements of a file.

use super::declaration::{
    Declarations, FacetDeclaration, FileKind, Item, NeverDeclaration, ParameterKind, ResourceDeclaration,
    RootDeclaration, TakesDeclaration, UseDeclaration,
};
use super::value::{HostNames, name_problem};
use super::words::{Body, Properties, Reader, Word, with_suggestion};
use crate::diag::{Code, Diagnostic};
use crate::model::{Address, Kind, Level, Protocol, Resource};
use crate::source::Span;
use crate::syntax::tree::NodeId;

/// Statements that a file may have.
const STATEMENTS: [&str; 20] = [
    "dir",
    "file",
    "state",
    "secret",
    "listen",
    "connect",
    "socket",
    "identity",
    "code",
    "alias",
    "reconfigure",
    "service",
    "facet",
    "use",
    "takes",
    "gives",
    "never",
    "system",
    "module",
    "home",
];

/// Words of the language that this version does not have yet.
pub const LATER: [&str; 9] =
    ["device", "network", "privilege", "program", "user", "powerbox", "only", "trust", "allow"];

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
        "home" => {
            let span = reader.name_span(header);
            reader.report(
                Diagnostic::new(
                    Code::UnknownWord,
                    "`home` files are not understood by this version",
                    span,
                    "not yet",
                )
                .help("write a `system` or a `module` file"),
            );
            return None;
        }
        other => {
            let span = reader.name_span(header);
            let message = "the first statement says what the file is: `system NAME` or `module NAME`";
            let missing = Diagnostic::new(Code::MissingWord, message, span, "something else stands here");
            let other = other.to_owned();
            reader.report(match crate::diag::nearest(&other, ["system", "module"]) {
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
    let mut items = Vec::new();
    for node in roots {
        items.extend(statement(reader, node, directory, kind));
    }
    Some(Declarations { kind, name: name.unwrap_or(Word { text: "unnamed".into(), span: whole }), items })
}

fn statement(reader: &mut Reader<'_>, node: NodeId, directory: &str, kind: FileKind) -> Option<Item> {
    let word = reader.tree.name(node);
    match word {
        "dir" | "file" | "state" | "secret" | "socket" | "listen" | "connect" | "identity" => {
            if kind == FileKind::Module {
                ambient(
                    reader,
                    node,
                    "declares a resource",
                    "take it from the file that uses the module: `takes NAME KIND`",
                );
                let mut words = reader.words(node, Properties::Any, Body::None);
                let name = reader.required(&mut words, "a name", "takes site dir read");
                return name.map(Item::Broken);
            }
            match word {
                "listen" => resource_at_address(reader, node, Resource::Listen, HostNames::Refused),
                "connect" => resource_at_address(reader, node, Resource::Connect, HostNames::Allowed),
                "identity" => identity(reader, node),
                _ => resource_at_path(reader, node, directory),
            }
        }
        "code" | "alias" | "reconfigure" if kind == FileKind::Module => {
            ambient(reader, node, "speaks of the machine", "say this in the system file")
        }
        "code" => {
            let mut words = reader.words(node, Properties::Only(&[]), Body::None);
            let first = reader.required(&mut words, "a path", "code \"/usr\" \"/opt\"")?;
            let rest = reader.rest(&mut words, "a path");
            let paths = std::iter::once(first).chain(rest);
            Some(Item::Code(paths.filter_map(|path| reader.host_path(path, directory)).collect()))
        }
        "alias" => {
            let mut words = reader.words(node, Properties::Only(&[]), Body::None);
            let from = reader.required(&mut words, "a path", "alias \"/srv/www\" \"/data/www\"");
            let to = reader.required(&mut words, "a second path", "alias \"/srv/www\" \"/data/www\"");
            reader.end(words);
            let from = reader.world_path(from?);
            let to = reader.world_path(to?);
            Some(Item::Alias(from?, to?))
        }
        "reconfigure" => Some(Item::Root(root(reader, node, directory))),
        "service" => {
            super::service::read(reader, node, directory).map(|service| Item::Service(Box::new(service)))
        }
        "facet" => facet(reader, node),
        "use" => instance(reader, node),
        "takes" | "gives" if kind == FileKind::System => {
            let span = reader.name_span(node);
            let message = format!("a system file has no `{word}`");
            reader.report(
                Diagnostic::new(Code::UnknownWord, message, span, "only a module takes and gives")
                    .help("declare the resource itself, for example `dir NAME \"/PATH\"`"),
            );
            None
        }
        "takes" => takes(reader, node),
        "gives" => gives(reader, node),
        "never" => never(reader, node),
        "system" | "module" | "home" => {
            let span = reader.name_span(node);
            reader.report(
                Diagnostic::new(Code::UnknownWord, "a file has one header", span, "a second one")
                    .help("put this into a file of its own and `use` it"),
            );
            None
        }
        unknown => {
            let unknown = unknown.to_owned();
            let span = reader.name_span(node);
            reader.report(unknown_statement(&unknown, span, &STATEMENTS));
            None
        }
    }
}

/// Returns the diagnostic for a word that is no statement here.
pub fn unknown_statement(word: &str, span: Span, known: &[&str]) -> Diagnostic {
    let shown: String = word.chars().take(60).collect();
    if LATER.contains(&word) {
        let message = format!("`{shown}` is not understood by this version");
        return Diagnostic::new(Code::UnknownWord, message, span, "not yet").help("leave it out for now");
    }
    let unknown = Diagnostic::new(
        Code::UnknownWord,
        format!("`{shown}` is no statement of the language"),
        span,
        "not known here",
    );
    with_suggestion(unknown, word, known.iter().copied())
}

fn ambient(reader: &mut Reader<'_>, node: NodeId, does: &str, help: &str) -> Option<Item> {
    let span = reader.name_span(node);
    let message = format!("a module has no authority of its own, but this one {does}");
    reader
        .report(Diagnostic::new(Code::Ambient, message, span, "only a system file may say this").help(help));
    None
}

fn resource_at_path(reader: &mut Reader<'_>, node: NodeId, directory: &str) -> Option<Item> {
    let kind = match reader.tree.name(node) {
        "dir" => Kind::Dir,
        "file" => Kind::File,
        "state" => Kind::State,
        "secret" => Kind::Secret,
        _ => Kind::Socket,
    };
    let example = format!("{} site \"/srv/site\"", kind.word());
    let mut words = reader.words(node, Properties::Only(&[]), Body::None);
    let name = reader.required(&mut words, "a name", &example).and_then(|name| reader.name(name));
    let has_path = words.has_more();
    let path = reader.required(&mut words, "a path", &example).filter(|_| has_path);
    let path = path.and_then(|path| reader.host_path(path, directory));
    let span = words.whole;
    reader.end(words);
    // A resource whose path is wrong is still a name, so that its uses are not reported too.
    let path = path.map_or_else(|| "/nonexistent".into(), |path| path.path);
    Some(Item::Resource(ResourceDeclaration { name: name?, resource: Resource::Path { kind, path }, span }))
}

fn resource_at_address(
    reader: &mut Reader<'_>,
    node: NodeId,
    make: fn(Address) -> Resource,
    names: HostNames,
) -> Option<Item> {
    let word = reader.tree.name(node).to_owned();
    let example = match names {
        HostNames::Refused => "listen http tcp=\"127.0.0.1:8080\"",
        HostNames::Allowed => "connect api tcp=\"api.example.org:443\"",
    };
    let known: &[&str] = if word == "listen" { &["tcp", "udp", "unix"] } else { &["tcp", "udp"] };
    let mut words = reader.words(node, Properties::Only(known), Body::None);
    let name = reader.required(&mut words, "a name", example).and_then(|name| reader.name(name));
    let mut found: Vec<(Option<Address>, Span)> = Vec::new();
    for (key, protocol) in [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)] {
        if let Some(text) = reader.property(&mut words, key, "an address") {
            found.push((reader.address(&text, protocol, names), text.span));
        }
    }
    if let Some(text) = reader.property(&mut words, "unix", "a path") {
        let span = text.span;
        found.push((reader.world_path(text).map(|path| Address::Unix(path.path)), span));
    }
    if found.is_empty() {
        reader.missing(words.node, "an address", example);
    }
    if let [_, (_, second), ..] = found.as_slice() {
        let second = *second;
        let message = format!("`{word}` has one address");
        reader.report(
            Diagnostic::new(Code::BadValue, message, second, "a second one")
                .help("declare it under another name"),
        );
    }
    let span = words.whole;
    reader.end(words);
    let nowhere = || Address::Ip { protocol: Protocol::Udp, host: "127.0.0.1".into(), port: 0 };
    let address = found.into_iter().next().and_then(|(address, _)| address).unwrap_or_else(nowhere);
    Some(Item::Resource(ResourceDeclaration { name: name?, resource: make(address), span }))
}

fn identity(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let mut words = reader.words(node, Properties::Only(&["user", "group"]), Body::None);
    let name = reader
        .required(&mut words, "a name", "identity pg user=\"postgres\"")
        .and_then(|name| reader.name(name));
    let mut account = |key: &str| {
        let word = reader.property(&mut words, key, "an account's name")?;
        let valid = (1..=32).contains(&word.text.len())
            && word.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            && !word.text.starts_with('-');
        if !valid {
            reader.bad(&word, "this is no account's name", "write a name of /etc/passwd or /etc/group");
        }
        valid.then(|| word.text.as_ref().to_owned())
    };
    let user = account("user");
    let group = account("group");
    let span = words.whole;
    reader.end(words);
    Some(Item::Resource(ResourceDeclaration {
        name: name?,
        resource: Resource::Identity { user, group },
        span,
    }))
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
                    let known = [("systemd", ()), ("shepherd", ()), ("capc", ())];
                    root.init = reader.choice(&init, &known).map(|()| init);
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

fn takes(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    const KINDS: [(&str, Kind); 11] = [
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
    ];
    let example = "takes root dir read";
    let mut words = reader.words(node, Properties::Only(&["optional"]), Body::None);
    let name = reader.required(&mut words, "a name", example).and_then(|name| reader.name(name));
    if let Some(name) = &name
        && ["as", "trust"].contains(&&*name.text)
    {
        reader.bad(name, "`use` has a property of this name", "choose another name for the parameter");
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

fn never(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let example = "never app reaches tls-key";
    let mut words = reader.words(node, Properties::Only(&[]), Body::None);
    let subject = reader.required(&mut words, "a subject", example)?;
    let level = reader.required(&mut words, "`holds` or `reaches`", example)?;
    let level = reader.choice(&level, &[("holds", Level::Hold), ("reaches", Level::Reach)]);
    let capability = reader.required(&mut words, "a capability", example)?;
    let rights = reader.rest(&mut words, "a right");
    Some(Item::Never(NeverDeclaration { subject, level: level?, capability, rights, span: words.whole }))
}

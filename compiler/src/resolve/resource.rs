//! Tree to declarations: the resources of a system file.

use super::declaration::{Item, ResourceDeclaration};
use super::value::HostNames;
use super::words::{Body, Properties, Reader, Word, with_suggestion};
use crate::diag::{Code, Diagnostic};
use crate::model::{Address, Kind, Protocol, Resource};
use crate::source::Span;
use crate::syntax::tree::NodeId;

/// The words that declare one.
pub const RESOURCES: [&str; 11] = [
    "dir",
    "file",
    "state",
    "device",
    "secret",
    "socket",
    "listen",
    "connect",
    "network",
    "privilege",
    "identity",
];

/// Reads one of [`RESOURCES`].
pub fn read(reader: &mut Reader<'_>, node: NodeId, directory: &str) -> Option<Item> {
    match reader.tree.name(node) {
        "listen" => resource_at_address(reader, node, directory, (Resource::Listen, HostNames::Refused)),
        "connect" => resource_at_address(reader, node, directory, (Resource::Connect, HostNames::Allowed)),
        "identity" => identity(reader, node),
        "network" => network(reader, node),
        "privilege" => privilege(reader, node),
        _ => resource_at_path(reader, node, directory),
    }
}

fn network(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let mut words = reader.words(node, Properties::Only(&[]), Body::None);
    let name = reader.required(&mut words, "a name", "network net").and_then(|name| reader.name(name));
    let span = words.whole;
    reader.end(words);
    Some(Item::Resource(ResourceDeclaration { name: name?, resource: Resource::Network, span }))
}

fn privilege(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let example = "privilege clock \"CAP_SYS_TIME\"";
    let mut words = reader.words(node, Properties::Only(&[]), Body::None);
    let has_name = words.has_more();
    let name = reader.required(&mut words, "a name", example).and_then(|name| reader.name(name));
    let privilege = has_name.then(|| reader.required(&mut words, "a kernel privilege", example)).flatten();
    if let Some(word) = &privilege {
        known_privilege(reader, word);
    }
    let span = words.whole;
    reader.end(words);
    // One that is none gives nothing, but its name is a name.
    let resource = Resource::Privilege(privilege.map_or_else(|| "".into(), |word| word.text));
    Some(Item::Resource(ResourceDeclaration { name: name?, resource, span }))
}

fn known_privilege(reader: &mut Reader<'_>, word: &Word) {
    let bare = word.text.strip_prefix("CAP_");
    if bare.is_some_and(|bare| crate::model::PRIVILEGES.contains(&bare)) {
        return;
    }
    let shown: String = word.text.chars().take(60).collect();
    let message = format!("`{shown}` is no privilege of the kernel");
    let wrong = Diagnostic::new(Code::BadValue, message, word.span, "not in capabilities(7)");
    let meant = word.text.to_ascii_uppercase();
    let names: Vec<String> = crate::model::PRIVILEGES.iter().map(|name| format!("CAP_{name}")).collect();
    let meant = if meant.starts_with("CAP_") { meant } else { format!("CAP_{meant}") };
    let wrong = with_suggestion(wrong, &meant, names.iter().map(String::as_str));
    reader.report(match wrong.help {
        Some(_) => wrong,
        None => wrong.help("write its name as capabilities(7) has it, like \"CAP_NET_RAW\""),
    });
}

fn resource_at_path(reader: &mut Reader<'_>, node: NodeId, directory: &str) -> Option<Item> {
    let kind = match reader.tree.name(node) {
        "dir" => Kind::Dir,
        "file" => Kind::File,
        "state" => Kind::State,
        "secret" => Kind::Secret,
        "device" => Kind::Device,
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
    let name = name?;
    let path = path.map_or_else(|| format!("/nonexistent/{}", name.text).into(), |path| path.path);
    Some(Item::Resource(ResourceDeclaration { name, resource: Resource::Path { kind, path }, span }))
}

fn resource_at_address(
    reader: &mut Reader<'_>,
    node: NodeId,
    directory: &str,
    (make, names): (fn(Address) -> Resource, HostNames),
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
    let complaints = reader.diagnostics.len();
    for (key, protocol) in [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)] {
        if let Some(text) = reader.property(&mut words, key, "an address") {
            found.push((reader.address(&text, protocol, names), text.span));
        }
    }
    if let Some(text) = reader.property(&mut words, "unix", "a path") {
        let span = text.span;
        found.push((reader.host_path(text, directory).map(|path| Address::Unix(path.path)), span));
    }
    if found.is_empty() && reader.diagnostics.len() == complaints {
        // An address is often written as if it were a path.
        let left = reader.rest(&mut words, "an address");
        let bare = left.first().filter(|bare| bare.text.len() <= 60 && !bare.text.contains(['"', '\\']));
        match bare {
            Some(bare) => {
                let message = "an address is said with its protocol";
                let label = "an address belongs behind `tcp=`";
                let instead = format!("write `tcp=\"{}\"`", bare.text);
                reader.report(Diagnostic::new(Code::MissingWord, message, bare.span, label).help(instead));
            }
            None => reader.missing(words.node, "an address", example),
        }
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

//! Tree to declarations: `provides`, one face of a service.

use super::declaration::{ProvidesDeclaration, TransportDeclaration};
use super::file::unknown_statement;
use super::value::HostNames;
use super::words::{Body, Properties, Reader};
use crate::diag::{Code, Diagnostic};
use crate::model::Protocol;
use crate::source::Span;
use crate::syntax::tree::{NodeId, Value};

/// Reads `provides NAME TRANSPORT { … }`.
pub fn read(reader: &mut Reader<'_>, node: NodeId) -> Option<ProvidesDeclaration> {
    let example = "provides http socket=\"/run/app/http.sock\"";
    let known = ["socket", "channel", "tcp", "listen", "mount", "done"];
    let mut words = reader.words(node, Properties::Only(&known), Body::Allowed);
    let name = reader.required(&mut words, "a name", example).and_then(|name| reader.name(name));
    let mut transports: Vec<(Option<TransportDeclaration>, Span)> = Vec::new();
    for key in known {
        let Some((value, span)) = words.peek(key) else { continue };
        if matches!((key, value), ("channel" | "done", Value::Bool(false))) {
            words.take(key);
            continue;
        }
        let transport = match key {
            "channel" => reader.flag(&mut words, key).then_some(TransportDeclaration::Channel),
            "done" => reader.flag(&mut words, key).then_some(TransportDeclaration::Done),
            _ => reader.property(&mut words, key, "a text").and_then(|word| match key {
                "socket" => reader.world_path(word).map(TransportDeclaration::Socket),
                "tcp" => {
                    let address = reader.address(&word, Protocol::Tcp, HostNames::Refused);
                    address.map(|address| TransportDeclaration::Tcp(address, word.span))
                }
                "listen" => Some(TransportDeclaration::Listen(word)),
                _ => Some(TransportDeclaration::Mount(word)),
            }),
        };
        transports.push((transport, span));
    }
    if transports.is_empty() {
        reader.missing(words.node, "how the facet is talked to", example);
    }
    if let [_, (_, second), ..] = transports.as_slice() {
        let second = *second;
        reader.report(
            Diagnostic::new(Code::BadValue, "a facet has one transport", second, "a second one")
                .help("provide a second facet under another name"),
        );
    }
    let node_span = words.node;
    reader.end(words);
    let mut exposes = Vec::new();
    let (mut activated, mut data_only) = (false, false);
    let tree = reader.tree;
    for child in tree.children(node) {
        let word = tree.name(child);
        match word {
            "exposes" => {
                let mut words = reader.words(child, Properties::Only(&[]), Body::None);
                if let Some(capability) = reader.required(&mut words, "a capability", "exposes db") {
                    let whole = words.whole;
                    exposes.push((capability, reader.rest(&mut words, "a right"), whole));
                }
            }
            "activated" | "data-only" => {
                let words = reader.words(child, Properties::Only(&[]), Body::None);
                reader.end(words);
                *(if word == "activated" { &mut activated } else { &mut data_only }) = true;
            }
            unknown => {
                let span = reader.name_span(child);
                reader.report(unknown_statement(unknown, span, &["exposes", "activated", "data-only"]));
            }
        }
    }
    let transport = transports.into_iter().next().and_then(|(transport, _)| transport)?;
    if activated && !matches!(transport, TransportDeclaration::Socket(_) | TransportDeclaration::Tcp(..)) {
        reader.report(
            Diagnostic::new(
                Code::BadValue,
                "only a `socket=` or `tcp=` facet is activated",
                node_span,
                "this has another transport",
            )
            .help("leave `activated` out"),
        );
    }
    Some(ProvidesDeclaration { name: name?, transport, exposes, activated, data_only })
}

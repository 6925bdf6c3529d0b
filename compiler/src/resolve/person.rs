//! Tree to declarations: what people hold and are asked for, `user` and `powerbox`.

use super::declaration::{Item, OffersDeclaration, PowerboxDeclaration, UserDeclaration};
use super::file::unknown_statement;
use super::words::{Body, Properties, Reader};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::tree::NodeId;

/// Reads `user NAME { holds … }`.
pub fn user(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let example = "user alice { holds documents read write }";
    let mut words = reader.words(node, Properties::Only(&[]), Body::Allowed);
    let name = reader.required(&mut words, "a name", example).and_then(|name| reader.name(name));
    reader.end(words);
    let mut holds = Vec::new();
    let tree = reader.tree;
    for child in tree.children(node) {
        match tree.name(child) {
            "holds" => holds.extend(super::service::holds(reader, child)),
            unknown => {
                let span = reader.name_span(child);
                reader.report(unknown_statement(unknown, span, &["holds"]));
            }
        }
    }
    Some(Item::User(Box::new(UserDeclaration { name: name?, holds })))
}

/// Reads `powerbox NAME { offers …; asks … }`.
pub fn powerbox(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let example = "powerbox open-file { offers documents read; asks \"terminal\" }";
    let mut words = reader.words(node, Properties::Only(&[]), Body::Allowed);
    let name = reader.required(&mut words, "a name", example).and_then(|name| reader.name(name));
    reader.end(words);
    let mut offers = Vec::new();
    let mut asks = None;
    let mut asked: Option<Span> = None;
    let tree = reader.tree;
    for child in tree.children(node) {
        match tree.name(child) {
            "offers" => {
                let mut words = reader.words(child, Properties::Only(&["path"]), Body::None);
                let capability = reader.required(&mut words, "a capability", "offers documents read");
                let part = reader.property(&mut words, "path", "a relative path");
                let part = part.and_then(|part| reader.part(part));
                let rights = reader.rest(&mut words, "a right");
                let span = words.whole;
                offers.extend(capability.map(|capability| OffersDeclaration {
                    capability,
                    rights,
                    part,
                    span,
                }));
            }
            "asks" => {
                let span = reader.name_span(child);
                if let Some(first) = asked {
                    reader.report(
                        Diagnostic::new(Code::DuplicateName, "`asks` is said twice", span, "said again here")
                            .label(first, "first said here")
                            .help("keep one of the two"),
                    );
                    continue;
                }
                asked = Some(span);
                let way = super::service::single(reader, child, "a way to ask", "asks \"terminal\"");
                asks = way.filter(|way| reader.choice(way, &[("terminal", ())]).is_some());
            }
            unknown => {
                let span = reader.name_span(child);
                reader.report(unknown_statement(unknown, span, &["offers", "asks"]));
            }
        }
    }
    Some(Item::Powerbox(Box::new(PowerboxDeclaration { name: name?, offers, asks })))
}

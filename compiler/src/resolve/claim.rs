//! Tree to declarations: assertions, trust and waivers.

use super::declaration::{AllowDeclaration, Item, NeverDeclaration, OnlyDeclaration, TrustDeclaration};
use super::words::{Body, Properties, Reader, Word, Words, with_suggestion};
use crate::diag::{Code, Diagnostic};
use crate::model::{Date, Level};
use crate::syntax::tree::NodeId;

/// Reads `never SUBJECT holds|reaches CAP [RIGHTS]`.
pub fn never(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let example = "never app reaches tls-key";
    let mut words = reader.words(node, Properties::Only(&[]), Body::None);
    let subject = reader.required(&mut words, "a subject", example)?;
    let level = reader.required(&mut words, "`holds` or `reaches`", example)?;
    let level = reader.choice(&level, &[("holds", Level::Hold), ("reaches", Level::Reach)]);
    let capability = reader.required(&mut words, "a capability", example)?;
    let rights = reader.rest(&mut words, "a right");
    Some(Item::Never(NeverDeclaration { subject, level: level?, capability, rights, span: words.whole }))
}

/// Reads `only SUBJECT… hold|reach CAP [RIGHTS]`.
pub fn only(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let example = "only nginx backup hold tls-key";
    let mut words = reader.words(node, Properties::Only(&[]), Body::None);
    let (name, span) = (words.node, words.whole);
    let all = reader.rest(&mut words, "a name");
    let level = |word: &Word| match &*word.text {
        "hold" => Some(Level::Hold),
        "reach" => Some(Level::Reach),
        _ => None,
    };
    // The first word is a subject whatever it is, so that a subject may be named like a level.
    let at = all.iter().skip(1).position(|word| level(word).is_some()).map(|at| at + 1);
    let Some(at) = at else {
        match all.as_slice() {
            [] => reader.missing(name, "a subject", example),
            [first, ..] if level(first).is_some() => reader.missing(name, "a subject", example),
            words => {
                let near = words.iter().find(|word| matches!(&*word.text, "holds" | "reaches"));
                match near {
                    Some(word) => {
                        let message = format!("`{}` is not known here", word.text);
                        let wrong = Diagnostic::new(Code::UnknownWord, message, word.span, "not known here");
                        reader.report(with_suggestion(wrong, &word.text, ["hold", "reach"]));
                    }
                    None => reader.missing(name, "`hold` or `reach`", example),
                }
            }
        }
        return None;
    };
    let mut rest = all.iter().skip(at + 1).cloned();
    let Some(capability) = rest.next() else {
        reader.missing(name, "a capability", example);
        return None;
    };
    let level = all.get(at).and_then(level)?;
    let subjects = all.iter().take(at).cloned().collect();
    Some(Item::Only(OnlyDeclaration { subjects, level, capability, rights: rest.collect(), span }))
}

/// Reads `trust SUBJECT reason=…`.
pub fn trust(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let example = "trust deployer reason=\"it is reconfigure, on purpose\"";
    let mut words = reader.words(node, Properties::Only(&["reason"]), Body::None);
    let subject = reader.required(&mut words, "a subject", example);
    reason(reader, &mut words, example);
    let span = words.whole;
    reader.end(words);
    Some(Item::Trust(TrustDeclaration { subject: subject?, span }))
}

/// Reads `allow CODE on=NAME reason=… until=…`.
pub fn allow(reader: &mut Reader<'_>, node: NodeId) -> Option<Item> {
    let example = "allow shared-identity on=pg reason=\"until the split\" until=\"2027-01-31\"";
    let mut words = reader.words(node, Properties::Only(&["on", "reason", "until"]), Body::None);
    let code = reader.required(&mut words, "the code of a lint", example);
    let on = reader.property(&mut words, "on", "a name");
    reason(reader, &mut words, example);
    let until = reader.property(&mut words, "until", "a day");
    let until = until.and_then(|word| {
        let date = Date::parse(&word.text);
        if date.is_none() {
            reader.bad(&word, "this is no day", "write a day like \"2027-01-31\"");
        }
        Some((date?, word.span))
    });
    let span = words.whole;
    reader.end(words);
    let code = known_code(reader, code?)?;
    Some(Item::Allow(AllowDeclaration { code, on, until, span }))
}

/// Takes `reason=`, which says something; reports that it is missing otherwise. What lacks it counts all the same, so that
/// one mistake is reported once.
fn reason<'t>(reader: &mut Reader<'t>, words: &mut Words<'t>, example: &str) {
    if words.peek("reason").is_none() {
        reader.missing(words.node, "the reason (`reason=`)", example);
        return;
    }
    let reason = reader.property(words, "reason", "a reason");
    if let Some(reason) = reason.filter(|reason| reason.text.trim().is_empty()) {
        reader.missing(reason.span, "the reason (`reason=`)", example);
    }
}

fn known_code(reader: &mut Reader<'_>, code: Word) -> Option<Word> {
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.word()).chain(LINTS).collect();
    if known.contains(&&*code.text) {
        return Some(code);
    }
    let shown: String = code.text.chars().take(60).collect();
    let message = format!("`{shown}` is no code");
    let unknown = Diagnostic::new(Code::UnknownWord, message, code.span, "not known here");
    reader.report(with_suggestion(unknown, &code.text, LINTS));
    None
}

/// The lints, which alone can be waived.
const LINTS: [&str; 12] = [
    "unused-capability",
    "unused-parameter",
    "shared-identity",
    "coarse-network",
    "write-and-execute",
    "write-without-read",
    "host-not-enforced",
    "unconfined",
    "root-equivalent",
    "over-wide-grant",
    "missing-limits",
    "unreachable-facet",
];

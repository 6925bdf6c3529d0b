//! `unheld`, `excess-rights`, `no-introduction` and `circular-provenance`: statements that do not derive what they say.

use super::failed::{Failed, Reason, find};
use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{Derivation, Kind, Model, ObjectId, ObjectKind, Rights};
use crate::source::{SourceMap, Span};

/// Reports each cause once. `sources` tell by which names statements speak of things.
pub fn check(model: &Model, holdings: &Holdings, sources: &SourceMap) -> Vec<Diagnostic> {
    let Failed { causes, circles } = find(model, holdings);
    let mut diagnostics: Vec<Diagnostic> = circles.iter().map(|circle| circular(model, circle)).collect();
    for (derivation, reason) in causes {
        diagnostics.push(match reason {
            Reason::Unheld => unheld(model, holdings, sources, derivation),
            Reason::Excess(missing) => excess(model, holdings, derivation, missing),
            Reason::NoIntroduction => no_introduction(model, sources, derivation),
        });
    }
    diagnostics
}

/// Returns the name that a statement writes, which means something where it stands; none where that is no plain word.
fn written(sources: &SourceMap, span: Span) -> Option<&str> {
    let word = sources.text(span).trim_matches('"');
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    Some(word).filter(|word| !word.is_empty() && word.bytes().all(is_plain))
}

/// Returns how a holder is spoken of: a scope by what it is, anything else by its name.
fn called(model: &Model, holder: ObjectId) -> String {
    let object = model.object(holder);
    match &object.kind {
        ObjectKind::Scope(scope) if scope.parent.is_none() => "the system".to_owned(),
        ObjectKind::Scope(_) => format!("`{}`", object.name.trim_end_matches('/')),
        _ => format!("`{}`", object.name),
    }
}

fn list(kind: Kind, rights: Rights) -> String {
    kind.words(rights).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn unheld(model: &Model, holdings: &Holdings, sources: &SourceMap, derivation: &Derivation) -> Diagnostic {
    let from = derivation.from.map_or(derivation.holder, |from| from.holder);
    let capability = derivation.from.map_or(derivation.capability, |from| from.capability);
    let name = &model.capability(capability).name;
    let message = format!("{} hands on `{name}`, but does not hold it", called(model, from));
    let mut diagnostic = Diagnostic::new(
        Code::Unheld,
        message,
        derivation.capability_span,
        "not held by the one that hands it on",
    )
    .label(model.object(from).span, format!("{} is declared here", called(model, from)));
    let able = holdings.holders(capability).find(|holding| holding.holder == model.object(from).scope);
    if let Some(able) = able
        && let Some(step) = holdings.shortest(model, able).last()
    {
        diagnostic = diagnostic.label(step.span, format!("{} has it by this", called(model, able.holder)));
    }
    // What has one name in the system has others where it was passed to.
    let here = written(sources, derivation.capability_span).unwrap_or(name);
    diagnostic.help(format!("write `holds {here}` in the body of {}", called(model, from)))
}

fn excess(model: &Model, holdings: &Holdings, derivation: &Derivation, missing: Rights) -> Diagnostic {
    let from = derivation.from.map_or(derivation.holder, |from| from.holder);
    let capability = derivation.from.map_or(derivation.capability, |from| from.capability);
    let known = model.capability(capability);
    let has = list(known.kind, holdings.rights(from, capability));
    let message =
        format!("{} does not have {} of `{}`", called(model, from), list(known.kind, missing), known.name);
    let mut diagnostic =
        Diagnostic::new(Code::ExcessRights, message, derivation.rights_span, "more than its giver has");
    if let Some(holding) = holdings.get(from, capability)
        && let Some(step) = holdings.shortest(model, holding).last()
        && step.span != derivation.span
    {
        diagnostic = diagnostic.label(step.span, format!("{} has {has} by this", called(model, from)));
    }
    diagnostic.help(match has.is_empty() {
        true => "give more where it comes from".to_owned(),
        false => format!("name at most {has}, or give more where it comes from"),
    })
}

fn no_introduction(model: &Model, sources: &SourceMap, derivation: &Derivation) -> Diagnostic {
    let from = derivation.from.map_or(derivation.holder, |from| from.holder);
    let (giver, receiver) = (called(model, from), called(model, derivation.holder));
    let name = &model.capability(derivation.capability).name;
    let message = format!("{giver} grants `{name}` to {receiver}, but holds no reference to {receiver}");
    let object = model.object(derivation.holder);
    let to = written(sources, derivation.receiver_span);
    // By its own name the receiver is known to the scope that declares it; to others one of its facets is.
    let is_neighbour = object.scope == model.object(from).scope
        && to.is_none_or(|to| object.name.rsplit('/').next() == Some(to));
    let mut facets = object.facets().iter().map(|facet| model.facet(*facet));
    let facet = facets.find(|facet| facet.kind() != Kind::Control);
    let facet = match (is_neighbour, to) {
        (false, Some(facet)) => Some(facet.to_owned()),
        _ => facet.map(|facet| format!("{}.{}", to.unwrap_or(&object.name), facet.name)),
    };
    let name = written(sources, derivation.capability_span).unwrap_or(name);
    let help = match facet {
        Some(facet) => format!("write `holds {facet}` in the body of {giver}"),
        None if object.service().is_none() => {
            format!("let the scope endow {receiver} with `holds {name}`")
        }
        None => format!(
            "let {receiver} provide a facet that {giver} holds, or let the scope endow {receiver} with `holds {name}`"
        ),
    };
    Diagnostic::new(Code::NoIntroduction, message, derivation.receiver_span, "not known to the granter")
        .label(model.object(from).span, format!("{giver} is declared here"))
        .label(model.object(derivation.holder).span, format!("{receiver} is declared here"))
        .help(help)
}

fn circular(model: &Model, circle: &[&Derivation]) -> Diagnostic {
    let names: Vec<String> = circle.iter().map(|statement| called(model, statement.holder)).collect();
    let what = circle
        .first()
        .map(|statement| model.capability(statement.capability).name.clone())
        .unwrap_or_default();
    let message = match names.as_slice() {
        [alone] => format!("what is handed on of `{what}` comes from nowhere: {alone} justifies only itself"),
        _ => format!(
            "what is handed on of `{what}` comes from nowhere: {} justify only each other",
            names.join(" and ")
        ),
    };
    let mut statements = circle.iter();
    let Some(first) = statements.next() else {
        return Diagnostic::new(
            Code::CircularProvenance,
            message,
            model.object(crate::model::SYSTEM).span,
            "in this system",
        );
    };
    let text = |statement: &Derivation| {
        let from = statement.from.map_or(statement.holder, |from| from.holder);
        let name = &model.capability(statement.capability).name;
        format!("{} would have `{name}` from {}", called(model, statement.holder), called(model, from))
    };
    let mut diagnostic = Diagnostic::new(Code::CircularProvenance, message, first.span, text(first));
    for statement in statements {
        diagnostic = diagnostic.label(statement.span, text(statement));
    }
    diagnostic.help("let one of them hold it from the scope that has it")
}

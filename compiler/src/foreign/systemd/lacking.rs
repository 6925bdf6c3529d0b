//! Names that no file says anything of: what is required, and what is spelt almost as another unit is.

use super::load::warning;
use super::name::UnitName;
use super::set::Set;
use super::unit::{Dependency, Relation, State, Strength};
use crate::diag::{Code, Diagnostic, nearest};
use crate::foreign::order::Why;

/// With so many names looked at for suggestions, further names get none.
const MOST_NAMES_LOOKED_AT: usize = 2_000_000;
/// A name that need not be there is taken for a mistake only if it has so many letters before its ending.
const SHORTEST: usize = 4;

/// Returns what to say of names that mean nothing.
pub fn check(set: &mut Set<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut looked_at = 0;
    for at in 0..set.units.len() {
        let Some(unit) = set.units.get(at).filter(|unit| unit.state == State::Loaded) else { continue };
        let (id, is_given) = (unit.id.clone(), unit.is_given);
        let written = |one: &&Dependency| matches!(one.why, Why::After(_) | Why::Before(_));
        for one in unit.dependencies.iter().filter(written).cloned().collect::<Vec<_>>() {
            let needs = matches!(one.relation, Relation::Pull(Strength::Hard) | Relation::Verify);
            if !needs && !is_given || !set.is_missing(&one.name) {
                continue;
            }
            let Some(name) = UnitName::parse(&one.name) else { continue };
            let stem = stem(&name);
            let kin = || {
                let names = set.loader.lookup.names().filter_map(UnitName::parse);
                names.filter(|other| other.unit_type == name.unit_type)
            };
            looked_at += kin().count();
            let stems = (looked_at <= MOST_NAMES_LOOKED_AT).then(|| kin().map(|kin| self::stem(&kin)));
            let meant = stems.and_then(|stems| nearest(stem, stems));
            let help = |meant: &str| format!("did you mean `{meant}.{}`?", name.unit_type.word());
            if needs {
                let message = format!("`{id}` requires `{}`, and no file says what that is", one.name);
                let missing = warning(Code::Unheld, message, one.span, "so systemd refuses to start it");
                let other = || "name the directory that its file is in too".to_owned();
                found.push(missing.help(meant.map_or_else(other, help)));
            } else if let Some(meant) = meant.filter(|meant| stem.len() >= SHORTEST && is_slip(stem, meant)) {
                let message = format!("no file says what `{}` is", one.name);
                let missing = warning(Code::Unheld, message, one.span, "so this says nothing");
                found.push(missing.help(help(meant)));
            }
        }
    }
    found
}

/// Whether one letter is too many, too few or another, or two are swapped.
fn is_slip(word: &str, other: &str) -> bool {
    let (word, other): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
    let begin = word.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (word, other) = (word.get(begin..).unwrap_or(&[]), other.get(begin..).unwrap_or(&[]));
    let end = word.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    match (word.get(..word.len() - end), other.get(..other.len() - end)) {
        (Some([] | [_]), Some([] | [_])) => true,
        (Some([a, b]), Some([c, d])) => (a, b) == (d, c),
        _ => false,
    }
}

fn stem<'n>(name: &UnitName<'n>) -> &'n str {
    name.text.rsplit_once('.').map_or(name.text, |(stem, _)| stem)
}

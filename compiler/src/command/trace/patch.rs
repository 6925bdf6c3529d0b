//! A suggestion as a change of the file: a unified diff, to be read and applied.

use super::suggest::Suggestion;
use crate::source::SourceFile;
use crate::source::Span;
use crate::syntax::Language;
use std::fmt::Write;

/// Returns a file's text with a suggestion for the service whose name stands there; none when it is not found.
#[must_use]
pub fn added(file: &SourceFile, service: Span, suggestion: &Suggestion) -> Option<String> {
    let text = &*file.text;
    let (tree, _) = Language::of(&file.path).read(file.text.clone());
    let node = tree.roots().find(|node| {
        let range = tree.range(*node);
        range.start <= service.start && service.end <= range.end
    })?;
    let range = tree.range(node);
    let (begin, brace) = (range.start as usize, (range.end as usize).checked_sub(1)?);
    if text.as_bytes().get(brace) != Some(&b'}') {
        return None;
    }
    let line = text.get(..begin)?.rfind('\n').map_or(0, |newline| newline + 1);
    let before_brace = text.get(..brace)?;
    let last_line = before_brace.rfind('\n').map_or(0, |newline| newline + 1);
    let is_alone = before_brace.get(last_line..)?.trim().is_empty();
    let mut new = String::with_capacity(text.len() + 256);
    new.push_str(text.get(..line)?);
    for (statement, said) in &suggestion.declared {
        let _ = writeln!(new, "{statement}    // {said}");
    }
    if is_alone {
        new.push_str(text.get(line..last_line)?);
    } else {
        new.push_str(text.get(line..brace)?.trim_end());
        new.push('\n');
    }
    for (statement, said) in &suggestion.stated {
        let _ = writeln!(new, "    {statement}    // {said}");
    }
    new.push_str(text.get(if is_alone { last_line } else { brace }..)?);
    Some(new)
}

/// Returns the difference of two texts of one file as a patch.
#[must_use]
pub fn patch(name: &str, old: &str, new: &str) -> String {
    let diff = similar::TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(2).header(name, name).to_string()
}

//! Which names an expression lists, as far as that can be known without evaluating it.

use super::reader::{Kind, Node, Tree};
use crate::source::Span;

/// The names of a list, and the places of what only evaluation could tell.
#[derive(Debug, Default)]
pub struct Names {
    /// Each name's place.
    pub known: Vec<Span>,
    /// Each expression that is not known.
    pub computed: Vec<Span>,
}

/// How a node is to be understood.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Mode {
    /// Code that makes a list.
    List,
    /// Code that makes one name.
    One,
    /// A list that stands as it is; with `true` commas lead back to code.
    Data(bool),
    /// A name that stands as it is, or with a comma before it code that makes one.
    Datum(bool),
}

/// Reads an expression that makes a list of names.
#[must_use]
pub fn names(tree: &Tree, text: &str, expression: u32) -> Names {
    let mut names = Names::default();
    let mut work = vec![(expression, Mode::List)];
    while let Some((id, mode)) = work.pop() {
        let Some(node) = tree.node(id) else { continue };
        let begin = work.len();
        if !step(tree, text, (id, node), mode, &mut work, &mut names) {
            names.computed.push(node.span);
        }
        // The first is to be read first.
        if let Some(new) = work.get_mut(begin..) {
            new.reverse();
        }
    }
    names
}

/// Reads one node; returns whether it is known what it says.
fn step(
    tree: &Tree,
    text: &str,
    (id, node): (u32, &Node),
    mode: Mode,
    work: &mut Vec<(u32, Mode)>,
    names: &mut Names,
) -> bool {
    let first = tree.within(id).next().map(|(id, _)| id);
    match (mode, node.kind) {
        (Mode::List, Kind::Quote) => work.extend(first.map(|id| (id, Mode::Data(false)))),
        (Mode::List, Kind::Quasiquote) => work.extend(first.map(|id| (id, Mode::Data(true)))),
        (Mode::One, Kind::Quote | Kind::Quasiquote) => work.extend(first.map(|id| (id, Mode::Datum(false)))),
        (Mode::List | Mode::One, Kind::List) => {
            let Some(head) = word(tree, text, first) else { return false };
            let arguments: Vec<u32> = tree.within(id).skip(1).map(|(id, _)| id).collect();
            // How each argument is understood, and how the last one is.
            let (each, last) = match (mode, head) {
                (Mode::List, "list") => (Mode::One, Mode::One),
                (Mode::List, "append") => (Mode::List, Mode::List),
                (Mode::List, "cons" | "cons*") => (Mode::One, Mode::List),
                (Mode::List, "quote") => (Mode::Data(false), Mode::Data(false)),
                (Mode::List, "quasiquote") => (Mode::Data(true), Mode::Data(true)),
                (Mode::One, "quote") => (Mode::Datum(false), Mode::Datum(false)),
                _ => return false,
            };
            if let Some((end, begin)) = arguments.split_last() {
                work.extend(begin.iter().map(|id| (*id, each)));
                work.push((*end, last));
            }
        }
        (Mode::Data(code), Kind::List) => {
            let within = tree.within(id).map(|(id, node)| {
                let splice = code && node.kind == Kind::Splice;
                (id, if splice { Mode::Data(true) } else { Mode::Datum(code) })
            });
            work.extend(within);
        }
        (Mode::Data(true), Kind::Unquote | Kind::Splice) => work.extend(first.map(|id| (id, Mode::List))),
        (Mode::Datum(true), Kind::Unquote) => work.extend(first.map(|id| (id, Mode::One))),
        (Mode::Datum(_), Kind::Symbol) => names.known.push(node.span),
        _ => return false,
    }
    true
}

/// Returns a node's text if it is a word.
pub fn word<'t>(tree: &Tree, text: &'t str, id: Option<u32>) -> Option<&'t str> {
    let node = tree.node(id?)?;
    let is_word = matches!(node.kind, Kind::Symbol | Kind::Keyword);
    is_word.then(|| words(text, node.span))
}

/// Returns the text of a place.
pub fn words(text: &str, span: Span) -> &str {
    text.get(span.start as usize..span.end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::reader::read;
    use super::*;
    use crate::source::FileId;

    #[track_caller]
    fn check(text: &str, known: &str, computed: &str) {
        let (tree, _) = read(text, FileId(0));
        let names = names(&tree, text, 0);
        let shown =
            |spans: &[Span]| spans.iter().map(|span| words(text, *span)).collect::<Vec<_>>().join(" ");
        assert_eq!((shown(&names.known), shown(&names.computed)), (known.to_owned(), computed.to_owned()));
    }

    #[test]
    fn quoted_lists_and_calls_of_list_are_known() {
        check("'(a b)", "a b", "");
        check("(list 'a 'b)", "a b", "");
        check("(quote (a #;b c))", "a c", "");
        check("(cons* 'a 'b '(c))", "a b c", "");
        check("(append '(a) (list 'b))", "a b", "");
        check("`(a ,'b ,@'(c d) e)", "a b c d e", "");
        check("'()", "", "");
    }

    #[test]
    fn what_is_computed_is_told_and_the_rest_is_known() {
        check("requirement", "", "requirement");
        check("(list 'a b)", "a", "b");
        check("`(a ,b ,@(if x '(c) '()))", "a", "b (if x '(c) '())");
        check("(append '(a) %base)", "a", "%base");
        check("'(a \"b\" (c))", "a", "\"b\" (c)");
    }
}

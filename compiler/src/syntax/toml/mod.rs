//! Reads TOML 1.1.
//!
//! Words, escapes and the grammar are the parser's business, which reports mistakes and goes on, and takes time in
//! proportion to the text. `document` makes tables of its events, `nodes` makes of the tables what a KDL file of the same
//! meaning would have made, by the table of `vocabulary`, and `problems` has the mistakes.

mod document;
mod nodes;
mod problems;

use std::sync::Arc;

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};
use toml_parser::parser::parse_document;

use self::document::Builder;
use self::problems::Problems;
use super::SyntaxError;
use super::tree::{Range, Tree};
use crate::diag::Code;

/// Returns the tree of a file and, in the order of their places, the mistakes in it: at most 10,000 of them.
///
/// Where there are mistakes, the tree holds what was most likely meant.
pub fn read(text: Arc<str>) -> (Tree, Vec<SyntaxError>) {
    let source = Arc::clone(&text);
    let mut problems = Problems::new(&source);
    let mut tree = Tree::new(text);
    if u32::try_from(source.len()).is_err() {
        let message = "this file has 4 GiB or more".to_owned();
        let help = "split it into smaller files".to_owned();
        problems.report(Code::Syntax, Range::EMPTY, message, help);
        return (tree, problems.sorted());
    }
    let mut builder = Builder::new(&source);
    let tokens = Source::new(&source).lex().into_vec();
    for part in parts(&source, &tokens) {
        builder.begin_part();
        parse_document(part, &mut builder, &mut problems);
    }
    drop(tokens);
    let (document, mistakes) = builder.finish();
    problems.extend(mistakes);
    problems.report_reordering();
    let decoded = nodes::plant(document, &mut tree, &mut problems);
    (tree.finish(decoded), problems.sorted())
}

/// Returns the tokens in parts, which are one unless a bracket is not closed: what follows is no part of its value.
fn parts<'a>(source: &'a str, tokens: &'a [Token]) -> impl Iterator<Item = &'a [Token]> {
    let mut rest = tokens;
    std::iter::from_fn(move || {
        let (part, after) = rest.split_at_checked(part_len(source, rest)).unwrap_or((rest, &[]));
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// Returns how many tokens there are before the first line that begins a statement though a bracket is open.
fn part_len(source: &str, tokens: &[Token]) -> usize {
    let mut open: Vec<TokenKind> = Vec::new();
    let mut is_value = false;
    for (index, token) in tokens.iter().enumerate() {
        match token.kind() {
            TokenKind::Equals => is_value = true,
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket if is_value => open.push(token.kind()),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                open.pop();
            }
            TokenKind::Newline => {
                is_value = !open.is_empty();
                let line = tokens.get(index.saturating_add(1)..).unwrap_or_default();
                if let Some(innermost) = open.last()
                    && begins_statement(source, line, *innermost)
                {
                    return index.saturating_add(1);
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// Says whether a line inside brackets can only be the one after them: a header, or in an array a key with its `=`.
fn begins_statement(source: &str, line: &[Token], innermost: TokenKind) -> bool {
    let mut words = line.iter().filter(|token| token.kind() != TokenKind::Whitespace);
    let is_word = |token: &Token| {
        let text = source.get(token.span().start()..token.span().end()).unwrap_or_default();
        token.kind() == TokenKind::Atom
            && text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
            && !["true", "false", "inf", "nan"].contains(&text)
    };
    let mut next = words.next();
    let is_header = next.is_some_and(|token| token.kind() == TokenKind::LeftSquareBracket);
    while next.is_some_and(|token| token.kind() == TokenKind::LeftSquareBracket) {
        next = words.next();
    }
    let Some(first) = next.filter(|token| is_word(token)) else { return false };
    let after = words.find(|token| token.kind() != TokenKind::Dot && !is_word(token));
    match after.map(Token::kind) {
        Some(TokenKind::RightSquareBracket) => is_header,
        Some(TokenKind::Equals) => !is_header && innermost == TokenKind::LeftSquareBracket,
        _ => is_header && !first.span().is_empty(),
    }
}

/// Returns the comments of a file, each from its `#` to the end of its line.
pub fn comments(text: &str) -> Vec<Range> {
    let tokens = Source::new(text).lex().filter(|token| token.kind() == TokenKind::Comment);
    tokens.map(|token| Range::new(token.span().start(), token.span().end())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::kdl::check::check_read;
    use super::super::tree::Value;
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        check_read(read, input, expected);
    }

    #[test]
    fn a_table_is_a_statement_with_its_name_its_words_and_its_properties() {
        check("[dir.site]\npath = '/s'", r#"dir site "/s""#);
        check("[listen.http]\ntcp = '1.2.3.4:5'", r#"listen http tcp="1.2.3.4:5""#);
        check(
            "[takes.a]\noptional = true\nrights = ['b', 'c']\nkind = 'd'",
            r#"takes a "d" "b" "c" optional=#true"#,
        );
        check("[network.host]", "network host");
    }

    #[test]
    fn words_stand_in_their_places_in_whatever_order_they_are_written() {
        check("[[never]]\nrights = ['r']\nholds = 'c'\nsubject = 's'", r#"never "s" holds "c" "r""#);
        check("[[only]]\nreach = 'c'\nsubjects = ['s', 't']", r#"only "s" "t" reach "c""#);
        check("[facet.f]\npath = 'p'\nrights = 'read'\nof = 'c'", r#"facet f "read" path="p" of="c""#);
    }

    #[test]
    fn one_word_needs_no_table() {
        check("dir.site = '/s'", r#"dir site "/s""#);
        check("service.a.holds = 'b'", r#"service a {holds "b"}"#);
        check("service.a.run = 'b'", r#"service a {run "b"}"#);
    }

    #[test]
    fn several_of_one_kind_are_an_array() {
        check(
            "[service.a]\nholds = ['b', { cap = 'c', fd = 3 }]\nrun = ['d', '-e']",
            r#"service a {holds "b"; holds "c" fd=3; run "d" "-e"}"#,
        );
        check(
            "[[alias]]\nfrom = 'a'\nto = 'b'\n[[alias]]\nfrom = 'c'\nto = 'd'",
            r#"alias "a" "b"; alias "c" "d""#,
        );
        check("[[service.a]]\nas = 'b'\n[[service.a]]", r#"service a {as "b"}; service a"#);
        check("service.a.prepare = [['b'], ['c']]", r#"service a {prepare "b"; prepare "c"}"#);
    }

    #[test]
    fn bodies_hold_bodies() {
        check(
            "[service.a.provides.b]\nactivated = true\nsocket = 's'\nexposes = ['c']\ndata-only = false",
            r#"service a {provides b socket="s" {activated; exposes "c"}}"#,
        );
        check("[reconfigure]\nstore = '/s'", r#"reconfigure {store "/s"}"#);
        check("[service.a.env]\nX = 'y'", r#"service a {env X="y"}"#);
    }

    #[test]
    fn a_table_that_is_written_in_parts_is_one() {
        check(
            "[service.a.provides.b]\nchannel = true\n[dir.c]\npath = '/c'\n[service.a]\noneshot = true",
            r#"service a {provides b channel=#true; oneshot}; dir c "/c""#,
        );
    }

    #[test]
    fn the_header_is_first_wherever_it_stands() {
        check("code = ['/a', '/b']\nsystem = 'x'", r#"system "x"; code "/a" "/b""#);
    }

    #[test]
    fn a_date_is_a_text_and_numbers_are_as_they_are_written() {
        check("[[allow]]\ncode = 'c'\nuntil = 2027-01-31", r#"allow "c" until=2027-01-31"#);
        check(
            "service.a.limits = { tasks = 1_000, files = 0x1F }",
            "service a {limits tasks=1_000 files=0x1F}",
        );
    }

    #[test]
    fn strings_mean_what_they_say() {
        check("system = \"\"\"\na\\tb\\\n  c\"\"\"", "system \"a\\tbc\"");
        check("code = ['''\nd''', '\\', \"\\u00e9\"]", "code \"d\" \"\\\\\" \"é\"");
    }

    #[test]
    fn an_unknown_word_comes_into_the_tree_to_be_reported() {
        check("[servise.a]\nrun = 'b'", "servise");
        check("service.a.rum = ['b']", "service a {rum}");
        check(
            "service.a.provides.b = { sockt = 'c', activatd = true }",
            r#"service a {provides b sockt="c" {activatd}}"#,
        );
        check("dir.a = { path = '/a', size = 1 }", r#"dir a "/a" size=1"#);
    }

    #[test]
    fn a_misspelt_key_of_a_word_that_is_missing_is_reported_and_taken_for_it() {
        check("dir.a.pth = '/a'", "dir a \"/a\"\n6 \"pth\" `dir` has no word `pth`");
        check(
            "[[never]]\nsubject = 'a'\nreach = 'b'",
            "never \"a\" \"reaches\" \"b\"\n24 \"reach\" `never` has no word `reach`",
        );
    }

    #[test]
    fn what_is_no_word_where_one_belongs_is_nothing_that_anybody_accepts() {
        check("dir.a.path = ['/a']", "dir a #null");
        check("dir.a = ['/a']", "dir a #null");
        check("service.a.holds = [{ rights = ['r'] }, ['b']]", r#"service a {holds #null "r"; holds #null}"#);
        check("service.a.env.X.Y = 'b'", "service a {env X=#null}");
        check("service.a.oneshot = 5", "service a {oneshot 5}");
    }

    #[test]
    fn a_statement_with_a_name_has_one() {
        check("dir = '/a'", "\n0 \"dir\" `dir` has no name");
        check("[[service]]\nname = 'a'", "\n2 \"service\" `service` has no name");
        check("[dir]", "");
    }

    #[test]
    fn nothing_is_said_twice() {
        check("system = 'a'\nsystem = 'b'", "system \"a\"\n13 \"system\" `system` is there twice");
        check("[dir.a]\npath = '/a'\n[dir.a]\npath = '/b'", "dir a \"/a\"\n25 \"a\" `a` is there twice");
        check("[[never]]\n[never]\nsubject = 'a'", "never\n11 \"never\" `never` is there twice");
    }

    #[test]
    fn what_is_complete_is_not_added_to() {
        let complete = "is already complete where it was first written";
        check("dir = { a = '/a' }\n[dir.b]", &format!("dir a \"/a\"\n20 \"dir\" `dir` {complete}"));
        check("[dir.a]\n[dir]\na.path = '/a'", &format!("dir a\n14 \"a\" `a` {complete}"));
        check("code = ['/a']\n[[code]]", "code \"/a\"\n16 \"code\" `code` is there twice");
    }

    #[test]
    fn several_mistakes_are_each_reported_once() {
        check(
            "system = web\ncode = ['/a'\n[dir.a]\npath /a\n[dir.b\npath = '/b'\n= 1\ndir.c. = '/c'\n[socket.d]\npath = '/d",
            concat!(
                "system web; code \"/a\"; dir a; dir b \"/b\"; socket d \"/d\"\n",
                "9 \"web\" string values must be quoted\n",
                "24 \"'\" unclosed array\n",
                "39 \"/\" key with no value\n",
                "47 \"b\" unclosed table\n",
                "61 \"=\" unquoted keys cannot be empty\n",
                "72 \"=\" unquoted keys cannot be empty\n",
                "99 \"d\" invalid literal string",
            ),
        );
    }

    #[test]
    fn characters_that_make_text_look_different_are_refused() {
        check("# \u{202e}\nsystem = 'a'", "system \"a\"\n2 \"\\u{202e}\" U+202E may not stand in a file");
        check("\u{feff}system = 'a'", "system \"a\"");
        check("#\u{feff}", "\n1 \"\\u{feff}\" U+FEFF may not stand in a file");
    }

    #[test]
    fn every_word_keeps_its_place() {
        let text = concat!(
            "[service.'a']\nholds = [\n  'b',\n",
            "  { rights = ['r'], \"cap\" = \"\\u0063\" },\n]\n[[service.d]]",
        );
        let (tree, errors) = read(Arc::from(text));
        assert_eq!(errors, []);
        let at = |range: Range| &text[range.as_usize()];
        let roots: Vec<_> = tree.roots().collect();
        assert!(at(tree.range(roots[0])).starts_with("service.'a'"));
        assert_eq!(at(tree.name_range(roots[1])), "service");
        let name = tree.entries(roots[0]).next().unwrap();
        assert_eq!((name.value, at(name.range)), (Value::String { text: "a", quoted: true }, "'a'"));
        let holds: Vec<_> = tree.children(roots[0]).collect();
        assert_eq!(holds.iter().map(|node| tree.name(*node)).collect::<Vec<_>>(), ["holds", "holds"]);
        assert_eq!(at(tree.range(holds[0])), "'b'");
        assert_eq!(at(tree.range(holds[1])), r#"{ rights = ['r'], "cap" = "\u0063" }"#);
        let words: Vec<_> = tree.entries(holds[1]).map(|entry| at(entry.range)).collect();
        assert_eq!(words, [r#""\u0063""#, "'r'"]);
    }

    // One of each that a careless reader takes quadratic time or a stack for.
    #[test]
    fn hostile_files_are_read_without_recursion_and_in_linear_time() {
        let units = [
            "[",
            "]",
            "{",
            "}",
            "a=[",
            "a={",
            "a={b=",
            "[a]\n",
            "[[a]]\n",
            "[a.b]\n",
            "a.",
            ".",
            "a=1\n",
            "a=\n",
            "=",
            "a",
            ",",
            "\"",
            "'",
            "\"\"\"\n",
            "'''",
            "\"\\",
            "#",
            "#\n",
            "\n",
            "\r",
            " ",
            "\0",
            "\u{FEFF}",
            "\u{202E}",
            "é",
            "[service.a]\n",
            "a=[\n[",
            "a=[\n[b]\n",
            "a=[\nb=",
            "[a.\n",
            "1",
            "1.",
            "-",
            "a=1-",
        ];
        for unit in units {
            for prefix in ["", "a=", "a=[", "service.a.holds=[{"] {
                let text: Arc<str> = Arc::from(format!("{prefix}{}", unit.repeat(10_000)));
                let (tree, errors) = read(Arc::clone(&text));
                assert!(errors.len() <= problems::MOST);
                assert!(errors.iter().all(|error| text.get(error.range.as_usize()).is_some()), "{unit:?}");
                assert!(tree.roots().count() <= 10_001);
            }
        }
        for (open, close) in [("a=", "["), ("a=", "[{b="), ("", "a."), ("[", "a."), ("service.a=", "{b=")] {
            let text: Arc<str> = Arc::from(format!("{open}{}", close.repeat(100_000)));
            assert!(!read(text).1.is_empty());
        }
        let deep = format!("{}a = 1", "a.".repeat(100_000));
        assert_eq!(read(Arc::from(deep)).0.roots().count(), 1);
        let many: String = (0..100_000).map(|number| format!("[service.a{number}]\nrun = ['b']\n")).collect();
        assert_eq!(read(Arc::from(many)).0.roots().count(), 100_000);
    }
}

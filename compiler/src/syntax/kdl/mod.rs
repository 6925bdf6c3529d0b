//! Reads KDL 2.0.0.
//!
//! The reader is our own because its input may be hostile: it does not recurse, whatever the nesting, takes time in
//! proportion to the text, and goes on after a mistake, so that one run reports them all.
//! After one it finds its feet again at the next line or brace, and is quiet about what only follows from it.
//!
//! Names as in the [specification](https://kdl.dev/spec); *block* is short for its children block.
//! `lex` knows characters and white space, `string`, `word` and `number` what stands between, `entry` what they form on
//! a line; here lines and blocks become a tree.
//! A block may follow its node without a space, as the specification's prose has it and its grammar has not; a `/-` may
//! not, though drafts of a later version let it.

#[cfg(test)]
pub(super) mod check;
mod decode;
mod entry;
mod lex;
mod number;
mod problems;
mod string;
mod word;

use std::sync::Arc;

use self::lex::{Lexer, report_forbidden};
use super::SyntaxError;
use super::tree::{Mark, NodeId, Range, Scalar, Spelled, Spelling, Tree};

/// Returns the tree of a file and, in the order of their places, the mistakes in it: at most 10,000 of them.
///
/// Where there are mistakes, the tree holds what was most likely meant.
pub fn read(text: Arc<str>) -> (Tree, Vec<SyntaxError>) {
    let source = Arc::clone(&text);
    let mut reader = Reader { lexer: Lexer::new(&source), tree: Tree::new(text), blocks: Vec::new() };
    if u32::try_from(source.len()).is_ok() {
        reader.document();
    } else {
        reader.lexer.problems.report(
            Range::EMPTY,
            "this file has 4 GiB or more",
            "split it into smaller files",
        );
    }
    let Lexer { decoded, mut problems, .. } = reader.lexer;
    report_forbidden(&source, &mut problems);
    (reader.tree.finish(decoded), problems.sorted())
}

struct Reader<'t> {
    lexer: Lexer<'t>,
    tree: Tree,
    /// The blocks that are open, the innermost last.
    blocks: Vec<Block>,
}

/// A node that is being read.
#[derive(Copy, Clone)]
struct Node {
    id: NodeId,
    start: Mark,
    fate: Fate,
    progress: Progress,
}

struct Block {
    node: Node,
    brace: Range,
    start: Mark,
    fate: Fate,
}

/// Whether what is being read comes into the tree, or is commented out by `/-`.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Fate {
    Kept,
    Dropped,
}

/// How far a node has been read; entries come first, then blocks, of which `/-` comments out all but one.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Progress {
    InEntries,
    AfterDroppedBlock,
    AfterBlock,
}

impl Reader<'_> {
    fn document(&mut self) {
        loop {
            self.lexer.skip_lines();
            match self.lexer.peek() {
                None => break,
                Some(b'}') => self.close_block(),
                Some(b'{') => self.block_of_no_node(),
                Some(b';') => {
                    let semicolon = self.lexer.take(1);
                    self.lexer.problems.report(semicolon, "no node ends at this `;`", "remove it");
                }
                Some(_) => {
                    if let Some(node) = self.node_head() {
                        self.rest_of_node(node);
                    }
                }
            }
        }
        self.close_unclosed();
    }

    /// Reads a node up to its name.
    fn node_head(&mut self) -> Option<Node> {
        let start = self.tree.mark();
        let slashdash = self.slashdash();
        let annotation = self.type_annotation();
        let Some(scalar) = self.lexer.scalar() else {
            self.tree.forget(start);
            self.report_missing(annotation.or(slashdash));
            return None;
        };
        let range = scalar.range();
        let name = match scalar {
            Scalar::String(name) => name,
            Scalar::Number(_) | Scalar::Bool(..) | Scalar::Null(_) => {
                self.report_not_a_string(range, "the name of a node");
                Spelled { range, spelling: Spelling::Source { margin: 0 } }
            }
        };
        let fate = if slashdash.is_some() { Fate::Dropped } else { Fate::Kept };
        Some(Node { id: self.tree.begin_node(name), start, fate, progress: Progress::InEntries })
    }

    /// Reads a node from after its name, or after one of its blocks, to its end or the next of its blocks.
    fn rest_of_node(&mut self, node: Node) {
        let mut is_apart = false;
        loop {
            is_apart |= self.lexer.skip_space();
            let slashdash = self.slashdash();
            let fate = if slashdash.is_some() { Fate::Dropped } else { Fate::Kept };
            if let Some(slashdash) = slashdash
                && !is_apart
            {
                self.lexer.problems.report(
                    slashdash,
                    "there is no space before this `/-`",
                    "put a space before it",
                );
            }
            if self.lexer.peek() == Some(b'{') {
                return self.open_block(node, fate);
            }
            if self.lexer.is_at_node_end() || self.lexer.ahead().starts_with(b"/-") {
                if slashdash.is_some() {
                    self.report_missing(slashdash);
                }
                return self.end_node(node);
            }
            if node.progress != Progress::InEntries {
                self.report_after_block();
                return self.end_node(node);
            }
            is_apart = self.entry(fate, is_apart || slashdash.is_some());
        }
    }

    fn open_block(&mut self, mut node: Node, mut fate: Fate) {
        let brace = self.lexer.take(1);
        if fate == Fate::Kept && node.progress == Progress::AfterBlock {
            self.lexer.problems.report(
                brace,
                "this node already has a block",
                "join the two, or begin a new node",
            );
            fate = Fate::Dropped;
        }
        if fate == Fate::Kept {
            node.progress = Progress::AfterBlock;
        } else if node.progress == Progress::InEntries {
            node.progress = Progress::AfterDroppedBlock;
        }
        self.blocks.push(Block { node, brace, start: self.tree.mark(), fate });
    }

    fn close_block(&mut self) {
        let brace = self.lexer.take(1);
        match self.blocks.pop() {
            Some(block) => {
                self.end_block(&block, brace);
                self.rest_of_node(block.node);
            }
            None => {
                self.lexer.problems.report(brace, "no block is open that this `}` could close", "remove it");
            }
        }
    }

    fn end_block(&mut self, block: &Block, brace: Range) {
        match block.fate {
            Fate::Kept => self.tree.close_block(brace),
            Fate::Dropped => self.tree.forget(block.start),
        }
    }

    fn end_node(&mut self, node: Node) {
        if self.lexer.peek() == Some(b';') {
            self.lexer.take(1);
        }
        match node.fate {
            Fate::Kept => self.tree.end_node(node.id),
            Fate::Dropped => self.tree.forget(node.start),
        }
    }

    fn close_unclosed(&mut self) {
        let end = self.lexer.take(0);
        // What swallowed the end of the file has swallowed the braces too.
        let unclosed = if self.lexer.cut_off { &[] } else { self.blocks.as_slice() };
        for block in unclosed {
            self.lexer.problems.report_anyway(block.brace, "this block is never closed", "close it with `}`");
        }
        while let Some(block) = self.blocks.pop() {
            self.end_block(&block, end);
            self.end_node(block.node);
        }
    }

    /// Reads a block as that of a node without a name, which does not come into the tree.
    fn block_of_no_node(&mut self) {
        let start = self.tree.mark();
        let range = self.lexer.take(0);
        let id = self.tree.begin_node(Spelled { range, spelling: Spelling::Source { margin: 0 } });
        self.lexer.problems.report(
            Range { end: range.end.saturating_add(1), ..range },
            "this block belongs to no node",
            "write the name of a node before it, on the same line",
        );
        self.open_block(Node { id, start, fate: Fate::Dropped, progress: Progress::InEntries }, Fate::Kept);
    }

    fn report_after_block(&mut self) {
        let start = self.lexer.at;
        let end = self.lexer.unquoted_end(start).max(start.saturating_add(1));
        let range = Range::new(start, end);
        self.lexer.problems.report(
            range,
            format_args!("`{}` follows a block on its line", self.lexer.shown(range)),
            "begin a new line, or put `;` after the block",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::check::check;
    use super::*;

    #[test]
    fn a_file_of_nothing_is_an_empty_tree() {
        check("", "");
        check(" \n\t// a\n/* b */\r\n", "");
    }

    #[test]
    fn nodes_end_with_a_line_a_semicolon_a_brace_or_the_file() {
        check("a\nb; c;d {e;f}\n g{h\n}", "a; b; c; d {e; f}; g {h}");
    }

    #[test]
    fn a_block_may_be_empty_and_is_one_nevertheless() {
        check("a {}\nb { }\nc {\n}\nd", "a {}; b {}; c {}; d");
    }

    #[test]
    fn a_slashdash_takes_a_node_away_with_all_that_is_in_it() {
        check("/- a 1 k=\"\\n\" { b \"\\t\"; c }\nd \"\\r\"", "d \"\\r\"");
        check("a { /-b { c }\n /- (t)d }", "a {}");
        check("/-\n// x\n a\nb", "b");
    }

    #[test]
    fn a_slashdash_takes_a_block_away() {
        check("a /-{ b }\nc", "a; c");
        check("a /-{ b } { c } /-{ d }", "a {c}");
        check("a 1 /- { b } /-{}\nc", "a 1; c");
        check("/-a /-{ b } { c }\nd", "d");
    }

    #[test]
    fn a_block_needs_no_space_before_it() {
        check("a{b{c}}\nd 1{}", "a {b {c}}; d 1 {}");
    }

    #[test]
    fn a_version_marker_is_no_node() {
        check("/- kdl-version 2\na", "a");
        check("\u{FEFF}/-kdl-version 2\na", "a");
    }

    #[test]
    fn a_node_has_one_block() {
        check("a { b } { c }\nd", "a {b}; d\n8 \"{\" this node already has a block");
    }

    #[test]
    fn nothing_else_follows_a_block_on_its_line() {
        check("a { b } c 1\nd", "a {b}; c 1; d\n8 \"c\" `c` follows a block on its line");
        check("a /-{ b } \"c\"", "a; c\n10 \"\\\"\" `\"` follows a block on its line");
        check("a {} /-b\nc", "a {}; b; c\n7 \"b\" `b` follows a block on its line");
    }

    #[test]
    fn a_block_belongs_to_a_node() {
        check("{ a }\nb", "b\n0 \"{\" this block belongs to no node");
        check("a\n{\n  b }\nc", "a; c\n2 \"{\" this block belongs to no node");
    }

    #[test]
    fn a_name_is_a_string() {
        check("12 a", "12 a\n0 \"12\" `12` cannot be the name of a node");
        check("#true", "#true\n0 \"#true\" `#true` cannot be the name of a node");
    }

    #[test]
    fn a_semicolon_ends_a_node() {
        check("a;;b", "a; b\n2 \";\" no node ends at this `;`");
        check("a {};b", "a {}; b");
    }

    #[test]
    fn a_brace_too_few_is_reported_where_its_block_opens() {
        check("a {\n b {\n c\n}", "a {b {c}}\n2 \"{\" this block is never closed");
        check("a {b {", "a {b {}}\n2 \"{\" this block is never closed\n5 \"{\" this block is never closed");
    }

    #[test]
    fn a_brace_too_many_is_reported_where_it_stands() {
        check("a {\n}\n}\nb", "a {}; b\n6 \"}\" no block is open that this `}` could close");
        check("a }\nb", "a; b\n2 \"}\" no block is open that this `}` could close");
    }

    #[test]
    fn several_mistakes_are_each_reported_once() {
        check(
            "service a {\n  run /bin/a\n  env K=\"\\d\"\n  oneshot true\n  holds \"b\n}\nservice b { limits cpu=5% }\n}\n",
            concat!(
                "service a {run /bin/a; env K=\"d\"; oneshot #true; holds \"b\"}; service b {limits cpu=5%}\n",
                "18 \"/bin/a\" `/bin/a` needs quotes around it\n",
                "34 \"\\\\d\" `\\d` is not an escape\n",
                "48 \"true\" `true` is a keyword, and keywords begin with `#`\n",
                "61 \"\\\"\" this string is not closed on its line\n",
                "89 \"5%\" `5%` begins like a number and is none\n",
                "94 \"}\" no block is open that this `}` could close",
            ),
        );
    }

    #[test]
    fn every_word_keeps_its_place() {
        let text = "(t)\"a\" 1 (u)k=( v )#\"x\"# { b\n} // c";
        let (tree, errors) = read(Arc::from(text));
        let at = |range: Range| &text[range.as_usize()];
        let node = tree.roots().next().unwrap();
        let child = tree.children(node).next().unwrap();
        assert_eq!(errors.len(), 1);
        assert_eq!(at(tree.name_range(node)), "\"a\"");
        assert_eq!(at(tree.range(node)), "\"a\" 1 (u)k=( v )#\"x\"# { b\n}");
        assert_eq!(at(tree.type_annotation(node).unwrap().1), "t");
        assert_eq!(at(tree.range(child)), "b");
    }

    #[test]
    fn a_property_is_underlined_from_its_name_and_an_argument_from_its_annotation() {
        let text = "a k = ( v )#\"x\"# ( \"t\" ) 1 2";
        let (tree, _) = read(Arc::from(text));
        let at = |range: Range| &text[range.as_usize()];
        let node = tree.roots().next().unwrap();
        let entries: Vec<_> =
            tree.entries(node).map(|entry| (at(entry.range), at(entry.value_range))).collect();
        assert_eq!(entries, [("k = ( v )#\"x\"#", "#\"x\"#"), ("( \"t\" ) 1", "1"), ("2", "2")]);
        let first = tree.entries(node).next().unwrap();
        assert_eq!(at(first.key.unwrap().range), "k");
        assert_eq!(at(first.type_annotation.unwrap().range), "v");
        assert_eq!(at(tree.range(node)), text);
    }

    #[test]
    fn no_more_than_so_many_mistakes_are_kept() {
        let (_, errors) = read(Arc::from("}\n".repeat(20_000)));
        assert_eq!(errors.len(), problems::MOST);
    }

    // One of each that a careless reader takes quadratic time or a stack for.
    #[test]
    fn hostile_files_are_read_without_recursion_and_in_linear_time() {
        let units = [
            "a{",
            "/-a{",
            "a/-{",
            "a{}",
            "}",
            "{",
            "(",
            "(a)",
            ")",
            "=",
            "a=",
            "a;",
            "a ",
            ";",
            "/-",
            "/*",
            "/* */",
            "#",
            "#\"",
            "\"",
            "\"\"\"\n",
            "#\"\"\"\n",
            "\\",
            "\\\n",
            "\\ ",
            "{\\\"",
            "a \"\\\"{",
            "a \"\\\n",
            "r#\"",
            "[",
            "\0",
            "\u{FEFF}",
            "\u{202E}",
            "a/b ",
        ];
        for unit in units {
            let text: Arc<str> = Arc::from(unit.repeat(100_000));
            let (tree, errors) = read(Arc::clone(&text));
            assert!(errors.len() <= problems::MOST);
            let mut open = vec![tree.roots()];
            while let Some(nodes) = open.last_mut() {
                match nodes.next() {
                    Some(node) => open.push(tree.children(node)),
                    None => drop(open.pop()),
                }
            }
        }
    }
}

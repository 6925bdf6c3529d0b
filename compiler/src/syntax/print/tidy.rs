//! Puts TOML in order without another word: spaces, indentation, empty lines, and the commas at the ends of lines.
//!
//! It goes from token to token, so that what stands in a file stays, comments included, where it stood.

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

/// Returns a file without mistakes in order.
pub(super) fn toml(source: &str) -> String {
    let source = source.trim_start_matches('\u{feff}');
    let tokens: Vec<Token> = Source::new(source).lex().filter(|token| !token.span().is_empty()).collect();
    let mut tidier = Tidier {
        source,
        out: String::new(),
        open: Vec::new(),
        is_value: false,
        newlines: 0,
        spaces: 0,
        is_after_atom: false,
        words_end: 0,
    };
    for (index, token) in tokens.iter().enumerate() {
        tidier.token(*token, tokens.get(index.saturating_add(1)..).unwrap_or_default());
    }
    let kept = tidier.out.trim_end().len();
    tidier.out.truncate(kept);
    if !tidier.out.is_empty() {
        tidier.out.push('\n');
    }
    tidier.out
}

/// An array or an inline table that is open.
#[derive(Copy, Clone, PartialEq, Eq)]
struct Open {
    kind: TokenKind,
    layout: Layout,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Layout {
    OnOneLine,
    OnLines,
}

struct Tidier<'t> {
    source: &'t str,
    out: String,
    /// The brackets of values that are open, the innermost last.
    open: Vec<Open>,
    /// What is being read stands after the `=` of its statement.
    is_value: bool,
    newlines: usize,
    /// How much space there is before the next token.
    spaces: usize,
    /// The last token was a word without quotes: a date may have two, with a space between.
    is_after_atom: bool,
    /// Where what was written ends without the comments after it.
    words_end: usize,
}

impl Tidier<'_> {
    fn token(&mut self, token: Token, after: &[Token]) {
        let text = self.source.get(token.span().start()..token.span().end()).unwrap_or_default();
        match token.kind() {
            TokenKind::Whitespace => {
                self.spaces = text.len();
                return;
            }
            TokenKind::Newline => {
                self.newlines += 1;
                self.spaces = 0;
                self.is_value &= !self.open.is_empty();
                return;
            }
            TokenKind::Eof => return,
            TokenKind::Comment => self.comment(text.trim_end()),
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket if self.is_value => {
                self.before_value();
                let layout = layout(after);
                self.out.push_str(text);
                self.open.push(Open { kind: token.kind(), layout });
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket if self.is_value => self.close(text),
            // A comma that comes after a comment belongs before it.
            TokenKind::Comma => {
                let at = self.words_end.min(self.out.len());
                self.out.insert(at, ',');
                self.words_end = at + 1;
                self.newlines = self.newlines.min(1);
                (self.spaces, self.is_after_atom) = (0, false);
                return;
            }
            TokenKind::Equals => {
                self.out.push_str(" = ");
                self.is_value = true;
            }
            TokenKind::Dot | TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                self.out.push_str(text)
            }
            TokenKind::LeftSquareBracket
            | TokenKind::LeftCurlyBracket
            | TokenKind::LiteralString
            | TokenKind::BasicString
            | TokenKind::MlLiteralString
            | TokenKind::MlBasicString
            | TokenKind::Atom => {
                if token.kind() == TokenKind::LeftSquareBracket
                    && self.newlines == 1
                    && !self.is_after_comment_line()
                {
                    self.newlines = 2;
                }
                self.before_value();
                if self.is_after_atom
                    && token.kind() == TokenKind::Atom
                    && self.newlines == 0
                    && self.spaces > 0
                {
                    self.out.push(' ');
                }
                self.out.push_str(text);
            }
        }
        self.is_after_atom = token.kind() == TokenKind::Atom;
        self.newlines = 0;
        self.spaces = 0;
        if let Some(Open { layout: Layout::OnLines, .. }) = self.open.last()
            && ends_element(token.kind())
            && is_last(after)
        {
            self.out.push(',');
        }
        if token.kind() != TokenKind::Comment {
            self.words_end = self.out.len();
        }
    }

    /// Says whether the last line has a comment and nothing else.
    fn is_after_comment_line(&self) -> bool {
        let line = self.out.rfind('\n').and_then(|at| self.out.get(at + 1..)).unwrap_or(&self.out);
        line.starts_with('#')
    }

    /// Begins a line, or puts a space, before a word.
    fn before_value(&mut self) {
        match self.open.last().map(|open| open.layout) {
            None if self.newlines > 0 || self.out.is_empty() => self.new_line(),
            None => {}
            Some(Layout::OnLines)
                if self.out.ends_with([',', '[', '{']) || self.newlines > 0 && !self.out.ends_with(' ') =>
            {
                self.newlines = self.newlines.max(1);
                self.new_line();
            }
            Some(Layout::OnLines) => {}
            Some(Layout::OnOneLine) if self.out.ends_with([',', '{']) => self.out.push(' '),
            Some(Layout::OnOneLine) => {}
        }
    }

    /// Ends the line that is being written, with an empty one after it if there was one.
    fn new_line(&mut self) {
        if !self.out.is_empty() {
            let kept = self.out.trim_end_matches(' ').len();
            self.out.truncate(kept);
            self.out.push('\n');
            if self.newlines > 1 && !self.out.ends_with("[\n") && !self.out.ends_with("{\n") {
                self.out.push('\n');
            }
        }
        let depth = self.open.iter().filter(|open| open.layout == Layout::OnLines).count();
        self.out.extend(std::iter::repeat_n("    ", depth));
    }

    fn comment(&mut self, text: &str) {
        if self.newlines > 0 || self.out.is_empty() {
            self.new_line();
        } else {
            self.out.extend(std::iter::repeat_n(' ', self.spaces.max(1)));
        }
        self.out.push_str(text);
        // What follows begins a line, whichever bracket it stands in.
        self.newlines = 0;
    }

    fn close(&mut self, text: &str) {
        match self.open.pop() {
            Some(Open { layout: Layout::OnLines, .. }) => {
                self.newlines = 1;
                self.new_line();
            }
            Some(Open { kind: TokenKind::LeftCurlyBracket, .. }) if !self.out.ends_with('{') => {
                self.out.push(' ');
            }
            Some(Open { kind: TokenKind::LeftSquareBracket, .. }) if self.out.ends_with(',') => {
                self.out.pop();
            }
            _ => {}
        }
        self.out.push_str(text);
    }
}

/// Says how a bracket is written whose contents follow: on lines of its own if it was.
fn layout(after: &[Token]) -> Layout {
    let mut depth = 0_usize;
    for token in after {
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => depth += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return Layout::OnOneLine,
            },
            TokenKind::Newline | TokenKind::Comment => return Layout::OnLines,
            _ => {}
        }
    }
    Layout::OnOneLine
}

fn ends_element(kind: TokenKind) -> bool {
    !matches!(
        kind,
        TokenKind::Comma
            | TokenKind::Comment
            | TokenKind::LeftSquareBracket
            | TokenKind::LeftCurlyBracket
            | TokenKind::Equals
            | TokenKind::Dot
            | TokenKind::Whitespace
            | TokenKind::Newline
    )
}

/// Says whether the bracket closes next, comments apart.
fn is_last(after: &[Token]) -> bool {
    let mut words = after
        .iter()
        .map(Token::kind)
        .filter(|kind| !matches!(kind, TokenKind::Whitespace | TokenKind::Newline | TokenKind::Comment));
    matches!(words.next(), Some(TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket))
}

//! Words without quotes: identifiers, numbers, and the keywords that begin with `#`.

use super::super::Range;
use super::super::tree::{Scalar, Spelled, Spelling};
use super::lex::Lexer;
use super::number::{begins_like_number, is_number};
use super::string::Kind;

impl Lexer<'_> {
    /// Reads a string, a number or a keyword, or nothing if none begins here.
    ///
    /// What is not quite one of these is reported, and read as what was most likely meant.
    pub fn scalar(&mut self) -> Option<Scalar> {
        let start = self.at;
        match self.ahead() {
            [b'"', ..] => Some(Scalar::String(self.string(start, Kind::Escaped))),
            [b'#', ..] => Some(self.keyword_or_raw_string()),
            [b'/', b'/' | b'*' | b'-', ..] => None,
            [b'/' | b'[' | b']', ..] => Some(self.unquoted()),
            _ => {
                self.at = self.word_end(start);
                (self.at > start).then(|| self.word(start))
            }
        }
    }

    /// Returns where the text that begins at `at` ends, read as somebody would who forgot its quotes.
    pub fn unquoted_end(&self, at: usize) -> usize {
        let mut end = at;
        loop {
            end = self.word_end(end);
            match self.ahead_of(end) {
                [b'/' | b'\\' | b'[' | b']' | b'#', ..] => end = end.saturating_add(1),
                _ => return end,
            }
        }
    }

    fn word(&mut self, start: usize) -> Scalar {
        let range = self.range_from(start);
        let word = self.slice(start, self.at);
        match self.ahead() {
            [b'"', ..] | [b'#', b'"' | b'#', ..] if word == "r" => return self.kdl_1_raw_string(start),
            [b'/', b'/' | b'*' | b'-', ..] => {}
            [b'\\', ..] if self.word_end(self.at.saturating_add(1)) == self.at.saturating_add(1) => {}
            [b'/' | b'\\' | b'[' | b']' | b'#', ..] => {
                self.at = start;
                return self.unquoted();
            }
            _ => {}
        }
        if begins_like_number(word) {
            if is_number(word) {
                return Scalar::Number(range);
            }
            self.problems.report(
                range,
                format_args!("`{}` begins like a number and is none", self.shown(range)),
                format_args!("put it in quotes: `\"{}\"`", self.shown(range)),
            );
        } else if let Some(meant) = keyword(word, range) {
            self.problems.report(
                range,
                format_args!("`{word}` is a keyword, and keywords begin with `#`"),
                format_args!("write `#{word}`, or `\"{word}\"` if it is the word that you mean"),
            );
            return meant;
        }
        bare(range)
    }

    /// Reads what only quotes could make a string, such as a path.
    fn unquoted(&mut self) -> Scalar {
        let start = self.at;
        self.at = self.unquoted_end(start);
        let range = self.range_from(start);
        self.problems.report(
            range,
            format_args!("`{}` needs quotes around it", self.shown(range)),
            format_args!("write `\"{}\"`", self.shown(range)),
        );
        bare(range)
    }

    fn keyword_or_raw_string(&mut self) -> Scalar {
        let start = self.at;
        let hashes = self.count_hashes();
        self.take(hashes);
        if self.peek() == Some(b'"') {
            return Scalar::String(self.string(start, Kind::Raw { hashes }));
        }
        let name_start = self.at;
        self.at = self.word_end(name_start);
        let range = self.range_from(start);
        let meant = keyword(self.slice(name_start, self.at), range);
        meant.filter(|_| hashes == 1).unwrap_or_else(|| {
            self.problems.report(
                range,
                format_args!("there is no keyword `{}`", self.shown(range)),
                "write one of `#true`, `#false`, `#null`, `#inf`, `#-inf`, `#nan`, or put the word in quotes",
            );
            bare(range)
        })
    }

    fn kdl_1_raw_string(&mut self, start: usize) -> Scalar {
        self.problems.report(
            self.range_from(start),
            "raw strings no longer begin with `r`",
            "write `#\"…\"#`",
        );
        let hashes = self.count_hashes();
        self.take(hashes);
        if self.peek() == Some(b'"') {
            return Scalar::String(self.string(start, Kind::Raw { hashes }));
        }
        bare(self.range_from(start))
    }

    fn count_hashes(&self) -> usize {
        self.ahead().iter().take_while(|&&byte| byte == b'#').count()
    }
}

fn bare(range: Range) -> Scalar {
    Scalar::String(Spelled { range, spelling: Spelling::Source { margin: 0 } })
}

/// Returns what the keyword of this name stands for; its `#` is in `range` if it was written.
fn keyword(name: &str, range: Range) -> Option<Scalar> {
    match name {
        "true" => Some(Scalar::Bool(range, true)),
        "false" => Some(Scalar::Bool(range, false)),
        "null" => Some(Scalar::Null(range)),
        "inf" | "-inf" | "nan" => Some(Scalar::Number(range)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;

    #[test]
    fn words_need_no_quotes() {
        check("a-b _ - -- . .md +x <tag> ünï, http: é", "a-b _ - -- . .md +x <tag> ünï, http: é");
    }

    #[test]
    fn numbers_are_kept_as_they_are_written() {
        check("a 1_000 -0xFF 1.50e+3 k=0b1", "a 1_000 -0xFF 1.50e+3 k=0b1");
    }

    #[test]
    fn keywords_begin_with_a_hash() {
        check("a #true #false #null #inf #-inf #nan k=#true", "a #true #false #null #inf #-inf #nan k=#true");
    }

    #[test]
    fn a_keyword_without_its_hash_is_refused_and_read_as_meant() {
        check("a true", "a #true\n2 \"true\" `true` is a keyword, and keywords begin with `#`");
        check("a k=null", "a k=#null\n4 \"null\" `null` is a keyword, and keywords begin with `#`");
        check("a -inf", "a -inf\n2 \"-inf\" `-inf` is a keyword, and keywords begin with `#`");
    }

    #[test]
    fn a_bare_keyword_is_reported_once_wherever_it_stands() {
        check("true", "true\n0 \"true\" `true` is a keyword, and keywords begin with `#`");
        check("a nan=1 b", "a b\n2 \"nan\" `nan` is a keyword, and keywords begin with `#`");
        check("(false)a", "a\n1 \"false\" `false` is a keyword, and keywords begin with `#`");
    }

    #[test]
    fn words_that_only_contain_a_keyword_are_words() {
        check("a trues in nano +inf \"true\"", "a trues in nano +inf \"true\"");
    }

    #[test]
    fn an_unknown_keyword_is_refused() {
        check("a #yes b", "a #yes b\n2 \"#yes\" there is no keyword `#yes`");
        check("a #", "a #\n2 \"#\" there is no keyword `#`");
        check("a ##true", "a ##true\n2 \"##true\" there is no keyword `##true`");
    }

    #[test]
    fn a_word_that_begins_like_a_number_is_refused_whole() {
        check(
            "limits memory=512M",
            "limits memory=512M\n14 \"512M\" `512M` begins like a number and is none",
        );
        check(
            "a 127.0.0.1:80",
            "a 127.0.0.1:80\n2 \"127.0.0.1:80\" `127.0.0.1:80` begins like a number and is none",
        );
        check("a .5", "a .5\n2 \".5\" `.5` begins like a number and is none");
    }

    #[test]
    fn a_path_without_quotes_is_refused_whole() {
        check("run /bin/sh -c", "run /bin/sh -c\n4 \"/bin/sh\" `/bin/sh` needs quotes around it");
        check("dir a ./b/c;d", "dir a ./b/c; d\n6 \"./b/c\" `./b/c` needs quotes around it");
        check("a C:\\x", "a C:\\x\n2 \"C:\\\\x\" `C:\\x` needs quotes around it");
        check("a [1,2]", "a [1,2]\n2 \"[1,2]\" `[1,2]` needs quotes around it");
        check("a b#c", "a b#c\n2 \"b#c\" `b#c` needs quotes around it");
    }

    #[test]
    fn raw_strings_of_kdl_1_are_refused_and_read_as_meant() {
        check("a r\"\\d\"", "a \"\\\\d\"\n2 \"r\" raw strings no longer begin with `r`");
        check("a r#\"\"x\"\"#", "a \"\\\"x\\\"\"\n2 \"r\" raw strings no longer begin with `r`");
    }

    #[test]
    fn a_message_shows_only_so_much_of_a_word() {
        let shown = format!("`1{}…` begins like a number and is none", "x".repeat(39));
        let word = format!("1{}", "x".repeat(100));
        check(&format!("a {word}"), &format!("a {word}\n2 {word:?} {shown}"));
    }
}

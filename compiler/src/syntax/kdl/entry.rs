//! What stands on the line of a node: its arguments and properties, type annotations, and `/-`.

use std::fmt::Display;

use super::super::tree::{Range, Scalar};
use super::{Fate, Reader};

impl Reader<'_> {
    /// Reads an argument or a property, and says whether there was white space after it.
    pub(super) fn entry(&mut self, fate: Fate, is_apart: bool) -> bool {
        let start = self.lexer.at;
        let mark = self.tree.mark();
        let found = self.lexer.problems.found();
        let annotation = self.type_annotation();
        let Some(scalar) = self.lexer.scalar() else {
            self.tree.forget(mark);
            self.report_missing(annotation);
            return true;
        };
        if !is_apart && self.lexer.problems.found() == found {
            let range = self.lexer.range_from(start);
            // Or a quote is missing, and then what is read as text and what as words is the wrong way round.
            self.report_with_rest(
                range,
                format_args!("there is no space before `{}`", self.lexer.shown(range)),
                "put a space before it, or add the quote that is missing",
            );
        }
        let is_apart = self.lexer.skip_space();
        if self.lexer.peek() != Some(b'=') {
            self.tree.push_value(scalar);
            if fate == Fate::Dropped {
                self.tree.forget(mark);
            }
            return is_apart;
        }
        let is_whole = self.property(scalar, annotation);
        if fate == Fate::Dropped || !is_whole {
            self.tree.forget(mark);
        }
        false
    }

    /// Reads a property from its `=`, and says whether there was nothing wrong with it.
    fn property(&mut self, key: Scalar, annotation: Option<Range>) -> bool {
        let equals = self.lexer.take(1);
        if let Some(annotation) = annotation {
            self.lexer.problems.report(
                annotation,
                "a type annotation stands before a value, not before the name of a property",
                "move it after the `=`",
            );
        }
        match key {
            Scalar::String(key) => self.tree.push_key(key),
            Scalar::Number(range) | Scalar::Bool(range, _) | Scalar::Null(range) => {
                self.report_not_a_string(range, "the name of a property");
            }
        }
        self.lexer.skip_space();
        let value_annotation = self.type_annotation();
        match self.lexer.scalar() {
            Some(value) => {
                self.tree.push_value(value);
                annotation.is_none() && matches!(key, Scalar::String(_))
            }
            None => {
                self.report_missing(value_annotation.or(Some(equals)));
                false
            }
        }
    }

    /// Reads a type annotation with the white space after it, and returns its place.
    pub(super) fn type_annotation(&mut self) -> Option<Range> {
        if self.lexer.peek() != Some(b'(') {
            return None;
        }
        let open = self.lexer.take(1);
        self.lexer.skip_space();
        let scalar = self.lexer.scalar();
        self.lexer.skip_space();
        let is_closed = self.lexer.peek() == Some(b')');
        let whole = if is_closed { Range { end: self.lexer.take(1).end, ..open } } else { open };
        match scalar {
            _ if !is_closed => self.report_with_rest(
                open,
                "this type annotation is not closed",
                "write one word in the parentheses, such as `(u8)`",
            ),
            None => self.lexer.problems.report(
                whole,
                "this type annotation is empty",
                "name a type, or remove it",
            ),
            Some(Scalar::String(name)) => self.tree.push_type(name, open.start),
            Some(scalar) => self.report_not_a_string(scalar.range(), "a type annotation"),
        }
        self.lexer.skip_space();
        Some(whole)
    }

    /// Reads a `/-` with the white space after it, and returns its place.
    pub(super) fn slashdash(&mut self) -> Option<Range> {
        if !self.lexer.ahead().starts_with(b"/-") {
            return None;
        }
        let slashdash = self.lexer.take(2);
        self.lexer.skip_lines();
        Some(slashdash)
    }

    /// Reports that a value or a name is missing: after `before`, or where something else stands.
    pub(super) fn report_missing(&mut self, before: Option<Range>) {
        if let Some(before) = before {
            self.report_with_rest(
                before,
                format_args!("nothing follows this `{}`", self.lexer.shown(before)),
                "write what belongs after it, or remove it",
            );
        }
        if matches!(self.lexer.peek(), Some(b'=' | b'(' | b')')) {
            let stray = self.lexer.take(1);
            self.report_with_rest(
                stray,
                format_args!("a word or a value is missing before this `{}`", self.lexer.shown(stray)),
                "write it, or remove this",
            );
        }
    }

    pub(super) fn report_not_a_string(&mut self, range: Range, wanted: &str) {
        self.lexer.problems.report(
            range,
            format_args!("`{}` cannot be {wanted}", self.lexer.shown(range)),
            format_args!("write a word, or put it in quotes: `\"{}\"`", self.lexer.shown(range)),
        );
    }

    /// Reports a mistake after which the rest of the statement is not worth a report.
    fn report_with_rest(&mut self, range: Range, message: impl Display, help: impl Display) {
        if self.lexer.problems.is_quiet_at(range.start) {
            return;
        }
        self.lexer.problems.report(range, message, help);
        let end = self.lexer.find(self.lexer.at, |byte| matches!(byte, b';' | b'{' | b'}'));
        self.lexer.problems.be_quiet_to(Range::new(end, end).start);
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;

    #[test]
    fn arguments_and_properties_keep_their_order_and_properties_their_doubles() {
        check("a 1 k=2 b k=\"3\" (t)#null", "a 1 k=2 b k=\"3\" (t)#null");
    }

    #[test]
    fn an_equals_sign_may_have_space_around_it() {
        check("a k = 1 l= 2 m =3 n", "a k=1 l=2 m=3 n");
        check("a k /*x*/ = /*y*/ (t) 1", "a k=(t)1");
    }

    #[test]
    fn type_annotations_stand_before_names_and_values() {
        check("(t)a (u)1 k=(v)2", "(t)a (u)1 k=(v)2");
        check("( t ) a ( \"u\" /*x*/ ) 1", "(t)a (u)1");
    }

    #[test]
    fn a_slashdash_takes_one_entry_away() {
        check("a /-1 2 /- k=3 l=4 /-(t)x", "a 2 l=4");
        check("a /-1 /-\n// x\nb c", "a c");
        check("a \"\\n\" /-\"\\t\" \"\\r\"", "a \"\\n\" \"\\r\"");
    }

    #[test]
    fn a_slashdash_before_nothing_is_refused() {
        check("a /-\n", "a\n2 \"/-\" nothing follows this `/-`");
        check("a /-;b", "a; b\n2 \"/-\" nothing follows this `/-`");
        check("a {b /-}\nc", "a {b}; c\n5 \"/-\" nothing follows this `/-`");
        check("/-", "\n0 \"/-\" nothing follows this `/-`");
        check("a /- /-b\nc", "a; c\n2 \"/-\" nothing follows this `/-`");
        check("a k=/-1\nb", "a; b\n3 \"=\" nothing follows this `=`");
    }

    #[test]
    fn entries_stand_apart() {
        check("a 1\"b\" c", "a 1 \"b\" c\n3 \"\\\"b\\\"\" there is no space before `\"b\"`");
        check("a\"b\"", "a \"b\"\n1 \"\\\"b\\\"\" there is no space before `\"b\"`");
        check("a \"b \"c\" 1k\nd", "a \"b \" c \" 1k\"; d\n6 \"c\" there is no space before `c`");
        check("a b=\"c\"d=1", "a b=\"c\" d=1\n7 \"d\" there is no space before `d`");
        check("a/-1 2", "a 2\n1 \"/-\" there is no space before this `/-`");
        check("a 1/-{ b }", "a 1\n3 \"/-\" there is no space before this `/-`");
        check("a {}/-{}", "a {}\n4 \"/-\" there is no space before this `/-`");
        check("a(t)1", "a (t)1\n1 \"(t)1\" there is no space before `(t)1`");
    }

    #[test]
    fn a_property_has_a_value() {
        check("a k=\nb", "a; b\n3 \"=\" nothing follows this `=`");
        check("a { b k= }", "a {b}\n7 \"=\" nothing follows this `=`");
        check("a k=(t)", "a\n4 \"(t)\" nothing follows this `(t)`");
        check("a k==1\nb", "a 1; b\n3 \"=\" nothing follows this `=`");
    }

    #[test]
    fn a_property_has_a_name() {
        check("a =1", "a 1\n2 \"=\" a word or a value is missing before this `=`");
        check("a 1=2 b", "a b\n2 \"1\" `1` cannot be the name of a property");
        check("a #true=2", "a\n2 \"#true\" `#true` cannot be the name of a property");
    }

    #[test]
    fn a_type_annotation_before_a_property_is_refused() {
        check(
            "a (t)k=1 b",
            "a b\n2 \"(t)\" a type annotation stands before a value, not before the name of a property",
        );
    }

    #[test]
    fn a_type_annotation_is_one_word_for_something() {
        check("a ()1", "a 1\n2 \"()\" this type annotation is empty");
        check("a (1)b", "a b\n3 \"1\" `1` cannot be a type annotation");
        check("a (t", "a\n2 \"(\" this type annotation is not closed");
        check("a (t u)1 )\nb", "a u 1; b\n2 \"(\" this type annotation is not closed");
        check("a (t)\nb", "a; b\n2 \"(t)\" nothing follows this `(t)`");
        check("(t)", "\n0 \"(t)\" nothing follows this `(t)`");
        check("a (t)(u)1", "a u 1\n2 \"(t)\" nothing follows this `(t)`");
    }

    #[test]
    fn a_stray_parenthesis_is_refused() {
        check("a ) b; c", "a b; c\n2 \")\" a word or a value is missing before this `)`");
        check(") a", "a\n0 \")\" a word or a value is missing before this `)`");
    }
}

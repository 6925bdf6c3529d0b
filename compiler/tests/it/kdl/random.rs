//! Random documents that are KDL, in all the spellings that KDL has for them.

use crate::machine::Dice;

/// Returns a document: the same seed, the same text.
pub fn document(seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let mut text = String::new();
    nodes(&mut dice, &mut text, 0);
    text
}

/// Returns a document in which something was taken out, put in or doubled.
pub fn mutated(seed: u64) -> String {
    let mut letters: Vec<char> = document(seed).chars().collect();
    let mut dice = Dice::new(seed ^ 0x6d75);
    for _ in 0..1 + dice.below(2) {
        if letters.is_empty() {
            break;
        }
        let at = dice.below(letters.len());
        match dice.below(3) {
            0 => drop(letters.remove(at)),
            1 => letters.insert(
                at,
                one(&mut dice, &["\"", "{", "}", "(", ")", "=", ";", "\\", "#", "/", "\n", "0", "a", " "])
                    .chars()
                    .next()
                    .unwrap(),
            ),
            _ => letters.insert(at, letters[at]),
        }
    }
    letters.into_iter().collect()
}

fn one<'a>(dice: &mut Dice, of: &[&'a str]) -> &'a str {
    of[dice.below(of.len())]
}

fn nodes(dice: &mut Dice, text: &mut String, depth: usize) {
    for _ in 0..dice.below(4) {
        text.push_str(one(
            dice,
            &[
                "",
                "",
                " ",
                "\t",
                "// a comment\n",
                "/* a /* nested */ comment */",
                "\n\n",
                "/- dropped 1 { x }\n",
            ],
        ));
        // The crate (6.5) does not take white space between a block and the end of its node.
        match node(dice, text, depth) {
            Ended::WithBlock => text.push_str(one(dice, &["\n", ";", "\r\n", "\u{2028}"])),
            Ended::OnItsLine => {
                text.push_str(one(dice, &["\n", "\n", ";", " ; ", "\r\n", " // end\n", "\u{85}", "\u{2028}"]))
            }
        }
    }
}

enum Ended {
    OnItsLine,
    WithBlock,
}

fn node(dice: &mut Dice, text: &mut String, depth: usize) -> Ended {
    annotation(dice, text);
    string(dice, text);
    for _ in 0..dice.below(4) {
        text.push_str(one(
            dice,
            &[" ", "  ", "\t", " \\\n  ", " /* c */ ", " /- 1 ", " /-k=\"v\" ", "\u{3000}", " \\ // c\n "],
        ));
        if dice.one_in(3) {
            string(dice, text);
            text.push_str(one(dice, &["=", "=", " = ", "= "]));
        }
        annotation(dice, text);
        value(dice, text);
    }
    if depth < 3 && dice.one_in(3) {
        text.push_str(one(dice, &[" {", " {\n", "{", " /- { old }{", " /* c */ {"]));
        nodes(dice, text, depth + 1);
        text.push_str(one(dice, &["}", " }", "\n}"]));
        return Ended::WithBlock;
    }
    Ended::OnItsLine
}

fn annotation(dice: &mut Dice, text: &mut String) {
    if dice.one_in(8) {
        text.push_str(one(dice, &["(u8)", "( t )", "(\"a b\")", "(date)/* c */"]));
    }
}

fn string(dice: &mut Dice, text: &mut String) {
    text.push_str(one(
        dice,
        &[
            "a",
            "b-c",
            "<x>",
            "é",
            "_",
            "-x",
            "+",
            ".y",
            "\"q\"",
            "\"a b\\n\\t\\\\\\\"\"",
            "\"\\u{e9}\"",
            "\"x\\   y\"",
            "#\"raw \\ \"\"#",
            "##\"\"#\"##",
            "\"\"",
            "truth",
        ],
    ));
}

fn value(dice: &mut Dice, text: &mut String) {
    if dice.one_in(2) {
        return string(dice, text);
    }
    text.push_str(one(
        dice,
        &[
            "0",
            "-1",
            "+7",
            "1_000",
            "0xff_0",
            "0o17",
            "-0b1_0",
            "1.5",
            "-2.50e3",
            "1e-7",
            "#true",
            "#false",
            "#null",
            "\"\"\"\n  two\n   lines\n  \"\"\"",
            "#\"\"\"\n\traw\\n\n\t\"\"\"#",
            "\"\"\"\n\"\"\"",
            "#inf",
            "#-inf",
        ],
    ));
}

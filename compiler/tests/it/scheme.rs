//! Scheme that capc writes, read back by Guile's own `read`.

use crate::herded::guile;
use crate::machine::Dice;
use crate::scene::{Scene, run};
use capc::emit::init::shepherd::Scheme;
use std::process::Command;

/// Reads every datum of a file and prints what each is made of, by numbers alone.
const READER: &str = r#"
(define (show datum)
  (cond ((string? datum) (display "t") (for-each (lambda (c) (display (char->integer c)) (display ",")) (string->list datum)))
        ((symbol? datum) (display "s")
         (for-each (lambda (c) (display (char->integer c)) (display ",")) (string->list (symbol->string datum))))
        ((keyword? datum) (display "k") (display (keyword->symbol datum)))
        ((number? datum) (display "n") (display datum))
        ((eq? #f datum) (display "f"))
        ((list? datum) (display "(") (for-each show datum) (display ")"))
        (else (display "?"))))
(let ((port (open-input-file (cadr (command-line)))))
  (let loop ((datum (read port)))
    (unless (eof-object? datum)
      (show datum)
      (newline)
      (loop (read port)))))
"#;

/// Letters that end something, begin something, or are something else in some coding or version.
const LETTERS: [&str; 30] = [
    "\"",
    "\\",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "#",
    "|",
    ";",
    "'",
    "`",
    ",",
    "@",
    "\n",
    "\r",
    "\t",
    "\0",
    "\u{1b}",
    " ",
    "\u{7f}",
    "\u{e9}",
    "\u{2028}",
    "\u{feff}",
    "\u{1f600}",
    "\u{10ffff}",
    "x41;",
    "}#",
    "~a",
];

fn hostile(dice: &mut Dice) -> String {
    (0..dice.below(12))
        .map(|_| {
            if dice.one_in(3) {
                "a-/1Z.:".chars().nth(dice.below(7)).unwrap().to_string()
            } else {
                (*dice.pick(&LETTERS)).to_owned()
            }
        })
        .collect()
}

fn datum(dice: &mut Dice, depth: usize) -> Scheme {
    match dice.below(if depth < 4 { 8 } else { 5 }) {
        0..=2 => Scheme::Text(hostile(dice)),
        3 => Scheme::Symbol(hostile(dice)),
        4 => Scheme::Number(dice.next() as i64),
        5 if dice.one_in(2) => Scheme::False,
        5 => Scheme::Keyword("days-of-month"),
        _ => Scheme::List((0..dice.below(5)).map(|_| datum(dice, depth + 1)).collect()),
    }
}

fn shown(datum: &Scheme) -> String {
    let letters =
        |text: &str| text.chars().map(|letter| format!("{},", u32::from(letter))).collect::<String>();
    match datum {
        Scheme::Text(text) => format!("t{}", letters(text)),
        Scheme::Symbol(name) => format!("s{}", letters(name)),
        Scheme::Keyword(name) => format!("k{name}"),
        Scheme::Number(number) => format!("n{number}"),
        Scheme::False => "f".to_owned(),
        Scheme::List(parts) => format!("({})", parts.iter().map(shown).collect::<String>()),
    }
}

#[test]
fn guile_reads_back_what_was_written_whatever_is_in_it() {
    let Some(guile) = guile() else { return };
    let scene = Scene::new("scheme");
    let mut dice = Dice::new(7);
    let data: Vec<Scheme> = (0..5000).map(|_| datum(&mut dice, 0)).collect();
    let text: String = data.iter().map(|datum| format!("{datum}\n")).collect();
    assert!(text.is_ascii());
    let file = scene.write("data.scm", text);
    let reader = scene.write("reader.scm", READER);
    // In two locales: what a machine's first process has, and what a person has.
    for locale in ["C", "C.UTF-8"] {
        let mut read = Command::new(guile);
        read.args(["guile", "-s"]).arg(&reader).arg(&file).env("LC_ALL", locale);
        let read = run(read).exits(0);
        for (line, datum) in read.out.lines().zip(&data) {
            assert_eq!(line, shown(datum), "{datum}");
        }
        assert_eq!(read.out.lines().count(), data.len());
    }
}

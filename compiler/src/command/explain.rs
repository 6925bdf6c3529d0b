//! `capc explain`: a page on each code.

use crate::cli::Exit;
use crate::diag::{Code, nearest};

macro_rules! pages {
    ($($code:ident = $file:literal),* $(,)?) => {
        /// Returns the page on a code.
        #[must_use]
        pub const fn page(code: Code) -> &'static str {
            match code { $(Code::$code => include_str!(concat!("../../../docs/diagnostics/", $file, ".md"))),* }
        }
    };
}

pages! {
    Syntax = "syntax",
    UnknownWord = "unknown-word",
    MissingWord = "missing-word",
    BadValue = "bad-value",
    DuplicateName = "duplicate-name",
    Unheld = "unheld",
    ExcessRights = "excess-rights",
    WrongKind = "wrong-kind",
    NoIntroduction = "no-introduction",
    CircularProvenance = "circular-provenance",
    Ambient = "ambient",
    BootstrapCycle = "bootstrap-cycle",
    RootCycle = "root-cycle",
    AssertionFailed = "assertion-failed",
    Vacuous = "vacuous",
    ModuleCycle = "module-cycle",
    Conflict = "conflict",
    Refused = "refused",
}

/// Prints the page on a code.
pub fn run(code: &str) -> Exit {
    match Code::ALL.iter().find(|known| known.word() == code) {
        Some(code) => {
            super::say_as_is!("{}", page(*code));
            Exit::Clean
        }
        None => {
            let words = || Code::ALL.iter().map(|code| code.word());
            let meant =
                nearest(code, words()).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            let all: Vec<&str> = words().collect();
            super::Failure::usage(format!(
                "no code is named `{code}`{meant}\nthe codes are {}",
                all.join(", ")
            ))
            .report()
        }
    }
}

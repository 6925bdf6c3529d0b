//! `capc explain`: a page on each code.

use crate::cli::Exit;
use crate::diag::{Code, nearest};

/// Prints the page on a code.
pub fn run(code: &str) -> Exit {
    match Code::ALL.iter().find(|known| known.word() == code) {
        Some(code) => {
            super::say_as_is!("{}", code.page());
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

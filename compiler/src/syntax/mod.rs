//! Text of KDL or TOML becomes one spanned tree.
//!
//! From here on nobody knows in which of the two a file was written: every word keeps its place in the source,
//! and that is all a later stage needs to point at it.

pub mod text;
pub mod tree;
pub mod vocabulary;
pub mod kdl;
pub mod toml;
pub mod print;

use std::path::Path;
use std::sync::Arc;

use crate::diag::Code;
pub use tree::Range;
use tree::Tree;

/// The two ways to write a configuration down.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Language {
    /// KDL 2.
    Kdl,
    /// TOML 1.1.
    Toml,
}

impl Language {
    /// Returns the language of a file by its name: `.toml`, or KDL.
    #[must_use]
    pub fn of(path: &Path) -> Language {
        match path.extension().is_some_and(|extension| extension == "toml") {
            true => Language::Toml,
            false => Language::Kdl,
        }
    }

    /// Returns the tree of a file and the mistakes in it, in the order of their places.
    ///
    /// Where there are mistakes, the tree holds what was most likely meant.
    #[must_use]
    pub fn read(self, text: Arc<str>) -> (Tree, Vec<SyntaxError>) {
        match self {
            Language::Kdl => kdl::read(text),
            Language::Toml => toml::read(text),
        }
    }
}

/// Something in a file that is not in the language it is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What kind of mistake it is: TOML's shape can lack a word of the language, KDL's cannot.
    pub code: Code,
    /// The words to underline.
    pub range: Range,
    /// What is wrong: one line, lower case, no full stop, the user's words in backticks.
    pub message: String,
    /// What to write instead, as an imperative.
    pub help: Option<String>,
}

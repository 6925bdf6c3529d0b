//! Text of KDL or TOML becomes one spanned tree.
//!
//! From here on nobody knows in which of the two a file was written: every word keeps its place in the source,
//! and that is all a later stage needs to point at it.

pub mod kdl;
pub mod tree;

pub use tree::Range;

/// Something in a file that is not in the language it is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The words to underline.
    pub range: Range,
    /// What is wrong: one line, lower case, no full stop, the user's words in backticks.
    pub message: String,
    /// What to write instead, as an imperative.
    pub help: Option<String>,
}

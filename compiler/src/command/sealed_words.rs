//! What stands in sealed files, as text: bytes that are not UTF-8 are shown as what they are not.

use capc_schemas::token::{AbsPath, Token};

/// Returns what a token says.
pub fn text_of(token: Token<'_>) -> String {
    String::from_utf8_lossy(&token.bytes().collect::<Vec<u8>>()).into_owned()
}

/// Returns a path.
pub fn path_of(path: AbsPath<'_>) -> String {
    text_of(path.token())
}

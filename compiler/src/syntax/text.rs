//! A file's bytes as text whose places can be shown, whatever the bytes are.

use crate::diag::{Code, Diagnostic};
use crate::source::{FileId, SourceMap, Span};
use std::path::Path;
use std::sync::Arc;

/// Adds a file to the sources; returns its text, and where it is not UTF-8 what to say of it.
pub fn add(
    sources: &mut SourceMap,
    path: &Path,
    shown: &str,
    bytes: Vec<u8>,
) -> (FileId, Arc<str>, Option<Diagnostic>) {
    let (text, broken) = match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(at).copied().unwrap_or(0);
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some((at as u32, byte)))
        }
    };
    let text: Arc<str> = text.into();
    let file = sources.add(shown.to_owned(), path.to_owned(), text.clone());
    let broken = broken.map(|(at, byte)| {
        // What is shown in the byte's place is three bytes long.
        let span = Span { file, start: at, end: at + 3 };
        let message = format!("the file is not UTF-8: byte 0x{byte:02X} at offset {at}");
        Diagnostic::new(Code::Syntax, message, span, "this byte").help("save the file as UTF-8")
    });
    (file, text, broken)
}

//! `std:`: modules and images that come with capc, so that nobody has to find them out one ENOENT at a time.
//!
//! An image is a list of paths of the usual distributions; of those that this machine does not have, nothing is seen.

use super::words::{Reader, Word, with_suggestion};
use crate::diag::{Code, Diagnostic};
use crate::model::PathUse;

/// What stands before a name of the standard library.
pub const PREFIX: &str = "std:";

/// Modules by name, with their text.
const MODULES: [(&str, &str); 1] = [("nginx", include_str!("../../std/nginx.kdl"))];

/// Images by name, with their paths; `docs/language.md` lists them.
const IMAGES: [(&str, &[&str]); 6] = [
    ("tzdata", &["/usr/share/zoneinfo"]),
    ("locale", &["/usr/lib/locale", "/usr/share/locale"]),
    ("terminfo", &["/usr/share/terminfo", "/usr/lib/terminfo"]),
    (
        "nss",
        &[
            "/usr/lib/x86_64-linux-gnu/libnss_files.so.2",
            "/usr/lib/x86_64-linux-gnu/libnss_dns.so.2",
            "/usr/lib/aarch64-linux-gnu/libnss_files.so.2",
            "/usr/lib/aarch64-linux-gnu/libnss_dns.so.2",
            "/usr/lib64/libnss_files.so.2",
            "/usr/lib64/libnss_dns.so.2",
        ],
    ),
    (
        "python3",
        &[
            "/usr/lib/python3",
            "/usr/lib/python3.9",
            "/usr/lib/python3.10",
            "/usr/lib/python3.11",
            "/usr/lib/python3.12",
            "/usr/lib/python3.13",
            "/usr/lib/python3.14",
            "/usr/lib64/python3.9",
            "/usr/lib64/python3.10",
            "/usr/lib64/python3.11",
            "/usr/lib64/python3.12",
            "/usr/lib64/python3.13",
            "/usr/lib64/python3.14",
        ],
    ),
    (
        "tls-roots",
        &[
            "/etc/ssl/certs",
            "/usr/share/ca-certificates",
            "/etc/pki/tls/certs",
            "/etc/pki/ca-trust/extracted",
        ],
    ),
];

/// Returns the images that come with capc: their names without `std:`, and their paths.
pub fn standard_images() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    IMAGES.iter().copied()
}

/// Returns the text of a module by its name after `std:`, or what is wrong with the name.
///
/// # Errors
/// When there is no such module.
pub fn module(file: &Word) -> Result<&'static str, Box<Diagnostic>> {
    let name = file.text.strip_prefix(PREFIX).unwrap_or(&file.text);
    if let Some((_, text)) = MODULES.iter().find(|(known, _)| *known == name) {
        return Ok(text);
    }
    let shown: String = name.chars().take(60).collect();
    let message = format!("no module of the standard library is named `{shown}`");
    let unknown = Diagnostic::new(Code::UnknownWord, message, file.span, "not known to this capc");
    Err(Box::new(match IMAGES.iter().any(|(known, _)| *known == name) {
        true => unknown.help(format!("it is an image: write `image \"std:{name}\"` in a service")),
        false => with_suggestion(unknown, name, MODULES.iter().map(|(name, _)| *name)),
    }))
}

/// Returns the paths of an image by its name after `std:`, or reports that there is none.
pub fn image(reader: &mut Reader<'_>, word: &Word) -> Vec<PathUse> {
    let name = word.text.strip_prefix(PREFIX).unwrap_or(&word.text);
    if let Some((_, paths)) = IMAGES.iter().find(|(known, _)| *known == name) {
        return paths.iter().map(|path| PathUse { path: (*path).into(), span: word.span }).collect();
    }
    let shown: String = name.chars().take(60).collect();
    let message = format!("no image of the standard library is named `{shown}`");
    let unknown = Diagnostic::new(Code::UnknownWord, message, word.span, "not known to this capc");
    reader.report(match MODULES.iter().any(|(known, _)| *known == name) {
        true => unknown.help(format!("it is a module: write `use \"std:{name}\" as=NAME …`")),
        false => with_suggestion(unknown, name, IMAGES.iter().map(|(name, _)| *name)),
    });
    Vec::new()
}

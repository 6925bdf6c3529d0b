//! Files as others find them: by a path from where they look, or by a URI (RFC 3986).

use crate::source::SourceFile;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Returns a file's path from `base`, if it lies below.
#[must_use]
pub fn relative<'f>(file: &'f SourceFile, base: &Path) -> Option<&'f Path> {
    file.path.strip_prefix(base).ok().filter(|path| !path.as_os_str().is_empty())
}

/// Returns a file's URI: relative where it lies below `base`, else from the root.
#[must_use]
pub fn uri(file: &SourceFile, base: &Path) -> String {
    match relative(file, base) {
        Some(path) => encoded(path),
        None => format!("file://{}", encoded(&file.path)),
    }
}

/// Everything but what a path of a URI may have as it is; `:` too, so that no first component looks like a scheme.
fn encoded(path: &Path) -> String {
    let mut out = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::encoded;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    #[test]
    fn what_a_uri_cannot_have_is_encoded_byte_by_byte() {
        assert_eq!(encoded(Path::new("a b/c%d:e#f?g.kdl")), "a%20b/c%25d%3Ae%23f%3Fg.kdl");
        assert_eq!(encoded(Path::new("ü/~x-y_z")), "%C3%BC/~x-y_z");
        assert_eq!(encoded(Path::new(OsStr::from_bytes(b"\xff"))), "%FF");
    }
}

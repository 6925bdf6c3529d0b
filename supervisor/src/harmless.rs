//! Text that services made, made harmless for whoever reads it.

/// Writes out what a terminal would obey or what would show one text for another; tabs stay.
pub(crate) fn harmless(bytes: &[u8]) -> String {
    let mut line = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\t' => line.push(letter),
                '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    line.extend(letter.escape_unicode());
                }
                _ if letter.is_control() => line.push_str(&format!("\\x{:02x}", u32::from(letter))),
                _ => line.push(letter),
            }
        }
        for byte in chunk.invalid() {
            line.push_str(&format!("\\x{byte:02x}"));
        }
    }
    line
}

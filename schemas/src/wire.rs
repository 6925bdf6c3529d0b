//! Bytes as SSH sends them: strings with their lengths before them (RFC 4251).

/// Room for a signature with its key and names around it.
pub const MAX_BLOB_BYTES: usize = 320;

/// Bytes in a fixed room, written from the front.
pub struct Blob {
    bytes: [u8; MAX_BLOB_BYTES],
    length: usize,
}

impl Blob {
    /// Returns one without bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; MAX_BLOB_BYTES], length: 0 }
    }

    /// Returns what was written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// Adds bytes; what does not fit is none of a signature's names, and is left out so that nothing compares equal.
    #[inline(never)]
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        if let Some(room) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len();
        }
        self
    }

    /// Adds a string with its length before it.
    #[inline(never)]
    #[must_use]
    pub fn string(self, bytes: &[u8]) -> Self {
        self.raw(&(bytes.len() as u32).to_be_bytes()).raw(bytes)
    }
}

impl Default for Blob {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes the first string off some bytes; none if it is longer than they are.
#[must_use]
pub fn split_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

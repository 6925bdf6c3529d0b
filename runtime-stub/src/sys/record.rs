//! The trust record, a piece of this program's own image.

use capc_schemas::trust::{MAGIC, RECORD_BYTES};

// `used` and the volatile read keep the optimiser from folding the empty record into the code: whoever introduces
// the trust root writes into the image, not into the source.
#[used]
static RECORD: [u8; RECORD_BYTES] = {
    let mut record = [0; RECORD_BYTES];
    record.split_at_mut(MAGIC.len()).0.copy_from_slice(&MAGIC);
    record
};

/// Returns the record as it stands in the image.
#[must_use]
pub fn trust_record() -> [u8; RECORD_BYTES] {
    // A byte at a time: one volatile read of all would become 4096 instructions.
    RECORD.each_ref().map(|byte| {
        // SAFETY: the address is that of a byte of a static.
        unsafe { core::ptr::read_volatile(byte) }
    })
}

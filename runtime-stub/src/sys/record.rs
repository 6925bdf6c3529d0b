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

/// Copies the record as it stands in the image.
pub fn copy_trust_record(to: &mut [u8; RECORD_BYTES]) {
    // A byte at a time: one volatile read of all would become 4096 instructions.
    for (to, byte) in to.iter_mut().zip(&RECORD) {
        // SAFETY: the address is that of a byte of a static.
        *to = unsafe { core::ptr::read_volatile(byte) };
    }
}

//! Real services, started by the real launcher as root and as a plain user.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "all of this is a test; the lints know only functions that say so"
)]

mod ahead;
mod fido;
mod generation;
mod house;
mod integrity;
mod identities;
mod disk;
mod lives;
mod refusals;
mod signatures;
mod starts;
mod tampering;
mod world;

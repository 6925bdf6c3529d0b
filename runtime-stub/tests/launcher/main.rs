//! Real services, started by the real launcher as root and as a plain user.

mod generation;
mod lives;
mod refusals;
mod starts;
mod world;

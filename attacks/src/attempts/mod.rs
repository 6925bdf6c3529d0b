//! The attempts, by area.

pub mod call;
mod code;
mod descriptors;
mod devices;
mod files;
mod given;
mod kernel;
mod limits;
mod namespaces;
mod network;
mod privileges;
mod proc;
mod processes;

use crate::attempt::Attack;

/// Every area with its attempts.
pub const AREAS: &[(&str, &[Attack])] = &[
    ("files outside", files::ALL),
    ("what was given", given::ALL),
    ("proc and sys", proc::ALL),
    ("devices", devices::ALL),
    ("processes", processes::ALL),
    ("network", network::ALL),
    ("namespaces", namespaces::ALL),
    ("privileges", privileges::ALL),
    ("the kernel", kernel::ALL),
    ("code", code::ALL),
    ("descriptors", descriptors::ALL),
    ("limits", limits::ALL),
];

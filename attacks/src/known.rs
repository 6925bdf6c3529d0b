//! What is open in a world of capc's: `docs/security.md` explains each.

use crate::report::Line;
use crate::world::{Landlock, Maker};

/// At most so many may be.
pub const MOST: usize = 5;

/// Open in every world.
const ALWAYS: [&str; 4] = [
    "what was given: connect to a socket in the directory",
    "code: map a file in memory for execution",
    "code: run what it wrote into memory",
    "limits: fill memory files",
];

/// Open where the first process of a world has its services' uid, and Landlock keeps no signals in.
const BELOW_ABI_6: &str = "processes: signal the first process";

/// Returns what is known to be open.
#[must_use]
pub fn known(maker: Maker, landlock: Landlock) -> Vec<&'static str> {
    let is_old = matches!(landlock, Landlock::Abi(..6)) && maker == Maker::User;
    ALWAYS.into_iter().chain(is_old.then_some(BELOW_ABI_6)).collect()
}

/// Returns what is open and should not be.
#[must_use]
pub fn unknown(lines: &[Line], maker: Maker, landlock: Landlock) -> Vec<&Line> {
    let known = known(maker, landlock);
    lines.iter().filter(|line| line.open && !known.contains(&line.name.as_str())).collect()
}

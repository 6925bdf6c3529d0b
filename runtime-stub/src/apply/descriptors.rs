//! Descriptors: everything closed but what is granted, at the numbers that the manifest says.

use crate::refusal::{Layer, OrRefuse, Refusal};
use crate::sys::{self, At, Fd, FileType, O_RDWR};

/// The first descriptor that an init passes.
const FIRST: i32 = 3;

/// How many descriptors from 3 on were open when this process began.
#[derive(Copy, Clone)]
pub struct Passed {
    count: usize,
}

/// Looks at what was passed; must come before anything is opened.
#[must_use]
pub fn passed() -> Passed {
    Passed { count: (FIRST..).take_while(|number| sys::is_open(*number)).count() }
}

/// Opens /dev/null wherever standard input, output or error is closed, so that no other file takes their numbers.
///
/// # Errors
/// When there is no /dev/null.
pub fn fill_standard<'m>() -> Result<(), Refusal<'m>> {
    while !(0..FIRST).all(sys::is_open) {
        null()?.leave_open();
    }
    Ok(())
}

fn null<'m>() -> Result<Fd, Refusal<'m>> {
    sys::open(At::Here, c"/dev/null", O_RDWR, 0, 0).or_refuse(Layer::Descriptors, "opening /dev/null")
}

impl Passed {
    /// Checks that the init passed a socket for each descriptor that the manifest names, and what is ours after them.
    ///
    /// # Errors
    /// When one is missing or none.
    pub fn suffice<'m>(self, wanted: &[u16], ours: [Option<&Fd>; 3]) -> Result<(), Refusal<'m>> {
        if self.count < wanted.len() {
            return Err(Refusal::of(Layer::Descriptors, "the init passed fewer than the service holds"));
        }
        for number in (FIRST..).take(wanted.len()) {
            if ours.iter().flatten().any(|own| own.number() == number) {
                return Err(Refusal::of(
                    Layer::Descriptors,
                    "what the launcher is passed for itself stands where a granted one must",
                ));
            }
            let passed = Fd::inherited(number);
            let status = sys::status(&passed);
            passed.leave_open();
            if status.or_refuse(Layer::Descriptors, "looking at one")?.file_type != FileType::Socket {
                return Err(Refusal::of(Layer::Descriptors, "what the init passed is no socket"));
            }
        }
        Ok(())
    }
}

/// Returns copies of our own descriptors with numbers over all that the service is given, ascending.
///
/// # Errors
/// When a number is over the limit.
pub fn move_away<'m>(wanted: &[u16], ours: [&Fd; 3]) -> Result<[Fd; 3], Refusal<'m>> {
    let least = i32::from(wanted.last().copied().unwrap_or(2)) + 1;
    let moved = |fd| sys::duplicate_above(fd, least).or_refuse(Layer::Descriptors, "moving ours away");
    let [one, two, three] = ours;
    // Each takes the least free number, so the next one's is greater.
    Ok([moved(one)?, moved(two)?, moved(three)?])
}

/// Puts every passed descriptor to its number, /dev/null to standard input, and closes all others but `ours`.
///
/// # Errors
/// When a number is over the limit, or the world has no /dev/null.
pub fn arrange<'m>(wanted: &[u16], ours: [&Fd; 3]) -> Result<(), Refusal<'m>> {
    let layer = Layer::Descriptors;
    let null = null()?;
    sys::duplicate_to(null.number(), 0).or_refuse(layer, "making standard input empty")?;
    drop(null);
    // The last first: no number is under the one that it comes from, so none is overwritten before it has moved.
    for (from, to) in (FIRST..FIRST + wanted.len() as i32).zip(wanted).rev() {
        sys::duplicate_to(from, i32::from(*to)).or_refuse(layer, "moving one to its number")?;
    }
    let kept = wanted.iter().map(|to| i32::from(*to)).chain(ours.map(Fd::number));
    let mut free = FIRST;
    for number in kept {
        sys::close_range(free.unsigned_abs(), (number - 1).unsigned_abs()).or_refuse(layer, "close_range")?;
        free = number + 1;
    }
    sys::close_range(free.unsigned_abs(), u32::MAX).or_refuse(layer, "close_range")
}

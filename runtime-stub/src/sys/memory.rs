//! Memory that is handed out once and never given back; there is no allocator.

use super::call;
use super::start::Start;
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};
use linux_raw_sys::general as k;

/// The room that one launch works in; what is not touched costs nothing.
pub struct Room {
    /// For SEAL, and a byte to notice that it is too long.
    pub seal: [u8; capc_schemas::seal::MAX_BYTES + 1],
    /// For the manifest, likewise.
    pub manifest: [u8; capc_schemas::manifest::MAX_BYTES + 1],
    /// For the signature, likewise.
    pub signature: [u8; capc_schemas::sshsig::MAX_BYTES + 1],
    /// For the plan.
    pub arena: [u8; 4 << 20],
    /// For the trust record.
    pub record: [u8; capc_schemas::trust::RECORD_BYTES],
    /// For the service's process until its program runs.
    pub stack: Stack,
    /// For files on their way through.
    pub scratch: [u8; (1 << 20) + 1],
    /// For the identities of files that were hashed before.
    pub identities: [u8; IDENTITY_BYTES],
}

/// A stack for a process that shares this one's memory.
#[repr(align(4096))]
pub struct Stack(pub(super) [u8; 256 << 10]);

/// How long the list of identities may grow.
const IDENTITY_BYTES: usize = 320 << 10;

struct Once {
    taken: AtomicBool,
    room: UnsafeCell<Room>,
}

// SAFETY: `take_room` gives the cell's content away once only.
unsafe impl Sync for Once {}

static ROOM: Once = Once {
    taken: AtomicBool::new(false),
    room: UnsafeCell::new(Room {
        seal: [0; _],
        manifest: [0; _],
        signature: [0; _],
        arena: [0; _],
        record: [0; _],
        stack: Stack([0; _]),
        scratch: [0; _],
        identities: [0; _],
    }),
};

/// Returns the room, once.
pub fn take_room() -> Option<&'static mut Room> {
    if ROOM.taken.swap(true, Ordering::AcqRel) {
        return None;
    }
    // SAFETY: the swap lets one caller through, so there is no other reference.
    Some(unsafe { &mut *ROOM.room.get() })
}

/// A stack for a process that goes on for long and does little.
#[repr(align(4096))]
struct SmallStack(UnsafeCell<[u8; 32 << 10]>);

// SAFETY: nothing reads or writes it but the one process that `go_on_small` moves there.
unsafe impl Sync for SmallStack {}

static SMALL_STACK: SmallStack = SmallStack(UnsafeCell::new([0; _]));

/// Goes on in `next`, on a small stack, and gives the pages of the room and of the old stack back to the kernel.
///
/// For a process that is forked off to live on without all that it knew.
pub fn go_on_small(start: Start, next: extern "C" fn(usize) -> !, argument: usize) -> ! {
    let top = SMALL_STACK.0.get() as usize + size_of::<SmallStack>();
    // SAFETY: the stack is aligned and this process's alone, nobody returns to the old one, and `arrive` has the
    // convention that the registers are set for.
    unsafe {
        core::arch::asm!(
            "mov rsp, {top}",
            "xor ebp, ebp",
            "call {arrive}",
            "ud2",
            top = in(reg) top,
            arrive = sym arrive,
            in("rdi") next as *const (),
            in("rsi") argument,
            in("rdx") end_of_old_stack(start),
            options(noreturn),
        );
    }
}

const PAGE: usize = 4096;

/// Returns where the pages end that hold nothing but the old stack: on the others stands the command line, by which
/// everybody sees what the process is for.
fn end_of_old_stack(start: Start) -> usize {
    let first = start.arguments().next().map_or(usize::MAX, |argument| argument.as_ptr() as usize);
    ((start.address() & !(PAGE - 1)) + PAGE).min(first & !(PAGE - 1))
}

extern "C" fn arrive(next: extern "C" fn(usize) -> !, argument: usize, stack_end: usize) -> ! {
    const MOST_STACK: usize = 128 * PAGE;
    let advice = k::MADV_DONTNEED as usize;
    let room = ROOM.room.get() as usize;
    let (first, last) = (room.next_multiple_of(PAGE), (room + size_of::<Room>()) & !(PAGE - 1));
    // SAFETY: whole pages of the room and of the old stack, of which this process holds no reference any more: all that
    // it knows are the arguments of `next`. Below the old stack the kernel keeps a gap, so nothing else is there.
    unsafe {
        let _ = call(k::__NR_madvise, [first, last - first, advice]);
        let _ = call(k::__NR_madvise, [stack_end - MOST_STACK, MOST_STACK, advice]);
    }
    next(argument)
}

/// Hands out pieces of a buffer.
pub struct Arena<'m>(&'m mut [u8]);

impl<'m> Arena<'m> {
    /// Hands out pieces of this buffer.
    #[must_use]
    pub const fn new(buffer: &'m mut [u8]) -> Self {
        Self(buffer)
    }

    /// Returns so many bytes; none if they are not there.
    pub fn bytes(&mut self, count: usize) -> Option<&'m mut [u8]> {
        if count > self.0.len() {
            return None;
        }
        let (piece, rest) = core::mem::take(&mut self.0).split_at_mut_checked(count)?;
        self.0 = rest;
        Some(piece)
    }

    /// Returns so many values, all of them `fill` at first; none if they do not fit.
    pub fn list<T: Copy>(&mut self, count: usize, fill: T) -> Option<&'m mut [T]> {
        let padding = self.0.as_ptr().align_offset(align_of::<T>());
        let piece = self.bytes(count.checked_mul(size_of::<T>())?.checked_add(padding)?)?;
        let first = piece.get_mut(padding..)?.as_mut_ptr().cast::<T>();
        for index in 0..count {
            // SAFETY: the piece is aligned for `T` and has room for `count` of them.
            unsafe { first.add(index).write(fill) };
        }
        // SAFETY: all `count` values were just written, into a piece that nobody else has for `'m`.
        Some(unsafe { core::slice::from_raw_parts_mut(first, count) })
    }

    /// Keeps a value; none if it does not fit.
    pub fn keep<T>(&mut self, value: T) -> Option<&'m T> {
        let padding = self.0.as_ptr().align_offset(align_of::<T>());
        let place =
            self.bytes(size_of::<T>().checked_add(padding)?)?.get_mut(padding..)?.as_mut_ptr().cast::<T>();
        // SAFETY: the piece is aligned for `T`, has room for it, and nobody else has it for `'m`.
        Some(unsafe {
            place.write(value);
            &*place
        })
    }

    /// Returns a string of these bytes; none if there is a NUL among them or no room.
    pub fn string(&mut self, bytes: impl Iterator<Item = u8> + Clone) -> Option<&'m CStr> {
        let piece = self.bytes(bytes.clone().count() + 1)?;
        piece.iter_mut().zip(bytes.chain(core::iter::once(0))).for_each(|(place, byte)| *place = byte);
        CStr::from_bytes_with_nul(piece).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_overlap_and_end_where_the_buffer_ends() {
        let mut buffer = [0xff; 64];
        let mut arena = Arena::new(&mut buffer);
        let one = arena.bytes(3).unwrap();
        let two = arena.list(3, 7_u64).unwrap();
        let three = arena.string(b"abc".iter().copied()).unwrap();
        one.fill(1);
        assert_eq!((&*two, three), (&[7, 7, 7][..], c"abc"));
        assert_eq!(arena.list(1000, 0_u8), None);
        assert_eq!(arena.string(b"a\0b".iter().copied()), None);
    }

    #[test]
    fn the_room_is_given_once() {
        assert!(take_room().is_some());
        assert!(take_room().is_none());
    }
}

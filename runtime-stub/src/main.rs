//! The launcher as a program without a standard library: its first instruction, and what the compiler takes for granted.
//!
//! Unsafe code beside `sys`, since these symbols must be the program's own and not a library's.
#![no_std]
#![no_main]

use capc_launcher::sys::start::Start;
use capc_launcher::{launch, sys};

core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {entry}",
    "ud2",
    entry = sym entry,
);

extern "C" fn entry(stack: *const usize) -> ! {
    // SAFETY: `_start` hands on the stack pointer as the kernel set it.
    let start = unsafe { Start::from_stack(stack) };
    sys::exit(launch::main(start))
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::complain(b"capc launcher: refused: internal error, please report it\n");
    sys::exit(capc_launcher::refusal::REFUSED)
}

/// What the compiler calls for moving and comparing memory.
mod memory {
    use core::arch::asm;

    /// # Safety
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        // SAFETY: the caller vouches for `count` bytes at both.
        unsafe {
            asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
                options(nostack, preserves_flags));
        }
        to
    }

    /// # Safety
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        if (to as usize).wrapping_sub(from as usize) >= count {
            // SAFETY: going upwards, nothing is overwritten before it is read.
            return unsafe { memcpy(to, from, count) };
        }
        // SAFETY: the caller vouches for `count` bytes at both, and going downwards nothing is overwritten before it
        // is read; the direction is put back.
        unsafe {
            asm!("std", "rep movsb", "cld", inout("rcx") count => _,
                inout("rdi") to.wrapping_add(count).wrapping_sub(1) => _,
                inout("rsi") from.wrapping_add(count).wrapping_sub(1) => _, options(nostack));
        }
        to
    }

    /// # Safety
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
        // SAFETY: the caller vouches for `count` bytes.
        unsafe {
            asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") value as u8,
                options(nostack, preserves_flags));
        }
        to
    }

    /// # Safety
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
        for index in 0..count {
            // SAFETY: the caller vouches for `count` bytes at both.
            let (a, b) = unsafe { (*one.add(index), *other.add(index)) };
            if a != b {
                return i32::from(a) - i32::from(b);
            }
        }
        0
    }

    /// # Safety
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
        // SAFETY: as the caller's.
        unsafe { memcmp(one, other, count) }
    }

    /// # Safety
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn strlen(text: *const u8) -> usize {
        let mut length = 0;
        // SAFETY: the caller vouches for a NUL.
        while unsafe { text.add(length).read_volatile() } != 0 {
            length += 1;
        }
        length
    }
}

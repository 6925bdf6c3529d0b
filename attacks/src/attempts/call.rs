//! System calls, with their error as a number.

use crate::attempt::{Attempt, NO_EFFECT};
use std::ffi::{CString, c_long, c_void};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Returns the number of the error of the last system call.
pub fn last_error() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(NO_EFFECT)
}

/// Makes a system call; pointers are passed as numbers, and their targets must outlive the call.
pub fn call(number: c_long, arguments: [c_long; 6]) -> Result<c_long, i32> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: whatever the kernel makes of it, it happens in a child that ends soon.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result < 0 { Err(last_error()) } else { Ok(result) }
}

/// Makes a system call of which only its success matters.
pub fn tried(number: c_long, arguments: [c_long; 6]) -> Attempt {
    call(number, arguments).map(drop)
}

/// Returns what came of something that the standard library did.
pub fn io<T>(result: io::Result<T>) -> Attempt {
    result.map(drop).map_err(|error| error.raw_os_error().unwrap_or(NO_EFFECT))
}

/// Says that something succeeded if it is so.
pub fn so(is_so: bool) -> Attempt {
    if is_so { Ok(()) } else { Err(NO_EFFECT) }
}

/// Returns a path for the kernel.
pub fn c(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).unwrap_or_default()
}

/// Returns the address of something as an argument.
pub fn at<T: ?Sized>(target: &T) -> c_long {
    std::ptr::from_ref(target).cast::<c_void>() as c_long
}

/// Returns the address of a text as an argument.
pub fn text(text: &CString) -> c_long {
    text.as_ptr() as c_long
}

//! OpenSSH's sk-api.h: the calls that a library for tokens must have, and what they answer.

use crate::{Denial, Signed};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

/// The version of the interface (SSH_SK_VERSION_MAJOR of OpenSSH 8.9 and later).
const VERSION: u32 = 0x000a_0000;
/// The number of Ed25519 (SSH_SK_ED25519).
const ED25519: u32 = 1;

/// `struct sk_enroll_response`.
#[repr(C)]
pub struct EnrollResponse {
    flags: u8,
    public_key: *mut u8,
    public_key_len: usize,
    key_handle: *mut u8,
    key_handle_len: usize,
    signature: *mut u8,
    signature_len: usize,
    attestation_cert: *mut u8,
    attestation_cert_len: usize,
    authdata: *mut u8,
    authdata_len: usize,
}

/// `struct sk_sign_response`.
#[repr(C)]
pub struct SignResponse {
    flags: u8,
    counter: u32,
    sig_r: *mut u8,
    sig_r_len: usize,
    sig_s: *mut u8,
    sig_s_len: usize,
}

/// Returns the version of the interface.
#[unsafe(no_mangle)]
pub extern "C" fn sk_api_version() -> u32 {
    VERSION
}

/// Makes a key.
///
/// # Safety
/// As sk-api.h says: the PIN is null or a string, and the response may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_enroll(
    algorithm: u32,
    _challenge: *const u8,
    _challenge_len: usize,
    _application: *const c_char,
    flags: u8,
    pin: *const c_char,
    _options: *mut *mut c_void,
    response: *mut *mut EnrollResponse,
) -> c_int {
    if algorithm != ED25519 {
        return code(Denial::Unsupported);
    }
    // SAFETY: the caller's promise.
    let key = match crate::enroll(flags, unsafe { text(pin) }) {
        Ok(key) => key,
        Err(denial) => return code(denial),
    };
    let (public, handle) = (key.verifying_key().to_bytes(), key.to_bytes());
    let answer = EnrollResponse {
        flags,
        public_key: copy(&public),
        public_key_len: public.len(),
        key_handle: copy(&handle),
        key_handle_len: handle.len(),
        // Nobody attests to what this is.
        signature: copy(&[0]),
        signature_len: 1,
        attestation_cert: null_mut(),
        attestation_cert_len: 0,
        authdata: null_mut(),
        authdata_len: 0,
    };
    // SAFETY: the caller's promise.
    unsafe { put(response, answer) }
}

/// Signs.
///
/// # Safety
/// As sk-api.h says: data and handle are as long as is said, the application is a string, the PIN null or one, and the
/// response may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_sign(
    algorithm: u32,
    data: *const u8,
    data_len: usize,
    application: *const c_char,
    key_handle: *const u8,
    key_handle_len: usize,
    flags: u8,
    pin: *const c_char,
    _options: *mut *mut c_void,
    response: *mut *mut SignResponse,
) -> c_int {
    if algorithm != ED25519 {
        return code(Denial::Unsupported);
    }
    // SAFETY: the caller's promise.
    let (data, handle, application, pin) = unsafe {
        (
            std::slice::from_raw_parts(data, data_len),
            std::slice::from_raw_parts(key_handle, key_handle_len),
            CStr::from_ptr(application).to_bytes(),
            text(pin),
        )
    };
    let Signed { flags, counter, signature } = match crate::sign(handle, application, data, flags, pin) {
        Ok(signed) => signed,
        Err(denial) => return code(denial),
    };
    let (sig_r, sig_r_len) = (copy(&signature), signature.len());
    let answer = SignResponse { flags, counter, sig_r, sig_r_len, sig_s: null_mut(), sig_s_len: 0 };
    // SAFETY: the caller's promise.
    unsafe { put(response, answer) }
}

/// Says that it keeps no keys.
#[unsafe(no_mangle)]
pub extern "C" fn sk_load_resident_keys(
    _pin: *const c_char,
    _options: *mut *mut c_void,
    _keys: *mut c_void,
    _key_count: *mut usize,
) -> c_int {
    code(Denial::Unsupported)
}

/// Returns the number for it (SSH_SK_ERR_GENERAL and the like).
fn code(denial: Denial) -> c_int {
    match denial {
        Denial::General => -1,
        Denial::Unsupported => -2,
        Denial::Pin => -3,
    }
}

/// Returns a copy of some bytes that `free` gives back.
fn copy(bytes: &[u8]) -> *mut u8 {
    // SAFETY: the room is as long as what is copied there, and there is none where the allocator gave none.
    unsafe {
        let room = libc::malloc(bytes.len()).cast::<u8>();
        if !room.is_null() {
            room.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        room
    }
}

/// Answers with a structure that `free` gives back.
///
/// # Safety
/// The place may be written.
unsafe fn put<T>(place: *mut *mut T, answer: T) -> c_int {
    // SAFETY: the room is as large as the answer, and aligned for everything (malloc(3)).
    unsafe {
        let room = libc::malloc(size_of::<T>()).cast::<T>();
        if room.is_null() {
            return code(Denial::General);
        }
        room.write(answer);
        place.write(room);
    }
    0
}

/// Returns a string; none of a null pointer, or if it is not UTF-8.
///
/// # Safety
/// It is null or a string.
unsafe fn text<'a>(string: *const c_char) -> Option<&'a str> {
    // SAFETY: the caller's promise.
    (!string.is_null()).then(|| unsafe { CStr::from_ptr(string) }.to_str().ok())?
}

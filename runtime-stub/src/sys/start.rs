//! What the kernel puts on a new program's stack: arguments and environment.

use core::ffi::{CStr, c_char};

/// The arguments and the environment of this process.
#[derive(Copy, Clone)]
pub struct Start {
    arguments: &'static [*const c_char],
    environment: &'static [*const c_char],
}

impl Start {
    /// Reads what stands on the stack.
    ///
    /// # Safety
    /// `stack` must be the stack pointer as the kernel set it when it started this program.
    #[must_use]
    pub unsafe fn from_stack(stack: *const usize) -> Self {
        // SAFETY: there stand the number of arguments, so many addresses of strings and 0, then those of the
        // environment and 0; all of it lives as long as the process.
        unsafe {
            let count = *stack;
            let first = stack.add(1).cast::<*const c_char>();
            let variables = first.add(count + 1);
            let mut length = 0;
            while !(*variables.add(length)).is_null() {
                length += 1;
            }
            Self {
                arguments: core::slice::from_raw_parts(first, count),
                environment: core::slice::from_raw_parts(variables, length),
            }
        }
    }

    /// Returns where on the stack all this begins; what the program itself puts there lies below.
    pub(super) fn address(self) -> usize {
        self.arguments.as_ptr() as usize
    }

    /// Returns the arguments.
    pub fn arguments(self) -> impl Iterator<Item = &'static CStr> {
        // SAFETY: by `from_stack` these are addresses of strings that live as long as the process.
        self.arguments.iter().map(|string| unsafe { CStr::from_ptr(*string) })
    }

    /// Returns the environment, `NAME=VALUE` each.
    pub fn environment(self) -> impl Iterator<Item = &'static CStr> {
        // SAFETY: as above.
        self.environment.iter().map(|string| unsafe { CStr::from_ptr(*string) })
    }

    /// Returns the value of a variable.
    #[must_use]
    pub fn variable(self, name: &[u8]) -> Option<&'static CStr> {
        self.environment().find_map(|string| {
            let value = string.to_bytes_with_nul().strip_prefix(name)?.strip_prefix(b"=")?;
            CStr::from_bytes_with_nul(value).ok()
        })
    }
}

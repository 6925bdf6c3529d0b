//! Code that was not in the program.

use super::call::{at, c, call, io, so, text, tried};
use crate::aim::SUCCEED;
use crate::attempt::{Attack, attack};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

pub const ALL: &[Attack] = &[
    attack("execute a file in memory", |_| {
        let file = memory_file()?;
        let (empty, name, word) = (c(""), c("program"), c(SUCCEED));
        let arguments = [text(&name), text(&word), 0];
        let flags = i64::from(libc::AT_EMPTY_PATH);
        tried(libc::SYS_execveat, [file, text(&empty), at(&arguments), at(&[0i64]), flags, 0])
    }),
    attack("execute a file in memory by its path", |_| {
        let file = memory_file()?;
        let (path, name, word) = (c(format!("/proc/self/fd/{file}")), c("program"), c(SUCCEED));
        let arguments = [text(&name), text(&word), 0];
        tried(libc::SYS_execve, [text(&path), at(&arguments), at(&[0i64]), 0, 0, 0])
    }),
    attack("map a file in memory for execution", |_| {
        let file = memory_file()?;
        let protection = i64::from(libc::PROT_READ | libc::PROT_EXEC);
        tried(libc::SYS_mmap, [0, 4096, protection, i64::from(libc::MAP_PRIVATE), file, 0])
    }),
    attack("run what it wrote into memory", |_| {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let page = call(libc::SYS_mmap, [0, 4096, protection.into(), flags.into(), -1, 0])?;
        let page = std::ptr::with_exposed_provenance_mut::<u8>(page as usize);
        // `ret`.
        // SAFETY: the page is ours, and becomes a function that returns at once.
        unsafe { page.write(0xc3) };
        let executable = i64::from(libc::PROT_READ | libc::PROT_EXEC);
        tried(libc::SYS_mprotect, [page as i64, 4096, executable, 0, 0, 0])?;
        // SAFETY: as above.
        unsafe { std::mem::transmute::<*mut u8, extern "C" fn()>(page)() };
        Ok(())
    }),
    attack("write to its own code", |_| {
        let memory = OpenOptions::new().write(true).open("/proc/self/mem");
        let memory = memory.map_err(|error| error.raw_os_error().unwrap_or(0))?;
        io(memory.write_all_at(&[0xc3], untouched as fn() as usize as u64))
    }),
    attack("write to its own program", |_| io(OpenOptions::new().write(true).open("/proc/self/exe"))),
    attack("write to the program's file", |_| {
        let path = fs::read_link("/proc/self/exe").map_err(|error| error.raw_os_error().unwrap_or(0))?;
        io(OpenOptions::new().append(true).open(path))
    }),
    attack("write to a library", |_| {
        let maps =
            fs::read_to_string("/proc/self/maps").map_err(|error| error.raw_os_error().unwrap_or(0))?;
        let library = maps.split_ascii_whitespace().find(|word| word.contains("libc.so"));
        io(OpenOptions::new().append(true).open(library.ok_or(libc::ENOENT)?))
    }),
    attack("run other programs of the machine", |_| {
        so(std::process::Command::new("/usr/bin/id").stdout(std::process::Stdio::null()).status().is_ok())
    }),
    attack("be dumped to where the machine says", |_| {
        let mut limit = [0u64; 2];
        let place = std::ptr::from_mut(&mut limit) as i64;
        call(libc::SYS_prlimit64, [0, i64::from(libc::RLIMIT_CORE), 0, place, 0, 0])?;
        so(limit[1] != 0)
    }),
];

/// A file in memory that is this program.
fn memory_file() -> Result<i64, i32> {
    let name = c("program");
    let flags = [0, i64::from(libc::MFD_EXEC), i64::from(libc::MFD_NOEXEC_SEAL)];
    let made = flags.map(|flags| call(libc::SYS_memfd_create, [text(&name), flags, 0, 0, 0, 0]));
    let file = made.into_iter().fold(Err(0), Result::or)?;
    let program = fs::read("/proc/self/exe").map_err(|error| error.raw_os_error().unwrap_or(0))?;
    io(fs::write(format!("/proc/self/fd/{file}"), program))?;
    Ok(file)
}

/// What is overwritten when code can be.
#[inline(never)]
fn untouched() {
    std::hint::black_box(0);
}

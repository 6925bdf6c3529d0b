//! Parts of the kernel that few programs need and many attacks used.

use super::call::{at, c, call, text, tried};
use crate::attempt::{Attack, Attempt, attack};

/// The bit of the x32 interface in the number of a system call.
const X32: i64 = 0x4000_0000;

pub const ALL: &[Attack] = &[
    attack("set up an io_uring", |_| {
        let parameters = [0u64; 15];
        tried(libc::SYS_io_uring_setup, [4, at(&parameters), 0, 0, 0, 0])
    }),
    attack("make a map for bpf programs", |_| {
        // BPF_MAP_CREATE of an array: type 2, key 4 bytes, value 4 bytes, 1 entry (bpf(2)).
        let attributes = [2u32, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        tried(libc::SYS_bpf, [0, at(&attributes), 48, 0, 0, 0])
    }),
    attack("load a bpf program", |_| {
        // `r0 = 0; exit` as a socket filter.
        let (program, license) = ([0x0000_00b7u64, 0x0000_0095], c("GPL"));
        let attributes = [1u64 | 2 << 32, at(&program) as u64, text(&license) as u64, 0, 0, 0];
        tried(libc::SYS_bpf, [5, at(&attributes), 48, 0, 0, 0])
    }),
    attack("count events of the processor", |_| {
        let mut attributes = [0u64; 16];
        attributes[0] = 1 | 128 << 32;
        tried(libc::SYS_perf_event_open, [at(&attributes), 0, -1, -1, 0, 0])
    }),
    attack("count events of the kernel", |_| {
        let mut attributes = [0u64; 16];
        attributes[0] = 128 << 32;
        tried(libc::SYS_perf_event_open, [at(&attributes), -1, 0, -1, 0, 0])
    }),
    attack("handle page faults", |_| tried(libc::SYS_userfaultfd, [0; 6])),
    attack("keep a key in the kernel", |_| {
        let (kind, name) = (c("user"), c("capc-attack"));
        let session = i64::from(libc::KEY_SPEC_PROCESS_KEYRING);
        tried(libc::SYS_add_key, [text(&kind), text(&name), at(b"x"), 1, session, 0])
    }),
    attack("ask for a key", |_| {
        let (kind, name) = (c("user"), c("capc-attack"));
        match tried(libc::SYS_request_key, [text(&kind), text(&name), 0, 0, 0, 0]) {
            // ENOKEY: it looked.
            Err(libc::ENOKEY) => Ok(()),
            other => other,
        }
    }),
    attack("join a keyring", |_| {
        tried(libc::SYS_keyctl, [i64::from(libc::KEYCTL_JOIN_SESSION_KEYRING), 0, 0, 0, 0, 0])
    }),
    attack("load a module", |_| {
        let (image, parameters) = ([0u8; 64], c(""));
        reached(tried(libc::SYS_init_module, [at(&image), 64, text(&parameters), 0, 0, 0]), libc::ENOEXEC)
    }),
    attack("load a module from a file", |_| {
        let parameters = c("");
        reached(tried(libc::SYS_finit_module, [0, text(&parameters), 0, 0, 0, 0]), libc::EINVAL)
    }),
    attack("remove a module", |_| {
        let name = c("capc-attack");
        reached(tried(libc::SYS_delete_module, [text(&name), 0, 0, 0, 0, 0]), libc::ENOENT)
    }),
    attack("load another kernel", |_| {
        // No segments: that only unloads what nobody loaded (kexec_load(2)).
        tried(libc::SYS_kexec_load, [0; 6])
    }),
    attack("reboot", |_| {
        // "Ctrl-Alt-Del sends a signal", which it does already where it matters (reboot(2)).
        let magic = [0xfee1_dead_u32, 672_274_793].map(i64::from);
        tried(libc::SYS_reboot, [magic[0], magic[1], 0, 0, 0, 0])
    }),
    attack("swap to a file", |_| {
        let path = c("/nonexistent");
        reached(tried(libc::SYS_swapon, [text(&path), 0, 0, 0, 0, 0]), libc::ENOENT)
    }),
    attack("name the machine", |_| {
        let mut names = [0u8; 390];
        call(libc::SYS_uname, [names.as_mut_ptr() as i64, 0, 0, 0, 0, 0])?;
        let name = names.get(65..130).unwrap_or_default();
        let length = name.iter().position(|byte| *byte == 0).unwrap_or(0);
        tried(libc::SYS_sethostname, [at(name), length as i64, 0, 0, 0, 0])
    }),
    attack("name the machine's domain", |_| {
        let name = c("(none)");
        tried(libc::SYS_setdomainname, [text(&name), 6, 0, 0, 0, 0])
    }),
    attack("set the clock", |_| {
        let mut now = [0i64; 2];
        call(libc::SYS_clock_gettime, [0, now.as_mut_ptr() as i64, 0, 0, 0, 0])?;
        tried(libc::SYS_clock_settime, [0, at(&now), 0, 0, 0, 0])
    }),
    attack("set the day", |_| {
        let zone = [0i32; 2];
        tried(libc::SYS_settimeofday, [0, at(&zone), 0, 0, 0, 0])
    }),
    attack("adjust the clock", |_| {
        // ADJ_TICK with the usual tick of 10,000 µs (adjtimex(2)).
        let mut adjustment = [0i64; 26];
        adjustment[0] = 0x4000;
        adjustment[11] = 10_000;
        tried(libc::SYS_adjtimex, [at(&adjustment), 0, 0, 0, 0, 0])
    }),
    attack("wake the machine up", |_| {
        let timer = 0i32;
        tried(libc::SYS_timer_create, [i64::from(libc::CLOCK_REALTIME_ALARM), 0, at(&timer), 0, 0, 0])
    }),
    attack("have processes accounted", |_| tried(libc::SYS_acct, [0; 6])),
    attack("set quotas", |_| {
        let (command, device) = (0x0080_0001_i64 << 8, c("/nonexistent"));
        reached(tried(libc::SYS_quotactl, [command, text(&device), 0, 0, 0, 0]), libc::ENOENT)
    }),
    attack("read the kernel's log", |_| {
        let buffer = [0u8; 64];
        tried(libc::SYS_syslog, [3, at(&buffer), 64, 0, 0, 0])
    }),
    attack("use the processor's ports", |_| tried(libc::SYS_iopl, [3, 0, 0, 0, 0, 0])),
    attack("use one of its ports", |_| tried(libc::SYS_ioperm, [0x80, 1, 1, 0, 0, 0])),
    attack("describe segments to the processor", |_| {
        let entry = [0u32, 0, 0, 0x51];
        tried(libc::SYS_modify_ldt, [1, at(&entry), 16, 0, 0, 0])
    }),
    attack("watch a whole file system", |_| tried(libc::SYS_fanotify_init, [0; 6])),
    attack("hide memory from the kernel", |_| tried(libc::SYS_memfd_secret, [0; 6])),
    attack("change how programs are loaded", |_| {
        tried(libc::SYS_personality, [i64::from(libc::READ_IMPLIES_EXEC), 0, 0, 0, 0, 0])
    }),
    attack("count a module's users", |_| tried(libc::SYS_sysfs, [3, 0, 0, 0, 0, 0])),
    attack("listen to what others do", |_| {
        // A filter that hands a call to a listener (seccomp(2), SECCOMP_FILTER_FLAG_NEW_LISTENER).
        let program = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }];
        let filter = libc::sock_fprog { len: 1, filter: program.as_ptr().cast_mut() };
        tried(libc::SYS_seccomp, [1, 8, at(&filter), 0, 0, 0])
    }),
    attack("call as an x32 program", |_| tried(X32 | libc::SYS_getppid, [0; 6])),
    attack("call as a 32-bit program", |_| {
        let result: i64;
        // SAFETY: getpid, number 20 of the 32-bit interface, changes nothing; on x86-64 the call keeps all
        // registers but rax and r8 to r11.
        unsafe {
            std::arch::asm!(
                "int 0x80", inlateout("rax") 20i64 => result,
                lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
            );
        }
        if result > 0 { Ok(()) } else { Err(-result as i32) }
    }),
];

/// Where a call fails for its arguments only after it was allowed, that error shows that it was.
fn reached(attempt: Attempt, allowed: i32) -> Attempt {
    match attempt {
        Err(number) if number == allowed => Ok(()),
        other => other,
    }
}

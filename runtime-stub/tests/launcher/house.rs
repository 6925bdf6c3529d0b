//! What the program itself can do besides, and what it is made of.

use crate::generation::{USER, bare_launcher};
use crate::world::{Caller, World};
use std::os::unix::process::CommandExt;
use std::process::Command;

fn said(command: &mut Command) -> (String, Option<i32>) {
    let output = command.output().unwrap();
    (String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(), output.status.code())
}

#[test]
fn the_doctor_finds_every_layer_here() {
    let (text, status) = said(Command::new(bare_launcher()).arg("--doctor"));
    assert_eq!(status, Some(0), "{text}");
    assert!(text.lines().all(|line| line.contains(" ok")), "{text}");
    for layer in ["mount namespace", "pid namespace", "proc", "id-mapped mount", "landlock ok ABI", "seccomp"]
    {
        assert!(text.contains(layer), "{text}");
    }
    let (text, status) = said(Command::new(bare_launcher()).arg("--doctor").uid(USER).gid(USER));
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("id-mapped mount missing") && text.matches(" missing").count() == 1, "{text}");
}

#[test]
fn the_doctor_names_what_is_missing() {
    // A kernel without Landlock, and Linux 6.1.
    for (injected, found) in [
        ("error=EOPNOTSUPP", "landlock_create_ruleset: not supported (EOPNOTSUPP)"),
        ("retval=2", "the kernel's ABI: it is 2, and at least 3 is needed"),
    ] {
        let mut strace = Command::new("strace");
        let inject = format!("inject=landlock_create_ruleset:{injected}");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &inject]);
        let (text, status) = said(strace.arg(bare_launcher()).arg("--doctor"));
        assert_eq!(status, Some(1), "{text}");
        assert!(text.contains(&format!("landlock missing landlock: {found}\n")), "{text}");
        assert_eq!(text.matches(" missing").count(), 1, "{text}");
    }
}

#[test]
fn entering_hides_mounts_and_makes_a_plain_user_root_of_itself() {
    let script = ["/bin/sh", "-c", "id -u; mount -t tmpfs none /mnt && echo mounted"];
    let mut root = Command::new(bare_launcher());
    assert_eq!(said(root.args(["--enter", "root"]).args(script)), ("0\nmounted\n".into(), Some(0)));
    let mut user = Command::new(bare_launcher());
    let user = user.args(["--enter", "user"]).args(script).uid(USER).gid(USER);
    assert_eq!(said(user), ("0\nmounted\n".into(), Some(0)));
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(" /mnt tmpfs"));
    let mut none = Command::new(bare_launcher());
    let (text, status) = said(none.args(["--enter", "root", "/none"]));
    assert_eq!((text.lines().count(), status), (1, Some(127)), "{text}");
}

// STYLE.md: "The stub's tree is `capc-schemas` and the kernel binding"; the trust root adds the arithmetic.
#[test]
fn the_launcher_is_made_of_little() {
    let manifest = include_str!("../../Cargo.toml");
    let (_, rest) = manifest.split_once("[dependencies]\n").unwrap();
    let dependencies: Vec<&str> =
        rest.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(dependencies, ["capc-schemas", "ed25519-dalek", "linux-raw-sys", "sha2"]);
}

#[test]
fn the_program_is_small_static_and_has_one_empty_record() {
    let image = std::fs::read(bare_launcher()).unwrap();
    assert!(image.len() <= 200_000, "{} bytes", image.len());
    // An executable at fixed addresses (ET_EXEC) without an interpreter (PT_INTERP is 3).
    assert_eq!(image[16..18], [2, 0]);
    let headers = image[64..].chunks(56).take(usize::from(image[56]));
    assert!(headers.clone().count() > 0 && headers.into_iter().all(|header| header[0] != 3));
    let magic = capc_schemas::trust::MAGIC;
    let at = image.windows(16).position(|bytes| bytes == magic).unwrap();
    assert!(image[at + 16..at + capc_schemas::trust::RECORD_BYTES].iter().all(|byte| *byte == 0));
    assert_eq!(image.windows(16).filter(|bytes| *bytes == magic).count(), 1);
}

#[test]
fn a_start_needs_less_than_a_mebibyte() {
    let store = World::program(Caller::Root, &["/bin/sleep", "1000"]).store();
    let mut child = store.waiting(Caller::Root).spawn().unwrap();
    let file = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap();
    // It waits for signals (rt_sigtimedwait is 128) once the service runs, and has then done all that it does.
    while !file("syscall").starts_with("128 ") {
        std::thread::yield_now();
    }
    let status = file("status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u32 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(peak <= 1024, "{peak} KiB");
}

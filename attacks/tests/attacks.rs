//! Attacks from inside of worlds: what is open is known, and explained in `docs/security.md`.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use capc_attacks::outside::Outside;
use capc_attacks::report::{Line, open};
use capc_attacks::world;
use std::io;
use std::path::{Path, PathBuf};

/// What is open in a world, with all layers.
const KNOWN: [&str; 4] = [
    "what was given: connect to a socket in the directory",
    "code: map a file in memory for execution",
    "code: run what it wrote into memory",
    "limits: fill memory files",
];

fn capc() -> PathBuf {
    // Built beside the program that attacks, by the same command.
    let capc = Path::new(env!("CARGO_BIN_EXE_capc-attacks")).with_file_name("capc");
    assert!(capc.exists(), "`{}` is not built: run the tests with `--workspace`", capc.display());
    capc
}

/// Runs attacks with a place of their own, not below /tmp, where every world has its own; none where this is not root.
fn attack(name: &str, run: impl FnOnce(&mut Outside) -> io::Result<Vec<Line>>) -> Option<Vec<Line>> {
    // SAFETY: only returns a number.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("not tried: {name} (run the tests as root)");
        return None;
    }
    let base = PathBuf::from(format!("/srv/capc-attack-{}-{name}", std::process::id()));
    let mut outside = Outside::new(&base, Path::new(env!("CARGO_BIN_EXE_capc-attacks"))).unwrap();
    Some(run(&mut outside).unwrap())
}

#[track_caller]
fn only_known(lines: &[Line]) {
    assert!(lines.len() >= 150, "{} were tried", lines.len());
    let unknown: Vec<&Line> =
        lines.iter().filter(|line| line.open && !KNOWN.contains(&line.name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn outside_of_every_world_most_attacks_succeed() {
    let Some(lines) = attack("nothing", world::nothing) else { return };
    assert!(open(&lines).len() > 200, "{:#?}", lines.iter().filter(|line| !line.open).collect::<Vec<_>>());
}

#[test]
fn in_a_world_only_what_is_known_succeeds_as_root() {
    let Some(lines) = attack("root", |outside| world::capc(&capc(), outside)) else { return };
    only_known(&lines);
}

#[test]
fn in_a_world_only_what_is_known_succeeds_as_a_plain_user() {
    let Some(lines) = attack("plain", |outside| world::capc_of_a_user(&capc(), outside)) else { return };
    only_known(&lines);
}

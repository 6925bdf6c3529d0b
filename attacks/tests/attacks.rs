//! Attacks from inside of worlds: what is open is known, and explained in `docs/security.md`.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use capc_attacks::known::{MOST, known, unknown};
use capc_attacks::outside::Outside;
use capc_attacks::report::{Line, open};
use capc_attacks::unit;
use capc_attacks::world::{self, LEAST_ABI, Landlock, Maker};
use std::io;
use std::path::{Path, PathBuf};

const PROGRAM: &str = env!("CARGO_BIN_EXE_capc-attacks");
/// All attempts; the last one may be the end of everything where control groups limit memory.
const TRIED: usize = 266;

fn capc() -> PathBuf {
    // Built beside the program that attacks, by the same command.
    let capc = Path::new(PROGRAM).with_file_name("capc");
    assert!(capc.exists(), "`{}` is not built: run the tests with `--workspace`", capc.display());
    capc
}

fn needs_root(what: &str) -> bool {
    // SAFETY: only returns a number.
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root {
        eprintln!("not tried: {what} (run the tests as root)");
    }
    is_root
}

/// Returns a place of a test's own, not below /tmp, where every world has its own.
fn base(name: &str) -> PathBuf {
    PathBuf::from(format!("/srv/capc-attack-{}-{name}", std::process::id()))
}

/// Runs attacks with a place of their own; none where this is not root.
fn attack(
    name: &str,
    run: impl FnOnce(&mut Outside) -> io::Result<Vec<Line>>,
) -> Option<io::Result<Vec<Line>>> {
    let mut outside = needs_root(name).then(|| Outside::new(&base(name), Path::new(PROGRAM)).unwrap())?;
    Some(run(&mut outside))
}

/// Runs the attacks in a world of capc's: only what is known may succeed.
#[track_caller]
fn check(name: &str, maker: Maker, landlock: Landlock) -> Vec<Line> {
    let Some(lines) = attack(name, |outside| world::capc(&capc(), outside, maker, landlock)) else {
        return Vec::new();
    };
    let lines = lines.unwrap();
    assert!(lines.len() >= TRIED, "{} were tried", lines.len());
    let unknown = unknown(&lines, maker, landlock);
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(open(&lines).len() <= MOST);
    lines
}

#[test]
fn outside_of_every_world_most_attacks_succeed() {
    let Some(lines) = attack("nothing", world::nothing) else { return };
    let lines = lines.unwrap();
    assert!(open(&lines).len() > 200, "{:#?}", lines.iter().filter(|line| !line.open).collect::<Vec<_>>());
}

#[test]
fn in_a_world_only_what_is_known_succeeds_as_root() {
    check("root", Maker::Root, Landlock::Whole);
}

#[test]
fn in_a_world_only_what_is_known_succeeds_as_a_plain_user() {
    check("plain", Maker::User, Landlock::Whole);
}

#[test]
fn with_the_least_landlock_that_the_manifest_allows_no_more_than_five_succeed_as_root() {
    check("root-least", Maker::Root, Landlock::Abi(LEAST_ABI));
}

#[test]
fn with_the_least_landlock_that_the_manifest_allows_no_more_than_five_succeed_as_a_plain_user() {
    let lines = check("plain-least", Maker::User, Landlock::Abi(LEAST_ABI));
    // By that it is seen that it was no newer one.
    let is_signalled = |line: &Line| line.open && line.name == "processes: signal the first process";
    assert!(lines.is_empty() || lines.iter().any(is_signalled));
}

#[test]
fn with_less_landlock_nothing_starts() {
    for (name, maker) in [("root-less", Maker::Root), ("plain-less", Maker::User)] {
        let landlock = Landlock::Abi(LEAST_ABI - 1);
        let Some(lines) = attack(name, |outside| world::capc(&capc(), outside, maker, landlock)) else {
            return;
        };
        let refused = lines.unwrap_err().to_string();
        assert!(refused.contains("the kernel's ABI: it is 3, and at least 4 is needed"), "{refused}");
    }
}

#[test]
fn in_a_hardened_unit_of_systemd_more_succeeds() {
    if !needs_root("a hardened unit") {
        return;
    }
    let (lines, judged) = unit::systemd(&base("systemd"), Path::new(PROGRAM)).unwrap();
    assert!(lines.len() >= TRIED && judged.contains(" SAFE"), "{} {judged}", lines.len());
    // It is in force.
    for closed in
        ["files outside: read a file", "network: connect over TCP", "privileges: run without its filter"]
    {
        assert!(lines.iter().any(|line| line.name == closed && !line.open), "{closed}");
    }
    assert!(open(&lines).len() > MOST, "{:#?}", open(&lines));
}

#[test]
fn whatever_is_open_is_explained() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/security.md");
    let page = std::fs::read_to_string(page).unwrap();
    for name in known(Maker::User, Landlock::Abi(LEAST_ABI)) {
        assert!(page.contains(&format!("- **{name}**")), "{name}");
    }
}

//! Measures capc beside other programs: `cargo run --release -p capc-bench [RUNS]`.
//!
//! Everything measured is a process of its own, and what is compared runs in turn, so that a machine that is busy with
//! other things is busy for both. `docs/performance.md` has the figures of one run.
#![forbid(unsafe_code)]

mod bubblewrap;
mod generate;
mod inside;
mod peers;
mod process;
mod starts;
mod worlds;

use generate::Additions;
use process::{Clock, Run, Task};
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

const MEGABYTE: usize = 1_000_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        [] => everything(5),
        ["--inside", work] => inside_out(work, None),
        ["--inside", work, file] => inside_out(work, Some(file)),
        ["--starts", capc] => alone(capc, |capc, at| starts::rows(capc, at, 60)),
        ["--worlds", capc] => alone(capc, |capc, at| worlds::rows(capc, at, 200)),
        ["--generate", directory] => generate_all(Path::new(directory)),
        [runs] => runs.parse().map_err(Into::into).and_then(everything),
        _ => Err("usage: capc-bench [RUNS] | --starts CAPC | --worlds CAPC | --generate DIRECTORY".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("capc-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn inside_out(work: &str, file: Option<&str>) -> Result<(), Box<dyn Error>> {
    println!("{}", inside::run(work, file)?.as_micros());
    Ok(())
}

/// Writes every input into a directory.
fn generate_all(at: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(at)?;
    generate::text(&at.join("5mb.kdl"), 5 * MEGABYTE)?;
    generate::text(&at.join("50mb.kdl"), 50 * MEGABYTE)?;
    generate::graph(&at.join("graph.kdl"), 5_000)?;
    peers::dinit(&at.join("dinit"), 5_000)?;
    peers::systemd(&at.join("systemd"), 5_000)?;
    let plain = Additions::default();
    generate::holdings(&at.join("10k.kdl"), 10_000, plain)?;
    generate::sealable(&at.join("sealed.kdl"), 10_000)?;
    generate::holdings(&at.join("100k.kdl"), 100_000, plain)?;
    generate::holdings(&at.join("100k-granted.kdl"), 100_000, Additions { grant: true, ..plain })?;
    generate::holdings(&at.join("100k-asserted.kdl"), 100_000, Additions { assertions: 1_000, ..plain })?;
    generate::sealable(&at.join("many.kdl"), 200)?;
    let more =
        std::fs::read_to_string(at.join("many.kdl"))? + "service more { run \"/usr/bin/true\"; oneshot; }\n";
    std::fs::write(at.join("many-and-one.kdl"), more)?;
    generate::grants(&at.join("grants.kdl"), 25_000, None)?;
    generate::grants(&at.join("grants-changed.kdl"), 25_000, Some(12_500))?;
    Ok(())
}

/// Measures everything in groups; what is in one group runs in turn.
fn everything(runs: usize) -> Result<(), Box<dyn Error>> {
    let program = build()?;
    let at = std::env::temp_dir().join(format!("capc-bench-{}", std::process::id()));
    generate_all(&at)?;
    seal(&program, &at)?;
    println!(
        "{runs} runs each after one that does not count; medians, and medians of the ratios run by run\n"
    );
    println!("| what | time | memory | ratio |\n| --- | ---: | ---: | ---: |");
    let own = std::env::current_exe()?;
    let file = |name: &str| at.join(name).into_os_string();
    let inside = |name: &str, work: &str, input: Option<&str>| Task {
        name: name.to_owned(),
        command: [own.clone().into_os_string(), "--inside".into(), work.into()]
            .into_iter()
            .chain(input.map(file))
            .collect(),
        environment: Vec::new(),
        clock: Clock::Inside,
    };
    let outside = |name: &str, command: Vec<OsString>, environment: Vec<(&'static str, OsString)>| Task {
        name: name.to_owned(),
        command,
        environment,
        clock: Clock::Outside,
    };
    let capc = |name: &str, words: &[&str], files: &[&str]| {
        let words = words.iter().map(OsString::from).chain(files.iter().map(|name| file(name)));
        outside(name, std::iter::once(program.clone().into_os_string()).chain(words).collect(), Vec::new())
    };
    let mut peers = vec![capc("`capc check`, 5,000 services in a graph", &["check"], &["graph.kdl"])];
    if let Some(systemd) = find("systemd-analyze") {
        let command = vec![systemd.into(), "verify".into(), "--man=no".into(), file("systemd/all.target")];
        let environment = vec![("SYSTEMD_UNIT_PATH", file("systemd"))];
        peers.push(outside("`systemd-analyze verify`, the same", command, environment));
        let from = ["check", "--from", "systemd"];
        peers.push(capc(
            "`capc check --from systemd`, the units that it reads",
            &from,
            &["systemd/all.target"],
        ));
    }
    if let Some(dinit) = find("dinit-check") {
        let command = vec![dinit.into(), "-d".into(), file("dinit"), "all".into()];
        peers.push(outside("`dinit-check`, the same", command, Vec::new()));
    }
    let [key, same, other] =
        ["key", "same", "other"].map(|name| at.join(name).to_string_lossy().into_owned());
    let reconfigure = |name: &str, store: &str, file: &str| {
        capc(name, &["reconfigure", "--yes", "--key", &key, "--store", store], &[file])
    };
    let keygen = |name: &str, words: &str| {
        let line = format!("ssh-keygen -q -Y sign -n capc.system.v1 -f {key} {words}");
        outside(name, vec!["sh".into(), "-c".into(), line.into()], Vec::new())
    };
    let groups = [
        vec![
            reconfigure(
                "`capc reconfigure`, 200 services, nothing changed, with its signer",
                &same,
                "many.kdl",
            ),
            keygen("that signer alone, `ssh-keygen -Y sign`", &format!("< {same}/current/SEAL > /dev/null")),
        ],
        vec![
            reconfigure(
                "`capc reconfigure`, 200 services and one more, with its signer",
                &other,
                "many-and-one.kdl",
            ),
            reconfigure("the same and one less", &other, "many.kdl"),
        ],
        vec![
            inside("reading 5 MB of KDL", "read", Some("5mb.kdl")),
            inside("the `kdl` crate, the same", "read-kdl", Some("5mb.kdl")),
        ],
        vec![inside("reading 50 MB of KDL", "read", Some("50mb.kdl"))],
        peers,
        vec![
            inside("components of 100,000 vertices, 1,000,000 edges", "components", None),
            inside("`petgraph`, the same", "components-petgraph", None),
        ],
        vec![
            capc("`capc check`, 100,000 services, 1,000,000 holdings", &["check"], &["100k.kdl"]),
            capc("the same with 1,000 assertions", &["check"], &["100k-asserted.kdl"]),
        ],
        vec![
            capc("`capc why`, 10,000 services", &["why", "s9000", "s3.api", "--config"], &["sealed.kdl"]),
            capc("the same from a generation's index", &["why", "s9000", "s3.api", "--store"], &["store"]),
        ],
        vec![capc(
            "`capc diff`, 100,000 grants, one changed",
            &["diff"],
            &["grants.kdl", "grants-changed.kdl"],
        )],
    ];
    for group in groups {
        rows(&group, runs)?;
    }
    for (program, package) in [("systemd-analyze", "systemd"), ("dinit-check", "dinit")] {
        if find(program).is_none() {
            println!("\n`{program}` (package {package}) is not on this machine.");
        }
    }
    starts::rows(&program, &at, 40 * runs)?;
    std::fs::remove_dir_all(&at)?;
    Ok(())
}

/// Measures one thing alone, with a capc that is built already: its launcher is a release build in any case.
fn alone(
    capc: &str,
    measure: impl FnOnce(&Path, &Path) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    // Not below /tmp, where every world has a place of its own.
    let at = PathBuf::from(format!("/srv/capc-bench-{}", std::process::id()));
    std::fs::create_dir_all(&at)?;
    let result = measure(&std::path::absolute(capc)?, &at);
    std::fs::remove_dir_all(&at)?;
    result
}

/// Seals a generation of 10,000 services with a key of its own.
fn seal(capc: &Path, at: &Path) -> Result<(), Box<dyn Error>> {
    let keygen = ["-q", "-t", "ed25519", "-N", "", "-f", "key"];
    let made = Command::new("ssh-keygen").args(keygen).current_dir(at).status()?;
    let words = ["reconfigure", "sealed.kdl", "--store", "store", "--key", "key", "--yes"];
    let sealed = Command::new(capc).args(words).current_dir(at).output()?;
    match made.success() && sealed.status.success() {
        true => Ok(()),
        false => Err(format!("cannot seal: {}", String::from_utf8_lossy(&sealed.stderr)).into()),
    }
}

/// Runs the tasks of a group in turn and prints a row of each; ratios are to the first.
fn rows(group: &[Task], runs: usize) -> Result<(), Box<dyn Error>> {
    let mut found: Vec<Vec<Run>> = vec![Vec::new(); group.len()];
    for round in 0..=runs {
        for (task, found) in group.iter().zip(&mut found) {
            let run = process::run(task).map_err(|error| format!("{}: {error}", task.name))?;
            if round > 0 {
                found.push(run);
            }
        }
    }
    let first = found.first().cloned().unwrap_or_default();
    for (task, found) in group.iter().zip(&found) {
        let took = median(found.iter().map(|run| run.took.as_secs_f64()));
        let memory = median(found.iter().map(|run| run.memory as f64)) / MEGABYTE as f64;
        let ratios = found.iter().zip(&first).map(|(run, first)| ratio(run.took, first.took));
        println!("| {} | {:.1} ms | {memory:.0} MB | {:.1} |", task.name, took * 1000.0, median(ratios));
    }
    Ok(())
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Builds capc itself beside this program.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", "capc", "--manifest-path"])
        .arg(manifest)
        .status()?;
    let capc = std::env::current_exe()?.with_file_name("capc");
    match status.success() && capc.is_file() {
        true => Ok(capc),
        false => Err("capc does not build; run this with `--release`".into()),
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|program| program.is_file())
}

//! What a start costs: its verification, and what keeps its code from changing, level by level.

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::WaitOptions;
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

/// As many files as a service of some size is made of, with its program, loader and C library, and as large.
const FILES: usize = 39;
const FILE_BYTES: usize = 500_000;
/// How many services are sealed together.
const SERVICES: usize = 200;

/// One way of starting, run in turn with the others.
pub struct Start {
    name: String,
    command: Vec<PathBuf>,
    /// What is removed before each run.
    without: Option<PathBuf>,
    input: Option<PathBuf>,
    /// Whether the program is a launcher whose service is to be waited for, a child of ours as it would be of an init.
    launches: bool,
    /// Files that it is passed, and the numbers by which.
    files: Vec<(i32, PathBuf)>,
    /// Elapsed, and of the processor.
    pub took: Vec<(Duration, Duration)>,
}

impl Start {
    /// Returns a way of starting that was not run yet.
    pub fn of(name: &str, command: Vec<PathBuf>) -> Self {
        let name = name.to_owned();
        Self {
            name,
            command,
            without: None,
            input: None,
            launches: false,
            files: Vec::new(),
            took: Vec::new(),
        }
    }

    /// Passes it files, by these numbers.
    pub fn with_files(self, files: Vec<(i32, PathBuf)>) -> Self {
        Self { files, ..self }
    }

    /// Waits, as an init does, for the service itself, which the launcher makes our child.
    pub fn waited_for_by_an_init(self) -> Self {
        Self { launches: true, ..self }
    }
}

/// Returns how long it took, in milliseconds: the median of the times that it was run.
pub fn elapsed(start: &Start) -> f64 {
    super::median(start.took.iter().map(|took| took.0.as_secs_f64() * 1000.0))
}

/// Measures starts and prints a row for each; says so when it cannot.
pub fn rows(capc: &Path, at: &Path, rounds: usize) -> Result<(), Box<dyn Error>> {
    let uid = Command::new("id").arg("-u").output()?.stdout;
    if uid != b"0\n" {
        println!("\nStarts are measured as root.");
        return Ok(());
    }
    let code = at.join("code");
    write_code(&code)?;
    let sealed =
        |name: &str, level: &str, services: usize| seal(capc, &at.join(name), &many(&code, level, services));
    bind_read_only(&code)?;
    let result = (|| -> Result<Vec<Start>, Box<dyn Error>> {
        let one = sealed("one", "store", 1)?;
        let many = sealed("many", "store", SERVICES)?;
        let pinned = sealed("pinned", "pinned", SERVICES)?;
        let memfd = sealed("memfd", "memfd", SERVICES)?;
        let cache = PathBuf::from("/run/capc/identities");
        let mut starts = vec![
            start("a start, 42 files of 20 MB in a `store`, one service sealed", &one),
            start("the same, 200 services sealed", &many),
            start("the same, `pinned` and unchanged", &pinned),
            Start { without: Some(cache), ..start("the same, `pinned` and hashed", &pinned) },
            start("the same, `memfd`", &memfd),
            verify(&at.join("many"))?,
            sums(&code)?,
        ];
        // A file is remembered once its last change is two seconds ago.
        std::thread::sleep(Duration::from_secs(3));
        for round in 0..=rounds {
            for one in &mut starts {
                let took = time(one)?;
                if round > 0 {
                    one.took.push(took);
                }
            }
        }
        Ok(starts)
    })();
    let _ = Command::new("umount").arg(&code).status();
    println!("\n| what, {rounds} times in turn | elapsed | processor | beside the first |");
    println!("| --- | ---: | ---: | ---: |");
    let starts = result?;
    let processor =
        |start: &Start| super::median(start.took.iter().map(|took| took.1.as_secs_f64() * 1000.0));
    let first = starts.first().map_or(0.0, processor);
    for start in &starts {
        let (elapsed, processor) = (elapsed(start), processor(start));
        let more = processor - first;
        println!("| {} | {elapsed:.2} ms | {processor:.2} ms | {more:+.2} ms |", start.name);
    }
    Ok(())
}

fn write_code(code: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(code)?;
    let mut numbers = crate::generate::Numbers::new();
    for number in 0..FILES {
        let bytes: Vec<u8> = (0..FILE_BYTES).map(|_| numbers.below(256) as u8).collect();
        fs::write(code.join(format!("part{number}")), bytes)?;
    }
    Ok(())
}

fn bind_read_only(code: &Path) -> Result<(), Box<dyn Error>> {
    let bound = Command::new("mount").args(["--bind", "-o", "ro"]).args([code, code]).status()?;
    if bound.success() { Ok(()) } else { Err("nothing can be mounted read-only here".into()) }
}

/// Returns the text of a system of so many services that are made of this code.
fn many(code: &Path, level: &str, services: usize) -> String {
    let mut text =
        format!("system bench\ncode \"/usr\" \"{0}\"\nintegrity {level} \"{0}\"\n", code.display());
    let parts: String = (0..FILES).map(|number| format!(" \"{}/part{number}\"", code.display())).collect();
    for number in 0..services {
        text += &format!("service s{number} {{ run \"/bin/true\"; oneshot; image{parts}; }}\n");
    }
    text
}

/// Seals a system in a store of its own; returns the launcher and the generation.
pub fn seal(capc: &Path, at: &Path, text: &str) -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    fs::create_dir_all(at)?;
    fs::write(at.join("system.kdl"), text)?;
    let key = at.join("key");
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key))?;
    let mut reconfigure = Command::new(capc);
    reconfigure.args([
        "reconfigure",
        "system.kdl",
        "--init",
        "none",
        "--store",
        "store",
        "--key",
        "key",
        "--yes",
    ]);
    run(reconfigure.current_dir(at))?;
    let trust = at.join("store/trust");
    Ok((trust.join(fs::read_link(trust.join("1"))?), at.join("store/generations/1")))
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.stdin(Stdio::null()).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

fn start(name: &str, (launcher, generation): &(PathBuf, PathBuf)) -> Start {
    Start::of(name, vec![launcher.clone(), "--wait".into(), generation.clone(), "s0".into()])
}

/// `ssh-keygen` verifies the same SEAL.
fn verify(at: &Path) -> Result<Start, Box<dyn Error>> {
    let public = fs::read_to_string(at.join("key.pub"))?;
    let mut allowed = fs::File::create(at.join("allowed"))?;
    write!(allowed, "root {public}")?;
    let generation = at.join("store/generations/1");
    let words = ["ssh-keygen", "-Y", "verify", "-n", "capc.system.v1", "-I", "root", "-f"].map(PathBuf::from);
    let rest = [at.join("allowed"), "-s".into(), generation.join("SEAL.sig")];
    Ok(Start {
        name: "`ssh-keygen -Y verify` of 200 services".into(),
        command: words.into_iter().chain(rest).collect(),
        without: None,
        input: Some(generation.join("SEAL")),
        launches: false,
        files: Vec::new(),
        took: Vec::new(),
    })
}

/// `sha256sum` hashes the same code.
fn sums(code: &Path) -> Result<Start, Box<dyn Error>> {
    let mut command = vec![PathBuf::from("sha256sum")];
    for entry in fs::read_dir(code)? {
        command.push(entry?.path());
    }
    Ok(Start::of("`sha256sum` of the same code", command))
}

/// Waits for the end of a launcher, of the service that it starts and of the keeper, all of them our children; returns how long
/// the service took.
fn until_service_ends(launcher: &Child, begin: Instant) -> Result<Duration, Box<dyn Error>> {
    let mut took = None;
    // Of the two that are not the launcher the service ends first: the keeper waits for it.
    while let Ok(Some((child, status))) = rustix::process::wait(WaitOptions::empty()) {
        let is_launcher = u32::try_from(child.as_raw_nonzero().get()) == Ok(launcher.id());
        if (is_launcher || took.is_none()) && status.exit_status() != Some(0) {
            return Err("a service was not started, or failed".into());
        }
        if !is_launcher && took.is_none() {
            took = Some(begin.elapsed());
        }
    }
    Ok(took.ok_or("a launcher has started nothing")?)
}

/// Runs it once; returns how long it took, elapsed and of the processor, with all that it waited for.
pub fn time(start: &Start) -> Result<(Duration, Duration), Box<dyn Error>> {
    if let Some(path) = &start.without {
        let _ = fs::remove_file(path);
    }
    let (program, arguments) = start.command.split_first().ok_or("nothing to run")?;
    let mut command = Command::new(program);
    let input = match &start.input {
        Some(path) => fs::File::open(path)?.into(),
        None => Stdio::null(),
    };
    command.args(arguments).stdin(input).stdout(Stdio::null()).stderr(Stdio::piped());
    let passed = start.files.iter().map(|(child_fd, path)| -> std::io::Result<FdMapping> {
        Ok(FdMapping { parent_fd: fs::File::open(path)?.into(), child_fd: *child_fd })
    });
    command.fd_mappings(passed.collect::<Result<_, _>>()?)?;
    let begin = Instant::now();
    let mut child = command.spawn()?;
    if start.launches {
        return Ok((until_service_ends(&child, begin)?, Duration::ZERO));
    }
    let used = child.wait4()?;
    let took = begin.elapsed();
    match used.status.success() {
        true => Ok((took, used.rusage.utime + used.rusage.stime)),
        false => {
            let said = child.stderr.take().map(std::io::read_to_string).transpose()?.unwrap_or_default();
            Err(format!("{}: {said}", start.name).into())
        }
    }
}

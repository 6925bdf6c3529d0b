//! What a world costs: to start one, beside bubblewrap; to keep two hundred; to work in one, beside the same work outside.

use crate::starts::{Start, elapsed, seal, time};
use crate::{bubblewrap, median};
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How many services are kept at a time.
const SERVICES: usize = 200;
/// How many files are read, and how large each is.
const FILES: usize = 40_000;
const FILE_BYTES: usize = 4096;
/// What redis-benchmark asks for.
const REQUESTS: &str = "300000";

/// Measures worlds and prints their tables; says so when it cannot.
pub fn rows(capc: &Path, at: &Path, rounds: usize) -> Result<(), Box<dyn Error>> {
    let uid = Command::new("id").arg("-u").output()?.stdout;
    if uid != b"0\n" {
        println!("\nWorlds are measured as root.");
        return Ok(());
    }
    fs::create_dir_all(at)?;
    starts(capc, &at.join("starts"), rounds)?;
    restarts(capc, &at.join("restarts"), rounds)?;
    keeping(capc, &at.join("kept"))?;
    work(capc, &at.join("work"))
}

/// A name, and a program with its arguments.
type Program = (&'static str, Vec<String>);

/// Returns what is started.
fn programs(at: &Path) -> Result<Vec<Program>, Box<dyn Error>> {
    let mut programs = Vec::new();
    let bare = static_program(at, "bare", NO_LIBRARY, &["-nostdlib"])?;
    let with_library = static_program(at, "true", TRUE, &[])?;
    for (name, program) in [("a static `true`", bare), ("the same with the C library", with_library)] {
        match program {
            Some(program) => programs.push((name, vec![program.display().to_string()])),
            None => println!("\nnot measured: {name}, {NO_PROGRAM}"),
        }
    }
    let postgres = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().next();
    let postgres = postgres.map(|version| version.path().join("bin/postgres").display().to_string());
    let known = [
        ("`nginx -v`", Some("/usr/sbin/nginx".to_owned()), "-v"),
        ("`postgres --version`", postgres, "--version"),
    ];
    for (name, program, argument) in known {
        match program.filter(|program| Path::new(program).exists()) {
            Some(program) => programs.push((name, vec![program, argument.to_owned()])),
            None => println!("\nnot measured: {name} (not installed)"),
        }
    }
    Ok(programs)
}

fn shown(time: Option<f64>) -> String {
    time.map_or("not installed".to_owned(), |time| format!("{time:.2} ms"))
}

const NO_PROGRAM: &str = "a static program (no `cc`, or no static C library)";

/// Ends at once.
const TRUE: &str = "int main(void) { return 0; }\n";
/// The same without a C library, which asks the processor some twenty times what it is: dear in a virtual machine.
const NO_LIBRARY: &str = "void _start(void) { __asm__ volatile(\"mov $231, %eax\\n xor %edi, %edi\\n syscall\"); __builtin_unreachable(); }\n";

/// Makes a program that needs no other file, if that can be done here.
fn static_program(
    at: &Path,
    name: &str,
    text: &str,
    more: &[&str],
) -> Result<Option<PathBuf>, Box<dyn Error>> {
    let (source, program) = (at.join(format!("{name}.c")), at.join(name));
    fs::write(&source, text)?;
    let made =
        Command::new("cc").args(["-static", "-O2"]).args(more).arg("-o").arg(&program).arg(&source).status();
    Ok(made.is_ok_and(|status| status.success()).then_some(program))
}

fn starts(capc: &Path, at: &Path, rounds: usize) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(at)?;
    println!(
        "\n| from the start to the end of, {rounds} times in turn | by itself | capc | bubblewrap, the same world | capc beside it | bubblewrap, as usual | capc beside it |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (number, (name, command)) in programs(at)?.into_iter().enumerate() {
        let words: String = command.iter().map(|word| format!(" {word:?}")).collect();
        let text = format!(
            "system bench\ncode \"/usr\" \"{}\"\nservice s0 {{ run{words}; oneshot; }}\n",
            at.display()
        );
        let (launcher, generation) = seal(capc, &at.join(number.to_string()), &text)?;
        // A file is remembered once its last change is two seconds ago.
        std::thread::sleep(Duration::from_secs(3));
        let own: Vec<PathBuf> = command.iter().map(PathBuf::from).collect();
        let manifest = generation.join("manifests/s0");
        let mut all = vec![
            Start::of("by itself", own.clone()),
            Start::of("capc", vec![launcher, generation, "s0".into()]).waited_for_by_an_init(),
        ];
        if bubblewrap::is_here() {
            let passed = at.join(format!("passed-{number}"));
            all.extend([bubblewrap::same_world(&manifest, &own, &passed)?, bubblewrap::usual(&own)]);
        }
        for round in 0..=rounds {
            for one in &mut all {
                let took = time(one)?;
                if round > 0 {
                    one.took.push(took);
                }
            }
        }
        let [bare, capc, same, usual] = [0, 1, 2, 3].map(|at| all.get(at).map(elapsed));
        let ratio = |peer: Option<f64>| {
            capc.zip(peer).map_or(String::new(), |(capc, peer)| format!("{:.2}", capc / peer))
        };
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} |",
            shown(bare),
            shown(capc),
            shown(same),
            ratio(same),
            shown(usual),
            ratio(usual)
        );
    }
    Ok(())
}

/// Says when it begins and when it ends.
const TICK: &str = r#"
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
static void say(const char *word) {
    struct timespec now;
    char line[64];
    clock_gettime(CLOCK_MONOTONIC, &now);
    write(1, line, snprintf(line, sizeof line, "%s %ld.%09ld\n", word, (long)now.tv_sec, now.tv_nsec));
}
static void end(int signal) { say("end"); _exit(0); }
int main(void) { signal(SIGTERM, end); say("begin"); for (;;) pause(); }
"#;

/// Measures for how long a service is away that is restarted, in turn with starts in bubblewrap.
fn restarts(capc: &Path, at: &Path, rounds: usize) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(at)?;
    let programs = (static_program(at, "tick", TICK, &[])?, static_program(at, "true", TRUE, &[])?);
    let (Some(tick), Some(end)) = programs else {
        println!("\nnot measured: {NO_PROGRAM}");
        return Ok(());
    };
    let text = format!(
        "system restarts\ncode {:?}\nservice s0 {{ run {tick:?}; image {end:?}; }}\n",
        at.display().to_string()
    );
    let mut up = Up::new(capc, at, &text)?;
    let seconds = |line: &str, word: &str| line.split_once(word)?.1.trim().parse::<f64>().ok();
    up.lines(|line| seconds(line, "| begin "))?;
    let mut peers = Vec::new();
    if bubblewrap::is_here() {
        let manifest = at.join("store/generations/1/manifests/s0");
        let end = [end];
        peers = vec![bubblewrap::same_world(&manifest, &end, &at.join("passed"))?, bubblewrap::usual(&end)];
    }
    std::thread::sleep(Duration::from_secs(3));
    let mut away = Vec::new();
    for _ in 0..rounds {
        let mut restart = Command::new(capc).args(["restart", "s0"]).stdout(Stdio::null()).spawn()?;
        let end = up.lines(|line| seconds(line, "| end "))?;
        away.push((up.lines(|line| seconds(line, "| begin "))? - end) * 1000.0);
        restart.wait()?;
        for peer in &mut peers {
            let took = time(peer)?;
            peer.took.push(took);
        }
    }
    let away = median(away.into_iter());
    let [same, usual] = [0, 1].map(|at| peers.get(at).map(elapsed));
    let ratio = |time: Option<f64>| time.map_or(String::new(), |time| format!("{:.2}", away / time));
    println!(
        "\n| {rounds} times in turn | capc | a start in bubblewrap, the same world | beside it | as usual | beside it |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    println!(
        "| how long a service is away that is restarted | {away:.2} ms | {} | {} | {} | {} |",
        shown(same),
        ratio(same),
        shown(usual),
        ratio(usual)
    );
    Ok(())
}

/// `capc up`, until it is dropped.
struct Up {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Up {
    fn new(capc: &Path, at: &Path, text: &str) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(at)?;
        fs::write(at.join("system.kdl"), text)?;
        let mut command = Command::new(capc);
        command.args(["up", "system.kdl", "--store", "store"]).current_dir(at).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let out = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Self { child, out })
    }

    /// Calls `look` with each line that it prints, until that returns something.
    fn lines<T>(&mut self, mut look: impl FnMut(&str) -> Option<T>) -> Result<T, Box<dyn Error>> {
        for line in self.out.by_ref().lines() {
            if let Some(found) = look(&line?) {
                return Ok(found);
            }
        }
        Err("`capc up` has ended before it was to".into())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn keeping(capc: &Path, at: &Path) -> Result<(), Box<dyn Error>> {
    let services: String = (0..SERVICES)
        .map(|number| format!("service s{number} {{ run \"/usr/bin/sleep\" \"1000\"; }}\n"))
        .collect();
    let begin = Instant::now();
    let mut up = Up::new(capc, at, &format!("system kept\n{services}"))?;
    let mut started = 0;
    up.lines(|line| {
        started += usize::from(line.contains(" started"));
        (started == SERVICES).then_some(())
    })?;
    let all = begin.elapsed();
    let supervisor = kilobytes(up.child.id(), "status", "VmRSS:")?;
    let keepers = named("capc-keeper");
    let private = |pid: &u32| {
        let part = |word| kilobytes(*pid, "smaps_rollup", word).unwrap_or(0);
        (part("Private_Clean:") + part("Private_Dirty:")) as f64
    };
    println!("\n| `capc up` of {SERVICES} services | |");
    println!("| --- | ---: |");
    println!("| compiled, sealed and all of them started | {:.2} s |", all.as_secs_f64());
    println!("| memory of the supervisor | {:.1} MB |", supervisor as f64 / 1000.0);
    println!("| private memory of a keeper | {:.0} KB |", median(keepers.iter().map(private)));
    Ok(())
}

fn kilobytes(pid: u32, file: &str, word: &str) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(word)).ok_or("not told")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

fn named(name: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_named =
        |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name);
    pids.filter(is_named).collect()
}

fn work(capc: &Path, at: &Path) -> Result<(), Box<dyn Error>> {
    println!("\n| work, five times in turn | outside | in a world | speed in it |");
    println!("| --- | ---: | ---: | ---: |");
    files(capc, &at.join("files"))?;
    if Command::new("redis-benchmark").arg("--version").output().is_err() {
        println!("\nnot measured: redis-benchmark (not installed)");
        return Ok(());
    }
    requests(capc, &at.join("requests"))
}

/// Reads many files.
fn files(capc: &Path, at: &Path) -> Result<(), Box<dyn Error>> {
    let tree = at.join("tree");
    for number in 0..FILES {
        let directory = tree.join((number % 200).to_string());
        fs::create_dir_all(&directory)?;
        fs::File::create(directory.join(number.to_string()))?.write_all(&vec![b'x'; FILE_BYTES])?;
    }
    let words = ["-rc".to_owned(), "nothing".to_owned(), tree.display().to_string()];
    let quoted: String = words.iter().map(|word| format!(" {word:?}")).collect();
    // grep ends with 1 where it finds nothing, so what it looks for is there once.
    fs::write(tree.join("found"), "nothing\n")?;
    let text = format!(
        "system bench\ndir tree {:?}\nservice s0 {{ run \"/usr/bin/grep\"{quoted}; oneshot; holds tree read; }}\n",
        tree.display().to_string()
    );
    let (launcher, generation) = seal(capc, &at.join("sealed"), &text)?;
    let own = std::iter::once("/usr/bin/grep".to_owned()).chain(words).map(PathBuf::from).collect();
    let mut both = [
        Start::of("outside", own),
        Start::of("inside", vec![launcher, "--wait".into(), generation, "s0".into()]),
    ];
    for round in 0..=5 {
        for one in &mut both {
            let took = time(one)?;
            if round > 0 {
                one.took.push(took);
            }
        }
    }
    let [outside, inside] = both.map(|start| median(start.took.iter().map(|took| took.0.as_secs_f64())));
    println!("| `grep` over {FILES} files | {outside:.3} s | {inside:.3} s | {:.2} |", outside / inside);
    Ok(())
}

/// Asks Redis over a unix socket.
fn requests(capc: &Path, at: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(at)?;
    let (mut outside, mut inside) = (Vec::new(), Vec::new());
    let benchmark =
        |socket: &str| ["-s", socket, "-n", REQUESTS, "-t", "get", "-q"].map(str::to_owned).to_vec();
    let socket = at.join("redis.sock").display().to_string();
    let server = ["--port", "0", "--save", "", "--unixsocket"];
    let mut redis = Command::new("redis-server").args(server).arg(&socket).stdout(Stdio::null()).spawn()?;
    while !Path::new(&socket).exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let quoted = |words: &[String]| words.iter().map(|word| format!(" {word:?}")).collect::<String>();
    let text = format!(
        "system bench\nservice redis {{ run \"/usr/bin/redis-server\"{} \"/run/redis/redis.sock\"; provides api \
socket=\"/run/redis/redis.sock\"; }}\nservice asking {{ run \"/usr/bin/redis-benchmark\"{}; oneshot; holds redis.api; }}\n",
        quoted(&server.map(str::to_owned)),
        quoted(&benchmark("/run/redis/redis.sock")),
    );
    for _ in 0..5 {
        let output = Command::new("redis-benchmark").args(benchmark(&socket)).output()?;
        outside.extend(per_second(&String::from_utf8_lossy(&output.stdout)));
        inside.push(Up::new(capc, &at.join("up"), &text)?.lines(per_second)?);
    }
    redis.kill()?;
    redis.wait()?;
    let (outside, inside) = (median(outside.into_iter()), median(inside.into_iter()));
    println!(
        "| Redis, `GET` over a unix socket | {outside:.0} a second | {inside:.0} a second | {:.2} |",
        inside / outside
    );
    Ok(())
}

/// Returns how many requests redis-benchmark says that it made in a second.
fn per_second(text: &str) -> Option<f64> {
    let before = text.split(" requests per second").next().filter(|before| before.len() < text.len())?;
    before.split([' ', '\r']).next_back()?.parse().ok()
}

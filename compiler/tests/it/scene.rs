//! A directory of a test's own, and capc run in it.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long anything may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// The uid of the plain user that root stands in for.
pub const PLAIN: u32 = 4000;
/// The uid of Debian's `nobody`.
pub const NOBODY: u32 = 65534;

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file below a directory whose name ends so, sorted.
pub fn files_below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Whether this is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says that a test needs root; returns whether it is there.
pub fn needs_root(what: &str) -> bool {
    if !is_root() {
        eprintln!("not tried: {what} (run the tests as root)");
    }
    is_root()
}

/// A directory that everybody may read, removed in the end; not below /tmp, where every world has a place of its own.
pub struct Scene {
    pub path: PathBuf,
}

impl Scene {
    /// Makes one; a name that a test beside this one has too, or had, gets a number.
    pub fn new(name: &str) -> Self {
        static TAKEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let base = if is_root() { Path::new("/srv") } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let name = std::iter::once(name.to_owned()).chain(numbered).find(|name| taken.insert(name.clone()));
        drop(taken);
        let path = base.join(format!("capc-test-{}-{}", std::process::id(), name.unwrap()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        Self { path }
    }

    /// Writes a file, and the directories above it.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes a program, by another process: had this one the file open for writing while a neighbour forks, the fork would
    /// have it open too, and executing it would fail (ETXTBSY, execve(2)).
    pub fn program(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let part = self.write(&format!("{name}.part"), text);
        let path = self.path.join(name);
        assert!(Command::new("cp").arg(&part).arg(&path).status().unwrap().success());
        std::fs::remove_file(part).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// Copies a directory of the repository into this one.
    pub fn copy(&self, from: &str) -> PathBuf {
        let to = self.path.join(Path::new(from).file_name().unwrap());
        let status =
            Command::new("cp").args(["-r", "--preserve=mode"]).arg(repository().join(from)).arg(&to).status();
        assert!(status.unwrap().success());
        to
    }

    /// Runs capc here as whoever runs the tests.
    #[track_caller]
    pub fn capc<I: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Run {
        run(self.command(arguments))
    }

    /// Returns capc as whoever runs the tests would start it here.
    pub fn command<I: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_capc"));
        command.args(arguments).current_dir(&self.path);
        command
    }

    /// Runs capc here as a plain user: the one who runs the tests, or uid 4000 in root's place.
    #[track_caller]
    pub fn plain_capc<I: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Run {
        self.capc_as(PLAIN, arguments)
    }

    /// Runs capc here as the one who runs the tests, or in root's place as this user.
    #[track_caller]
    pub fn capc_as<I: AsRef<std::ffi::OsStr>>(
        &self,
        uid: u32,
        arguments: impl IntoIterator<Item = I>,
    ) -> Run {
        run(self.command_as(uid, arguments))
    }

    /// Returns capc as a plain user would start it here.
    pub fn plain_command<I: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Command {
        self.command_as(PLAIN, arguments)
    }

    /// Returns capc as the one who runs the tests, or in root's place as this user, would start it here.
    pub fn command_as<I: AsRef<std::ffi::OsStr>>(
        &self,
        uid: u32,
        arguments: impl IntoIterator<Item = I>,
    ) -> Command {
        let state = self.path.join("plain-state");
        std::fs::create_dir_all(&state).unwrap();
        if !is_root() {
            let mut command = Command::new(env!("CARGO_BIN_EXE_capc"));
            command
                .args(arguments)
                .current_dir(&self.path)
                .env("XDG_STATE_HOME", &state)
                .env_remove("XDG_RUNTIME_DIR");
            return command;
        }
        // The build directory may lie where a plain user cannot go.
        let capc = self.path.join("capc");
        if !capc.exists() {
            // By another process, since a file that is open for writing cannot be executed (execve(2), ETXTBSY).
            let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_capc")).arg(&capc).status();
            assert!(copied.unwrap().success());
        }
        rustix::fs::chown(&state, Some(rustix::fs::Uid::from_raw(uid)), Some(rustix::fs::Gid::from_raw(uid)))
            .unwrap();
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &uid.to_string(), "--regid", &uid.to_string(), "--clear-groups", "--"])
            .arg(&capc)
            .args(arguments);
        command
            .current_dir(&self.path)
            .env("XDG_STATE_HOME", &state)
            .env("HOME", &state)
            .env_remove("XDG_RUNTIME_DIR");
        command
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// What a command came to.
pub struct Run {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    /// Asserts the status and returns itself.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        assert_eq!(
            self.status,
            Some(status),
            "standard output:\n{}\nstandard error:\n{}",
            self.out,
            self.err
        );
        self
    }

    /// Asserts that standard output has a line with these words.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.out.contains(words), "{words:?} is not in\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    /// Asserts that standard error has these words.
    #[track_caller]
    pub fn complains(self, words: &str) -> Self {
        assert!(self.err.contains(words), "{words:?} is not in\n{}", self.err);
        self
    }
}

/// Runs a command to its end, within patience.
#[track_caller]
pub fn run(mut command: Command) -> Run {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let (done, alarm) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if alarm.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    });
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    drop(done);
    watch.join().unwrap();
    Run {
        status: status.code(),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// Waits until no other run of these tests has the ports of this machine that the examples name, and has them until it is dropped.
pub fn ports() -> std::fs::File {
    let place = std::fs::File::open("/srv").unwrap();
    rustix::fs::flock(&place, rustix::fs::FlockOperation::LockExclusive).unwrap();
    place
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program that runs until the test is over, however that ends.
pub struct Running(pub std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.0),
            rustix::process::Signal::TERM,
        );
        let _ = self.0.wait();
    }
}

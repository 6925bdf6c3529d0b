//! Manifests for small services, and starting them.

use crate::generation::{Store, USER, own, sha256};
use rustix::io::{dup2, fcntl_dupfd_cloexec};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Who starts services.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    Root,
    User,
}

/// The identity of every service here.
pub const UID: u32 = 4711;
pub const GID: u32 = 4712;

/// Lines to add to a small world; each list goes where its kind belongs.
#[derive(Clone)]
pub struct World {
    pub caller: Caller,
    pub programs: Vec<&'static str>,
    pub lines: Vec<String>,
    pub run: Vec<String>,
    pub network: &'static str,
    pub ready: &'static str,
    pub filter: Vec<String>,
    pub abi: u32,
    /// What keeps its programs from being others: the word of a line.
    pub integrity: &'static str,
}

impl World {
    /// A world with a shell, running a script.
    pub fn shell(caller: Caller, script: &str) -> Self {
        Self::program(caller, &["/bin/sh", "-c", script])
    }

    /// A world with `/bin/sh` and a few tools, running a program.
    pub fn program(caller: Caller, run: &[&str]) -> Self {
        Self {
            caller,
            programs: vec![
                "/bin/sh",
                "/bin/cat",
                "/bin/ls",
                "/bin/true",
                "/bin/sleep",
                "/usr/bin/id",
                "/usr/bin/stat",
            ],
            lines: Vec::new(),
            run: run.iter().map(ToString::to_string).collect(),
            network: "private",
            ready: "started",
            // Everything is allowed but foreign machines, and calls that no test uses.
            filter: [
                "bpf 32 0 0 4",
                "bpf 21 1 0 3221225534",
                "bpf 6 0 0 2147483648",
                "bpf 32 0 0 0",
                "bpf 21 0 1 321",
                "bpf 6 0 0 327681",
                "bpf 6 0 0 2147418112",
            ]
            .map(String::from)
            .to_vec(),
            abi: 3,
            integrity: "pinned",
        }
    }

    /// Adds lines.
    pub fn with(mut self, lines: &[&str]) -> Self {
        self.lines.extend(lines.iter().map(ToString::to_string));
        self
    }

    /// Returns its manifest.
    pub fn manifest(&self) -> String {
        let mut lines = vec![
            "capc-manifest 1".into(),
            "service test/it".into(),
            format!("mode {}", if self.caller == Caller::Root { "root" } else { "user" }),
            format!("landlock-abi {}", self.abi),
            format!("uid {UID} {GID}"),
            "hostname it".into(),
            format!("network {}", self.network),
            "tmpfs /tmp 1048576 1777".into(),
            "link /bin usr/bin".into(),
            "link /lib usr/lib".into(),
            "link /lib64 usr/lib64".into(),
            "text /etc/passwd 644 it:x:4711:4712::/:/nonexistent%0A".into(),
            "device /dev/null /dev/null".into(),
            "proc".into(),
            "allow / read".into(),
            "allow /tmp read,modify,create,remove,socket".into(),
            "allow /dev/null read,modify".into(),
            "allow /usr read,exec".into(),
            "env PATH /usr/bin".into(),
            "workdir /".into(),
            format!("ready {}", self.ready),
            "end".into(),
        ];
        let mut files = BTreeMap::new();
        for program in &self.programs {
            closure(Path::new(program), &mut files);
        }
        for (at, from) in files {
            let digest = sha256(&fs::read(&from).unwrap());
            lines.push(format!("{} {at} {from} {digest} exec", self.integrity));
        }
        lines.extend(self.filter.iter().cloned());
        lines.extend(self.lines.iter().cloned());
        let mut run = self.run.iter();
        lines.push(format!(
            "run {}",
            run.next().unwrap().replace("/bin/", "/usr/bin/").replace("/usr/usr", "/usr")
        ));
        lines.extend(
            run.map(|argument| format!("arg {}", capc_schemas::token::Token::new(argument.as_bytes()))),
        );
        let rank = |line: &String| {
            let word = line.split(' ').next().unwrap();
            capc_schemas::manifest::Kind::ALL.iter().position(|kind| kind.word() == word).unwrap()
        };
        lines.sort_by_key(rank);
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// Returns a written store with it.
    pub fn store(&self) -> Store {
        let mut store = Store::new(&self.manifest());
        store.owner = if self.caller == Caller::Root { 0 } else { USER };
        store.write();
        store
    }

    /// Starts it and waits for its end.
    pub fn output(&self) -> Output {
        self.store().output(self.caller)
    }
}

impl Store {
    /// Returns a command that starts the service and stays.
    pub fn waiting(&self, caller: Caller) -> Command {
        let mut command = self.command(caller, &["--wait"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Returns a command that starts the service.
    pub fn command(&self, caller: Caller, options: &[&str]) -> Command {
        let mut command = Command::new(self.launcher());
        if caller == Caller::User {
            command.args(["--enter", "user"]).arg(self.launcher());
            // Without groups: the standard library clears them when root becomes another user.
            command.uid(USER).gid(USER);
        }
        command.args(options).arg(self.generation()).arg("test/it");
        command.env_clear();
        command
    }

    /// Starts the service and waits for its end.
    pub fn output(&self, caller: Caller) -> Output {
        self.waiting(caller).output().unwrap()
    }
}

/// Makes descriptors the ones from 3 on of a command.
pub fn pass(command: &mut Command, numbers: &[i32]) {
    let numbers = numbers.to_vec();
    let place = move || {
        // Out of the way first, so that none is overwritten before it is copied.
        let copies: Vec<OwnedFd> = numbers
            .iter()
            // SAFETY: the caller keeps what it passes open until the command has started.
            .map(|number| fcntl_dupfd_cloexec(unsafe { BorrowedFd::borrow_raw(*number) }, 100))
            .collect::<Result<_, _>>()?;
        for (copy, number) in copies.iter().zip(3..) {
            // SAFETY: the new number is this closure's to fill, in a process that is about to become another program.
            let mut target = std::mem::ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) });
            dup2(copy, &mut target)?;
        }
        Ok(())
    };
    // SAFETY: nothing but system calls and a little memory.
    unsafe { command.pre_exec(place) };
}

/// A directory that is gone at the end.
pub struct Scratch {
    pub path: PathBuf,
    caller: Caller,
}

impl Scratch {
    pub fn new(caller: Caller) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("capc-scratch-{}-{count}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let scratch = Self { path, caller };
        scratch.own();
        scratch
    }

    /// Gives everything in it to whoever may use it: the service's user as root, else the plain user.
    pub fn own(&self) {
        own(&self.path, if self.caller == Caller::Root { UID } else { USER });
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A facet's directory, mounted until the end.
pub struct Facet {
    pub path: PathBuf,
    pub runtime: PathBuf,
}

/// Mounts a facet as the supervisor does.
pub fn facet(store: &Store, key: &str, owner: (u32, u32)) -> Facet {
    let runtime = store.dir.join("run");
    let path = runtime.join("facets").join(key);
    fs::create_dir(&path).unwrap();
    let options =
        CString::new(format!("size=65536,nr_inodes=16,mode=755,uid={},gid={}", owner.0, owner.1)).unwrap();
    rustix::mount::mount("capc", &path, "tmpfs", rustix::mount::MountFlags::empty(), options.as_c_str())
        .unwrap();
    Facet { path, runtime }
}

impl Drop for Facet {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.path, rustix::mount::UnmountFlags::DETACH);
    }
}

/// Adds a program, its interpreter and its libraries: where the loader looks for them, and what is really there.
fn closure(program: &Path, files: &mut BTreeMap<String, String>) {
    let mut add = |path: &Path| {
        let dir = fs::canonicalize(path.parent().unwrap()).unwrap();
        let real = fs::canonicalize(path).unwrap();
        files.insert(
            dir.join(path.file_name().unwrap()).to_str().unwrap().into(),
            real.to_str().unwrap().into(),
        );
    };
    add(program);
    let listed = Command::new("ldd").arg(program).output().unwrap();
    for word in
        String::from_utf8_lossy(&listed.stdout).split_whitespace().filter(|word| word.starts_with('/'))
    {
        add(Path::new(word));
    }
}

/// Checks that a service says this on its standard output.
#[track_caller]
pub fn check(world: &World, expected: &str) {
    let output = world.output();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((said.as_ref(), output.status.code()), (expected, Some(0)), "{complained}");
}

/// Checks that a launch is refused with a line that holds these words.
#[track_caller]
pub fn refused(output: &Output, words: &str) {
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(77), "{said}{complained}");
    assert_eq!(said, "", "nothing was started");
    assert!(
        complained.starts_with("capc launcher: refused: ") && complained.contains(words),
        "{complained:?} does not say {words:?}"
    );
    assert_eq!(complained.lines().count(), 1, "{complained}");
}

//! Manifests for small services, and starting them.

use crate::generation::{Store, USER, sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

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
            lines.push(format!("pinned {at} {from} {digest} exec"));
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

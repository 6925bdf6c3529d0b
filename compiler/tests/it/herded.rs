//! A machine of a test's own: the real Shepherd, as Debian 13 packages it, as the first process of namespaces over this one's files.

use crate::scene::{Run, Scene, repository, run, until};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Guile and the Shepherd, unpacked: run by their own loader and library, since this machine's may be older.
const RUN: &str = r#"#!/bin/sh
libraries=$ROOT/usr/lib/x86_64-linux-gnu
modules=$ROOT/usr/share/guile
export GUILE_SYSTEM_PATH="$modules/3.0:$modules/site/3.0" GUILE_LOAD_PATH="$modules/site/3.0" GUILE_AUTO_COMPILE=0
export GUILE_SYSTEM_COMPILED_PATH="$libraries/guile/3.0/ccache:$libraries/guile/3.0/site-ccache"
export GUILE_LOAD_COMPILED_PATH="$libraries/guile/3.0/site-ccache" GUILE_SYSTEM_EXTENSIONS_PATH="$libraries/guile/3.0/extensions"
program=$1
shift
if [ "$program" != guile ]; then
    set -- --no-auto-compile -l "$ROOT/../prelude.scm" -s "$ROOT/usr/bin/$program" "$@"
fi
exec "$ROOT/usr/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$ROOT/usr/bin/guile-3.0" "$@"
"#;

/// Fibers names its library by the place where it would be installed.
const PRELUDE: &str = r#"(let ((link dynamic-link))
  (module-set! (resolve-module '(guile)) 'dynamic-link
    (lambda names
      (apply link (map (lambda (name) (if (string-prefix? "/usr/lib/" name) (string-append "ROOT" name) name)) names)))))
"#;

/// What the machine's first process does before it becomes the Shepherd.
const INSIDE: &str = r#"
set -e
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 700 "${SOCKET%/*}"
python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 0x41))'
if [ "$AGAIN" = yes ]; then
    while :; do
        "$GUILE" shepherd -s "$SOCKET" -c config.scm -l shepherd.log < /dev/null > /dev/null 2>&1 || sleep 0.02
    done
fi
exec "$GUILE" shepherd -s "$SOCKET" -c config.scm -l shepherd.log < /dev/null > /dev/null 2>&1
"#;

/// Returns the program that runs `guile`, `shepherd` and `herd`; none where Debian 13 cannot be had.
pub fn guile() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian-13");
            let mut unpack = Command::new(repository().join(".ci/debian-13"));
            unpack.arg(&directory).args(["shepherd", "guile-3.0", "guile-fibers"]);
            let unpacked = run(unpack);
            if unpacked.status != Some(0) {
                eprintln!("not tried: the Shepherd (Debian 13 cannot be unpacked: {})", unpacked.err.trim());
                return None;
            }
            let root = directory.join("root").display().to_string();
            std::fs::write(directory.join("prelude.scm"), PRELUDE.replace("ROOT", &root)).unwrap();
            let program = directory.join("run");
            std::fs::write(&program, RUN.replace("$ROOT", &root)).unwrap();
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&program, executable).unwrap();
            Some(program)
        })
        .as_deref()
}

/// What becomes of the machine when its Shepherd is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It ends.
    Shepherd,
    /// Another starts the Shepherd again.
    Another,
}

/// A machine, switched off in the end.
pub struct Herded {
    outside: Child,
    first: u32,
    home: PathBuf,
    guile: &'static Path,
    socket: &'static str,
}

impl Herded {
    /// Starts one in which commands are run in a scene's directory, with a configuration of the Shepherd's own.
    #[track_caller]
    pub fn new(scene: &Scene, guile: &'static Path, config: &str, first: First) -> Self {
        Self::at("/run/shepherd/socket", scene, guile, config, first)
    }

    /// Starts one whose Shepherd listens at a place of its own.
    #[track_caller]
    pub fn at(socket: &'static str, scene: &Scene, guile: &'static Path, config: &str, first: First) -> Self {
        scene.write("config.scm", config);
        let _ = std::fs::remove_file(scene.path.join("shepherd.log"));
        let outside = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare"])
            .args([
                "--pid",
                "--fork",
                "--kill-child",
                "--mount",
                "--propagation",
                "private",
                "--ipc",
                "--net",
            ])
            .args(["sh", "-c", INSIDE])
            .env("GUILE", guile)
            .env("SOCKET", socket)
            .env("AGAIN", if first == First::Another { "yes" } else { "no" })
            .current_dir(&scene.path)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut machine = Self { outside, first: 0, home: scene.path.clone(), guile, socket };
        let parent = machine.outside.id();
        until("the machine has a first process", || {
            let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
            machine.first = children.unwrap_or_default().trim().parse().unwrap_or(0);
            machine.first != 0
        });
        until("the Shepherd has read its configuration", || {
            machine.log().contains("onfiguration successfully loaded")
                && machine.herd(&["status"]).status == Some(0)
        });
        machine
    }

    /// Returns a command that is run in it.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--pid", "--mount", "--ipc", "--net"]);
        command.arg(format!("--wd={}", self.home.display())).args(["--", "env", "-i"]);
        command.args(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]).args(words);
        command
    }

    /// Runs a line of a shell.
    #[track_caller]
    pub fn sh(&self, line: &str) -> Run {
        run(self.command(&["sh", "-c", line]))
    }

    /// Runs capc.
    #[track_caller]
    pub fn capc(&self, words: &[&str]) -> Run {
        run(self.command(&[&[env!("CARGO_BIN_EXE_capc")], words].concat()))
    }

    /// Runs `herd`; one that hangs has an answer, too.
    #[track_caller]
    pub fn herd(&self, words: &[&str]) -> Run {
        run(self.command(
            &[&["timeout", "60", self.guile.to_str().unwrap(), "herd", "-s", self.socket], words].concat(),
        ))
    }

    /// Returns what the Shepherd has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.join("shepherd.log")).unwrap_or_default()
    }

    /// Returns what a service has said.
    pub fn said(&self, service: &str) -> String {
        std::fs::read_to_string(self.home.join(format!("store/log/{service}.log"))).unwrap_or_default()
    }

    /// Returns the process of a service in its world, by the number that the machine has for it; empty if there is none.
    pub fn pid(&self, service: &str) -> String {
        let find = format!(
            "for keeper in $(grep -lx capc-keeper /proc/[0-9]*/comm); do dir=${{keeper%/comm}}; \
             if tr '\\0' '\\n' < $dir/cmdline | grep -qx '{service}'; then \
             for pid in /proc/[0-9]*; do if grep -q 'NSpid:.*\\s2$' $pid/status 2>/dev/null && \
             [ \"$(readlink $pid/ns/pid)\" = \"$(readlink $dir/ns/pid)\" ]; then echo ${{pid#/proc/}}; fi; done; fi; done"
        );
        self.sh(&find).out.trim().to_owned()
    }

    /// Returns whether a service sees something, as the kernel shows its world from outside.
    pub fn sees(&self, service: &str, path: &str) -> bool {
        self.sh(&format!("test -e /proc/{}/root{path}", self.pid(service))).status == Some(0)
    }
}

impl Drop for Herded {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the Shepherd said:\n{}", self.log());
        }
        let _ = self.outside.kill();
        let _ = self.outside.wait();
    }
}

//! The model and the worlds: for every set of rights, what `capc what` says a service holds is exactly what a probe in its
//! world can do.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Who owns what is granted: nobody's service, and not root.
const OWNER: u32 = 4000;
const DIRECTORY: [&str; 6] = ["read", "exec", "modify", "create", "remove", "socket"];
const FILE: [&str; 3] = ["read", "exec", "modify"];
const DEVICE: [&str; 3] = ["read", "write", "ioctl"];

/// A system with one service for each thing to try.
struct System {
    here: PathBuf,
    declared: String,
    services: String,
    /// The capability of each service.
    held: BTreeMap<String, String>,
}

impl System {
    fn new(name: &str) -> Self {
        let here = PathBuf::from(format!("/srv/capc-model-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&here);
        fs::create_dir_all(here.join("bin")).unwrap();
        fs::set_permissions(&here, PermissionsExt::from_mode(0o755)).unwrap();
        copy(&here.join("bin/probe"));
        let declared = "system model\n".to_owned();
        Self { here, declared, services: String::new(), held: BTreeMap::new() }
    }

    /// Adds a service that holds a capability with some rights, and probes it.
    fn add(&mut self, kind: &str, value: &str, place: &str, rights: &[&str]) {
        let number = self.held.len();
        let (service, name) = (format!("s{number}"), format!("{kind}-{number}"));
        let probe = self.here.join("bin/probe");
        writeln!(self.declared, "{kind} {name} {value}").unwrap();
        writeln!(
            self.services,
            "service {service} {{ run \"{}\" \"--probe\" \"{kind}\" \"{place}\"; oneshot; holds {name} {}; }}",
            probe.display(),
            rights.join(" ")
        )
        .unwrap();
        self.held.insert(service, name);
    }

    fn path(&self, name: &str) -> String {
        self.here.join(name).display().to_string()
    }

    /// Runs all services once; each must do exactly what the model says.
    #[track_caller]
    fn check(&self) {
        let file = self.here.join("system.kdl");
        fs::write(&file, format!("{}{}", self.declared, self.services)).unwrap();
        let up = capc(&["up", file.to_str().unwrap(), "--store", &self.path("store")]);
        let said = String::from_utf8_lossy(&up.stdout);
        assert!(up.status.success(), "{said}{}", String::from_utf8_lossy(&up.stderr));
        for (service, name) in &self.held {
            let could = said.lines().find_map(|line| {
                let (who, text) = line.split_once(" | ")?;
                (who.trim() == service).then(|| text.strip_prefix("can")).flatten()
            });
            let could: Vec<&str> = could.unwrap_or("nothing was said").split_ascii_whitespace().collect();
            assert_eq!(could, self.model(&file, service, name), "{service}, {name}:\n{}", self.services);
        }
    }

    /// Returns the rights that the model says a service holds.
    fn model(&self, file: &Path, service: &str, name: &str) -> Vec<String> {
        let what = capc(&["what", service, "--config", file.to_str().unwrap(), "--format", "json"]);
        let answer: serde_json::Value = serde_json::from_slice(&what.stdout).unwrap();
        let hold = answer.get("hold").unwrap().as_array().unwrap();
        let held = hold.iter().find(|held| held.get("capability").unwrap() == name).unwrap();
        let rights = held.get("rights").unwrap().as_array().unwrap();
        rights.iter().map(|right| right.as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.here);
    }
}

fn capc(arguments: &[&str]) -> Output {
    let capc = Path::new(env!("CARGO_BIN_EXE_capc-attacks")).with_file_name("capc");
    assert!(capc.exists(), "`{}` is not built: run the tests with `--workspace`", capc.display());
    Command::new(capc).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Copies the program that probes; by another process, since a file that is open for writing cannot be executed.
fn copy(to: &Path) {
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_capc-attacks")).arg(to).status();
    assert!(copied.unwrap().success());
}

/// Returns every set of rights but the empty one, and those with `exec` and without `read`, which no world is made with:
/// Linux executes only what may be read.
fn sets<'r>(rights: &'r [&'r str]) -> impl Iterator<Item = Vec<&'r str>> {
    let all = (1..1 << rights.len()).map(|set: u32| {
        let chosen = rights.iter().enumerate().filter(move |(bit, _)| set >> bit & 1 == 1);
        chosen.map(|(_, right)| *right).collect::<Vec<&str>>()
    });
    all.filter(|set| !set.contains(&"exec") || set.contains(&"read"))
}

fn needs_root(what: &str) -> bool {
    // SAFETY: only returns a number.
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root {
        eprintln!("not tried: {what} (run the tests as root)");
    }
    is_root
}

#[test]
fn every_set_of_rights_on_a_directory_is_what_it_says() {
    if !needs_root("rights on directories") {
        return;
    }
    let mut system = System::new("directories");
    for (number, rights) in sets(&DIRECTORY).enumerate() {
        let at = system.here.join(format!("d{number}"));
        fs::create_dir(&at).unwrap();
        copy(&at.join("program"));
        fs::write(at.join("file"), "x").unwrap();
        fs::write(at.join("old"), "x").unwrap();
        for path in [at.clone(), at.join("file"), at.join("old"), at.join("program")] {
            chown(path, Some(OWNER), Some(OWNER)).unwrap();
        }
        let at = at.display().to_string();
        system.add("dir", &format!("\"{at}\""), &at, &rights);
    }
    system.check();
}

#[test]
fn every_set_of_rights_on_a_file_and_on_a_device_is_what_it_says() {
    if !needs_root("rights on files and devices") {
        return;
    }
    let mut system = System::new("files");
    for (number, rights) in sets(&FILE).enumerate() {
        let at = system.here.join(format!("f{number}"));
        copy(&at);
        chown(&at, Some(OWNER), Some(OWNER)).unwrap();
        let at = at.display().to_string();
        system.add("file", &format!("\"{at}\""), &at, &rights);
    }
    // A device that may neither be read nor written cannot be opened, whatever else it is for.
    for (number, rights) in sets(&DEVICE).filter(|rights| *rights != ["ioctl"]).enumerate() {
        let at = system.path(&format!("n{number}"));
        let made = Command::new("mknod").args(["-m", "666", &at, "c", "1", "5"]).status();
        assert!(made.unwrap().success());
        system.add("device", &format!("\"{at}\""), &at, &rights);
    }
    system.check();
}

#[test]
fn sockets_secrets_and_ports_are_what_they_say() {
    if !needs_root("sockets, secrets and ports") {
        return;
    }
    let mut system = System::new("sockets");
    let door = system.path("door");
    let _listener = UnixListener::bind(&door).unwrap();
    fs::set_permissions(&door, PermissionsExt::from_mode(0o666)).unwrap();
    system.add("socket", &format!("\"{door}\""), &door, &["connect"]);
    let key = system.path("key");
    fs::write(&key, "a key").unwrap();
    system.add("secret", &format!("\"{key}\""), &key, &["read"]);
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = server.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let _ = stream.and_then(|mut stream| std::io::Write::write_all(&mut stream, b"x"));
        }
    });
    system.add("connect", &format!("tcp=\"{remote}\""), &remote, &["connect"]);
    for right in ["accept", "bind"] {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        system.add("listen", &format!("tcp=\"{free}\""), &free, &[right]);
    }
    system.check();
}

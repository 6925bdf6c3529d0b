//! What a person could notice of lowering: manifests, plans and refusals of small configurations on a small machine.

mod closures;
mod data_only;
mod elf_files;
mod manifests;
mod refusals;

use super::{Lowered, Mode, Options, lower};
use crate::diag::Diagnostic;
use crate::machine::Machine;
use crate::machine::fake::FakeMachine;
use crate::source::{Files, SourceMap};
use crate::{check, holdings, resolve};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// One configuration file.
struct OneFile<'a>(&'a str);

impl Files for OneFile<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path == Path::new("/system.kdl") {
            true => Ok(self.0.as_bytes().to_vec()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// A machine with a static program, a shell, and a few files that belong to somebody.
fn machine() -> FakeMachine {
    let mut machine = FakeMachine::default();
    machine
        .link("/bin", "usr/bin")
        .link("/lib", "usr/lib")
        .link("/lib64", "usr/lib64")
        .link("/sbin", "usr/sbin");
    machine.file("/usr/bin/tool", elf_files::program().bytes()).owned("/usr/bin/tool", 0, 0, 0o755);
    machine.file("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\npg:x:105:109::/var/lib/pg:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n");
    machine.file("/etc/group", "root:x:0:\npg:x:109:\nusers:x:100:me\n");
    machine.file("/etc/hosts", "127.0.0.1 localhost\n192.0.2.7 api.example api # the other one\n");
    machine.dir("/srv/site").owned("/srv/site", 1000, 1000, 0o750);
    machine.dir("/srv/root");
    machine.dir("/var/lib");
    machine.file("/etc/key", "secret").owned("/etc/key", 0, 0, 0o600);
    machine.socket("/run/host.sock").owned("/run/host.sock", 0, 0, 0o666);
    machine
}

/// Lowers a configuration that `check` accepts; `body` stands after the `system` line.
fn lowered(body: &str, machine: &dyn Machine, mode: Mode) -> Result<Lowered, Vec<Diagnostic>> {
    let text = format!("system \"test\"\n{body}");
    let resolved = resolve::resolve(&OneFile(&text), Path::new("/system.kdl"), "system.kdl");
    assert!(resolved.diagnostics.is_empty(), "{:#?}", resolved.diagnostics);
    let model = resolved.model.unwrap();
    let holdings = holdings::derive(&model);
    let (checked, found) = check::check(&model, &holdings, &SourceMap::default());
    assert!(found.is_empty(), "{found:#?}");
    let state_root = (mode == Mode::User).then(|| "/store/state".into());
    let options =
        Options { mode, state_root, previous: BTreeMap::new(), groups: crate::lower::Groups::default() };
    lower(&model, &holdings, &checked.unwrap(), machine, &options)
}

/// Returns a service's manifest without what is the same for all: the filter.
#[track_caller]
fn manifest(lowered: &Lowered, name: &str) -> String {
    let (_, text) = lowered.manifests.iter().find(|(other, _)| other == name).unwrap();
    text.lines().filter(|line| !line.starts_with("bpf ")).map(|line| format!("{line}\n")).collect()
}

//! `capc show`: a sealed manifest, for people and for programs.

use super::generation::Sealed;
use super::sealed_words::{path_of, text_of};
use super::{Failure, compile, print_json};
use crate::cli::{AnswerFormat, Exit, Show};
use crate::emit::report::harmless;
use crate::emit::store::{self, StoreError};
use capc_schemas::manifest::{Line, Manifest};
use capc_schemas::token::AbsPath;
use serde::Serialize;
use std::fmt::Write;

/// `capc/manifest/1`.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ManifestAnswer {
    format: &'static str,
    generation: u64,
    service: String,
    mode: &'static str,
    landlock_abi: u32,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    hostname: String,
    network: &'static str,
    /// Everything in its root, in the order in which it is put there.
    files: Vec<File>,
    proc: bool,
    notify: Option<String>,
    /// Landlock's rights on paths.
    rights: Vec<Rights>,
    bind_ports: Vec<u16>,
    connect_ports: Vec<u16>,
    limits: Vec<Limit>,
    /// Kernel privileges that are kept, by number.
    privileges: Vec<u8>,
    /// How many instructions the filter of system calls has.
    seccomp_instructions: usize,
    descriptors: Vec<Descriptor>,
    environment: Vec<Variable>,
    workdir: String,
    prepare: Vec<String>,
    ready: &'static str,
    /// The program and its arguments.
    run: Vec<String>,
}

/// Something in the root of a service's world.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct File {
    /// The word that its line begins with: `store`, `pinned`, `memfd`, `image`, `grant`, `secret`, `facet`, `tmpfs`, `link`, `text`, `device`,
    /// `unlink` or `state`.
    how: &'static str,
    at: String,
    /// The machine's path, a facet's key, or what a link says.
    from: Option<String>,
    /// What it must hold.
    sha256: Option<String>,
    executable: bool,
    writable: bool,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Rights {
    at: String,
    rights: Vec<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Limit {
    limit: &'static str,
    /// None is no limit.
    soft: Option<u64>,
    hard: Option<u64>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Descriptor {
    fd: u16,
    kind: &'static str,
    name: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Variable {
    name: String,
    value: String,
}

/// Shows a manifest.
pub fn run(arguments: &Show) -> Exit {
    match shown(arguments) {
        Ok(()) => Exit::Clean,
        Err(failure) => failure.report(),
    }
}

fn shown(arguments: &Show) -> Result<(), Failure> {
    let refused = |error: StoreError| Failure::refused(error.to_string());
    let path = compile::absolute(&arguments.inspected.store)?;
    let none = || Failure::usage(format!("the store `{}` has no generation", path.display()));
    let found = match arguments.generation {
        Some(number) => store::find(&path, number).map_err(refused)?,
        None => store::current(&path).map_err(refused)?.ok_or_else(none)?,
    };
    store::signed(&path, &found).map_err(refused)?;
    let sealed = Sealed::open(&found.path)?;
    let name = &arguments.name;
    let manifests = sealed.manifests()?;
    let Some((_, text)) = manifests.iter().find(|(service, _)| service == name) else {
        let meant = crate::diag::nearest(name, manifests.iter().map(|(service, _)| service.as_str()));
        let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        return Err(Failure::usage(format!(
            "no service `{name}` is sealed in generation {}{meant}",
            found.number
        )));
    };
    let manifest = Manifest::parse(text).map_err(|error| sealed.broken(format!("`{name}`: {error}")))?;
    let answer = ManifestAnswer::of(found.number, &manifest);
    match arguments.inspected.format {
        AnswerFormat::Json => print_json(&answer),
        AnswerFormat::Human => {
            super::say_as_is!("{}", harmless(&answer.human()));
            Ok(())
        }
    }
}

fn limit(number: u64) -> Option<u64> {
    Some(number).filter(|number| *number != u64::MAX)
}

impl ManifestAnswer {
    fn of(generation: u64, manifest: &Manifest<'_>) -> Self {
        let mut answer = Self { format: "capc/manifest/1", generation, ..Self::default() };
        for line in manifest.lines() {
            answer.take(line);
        }
        answer
    }

    fn take(&mut self, line: Line<'_>) {
        use capc_schemas::manifest::{Access, Execution};
        let how = line.kind().word();
        let file =
            |at: AbsPath<'_>, from: Option<String>| File { how, at: path_of(at), from, ..File::default() };
        match line {
            Line::Format { .. } | Line::End => {}
            Line::Service { name } => self.service = name.to_string(),
            Line::Mode { mode } => self.mode = mode.word(),
            Line::LandlockAbi { abi } => self.landlock_abi = abi,
            Line::Uid { uid, gid } => (self.uid, self.gid) = (uid, gid),
            Line::Groups { gids } => {
                self.groups = gids.to_string().split(' ').filter_map(|gid| gid.parse().ok()).collect();
            }
            Line::Hostname { name } => self.hostname = text_of(name),
            Line::Network { network } => self.network = network.word(),
            Line::Tmpfs { at, bytes, .. } => {
                let from = Some(format!("{bytes} bytes of memory"));
                self.files.push(File { writable: true, ..file(at, from) });
            }
            Line::Link { at, target } => self.files.push(file(at, Some(text_of(target)))),
            Line::Text { at, .. } | Line::Unlink { at } => self.files.push(file(at, None)),
            Line::Device { at, from } => {
                self.files.push(File { writable: true, ..file(at, Some(path_of(from))) })
            }
            Line::Store { at, from, digest, execution }
            | Line::Pinned { at, from, digest, execution }
            | Line::Memfd { at, from, digest, execution } => self.files.push(File {
                sha256: Some(digest.to_string()),
                executable: execution == Execution::Exec,
                ..file(at, Some(path_of(from)))
            }),
            Line::Image { at, from } => {
                self.files.push(File { executable: true, ..file(at, Some(path_of(from))) })
            }
            Line::State { from } => self.files.push(file(from, Some(path_of(from)))),
            Line::Grant { at, from, access, execution, .. } => self.files.push(File {
                executable: execution == Execution::Exec,
                writable: access == Access::ReadWrite,
                ..file(at, Some(path_of(from)))
            }),
            Line::Secret { at, from } => self.files.push(file(at, Some(path_of(from)))),
            Line::Facet { at, key, role, .. } => {
                self.files.push(file(at, Some(format!("{} {key}", role.word()))));
            }
            Line::Proc => self.proc = true,
            Line::Notify { at } => self.notify = Some(path_of(at)),
            Line::Allow { at, rights } => self.rights.push(Rights {
                at: path_of(at),
                rights: rights.to_string().split(',').map(str::to_owned).collect(),
            }),
            Line::BindPort { port } => self.bind_ports.push(port),
            Line::ConnectPort { port } => self.connect_ports.push(port),
            Line::Rlimit { limit: of, soft, hard } => {
                self.limits.push(Limit { limit: of.word(), soft: limit(soft), hard: limit(hard) });
            }
            Line::Keep { capability } => self.privileges.push(capability),
            Line::Bpf { .. } => self.seccomp_instructions += 1,
            Line::Descriptor { fd, kind, name } => {
                self.descriptors.push(Descriptor { fd, kind: kind.word(), name: text_of(name) });
            }
            Line::Env { name, value } => {
                self.environment.push(Variable { name: text_of(name), value: text_of(value) });
            }
            Line::Workdir { at } => self.workdir = path_of(at),
            Line::Prepare { at } => self.prepare.push(path_of(at)),
            Line::PrepareArg { text: argument } => self.prepare.push(text_of(argument)),
            Line::Ready { ready } => self.ready = ready.word(),
            Line::Run { at } => self.run.push(path_of(at)),
            Line::Arg { text: argument } => self.run.push(text_of(argument)),
        }
    }

    fn human(&self) -> String {
        let mut out = String::new();
        let line = |out: &mut String, head: &str, text: &str| {
            let _ = writeln!(out, "{head:<12} {text}");
        };
        let words = |words: &[String]| {
            let quoted = |word: &String| match word.is_empty()
                || word.contains(|letter: char| !letter.is_ascii_graphic())
            {
                true => format!("{word:?}"),
                false => word.clone(),
            };
            words.iter().map(quoted).collect::<Vec<_>>().join(" ")
        };
        let numbers = |numbers: &[u16]| numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
        line(
            &mut out,
            &self.service,
            &format!("as sealed in generation {}, started as {}", self.generation, self.mode),
        );
        line(&mut out, "runs", &words(&self.run));
        if !self.prepare.is_empty() {
            line(&mut out, "after", &words(&self.prepare));
        }
        let groups: String = self.groups.iter().map(|gid| format!(", group {gid}")).collect();
        line(
            &mut out,
            "identity",
            &format!("uid {}, gid {}{groups}, host name {}", self.uid, self.gid, self.hostname),
        );
        line(&mut out, "ready", self.ready);
        line(&mut out, "directory", &self.workdir);
        for Variable { name, value } in &self.environment {
            line(&mut out, "environment", &format!("{name}={}", words(std::slice::from_ref(value))));
        }
        for Descriptor { fd, kind, name } in &self.descriptors {
            line(&mut out, "descriptor", &format!("{fd}: {kind} {name}"));
        }
        line(&mut out, "network", self.network);
        for (head, ports) in [("binds", &self.bind_ports), ("connects to", &self.connect_ports)] {
            if !ports.is_empty() {
                line(&mut out, head, &numbers(ports));
            }
        }
        let privileges: Vec<String> = self.privileges.iter().map(u8::to_string).collect();
        let privileges = if privileges.is_empty() { "none".to_owned() } else { privileges.join(" ") };
        line(&mut out, "privileges", &privileges);
        for Limit { limit, soft, hard } in &self.limits {
            let of = |number: &Option<u64>| number.map_or("none".to_owned(), |number| number.to_string());
            line(&mut out, "limit", &format!("{limit} {} {}", of(soft), of(hard)));
        }
        line(
            &mut out,
            "filter",
            &format!("{} instructions, Landlock ABI {}", self.seccomp_instructions, self.landlock_abi),
        );
        for Rights { at, rights } in &self.rights {
            line(&mut out, "may", &format!("{} {at}", rights.join(",")));
        }
        for file in &self.files {
            let from =
                file.from.as_ref().filter(|from| **from != file.at).map(|from| format!("  from {from}"));
            let digest = file
                .sha256
                .as_ref()
                .and_then(|digest| digest.get(..12))
                .map(|digest| format!("  sha256 {digest}…"));
            let marks = match (file.writable, file.executable) {
                (true, _) => "  writable",
                (false, true) => "  executable",
                (false, false) => "",
            };
            let text =
                format!("{}{}{}{marks}", file.at, from.unwrap_or_default(), digest.unwrap_or_default());
            line(&mut out, file.how, &text);
        }
        out
    }
}

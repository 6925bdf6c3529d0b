//! Tree to declarations: the body of a service.

use super::declaration::{
    GrantsDeclaration, HoldsDeclaration, HoldsMore, ProcessKind, ServiceDeclaration, TransportDeclaration,
};
use super::file::unknown_statement;
use super::tables::ByName;
use super::words::{Body, Properties, Reader, Word, Words, with_suggestion};
use crate::diag::{Code, Diagnostic};
use crate::model::{Limits, Ready, Restart, Scratch, When};
use crate::source::Span;
use crate::syntax::tree::NodeId;
use std::sync::Arc;

/// Words of a process, whoever starts it.
const OF_ALL: [&str; 16] = [
    "run",
    "prepare",
    "image",
    "config",
    "as",
    "env",
    "workdir",
    "scratch",
    "syscalls",
    "holds",
    "grants",
    "trusted",
    "limits",
    "stop",
    "reload",
    "unconfined",
];
/// Words of what the init starts.
const OF_SERVICES: [&str; 5] = ["provides", "oneshot", "restart", "ready", "schedule"];
/// Words that are said once.
const ONCE: [&str; 13] = [
    "run",
    "prepare",
    "as",
    "workdir",
    "trusted",
    "oneshot",
    "restart",
    "ready",
    "limits",
    "stop",
    "reload",
    "schedule",
    "unconfined",
];

/// Groups of system calls that nobody has without saying so; `docs/language.md` lists what is in them.
pub const SYSCALLS: [&str; 8] =
    ["io_uring", "bpf", "perf", "keyring", "ptrace", "namespaces", "mount", "userfaultfd"];

/// Reads `service NAME { … }` or `program NAME { … }`.
pub fn read(
    reader: &mut Reader<'_>,
    node: NodeId,
    directory: &str,
    kind: ProcessKind,
) -> Option<ServiceDeclaration> {
    let mut words = reader.words(node, Properties::Only(&[]), Body::Allowed);
    let name = reader
        .required(&mut words, "a name", "service web { run \"/usr/sbin/nginx\" }")
        .and_then(|name| reader.name(name));
    reader.end(words);
    let name = name?;
    let mut service = ServiceDeclaration {
        kind,
        name,
        program: None,
        arguments: Vec::new(),
        prepare: None,
        image: Vec::new(),
        standard: Vec::new(),
        config: Vec::new(),
        identity: None,
        environment: Vec::new(),
        workdir: None,
        scratch: Vec::new(),
        holds: Vec::new(),
        provides: Vec::new(),
        grants: Vec::new(),
        trusted: None,
        oneshot: None,
        restart: None,
        ready: None,
        limits: Limits::default(),
        stop: None,
        reload: None,
        schedule: None,
        syscalls: Vec::new(),
        unconfined: None,
    };
    let mut seen: Vec<(&str, Span)> = Vec::new();
    let tree = reader.tree;
    // Most of a body is this, and of many.
    service.holds.reserve_exact(tree.children(node).filter(|child| tree.name(*child) == "holds").count());
    for child in tree.children(node) {
        let word = tree.name(child);
        if kind == ProcessKind::Program && OF_SERVICES.contains(&word) {
            let message = format!("a program has no `{word}`");
            let span = reader.name_span(child);
            reader.report(
                Diagnostic::new(Code::UnknownWord, message, span, "only a service says this")
                    .help("leave it out: a program runs when a holder of its `launch` starts it"),
            );
            continue;
        }
        if ONCE.contains(&word) {
            let span = reader.name_span(child);
            if let Some((_, first)) = seen.iter().find(|(known, _)| *known == word) {
                let first = *first;
                reader.report(
                    Diagnostic::new(
                        Code::DuplicateName,
                        format!("`{word}` is said twice"),
                        span,
                        "said again here",
                    )
                    .label(first, "first said here")
                    .help("keep one of the two"),
                );
                continue;
            }
            seen.push((word, span));
        }
        statement(reader, &mut service, child, directory);
    }
    set_once(reader, &mut service.environment);
    if !seen.iter().any(|(word, _)| *word == "run") {
        reader.missing(
            service.name.span,
            "the program (`run`)",
            "run \"/usr/sbin/nginx\" \"-g\" \"daemon off;\"",
        );
    }
    if let (Some(oneshot), Some((_, restart))) = (service.oneshot, service.restart) {
        reader.report(
            Diagnostic::new(
                Code::BadValue,
                "a oneshot runs to its end and is not restarted",
                restart,
                "this does not go with it",
            )
            .label(oneshot, "`oneshot` is said here")
            .help("keep one of the two"),
        );
    }
    if service.oneshot.is_none() {
        if let Some(schedule) = &service.schedule {
            reader.diagnostics.push(
                Diagnostic::new(
                    Code::MissingWord,
                    format!(
                        "`{}` starts by the calendar, but is not said to be a oneshot",
                        service.name.text
                    ),
                    schedule.span,
                    "this is for a service that runs to its end",
                )
                .help("write `oneshot` in the body of the service"),
            );
        }
        for provided in &service.provides {
            if matches!(provided.transport, TransportDeclaration::Done) {
                reader.diagnostics.push(
                    Diagnostic::new(
                        Code::MissingWord,
                        format!("`{}` says that it is done, but not that it is a oneshot", service.name.text),
                        provided.name.span,
                        "this is for a service that runs to its end",
                    )
                    .help("write `oneshot` in the body of the service"),
                );
            }
        }
    }
    Some(service)
}

fn statement(reader: &mut Reader<'_>, service: &mut ServiceDeclaration, node: NodeId, directory: &str) {
    let word = reader.tree.name(node);
    match word {
        "run" => {
            if let Some((program, arguments)) = command(reader, node, directory) {
                service.program = Some(program);
                service.arguments = arguments;
            }
        }
        "prepare" => {
            let command = command(reader, node, directory);
            service.prepare = command
                .map(|(program, arguments)| (program, arguments.into_iter().map(|word| word.text).collect()));
        }
        "image" => {
            let words = paths(reader, node, "image \"/usr/lib/python3.11\"");
            for word in words {
                match word.text.starts_with(super::standard::PREFIX) {
                    true => {
                        service.standard.push(word.span);
                        service.image.extend(super::standard::image(reader, &word));
                    }
                    false => service.image.extend(reader.host_path(word, directory)),
                }
            }
        }
        "config" => service.config.extend(paths(reader, node, "config \"/etc/nginx\"")),
        "as" => service.identity = single(reader, node, "an identity", "as pg"),
        "env" => environment(reader, service, node),
        "workdir" => {
            let path = single(reader, node, "a path", "workdir \"/srv\"");
            service.workdir = path.and_then(|path| reader.world_path(path));
        }
        "scratch" => scratch(reader, service, node),
        "holds" => service.holds.extend(holds(reader, node)),
        "provides" => service.provides.extend(super::provides::read(reader, node)),
        "grants" => service.grants.extend(grants(reader, node)),
        "trusted" => {
            let example = "trusted \"reviewed 2026-05: forwards only parameterised queries\"";
            service.trusted = Some(reason(reader, node, example));
        }
        "unconfined" => service.unconfined = Some(reason(reader, node, "unconfined \"not looked at yet\"")),
        "schedule" => {
            let word = single(reader, node, "when it starts", "schedule \"daily\"");
            service.schedule = word.filter(|word| super::calendar::check(reader, word));
        }
        "syscalls" => {
            let mut words = reader.words(node, Properties::Only(&[]), Body::None);
            let first = reader.required(&mut words, "a group of system calls", "syscalls \"io_uring\"");
            let rest = reader.rest(&mut words, "a group of system calls");
            let known: Vec<(&str, ())> = SYSCALLS.iter().map(|name| (*name, ())).collect();
            for word in first.into_iter().chain(rest) {
                if reader.choice(&word, &known).is_some() && !service.syscalls.contains(&word) {
                    service.syscalls.push(word);
                }
            }
        }
        "oneshot" => {
            let words = reader.words(node, Properties::Only(&[]), Body::None);
            service.oneshot = Some(words.node);
            reader.end(words);
        }
        "restart" => {
            let choices =
                [("never", Restart::Never), ("on-failure", Restart::OnFailure), ("always", Restart::Always)];
            let word = single(reader, node, "when it restarts", "restart \"on-failure\"");
            service.restart =
                word.and_then(|word| Some((reader.choice(&word, &choices)?, reader.name_span(node))));
        }
        "ready" => {
            let choices = [("notify", Ready::Notify), ("socket", Ready::Socket), ("started", Ready::Started)];
            let word = single(reader, node, "when it is ready", "ready \"notify\"");
            match word {
                Some(word) if ["forking", "fork", "simple", "exec", "dbus"].contains(&&*word.text) => {
                    let message = format!("no service is ready by `{}`", word.text);
                    let wrong =
                        Diagnostic::new(Code::UnknownWord, message, word.span, "a word of another init's");
                    reader.report(wrong.help(
                        "leave it out, and let the program stay in the foreground; `ready \"socket\"` waits until it listens",
                    ));
                }
                word => service.ready = word.and_then(|word| reader.choice(&word, &choices)),
            }
        }
        "limits" => service.limits = limits(reader, node),
        "stop" => {
            let mut words = reader.words(node, Properties::Only(&["signal", "within"]), Body::None);
            let signal = reader
                .property(&mut words, "signal", "a signal's name")
                .and_then(|word| reader.signal(&word));
            let within = reader.property(&mut words, "within", "a time").and_then(|word| reader.time(&word));
            service.stop = Some((signal.unwrap_or_else(|| "TERM".into()), within.unwrap_or(10_000)));
            reader.end(words);
        }
        "reload" => {
            let mut words = reader.words(node, Properties::Only(&["signal"]), Body::None);
            match reader.property(&mut words, "signal", "a signal's name") {
                Some(word) => service.reload = reader.signal(&word),
                None => reader.missing(words.node, "the signal", "reload signal=\"HUP\""),
            }
            reader.end(words);
        }
        unknown => {
            let span = reader.name_span(node);
            let known = match service.kind {
                ProcessKind::Service => [&OF_ALL[..], &OF_SERVICES].concat(),
                ProcessKind::Program => OF_ALL.to_vec(),
            };
            reader.report(unknown_statement(unknown, span, &known));
        }
    }
}

/// Reads a word whose only argument is a reason, and returns its place. What lacks one is said all the same.
fn reason(reader: &mut Reader<'_>, node: NodeId, example: &str) -> Span {
    let reason = single(reader, node, "a reason", example);
    if let Some(reason) = reason.filter(|reason| reason.text.trim().is_empty()) {
        reader.missing(reason.span, "a reason", example);
    }
    reader.name_span(node)
}

fn paths(reader: &mut Reader<'_>, node: NodeId, example: &str) -> Vec<Word> {
    let mut words = reader.words(node, Properties::Only(&[]), Body::None);
    let first = reader.required(&mut words, "a path", example);
    let rest = reader.rest(&mut words, "a path");
    first.into_iter().chain(rest).collect()
}

/// Reads a statement of one word.
pub fn single(reader: &mut Reader<'_>, node: NodeId, what: &str, example: &str) -> Option<Word> {
    let mut words = reader.words(node, Properties::Only(&[]), Body::None);
    let word = reader.required(&mut words, what, example);
    reader.end(words);
    word
}

fn command(
    reader: &mut Reader<'_>,
    node: NodeId,
    directory: &str,
) -> Option<(crate::model::PathUse, Vec<Word>)> {
    let mut words = reader.words(node, Properties::Only(&[]), Body::None);
    let program = reader.required(&mut words, "a program", "run \"/usr/sbin/nginx\"")?;
    let program = reader.host_path(program, directory);
    let arguments = reader.rest(&mut words, "an argument in quotes");
    if let Some(argument) = arguments.iter().find(|argument| argument.text.contains('\0')) {
        let argument = argument.clone();
        reader.bad(&argument, "an argument has no NUL character", "leave the character out");
    }
    Some((program?, arguments))
}

fn environment(reader: &mut Reader<'_>, service: &mut ServiceDeclaration, node: NodeId) {
    let mut words = reader.words(node, Properties::Any, Body::None);
    for variable in words.take_all() {
        let Some(value) = reader.text(variable.value, variable.span, "a text in quotes") else { continue };
        let name = variable.key;
        let key = &*name.text;
        if key.is_empty() || key.contains(['=', '\0']) || value.text.contains('\0') {
            reader.bad(&name, "this is no environment variable", "write `env NAME=\"value\"`");
            continue;
        }
        service.environment.push((name, value.text));
    }
    for Word { span, .. } in reader.rest(&mut words, "a name and a value") {
        let wrong = Diagnostic::new(Code::UnknownWord, "a word too many", span, "no name and value");
        reader.report(wrong.help("write the name before the quotes: `env LANG=\"C.UTF-8\"`"));
    }
}

/// Reports variables that are set twice; the first of them counts.
fn set_once(reader: &mut Reader<'_>, environment: &mut Vec<(Word, Arc<str>)>) {
    let mut known: ByName<Span> = ByName::default();
    environment.retain(|(name, _)| match known.get(&name.text) {
        None => known.insert(name.text.clone(), name.span).is_none(),
        Some(first) => {
            let message = format!("`{}` is set twice", name.text);
            reader.report(
                Diagnostic::new(Code::DuplicateName, message, name.span, "set again here")
                    .label(*first, "first set here")
                    .help("keep one of the two"),
            );
            false
        }
    });
}

fn scratch(reader: &mut Reader<'_>, service: &mut ServiceDeclaration, node: NodeId) {
    let mut words = reader.words(node, Properties::Only(&["size"]), Body::None);
    let path = reader.required(&mut words, "a path", "scratch \"/run/app\" size=\"16M\"");
    let path = path.and_then(|path| reader.world_path(path));
    let size = reader.property(&mut words, "size", "a size").and_then(|size| reader.size(&size));
    reader.end(words);
    service.scratch.extend(path.map(|at| Scratch { at, size }));
}

fn when(reader: &mut Reader<'_>, words: &mut Words<'_>) -> When {
    let word = words.take("when").map(|(value, span)| match value {
        crate::syntax::tree::Value::String { text, .. } => Word { text: text.into(), span },
        _ => Word { text: "".into(), span },
    });
    word.and_then(|word| reader.choice(&word, &[("use", When::Use), ("start", When::Start)]))
        .unwrap_or(When::Start)
}

/// Reads `holds`.
pub fn holds(reader: &mut Reader<'_>, node: NodeId) -> Option<HoldsDeclaration> {
    let mut words = reader.words(node, Properties::Only(&["at", "path", "as", "when", "fd"]), Body::None);
    let capability = reader.capability(&mut words, "holds site read");
    let at = reader.property(&mut words, "at", "a path").and_then(|path| reader.world_path(path));
    let part = reader.property(&mut words, "path", "a relative path").and_then(|part| reader.part(part));
    let name = reader.property(&mut words, "as", "a name").and_then(|name| reader.name(name));
    let when = when(reader, &mut words);
    let fd = words.take("fd").and_then(|(value, span)| {
        let number = reader.count(value, span)?;
        match u32::try_from(number).ok().filter(|number| (3..1024).contains(number)) {
            Some(number) => Some((number, span)),
            None => {
                let word = Word { text: number.to_string().into(), span };
                reader.bad(&word, "a descriptor is a number from 3 to 1023", "write for example `fd=3`");
                None
            }
        }
    });
    let rights = reader.rest(&mut words, "a right");
    let says_more = at.is_some() || part.is_some() || name.is_some() || fd.is_some();
    let more = says_more.then(|| Box::new(HoldsMore { at, part, name, fd }));
    Some(HoldsDeclaration { capability: capability?, rights, more, when, span: words.whole })
}

fn grants(reader: &mut Reader<'_>, node: NodeId) -> Option<GrantsDeclaration> {
    let mut words = reader.words(node, Properties::Only(&["to", "when"]), Body::None);
    let capability = reader.capability(&mut words, "grants db to=worker");
    let to = reader.property(&mut words, "to", "an object's name");
    if to.is_none() {
        reader.missing(words.node, "the receiver (`to=`)", "grants db to=worker");
    }
    let when = when(reader, &mut words);
    let rights = reader.rest(&mut words, "a right");
    Some(GrantsDeclaration { capability: capability?, rights, to: to?, when, span: words.whole })
}

fn limits(reader: &mut Reader<'_>, node: NodeId) -> Limits {
    let known = ["memory", "tasks", "files", "cpu", "best-effort"];
    let mut words = reader.words(node, Properties::Only(&known), Body::None);
    let memory = reader.property(&mut words, "memory", "a size");
    let memory = memory.and_then(|word| Some((reader.size(&word)?, word.span)));
    let mut number = |key: &str| {
        let (value, span) = words.take(key)?;
        Some((reader.count(value, span)?, span))
    };
    let (tasks, files) = (number("tasks"), number("files"));
    let cpu = reader.property(&mut words, "cpu", "a share like \"50%\"").and_then(|word| {
        let share = word.text.strip_suffix('%').and_then(|share| share.parse::<u64>().ok());
        match share.filter(|share| (1..=100_000).contains(share)) {
            Some(share) => Some((share, word.span)),
            None => {
                reader.bad(&word, "this is no share of a processor", "write a number with %, like \"50%\"");
                None
            }
        }
    });
    let best_effort = reader.flag(&mut words, "best-effort");
    reader.end(words);
    Limits { memory, tasks, files, cpu, best_effort }
}

/// Returns what is said of a right that the kind does not have.
pub fn unknown_right(word: &Word, kind: crate::model::Kind) -> Diagnostic {
    let every: &[&str] = &[
        "read", "exec", "modify", "create", "remove", "socket", "write", "accept", "bind", "connect",
        "become", "signal", "restart", "replace", "use", "ioctl", "launch", "ask",
    ];
    let names = kind.right_names();
    if every.contains(&&*word.text) {
        let message = format!("a `{}` has no right `{}`", kind.word(), word.text);
        return Diagnostic::new(Code::WrongKind, message, word.span, "not a right of this kind")
            .help(format!("its rights are {}", super::words::list(names)));
    }
    let message = format!("`{}` is no right", word.text);
    let unknown = Diagnostic::new(Code::UnknownWord, message, word.span, "not known here");
    let has = |right: &str| names.contains(&right);
    match &*word.text {
        "rw" | "readwrite" | "read-write" | "read,write" if has("read") => {
            return unknown.help("write `read write`");
        }
        "ro" | "r" | "readonly" | "read-only" if has("read") => return unknown.help("write `read`"),
        "rx" | "x" if has("exec") => return unknown.help("write `read exec`"),
        _ => {}
    }
    with_suggestion(unknown, &word.text, names.iter().copied().chain(["write"]))
}

//! `capc trace`: runs one service without a world, and prints what to add to its configuration.

pub mod offered;
mod patch;
pub mod suggest;

use super::{Failure, compile, generation, sealed_words};
use crate::cli::{Exit, Trace};
use crate::diag::nearest;
use crate::emit::harmless::one_line;
use crate::lower;
use crate::machine::RealMachine;
use crate::model::{Address, Kind, Model, Object, ObjectId, Resource, Service, Target, Transport};
use crate::source::{Files, RealFiles, SourceFile};
use capc_schemas::manifest::{Line, Manifest};
use capc_trace::Request;
use offered::Offered;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use suggest::{Reach, Suggestion};

/// Runs the command.
pub fn run(arguments: &Trace) -> Exit {
    match trace(arguments) {
        Ok(exit) => exit,
        Err(failure) => failure.report(),
    }
}

fn trace(arguments: &Trace) -> Result<Exit, Failure> {
    let mut compilation = compile::named(&arguments.config)?;
    let complaint = compile::complain(&compilation);
    let (Exit::Clean, Some(model), Some(holdings), Some(checked)) =
        (complaint, &compilation.model, &compilation.holdings, &compilation.checked)
    else {
        return Ok(complaint);
    };
    let (id, service) = service_of(model, &arguments.service)?;
    let options = lower::Options {
        mode: generation::mode(),
        state_root: None,
        previous: BTreeMap::new(),
        groups: lower::Groups::AT_START,
    };
    let lowered = match lower::lower(model, holdings, checked, &RealMachine::default(), &options) {
        Ok(lowered) => lowered,
        Err(refusals) => return Ok(compile::refuse(&mut compilation, refusals)),
    };
    let offered = offered(&lowered, service, &arguments.service).unwrap_or_default();
    let limit = Duration::from_secs(arguments.seconds);
    let user = user(&lowered, service, &arguments.service);
    let whose = match user {
        Some((uid, _)) => format!("the user {uid}, as which it runs, may do"),
        None => "you may do yourself".to_owned(),
    };
    super::complain!(
        "capc: `{}` runs without a world for at most {} s, with all that {whose}",
        arguments.service,
        arguments.seconds
    );
    if let Some(facet) = lower::data_only_facet(model, holdings, &arguments.service) {
        super::complain!(
            "capc: in its world it may call neither sendmsg nor recvmsg, since `{facet}` is `data-only`; whether it does \
             is not told here"
        );
    }
    let absent = absent(&lowered, &arguments.service);
    if !absent.is_empty() {
        super::complain!(
            "capc: its world would have what this machine has not: {}; make it for the trace, or the program may fail for that",
            absent.join(", ")
        );
    }
    let uses = capc_trace::run(Request {
        program: Path::new(service.program.as_ref().map_or("", |program| &*program.path)),
        arguments: &service.arguments.iter().map(|(text, _)| text.to_string()).collect::<Vec<_>>(),
        environment: &service
            .environment
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect::<Vec<_>>(),
        directory: Path::new(service.workdir.as_ref().map_or("/", |workdir| &*workdir.path)),
        user,
        passed: passed(model, service)?,
        limit,
    });
    let uses = uses.map_err(|error| Failure::refused(format!("it cannot be traced: {error}")))?;
    let span = model.object(id).span;
    // Statements are added to the system file in KDL; in a module what is missing comes by its parameters.
    let file = compilation.sources.file(span.file).filter(|_| span.file.0 == 0);
    let mut suggestion = suggest::suggest(&uses, &offered, &known(model), Reach::ButLibraries);
    let mut new = file.and_then(|file| patch::added(file, span, &suggestion));
    // With that, some libraries are there: only those that are still missing are named.
    let with = new.as_ref().and_then(|new| offered_by(&arguments.config, new, &arguments.service));
    let (offered, known) = with.unwrap_or_else(|| (offered, known(model)));
    let libraries = suggest::suggest(&uses, &offered, &known, Reach::Libraries);
    if !libraries.stated.is_empty() {
        suggestion.declared.extend(libraries.declared);
        suggestion.stated.extend(libraries.stated);
        new = file.and_then(|file| patch::added(file, span, &suggestion));
    }
    if let Some(left) = uses.left() {
        super::complain!(
            "capc: its first process ended and others went on ({}): a service ends with its first process, so let it stay in \
             the foreground",
            one_line(left)
        );
    }
    print(file.zip(new.as_deref()), &suggestion);
    Ok(Exit::Clean)
}

/// Returns as whom root runs a service that says so: some programs refuse root, and others do as root what they do not otherwise.
fn user(lowered: &lower::Lowered, service: &Service, name: &str) -> Option<(u32, u32)> {
    service.identity.filter(|_| generation::mode() == lower::Mode::Root)?;
    manifest(lowered, name)?.lines().find_map(|line| match line {
        Line::Uid { uid, gid } => Some((uid, gid)),
        _ => None,
    })
}

/// Returns what only the world of a service has: directories for its sockets, places in memory, and what it sees elsewhere.
fn absent(lowered: &lower::Lowered, name: &str) -> Vec<String> {
    let Some(manifest) = manifest(lowered, name) else { return Vec::new() };
    let places = manifest.lines().filter_map(|line| match line {
        Line::Tmpfs { at, .. }
        | Line::Facet { at, .. }
        | Line::Grant { at, .. }
        | Line::Secret { at, .. } => Some(sealed_words::path_of(at)),
        _ => None,
    });
    let mut absent: Vec<String> = places.filter(|place| !Path::new(place).exists()).collect();
    absent.sort();
    absent.dedup();
    absent.into_iter().map(|place| one_line(&place)).collect()
}

/// Returns what the world of a service offers.
fn offered(lowered: &lower::Lowered, service: &Service, name: &str) -> Option<Offered> {
    let groups = service.syscalls.iter().map(|(word, _)| word.to_string()).collect();
    manifest(lowered, name).map(|manifest| Offered::of(&manifest, groups))
}

/// Returns the manifest of a service.
fn manifest<'l>(lowered: &'l lower::Lowered, name: &str) -> Option<Manifest<'l>> {
    let (_, text) = lowered.manifests.iter().find(|(known, _)| known == name)?;
    Manifest::parse(text.as_bytes()).ok()
}

/// Returns what the world of a service would offer, and which names the system would have, if the file had another text;
/// none when that would be refused.
fn offered_by(path: &Path, text: &str, name: &str) -> Option<(Offered, Known)> {
    let edited = Edited { path: compile::absolute(path).ok()?, text };
    let compilation = compile::from(&edited, path, &compile::today()).ok()?;
    let (model, holdings) = compilation.parts()?;
    let options = lower::Options {
        mode: generation::mode(),
        state_root: None,
        previous: BTreeMap::new(),
        groups: lower::Groups::AT_START,
    };
    let checked = compilation.checked.as_ref()?;
    let lowered = lower::lower(model, holdings, checked, &RealMachine::default(), &options).ok()?;
    let (_, service) = service_of(model, name).ok()?;
    Some((offered(&lowered, service, name)?, known(model)))
}

/// The files of the machine, one of them with another text.
struct Edited<'t> {
    path: PathBuf,
    text: &'t str,
}

impl Files for Edited<'_> {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        if path == self.path { Ok(self.text.as_bytes().to_vec()) } else { RealFiles.read(path) }
    }
}

fn service_of<'m>(model: &'m Model, name: &str) -> Result<(ObjectId, &'m Service), Failure> {
    let mut services = model.services();
    if let Some((id, _, service)) = services.find(|(_, object, _)| &*object.name == name) {
        return Ok((id, service));
    }
    let names = model.services().map(|(_, object, _)| &*object.name);
    let meant = nearest(name, names).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    Err(Failure::usage(format!("there is no service `{name}`{meant}")))
}

/// Binds what the service would be passed, in the order of its statements.
fn passed(model: &Model, service: &Service) -> Result<Vec<OwnedFd>, Failure> {
    let mut passed = Vec::new();
    for placement in &service.placements {
        let capability = model.capability(placement.capability);
        let Target::Resource(resource) = capability.target else { continue };
        let accepts = capability.kind == Kind::Listen && placement.rights.contains(Kind::ACCEPT);
        let Some(Resource::Listen(Address::Ip { host, port, .. })) = model.object(resource).resource() else {
            continue;
        };
        if accepts {
            let bound = TcpListener::bind((host.trim_matches(['[', ']']), *port));
            let bound = bound
                .map_err(|error| Failure::refused(format!("cannot listen on {host}:{port}: {error}")))?;
            passed.push(bound.into());
        }
    }
    Ok(passed)
}

/// Names, with the paths that they stand for.
pub type Known = BTreeMap<String, Option<String>>;

/// Returns the names that the system has, with those of its sockets.
pub fn known(model: &Model) -> Known {
    let path = |object: &Object| match object.resource() {
        Some(Resource::Path { path, .. }) => Some(path.to_string()),
        _ => None,
    };
    let objects = model.objects().map(|(_, object)| (object.name.to_string(), path(object)));
    let facets = model.objects().flat_map(|(_, object)| object.facets()).map(|id| model.facet(*id));
    let sockets = facets.filter_map(|facet| match &facet.transport {
        Transport::Socket(path) => Some((lower::full_name(model, facet), Some(path.path.to_string()))),
        _ => None,
    });
    objects.chain(sockets).collect()
}

fn print(patched: Option<(&SourceFile, &str)>, suggestion: &Suggestion) {
    for ungranted in &suggestion.ungranted {
        super::complain!("capc: used, and nothing gives it: {}", one_line(ungranted));
    }
    if suggestion.declared.is_empty() && suggestion.stated.is_empty() {
        super::complain!("capc: its world has everything that it used");
        return;
    }
    if let Some((file, new)) = patched {
        super::say_as_is!("{}", patch::patch(&file.name, &file.text, new));
        return;
    }
    for (statement, said) in &suggestion.declared {
        super::say!("to the system:  {statement}    // {said}");
    }
    for (statement, said) in &suggestion.stated {
        super::say!("to the service: {statement}    // {said}");
    }
}

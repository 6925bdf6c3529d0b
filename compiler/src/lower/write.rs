//! A world as manifest text: the lines of `capc-schemas`, in their order.

use super::place::Place;
use super::world::World;
use capc_schemas::manifest::{Kind, Line, Manifest, SealedFile, VERSION};
use capc_schemas::token::{AbsPath, Key, RelPath, Token};
use std::collections::BTreeSet;
use std::fmt;

/// Returns the manifest of the world of each, in order, or what of it no manifest can say; two halves side by side.
pub fn manifests<T: Sync>(all: &[T], world: impl Fn(&T) -> &World + Sync) -> Vec<Result<String, String>> {
    let write = |part: &[T]| part.iter().map(|one| manifest(world(one))).collect::<Vec<_>>();
    let (first, second) = all.split_at(all.len() / 2);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| write(second));
        let mut written = write(first);
        match second.join() {
            Ok(second) => written.extend(second),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        written
    })
}

/// Returns the manifest of a world.
///
/// # Errors
/// What of it no manifest can say.
pub fn manifest(world: &World) -> Result<String, String> {
    let mut text = Text::default();
    text.lines(world).map_err(|wrong| wrong.0)?;
    let Text(text) = text;
    // The reader of the launcher's side is the judge of what was written.
    Manifest::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Something that no line can say.
struct Wrong(String);

impl From<fmt::Error> for Wrong {
    fn from(_: fmt::Error) -> Self {
        Self("a line cannot be written".into())
    }
}

#[derive(Default)]
struct Text(String);

fn path(path: &str) -> Result<AbsPath<'_>, Wrong> {
    AbsPath::new(path.as_bytes())
        .ok_or_else(|| Wrong(format!("`{path}` is no absolute path in its shortest form")))
}

fn token(text: &str) -> Token<'_> {
    Token::new(text.as_bytes())
}

impl Text {
    fn line(&mut self, line: Line<'_>) -> Result<(), Wrong> {
        Ok(line.write(&mut self.0)?)
    }

    fn lines(&mut self, world: &World) -> Result<(), Wrong> {
        let World {
            name,
            mode,
            abi,
            uid,
            gid,
            network,
            places: _,
            unlink,
            notify,
            bind_ports,
            connect_ports,
            ..
        } = world;
        self.line(Line::Format { version: VERSION })?;
        let service = RelPath::new(name).ok_or_else(|| Wrong(format!("`{name}` is no name of a service")))?;
        self.line(Line::Service { name: service })?;
        self.line(Line::Mode { mode: *mode })?;
        self.line(Line::LandlockAbi { abi: *abi })?;
        self.line(Line::Uid { uid: *uid, gid: *gid })?;
        self.line(Line::Hostname { name: token(&super::identity::plain_name(name)) })?;
        self.line(Line::Network { network: *network })?;
        self.places(world, &SEALED)?;
        let states = world.places.values().filter_map(|(place, _)| match place {
            Place::Grant(grant) => grant.state.as_deref(),
            _ => None,
        });
        for state in states.collect::<BTreeSet<&str>>() {
            self.line(Line::State { from: path(state)? })?;
        }
        self.places(world, &GRANTED)?;
        for at in unlink {
            self.line(Line::Unlink { at: path(at)? })?;
        }
        self.line(Line::Proc)?;
        if let Some(at) = notify {
            self.line(Line::Notify { at: path(at)? })?;
        }
        for (at, rights) in world.rules() {
            self.line(Line::Allow { at: path(&at)?, rights })?;
        }
        for port in bind_ports {
            self.line(Line::BindPort { port: *port })?;
        }
        for port in connect_ports {
            self.line(Line::ConnectPort { port: *port })?;
        }
        self.process(world)
    }

    fn places(&mut self, world: &World, kinds: &[Kind]) -> Result<(), Wrong> {
        for kind in kinds {
            for (at, (place, _)) in &world.places {
                self.place(*kind, at, place)?;
            }
        }
        Ok(())
    }

    fn place(&mut self, kind: Kind, at: &str, place: &Place) -> Result<(), Wrong> {
        let at = path(at)?;
        match (kind, place) {
            (Kind::Tmpfs, Place::Tmpfs { bytes, mode, sockets: _ }) => {
                self.line(Line::Tmpfs { at, bytes: *bytes, mode: *mode })
            }
            (Kind::Link, Place::Link { target }) => self.line(Line::Link { at, target: token(target) }),
            (Kind::Text, Place::Text { mode, content }) => {
                self.line(Line::Text { at, mode: *mode, content: token(content) })
            }
            (Kind::Device, Place::Device { from, rights: _ }) => {
                self.line(Line::Device { at, from: path(from)? })
            }
            (kind, Place::Sealed { from, digest, execution, integrity }) => {
                let (digest, execution, integrity) = (*digest, *execution, *integrity);
                let line = SealedFile { at, from: path(from)?, digest, execution, integrity }.line();
                if line.kind() == kind { self.line(line) } else { Ok(()) }
            }
            (Kind::Image, Place::Image { from }) => self.line(Line::Image { at, from: path(from)? }),
            (Kind::Grant, Place::Grant(grant)) => self.line(Line::Grant {
                at,
                from: path(&grant.from)?,
                kind: grant.kind,
                access: grant.access(),
                execution: grant.execution(),
                owner: grant.owner,
            }),
            (Kind::Secret, Place::Secret { from }) => self.line(Line::Secret { at, from: path(from)? }),
            (Kind::Facet, Place::Facet { key, role, uid, gid }) => {
                let key = Key::new(key).ok_or_else(|| Wrong(format!("`{key}` is no key of a facet")))?;
                self.line(Line::Facet { at, key, role: *role, uid: *uid, gid: *gid })
            }
            _ => Ok(()),
        }
    }

    fn process(&mut self, world: &World) -> Result<(), Wrong> {
        for (limit, number) in &world.rlimits {
            self.line(Line::Rlimit { limit: *limit, soft: *number, hard: *number })?;
        }
        for capability in &world.keep {
            self.line(Line::Keep { capability: *capability })?;
        }
        for instruction in &world.filter {
            let super::seccomp::Instruction { code, jt, jf, k } = *instruction;
            self.line(Line::Bpf { code, jt, jf, k })?;
        }
        for (fd, (kind, name)) in &world.descriptors {
            self.line(Line::Descriptor { fd: *fd, kind: *kind, name: token(name) })?;
        }
        for (name, value) in &world.environment {
            self.line(Line::Env { name: token(name), value: token(value) })?;
        }
        self.line(Line::Workdir { at: path(&world.workdir)? })?;
        if let Some((program, arguments)) = &world.prepare {
            self.line(Line::Prepare { at: path(program)? })?;
            for argument in arguments {
                self.line(Line::PrepareArg { text: token(argument) })?;
            }
        }
        self.line(Line::Ready { ready: world.ready })?;
        self.line(Line::Run { at: path(&world.run)? })?;
        for argument in &world.arguments {
            self.line(Line::Arg { text: token(argument) })?;
        }
        self.line(Line::End)
    }
}

/// The lines for what the compiler made or hashed, in their order.
const SEALED: [Kind; 8] =
    [Kind::Tmpfs, Kind::Link, Kind::Text, Kind::Device, Kind::Store, Kind::Pinned, Kind::Memfd, Kind::Image];
/// The lines for what is granted, in their order.
const GRANTED: [Kind; 3] = [Kind::Grant, Kind::Secret, Kind::Facet];

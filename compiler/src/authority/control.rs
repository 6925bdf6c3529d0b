//! Who could make somebody do anything at all: by their code, their configuration, their supervision, the trust root,
//! or their identity.

use super::edges::{Carries, Edge, EdgeRule, EdgeSink};
use super::effective::Effective;
use crate::holdings::Holdings;
use crate::model::{Kind, Model, ObjectId, PathUse, RECONFIGURE, Rights, Service, Target, path_contains};
use crate::source::Span;

/// Where the dynamic loader finds what every program is made of (ld.so(8)).
const LOADER: [&str; 8] = [
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
];

/// What else is `reconfigure`'s own: what it runs from, and where inits find what they start (systemd.unit(5)).
const ROOT: [&str; 4] =
    ["/run/capc", "/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"];

/// Sockets known to give root: container engines' documentation each says that access to it is root's equal; the last two
/// are systemd's own.
const ROOT_SOCKETS: [&str; 6] = [
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/systemd/private",
    "/run/systemd/io.systemd.Manager",
];

/// Returns the paths of a service's own code and configuration, with the rights that they count as.
pub fn own_paths(service: &Service) -> impl Iterator<Item = (&PathUse, Rights)> {
    let exec = Kind::FS_READ.or(Kind::FS_EXEC);
    let code =
        service.program.iter().chain(service.prepare.iter().map(|(path, _)| path)).chain(&service.image);
    code.map(move |path| (path, exec)).chain(service.config.iter().map(|path| (path, Kind::FS_READ)))
}

/// A path somebody can change, with the statement that lets them.
struct Change<'m> {
    holder: ObjectId,
    path: &'m str,
    span: Span,
    carries: Carries,
}

/// Adds every control edge.
pub fn add(sink: &mut EdgeSink<'_>, model: &Model, holdings: &Holdings, effective: &Effective) {
    let changes = changes(model, holdings, effective);
    code(sink, model, holdings, &changes);
    root(sink, model, holdings, &changes);
    supervision_and_identity(sink, model, holdings);
    for (id, object) in model.objects() {
        if object.is_subject() && object.service().is_some() {
            sink.push(Edge {
                from: RECONFIGURE,
                to: id,
                rule: EdgeRule::Control,
                carries: Carries::ALL,
                span: object.span,
            });
        }
    }
}

fn changes<'m>(model: &'m Model, holdings: &Holdings, effective: &Effective) -> Vec<Change<'m>> {
    let mut changes = Vec::new();
    for (id, object) in model.objects() {
        if !object.is_subject() {
            continue;
        }
        let own = holdings.of(id).iter().map(|holding| (holding.capability, holding.rights, Carries::ALL));
        let exposed =
            effective.exposed_to(id).iter().map(|held| (held.capability, held.rights, Carries::REACH));
        for (capability, rights, carries) in own.chain(exposed) {
            let known = model.capability(capability);
            let changing = matches!(known.kind, Kind::Dir | Kind::State | Kind::File | Kind::Mount)
                && !rights.and(Kind::FS_WRITE).is_empty();
            if let (true, Some(path)) = (changing, known.path.as_deref()) {
                changes.push(Change {
                    holder: id,
                    path,
                    span: sink_span(model, holdings, id, capability),
                    carries,
                });
            }
        }
    }
    changes.sort_by_key(|change| change.path);
    changes
}

/// Returns the place of the statement by which somebody holds something.
pub fn sink_span(
    model: &Model,
    holdings: &Holdings,
    holder: ObjectId,
    capability: crate::model::CapId,
) -> Span {
    let holding = holdings.get(holder, capability);
    let last = holding.and_then(|holding| holdings.shortest(model, holding).last().map(|step| step.span));
    last.unwrap_or(model.object(holder).span)
}

fn related(a: &str, b: &str) -> bool {
    path_contains(a, b) || path_contains(b, a)
}

fn code(sink: &mut EdgeSink<'_>, model: &Model, holdings: &Holdings, changes: &[Change<'_>]) {
    if changes.is_empty() {
        return;
    }
    let loads: Vec<&Change<'_>> =
        changes.iter().filter(|change| LOADER.iter().any(|place| related(change.path, place))).collect();
    for (id, _, service) in model.services() {
        let own = own_paths(service).map(|(path, _)| path.path.as_ref());
        let arguments = service.argument_paths.iter().map(|path| path.path.as_ref());
        let executed =
            holdings.of(id).iter().filter(|holding| holding.rights.contains(Kind::FS_EXEC)).filter_map(
                |holding| {
                    let known = model.capability(holding.capability);
                    matches!(known.kind, Kind::Dir | Kind::State | Kind::File | Kind::Mount)
                        .then_some(known.path.as_deref())
                        .flatten()
                },
            );
        let code: Vec<&str> = own.chain(arguments).chain(executed).collect();
        let by_code = changes.iter().filter(|change| code.iter().any(|path| related(change.path, path)));
        for change in by_code.chain(loads.iter().copied()) {
            if change.holder != id {
                sink.both(change.holder, id, EdgeRule::Control, change.carries, change.span);
            }
        }
    }
}

fn root(sink: &mut EdgeSink<'_>, model: &Model, holdings: &Holdings, changes: &[Change<'_>]) {
    let own = [&model.root.config.path, &model.root.store.path, &model.root.key.path];
    let own: Vec<&str> = own.into_iter().map(AsRef::as_ref).chain(ROOT).collect();
    for change in changes.iter().filter(|change| own.iter().any(|path| related(change.path, path))) {
        sink.push(Edge {
            from: change.holder,
            to: RECONFIGURE,
            rule: EdgeRule::Control,
            carries: change.carries,
            span: change.span,
        });
    }
    for holding in holdings.all() {
        let known = model.capability(holding.capability);
        let Some(path) = known.path.as_deref().filter(|_| model.object(holding.holder).is_subject()) else {
            continue;
        };
        let reads = matches!(known.kind, Kind::Dir | Kind::State | Kind::File | Kind::Mount | Kind::Secret);
        let reads_key =
            reads && holding.rights.contains(Kind::FS_READ) && related(path, &model.root.key.path);
        let opens = ROOT_SOCKETS.iter().any(|socket| match known.kind {
            Kind::Socket => path == *socket,
            kind => super::is_directory(kind) && path_contains(path, socket),
        });
        if reads_key || opens {
            let span = sink_span(model, holdings, holding.holder, holding.capability);
            sink.push(Edge {
                from: holding.holder,
                to: RECONFIGURE,
                rule: EdgeRule::Control,
                carries: Carries::ALL,
                span,
            });
        }
    }
}

fn supervision_and_identity(sink: &mut EdgeSink<'_>, model: &Model, holdings: &Holdings) {
    for holding in holdings.all() {
        if !model.object(holding.holder).is_subject() {
            continue;
        }
        let known = model.capability(holding.capability);
        match (known.kind, known.target) {
            (Kind::Control, Target::Facet(facet)) if holding.rights.contains(Kind::REPLACE) => {
                let owner = model.facet(facet).owner;
                if owner != holding.holder {
                    let span = sink_span(model, holdings, holding.holder, holding.capability);
                    sink.both(holding.holder, owner, EdgeRule::Control, Carries::ALL, span);
                }
            }
            (Kind::Identity, _) => {
                for (id, _, service) in model.services() {
                    if id != holding.holder
                        && service.identity.is_some_and(|(identity, _)| identity == holding.capability)
                    {
                        let span = sink_span(model, holdings, holding.holder, holding.capability);
                        sink.both(holding.holder, id, EdgeRule::Control, Carries::ALL, span);
                    }
                }
            }
            _ => {}
        }
    }
}

//! `root-cycle`: the trust root in the hands of what it starts, or lying on what a service mounts.

use crate::authority::{Authority, EdgeRule};
use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{Model, PathUse, RECONFIGURE, SYSTEM, Transport, path_contains};

/// Reports who controls `reconfigure`, and what it needs that does not exist before a service runs.
pub fn check(model: &Model, holdings: &Holdings) -> Vec<Diagnostic> {
    let authority = Authority::new(model, holdings, SYSTEM);
    let mut diagnostics = Vec::new();
    for edge in authority.edges.iter().filter(|edge| edge.to == RECONFIGURE && edge.rule == EdgeRule::Control)
    {
        let subject = model.object(edge.from);
        let message = format!("`{}` could give itself anything: it controls `reconfigure`", subject.name);
        diagnostics.push(
            Diagnostic::new(Code::RootCycle, message, edge.span, "by this it reaches what decides over everything")
                .label(subject.span, format!("`{}` is declared here", subject.name))
                .help("hand it a smaller part, away from the configuration, the store, the key and the init's units"),
        );
    }
    for facet in &model.facets {
        if let Transport::Mount(mount) = &facet.transport {
            let root = &model.root;
            let own = [("configuration", &root.config), ("store", &root.store), ("signing key", &root.key)];
            let code = model
                .services()
                .filter_map(|(_, _, service)| service.program.as_ref())
                .map(|path| ("programs", path));
            let needed = own.into_iter().chain(code).find(|(_, path)| path_contains(&mount.path, &path.path));
            if let Some((what, path)) = needed {
                diagnostics.push(on_a_mount(model, facet, mount, what, path));
            }
        }
    }
    diagnostics
}

fn on_a_mount(
    model: &Model,
    facet: &crate::model::Facet,
    mount: &PathUse,
    what: &str,
    path: &PathUse,
) -> Diagnostic {
    let owner = &model.object(facet.owner).name;
    let message = format!(
        "`reconfigure` needs its {what} at `{}` before `{owner}` can mount `{}`",
        path.path, mount.path
    );
    Diagnostic::new(Code::RootCycle, message, mount.span, "mounted by a service that has not been sealed yet")
        .label(path.span, "needed before anything is sealed")
        .help("keep what the trust root needs off what services mount")
}

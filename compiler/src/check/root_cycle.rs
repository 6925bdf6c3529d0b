//! `root-cycle`: the trust root in the hands of what it starts, or lying on what a service mounts.

use crate::authority::{Footing, RootReason};
use crate::diag::{Code, Diagnostic};
use crate::model::{Facet, Model, ObjectId, PathUse, Transport, by_components, path_contains};

/// Where the compiler is installed.
const COMPILER: &str = "/usr/bin/capc";

/// Reports who controls `reconfigure`, and what it needs that does not exist before a service runs.
pub fn check(footing: &Footing<'_>) -> Vec<Diagnostic> {
    let model = footing.model;
    let subjects = model.objects().filter(|(_, object)| object.is_subject());
    let mut diagnostics: Vec<Diagnostic> = subjects.filter_map(|(id, _)| controls(footing, id)).collect();
    let needed = needed(model);
    for facet in &model.facets {
        if let Transport::Mount(mount) = &facet.transport {
            // The paths inside the mount stand together, as they are sorted by components.
            let from = needed.partition_point(|(_, path)| path.path.split('/').lt(mount.path.split('/')));
            let inside = needed
                .get(from..)
                .unwrap_or(&[])
                .iter()
                .take_while(|(_, path)| path_contains(&mount.path, &path.path));
            if let Some((what, path)) = inside.min_by_key(|(what, path)| (what, path.span)) {
                diagnostics.push(on_a_mount(model, facet, mount, what.word(), path));
            }
        }
    }
    diagnostics
}

/// What the trust root needs before anything is sealed.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Configuration,
    Store,
    Key,
    Program,
    Image,
    Compiler,
}

impl Need {
    const fn word(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Store => "store",
            Self::Key => "signing key",
            Self::Program => "programs, which it seals,",
            Self::Image => "images, which it seals,",
            Self::Compiler => "own program",
        }
    }
}

fn needed(model: &Model) -> Vec<(Need, PathUse)> {
    let root = &model.root;
    let compiler = PathUse { path: model.aliases.known(COMPILER).into(), span: root.store.span };
    let mut needed = vec![
        (Need::Configuration, &root.config),
        (Need::Store, &root.store),
        (Need::Key, &root.key),
        (Need::Compiler, &compiler),
    ];
    for (_, _, process) in model.processes() {
        let programs = process.program.iter().chain(process.prepare.iter().map(|(path, _)| path));
        needed.extend(programs.map(|path| (Need::Program, path)));
        needed.extend(process.image.iter().map(|path| (Need::Image, path)));
    }
    let mut needed: Vec<(Need, PathUse)> =
        needed.into_iter().map(|(need, path)| (need, path.clone())).collect();
    needed.sort_by(|a, b| by_components(&a.1.path, &b.1.path).then(a.0.cmp(&b.0)));
    needed
}

/// Reports a subject that controls `reconfigure`, with everything by which it does.
fn controls(footing: &Footing<'_>, subject: ObjectId) -> Option<Diagnostic> {
    let model = footing.model;
    let object = model.object(subject);
    if object.lets_control.is_some() {
        return None;
    }
    let mut each = footing.root_reasons(subject).into_iter();
    let (first, reason, path) = each.next()?;
    let message = format!("`{}` controls `reconfigure`, which is to control it", object.name);
    let diagnostic = Diagnostic::new(Code::RootCycle, message, first, reason.words(path));
    let diagnostic =
        each.fold(diagnostic, |diagnostic, (span, reason, path)| diagnostic.label(span, reason.words(path)));
    let help = match reason {
        RootReason::Unconfined => "give it a world of its own",
        RootReason::Facets => "let it hold the facets that it needs",
        RootReason::Socket(_) | RootReason::Privilege(_) | RootReason::Device(_) => "take this from it",
        RootReason::Change(_) | RootReason::Key | RootReason::Loader => {
            "hand it a smaller part, away from the configuration, the store, the key and the init's units"
        }
    };
    // An instance's name is no bare word of the language.
    let named = match object.name.contains('/') {
        true => format!("\"{}\"", object.name),
        false => object.name.to_string(),
    };
    let help = format!("{help}, or say `trust {named} reason=…` in the system file");
    Some(diagnostic.label(object.span, format!("`{}` is declared here", object.name)).help(help))
}

fn on_a_mount(model: &Model, facet: &Facet, mount: &PathUse, what: &str, path: &PathUse) -> Diagnostic {
    let owner = &model.object(facet.owner).name;
    let message = format!(
        "`reconfigure` needs its {what} at `{}` before `{owner}` can mount `{}`",
        path.path, mount.path
    );
    Diagnostic::new(Code::RootCycle, message, mount.span, "mounted by a service that has not been sealed yet")
        .label(path.span, "needed before anything is sealed")
        .help("keep what the trust root needs off what services mount")
}

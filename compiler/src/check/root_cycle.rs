//! `root-cycle`: the trust root in the hands of what it starts, or lying on what a service mounts.

use crate::authority::{Footing, RootReason, RootWay};
use crate::diag::{Code, Diagnostic};
use crate::model::{
    Facet, FacetId, Model, OUTSIDE, ObjectId, PathUse, Transport, by_components, path_contains,
};

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
    let mut ways = footing.root_reasons(subject).into_iter();
    let first = ways.next()?;
    let words = |way: &RootWay<'_>| {
        let words = way.reason.words(way.path);
        way.exposed.map_or(words.clone(), |facet| {
            let (maker, facet) = (&model.object(model.facet(facet).owner).name, facet_name(model, facet));
            format!("`{maker}` exposes it to `{}` through `{facet}`: {words}", object.name)
        })
    };
    let message = format!("`{}` controls `reconfigure`, which is to control it", object.name);
    let diagnostic =
        Diagnostic::new(Code::RootCycle, message, first.span, words(&first)).about(&*object.name);
    let diagnostic = ways.fold(diagnostic, |diagnostic, way| diagnostic.label(way.span, words(&way)));
    let help = help(model, subject, &first);
    // `outside` is declared nowhere.
    let diagnostic = match subject {
        OUTSIDE => diagnostic,
        _ => diagnostic.label(object.span, format!("`{}` is declared here", object.name)),
    };
    Some(diagnostic.help(help))
}

/// Returns what to do about the first thing by which a subject controls `reconfigure`.
fn help(model: &Model, subject: ObjectId, first: &RootWay<'_>) -> String {
    let help = match (first.reason, first.exposed.map(|facet| facet_name(model, facet))) {
        (RootReason::Change(_) | RootReason::Key | RootReason::Loader, Some(facet)) => format!(
            "let `{facet}` expose a smaller part, away from the configuration, the store, the key and the init's units"
        ),
        (_, Some(facet)) => format!("take this out of what `{facet}` exposes"),
        (RootReason::Unconfined, None) => "give it a world of its own".to_owned(),
        (RootReason::Facets, None) => "let it hold the facets that it needs".to_owned(),
        (RootReason::Socket(_) | RootReason::Privilege(_) | RootReason::Device(_), None) => {
            "take this from it".to_owned()
        }
        (RootReason::Change(_) | RootReason::Key | RootReason::Loader, None) => {
            "hand it a smaller part, away from the configuration, the store, the key and the init's units"
                .to_owned()
        }
    };
    let name = &model.object(subject).name;
    match (subject, first.exposed) {
        // Nobody can answer for everybody.
        (OUTSIDE, Some(facet)) => {
            format!("{help}, or provide `{}` on a loopback address", facet_name(model, facet))
        }
        (OUTSIDE, None) => help,
        // An instance's name is no bare word of the language.
        _ if name.contains('/') => format!("{help}, or say `trust \"{name}\" reason=…` in the system file"),
        _ => format!("{help}, or say `trust {name} reason=…` in the system file"),
    }
}

fn facet_name(model: &Model, facet: FacetId) -> String {
    let facet = model.facet(facet);
    format!("{}.{}", model.object(facet.owner).name, facet.name)
}

fn on_a_mount(model: &Model, facet: &Facet, mount: &PathUse, what: &str, path: &PathUse) -> Diagnostic {
    let owner = &model.object(facet.owner).name;
    let message = format!(
        "`reconfigure` needs its {what} at `{}` before `{owner}` can mount `{}`",
        path.path, mount.path
    );
    Diagnostic::new(Code::RootCycle, message, mount.span, "mounted by a service that has not been sealed yet")
        .about(format!("{owner}.{}", facet.name))
        .label(path.span, "needed before anything is sealed")
        .help("keep what the trust root needs off what services mount")
}

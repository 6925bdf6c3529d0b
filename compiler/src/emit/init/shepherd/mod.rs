//! A file for the GNU Shepherd: fixed procedures, and the plan as one quoted expression at the end.

mod lock;
mod scheme;
mod words;

use super::{Site, in_order};
use crate::seal::{Content, digest};
use capc_supervisor::{Mode, Plan, Service, Until};
use scheme::{Datum, list, named, symbol};
use std::path::Path;

pub use scheme::Datum as Scheme;

/// What the Shepherd loads.
pub const FILE: &str = "init/shepherd.scm";
/// What Guix reads.
pub const LOCK: &str = "init/capc.lock.scm";

/// What the Shepherd does with a plan of services, and with a user's.
const VERSION: &str = include_str!("version.scm");
const SYSTEM: &str = include_str!("capc.scm");
const USER: &str = include_str!("user.scm");
/// The store whose logs lie where those of other programs do.
const USUAL_STORE: &str = "/var/lib/capc";

/// Returns the file.
///
/// # Errors
/// Says what the Shepherd cannot do.
pub fn files(site: &Site<'_>) -> Result<Content, String> {
    let (procedures, plan) = match site.plan.mode {
        Mode::Root => (SYSTEM, system(site)?),
        Mode::User => (USER, user(site)?),
    };
    let text = format!("{VERSION}\n{procedures}\n(load-plan!\n '{plan})\n");
    let lock = format!("{}\n", lock::lock(site));
    Ok(Content::from([(FILE.to_owned(), text.into_bytes()), (LOCK.to_owned(), lock.into_bytes())]))
}

/// Returns where logs are kept.
fn logs(store: &Path) -> String {
    if store == Path::new(USUAL_STORE) {
        "/var/log/capc".to_owned()
    } else {
        format!("{}/log", store.display())
    }
}

/// Returns what is said of the whole.
fn about(site: &Site<'_>) -> Result<Vec<Datum>, String> {
    let store = site.generation.parent().and_then(Path::parent).unwrap_or(site.generation);
    Ok(vec![
        named("name", [Datum::text(&site.plan.name)]),
        named("store", [path(store)?]),
        named("generation", [path(site.generation)?]),
        named("launcher", [path(site.launcher)?]),
        named("capc", [path(site.capc)?]),
        named("logs", [word(&logs(store))?]),
    ])
}

/// Returns the plan of a user's Shepherd, where the embedded supervisor has the services.
fn user(site: &Site<'_>) -> Result<Datum, String> {
    let mut about = about(site)?;
    about.push(named("seal", [Datum::text(&seal_of_all(site))]));
    Ok(list([symbol("plan"), Datum::List([vec![symbol("site")], about].concat())]))
}

fn system(site: &Site<'_>) -> Result<Datum, String> {
    let mut about = about(site)?;
    let channels = site.plan.channels.iter().map(|channel| {
        let ends = [&channel.maker, &channel.maker_name, &channel.holder, &channel.holder_name];
        Datum::List(ends.into_iter().map(|end| Datum::text(end)).collect())
    });
    about.push(named("channels", channels));
    let mut services = Vec::new();
    for (name, rank) in in_order(site.plan).into_iter().zip(0..) {
        let found = site.plan.services.iter().find(|service| service.name == name);
        services.extend(found.map(|service| one(site, service, rank)).transpose()?);
    }
    Ok(list([symbol("plan"), named("site", about), named("services", services)]))
}

/// Returns what is said of one service.
fn one(site: &Site<'_>, service: &Service, rank: i64) -> Result<Datum, String> {
    for wait in &service.waits {
        let on = site.plan.services.iter().find(|other| other.name == wait.on);
        if on.is_some_and(|on| wait.until == Until::Ready && on.oneshot) {
            return Err(format!(
                "`{}` waits until `{}` is ready, which runs to its end: with the Shepherd a oneshot is up when it is done; \
                 leave its `oneshot` out, or wait for its `done`",
                service.name, wait.on
            ));
        }
        if on.is_some_and(|on| wait.until == Until::Done && on.schedule.is_some()) {
            return Err(format!(
                "`{}` waits until `{}` is done, which runs by the calendar: with the Shepherd nobody can wait for that; \
                 leave its `schedule` out, or what waits for it",
                service.name, wait.on
            ));
        }
    }
    let kind = match (&service.schedule, service.oneshot) {
        (Some(_), _) => "timer",
        (None, true) => "oneshot",
        (None, false) => "process",
    };
    let mut needs: Vec<&str> = service.waits.iter().map(|wait| wait.on.as_str()).collect();
    needs.dedup();
    let mut said = vec![
        named("name", [Datum::text(&service.name)]),
        named("seal", [Datum::text(&seal_of(site, service))]),
        named("rank", [Datum::Number(rank)]),
        named("kind", [symbol(kind)]),
        named("needs", needs.into_iter().map(Datum::text)),
        named("restart", [words::restart(service.restart)]),
        named("words", words::attend(service)?),
        named("descriptors", words::descriptors(site.plan, service)?),
        named("stop", words::stop(&service.stop)),
        named("reload", [service.reload.map_or(Datum::False, |signal| Datum::Number(words::number(signal)))]),
    ];
    if let Some(calendar) = &service.schedule {
        said.push(named("calendar", words::calendar(&service.name, calendar)?));
    }
    Ok(Datum::List(said))
}

/// Returns what stands for all that a service is given: while it is the same, what runs need not start again.
fn seal_of(site: &Site<'_>, service: &Service) -> String {
    let manifest = site.content.get(&format!("manifests/{}", service.name)).map_or(&[][..], Vec::as_slice);
    let plan = serde_json::to_vec(service).unwrap_or_default();
    digest(format!("{} {}", digest(manifest), digest(&plan)).as_bytes()).to_string()
}

fn seal_of_all(site: &Site<'_>) -> String {
    let Plan { services, .. } = site.plan;
    let all: Vec<String> = services.iter().map(|service| seal_of(site, service)).collect();
    digest(all.join(" ").as_bytes()).to_string()
}

fn path(path: &Path) -> Result<Datum, String> {
    let text = path.to_str().ok_or_else(|| format!("`{}` is not UTF-8", path.display()))?;
    word(text)
}

/// Returns a text that Guile hands to the kernel, for which it is turned into the letters of the Shepherd's locale.
fn word(text: &str) -> Result<Datum, String> {
    if text.is_ascii() && !text.contains('\0') {
        return Ok(Datum::text(text));
    }
    Err(format!(
        "`{text}` has letters beyond ASCII, which the Shepherd hands on as its own locale has them or not at all"
    ))
}

//! What Guix must know of the services when it evaluates a system: one expression, which is only ever read.

use super::Site;
use super::scheme::{Datum, list, named, symbol};
use capc_supervisor::Restart;
use std::collections::BTreeMap;

/// Who has which uid, as it is sealed.
const IDENTITIES: &str = "identities.json";

/// Returns the expression: names, what each requires, and who has which uid.
pub(super) fn lock(site: &Site<'_>) -> Datum {
    let services = site.plan.services.iter().map(|service| {
        let mut needs: Vec<&str> = service.waits.iter().map(|wait| wait.on.as_str()).collect();
        needs.dedup();
        Datum::List(vec![
            named("name", [Datum::text(&service.name)]),
            named("provision", [symbol(&format!("capc-{}", service.name))]),
            named("requirement", needs.into_iter().map(|need| symbol(&format!("capc-{need}")))),
            named(
                "respawn",
                [symbol(if service.oneshot || service.restart == Restart::Never {
                    "never"
                } else {
                    "again"
                })],
            ),
        ])
    });
    let identities = site.content.get(IDENTITIES).and_then(|text| serde_json::from_slice(text).ok());
    let identities: BTreeMap<String, u32> = identities.unwrap_or_default();
    let identities =
        identities.iter().map(|(name, uid)| list([Datum::text(name), Datum::Number((*uid).into())]));
    list([
        symbol("capc-lock"),
        named("version", [Datum::Number(1)]),
        named("system", [Datum::text(&site.plan.name)]),
        named("services", services),
        named("identities", identities),
    ])
}

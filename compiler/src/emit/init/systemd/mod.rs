//! Units for systemd: one service each, with its sockets and its timer, the directories of facets, and a target for all.
//!
//! They say what systemd does from outside: the order, what it listens on, how long things may take, what follows an end,
//! limits, logs. What a service is given stands in its manifest alone.

mod name;
mod text;
mod service;
mod socket;
mod ground;

pub use name::{CHANNELS, FACETS, GROUND, TARGET, mount, unit};

use super::Site;
use crate::seal::Content;
use capc_supervisor::{Descriptor, Mode, Service};
use text::Unit;

/// Where they lie in a generation.
pub const DIRECTORY: &str = "init/systemd/";

/// Returns the units.
///
/// # Errors
/// Says what systemd cannot do.
pub fn files(site: &Site<'_>) -> Result<Content, String> {
    if site.plan.mode == Mode::User {
        return Err("units for systemd start services as root does: run this as root".to_owned());
    }
    let mut units = Units(Content::new());
    socket::refuse_shared(site.plan)?;
    for facet in &site.plan.facets {
        units.add(mount(&facet.key)?, ground::mount(facet)?);
    }
    for service in &site.plan.services {
        if listens(service) {
            units.add(unit(&service.name, "socket")?, socket::unit(site, service)?);
        }
        if let Some(calendar) = &service.schedule {
            units.add(unit(&service.name, "timer")?, ground::timer(service, calendar));
        }
        units.add(unit(&service.name, "service")?, service::unit(site, service)?);
    }
    if !site.plan.channels.is_empty() {
        units.add(CHANNELS.to_owned(), service::channels(site)?);
    }
    units.add(GROUND.to_owned(), ground::sockets(site)?);
    units.add(TARGET.to_owned(), ground::target(site)?);
    Ok(units.0)
}

/// Returns whether systemd makes sockets for a service.
#[must_use]
pub fn listens(service: &Service) -> bool {
    service.descriptors.iter().any(|descriptor| !matches!(descriptor, Descriptor::Channel { .. }))
}

struct Units(Content);

impl Units {
    fn add(&mut self, name: String, unit: Unit) {
        self.0.insert(format!("{DIRECTORY}{name}"), unit.into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use capc_supervisor::Plan;
    use std::path::Path;

    fn service(name: &str, more: &[(&str, &str)]) -> String {
        let mut parts = vec![
            ("waits", "[]"),
            ("oneshot", "false"),
            ("schedule", "null"),
            ("descriptors", "[]"),
            ("ready", r#""started""#),
        ];
        for (key, value) in more {
            parts.retain(|(other, _)| other != key);
            parts.push((key, value));
        }
        let parts: String = parts.iter().map(|(key, value)| format!(r#""{key}":{value},"#)).collect();
        format!(
            r#"{{"name":"{name}",{parts}"prepares":false,"restart":"never","ready_sockets":[],"ready_ports":[],
            "stop":{{"signal":"TERM","within_ms":1}},"reload":null,"start_within_ms":1}}"#
        )
    }

    fn made(mode: &str, facets: &str, services: &[String]) -> Result<Content, String> {
        let text = format!(
            r#"{{"format":"capc/plan/1","name":"s","mode":"{mode}","facets":[{facets}],"channels":[],"services":[{}]}}"#,
            services.join(",")
        );
        let plan = Plan::from_json(text.as_bytes()).unwrap();
        let [launcher, generation, capc] = ["/l", "/g/1", "/c"].map(Path::new);
        files(&Site { plan: &plan, content: &Content::new(), launcher, generation, capc })
    }

    #[track_caller]
    fn refuses(services: &[String], words: &str) {
        let refused = made("root", "", services).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }

    const PORT: &str = r#"[{"kind":"listen","name":"p","address":"tcp:127.0.0.1:80"}]"#;

    #[test]
    fn what_systemd_cannot_do_is_refused() {
        refuses(
            &[service("a", &[("descriptors", PORT)]), service("b", &[("descriptors", PORT)])],
            "`a` and `b` would be passed the same socket, tcp:127.0.0.1:80",
        );
        let job = service("job", &[("oneshot", "true"), ("schedule", r#""daily""#)]);
        let waits = service("a", &[("waits", r#"[{"on":"job","until":"done"}]"#)]);
        refuses(&[job, waits.clone()], "`a` waits for `job`, which starts by the calendar");
        let other = service("b", &[("waits", r#"[{"on":"job","until":"ready"}]"#)]);
        refuses(
            &[service("job", &[("oneshot", "true")]), waits, other],
            "`b` waits until `job` is ready and `a` until it has ended",
        );
        let long = format!(r#"[{{"kind":"listen","name":"p","address":"unix:/{}"}}]"#, "x".repeat(107));
        refuses(&[service("a", &[("descriptors", &long)])], "which has 108 letters, and systemd takes 107");
        assert!(made("user", "", &[]).unwrap_err().contains("run this as root"));
    }

    #[test]
    fn a_schedule_stays_on_its_line() {
        let job = service("job", &[("oneshot", "true"), ("schedule", r#""Mon\n 03:00\tUTC""#)]);
        let made = made("root", "", &[job]).unwrap();
        let timer = String::from_utf8_lossy(made.get("init/systemd/capc-job.timer").unwrap());
        assert!(timer.contains("\nOnCalendar=Mon 03:00 UTC\n"), "{timer}");
    }

    #[test]
    fn sockets_stand_in_the_order_in_which_they_are_passed() {
        let descriptors = r#"[{"kind":"listen","name":"p","address":"udp:[::1]:53"},
            {"kind":"activated","name":"f","facet":"a.f","file":"f.sock"},
            {"kind":"listen","name":"q","address":"tcp:192.0.2.1:80"}]"#;
        let facet = r#"{"key":"a.f","uid":4001,"gid":4002}"#;
        let made = made("root", facet, &[service("a", &[("descriptors", descriptors)])]).unwrap();
        let socket = String::from_utf8_lossy(made.get("init/systemd/capc-a.socket").unwrap()).into_owned();
        let lines: Vec<&str> = socket.lines().filter(|line| line.starts_with("Listen")).collect();
        assert_eq!(
            lines,
            [
                "ListenDatagram=[::1]:53",
                "ListenStream=/run/capc/facets/a.f/f.sock",
                "ListenStream=192.0.2.1:80"
            ]
        );
        assert!(socket.contains("\nFreeBind=yes\n") && socket.contains("\"4001:4002\""), "{socket}");
        assert!(socket.contains("\nRequires=run-capc-facets-a.f.mount\n"), "{socket}");
    }
}

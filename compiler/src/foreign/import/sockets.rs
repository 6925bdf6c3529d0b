//! Sockets that systemd listens on for a service, and timers that start it.

use super::advice::{Advice, advice};
use super::mapping::Mapping;
use super::select::{Selection, is_yes};
use super::service::{Hold, Kind, Resource, clean};
use super::unit::UnitText;
use crate::syntax::print::kdl::string;
use capc_supervisor::Calendar;

/// What the sockets of a unit listen on.
pub fn sockets(mapping: &mut Mapping<'_>, selection: &mut Selection) {
    let own = mapping.unit.id.clone();
    for (socket, _) in selection.sockets.iter_mut().filter(|(_, started)| *started == own) {
        let mut given = 0;
        let only_six = socket.last("Socket", "BindIPv6Only").is_some_and(|one| one.value == "ipv6-only");
        let mode = socket.last("Socket", "SocketMode");
        let is_narrow = mode.as_ref().is_some_and(|mode| !mode.value.ends_with(['6', '7']));
        for key in ["ListenStream", "ListenDatagram"] {
            for setting in socket.all("Socket", key) {
                let address = socket.expand(&setting.value).ok().and_then(|value| address(&value, key));
                let Some((kind, target)) = address else {
                    let what = "`listen` knows addresses like `tcp=\"0.0.0.0:80\"`, `udp=` and, for streams, `unix=\"/run/…\"`";
                    mapping.out.remark(&setting, what);
                    continue;
                };
                let what = match kind {
                    Kind::Unix if is_narrow => {
                        let what = "everybody may connect to a `listen`, and to this not everybody could (`SocketMode=`): let the service provide a facet, `provides NAME socket=\"PATH\" { activated; }`, and hold it who is to";
                        mapping.out.remark(&setting, what);
                        continue;
                    }
                    Kind::Unix => None,
                    _ if target.starts_with("0.0.0.0:") && !setting.value.contains(':') => Some(format!(
                        "over IPv4; for IPv6 too, a second one: `\"[::]{}\"`",
                        target.trim_start_matches("0.0.0.0")
                    )),
                    _ if target.starts_with("[::]:") && !only_six => Some(format!(
                        "over IPv6 alone; for IPv4 too, a second one: `\"0.0.0.0{}\"`",
                        target.trim_start_matches("[::]")
                    )),
                    _ => None,
                };
                let like = Some(format!("{}-{}", socket.id.trim_end_matches(".socket"), kind.like()));
                let resource = Resource { kind, target };
                mapping.out.hold(Hold { resource, rights: vec!["accept"], at: None, like }, key);
                what.into_iter().for_each(|what| mapping.out.remark(&setting, what));
                given += 1;
            }
        }
        mapping.given.push(socket.id.clone());
        mapping.out.files.extend(socket.files.clone());
        rest(mapping, socket, "Socket");
        if given > 1 {
            mapping.out.remarks.push(format!(
                "{}: systemd passes the sockets in the order of the unit's lines; here they come in the order of `holds`, from descriptor 3 on",
                socket.id
            ));
        }
    }
}

/// Returns what an address of a socket unit is in the language.
fn address(value: &str, key: &str) -> Option<(Kind, String)> {
    let kind = if key == "ListenStream" { Kind::Tcp } else { Kind::Udp };
    if value.starts_with('/') {
        return clean(value).filter(|path| kind == Kind::Tcp && path != "/").map(|path| (Kind::Unix, path));
    }
    let port = |text: &str| {
        text.parse::<u16>().ok().filter(|port| *port > 0 && text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if let Some(port) = port(value) {
        return Some((kind, format!("0.0.0.0:{port}")));
    }
    let (host, text) = value.rsplit_once(':')?;
    let port = port(text)?;
    let is_six = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    (is_six || host.parse::<std::net::Ipv4Addr>().is_ok()).then(|| (kind, format!("{host}:{port}")))
}

/// Tells the sockets and timers that are there and were not named.
pub fn beside(mapping: &mut Mapping<'_>, selection: &Selection) {
    for (_, other) in selection.beside.iter().filter(|(unit, _)| *unit == mapping.unit.id) {
        mapping.out.remarks.push(format!(
            "`{other}` is there too, and may start it: name it beside the service to import it; without, the service starts at boot"
        ));
    }
}

/// When a unit is started by the calendar.
pub fn timers(mapping: &mut Mapping<'_>, selection: &mut Selection) {
    let own = mapping.unit.id.clone();
    let mut is_said = false;
    for (timer, _) in selection.timers.iter_mut().filter(|(_, started)| *started == own) {
        let calendars = timer.all("Timer", "OnCalendar");
        mapping.out.files.extend(timer.files.clone());
        for setting in &calendars {
            let event = timer.expand(&setting.value).ok().filter(|event| Calendar::parse(event).is_ok());
            match event {
                Some(event) if mapping.is_oneshot && calendars.len() == 1 && !is_said => {
                    mapping.out.say(format!("schedule {}", string(&event)), "OnCalendar");
                    is_said = true;
                }
                Some(_) if !mapping.is_oneshot => {
                    mapping.out.remark(setting, "only a `oneshot` has a `schedule`: if it runs to its end, say both; until then it starts at boot");
                }
                Some(_) => mapping.out.remark(
                    setting,
                    "a service has one `schedule`: write one event for all, or a service for each",
                ),
                None => mapping.out.remark(setting, "`schedule` knows no such event"),
            }
        }
        if let Some(setting) = timer.last("Timer", "Persistent").filter(|one| is_yes(&one.value)) {
            mapping.out.remark(&setting, "what came while nothing ran is not made up for");
        }
        rest(mapping, timer, "Timer");
    }
}

/// Tells what nobody has taken of a unit beside the service.
fn rest(mapping: &mut Mapping<'_>, unit: &mut UnitText, section: &str) {
    // Orders of its own are what capc does by itself for what it binds and when it starts.
    for key in super::order::KEYS.into_iter().chain(["Description", "Documentation", "DefaultDependencies"]) {
        unit.all("Unit", key);
    }
    for key in ["Service", "Unit", "Accept"] {
        unit.all(section, key);
    }
    for one in unit.rest() {
        match advice(&one.section, &one.key) {
            Advice::Needless => drop(mapping.out.needless.insert(one.key)),
            Advice::Say(what) => mapping.out.remark(&one, what),
        }
    }
}

impl Kind {
    /// Returns what tells it apart in a name.
    fn like(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Unix => "unix",
            _ => "tcp",
        }
    }
}

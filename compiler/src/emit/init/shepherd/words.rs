//! What a plan says of one service, in the words of the file.

use super::scheme::{Datum, named, symbol};
use super::{path, word};
use capc_supervisor::{Address, Calendar, Descriptor, Plan, Ready, Restart, Service, SignalName, Stop};
use std::net::SocketAddr;
use std::path::Path;

/// Where the system keeps what lives as long as it runs.
const FACETS: &str = "/run/capc/facets";
/// The days of the week in the order of `PlainTimes`.
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Returns what follows its end.
pub(super) fn restart(restart: Restart) -> Datum {
    symbol(match restart {
        Restart::Never => "never",
        Restart::OnFailure => "on-failure",
        Restart::Always => "always",
    })
}

/// Returns what `capc attend` is told of when it is ready.
pub(super) fn attend(service: &Service) -> Result<Vec<Datum>, String> {
    let mut words = Vec::new();
    for socket in &service.ready_sockets {
        words.extend([Datum::text("--ready-socket"), word(socket)?]);
    }
    for port in &service.ready_ports {
        words.extend([Datum::text("--ready-port"), Datum::text(&port.to_string())]);
    }
    if service.ready == Ready::Notify {
        words.push(Datum::text("--ready-notify"));
    }
    words.extend([Datum::text("--within"), Datum::text(&service.start_within_ms.to_string())]);
    Ok(words)
}

/// Returns what is passed to it, from descriptor 3 on.
pub(super) fn descriptors(plan: &Plan, service: &Service) -> Result<Vec<Datum>, String> {
    let unix = if service.data_only { "unix-data" } else { "unix" };
    let one = |descriptor: &Descriptor| match descriptor {
        Descriptor::Listen { name: _, address: Address::Tcp(address) } => Ok(named("tcp", inet(address))),
        Descriptor::Listen { name: _, address: Address::Udp(address) } => Ok(named("udp", inet(address))),
        Descriptor::Listen { name: _, address: Address::Unix(at) } => Ok(named(unix, [path(at)?])),
        Descriptor::Activated { name, facet, file } => {
            let maker = plan.facets.iter().find(|other| other.key == *facet);
            let maker = maker
                .ok_or_else(|| format!("`{}` is passed `{name}` of no facet of the plan", service.name))?;
            let at = path(&Path::new(FACETS).join(facet).join(file))?;
            Ok(named(unix, [at, Datum::Number(maker.uid.into()), Datum::Number(maker.gid.into())]))
        }
        Descriptor::Channel { name } => Ok(named("channel", [Datum::text(name)])),
    };
    service.descriptors.iter().map(one).collect()
}

fn inet(address: &SocketAddr) -> Vec<Datum> {
    let (family, host, port) = (address.is_ipv6(), address.ip().to_string(), address.port());
    let mut words =
        vec![Datum::Number(if family { 6 } else { 4 }), Datum::text(&host), Datum::Number(port.into())];
    if let SocketAddr::V6(address) = address {
        words.extend([Datum::Number(address.flowinfo().into()), Datum::Number(address.scope_id().into())]);
    }
    words
}

/// Returns the signal that asks it to stop, and how long that may take in thousandths of seconds.
pub(super) fn stop(stop: &Stop) -> [Datum; 2] {
    let within = i64::try_from(stop.within_ms).unwrap_or(i64::MAX);
    [Datum::Number(number(stop.signal)), Datum::Number(within)]
}

/// Returns the number of a signal.
pub(super) fn number(signal: SignalName) -> i64 {
    match signal {
        SignalName::Hup => 1,
        SignalName::Int => 2,
        SignalName::Quit => 3,
        SignalName::Abrt => 6,
        SignalName::Kill => 9,
        SignalName::Usr1 => 10,
        SignalName::Usr2 => 12,
        SignalName::Alrm => 14,
        SignalName::Term => 15,
        SignalName::Cont => 18,
        SignalName::Winch => 28,
    }
}

/// Returns the arguments of `calendar-event`.
pub(super) fn calendar(service: &str, calendar: &Calendar) -> Result<Vec<Datum>, String> {
    let plain = calendar.plain().ok_or_else(|| {
        format!(
            "`{service}` starts at `{calendar}`, and the timers of the Shepherd know neither years nor zones, nor days from a \
             month's end, nor parts of seconds; write it without them"
        )
    })?;
    let numbers =
        |numbers: &[u8]| Datum::List(numbers.iter().map(|number| Datum::Number((*number).into())).collect());
    let days = plain.weekdays.iter().filter_map(|day| WEEKDAYS.get(usize::from(*day)));
    Ok(vec![
        Datum::Keyword("months"),
        numbers(&plain.months),
        Datum::Keyword("days-of-month"),
        numbers(&plain.days),
        Datum::Keyword("days-of-week"),
        Datum::List(days.map(|day| symbol(day)).collect()),
        Datum::Keyword("hours"),
        numbers(&plain.hours),
        Datum::Keyword("minutes"),
        numbers(&plain.minutes),
        Datum::Keyword("seconds"),
        numbers(&plain.seconds),
    ])
}

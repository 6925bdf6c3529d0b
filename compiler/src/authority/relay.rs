//! `use`, `pass`, `share` and `meet`: what others relay.

use super::control::counts;
use super::edges::{Carries, EdgeRule, Entering, Meeting, Party, Sink};
use super::effective::{Effective, Held, Through, address_of};
use super::overlap::{At, ByPlace, Overlap, Ways};
use super::places::Places;
use crate::model::{Address, FacetId, Kind, Model, OUTSIDE, ObjectId, Protocol, Rights, Target, Transport};
use std::collections::BTreeMap;

/// Adds every edge that somebody relays over.
pub fn add(sink: &mut Sink<'_>, model: &Model, effective: &Effective, places: &Places) {
    facets(sink, model, effective);
    ports(sink, model, effective);
    files(sink, model, effective, places);
    unix_listeners(sink, model, effective, places);
}

fn held<'a>(model: &'a Model, effective: &'a Effective) -> impl Iterator<Item = (ObjectId, &'a Held)> + 'a {
    let subjects = model.objects().filter(|(_, object)| object.is_subject());
    subjects.flat_map(|(id, _)| effective.of(id).iter().map(move |held| (id, held)))
}

/// Returns whether descriptors can cross a facet.
fn carries_capabilities(model: &Model, facet: FacetId) -> bool {
    let facet = model.facet(facet);
    let unix = match &facet.transport {
        Transport::Socket(_) | Transport::Channel | Transport::Launch => true,
        Transport::Listen(listen) => matches!(address_of(model, *listen), Some(Address::Unix(_))),
        Transport::Tcp(_) | Transport::Mount(_) | Transport::Done | Transport::Control | Transport::Ask => {
            false
        }
    };
    unix && !facet.data_only
}

/// Along every facet that somebody holds.
fn facets(sink: &mut Sink<'_>, model: &Model, effective: &Effective) {
    for (holder, held) in held(model, effective) {
        let Some(Target::Facet(id)) = held.capability.map(|capability| model.capability(capability).target)
        else {
            continue;
        };
        let facet = model.facet(id);
        if facet.owner == holder || matches!(facet.transport, Transport::Control | Transport::Done) {
            continue;
        }
        if facet.transport == Transport::Ask {
            // Both levels obtain the offers; what is told the powerbox is relayed as over any facet.
            sink.by_consent(holder.into(), facet.owner, counts(held), held.span);
            sink.relayed(facet.owner.into(), holder, EdgeRule::Pass, Carries::REACH, held.span);
            continue;
        }
        let carries = match (held.through, carries_capabilities(model, id)) {
            (Through::Holding, true) => Carries::ALL,
            _ => Carries::REACH,
        };
        sink.relayed(holder.into(), facet.owner, EdgeRule::Use, carries, held.span);
        sink.relayed(facet.owner.into(), holder, EdgeRule::Pass, carries, held.span);
    }
}

/// `connect` on a port is a data-only facet of every service that listens there; `outside` has one of everybody on the network.
fn ports(sink: &mut Sink<'_>, model: &Model, effective: &Effective) {
    let mut listeners: BTreeMap<(Protocol, u16), Vec<Party>> = BTreeMap::new();
    let mut connectors: BTreeMap<(Protocol, u16), Vec<Party>> = BTreeMap::new();
    let mut outward: Vec<Party> = Vec::new();
    for facet in &model.facets {
        if let Transport::Tcp(address) = &facet.transport {
            let party = Party { who: facet.owner, span: facet.span, carries: Carries::REACH };
            if let Address::Ip { protocol, port, .. } = address {
                listeners.entry((*protocol, *port)).or_default().push(party);
            }
            if !address.is_loopback() {
                outward.push(party);
            }
        }
    }
    let mut anywhere: Vec<Party> = Vec::new();
    for (holder, held) in held(model, effective) {
        if held.is_network(model) {
            let party = Party { who: holder, span: held.span, carries: Carries::REACH };
            anywhere.push(party);
            outward.push(party);
        }
        let Some(address) = held.capability.and_then(|capability| address_of(model, capability)) else {
            continue;
        };
        let party = Party { who: holder, span: held.span, carries: Carries::REACH };
        if !address.is_loopback() {
            outward.push(party);
        }
        if let Address::Ip { protocol, port, .. } = address {
            let there = match held.kind {
                Kind::Listen if model.object(holder).service().is_none() => continue,
                Kind::Listen => &mut listeners,
                _ => &mut connectors,
            };
            there.entry((*protocol, *port)).or_default().push(party);
        }
    }
    let everywhere: Vec<Party> = listeners.values().flatten().copied().collect();
    let any = "the network";
    meet_at(sink, EdgeRule::Use, "use:network", any, &anywhere, &everywhere);
    meet_at(sink, EdgeRule::Pass, "pass:network", any, &everywhere, &anywhere);
    for (port, come) in connectors {
        let there = listeners.get(&port).map_or(&[][..], Vec::as_slice);
        let word = match port.0 {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        let subject = format!("{word} port {}", port.1);
        meet_at(sink, EdgeRule::Use, &format!("use:{word}:{}", port.1), &subject, &come, there);
        meet_at(sink, EdgeRule::Pass, &format!("pass:{word}:{}", port.1), &subject, there, &come);
    }
    for party in outward {
        sink.relayed(OUTSIDE.into(), party.who, EdgeRule::Use, Carries::REACH, party.span);
    }
}

/// A meeting of those who come with those who are there and relay.
fn meet_at(sink: &mut Sink<'_>, rule: EdgeRule, name: &str, subject: &str, come: &[Party], there: &[Party]) {
    let (Some(span), false) = (come.iter().map(|party| party.span).min(), there.is_empty()) else { return };
    let node = sink.meeting(Meeting {
        name: name.to_owned(),
        kind: "place",
        span,
        subject: subject.into(),
        place: None,
    });
    for party in come {
        sink.push(party.who.into(), node, rule, party.carries, party.span);
    }
    for party in there {
        sink.relayed(node, party.who, rule, party.carries, party.span);
    }
}

/// Where two have rights at one path, or at one inside the other's.
fn files(sink: &mut Sink<'_>, model: &Model, effective: &Effective, places: &Places) {
    let (mut writers, mut readers): (Vec<At>, Vec<At>) = (Vec::new(), Vec::new());
    let (mut makers, mut anybody): (Vec<At>, Vec<At>) = (Vec::new(), Vec::new());
    for (who, held) in held(model, effective) {
        let Some(place) = held.file().filter(|_| !held.rights.is_empty()) else { continue };
        let party = Party { who, span: held.span, carries: counts(held) };
        let has = |rights: Rights| !held.fs_rights().and(rights).is_empty();
        let at = |parties: &mut Vec<At>| parties.push((place, party));
        if has(Kind::FS_MODIFY.or(Kind::FS_CREATE)) {
            at(&mut writers);
        }
        if has(Kind::FS_READ.or(Kind::FS_EXEC)) {
            at(&mut readers);
        }
        if has(Kind::FS_SOCKET) {
            at(&mut makers);
        }
        at(&mut anybody);
    }
    let [writers, readers, makers, anybody] =
        [writers, readers, makers, anybody].map(|all| ByPlace::new(places, &all));
    let overlap = |rule, word, carries| Overlap {
        places,
        rule,
        word,
        carries,
        entering: Entering::Relaying,
        ways: Ways::Both,
    };
    overlap(EdgeRule::Share, "learn", Carries::LEARN).add(sink, &readers, &writers);
    overlap(EdgeRule::Share, "effect", Carries::EFFECT).add(sink, &writers, &readers);
    overlap(EdgeRule::Meet, "meet", Carries::ALL).add(sink, &makers, &anybody);
    overlap(EdgeRule::Meet, "met", Carries::ALL).add(sink, &anybody, &makers);
}

/// Any right on a directory is `connect` on every `listen unix=` inside it: a facet of whoever holds that.
fn unix_listeners(sink: &mut Sink<'_>, model: &Model, effective: &Effective, places: &Places) {
    let (mut directories, mut listeners): (Vec<At>, Vec<At>) = (Vec::new(), Vec::new());
    for (who, held) in held(model, effective) {
        let Some(place) = held.place.filter(|_| !held.rights.is_empty()) else { continue };
        let party = Party { who, span: held.span, carries: counts(held) };
        match held.kind {
            Kind::Listen => listeners.push((place, party)),
            _ if held.directory().is_some() => directories.push((place, party)),
            _ => {}
        }
    }
    let [directories, listeners] = [directories, listeners].map(|all| ByPlace::new(places, &all));
    let overlap = |rule, word, ways| Overlap {
        places,
        rule,
        word,
        carries: Carries::ALL,
        entering: Entering::Relaying,
        ways,
    };
    overlap(EdgeRule::Use, "use", Ways::Inside).add(sink, &directories, &listeners);
    overlap(EdgeRule::Pass, "pass", Ways::Above).add(sink, &listeners, &directories);
}

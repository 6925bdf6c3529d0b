//! Who listens where: whoever may connect there counts as holding a data-only facet of them.

use super::effective::address_of;
use super::places::{PlaceId, Places};
use crate::holdings::Holdings;
use crate::model::{Address, FacetId, Model, Protocol, Transport};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The facets that listen, by where.
#[derive(Debug, Default)]
pub struct Ports {
    facets: BTreeMap<(Protocol, u16), Vec<FacetId>>,
    unix: BTreeMap<PlaceId, Vec<FacetId>>,
    outward: Vec<FacetId>,
}

impl Ports {
    /// Finds the facets that listen: by `tcp=`, or by a `listen=` that their service holds.
    #[must_use]
    pub fn new(model: &Model, holdings: &Holdings, places: &Places) -> Self {
        let mut ports = Self::default();
        for (index, facet) in model.facets.iter().enumerate() {
            let id = FacetId(index as u32);
            match &facet.transport {
                Transport::Tcp(address) => ports.add(id, address, places),
                Transport::Listen(listen) if holdings.get(facet.owner, *listen).is_some() => {
                    if let Some(address) = address_of(model, *listen) {
                        ports.add(id, address, places);
                    }
                }
                Transport::Listen(_)
                | Transport::Socket(_)
                | Transport::Channel
                | Transport::Mount(_)
                | Transport::Done
                | Transport::Control
                | Transport::Launch
                | Transport::Ask => {}
            }
        }
        ports
    }

    fn add(&mut self, facet: FacetId, address: &Address, places: &Places) {
        match address {
            Address::Ip { protocol, port, .. } => push(self.facets.entry((*protocol, *port)), facet),
            Address::Unix(path) => {
                if let Some(place) = places.find(path) {
                    push(self.unix.entry(place), facet);
                }
            }
        }
        if !address.is_loopback() {
            self.outward.push(facet);
        }
    }

    /// Returns the facets on a port, whatever the address: Landlock knows ports, not hosts.
    pub fn facets_on(&self, protocol: Protocol, port: u16) -> impl Iterator<Item = FacetId> + '_ {
        self.facets.get(&(protocol, port)).into_iter().flatten().copied()
    }

    /// Returns the facets on any port.
    pub fn facets_on_any(&self) -> impl Iterator<Item = FacetId> + '_ {
        self.facets.values().flatten().copied()
    }

    /// Returns the facets whose unix socket lies in a directory.
    pub fn unix_facets_within<'a>(
        &'a self,
        places: &'a Places,
        directory: PlaceId,
    ) -> impl Iterator<Item = FacetId> + 'a {
        let after =
            self.unix.range(directory..).take_while(move |(place, _)| places.contains(directory, **place));
        after.flat_map(|(_, facets)| facets.iter().copied())
    }

    /// Returns the facets that listen where others than this machine can connect.
    pub fn beyond_the_machine(&self) -> impl Iterator<Item = FacetId> + '_ {
        self.outward.iter().copied()
    }
}

fn push<K: Ord>(entry: Entry<'_, K, Vec<FacetId>>, facet: FacetId) {
    entry.or_default().push(facet);
}

//! `data-only` facets: no descriptor crosses them, since one of the two sides passes and takes none at all.
//!
//! No layer of the kernel's looks into a message. But over a unix socket a descriptor goes with sendmsg(2) or sendmmsg(2) and
//! comes with recvmsg(2) or recvmmsg(2), and in no other way (unix(7)); a side that may call none of the four is enough.
//! That is the maker, if nothing else that it has is for passing descriptors, and otherwise every holder.

use super::facets::unix_path;
use super::needs::{Need, Needs};
use crate::diag::{Code, Diagnostic};
use crate::holdings::Holdings;
use crate::model::{Facet, FacetId, Kind, Model, ObjectId, Target, Transport};
use std::collections::{BTreeMap, BTreeSet};

/// Which services pass no descriptors, and what a person should know of that.
#[derive(Debug, Default)]
pub struct DataOnly {
    /// Each with the first facet that it is for.
    pub services: BTreeMap<ObjectId, FacetId>,
    /// Facets of which neither side can do without.
    pub refusals: Vec<Diagnostic>,
    /// What such services may miss.
    pub notes: Vec<String>,
}

/// Who holds a facet, its maker apart.
pub type Holders = BTreeMap<FacetId, BTreeSet<ObjectId>>;

/// Decides for every `data-only` facet which side passes no descriptors.
#[must_use]
pub fn settle(model: &Model, holdings: &Holdings) -> DataOnly {
    let mut settled = DataOnly::default();
    let mut held_by = Holders::new();
    for holding in holdings.all() {
        let capability = model.capability(holding.capability);
        let Target::Facet(facet) = capability.target else { continue };
        let is_other = holding.holder != model.facet(facet).owner;
        if is_other && capability.kind == Kind::Facet && model.object(holding.holder).service().is_some() {
            held_by.entry(facet).or_default().insert(holding.holder);
        }
    }
    let facets: Vec<(FacetId, &BTreeSet<ObjectId>)> = held_by
        .iter()
        .filter(|(id, _)| model.facet(**id).data_only && is_unix(model, model.facet(**id)))
        .map(|(id, holders)| (*id, holders))
        .collect();
    if facets.is_empty() {
        return settled;
    }
    let mut needs = Needs::new(model, holdings, &held_by);
    for (facet, holders) in facets {
        settled.facet(model, &mut needs, facet, holders);
    }
    settled
}

/// Returns the `data-only` facet for whose sake a service passes no descriptors.
#[must_use]
pub fn data_only_facet(model: &Model, holdings: &Holdings, service: &str) -> Option<String> {
    let settled = settle(model, holdings);
    let mut bound = settled.services.into_iter();
    let (_, facet) = bound.find(|(id, _)| &*model.object(*id).name == service)?;
    Some(full_name(model, model.facet(facet)))
}

/// Returns whether a facet is talked to over a unix socket, which alone carries descriptors.
#[must_use]
pub fn is_unix(model: &Model, facet: &Facet) -> bool {
    match &facet.transport {
        Transport::Socket(_) | Transport::Channel => true,
        Transport::Listen(listen) => unix_path(model, *listen).is_some(),
        Transport::Tcp(_)
        | Transport::Mount(_)
        | Transport::Done
        | Transport::Control
        | Transport::Launch
        | Transport::Ask => false,
    }
}

/// Returns a facet's name as everybody else writes it.
#[must_use]
pub fn full_name(model: &Model, facet: &Facet) -> String {
    format!("{}.{}", model.object(facet.owner).name, facet.name)
}

impl DataOnly {
    fn facet(&mut self, model: &Model, needs: &mut Needs<'_>, id: FacetId, holders: &BTreeSet<ObjectId>) {
        let maker = [model.facet(id).owner];
        let holders: Vec<ObjectId> = holders.iter().copied().collect();
        let sides = [&maker[..], &holders];
        let costs_nothing = |needs: &mut Needs<'_>, side: &[ObjectId]| {
            side.iter().all(|who| needs.of(*who).descriptors.is_none() && needs.of(*who).messages.is_none())
        };
        let can = |needs: &mut Needs<'_>, side: &[ObjectId]| {
            side.iter().all(|who| needs.of(*who).descriptors.is_none())
        };
        // Whom it costs nothing, before whom it may cost something.
        let free = sides.into_iter().find(|side| costs_nothing(needs, side));
        match free.or_else(|| sides.into_iter().find(|side| can(needs, side))) {
            Some(side) => side.iter().for_each(|who| self.bind(model, needs, *who, id)),
            None => self.refuse(model, needs, id, &holders),
        }
    }

    fn bind(&mut self, model: &Model, needs: &mut Needs<'_>, who: ObjectId, id: FacetId) {
        if self.services.contains_key(&who) {
            return;
        }
        self.services.insert(who, id);
        if let Some(Need { text, span: _ }) = &needs.of(who).messages {
            self.notes.push(format!(
                "`{}`: it may not call sendmsg or recvmsg, since `{}` is `data-only`; {text}",
                model.object(who).name,
                full_name(model, model.facet(id))
            ));
        }
    }

    fn refuse(&mut self, model: &Model, needs: &mut Needs<'_>, id: FacetId, holders: &[ObjectId]) {
        let facet = model.facet(id);
        let holder = holders.iter().find(|holder| needs.of(**holder).descriptors.is_some());
        let holder = holder.copied().unwrap_or(facet.owner);
        let message = format!(
            "no descriptor may cross `{}`, and neither `{}` nor `{}` can be kept from passing any",
            full_name(model, facet),
            model.object(facet.owner).name,
            model.object(holder).name
        );
        let mut refusal = Diagnostic::new(Code::Refused, message, facet.span, "this is `data-only`");
        for who in [facet.owner, holder] {
            if let Some(Need { text, span }) = &needs.of(who).descriptors {
                refusal = refusal.label(*span, text.clone());
            }
        }
        self.refusals.push(refusal.help(format!(
            "let a service of its own provide `{}`, or say `data-only` there too, or leave it out here",
            facet.name
        )));
    }
}

//! An authority graph that was drawn before and written down.

use super::effective::Effective;
use super::{Authority, Edge, Held, Meeting, PlaceId, Places, Through, trusted};
use crate::holdings::Holdings;
use crate::model::table::{grouped, starts};
use crate::model::{Model, ObjectId, SYSTEM};

/// What had been drawn, as the system's own assertions see it.
#[derive(Default)]
pub struct Drawn {
    places: Places,
    effective: Effective,
    edges: Vec<Edge>,
    meetings: Vec<Meeting>,
    cut: Vec<Edge>,
}

impl Drawn {
    /// Returns it from its parts: the places, with that of each capability; what objects count as holding besides what they
    /// hold, by object; and the edges by their beginning, in the order of [`Authority::edges_from`].
    #[must_use]
    pub fn restored(
        model: &Model,
        holdings: &Holdings,
        (places, by_capability): (Places, Vec<Option<PlaceId>>),
        counted: Vec<(ObjectId, Held)>,
        edges: Vec<Edge>,
        meetings: Vec<Meeting>,
        cut: Vec<Edge>,
    ) -> Self {
        let mut all = Vec::with_capacity(holdings.all().len() + counted.len());
        let mut begins = vec![0];
        let mut counted = counted.into_iter().peekable();
        for (id, object) in model.objects() {
            all.extend(holdings.of(id).iter().map(|holding| Held {
                capability: Some(holding.capability),
                place: by_capability.get(holding.capability.index()).copied().flatten(),
                kind: model.capability(holding.capability).kind,
                rights: holding.rights,
                through: Through::Holding,
                span: holdings.last_step(model, holding).map_or(object.span, |step| step.span),
            }));
            while let Some((_, held)) = counted.next_if(|(holder, _)| *holder == id) {
                all.push(held);
            }
            begins.push(all.len() as u32);
        }
        Self { places, effective: Effective::restored(all, begins), edges, meetings, cut }
    }
}

impl<'m> Authority<'m> {
    /// Returns what was drawn, without the model that it was drawn of.
    #[must_use]
    pub fn into_drawn(self) -> Drawn {
        let Self { places, effective, edges, meetings, cut, .. } = self;
        Drawn { places, effective, edges, meetings, cut }
    }

    /// Returns the authority graph that was drawn of a model.
    #[must_use]
    pub fn restored(model: &'m Model, holdings: &'m Holdings, drawn: Drawn) -> Self {
        let Drawn { places, effective, edges, meetings, cut } = drawn;
        let count = model.objects.len() + meetings.len();
        let out = starts(count, edges.iter().map(|edge| edge.from.index()));
        let into = grouped(count, edges.iter().map(|edge| edge.to.index()));
        let trusted = trusted(model, SYSTEM);
        Self { model, holdings, places, edges, meetings, cut, trusted, effective, out, into }
    }
}

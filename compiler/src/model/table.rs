//! Flat tables by id: what belongs to one id stands together, and a list says where each begins.

/// Returns the part of a table that belongs to an id, where `starts` says for each where its part begins.
#[must_use]
pub fn part<'t, T>(table: &'t [T], starts: &[u32], id: usize) -> &'t [T] {
    let start = starts.get(id).copied().unwrap_or(0) as usize;
    let end = starts.get(id + 1).copied().unwrap_or(0) as usize;
    table.get(start..end).unwrap_or(&[])
}

/// Returns for each id below `count` how many of some ids are less; one more at the end.
#[must_use]
pub fn starts(count: usize, ids: impl Iterator<Item = usize>) -> Vec<u32> {
    let mut starts = vec![0u32; count + 1];
    for id in ids {
        if let Some(place) = starts.get_mut(id + 1) {
            *place += 1;
        }
    }
    let mut total = 0;
    for place in &mut starts {
        total += *place;
        *place = total;
    }
    starts
}

/// Returns the indices of some ids below `count` in the order of the ids and then their own, and where each id's begin.
#[must_use]
pub fn grouped(count: usize, ids: impl ExactSizeIterator<Item = usize> + Clone) -> (Vec<u32>, Vec<u32>) {
    let starts = starts(count, ids.clone());
    let mut next = starts.clone();
    let mut indices = vec![0; ids.len()];
    for (index, id) in ids.enumerate() {
        let Some(next) = next.get_mut(id) else { continue };
        if let Some(place) = indices.get_mut(*next as usize) {
            *place = index as u32;
        }
        *next += 1;
    }
    (indices, starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_one_id_stands_together_in_its_own_order() {
        let ids = [2, 0, 2, 1, 0usize];
        let (indices, starts) = grouped(4, ids.iter().copied());
        let parts: Vec<&[u32]> = (0..5).map(|id| part(&indices, &starts, id)).collect();
        assert_eq!(parts, [&[1, 4][..], &[3], &[0, 2], &[], &[]]);
    }
}

//! What was most likely meant: the candidate that the fewest changes of a letter lead to.
//!
//! Most candidates are nowhere near, and are passed over for their length or their letters without being compared.

/// The longest word that gets a suggestion, in letters.
const LONGEST: usize = 64;

/// Returns the candidate that a person most likely meant by `word`: at most a third of its letters away.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = word.chars().take(LONGEST + 1).collect();
    if letters.len() > LONGEST {
        return None;
    }
    let mut allowed = letters.len().div_ceil(3).max(1);
    let mut word =
        Word { set: set_of(letters.iter().copied()), letters, other: Vec::new(), rows: Rows::default() };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if let Some(distance) = word.distance(candidate, allowed)
            && best.is_none_or(|best| (distance, candidate) < best)
        {
            best = Some((distance, candidate));
            allowed = distance;
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// A word to be compared with many.
struct Word {
    letters: Vec<char>,
    set: u64,
    /// The letters of the other word, and the rows of the table: kept, so that the next comparison needs no memory.
    other: Vec<char>,
    rows: Rows,
}

/// Three rows of the table of distances between beginnings: what is made, the one above and the one above that.
#[derive(Default)]
struct Rows {
    next: Vec<usize>,
    last: Vec<usize>,
    before: Vec<usize>,
}

/// Returns which letters there are, as bits; letters that share a bit count as one.
fn set_of(letters: impl Iterator<Item = char>) -> u64 {
    letters.fold(0, |set, letter| set | 1 << (u32::from(letter) % u64::BITS))
}

impl Word {
    /// Returns how many letters must be put in, left out, changed or swapped with a neighbour (optimal string alignment), if
    /// no more than are allowed.
    fn distance(&mut self, other: &str, allowed: usize) -> Option<usize> {
        if other.len() > LONGEST {
            return None;
        }
        let count = if other.is_ascii() { other.len() } else { other.chars().count() };
        if count.abs_diff(self.letters.len()) > allowed {
            return None;
        }
        // One change brings in one letter and takes away one.
        let set = set_of(other.chars());
        if (self.set & !set).count_ones().max((set & !self.set).count_ones()) as usize > allowed {
            return None;
        }
        self.other.clear();
        self.other.extend(other.chars());
        self.rows.distance(&self.letters, &self.other, allowed)
    }
}

impl Rows {
    fn distance(&mut self, a: &[char], b: &[char], allowed: usize) -> Option<usize> {
        let Self { next, last, before } = self;
        last.clear();
        last.extend(0..=b.len());
        for (i, ca) in a.iter().enumerate() {
            next.clear();
            next.push(i + 1);
            for (j, cb) in b.iter().enumerate() {
                let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
                let changed = at(last, j) + usize::from(ca != cb);
                let mut best = changed.min(at(last, j + 1) + 1).min(at(next, j) + 1);
                let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(cb) && b.get(j - 1) == Some(ca);
                if swapped {
                    best = best.min(at(before, j - 1) + 1);
                }
                next.push(best);
            }
            // No row is nearer than the one above it.
            if next.iter().min().is_some_and(|nearest| *nearest > allowed) {
                return None;
            }
            std::mem::swap(before, last);
            std::mem::swap(last, next);
        }
        last.last().copied().filter(|distance| *distance <= allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[track_caller]
    fn check(word: &str, candidates: &str, expected: Option<&str>) {
        assert_eq!(nearest(word, candidates.split(' ')), expected);
    }

    #[test]
    fn a_letter_too_many_too_few_another_or_two_swapped_is_one_change() {
        for word in ["holdss", "hods", "hulds", "hodls"] {
            check(word, "run holds grants", Some("holds"));
        }
    }

    #[test]
    fn at_most_a_third_of_the_letters_differ() {
        check("proxies", "proxy", Some("proxy"));
        check("pry", "proxies web", None);
        check("abcdef", "abcdxy", Some("abcdxy"));
        check("abcdef", "abcxyz", None);
        check("é", "ü", Some("ü"));
        check("", "a ab", Some("a"));
    }

    #[test]
    fn the_nearest_is_meant_and_of_several_the_first_in_order() {
        check("web3", "web12 web2 web1 web", Some("web"));
        check("web3", "web2 web1", Some("web1"));
        check("web2", "web1 web2", Some("web2"));
    }

    #[test]
    fn the_longest_words_get_no_suggestion() {
        let (longest, longer) = ("a".repeat(64), "a".repeat(65));
        check(&format!("{}b", "a".repeat(63)), &longest, Some(&longest));
        check(&longer, &longest, None);
        check(&longest, &longer, None);
    }

    #[test]
    fn passing_over_changes_no_answer() {
        // Every pair of short words over three letters, two of which share a bit of the set.
        let letters = ['a', 'b', '!'];
        let mut words = vec![String::new()];
        for at in 0..40 {
            words.extend(letters.map(|letter| format!("{}{letter}", words[at])));
        }
        for word in &words {
            for other in &words {
                let found = nearest(word, [&**other]).is_some();
                let allowed = word.len().div_ceil(3).max(1);
                assert_eq!(
                    found,
                    plain_distance(word.as_bytes(), other.as_bytes()) <= allowed,
                    "{word} {other}"
                );
            }
        }
    }

    fn plain_distance(a: &[u8], b: &[u8]) -> usize {
        let ([.., x], [.., y]) = (a, b) else { return a.len().max(b.len()) };
        let (short_a, short_b) = (&a[..a.len() - 1], &b[..b.len() - 1]);
        let changed = plain_distance(short_a, short_b) + usize::from(x != y);
        let best = changed.min(plain_distance(short_a, b) + 1).min(plain_distance(a, short_b) + 1);
        match (short_a, short_b) {
            ([rest_a @ .., w], [rest_b @ .., z]) if w == y && z == x => {
                best.min(plain_distance(rest_a, rest_b) + 1)
            }
            _ => best,
        }
    }
}

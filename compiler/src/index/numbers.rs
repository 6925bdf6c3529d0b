//! Numbers for texts and spans, each in the order of what it stands for, so that to compare the numbers is to compare them.

use super::table::Builder;
use crate::source::{FileId, Span};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// The texts and spans of an index: met first, numbered then.
#[derive(Default)]
pub struct Numbers<'m> {
    texts: HashMap<&'m str, u32, RandomState>,
    spans: HashMap<Span, u32, RandomState>,
    /// Sorted, once they are settled.
    sorted: (Vec<&'m str>, Vec<Span>),
}

impl<'m> Numbers<'m> {
    /// Returns the number of a text; until all are settled, notes it.
    pub fn text(&mut self, text: &'m str) -> u32 {
        *self.texts.entry(text).or_insert(0)
    }

    /// Returns the number of a span; until all are settled, notes it.
    pub fn span(&mut self, span: Span) -> u32 {
        *self.spans.entry(span).or_insert(0)
    }

    /// Numbers all that has been met.
    pub fn settle(&mut self) {
        let mut texts: Vec<&str> = self.texts.keys().copied().collect();
        texts.sort_unstable();
        self.texts = texts.iter().copied().zip(0..).collect();
        let mut spans: Vec<Span> = self.spans.keys().copied().collect();
        spans.sort_unstable();
        self.spans = spans.iter().copied().zip(0..).collect();
        self.sorted = (texts, spans);
    }

    /// Returns how many spans lie in a file or in one before it.
    pub fn spans_up_to(&self, file: FileId) -> u32 {
        self.sorted.1.partition_point(|span| span.file <= file) as u32
    }

    /// Returns the letters of all texts and where each ends among them, and the spans.
    pub fn tables(&self) -> (String, Builder<1>, Builder<2>) {
        let (mut letters, mut ends, mut spans) = (String::new(), Builder::default(), Builder::default());
        for text in &self.sorted.0 {
            letters.push_str(text);
            ends.push([letters.len() as u32]);
        }
        for span in &self.sorted.1 {
            spans.push([span.start, span.end.saturating_sub(span.start)]);
        }
        (letters, ends, spans)
    }
}

//! One order of a set of services: who waits for whom, by which word of which file.

use crate::source::Span;
use std::sync::Arc;

/// One reason for one service to wait for another.
#[derive(Clone, Debug)]
pub struct Order {
    /// Who waits.
    pub from: u32,
    /// For whom.
    pub to: u32,
    /// The name that the file says, of the one waited for, or (`Before=`) of the one that waits.
    pub name: Arc<str>,
    /// The word that says so.
    pub span: Span,
    /// In which way it says so.
    pub why: Why,
}

/// In which way a file says that one service waits for another; the least is what to change first.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The one that waits names the other: `After=`, `requirement`.
    After(&'static str),
    /// The other names the one that waits: `Before=`.
    Before(&'static str),
    /// A target that has not said otherwise waits for what it wants.
    Wanted(&'static str),
    /// What the one that waits uses is made by the other: a path lies on a mount.
    Needs(&'static str),
    /// By default the one that waits does so.
    Default,
    /// By default the other comes before the one that waits.
    DefaultBefore,
    /// It lies in the nature of the two: a socket comes before its service.
    Nature(&'static str),
}

impl Order {
    /// Returns the order in words.
    #[must_use]
    pub fn words(&self, from: &str, to: &str) -> String {
        match self.why {
            Why::After(word) => format!("`{from}` waits for `{to}` (`{word}`)"),
            Why::Before(word) => format!("`{to}` comes before `{from}` (`{word}`), so `{from}` waits for it"),
            Why::Wanted(word) => format!("`{from}`, a target, waits for `{to}`, which it names in `{word}`"),
            Why::Needs(word) => format!("`{from}` waits for `{to}`, for what it names in `{word}`"),
            Why::Default => format!("`{from}` waits for `{to}` unless it says `DefaultDependencies=no`"),
            Why::DefaultBefore => {
                format!("`{to}` comes before `{from}` unless it says `DefaultDependencies=no`")
            }
            Why::Nature(reason) => format!("`{from}` waits for `{to}`, {reason}"),
        }
    }

    /// Returns whether an edit of this statement alone ends it.
    #[must_use]
    pub const fn can_be_removed(&self) -> bool {
        !matches!(self.why, Why::Nature(_))
    }

    /// Returns what ends it, in words; `place` is where it stands.
    #[must_use]
    pub fn remedy(&self, from: &str, to: &str, place: &str) -> Option<String> {
        let name = &self.name;
        match self.why {
            Why::After(word) | Why::Wanted(word) => {
                Some(format!("remove `{name}` from `{word}` of `{from}` ({place})"))
            }
            Why::Needs(word) => {
                Some(format!("let `{word}` of `{from}` name nothing that `{to}` brings ({place})"))
            }
            Why::Before(word) => Some(format!("remove `{name}` from `{word}` of `{to}` ({place})")),
            Why::Default => Some(format!("write `DefaultDependencies=no` under `[Unit]` of `{from}`")),
            Why::DefaultBefore => Some(format!("write `DefaultDependencies=no` under `[Unit]` of `{to}`")),
            Why::Nature(_) => None,
        }
    }

    /// Returns the change that ends it, as programs read it.
    #[must_use]
    pub const fn change(&self) -> &'static str {
        match self.why {
            Why::Default | Why::DefaultBefore => "DefaultDependencies=no",
            Why::After(_) | Why::Before(_) | Why::Wanted(_) | Why::Needs(_) | Why::Nature(_) => "remove",
        }
    }
}

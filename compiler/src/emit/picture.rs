//! The authority flow as a picture, before any language of pictures: boxes in the boxes of their scopes, and lines.

/// A picture.
#[derive(Debug, Default)]
pub struct Picture {
    /// The scopes, each after the one that it lies in.
    pub groups: Vec<Group>,
    /// What is drawn as a box, by name.
    pub boxes: Vec<Box>,
    /// What is drawn as a line.
    pub lines: Vec<Line>,
}

/// A scope.
#[derive(Debug)]
pub struct Group {
    /// What it is called.
    pub title: String,
    /// The scope that it lies in.
    pub parent: Option<usize>,
}

/// Something that is drawn as a box.
#[derive(Debug)]
pub struct Box {
    /// What stands in it, line by line.
    pub label: Vec<String>,
    /// What it is.
    pub sort: Sort,
    /// The scope that it lies in.
    pub group: Option<usize>,
}

/// What sort of box it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Can act.
    Subject,
    /// Can act, and does not relay.
    Trusted,
    /// What the machine has.
    Resource,
    /// `outside`.
    Outside,
    /// `reconfigure`.
    Root,
    /// Where many meet.
    Meeting,
}

/// Something that is drawn as a line.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The box where it begins.
    pub from: usize,
    /// The box where it ends.
    pub to: usize,
    /// What it means.
    pub style: Style,
    /// What stands at it.
    pub label: String,
    /// What is at its beginning.
    pub tail: End,
    /// What is at its end.
    pub head: End,
}

/// What a line means.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Style {
    /// Holds a resource.
    Holds,
    /// Holds a facet, over which either may use the other.
    Facet,
    /// One reads what the other writes.
    Share,
    /// They can meet over a socket of their own.
    Meet,
    /// One can make the other do anything.
    Control,
}

impl Style {
    /// Every style, with what a legend says of it.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Holds, "holds"),
        (Self::Facet, "talks to, over a facet or a port"),
        (Self::Share, "reads what the other writes, or is read"),
        (Self::Meet, "can meet over a socket of their own"),
        (Self::Control, "controls: can make it do anything"),
    ];
}

/// What is at an end of a line.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Nothing: nothing is obtained that way.
    Plain,
    /// Who is here can be obtained from, as far as who is controlled lends what it has.
    Back,
    /// Who is here can be obtained from.
    Arrow,
    /// Who is here is trusted and does not relay.
    Bar,
}

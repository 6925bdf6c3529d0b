//! Which expressions of a file are services, in every way that people write them.

use super::names::{Names, names, word};
use super::reader::{Kind, Tree};
use crate::source::Span;

/// A service as a file says it.
#[derive(Debug)]
pub struct Service {
    /// Its head: `service`, `make`, `shepherd-service`.
    pub head: Span,
    /// What it provides.
    pub provides: Names,
    /// What it requires.
    pub requires: Names,
    /// The word that requires: `#:requirement`, `#:requires`, `requirement`.
    pub word: &'static str,
}

/// Returns the services of a file, in its order.
#[must_use]
pub fn services(tree: &Tree, text: &str) -> Vec<Service> {
    let mut found = Vec::new();
    let quoted = quoted(tree);
    for (id, node) in tree.nodes.iter().enumerate() {
        if node.kind == Kind::List && quoted.get(id) == Some(&false) {
            found.extend(service(tree, text, id as u32));
        }
    }
    found
}

/// Returns for each node whether it is data or a comment, and no code.
fn quoted(tree: &Tree) -> Vec<bool> {
    let mut quoted = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        let around = node.parent.and_then(|parent| Some((parent, tree.node(parent)?)));
        let is_quoted = around.is_some_and(|(parent, around)| match around.kind {
            Kind::Quote | Kind::Quasiquote | Kind::Comment => true,
            Kind::Unquote | Kind::Splice => false,
            Kind::List | Kind::Vector | Kind::Other | Kind::Symbol | Kind::Keyword | Kind::Constant => {
                quoted.get(parent as usize).copied().unwrap_or(false)
            }
        });
        quoted.push(is_quoted);
    }
    quoted
}

/// The keywords by which `(service NAMES …)` is known to be Shepherd's, whose first argument may be computed.
const KEYWORDS: [&str; 10] = [
    "#:requirement",
    "#:start",
    "#:stop",
    "#:one-shot?",
    "#:transient?",
    "#:respawn?",
    "#:documentation",
    "#:actions",
    "#:auto-start?",
    "#:termination-handler",
];

fn service(tree: &Tree, text: &str, id: u32) -> Option<Service> {
    let mut within = tree.within(id).map(|(id, _)| id);
    let head = within.next()?;
    let name = word(tree, text, Some(head))?;
    let rest: Vec<u32> = within.collect();
    let head = tree.node(head)?.span;
    match name {
        "service" => {
            let (first, options) = rest.split_first()?;
            let provides = names(tree, text, *first);
            let is_known = tree.node(*first).is_some_and(|node| match node.kind {
                Kind::Quote | Kind::Quasiquote | Kind::List => !provides.known.is_empty(),
                _ => false,
            });
            let says =
                |option: &u32| word(tree, text, Some(*option)).is_some_and(|word| KEYWORDS.contains(&word));
            if !is_known && !options.iter().any(says) {
                return None;
            }
            let requires = option(tree, text, options, "#:requirement");
            Some(Service { head, provides, requires, word: "#:requirement" })
        }
        "make" if word(tree, text, rest.first().copied()) == Some("<service>") => {
            let provides = option(tree, text, &rest, "#:provides");
            let requires = option(tree, text, &rest, "#:requires");
            Some(Service { head, provides, requires, word: "#:requires" })
        }
        "shepherd-service" => {
            let provides = field(tree, text, &rest, "provision").unwrap_or_default();
            let requires = field(tree, text, &rest, "requirement");
            // What is not said is taken over from another record.
            let inherits = || rest.iter().find(|id| head_of(tree, text, **id) == Some("inherit"));
            let requires = requires.unwrap_or_else(|| {
                let computed = inherits().and_then(|id| Some(tree.node(*id)?.span));
                Names { known: Vec::new(), computed: computed.into_iter().collect() }
            });
            Some(Service { head, provides, requires, word: "requirement" })
        }
        _ => None,
    }
}

/// Returns the names after a keyword among some arguments.
fn option(tree: &Tree, text: &str, arguments: &[u32], keyword: &str) -> Names {
    let mut arguments = arguments.iter();
    let found = arguments.find(|id| word(tree, text, Some(**id)) == Some(keyword));
    found.and_then(|_| arguments.next()).map(|value| names(tree, text, *value)).unwrap_or_default()
}

/// Returns the names of a record's field.
fn field(tree: &Tree, text: &str, fields: &[u32], name: &str) -> Option<Names> {
    let field = fields.iter().find(|id| head_of(tree, text, **id) == Some(name))?;
    let (value, _) = tree.within(*field).nth(1)?;
    Some(names(tree, text, value))
}

fn head_of<'t>(tree: &Tree, text: &'t str, id: u32) -> Option<&'t str> {
    let is_list = tree.node(id).is_some_and(|node| node.kind == Kind::List);
    is_list.then(|| word(tree, text, tree.within(id).next().map(|(id, _)| id))).flatten()
}

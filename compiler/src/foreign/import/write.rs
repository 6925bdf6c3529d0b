//! Services become a configuration: what they share is declared once, and each line knows which statement it is.

use super::names::Names;
use super::service::{Kind, Resource, Said, Service};
use super::statement::{declaration, holds, one_line, said};
use crate::syntax::print::kdl::string;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A statement of a service: which service, and which of its statements.
pub type StatementId = (usize, usize);

/// A configuration, and which statement stands on which line.
#[derive(Debug)]
pub struct Written {
    /// The text, in KDL.
    pub text: String,
    /// For each line the statement on it, or the first that made it necessary.
    pub lines: Vec<Option<StatementId>>,
    /// Statements without which there is no service.
    pub needed: BTreeSet<StatementId>,
}

const HEADER: &str = "\
Made from units of systemd by `capc import systemd`: a configuration to start from.
It grants nothing that the units had not, and leaves out what nobody can tell from them: which files, ports and
privileges a program uses. What could not be translated stands in each service, behind `to do`.
What lies below a path that a service holds it sees as its own, whoever has it on disk: look at what that is.
Then: `capc check FILE`, `capc trace SERVICE --config FILE` for what a world lacks, `capc up FILE`.";

/// Writes a configuration down. What is withdrawn becomes a comment that says why.
#[must_use]
pub fn write(
    system: &str,
    services: &[Service],
    others: &[(String, String)],
    withdrawn: &BTreeMap<StatementId, String>,
) -> Written {
    let mut writer = Writer { text: String::new(), lines: Vec::new(), names: Names::default() };
    let system = super::names::word(system);
    for service in services {
        writer.names.unique(&service.name);
    }
    let needed: BTreeSet<StatementId> =
        services.iter().enumerate().filter_map(|(at, service)| Some((at, service.run()?))).collect();
    // A service stands with its program.
    let fallen = |service: usize| withdrawn.iter().find(|(id, _)| id.0 == service && needed.contains(id));
    HEADER.lines().for_each(|line| writer.comment("", line));
    writer.line(None, &format!("system {system}"));
    let mut standing = standing(services, withdrawn);
    standing.retain(|((service, _), _)| fallen(*service).is_none());
    let declared = writer.declarations(&standing);
    let mut left = others.to_vec();
    for (index, service) in services.iter().enumerate() {
        match fallen(index) {
            Some((_, why)) => left.push((service.unit.clone(), format!("its program is {why}"))),
            None => writer.service(index, service, &declared, withdrawn),
        }
    }
    if !left.is_empty() {
        writer.line(None, "");
        writer.comment("", "Not imported:");
        left.iter().for_each(|(unit, why)| writer.comment("", &format!("- {unit}: {why}")));
    }
    Written { text: writer.text, lines: writer.lines, needed }
}

/// The statements that name something declared.
fn standing<'s>(
    services: &'s [Service],
    withdrawn: &BTreeMap<StatementId, String>,
) -> Vec<(StatementId, &'s Said)> {
    let all = services.iter().enumerate().flat_map(|(service, one)| {
        one.statements.iter().enumerate().map(move |(index, statement)| ((service, index), &statement.said))
    });
    all.filter(|(id, said)| !withdrawn.contains_key(id) && !matches!(said, Said::Plain(_))).collect()
}

/// What is declared, by name.
#[derive(Default)]
struct Declared {
    resources: BTreeMap<Resource, String>,
    accounts: BTreeMap<(String, Option<String>), String>,
    /// States that several identities write to, which only a `dir` can be.
    shared: BTreeSet<String>,
}

impl Declared {
    /// Returns a resource as it is declared: of one path there is one.
    fn of(&self, resource: &Resource) -> Resource {
        let is_shared = resource.kind == Kind::State && self.shared.contains(&resource.target);
        Resource { kind: if is_shared { Kind::Dir } else { resource.kind }, target: resource.target.clone() }
    }
}

struct Writer {
    text: String,
    lines: Vec<Option<StatementId>>,
    names: Names,
}

impl Writer {
    fn line(&mut self, id: Option<StatementId>, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
        self.lines.push(id);
    }

    fn comment(&mut self, indent: &str, text: &str) {
        self.line(None, &format!("{indent}// {}", one_line(text)));
    }

    /// Declares what is held and who somebody runs as, each once.
    fn declarations(&mut self, standing: &[(StatementId, &Said)]) -> Declared {
        let mut declared = Declared::default();
        let mut owners: BTreeMap<&str, (bool, BTreeSet<String>)> = BTreeMap::new();
        let account = |service: usize| {
            let said = standing.iter().find(|((of, _), said)| *of == service && matches!(said, Said::As(..)));
            match said {
                Some((_, Said::As(user, group))) => format!("{user}:{group:?}"),
                _ => format!("{service}"),
            }
        };
        for ((service, _), said) in standing {
            if let Said::Holds(hold) = said
                && matches!(hold.resource.kind, Kind::State | Kind::Dir)
            {
                let (is_dir, owners) = owners.entry(&hold.resource.target).or_default();
                *is_dir |= hold.resource.kind == Kind::Dir && hold.rights != ["read"];
                owners.insert(account(*service));
            }
        }
        let shared = owners.into_iter().filter(|(_, (is_dir, owners))| *is_dir || owners.len() > 1);
        declared.shared = shared.map(|(path, _)| path.to_owned()).collect();
        let mut is_first = true;
        for (id, said) in standing {
            let line = match said {
                Said::As(user, group) => {
                    let key = (user.clone(), group.clone());
                    if declared.accounts.contains_key(&key) {
                        continue;
                    }
                    let name = self.names.unique_or(user, &format!("{user}-account"));
                    let mut line = format!("identity {name} user={}", string(user));
                    if let Some(group) = group {
                        let _ = write!(line, " group={}", string(group));
                    }
                    declared.accounts.insert(key, name);
                    line
                }
                Said::Holds(hold) => {
                    let resource = declared.of(&hold.resource);
                    if declared.resources.contains_key(&resource) {
                        continue;
                    }
                    let like = hold.like.as_deref().unwrap_or(&hold.resource.target);
                    let name = self.names.unique(like);
                    let line = declaration(&resource, &name);
                    declared.resources.insert(resource, name);
                    line
                }
                Said::Plain(_) => continue,
            };
            if std::mem::take(&mut is_first) {
                self.line(None, "");
            }
            self.line(Some(*id), &line);
        }
        declared
    }

    fn service(
        &mut self,
        index: usize,
        service: &Service,
        declared: &Declared,
        withdrawn: &BTreeMap<StatementId, String>,
    ) {
        self.line(None, "");
        self.line(service.run().map(|at| (index, at)), &format!("service {} {{", service.name));
        if let Some(about) = &service.about {
            self.comment("    ", about);
        }
        self.comment("    ", &format!("{}: {}", service.unit, service.files.join(", ")));
        let mut refused: Vec<String> = Vec::new();
        for (at, statement) in service.statements.iter().enumerate() {
            let id = (index, at);
            if let Some(why) = withdrawn.get(&id) {
                refused.push(format!(
                    "{} ({}) {}: {why}",
                    statement.from,
                    statement.place,
                    said(&statement.said)
                ));
                continue;
            }
            let words = match &statement.said {
                Said::Plain(words) => words.clone(),
                Said::As(user, group) => {
                    let key = (user.clone(), group.clone());
                    let Some(name) = declared.accounts.get(&key) else { continue };
                    format!("as {name}")
                }
                Said::Holds(hold) => {
                    let Some(name) = declared.resources.get(&declared.of(&hold.resource)) else { continue };
                    holds(name, hold)
                }
            };
            self.line(Some(id), &format!("    {words}    // {}", one_line(&statement.from)));
        }
        if !service.needless.is_empty() {
            let keys: Vec<String> = service.needless.iter().map(|key| format!("{key}=")).collect();
            self.comment("    ", &format!("needless here: {}", keys.join(" ")));
        }
        for remark in refused.iter().chain(&service.remarks) {
            self.comment("    ", &format!("to do: {remark}"));
        }
        self.line(None, "}");
    }
}

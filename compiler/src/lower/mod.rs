//! From what is proved to what is sealed: one manifest a service, and the plan of the init.
//!
//! Nothing is invented here: what a world has, its service holds, or the program cannot run without.
//! What the machine does not allow is refused, all of it in one run.
//! Each mechanism has a file; they stand in the order in which a world is put together.

mod refusals;
mod unenforced;
mod elf;
mod loader;
mod closure;
mod seccomp;
mod identity;
mod place;
mod world;
mod settle;
mod rules;
mod base;
mod code;
mod owner;
mod grants;
mod state;
mod facets;
mod needs;
mod data_only;
mod network;
mod privileges;
mod descriptors;
mod limits;
mod write;
mod plan;
#[cfg(test)]
mod tests;

pub use data_only::{data_only_facet, full_name};
pub use identity::is_given;
pub use seccomp::{
    calls_beyond, group_of_call, name_of_call, passes_descriptors, privilege_of_call, usual_calls,
};

use crate::check::Checked;
use crate::diag::Diagnostic;
use crate::holdings::Holdings;
use crate::machine::{Machine, Remembered, walk};
use crate::model::{FileKind, Model, Object, ObjectId, Placement, Ready, Rights, Service, Target};
use crate::source::Span;
use capc_schemas::manifest;
use capc_supervisor::Plan;
use identity::Identity;
use loader::Host;
use refusals::Refusals;
use seccomp::{Beyond, Instruction, Sockets};
use std::collections::BTreeMap;
use std::path::PathBuf;
use world::World;

/// Who starts the services.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Root: identities of their own, id-mapped mounts.
    Root,
    /// A plain user: a user namespace for each service.
    User,
}

/// What lowering is told beyond the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who starts the services.
    pub mode: Mode,
    /// Where `state` directories are kept instead of at their own paths; it is there when services start.
    pub state_root: Option<PathBuf>,
    /// The identities of the generation before.
    pub previous: BTreeMap<String, u32>,
    /// What the init can hold all processes of a service to together.
    pub groups: Groups,
}

/// What an init can limit for all processes of a service together.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// Memory.
    pub memory: Hold,
    /// Processes and threads.
    pub tasks: Hold,
    /// Processor time.
    pub cpu: Hold,
}

/// Whether an init holds all processes of a service to a limit together.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// It does not.
    #[default]
    Never,
    /// It does, or does not start the service.
    Sure,
    /// That is found out when it starts the service; it does not start one that nothing else would limit.
    AtStart,
}

impl Groups {
    /// What is known of an embedded supervisor that is going to run on some machine.
    pub const AT_START: Self = Self { memory: Hold::AtStart, tasks: Hold::AtStart, cpu: Hold::AtStart };

    /// Returns what is there for sure, and no more.
    pub fn sure(memory: bool, tasks: bool, cpu: bool) -> Self {
        let hold = |is_sure| if is_sure { Hold::Sure } else { Hold::Never };
        Self { memory: hold(memory), tasks: hold(tasks), cpu: hold(cpu) }
    }
}

/// What is sealed.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// Each service's name and manifest, by name.
    pub manifests: Vec<(String, String)>,
    /// What the embedded supervisor does.
    pub plan: Plan,
    /// Who has which number, for the next generation; numbers are never given to somebody else.
    pub identities: BTreeMap<String, u32>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// One lowering, with what all its parts use.
struct Run<'a> {
    model: &'a Model,
    holdings: &'a Holdings,
    host: Host<'a>,
    options: &'a Options,
    identities: BTreeMap<ObjectId, Identity>,
    facets: facets::Directories,
    /// Who passes no descriptors.
    data_only: data_only::DataOnly,
    /// The places that something is said of, without links.
    integrity: Vec<(String, manifest::Integrity)>,
    /// Filters by what they grant: most services have the same.
    filters: BTreeMap<(Sockets, Beyond), Vec<Instruction>>,
    refusals: Refusals,
}

/// The service that a world is made for.
#[derive(Copy, Clone)]
struct Subject<'a> {
    id: ObjectId,
    object: &'a Object,
    service: &'a Service,
}

/// Something that a service holds, as one statement puts it into its world.
struct Held<'a> {
    capability: &'a crate::model::Capability,
    rights: Rights,
    /// Its name here.
    name: String,
    /// The statement of the service's own; none if it was introduced.
    placement: Option<&'a Placement>,
    /// The statement.
    span: Span,
}

/// Lowers a configuration that was proved right against a machine.
///
/// # Errors
/// Everything that this machine does not allow.
pub fn lower(
    model: &Model,
    holdings: &Holdings,
    checked: &Checked,
    machine: &dyn Machine,
    options: &Options,
) -> Result<Lowered, Vec<Diagnostic>> {
    let machine: &dyn Machine = &Remembered::new(machine);
    let mut refusals = Refusals::default();
    if model.file != FileKind::System {
        let span = model.object(crate::model::SYSTEM).span;
        let message = "only a `system` file can be run, and this one says nothing of a machine";
        refusals.refuse(span, message, "not a system", "name the system file that uses it");
    }
    let (identities, numbers) = identity::allocate(model, machine, options, &mut refusals);
    let facets = facets::directories(model);
    let data_only = data_only::settle(model, holdings);
    refusals.add(&data_only.refusals, &data_only.notes);
    let host = Host::new(machine);
    let integrity = code::integrity(model, machine);
    let filters = BTreeMap::new();
    let mut run =
        Run { model, holdings, host, options, identities, facets, data_only, integrity, filters, refusals };
    let mut subjects: Vec<Subject<'_>> =
        model.services().map(|(id, object, service)| Subject { id, object, service }).collect();
    subjects.sort_by(|one, other| one.object.name.cmp(&other.object.name));
    let mut planned = Vec::new();
    for subject in subjects {
        let (world, passed) = run.world(subject, checked);
        planned.push((subject, world, passed));
    }
    let mut manifests = Vec::new();
    for ((subject, world, _), written) in
        planned.iter().zip(write::manifests(&planned, |(_, world, _)| world))
    {
        match written {
            Ok(text) => manifests.push((world.name.clone(), text)),
            Err(what) => run.refusals.internal(subject.object.span, &what),
        }
    }
    let plan = plan::plan(&mut run, checked, planned);
    let notes = run.refusals.finish()?;
    Ok(Lowered { manifests, plan, identities: numbers, notes })
}

/// Returns the files that a program is made of, without links: itself, its interpreter and its libraries, sorted.
///
/// # Errors
/// When one of them is not there, in words.
pub fn files_of(machine: &dyn Machine, program: &str) -> Result<Vec<String>, String> {
    match Host::new(machine).closure(program).as_ref() {
        Ok(found) => Ok(found.files.values().cloned().collect()),
        Err(no) => Err(format!("{}; {}", no.message, no.help)),
    }
}

impl<'a> Run<'a> {
    fn world(&mut self, subject: Subject<'a>, checked: &Checked) -> (World, Vec<descriptors::Passed>) {
        let Subject { object, service, .. } = subject;
        let mode = match self.options.mode {
            Mode::Root => manifest::Mode::Root,
            Mode::User => manifest::Mode::User,
        };
        unenforced::refuse(self, subject);
        let identity = self.identity(subject.id);
        let mut world = World::empty(&object.name, mode, (identity.uid, identity.gid));
        world.ready = match plan::ready(self, checked, subject) {
            Ready::Started => manifest::Ready::Started,
            Ready::Notify => manifest::Ready::Notify,
            Ready::Socket => manifest::Ready::Socket,
        };
        base::furnish(self, &mut world, subject);
        code::add(self, &mut world, subject);
        code::add_config(self, &mut world, subject);
        grants::add(self, &mut world, subject);
        facets::add(self, &mut world, subject);
        let mut network = network::add(self, &mut world, subject);
        network.sockets.data_only = self.data_only.services.contains_key(&subject.id);
        let beyond = privileges::add(self, &mut world, subject);
        let passed = descriptors::add(self, &mut world, subject);
        limits::add(self, &mut world, subject);
        identity::describe(&mut world, service, &network.hosts, object.span);
        let filter = self.filters.entry((network.sockets, beyond));
        world.filter =
            filter.or_insert_with_key(|(sockets, beyond)| seccomp::filter(*sockets, beyond)).clone();
        world.settle(self.host.machine, &mut self.refusals);
        if let Some(workdir) = &service.workdir {
            world.workdir = workdir.path.to_string();
            if !world.has(&workdir.path, self.host.machine) {
                let message = format!("`{}` is not there in the world of `{}`", workdir.path, object.name);
                let help = "work in a directory that it holds, or give it one with `scratch`";
                self.refusals.refuse(workdir.span, message, "nothing of it is granted", help);
            }
        }
        self.note_missing_arguments(&world);
        (world, passed)
    }

    /// Tells of arguments that name something of the machine's which the world does not have.
    fn note_missing_arguments(&mut self, world: &World) {
        let prepare = world.prepare.iter().flat_map(|(_, arguments)| arguments);
        for argument in world
            .arguments
            .iter()
            .chain(prepare)
            .filter(|argument| argument.len() > 1 && argument.starts_with('/'))
        {
            let machine = self.host.machine;
            if walk(machine, argument).is_ok() && !world.has(&self.host.place(argument), machine) {
                let name = &world.name;
                self.refusals.note(format!(
                    "`{name}`: its argument `{argument}` is not there in its world; `image`, `config` or `holds` would bring it"
                ));
            }
        }
    }

    fn identity(&self, id: ObjectId) -> Identity {
        self.identities.get(&id).copied().unwrap_or_default()
    }

    /// Returns what a service holds: what it asks for, in its order, then what it was given besides.
    fn held(&self, subject: Subject<'a>) -> Vec<Held<'a>> {
        let model = self.model;
        let mut held = Vec::new();
        let mut asked: BTreeMap<crate::model::CapId, Rights> = BTreeMap::new();
        for placement in &subject.service.placements {
            let rights = placement.rights.and(self.holdings.rights(subject.id, placement.capability));
            let all = asked.entry(placement.capability).or_default();
            *all = all.or(rights);
            held.push(Held {
                capability: model.capability(placement.capability),
                rights,
                name: placement.name.to_string(),
                placement: Some(placement),
                span: placement.span,
            });
        }
        for holding in self.holdings.of(subject.id) {
            let capability = model.capability(holding.capability);
            let rights = holding.rights.without(asked.get(&holding.capability).copied().unwrap_or_default());
            let is_own =
                matches!(capability.target, Target::Facet(facet) if model.facet(facet).owner == subject.id);
            if rights.is_empty() || is_own {
                continue;
            }
            let steps = self.holdings.steps(model, holding, rights);
            let span = steps.last().map_or(subject.object.span, |step| step.span);
            let name = capability.name.to_string();
            held.push(Held { capability, rights, name, placement: None, span });
        }
        held
    }
}

//! Limits: what the init holds all processes of a service to together, what the kernel holds each to without control
//! groups, and what nobody does.

use super::world::World;
use super::{Groups, Hold, Run, Subject};
use crate::model::Limits;
use capc_schemas::manifest::Limit;
use capc_supervisor as plan;

/// Adds the limits of a service.
pub fn add(run: &mut Run<'_>, world: &mut World, subject: Subject<'_>) {
    let Limits { memory, tasks, files, cpu, best_effort } = &subject.service.limits;
    let groups = run.options.groups;
    let name = &subject.object.name;
    // What a crash leaves behind could hold a secret.
    world.rlimits.insert(Limit::Core, 0);
    if let Some((files, _)) = files {
        world.rlimits.insert(Limit::Nofile, *files);
    }
    if let Some((memory, _)) = memory.filter(|_| groups.memory != Hold::Sure) {
        world.rlimits.insert(Limit::Data, memory);
        let only_where = match groups.memory {
            Hold::AtStart => ", and for all of them only where the supervisor has control groups",
            Hold::Never | Hold::Sure => "",
        };
        run.refusals.note(format!(
            "`{name}`: the limit on memory counts for each of its processes alone{only_where}"
        ));
    }
    if let Some((tasks, span)) = tasks {
        // RLIMIT_NPROC counts everything that runs under the number (setrlimit(2)).
        match (run.identity(subject.id).is_shared, groups.tasks) {
            (false, _) => drop(world.rlimits.insert(Limit::Nproc, *tasks)),
            (true, Hold::Sure) => {}
            (true, Hold::AtStart) => run.refusals.note(at_start(name, "tasks", *best_effort)),
            (true, Hold::Never) if *best_effort => run
                .refusals
                .note(format!("`{name}`: its tasks are not limited, since its identity is shared")),
            (true, Hold::Never) => {
                let message =
                    format!("the tasks of `{name}` cannot be counted apart: its identity may be shared");
                let help = "leave `as` out for an identity of its own, or say `best-effort=#true`";
                run.refusals.refuse(*span, message, "counted by identity", help);
            }
        }
    }
    if let Some((_, span)) = cpu {
        match groups.cpu {
            Hold::Sure => {}
            Hold::AtStart => run.refusals.note(at_start(name, "processor time", *best_effort)),
            Hold::Never if *best_effort => run
                .refusals
                .note(format!("`{name}`: its processor time is not limited, for want of control groups")),
            Hold::Never => {
                let message =
                    format!("the processor time of `{name}` cannot be limited without control groups");
                run.refusals.refuse(
                    *span,
                    message,
                    "not enforced here",
                    "leave `cpu` out, or say `best-effort=#true`",
                );
            }
        }
    }
}

/// Says what becomes of a limit where the supervisor finds no control groups.
fn at_start(name: &str, what: &str, best_effort: bool) -> String {
    match best_effort {
        true => format!("`{name}`: nothing limits its {what} where the supervisor has no control groups"),
        false => {
            format!("`{name}`: it starts only where the supervisor can limit its {what} by control groups")
        }
    }
}

/// Returns what the init holds all processes of a service to.
pub fn together(run: &Run<'_>, subject: Subject<'_>) -> plan::Limits {
    let Limits { memory, tasks, files: _, cpu, best_effort } = &subject.service.limits;
    let Groups { memory: hold_memory, tasks: hold_tasks, cpu: hold_cpu } = run.options.groups;
    let said =
        |limit: &Option<(u64, _)>, hold| limit.filter(|_| hold != Hold::Never).map(|(number, _)| number);
    let (memory, tasks, cpu) = (said(memory, hold_memory), said(tasks, hold_tasks), said(cpu, hold_cpu));
    let is_shared = run.identity(subject.id).is_shared;
    let needs = plan::Needs {
        memory: memory.is_some() && hold_memory == Hold::Sure && !best_effort,
        tasks: tasks.is_some() && is_shared && !best_effort,
        cpu: cpu.is_some() && !best_effort,
    };
    plan::Limits { memory, tasks, cpu, needs }
}

//! Limits: what the init holds all processes of a service to together, what the kernel holds each to without control
//! groups, and what nobody does.

use super::world::World;
use super::{Groups, Run, Subject};
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
    if let Some((memory, _)) = memory.filter(|_| !groups.memory) {
        world.rlimits.insert(Limit::Data, memory);
        run.refusals.note(format!("`{name}`: the limit on memory counts for each of its processes alone"));
    }
    if let Some((tasks, span)) = tasks {
        // RLIMIT_NPROC counts everything that runs under the number (setrlimit(2)).
        match run.identity(subject.id).is_shared {
            false => drop(world.rlimits.insert(Limit::Nproc, *tasks)),
            true if groups.tasks => {}
            true if *best_effort => run
                .refusals
                .note(format!("`{name}`: its tasks are not limited, since its identity is shared")),
            true => {
                let message =
                    format!("the tasks of `{name}` cannot be counted apart: its identity may be shared");
                let help = "leave `as` out for an identity of its own, or say `best-effort=#true`";
                run.refusals.refuse(*span, message, "counted by identity", help);
            }
        }
    }
    if let Some((_, span)) = cpu.filter(|_| !groups.cpu) {
        match best_effort {
            true => run
                .refusals
                .note(format!("`{name}`: its processor time is not limited, for want of control groups")),
            false => {
                let message =
                    format!("the processor time of `{name}` cannot be limited without control groups");
                run.refusals.refuse(
                    span,
                    message,
                    "not enforced here",
                    "leave `cpu` out, or say `best-effort=#true`",
                );
            }
        }
    }
}

/// Returns what the init holds all processes of a service to.
pub fn together(groups: Groups, limits: &Limits) -> plan::Limits {
    let Limits { memory, tasks, files: _, cpu, best_effort: _ } = limits;
    let said = |limit: &Option<(u64, _)>, can: bool| limit.filter(|_| can).map(|(number, _)| number);
    plan::Limits {
        memory: said(memory, groups.memory),
        tasks: said(tasks, groups.tasks),
        cpu: said(cpu, groups.cpu),
    }
}

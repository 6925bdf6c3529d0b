//! Limits: what the kernel can hold a process to without control groups, and what it cannot.

use super::world::World;
use super::{Run, Subject};
use crate::model::Limits;
use capc_schemas::manifest::Limit;

/// Adds the limits of a service.
pub fn add(run: &mut Run<'_>, world: &mut World, subject: Subject<'_>) {
    let Limits { memory, tasks, files, cpu, best_effort } = &subject.service.limits;
    let name = &subject.object.name;
    // What a crash leaves behind could hold a secret.
    world.rlimits.insert(Limit::Core, 0);
    if let Some((files, _)) = files {
        world.rlimits.insert(Limit::Nofile, *files);
    }
    if let Some((memory, _)) = memory {
        world.rlimits.insert(Limit::Data, *memory);
        run.refusals.note(format!("`{name}`: the limit on memory counts for each of its processes alone"));
    }
    if let Some((tasks, span)) = tasks {
        // RLIMIT_NPROC counts everything that runs under the number (setrlimit(2)).
        match run.identity(subject.id).is_shared {
            false => drop(world.rlimits.insert(Limit::Nproc, *tasks)),
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
    if let Some((_, span)) = cpu {
        match best_effort {
            true => run
                .refusals
                .note(format!("`{name}`: its processor time is not limited, for want of control groups")),
            false => {
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

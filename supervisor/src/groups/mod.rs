//! Control groups: what all processes of a service together are held to, and by what all of them are ended.
//!
//! Each service has a group of its own, in a directory of this supervisor's below the group that it was started in. Which
//! controllers there are is found by trying: what is listed may still be refused.

mod group;
mod place;
mod tree;

use std::fmt;

use crate::error::Error;
use crate::plan::Limits;
pub(crate) use group::{Felt, Group};
use tree::Tree;

/// What a control group can hold all processes of a service to together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Bytes of memory.
    Memory,
    /// Processes and threads.
    Tasks,
    /// Processor time.
    Cpu,
}

/// The groups of one supervisor, removed when dropped.
#[derive(Debug)]
pub struct Groups {
    tree: Option<Tree>,
    controllers: Vec<Controller>,
    /// Why it is not all of them.
    lack: Option<String>,
}

impl Groups {
    /// Makes a place for groups, in which as many controllers as the kernel lets us have work.
    ///
    /// It may move this process into a group of its own, for groups with controllers hold processes or groups, not both.
    /// What supervisors that were killed left behind in the same place is removed.
    pub fn make() -> Groups {
        let made = place::own().and_then(|place| Tree::make(&place));
        match made {
            Ok((tree, controllers, lack)) => Groups { tree: Some(tree), controllers, lack },
            Err(lack) => Groups { tree: None, controllers: Vec::new(), lack: Some(lack) },
        }
    }

    /// Returns whether they hold services to something.
    pub fn have(&self, controller: Controller) -> bool {
        self.controllers.contains(&controller)
    }

    /// Returns which of its limits a service would be started without, though it must not be, and why.
    pub(crate) fn refusal(&self, limits: &Limits) -> Option<String> {
        let needed = Controller::ALL.into_iter().filter(|controller| limits.need(*controller));
        let lacking: Vec<&str> =
            needed.filter(|controller| !self.have(*controller)).map(Controller::words).collect();
        if lacking.is_empty() {
            return None;
        }
        let why = self.lack.as_deref().unwrap_or("there is no controller for it");
        Some(format!(
            "nothing limits its {} here ({why}); let the configuration say `best-effort=#true`, or start capc where \
             it may make control groups",
            listed(&lacking)
        ))
    }

    /// Makes the group of a service, beside one that it still has, with those of its limits for which there are
    /// controllers; none where there are no groups.
    pub(crate) fn enter(
        &self,
        service: &str,
        limits: &Limits,
        beside: Option<&Group>,
    ) -> Result<Option<Group>, Error> {
        let Some(tree) = &self.tree else { return Ok(None) };
        let held = |limit: Option<u64>, controller| limit.filter(|_| self.have(controller));
        let limits = Limits {
            memory: held(limits.memory, Controller::Memory),
            tasks: held(limits.tasks, Controller::Tasks),
            cpu: held(limits.cpu, Controller::Cpu),
            needs: limits.needs,
        };
        let [first, second] = tree.places_of(service);
        let place = if beside.is_some_and(|group| group.is_at(&first)) { second } else { first };
        let made = Group::make(place, &limits);
        made.map(Some).map_err(Error::when("make its control group"))
    }
}

impl fmt::Display for Groups {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, lacking): (Vec<_>, Vec<_>) =
            Controller::ALL.into_iter().partition(|controller| self.have(*controller));
        let held: Vec<&str> = held.into_iter().map(Controller::words).collect();
        if !held.is_empty() {
            write!(out, "{} of all processes of a service together, by control groups", listed(&held))?;
        }
        for (controller, place) in lacking.iter().zip(held.len()..) {
            out.write_str(if place > 0 { "; " } else { "" })?;
            out.write_str(controller.instead())?;
        }
        match self.lack.as_deref().filter(|_| !lacking.is_empty()) {
            Some(lack) => write!(out, " ({lack})"),
            None => Ok(()),
        }
    }
}

impl Controller {
    const ALL: [Controller; 3] = [Controller::Memory, Controller::Tasks, Controller::Cpu];

    /// Returns the kernel's name of it.
    fn name(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Tasks => "pids",
            Controller::Cpu => "cpu",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Tasks => "tasks",
            Controller::Cpu => "processor time",
        }
    }

    /// Says what holds where it is lacking.
    fn instead(self) -> &'static str {
        match self {
            Controller::Memory => "memory of each process by itself",
            Controller::Tasks => "tasks by identity",
            Controller::Cpu => "processor time not at all",
        }
    }
}

/// Joins words as a sentence does.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Needs;

    fn groups(controllers: &[Controller], lack: &str) -> Groups {
        Groups { tree: None, controllers: controllers.to_vec(), lack: Some(lack.to_owned()) }
    }

    #[test]
    fn what_limits_is_said_in_a_sentence() {
        let check = |controllers: &[Controller], said: &str| {
            assert_eq!(groups(controllers, "x").to_string(), said);
        };
        check(
            &Controller::ALL,
            "memory, tasks and processor time of all processes of a service together, by control groups",
        );
        check(
            &[Controller::Memory, Controller::Tasks],
            "memory and tasks of all processes of a service together, by control groups; processor time not at all (x)",
        );
        check(&[], "memory of each process by itself; tasks by identity; processor time not at all (x)");
    }

    #[test]
    fn a_limit_that_a_service_must_not_be_without_is_missed() {
        let needs = Needs { memory: false, tasks: true, cpu: true };
        let limits = Limits { memory: Some(1), tasks: Some(1), cpu: None, needs };
        let lacks = |controllers: &[Controller]| groups(controllers, "x").refusal(&limits);
        assert_eq!(lacks(&[Controller::Tasks]), None, "a limit that it does not have is not missed");
        let why = lacks(&[Controller::Memory]).unwrap();
        assert!(why.starts_with("nothing limits its tasks here (x); let the configuration say"), "{why}");
        let limits = Limits { cpu: Some(1), ..limits };
        let why = groups(&[], "x").refusal(&limits).unwrap();
        assert!(why.starts_with("nothing limits its tasks and processor time here (x)"), "{why}");
    }
}

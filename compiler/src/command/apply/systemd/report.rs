//! Saying what was done, and what did not come up.

use super::course::{Done, What};
use super::systemctl::{State, last_lines, states};
use super::{Failure, Switch, left_over};
use crate::command::running::{Running, running};
use crate::command::{complain, say};
use crate::emit::report::harmless;
use capc_supervisor::{Restart, Service};

/// Says what came of it.
///
/// # Errors
/// When a service is not as it is sealed.
pub fn report(switch: &Switch<'_>, done: &[Done]) -> Result<(), Failure> {
    let units: Vec<String> = done.iter().map(|done| done.unit.clone()).collect();
    let mut failed = Vec::new();
    let mut left = 0;
    let running = running(switch.store);
    for (done, now) in done.iter().zip(states(&units)?) {
        let is_up = is_up(switch, done, &now);
        if is_up && runs_something_else(switch, done, &now, &running)? {
            complain!("{0} runs something that was not sealed: `systemctl cat {0}` says what", done.unit);
            failed.push(done.unit.clone());
            continue;
        }
        if is_up {
            match done.what {
                What::Started => say!("started    {}", done.unit),
                What::Restarted => say!("restarted  {}", done.unit),
                What::Left => left += 1,
            }
            continue;
        }
        complain!("{} is {}; its last lines:", done.unit, now.words());
        for line in last_lines(&done.unit) {
            complain!("    | {}", harmless(&line));
        }
        failed.push(done.unit.clone());
    }
    if left > 0 {
        say!(
            "left as {}: {}",
            if left == 1 { "it is" } else { "they are" },
            crate::command::check::count(left, "service")
        );
    }
    let old = left_over(switch);
    if !old.is_empty() {
        return Err(Failure::refused(format!(
            "generation {} is current, and what was started otherwise still runs from an old one: {}",
            switch.number,
            old.join(", ")
        )));
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(Failure::refused(format!(
            "`{}` is current, and not all of it came up: {}",
            switch.generation.display(),
            failed.join(", ")
        ))),
    }
}

/// Returns whether a service has a process and no world: something beside its unit says what is started.
fn runs_something_else(
    switch: &Switch<'_>,
    done: &Done,
    now: &State,
    running: &[Running],
) -> Result<bool, Failure> {
    let has_world = |service: &Service| running.iter().any(|running| running.service == service.name);
    let service = service(switch, done).filter(|service| !service.oneshot && !has_world(service));
    if service.is_none() || !now.is_active() || now.pid == 0 {
        return Ok(false);
    }
    // It may have ended between the two looks, and been started again.
    let then = states(std::slice::from_ref(&done.unit))?.pop().unwrap_or_default();
    Ok(then.is_active() && then.run == now.run && then.pid == now.pid)
}

fn service<'s>(switch: &Switch<'s>, done: &Done) -> Option<&'s Service> {
    let is_its = |service: &&Service| {
        crate::emit::init::systemd::unit(&service.name, "service").as_ref() == Ok(&done.unit)
    };
    switch.plan.services.iter().find(is_its)
}

fn is_up(switch: &Switch<'_>, done: &Done, now: &State) -> bool {
    let service = service(switch, done);
    let is_scheduled = service.is_some_and(|service| service.schedule.is_some());
    let may_end = is_scheduled || service.is_some_and(|service| service.restart == Restart::Never);
    let is_there = match done.what {
        What::Left => now.is_there(),
        // It may take hours.
        _ if is_scheduled => now.is_there(),
        // One that was started again since has failed since.
        What::Started | What::Restarted => now.is_active() && now.restarts == "0",
    };
    // What was not started for want of what it waits for has not ended well either.
    is_there || (may_end && now.run != done.run && now.has_ended_well())
}

//! The service's own process: from its first instruction in the world to its program.

use crate::apply::report::Report;
use crate::apply::{descriptors, identity, landlock, limits, namespaces, proc, session};
use crate::plan::{Plan, Program};
use crate::refusal::{Layer, OrRefuse, REFUSED, Reason, Refusal, Subject};
use crate::sys::{self, End, Fd, Parent, Patience, Side, Telling, Wait, wait_for};
use capc_schemas::manifest::Network;

/// What the service's process is given.
pub struct Ends {
    /// What is to be done.
    pub plan: &'static Plan<'static>,
    /// The root, which the launcher still builds.
    pub root: Fd,
    /// The keeper's socket.
    pub keeper: Fd,
    /// Where a failure is told, and when the root is built.
    pub report: Report,
    /// What is the launcher's: while a copy is open, nobody would see its end.
    pub launchers: [Fd; 3],
    /// Whether the program waits for the launcher's word.
    pub waits: bool,
    /// Whether it is told which system calls are refused.
    pub telling: Telling,
}

/// Becomes the service.
pub fn become_service(ends: Ends) -> ! {
    let Ends { plan, root, keeper, report, launchers, waits, telling } = ends;
    drop(launchers);
    // The launcher builds the root meanwhile.
    let proc = report.unless_refused(leave(plan, &keeper));
    if !report.is_built() {
        sys::exit(REFUSED);
    }
    // The keeper has entered the old root by now, and is moved to the new one with it.
    report.unless_refused(meet(&keeper));
    let ruleset = report.unless_refused(enter(plan, &root, &proc));
    // From here on every descriptor but the three is the service's, or closed.
    let moved = descriptors::move_away(plan.descriptors, [&ruleset, &keeper, &report.0]);
    let [new_ruleset, new_keeper, new_report] = report.unless_refused(moved);
    drop((proc, root, ruleset, keeper, report));
    let report = Report(new_report);
    report.unless_refused(descriptors::arrange(plan.descriptors, [&new_ruleset, &new_keeper, &report.0]));
    report.unless_refused(settle(plan));
    if let Some(program) = plan.prepare {
        report.unless_refused(prepare(plan, program, (&new_ruleset, telling), &report));
    }
    let about_to = || {
        report.about_to();
        if !report.is_heard() || (waits && sys::read(&new_keeper, &mut [0]) != Ok(1)) {
            sys::exit(REFUSED);
        }
    };
    report.refuse(execute(plan, plan.run, (&new_ruleset, telling), about_to))
}

/// Leaves what is others' as far as that needs no root, and returns the world's `/proc`.
fn leave<'m>(plan: &Plan<'m>, keeper: &Fd) -> Result<Fd, Refusal<'m>> {
    session::begin()?;
    // In the service's own process, which is in its own group.
    namespaces::leave_groups()?;
    if plan.network == Network::Private {
        namespaces::leave_network()?;
    }
    greet(keeper)?;
    let proc = proc::make()?;
    identity::bind(plan)?;
    Ok(proc)
}

/// Enters the world and returns the ruleset of its places.
fn enter<'m>(plan: &Plan<'m>, root: &Fd, proc: &Fd) -> Result<Fd, Refusal<'m>> {
    proc::attach(proc, root)?;
    proc::pivot(root)?;
    landlock::ruleset(plan)
}

/// Tells the keeper that the service is there, in the network that both are to be in.
fn greet<'m>(keeper: &Fd) -> Result<(), Refusal<'m>> {
    sys::send_datagram(keeper, &[0]).or_refuse(Layer::Keeper, "telling it of the service")
}

/// Waits until the keeper watches.
fn meet<'m>(keeper: &Fd) -> Result<(), Refusal<'m>> {
    match sys::read(keeper, &mut [0]).or_refuse(Layer::Keeper, "waiting for it")? {
        1 => Ok(()),
        _ => Err(Refusal::of(Layer::Keeper, "it ended")),
    }
}

/// Becomes the service's identity.
fn settle<'m>(plan: &Plan<'m>) -> Result<(), Refusal<'m>> {
    limits::set(plan)?;
    identity::assume(plan)?;
    sys::change_dir(plan.work_dir).or_refuse_at(
        Layer::Program,
        "entering the working directory",
        plan.work_dir,
    )
}

/// Runs a program to its end, as confined as the service will be.
fn prepare<'m>(
    plan: &Plan<'m>,
    program: Program<'m>,
    confined: (&Fd, Telling),
    report: &Report,
) -> Result<(), Refusal<'m>> {
    let child = match sys::fork(Parent::Self_, 0, None).or_refuse(Layer::Prepare, "making its process")? {
        Side::Child => report.refuse(execute(plan, program, confined, || ())),
        Side::Parent(child) => child,
    };
    loop {
        // The second is ready when the launcher is gone; then nobody is to start.
        let mut waits = [wait_for(child.fd.number()), Wait { fd: report.0.number(), events: 0, revents: 0 }];
        let _ = sys::poll(&mut waits, -1);
        let [ended, unheard] = waits.map(|wait| wait.revents != 0);
        if unheard {
            sys::exit(REFUSED);
        }
        if ended {
            break;
        }
    }
    match sys::end_of(&child.fd, Patience::Wait).or_refuse(Layer::Prepare, "waiting for its end")? {
        Some(End::Exited(0)) => Ok(()),
        Some(end) => {
            let subject = Subject::Path(program.at);
            Err(Refusal { layer: Layer::Prepare, subject, reason: Reason::Ended(end) })
        }
        None => Err(Refusal::of(Layer::Prepare, "its end is unknown")),
    }
}

/// Obeys, and becomes a program; returns only if that fails. What comes `before` the program obeys already.
fn execute<'m>(
    plan: &Plan<'m>,
    program: Program<'m>,
    (ruleset, telling): (&Fd, Telling),
    before: impl FnOnce(),
) -> Refusal<'m> {
    if let Err(refusal) = landlock::obey(ruleset) {
        return refusal;
    }
    if let Err(refusal) =
        sys::filter_calls(plan.filter, telling).or_refuse(Layer::Seccomp, "installing the program")
    {
        return refusal;
    }
    before();
    let errno = sys::execute(program.at, program.arguments, plan.environment);
    Refusal { layer: Layer::Program, subject: Subject::Path(program.at), reason: Reason::Exec(errno) }
}

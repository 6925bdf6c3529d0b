//! Starting a service's launcher, ahead of the service's start or for it, and ending what is left of a run.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::Signal;

use super::Supervisor;
use crate::ahead::{self, Started};
use crate::error::Error;
use crate::groups::{Felt, Group};
use crate::plan::{Service, SignalName};
use crate::process::{self, Passed};
use crate::state::{Attempt, Ending, ServiceId};

impl<'a> Supervisor<'a> {
    /// Starts a service, in the world that was built ahead if there is one.
    pub(super) fn launch(&mut self, id: ServiceId, attempt: Attempt) -> Result<(), Error> {
        let service = self.service(id)?;
        let is_fit = || self.world.refresh(self.plan, service);
        let begun = self.ahead.begin(id, self.begin.elapsed(), is_fit);
        let Started { launcher, output, group } = match begun {
            Some(started) => started,
            None => {
                let descriptors = self.world.descriptors(self.plan, service, attempt)?;
                self.start(id, descriptors, None)?
            }
        };
        self.entered.extend(group.map(|group| (id, group)));
        self.roster.enter(id, launcher);
        self.pipes.add(id, output);
        Ok(())
    }

    /// Builds a service's next world, which then waits for its start; returns false if that is not possible while it runs.
    pub(super) fn build(&mut self, id: ServiceId) -> Result<bool, Error> {
        // What a service has spoiled cannot be made anew before it has let go of it.
        let Some(descriptors) = self.world.lent(self.plan, self.service(id)?)? else { return Ok(false) };
        let (waiting, start) = ahead::start_pipe().map_err(Error::when("make a pipe to start by"))?;
        let started = self.start(id, descriptors, Some(waiting.as_fd()))?;
        self.ahead.enter(id, started, start, self.now());
        Ok(true)
    }

    fn service(&self, id: ServiceId) -> Result<&'a Service, Error> {
        self.plan.services.get(id.0).ok_or(Errno::NOENT).map_err(Error::when("find a service"))
    }

    /// Starts a service's launcher, which waits before the program begins if there is an end to wait on.
    fn start(
        &mut self,
        id: ServiceId,
        descriptors: Vec<OwnedFd>,
        start: Option<BorrowedFd<'_>>,
    ) -> Result<Started, Error> {
        let service = self.service(id)?;
        let (output, input) =
            rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(Error::when("make a log pipe"))?;
        // Only our end must not block: the flag belongs to the end, not to the pipe.
        rustix::fs::fcntl_setfl(&output, rustix::fs::OFlags::NONBLOCK)
            .map_err(Error::when("make a log pipe"))?;
        let (_, notify) = self.world.notify();
        let group = self.groups.enter(&service.name, &service.limits, self.entered.get(&id))?;
        let passed = Passed {
            descriptors,
            life: self.world.life(),
            notify,
            output: input,
            group: group.as_ref().map(Group::as_fd),
            start,
        };
        let launcher =
            self.starter.start(&service.name, passed).map_err(Error::when("start the launcher"))?;
        Ok(Started { launcher, output, group })
    }

    pub(super) fn kill(&self, id: ServiceId) {
        self.roster.all(id).into_iter().for_each(|child| process::send(child, SignalName::Kill));
        // The launcher first, which is not in the group: what it makes there afterwards ends by itself.
        self.entered.get(&id).into_iter().for_each(Group::kill);
    }

    /// Lets go of the group of a service that has ended, with whatever is left in it, and says what its limits did.
    pub(super) fn leave(&mut self, id: ServiceId, ending: Ending) -> Ending {
        let Some(group) = self.entered.remove(&id) else { return ending };
        let Felt { killed, refused, withheld } = group.felt();
        let name = self.names.get(id.0).copied().unwrap_or_default();
        if refused > 0 {
            let text = format!("{name}: its limit of tasks refused it {refused} more");
            self.log.event_of(Some(name), &text);
        }
        if withheld > 0 {
            let text = format!("{name}: its limit of processor time made it wait {withheld} times");
            self.log.event_of(Some(name), &text);
        }
        match ending {
            Ending::Signal(signal) if killed > 0 && signal == Signal::KILL.as_raw() => Ending::OutOfMemory,
            ending => ending,
        }
    }
}

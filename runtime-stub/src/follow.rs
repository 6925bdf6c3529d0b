//! The last part of the way: from a world that is built to a program that runs, and to an init that knows of it.

use crate::apply::facet;
use crate::apply::report::ABOUT_TO;
use crate::crew::{Crew, wait_a_while};
use crate::plan::Plan;
use crate::refusal::{Layer, OrRefuse, Reason, Refusal, Sentence, Subject, repeat};
use crate::request::Stay;
use crate::sys::{self, Errno, Fd};
use capc_schemas::manifest::Ready;
use core::ffi::CStr;

/// A world whose processes are there.
pub struct World<'w> {
    /// What is started.
    pub plan: &'static Plan<'static>,
    /// The generation that says it.
    pub generation: &'static CStr,
    /// Whether the launcher stays.
    pub stay: Stay,
    /// The init's notification socket.
    pub notify: Option<&'w Fd>,
    /// Its processes.
    pub crew: &'w Crew,
    /// What is left to do before it begins.
    pub ahead: Option<Ahead>,
}

/// A service that is no more before its program ran, though nothing was wrong with it.
const GONE: Refusal<'_> = Refusal {
    layer: Layer::Program,
    subject: Subject::Itself,
    reason: Reason::Gone("its process ended while it waited to begin"),
};

/// What is left to do for a world that was built ahead of its start.
pub struct Ahead {
    /// A byte lets it begin; its end says that it never will.
    pub start: Fd,
    /// Its root.
    pub root: Fd,
}

impl World<'_> {
    /// Follows the service until its program runs; returns the status to exit with if it never will.
    pub fn follow(&self) -> Result<Option<u8>, Refusal<'static>> {
        let Crew { words, service_end, .. } = self.crew;
        let mut first = [0];
        sys::read(words, &mut first).or_refuse(Layer::Program, "reading its status")?;
        let ready = self.plan.ready;
        let introduces = self.stay == Stay::Introduce;
        if first == [ABOUT_TO] {
            if !self.begins(words)? {
                return Ok(Some(0));
            }
            let must_be_known = ready == Ready::Notify || introduces;
            if must_be_known {
                // The init must know the process before it hears from it, and takes no word of the launcher's after that.
                self.announce(if introduces && ready == Ready::Started { "\nREADY=1" } else { "" })?;
            }
            if introduces {
                self.wait_until_known()?;
            }
            if must_be_known || self.ahead.is_some() {
                sys::send_datagram(service_end, &[ABOUT_TO]).map_err(|_| GONE)?;
            }
        }
        let mut message = [0; 4096];
        let message = sys::read_all(words, &mut message).or_refuse(Layer::Program, "reading its status")?;
        let (status, text) = match (first, &*message) {
            ([0], _) => return Err(Refusal::of(Layer::Program, "its process ended without a word")),
            ([ABOUT_TO], []) => {
                match ready {
                    _ if introduces => {}
                    Ready::Started => self.announce("\nREADY=1")?,
                    Ready::Socket => self.announce("")?,
                    Ready::Notify => {}
                }
                return Ok(None);
            }
            ([ABOUT_TO], [status, text @ ..]) => (*status, text),
            ([status], text) => (status, text),
        };
        Ok(Some(repeat(status, text)))
    }

    /// Waits until a world that was built ahead of its start is to begin; returns false if it never will.
    ///
    /// Sockets of the run before it are removed only then: that may have been at work until now. A service that ends meanwhile is
    /// told at once: later its number could be another's.
    fn begins(&self, words: &Fd) -> Result<bool, Refusal<'static>> {
        let Some(Ahead { start, root }) = &self.ahead else { return Ok(true) };
        if let Some(notify) = self.notify {
            sys::send_datagram(notify, b"X_CAPC_BUILT=1")
                .or_refuse(Layer::Notification, "telling the init")?;
        }
        let mut waits = [sys::wait_for(start.number()), sys::wait_for(words.number())];
        while sys::poll(&mut waits, -1) == Err(Errno::EINTR) {}
        if waits[1].revents != 0 {
            return Err(GONE);
        }
        if sys::read(start, &mut [0]).or_refuse(Layer::Program, "waiting to begin")? != 1 {
            return Ok(false);
        }
        facet::unlink(self.plan, root)?;
        Ok(true)
    }

    /// Tells the init who the service is; a launcher that stays is who it is itself. An init that watches the service itself, or the
    /// launcher in its place, is told what it runs from, too.
    fn announce(&self, ready: &str) -> Result<(), Refusal<'static>> {
        let Some(notify) = self.notify else { return Ok(()) };
        let (service, keeper) = (self.crew.service.pid, self.crew.keeper.pid);
        let mut text = match self.stay {
            Stay::Leave | Stay::Introduce => {
                Sentence::of(format_args!("MAINPID={service}\nX_CAPC_KEEPER={keeper}{ready}\n"))
            }
            Stay::Wait => Sentence::raw(&[]),
        };
        if self.stay != Stay::Leave {
            text.add(b"STATUS=");
            text.add(self.generation.to_bytes());
        }
        sys::send_datagram(notify, text.bytes()).or_refuse(Layer::Notification, "telling the init")
    }

    /// Waits until the init has read what it was told: it closes what comes with `BARRIER=1` (sd_notify_barrier(3)).
    fn wait_until_known(&self) -> Result<(), Refusal<'static>> {
        let Some(notify) = self.notify else { return Ok(()) };
        let layer = Layer::Notification;
        let (closed, open) = sys::pipe().or_refuse(layer, "pipe")?;
        sys::send_along(notify, b"BARRIER=1", &open)
            .or_refuse(layer, "asking whether the init has read it")?;
        drop(open);
        wait_a_while(&closed);
        Ok(())
    }
}

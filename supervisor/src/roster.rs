//! Which process is whose: launchers, main processes and keepers, by number.
//!
//! All of them are children of the supervisor, so a number stands for one process until it has been reaped.

use std::collections::{BTreeMap, HashMap};

use rustix::process::Pid;

use crate::notification::Notification;
use crate::state::{Ending, ServiceId, Word};

/// The launcher's way of saying that it refuses.
const REFUSED: i32 = 77;

/// The processes of all services.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    crews: BTreeMap<ServiceId, Crew>,
    /// Ends of processes that no launcher has named yet: a service can be faster than the word of it.
    strangers: HashMap<Pid, Ending>,
    /// What processes said that no launcher has named yet, for the same reason.
    early: HashMap<Pid, Vec<Word>>,
}

/// Early words of more processes than this are not kept, and of each not more than so many: services could fill the
/// memory with them.
const EARLY: (usize, usize) = (1024, 16);

/// The processes of one start of a service.
#[derive(Debug)]
struct Crew {
    launcher: Option<Pid>,
    main: Option<Main>,
    keeper: Option<Pid>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Main {
    Runs(Pid),
    Ended(Ending),
}

/// What a message or an end means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Launched(ServiceId),
    Said(ServiceId, Word),
    /// Refused by its launcher, which printed why.
    Refused(ServiceId),
    /// The main process has ended; the rest of its world is to go too.
    Orphaned(ServiceId),
    /// Nothing of it is left.
    Ended(ServiceId, Ending),
}

impl Roster {
    /// Enters a launcher that was started.
    pub(crate) fn enter(&mut self, service: ServiceId, launcher: Pid) {
        self.crews.insert(service, Crew { launcher: Some(launcher), main: None, keeper: None });
    }

    /// Returns the main process of a service.
    pub(crate) fn main(&self, service: ServiceId) -> Option<Pid> {
        match self.crews.get(&service)?.main {
            Some(Main::Runs(main)) => Some(main),
            Some(Main::Ended(_)) | None => None,
        }
    }

    /// Returns the process on which a service's world stands.
    pub(crate) fn keeper(&self, service: ServiceId) -> Option<Pid> {
        self.crews.get(&service)?.keeper
    }

    /// Returns all that is known to run of a service.
    pub(crate) fn all(&self, service: ServiceId) -> Vec<Pid> {
        let crew = self.crews.get(&service);
        let others = crew.map(|crew| [crew.launcher, crew.keeper]).into_iter().flatten().flatten();
        self.main(service).into_iter().chain(others).collect()
    }

    /// Takes in a datagram. Who sent it decides what it may say: only a launcher names processes, only a main
    /// process speaks for its service.
    pub(crate) fn hear(&mut self, sender: Pid, notification: Notification) -> Vec<News> {
        let Roster { crews, strangers, early } = self;
        let mut news = Vec::new();
        let is_main = |crew: &Crew| crew.main == Some(Main::Runs(sender));
        if let Some((service, _)) = crews.iter().find(|(_, crew)| is_main(crew)) {
            news.extend(words(*service, by_a_service(notification)));
        } else if let Some((service, crew)) = crews.iter_mut().find(|(_, crew)| crew.launcher == Some(sender))
        {
            if let (Some(main), None) = (notification.main, &crew.main) {
                if main == sender {
                    crew.launcher = None;
                }
                let ended = strangers.remove(&main);
                crew.main = Some(ended.map_or(Main::Runs(main), Main::Ended));
                crew.keeper = notification.keeper.filter(|keeper| strangers.remove(keeper).is_none());
                news.push(News::Launched(*service));
                news.extend(early.remove(&main).into_iter().flat_map(|said| words(*service, said)));
                news.extend(crew.news_of_end(*service));
            }
        } else if early.len() < EARLY.0 || early.contains_key(&sender) {
            let said = early.entry(sender).or_default();
            let room = EARLY.1.saturating_sub(said.len());
            said.extend(by_a_service(notification).take(room));
        }
        self.forget();
        news
    }

    /// Takes in the end of a child.
    pub(crate) fn reaped(&mut self, child: Pid, ending: Ending) -> Vec<News> {
        let Roster { crews, strangers, early: _ } = self;
        let mut news = Vec::new();
        let mut is_known = false;
        for (service, crew) in crews.iter_mut() {
            if crew.launcher == Some(child) {
                crew.launcher = None;
                if crew.main.is_none() {
                    news.push(unborn(*service, &ending));
                }
            } else if crew.main == Some(Main::Runs(child)) {
                crew.main = Some(Main::Ended(ending.clone()));
                news.extend(crew.news_of_end(*service));
            } else if crew.keeper == Some(child) {
                crew.keeper = None;
                news.extend(crew.news_of_end(*service));
            } else {
                continue;
            }
            is_known = true;
        }
        if !is_known {
            strangers.insert(child, ending);
        }
        for event in &news {
            if let News::Ended(service, _) | News::Refused(service) = event {
                crews.remove(service);
            }
        }
        self.forget();
        news
    }

    /// Lets go of what no launcher can name any more, and of services that have ended.
    fn forget(&mut self) {
        self.crews.retain(|_, crew| crew.keeper.is_some() || !matches!(crew.main, Some(Main::Ended(_))));
        if !self.crews.values().any(|crew| crew.launcher.is_some() && crew.main.is_none()) {
            self.strangers.clear();
            self.early.clear();
        }
    }
}

impl Crew {
    /// Says what follows if the main process has ended.
    fn news_of_end(&self, service: ServiceId) -> Option<News> {
        match (&self.main, self.keeper) {
            (Some(Main::Ended(_)), Some(_)) => Some(News::Orphaned(service)),
            (Some(Main::Ended(ending)), None) => Some(News::Ended(service, ending.clone())),
            (Some(Main::Runs(_)) | None, _) => None,
        }
    }
}

/// Returns what a service's own process says; that it names processes is a claim, and no more.
fn by_a_service(said: Notification) -> impl Iterator<Item = Word> {
    let Notification { main, keeper, built: _, words } = said;
    main.or(keeper).map(|_| Word::Main).into_iter().chain(words)
}

/// Says whose the words of a main process are.
fn words(service: ServiceId, said: impl IntoIterator<Item = Word>) -> impl Iterator<Item = News> {
    said.into_iter().map(move |word| News::Said(service, word))
}

/// Says what the end of a launcher means that has started nothing.
fn unborn(service: ServiceId, ending: &Ending) -> News {
    let why = match ending {
        Ending::Code(REFUSED) => return News::Refused(service),
        Ending::Code(0) => "its launcher named no process".to_owned(),
        Ending::Code(code) => format!("its launcher ended with status {code}"),
        Ending::Signal(signal) => format!("its launcher ended by signal {signal}"),
        Ending::OutOfMemory => "its launcher was killed for want of memory".to_owned(),
        Ending::Unborn(why) => why.clone(),
    };
    News::Ended(service, Ending::Unborn(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: ServiceId = ServiceId(0);
    const DB: ServiceId = ServiceId(1);

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number).unwrap()
    }

    fn hear(roster: &mut Roster, sender: i32, text: &str) -> Vec<News> {
        roster.hear(pid(sender), Notification::read(text.as_bytes()))
    }

    /// A service whose launcher is 10, keeper 11 and main process 12.
    fn running() -> Roster {
        let mut roster = Roster::default();
        roster.enter(WEB, pid(10));
        assert_eq!(hear(&mut roster, 10, "MAINPID=12\nX_CAPC_KEEPER=11"), [News::Launched(WEB)]);
        roster
    }

    #[test]
    fn a_service_has_ended_when_its_keeper_has_too() {
        let mut roster = running();
        assert_eq!(roster.reaped(pid(10), Ending::Code(0)), []);
        assert_eq!(roster.reaped(pid(12), Ending::Code(3)), [News::Orphaned(WEB)]);
        assert_eq!(roster.all(WEB), [pid(11)]);
        assert_eq!(roster.reaped(pid(11), Ending::Signal(9)), [News::Ended(WEB, Ending::Code(3))]);
        assert_eq!(roster.all(WEB), []);
    }

    #[test]
    fn a_keeper_may_go_first() {
        let mut roster = running();
        assert_eq!(roster.reaped(pid(11), Ending::Signal(9)), []);
        assert_eq!(roster.reaped(pid(12), Ending::Signal(9)), [News::Ended(WEB, Ending::Signal(9))]);
    }

    #[test]
    fn a_service_may_be_faster_than_the_word_of_it() {
        let mut roster = Roster::default();
        roster.enter(WEB, pid(10));
        assert_eq!(roster.reaped(pid(12), Ending::Code(0)), []);
        assert_eq!(roster.reaped(pid(11), Ending::Code(0)), []);
        assert_eq!(hear(&mut roster, 12, "READY=1"), []);
        let news = hear(&mut roster, 10, "MAINPID=12\nX_CAPC_KEEPER=11");
        assert_eq!(
            news,
            [News::Launched(WEB), News::Said(WEB, Word::Ready), News::Ended(WEB, Ending::Code(0))]
        );
    }

    #[test]
    fn a_word_before_its_time_is_forgotten_when_no_launcher_is_at_work() {
        let mut roster = running();
        assert_eq!(hear(&mut roster, 22, "READY=1"), []);
        roster.enter(DB, pid(20));
        assert_eq!(hear(&mut roster, 20, "MAINPID=22"), [News::Launched(DB)]);
    }

    #[test]
    fn only_the_launcher_names_processes_and_only_once() {
        let mut roster = running();
        for sender in [10, 11, 13] {
            assert_eq!(hear(&mut roster, sender, "MAINPID=99\nX_CAPC_KEEPER=98"), []);
        }
        assert_eq!(hear(&mut roster, 12, "MAINPID=99\nX_CAPC_KEEPER=98"), [News::Said(WEB, Word::Main)]);
        assert_eq!(roster.main(WEB), Some(pid(12)));
        assert_eq!(roster.all(WEB), [pid(12), pid(10), pid(11)]);
    }

    #[test]
    fn only_the_main_process_speaks_for_its_service() {
        let mut roster = running();
        roster.enter(DB, pid(20));
        hear(&mut roster, 20, "MAINPID=22");
        for sender in [10, 11, 13, 20] {
            assert_eq!(hear(&mut roster, sender, "READY=1\nSTATUS=x"), []);
        }
        assert_eq!(hear(&mut roster, 22, "READY=1"), [News::Said(DB, Word::Ready)]);
        assert_eq!(hear(&mut roster, 12, "STATUS=x"), [News::Said(WEB, Word::Status("x".into()))]);
    }

    #[test]
    fn a_launcher_that_ends_without_a_word_has_started_nothing() {
        for (ending, expected) in [
            (Ending::Code(77), None),
            (Ending::Code(0), Some("its launcher named no process")),
            (Ending::Code(127), Some("its launcher ended with status 127")),
            (Ending::Signal(9), Some("its launcher ended by signal 9")),
        ] {
            let mut roster = Roster::default();
            roster.enter(WEB, pid(10));
            let expected =
                expected.map_or(News::Refused(WEB), |why| News::Ended(WEB, Ending::Unborn(why.to_owned())));
            assert_eq!(roster.reaped(pid(10), ending), [expected]);
        }
    }

    #[test]
    fn a_service_that_ends_with_77_was_not_refused() {
        let mut roster = running();
        roster.reaped(pid(11), Ending::Code(0));
        assert_eq!(roster.reaped(pid(12), Ending::Code(77)), [News::Ended(WEB, Ending::Code(77))]);
    }

    #[test]
    fn a_launcher_may_become_the_service() {
        let mut roster = Roster::default();
        roster.enter(WEB, pid(10));
        assert_eq!(hear(&mut roster, 10, "MAINPID=10"), [News::Launched(WEB)]);
        assert_eq!(roster.reaped(pid(10), Ending::Code(0)), [News::Ended(WEB, Ending::Code(0))]);
    }
}

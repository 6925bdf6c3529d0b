//! One supervisor under test, in a directory of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use capc_supervisor::{
    Channel, Descriptor, Facet, Format, Limits, Mode, Plan, Ready, Restart, Service, SignalName, Stop, Until,
    Wait,
};

pub const ACTOR: &str = env!("CARGO_BIN_EXE_capc-supervisor-actor");
/// Far more than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Scene {
    pub place: PathBuf,
    pub plan: Plan,
    lines: Option<Receiver<String>>,
    child: Option<Child>,
    seen: Vec<String>,
}

pub fn service(name: &str) -> Service {
    Service {
        name: name.to_owned(),
        waits: Vec::new(),
        oneshot: false,
        prepares: false,
        schedule: None,
        restart: Restart::Never,
        ready: Ready::Started,
        ready_sockets: Vec::new(),
        ready_ports: Vec::new(),
        descriptors: Vec::new(),
        stop: Stop { signal: SignalName::Term, within_ms: 10_000 },
        reload: None,
        start_within_ms: 60_000,
        data_only: false,
        limits: Limits::default(),
    }
}

pub fn wait(on: &str, until: Until) -> Wait {
    Wait { on: on.to_owned(), until }
}

impl Scene {
    pub fn new() -> Scene {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let place = std::env::temp_dir().join(format!("capc-supervisor-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(place.join("generation")).unwrap();
        let plan = Plan {
            format: Format::V1,
            name: "test".to_owned(),
            mode: Mode::User,
            facets: Vec::new(),
            channels: Vec::new(),
            services: Vec::new(),
        };
        Scene { place, plan, lines: None, child: None, seen: Vec::new() }
    }

    /// Adds a service and the script that plays it; `@` in the script is the scene's directory.
    pub fn add(&mut self, service: Service, script: &str) -> &mut Scene {
        let file = self.place.join("generation").join(&service.name);
        fs::write(file, script.replace('@', &self.place.display().to_string())).unwrap();
        self.plan.services.push(service);
        self
    }

    pub fn channel(&mut self, maker: &str, maker_name: &str, holder: &str, holder_name: &str) {
        let [maker, maker_name, holder, holder_name] =
            [maker, maker_name, holder, holder_name].map(str::to_owned);
        for (service, name) in [(&maker, &maker_name), (&holder, &holder_name)] {
            let service = self.plan.services.iter_mut().find(|other| other.name == *service).unwrap();
            service.descriptors.push(Descriptor::Channel { name: name.clone() });
        }
        self.plan.channels.push(Channel { maker, maker_name, holder, holder_name });
    }

    pub fn facet(&mut self, key: &str) {
        self.plan.facets.push(Facet { key: key.to_owned(), uid: 4001, gid: 4001 });
    }

    /// Makes a place where a script waits for a line.
    pub fn gate(&self, name: &str) {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, self.path(name), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn start(&mut self) {
        self.start_under(&[]);
    }

    /// Starts the supervisor as the last argument of another program.
    pub fn start_under(&mut self, wrapper: &[&str]) {
        fs::write(self.path("plan.json"), self.plan.to_json().unwrap()).unwrap();
        let mut words: Vec<&str> = wrapper.to_vec();
        words.extend([ACTOR, "--supervise", "plan.json", "generation", "runtime"]);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(&self.place).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        self.lines = Some(lines);
        self.child = Some(child);
    }

    /// Waits for a line that contains a text.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> String {
        loop {
            match self.lines.as_ref().unwrap().recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no `{text}` in time after {:#?}", self.seen),
                Err(RecvTimeoutError::Disconnected) => panic!("no `{text}` in {:#?}", self.seen),
            }
        }
    }

    /// Waits for a line with each of some texts, in whatever order, and returns all lines until then.
    #[track_caller]
    pub fn expect_all(&mut self, texts: &[&str]) -> Vec<String> {
        for text in texts {
            if !self.seen.iter().any(|line| line.contains(text)) {
                self.expect(text);
            }
        }
        self.seen.clone()
    }

    /// Waits for the end and returns all that was printed.
    #[track_caller]
    pub fn end(&mut self, outcome: &str) -> Vec<String> {
        self.expect(&format!("outcome: {outcome}"));
        assert!(self.child.take().unwrap().wait().unwrap().success());
        self.seen.clone()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Returns the supervisor's process.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(self.child.as_ref().unwrap())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.place);
    }
}

/// Tells at which line a text stands.
#[track_caller]
pub fn at(lines: &[String], text: &str) -> usize {
    lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no `{text}` in {lines:#?}"))
}

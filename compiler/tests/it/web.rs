//! `testdata/system/web`: nginx and PostgreSQL as Debian packages them.

use crate::scene::{Scene, is_root, needs_root, ports, repository, until};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// `capc up` in the background, stopped in the end.
pub struct Up {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Up {
    pub fn start(scene: &Scene, file: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_capc"))
            .args(["up", file, "--store", "store"])
            .current_dir(&scene.path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (out, sink) = (child.stdout.take().unwrap(), said.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                sink.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Self { child, said }
    }

    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        );
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("capc up said:\n{}", self.said());
        }
    }
}

fn page() -> std::io::Result<String> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", 8420))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}

/// Returns the processes whose program ends so, by the command line.
fn processes(program: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
    all.filter(|pid| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(program))
    })
    .collect()
}

#[test]
fn nginx_and_postgresql_serve_from_worlds_of_their_own() {
    if !needs_root("nginx and PostgreSQL as root") {
        return;
    }
    for program in ["/usr/sbin/nginx", "/usr/lib/postgresql/15/bin/postgres"] {
        assert!(
            Path::new(program).exists(),
            "{program} is missing: apt-get install nginx-light postgresql-15"
        );
    }
    assert!(is_root());
    let _ports = ports();
    let scene = Scene::new("web");
    let text = std::fs::read_to_string(repository().join("testdata/system/web/system.kdl")).unwrap();
    scene.copy("testdata/system/web");
    // The data of a real machine is not touched.
    let data = scene.path.join("pgdata");
    scene.write("web/system.kdl", text.replace("/var/lib/capc-web", data.to_str().unwrap()));
    let up = Up::start(&scene, "web/system.kdl");
    until("the client has ended", || up.said().contains("client ended"));
    let said = up.said();
    assert!(said.contains("the database answers 42") && said.contains("the page is served"), "{said}");
    assert!(page().unwrap().contains("Served from a world with one directory and one socket."));

    // What nginx can see, from outside by its root directory.
    let master = processes("nginx: master process").into_iter().find(|pid| {
        std::fs::read_to_string(format!("/proc/{pid}/status"))
            .is_ok_and(|status| status.contains("CapBnd:\t0000000000000000"))
    });
    let root = format!("/proc/{}/root", master.expect("nginx runs in a world of its own"));
    assert!(Path::new(&format!("{root}/srv/site/index.html")).exists());
    assert!(data.join("PG_VERSION").exists());
    assert!(!Path::new(&format!("{root}{}", data.display())).exists(), "nginx sees PostgreSQL's files");
    assert!(!Path::new(&format!("{root}/run/postgresql")).exists(), "nginx sees PostgreSQL's socket");
    assert!(!Path::new(&format!("{root}/etc/ssl")).exists());

    let status = |up: &mut Up| {
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&up.child),
            rustix::process::Signal::INT,
        )
        .unwrap();
        up.child.wait().unwrap().code()
    };
    let mut up = up;
    assert_eq!(status(&mut up), Some(0), "an orderly stop: {}", up.said());
    assert!(page().is_err(), "nothing listens any more");
}

//! What services are handed, and what a restart finds.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::Command;

use capc_supervisor::{Descriptor, Restart, Service, Until};

use crate::scene::{Scene, at, service, wait};

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn listen(name: &str, address: &str) -> Descriptor {
    Descriptor::Listen { name: name.to_owned(), address: address.to_owned().try_into().unwrap() }
}

#[test]
fn a_service_has_its_descriptors_from_3_on_and_nothing_else() {
    let mut scene = Scene::new();
    let port = free_port();
    let path = scene.path("public.sock").display().to_string();
    let descriptors =
        vec![listen("a", &format!("tcp:127.0.0.1:{port}")), listen("b", &format!("unix:{path}"))];
    scene.add(Service { descriptors, ..service("web") }, "echo $CAPC_LIFE; ls -l /proc/$$/fd; env | sort");
    scene.add(service("bare"), "echo life $CAPC_LIFE");
    scene.start();
    let lines = scene.end("all ended well");
    let of = |name: &str| -> Vec<&str> {
        lines.iter().filter_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix("| ")).collect()
    };
    let web = of("web");
    assert_eq!(web[0], "5");
    // What whoever runs the tests has left open for all; a true launcher closes it.
    let inherited = Command::new("sh").args(["-c", "ls /proc/$$/fd"]).output().unwrap().stdout;
    let mut expected: BTreeSet<u32> =
        String::from_utf8(inherited).unwrap().lines().map(|number| number.parse().unwrap()).collect();
    expected.extend(0..=5);
    let numbers = web
        .iter()
        .filter_map(|line| line.split_once(" -> "))
        // Its control group, behind all others, where there are some; a true launcher closes that as well.
        .filter(|(entry, target)| !(entry.ends_with(" 6") && target.ends_with("/web.world")))
        // The shell reads its script by a number of its own.
        .filter(|(_, target)| !target.ends_with("/generation/web"))
        .filter_map(|(entry, _)| entry.rsplit(' ').next()?.parse().ok());
    assert_eq!(numbers.collect::<BTreeSet<u32>>(), expected, "{web:#?}");
    let names: Vec<&str> = web.iter().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // The shell adds PWD, the actor ACTOR.
    assert_eq!(names, ["ACTOR", "CAPC_LIFE", "NOTIFY_SOCKET", "PWD"]);
    assert!(of("bare").contains(&"life 3"));
    assert!(web.iter().any(|line| line.ends_with(" 0 -> /dev/null")));
}

#[test]
fn a_listening_socket_outlives_its_service() {
    let mut scene = Scene::new();
    let port = free_port();
    let descriptors = vec![listen("http", &format!("tcp:127.0.0.1:{port}"))];
    let web = Service { descriptors, restart: Restart::OnFailure, ..service("web") };
    scene.add(web, "if test -e @/second; then exec sleep 600; fi; touch @/second; exit 1");
    scene.start();
    scene.expect("starts again");
    // Nobody serves it now, and nobody is turned away.
    let waiting = TcpStream::connect(("127.0.0.1", port)).unwrap();
    scene.expect("web started");
    drop(waiting);
    scene.signal(rustix::process::Signal::TERM);
    scene.end("stopped");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_channel_carries_and_a_restarted_end_finds_it_empty() {
    let mut scene = Scene::new();
    let maker = Service { restart: Restart::OnFailure, ..service("maker") };
    // Its first run ends with a message unread; its second must see only what is sent later.
    scene.add(
        maker,
        "if test -e @/second; then echo again; exec $ACTOR --receive 3; fi; touch @/second; read go <@/sent; exit 1",
    );
    scene.add(
        service("holder"),
        "$ACTOR --send 3 stale; $ACTOR --send 3 stale; echo go >@/sent; read go <@/again; exec $ACTOR --send 3 fresh",
    );
    scene.channel("maker", "talk.holder", "holder", "maker.talk");
    scene.gate("sent");
    scene.gate("again");
    scene.start();
    scene.expect("maker  | again");
    std::fs::write(scene.path("again"), "go\n").unwrap();
    let lines = scene.end("all ended well");
    at(&lines, "maker  | fresh");
    assert!(!lines.iter().any(|line| line.contains("stale")));
}

/// What a maker sent before its holder's first start is the holder's, not a leaving.
#[test]
fn a_first_start_finds_what_was_sent_before_it() {
    let mut scene = Scene::new();
    scene.add(Service { oneshot: true, ..service("maker") }, "exec $ACTOR --send 3 welcome");
    scene.add(
        Service { waits: vec![wait("maker", Until::Done)], ..service("holder") },
        "exec $ACTOR --receive 3",
    );
    scene.channel("maker", "talk.holder", "holder", "maker.talk");
    scene.start();
    let lines = scene.end("all ended well");
    at(&lines, "holder | welcome");
}

/// In a user and mount namespace of its own, as a plain user's `capc up` has it.
#[test]
fn a_facet_is_a_small_private_memory_directory_with_its_activated_socket() {
    let mut scene = Scene::new();
    let activated = Descriptor::Activated {
        name: "http".into(),
        facet: "shop/web.http".into(),
        file: "http.sock".into(),
    };
    let web = Service { descriptors: vec![activated], ..service("web") };
    scene.add(
        web,
        "cd @/runtime/facets/shop/web.http; stat -c '%A %u %g %n' . http.sock; stat -f -c '%T %s %b %c' .; \
         grep -c 'facets/shop/web.http .*nosuid,nodev,noexec' /proc/self/mounts; readlink /proc/$$/fd/3",
    );
    scene.facet("shop/web.http");
    scene.start_under(&["unshare", "--user", "--map-root-user", "--mount"]);
    let lines = scene.end("all ended well");
    for line in
        ["web  | drwxr-xr-x 0 0 .", "web  | srw-rw-rw- 0 0 http.sock", "web  | tmpfs 4096 16 16", "web  | 1"]
    {
        assert!(lines.iter().any(|other| other == line), "{line} in {lines:#?}");
    }
    at(&lines, "web  | socket:[");
    // The mount was private, and what lay under it is empty.
    assert!(!scene.path("runtime/facets/shop/web.http/http.sock").exists());
}

#[test]
fn a_socket_that_a_service_unlinked_is_there_again_at_its_next_start() {
    let mut scene = Scene::new();
    let path = scene.path("public.sock");
    let descriptors = vec![listen("s", &format!("unix:{}", path.display()))];
    let web = Service { descriptors, restart: Restart::OnFailure, ..service("web") };
    scene.add(web, "if test -e @/second; then exec sleep 600; fi; touch @/second; rm @/public.sock; exit 1");
    scene.start();
    scene.expect("starts again");
    scene.expect("web started");
    let file = std::fs::metadata(&path).unwrap();
    assert!(file.file_type().is_socket() && file.permissions().mode() & 0o777 == 0o666);
    let mut connection = UnixStream::connect(&path).unwrap();
    connection.write_all(b"x").unwrap();
    scene.signal(rustix::process::Signal::TERM);
    scene.end("stopped");
    assert!(connection.read(&mut [0; 1]).is_err() && !path.exists());
}

#[test]
fn an_address_in_use_is_named_and_nothing_starts() {
    let mut scene = Scene::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp:{}", taken.local_addr().unwrap());
    scene.add(Service { descriptors: vec![listen("s", &address)], ..service("web") }, "echo never");
    scene.start();
    let lines = scene.end(&format!("cannot listen on {address}: Address already in use"));
    assert_eq!(lines.len(), 1);
}

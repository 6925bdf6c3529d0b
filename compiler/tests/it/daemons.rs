//! `testdata/system/daemons`: Redis, Python, dropbear and a job with bash and curl, as Debian packages them.

use crate::scene::{Scene, needs_root, ports, repository, run, until};
use crate::web::Up;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

#[track_caller]
fn done(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

fn visit() -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", 8431)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[test]
fn redis_python_dropbear_and_a_nightly_job_run_in_worlds_of_their_own() {
    if !needs_root("Redis, Python and dropbear as root") {
        return;
    }
    for program in ["redis-server", "python3", "curl"].map(|name| format!("/usr/bin/{name}")) {
        assert!(
            Path::new(&program).exists(),
            "{program} is missing: apt-get install redis-server python3 curl"
        );
    }
    assert!(Path::new("/usr/sbin/dropbear").exists(), "dropbear is missing: apt-get install dropbear-bin");
    let _ports = ports();
    let scene = Scene::new("daemons");
    let text = std::fs::read_to_string(repository().join("testdata/system/daemons/system.kdl")).unwrap();
    scene.copy("testdata/system/daemons");
    // The data of a real machine is not touched.
    let here = scene.path.display();
    let text = text.replace("/var/lib/capc-cache", &format!("{here}/cache"));
    scene.write("daemons/system.kdl", text.replace("/var/lib/capc-reports", &format!("{here}/reports")));
    let nightly = std::fs::read_to_string(scene.path.join("daemons/bin/nightly")).unwrap();
    scene
        .program("daemons/bin/nightly", nightly.replace("/var/lib/capc-reports", &format!("{here}/reports")));
    scene.write("daemons/passwd", "www-data:x:33:33::/srv/home:/bin/sh\n");
    let keys = scene.write("daemons/ssh/.ssh/authorized_keys", "");
    let key = scene.path.join("id");
    done(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
    std::fs::copy(key.with_extension("pub"), &keys).unwrap();
    for closed in [keys.parent().unwrap(), keys.parent().unwrap().parent().unwrap()] {
        std::fs::set_permissions(closed, PermissionsExt::from_mode(0o700)).unwrap();
    }
    let mut host_key = Command::new("dropbearkey");
    host_key.args(["-t", "ed25519", "-f"]).arg(scene.path.join("daemons/host-key"));
    done(host_key.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()));

    let up = Up::start(&scene, "daemons/system.kdl");
    until("the nightly job has ended", || up.said().contains("nightly ended well"));
    assert!(up.said().contains("kept: visit 1"), "{}", up.said());
    assert!(visit().contains("visit 2"), "what Redis keeps is counted on");

    let ssh = |asked: &str| {
        let mut command = Command::new("ssh");
        command.arg("-i").arg(&key).args(["-p", "8432", "-o", "StrictHostKeyChecking=no", "-o"]);
        command.args(["UserKnownHostsFile=/dev/null", "www-data@127.0.0.1", asked]);
        run(command)
    };
    ssh("id").exits(0).says("uid=33(www-data)");
    // Whoever logs in sees this world and no other.
    let seen = ssh("for at in /*; do echo $at; done; echo x > /srv/home/new; echo $?").exits(0);
    assert!(
        !seen.out.contains("/root") && !seen.out.contains("/home\n") && seen.out.ends_with("2\n"),
        "{}",
        seen.out
    );
}

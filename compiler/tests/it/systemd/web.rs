//! nginx and PostgreSQL as Debian packages them, started by systemd.

use super::{pid, said};
use crate::booted::Booted;
use crate::scene::{Scene, needs_root, repository, until};
use crate::transaction::make_key;

#[test]
fn nginx_and_postgresql_serve_under_systemd() {
    if !needs_root("nginx and PostgreSQL under systemd") {
        return;
    }
    let scene = Scene::new("systemd-web");
    let text = std::fs::read_to_string(repository().join("testdata/system/web/system.kdl")).unwrap();
    scene.copy("testdata/system/web");
    let data = scene.path.join("pgdata");
    let text = text.replace("/var/lib/capc-web", data.to_str().unwrap());
    scene.write("web/system.kdl", &text);
    make_key(&scene, "key", "");
    let machine = Booted::new(&scene);
    let words =
        ["reconfigure", "web/system.kdl", "--init", "systemd", "--store", "store", "--key", "key", "--yes"];
    machine.capc(&words).exits(0).says("listens    capc-nginx.socket");
    until("the client has its answers", || said(&machine, "client").contains("the page is served"));
    assert!(said(&machine, "client").contains("the database answers 42"));
    let verify = machine.sh("systemd-analyze verify --man=no store/current/init/systemd/* 2>&1").exits(0);
    assert_eq!(verify.out, "");
    let postgres = pid(&machine, "postgres");
    let nginx = pid(&machine, "nginx");
    assert!(machine.sh(&format!("test -e /proc/{nginx}/root/srv/site/index.html")).status == Some(0));

    // The site is taken from nginx, whose process sees it no more; the database does not notice.
    let line = "    holds site read at=\"/srv/site\"\n";
    assert!(text.contains(line));
    scene.write("web/system.kdl", text.replace(line, ""));
    machine.capc(&words).exits(0).says("restarted  capc-nginx.service");
    assert_ne!(pid(&machine, "nginx"), nginx);
    let root = format!("/proc/{}/root", pid(&machine, "nginx"));
    assert!(machine.sh(&format!("test -e {root}/srv/site/index.html")).status == Some(1));
    assert!(machine.sh("curl -s http://127.0.0.1:8420/ || true").out.contains("404"));
    assert_eq!(pid(&machine, "postgres"), postgres);
    machine.capc(&["rollback", "1", "--store", "store", "--yes", "--key", "key"]).exits(0);
    let served = machine.sh("curl -s http://127.0.0.1:8420/").exits(0);
    served.says("Served from a world with one directory and one socket.");
    assert_eq!(pid(&machine, "postgres"), postgres);
    // Asked in its own way, it stops in good order.
    machine.sh("systemctl stop capc.target").exits(0);
    until("PostgreSQL has shut down", || said(&machine, "postgres").contains("database system is shut down"));
}

//! Links that somebody plants on the way to what a service is granted, while its world is made.

use crate::scene::{Run, Scene, needs_root, run};
use crate::transaction::make_key;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often each service is started; both outcomes are seen within a few.
const STARTS: u32 = 150;

/// Who grants `house` and `uploads` for writing lets the writer change what lies below them.
const SYSTEM: &str = r#"system raced
dir whole "./house/room/place"
file note "./house/desk/note"
dir uploads "./uploads"
dir below "./uploads"
service above { run "./show"; oneshot; holds whole read at="/shown" }
service itself { run "./show"; oneshot; holds note read at="/shown/note" }
service part { run "./show"; oneshot; holds uploads read path="2026" at="/shown" }
service within { run "./show"; oneshot; holds below read at="/shown" }
"#;

/// Reads whatever it finds by the names that there are.
const SHOW: &str = "#!/bin/sh
for file in /shown/note /shown/2026/note /shown/2026; do
    if [ -f $file ] && read line < $file; then echo \"$line\"; fi
done
";

/// Exchanges two paths as fast as it can, for as long as something else is done.
fn exchanging<T>(one: PathBuf, other: PathBuf, meanwhile: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(meanwhile));
        is_over.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

// A writer plants a link to what nobody was granted in the place of a directory or a file on the way to a grant, and takes
// it away again, while the launcher looks.
#[test]
fn a_link_planted_on_the_way_to_a_grant_is_never_followed() {
    if !needs_root("planted links") {
        return;
    }
    let scene = Scene::new("races");
    make_key(&scene, "key", "");
    scene.write("system.kdl", SYSTEM);
    scene.program("show", SHOW);
    for open in ["house/room/place/note", "house/desk/note", "uploads/2026/note"] {
        scene.write(open, "open\n");
    }
    // What a link would lead to has the same names, and everybody may read it.
    for secret in ["hidden/place/note", "hidden/note"] {
        scene.write(secret, "secret\n");
    }
    let reconfigure =
        ["reconfigure", "system.kdl", "--store", "store", "--key", "key", "--init", "none", "--yes"];
    let told = scene.capc(reconfigure).exits(0).says("start a service with: ").out;
    let line = told.lines().find_map(|line| line.strip_prefix("start a service with: ")).unwrap();
    let (launcher, generation) = line.split_once(' ').unwrap();
    let generation = generation.split(' ').next().unwrap();
    let start = |service: &str| {
        let mut command = Command::new(launcher);
        command.args(["--wait", generation, service]);
        run(command)
    };
    let link = |name: &str, to: &str| {
        let path = scene.path.join(name);
        std::os::unix::fs::symlink(scene.path.join(to), &path).unwrap();
        path
    };
    let cases = [
        ("above", "house/room", link("planted-above", "hidden")),
        ("itself", "house/desk/note", link("planted-itself", "hidden/note")),
        ("part", "uploads/2026", link("planted-part", "hidden")),
        ("within", "uploads/2026", link("planted-within", "hidden")),
    ];
    for (service, place, planted) in cases {
        start(service).exits(0).says("open");
        let runs: Vec<Run> = exchanging(scene.path.join(place), planted.clone(), || {
            (0..STARTS).map(|_| start(service)).collect()
        });
        for run in &runs {
            assert!(!run.out.contains("secret"), "{service}: {}", run.out);
        }
        let good = runs.iter().filter(|run| run.out == "open\n").count();
        let refused = runs.iter().filter(|run| run.err.contains("refused: ")).count();
        eprintln!("{service}: {good} found what is granted, {refused} were refused");
        // What lies within a granted directory is looked up in the service's world, where the link leads nowhere.
        let is_refused = refused > 0 || service == "within";
        assert!(good > 0 && is_refused, "{service}: {good} good, {refused} refused of {STARTS}");
        // Put back, all is as before.
        if scene.path.join(place).is_symlink() {
            renameat_with(CWD, scene.path.join(place), CWD, &planted, RenameFlags::EXCHANGE).unwrap();
        }
        start(service).exits(0).says("open");
    }
}

//! A kernel that starts capc, in a machine that qemu plays; the commands are those of `docs/boot.md`, as they stand there.

use crate::scene::{Run, Scene, is_root, needs_root, repository, run};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

/// How many seconds anything may take before it counts as hanging; a boot takes about five.
const PATIENCE: &str = "100";

/// What the page has the kernel start.
pub const STARTS: &str = "rdinit=/usr/bin/capc -- up /var/lib/capc/current";

fn page() -> String {
    std::fs::read_to_string(repository().join("docs/boot.md")).unwrap()
}

/// Returns the commands of the page that have these words.
pub fn commands(words: &str) -> String {
    let page = page();
    let blocks = page.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let found: Vec<&str> = blocks.filter(|block| block.contains(words)).collect();
    assert_eq!(found.len(), 1, "{words} in {found:#?}");
    found[0].to_owned()
}

/// Runs commands in a directory, with capc on the path; they end, whatever happens.
fn shell(directory: &Path, commands: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", PATIENCE, "sh", "-euc", commands]).current_dir(directory);
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}:/usr/sbin:/sbin", directory.join("bin").display()));
    command
}

/// Returns the directory that the kernel was unpacked into, got once for all tests and runs.
fn kernel() -> &'static Path {
    static KERNEL: OnceLock<PathBuf> = OnceLock::new();
    KERNEL.get_or_init(|| {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernel");
        if !kept.join("boot").exists() {
            let new = kept.with_extension(std::process::id().to_string());
            std::fs::create_dir_all(&new).unwrap();
            run(shell(&new, &commands("apt-get download"))).exits(0);
            // Another run may have been quicker.
            let _ = std::fs::rename(new.join("kernel"), &kept);
            std::fs::remove_dir_all(new).unwrap();
        }
        kept
    })
}

/// Returns a scene in which the commands find what they need; none where qemu is not installed.
pub fn scene(name: &str) -> Option<Scene> {
    let version = Command::new("qemu-system-x86_64").arg("--version").stdout(Stdio::null()).status();
    if version.is_err() {
        eprintln!("not tried: `{name}`, a kernel that starts capc (qemu-system-x86_64 is not installed)");
        return None;
    }
    let scene = Scene::new(name);
    symlink(repository().join("testdata"), scene.path.join("testdata")).unwrap();
    symlink(kernel(), scene.path.join("kernel")).unwrap();
    // What a debugger needs is most of it, and the machine would have to unpack it.
    std::fs::create_dir(scene.path.join("bin")).unwrap();
    let strip = ["strip", "-o", "bin/capc", env!("CARGO_BIN_EXE_capc")];
    run(shell(&scene.path, &strip.join(" "))).exits(0);
    Some(scene)
}

/// Makes the page's machine, or one whose configuration lies in `machine/srv` and wants these programs besides; seals it, and
/// packs it.
pub fn make(scene: &Scene, configuration: Option<&[&str]>) {
    let mut listed = commands("capc files");
    let mut sealed = commands("capc reconfigure").replace("--init", "--yes --init");
    match configuration {
        None => drop(run(shell(&scene.path, &commands("mkdir -p machine/etc"))).exits(0)),
        Some(programs) => {
            let programs: String = programs.iter().map(|program| format!(" --program {program}")).collect();
            listed = listed.replace("srv/hello", "srv").replacen(" | ", &format!("{programs} | "), 1);
            sealed = sealed.replace("srv/hello", "srv");
        }
    }
    run(shell(&scene.path, &listed)).exits(0);
    run(shell(&scene.path, &sealed)).exits(0).says("generation 1 is current");
    pack(scene);
}

/// Packs the machine.
fn pack(scene: &Scene) {
    let owner = if is_root() { "" } else { " -R 0:0" };
    let commands = commands("cpio -o").replace("--quiet", &format!("--quiet{owner}"));
    run(shell(&scene.path, &commands)).exits(0);
}

/// What a machine said on its console.
pub struct Console(pub String);

impl Console {
    /// Starts a machine and returns what it said until it went off by itself.
    #[track_caller]
    pub fn of(scene: &Scene, commands: &str) -> Self {
        let begin = Instant::now();
        let Run { status, out, err } = run(shell(&scene.path, commands));
        assert_eq!(status, Some(0), "{out}\n{err}");
        eprintln!("a machine ran for {:.1} s", begin.elapsed().as_secs_f32());
        let console = Self(out.replace('\r', ""));
        console.says("reboot: Power down");
        assert!(!console.0.contains("Kernel panic"), "{}", console.0);
        console
    }

    #[track_caller]
    pub fn says(&self, words: &str) -> &Self {
        assert!(self.0.contains(words), "{words:?} is not in\n{}", self.0);
        self
    }

    #[track_caller]
    fn says_what_hello_says(&self) {
        self.says("capc: hello, 3 services, as root: every service has a uid of its own")
            .says("visitor | asked for hello: Hello! You asked, and I was given this file to answer with.")
            .says("greeter | the visitor has left")
            .says("prowler | cannot read /etc/shadow: No such file or directory")
            .says("capc    : prowler ended well");
        assert!(!self.0.contains("OPEN: "), "{}", self.0);
    }
}

// "The kernel starts the supervisor, it verifies, starts the services, one writes a line to the console, the machine powers
// off."
#[test]
fn a_kernel_starts_capc_which_runs_what_was_sealed_and_switches_off() {
    let Some(scene) = scene("boot") else { return };
    make(&scene, None);
    Console::of(&scene, &commands(STARTS)).says_what_hello_says();

    let seal = scene.path.join("machine/var/lib/capc/generations/1/SEAL");
    let mut bytes = std::fs::read(&seal).unwrap();
    // A digit of the signer's key becomes another digit.
    bytes[200] = if bytes[200] == b'0' { b'1' } else { b'0' };
    std::fs::write(&seal, bytes).unwrap();
    pack(&scene);
    let console = Console::of(&scene, &commands(STARTS));
    let said: Vec<&str> = console.0.lines().filter(|line| line.contains("capc")).collect();
    assert_eq!(said.len(), 1, "{said:#?}");
    let told = "capc: `/var/lib/capc/current`: SEAL.sig: the signature is not over this SEAL";
    assert!(said[0].ends_with(told), "{said:#?}");
    assert!(page().contains(told));
}

#[test]
fn a_machine_runs_from_a_disk_and_its_root_is_that_of_a_container_too() {
    if needs_root("a disk and a container whose files are root's")
        && let Some(scene) = scene("boot-disk")
    {
        make(&scene, None);
        let boot = commands("mke2fs");
        Console::of(&scene, &boot).says_what_hello_says();
        // A disk that can be written to, and words that are none: told, and the disk is left in order.
        let faulty = boot.replace(" ro init=", " rw init=").replace("-- up ", "-- upp ");
        Console::of(&scene, &faulty).says("error:").says("unrecognized subcommand");
        let disk = run(shell(&scene.path, "dumpe2fs -h disk")).exits(0);
        assert!(!disk.says("has_journal").out.contains("needs_recovery"));
        let container = run(shell(&scene.path, &commands("unshare --mount"))).exits(0);
        Console(container.out + &container.err).says_what_hello_says();
    }
}

/// One of each kind of file, a program that runs before capc, and services that end in each way.
#[test]
fn what_was_there_before_capc_stays_and_a_service_that_fails_is_told() {
    let Some(scene) = scene("boot-init") else { return };
    scene.write("machine/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    let made = "mkdir -p machine/data machine/usr/bin machine/srv/things 'machine/in two places'; touch machine/srv/own
        cp bin/capc machine/usr/bin
        cd machine/srv/things; echo text > plain; chmod 640 plain; touch -d @1000000000 plain
        ln -s plain link; mkfifo -m 600 pipe; mkdir -m 711 deep";
    run(shell(&scene.path, made)).exits(0);
    let page = page();
    let init = page.split("```text\n").find(|block| block.starts_with("#!/bin/sh")).unwrap();
    let init = init.split("```").next().unwrap().replace(
        "exec ",
        "echo kept > /data/file\nmount --bind /data/file /srv/own\nmount --bind /data '/in two places'\nexec ",
    );
    scene.program("machine/init", &init);
    scene.program(
        "machine/srv/caller",
        "#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/8080 && echo \"connected to this machine\"\n",
    );
    let names = ["plain", "link", "pipe", "deep"].map(|name| format!("\"/srv/things/{name}\"")).join(" ");
    scene.write(
        "machine/srv/system.kdl",
        format!(
            "system various\nlisten local tcp=\"127.0.0.1:8080\"\nconnect there tcp=\"127.0.0.1:8080\"\n\
             dir things \"./things\"\ndir again \"/in two places\"\nfile own \"./own\"\ndir data \"/data\"\n\
             service broken {{ run \"/usr/bin/false\"; oneshot; provides over done=#true; }}\n\
             service heir {{ run \"/usr/bin/true\"; oneshot; holds broken.over; }}\n\
             service door {{ run \"/usr/bin/true\"; oneshot; holds local accept; }}\n\
             service caller {{ run \"./caller\"; oneshot; holds there connect; provides over done=#true; }}\n\
             service looker {{ run \"/usr/bin/stat\" \"-c\" \"%n: %F %a %Y\" {names} \"/in two places/file\" \"/srv/own\"; \
             oneshot; holds things read; holds again read; holds own read; \
             provides over done=#true; }}\n\
             service sleeper {{ run \"/usr/bin/sleep\" \"1000\"; holds looker.over; holds caller.over; holds guest.over; \
             holds reader.over; }}\n\
             service maker {{ run \"/usr/bin/true\"; oneshot; provides talk socket=\"/run/talk/s\" {{ activated; }} }}\n\
             service guest {{ run \"/usr/bin/stat\" \"-c\" \"%n: %F\" \"/run/talk/s\"; oneshot; holds maker.talk; provides over done=#true; }}\n\
             service reader {{ run \"/usr/bin/cat\" \"/data/file\"; oneshot; holds data read; provides over done=#true; }}\n"
        ),
    );
    make(&scene, Some(&["/bin/sh", "/bin/mount"]));
    // Without the page's words for the kernel, and with a keyboard. The last that starts is told to stop by it.
    let boot = commands(STARTS).replace(STARTS, "");
    let boot = boot.replace("-nographic", "-display none -serial file:console -monitor stdio");
    let press = "until grep -qE 'sleeper started|Power down|panic' console; do sleep 0.1; done; echo sendkey ctrl-alt-delete";
    Console::of(&scene, &format!("touch console; ({press}) | {boot} >/dev/null; cat console"))
        .says("reader  | kept")
        .says("looker  | /srv/things/plain: regular file 640 1000000000")
        .says("looker  | /in two places/file: regular file 644 ")
        .says("looker  | /srv/own: regular file 644 ")
        .says("looker  | /srv/things/link: symbolic link 777 ")
        .says("looker  | /srv/things/pipe: fifo 600 ")
        .says("looker  | /srv/things/deep: directory 711 ")
        .says("guest   | /run/talk/s: socket")
        .says("caller  | connected to this machine")
        .says("broken failed with status 1")
        .says("heir not started: it waits for broken, which failed")
        .says("sleeper stopped");
}

#[test]
fn what_a_root_lacks_is_listed_and_then_it_lacks_nothing() {
    let scene = Scene::new("files");
    scene.write("root/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    scene.write("root/srv/own", "#!/bin/sh\n");
    scene.write(
        "root/srv/system.kdl",
        "system lean\ndir data \"/srv\"\nservice env { run \"/usr/bin/env\"; image \"/usr/share/zoneinfo/Etc\"; oneshot; holds data; }\n",
    );
    let files = |more: &[&str]| {
        let words = ["files", "root/srv/system.kdl", "--root", "root"];
        scene.capc(words.iter().chain(more))
    };
    files(&["--program", "/usr/bin/no-such-program"]).exits(3).complains("/usr/bin/no-such-program");
    let listed = files(&["--program", "/bin/cat"]).exits(0).out;
    for path in
        ["/usr/bin/env", "/usr/bin/cat", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/share/zoneinfo/Etc"]
    {
        assert!(listed.lines().any(|line| line == path), "{path} is not in\n{listed}");
    }
    assert!(!listed.contains("/srv"), "{listed}");
    let list = scene.write("list", &listed);
    let copy = format!("tar -C / -cT {} | tar -xC root", list.display());
    run(shell(&scene.path, &copy)).exits(0);
    assert_eq!(files(&["--program", "/bin/cat"]).exits(0).out, "");
    crate::transaction::make_key(&scene, "key", "");
    let words = ["reconfigure", "root/srv/system.kdl", "--root", "root", "--key", "key", "--dry-run"];
    scene.capc(words).exits(0);
}

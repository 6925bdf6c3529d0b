//! What a service finds in its world, and what it does not.

use crate::world::{Caller, GID, Scratch, UID, World, check};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::process::Command;

const BOTH: [Caller; 2] = [Caller::Root, Caller::User];

#[test]
fn a_service_starts_and_ends_as_it_likes() {
    for caller in BOTH {
        check(&World::shell(caller, "echo hello"), "hello\n");
        assert_eq!(World::shell(caller, "exit 42").output().status.code(), Some(42));
        assert_eq!(World::shell(caller, "kill -9 $$").output().status.code(), Some(128 + 9));
    }
}

#[test]
fn a_service_has_no_privileges_and_can_gain_none() {
    for caller in BOTH {
        let groups = if caller == Caller::Root { "Groups:\t \n" } else { "" };
        let script = "while read line; do case $line in Cap*|NoNew*|Seccomp:*|Groups*|Uid*|Gid*) echo \"$line\";; esac; done </proc/self/status";
        let output = World::shell(caller, script).output();
        let said = String::from_utf8_lossy(&output.stdout);
        let none = "0000000000000000";
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert!(said.contains(&format!("{set}:\t{none}\n")), "{said}");
        }
        assert!(said.contains("NoNewPrivs:\t1\n") && said.contains("Seccomp:\t2\n"), "{said}");
        assert!(said.contains(&format!("Uid:\t{UID}\t{UID}\t{UID}\t{UID}\n")), "{said}");
        assert!(said.contains(&format!("Gid:\t{GID}\t{GID}\t{GID}\t{GID}\n")), "{said}");
        assert!(groups.is_empty() || said.contains("Groups:\n") || said.contains(groups), "{said}");
    }
}

#[test]
fn a_service_is_process_2_of_its_own_and_sees_no_others() {
    for caller in BOTH {
        check(
            &World::shell(caller, "echo $$; cd /proc; for p in [0-9]*; do echo $p; done; cat 1/comm"),
            "2\n1\n2\ncapc-keeper\n",
        );
        let output = World::shell(
            caller,
            "for f in exe environ maps fd/1 root/etc/passwd; do cat /proc/1/$f; done; kill -9 1; echo still",
        )
        .output();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "still\n", "the keeper is out of its reach");
        check(
            &World::shell(
                caller,
                "ls /proc | while read p; do case $p in [0-9]*|self|thread-self) ;; *) echo $p;; esac; done",
            ),
            "",
        );
    }
}

#[test]
fn the_root_holds_what_the_manifest_names_and_nothing_else() {
    for caller in BOTH {
        check(&World::shell(caller, "ls /"), "bin\ndev\netc\nlib\nlib64\nproc\ntmp\nusr\n");
        check(&World::shell(caller, "ls /etc /dev"), "/dev:\nnull\n\n/etc:\npasswd\n");
        for script in ["cat /etc/shadow", "ls /root", "ls /home", "cat /proc/sys/kernel/hostname", "ls /sys"]
        {
            let output = World::shell(caller, script).output();
            assert_ne!(output.status.code(), Some(0), "{script}");
            assert!(output.stdout.is_empty(), "{script}");
        }
    }
}

#[test]
fn only_what_is_granted_can_be_written() {
    for caller in BOTH {
        let script = "echo a >/tmp/a && cat /tmp/a; for f in /x /etc/passwd /etc/x /usr/bin/sh /dev/x /proc/x; do echo a >>$f || echo no; done 2>/dev/null";
        check(&World::shell(caller, script), "a\nno\nno\nno\nno\nno\nno\n");
        // What Landlock does not name cannot be opened, though it is there.
        let world = World::shell(caller, "ls /var/tmp || echo no").with(&["tmpfs /var/tmp 65536 1777"]);
        check(&world, "");
        let mut world =
            World::shell(caller, "echo a >/var/tmp/a || echo no").with(&["tmpfs /var/tmp 65536 1777"]);
        world.run[2] += " 2>/dev/null";
        check(&world, "no\n");
        // Private memory has a size.
        let script = "cat /usr/bin/sh /usr/lib/*/libc.so.6 >/tmp/a 2>/dev/null || echo full";
        check(&World::shell(caller, script), "full\n");
        // And nothing in it is executed.
        let script = "cat /usr/bin/true >/tmp/t; /tmp/t 2>/dev/null || echo no";
        check(&World::shell(caller, script), "no\n");
    }
}

#[test]
fn environment_directory_name_and_input_are_the_manifests() {
    for caller in BOTH {
        let mut world = World::program(caller, &["/usr/bin/env"]).with(&["env A %", "env B c%20d"]);
        world.programs = vec!["/usr/bin/env"];
        check(&world, "PATH=/usr/bin\nA=\nB=c d\n");
        check(
            &World::shell(
                caller,
                "cat; pwd; cat /proc/self/cgroup | while IFS=: read a b c; do case $c in /) ;; *) echo $c;; esac; done",
            ),
            "/\n",
        );
        let mut world = World::program(caller, &["/usr/bin/uname", "-n"]);
        world.programs = vec!["/usr/bin/uname"];
        check(&world, "it\n");
        let mut world = World::program(caller, &["/usr/bin/tty"]);
        world.programs = vec!["/usr/bin/tty"];
        assert_eq!(String::from_utf8_lossy(&world.output().stdout), "not a tty\n");
    }
}

#[test]
fn a_granted_directory_is_there_as_granted() {
    for caller in BOTH {
        let scratch = Scratch::new(caller);
        fs::create_dir(scratch.path.join("sub")).unwrap();
        fs::write(scratch.path.join("sub/file"), "text\n").unwrap();
        scratch.own();
        let from = scratch.path.display();
        let grant = format!("grant /srv/data {from} dir ro noexec plain");
        let script = "cat /srv/data/sub/file; (echo b >/srv/data/sub/file) 2>/dev/null || echo no";
        check(&World::shell(caller, script).with(&[&grant, "allow /srv/data read,modify"]), "text\nno\n");
        let grant = format!("grant /srv/data {from} dir rw noexec plain");
        let script = "echo b >/srv/data/sub/file; cat /srv/data/sub/file; (echo b >/srv/data/new) 2>/dev/null || echo no";
        check(&World::shell(caller, script).with(&[&grant, "allow /srv/data read,modify"]), "b\nno\n");
        let grants = [&grant, "tmpfs /srv/data/sub 4096 700", "allow /srv/data read"];
        check(&World::shell(caller, "ls /srv/data/sub").with(&grants), "");
        let text = ["image /srv/data {from}", "text /srv/data/sub/file 444 other%0A", "allow /srv/data read"];
        let text: Vec<String> = text.iter().map(|line| line.replace("{from}", &from.to_string())).collect();
        let text: Vec<&str> = text.iter().map(String::as_str).collect();
        check(&World::shell(caller, "cat /srv/data/sub/file").with(&text), "other\n");
    }
}

#[test]
fn who_is_granted_everything_sees_everything() {
    for caller in BOTH {
        let world = World::shell(caller, "cat /all$GENERATION/SEAL");
        let mut world = world.with(&["grant /all / dir ro noexec plain", "allow /all read"]);
        let store = world.store();
        world.run[2] = world.run[2].replace("$GENERATION", store.generation().to_str().unwrap());
        let mut other = world.store();
        fs::remove_dir_all(&other.dir).unwrap();
        other.dir.clone_from(&store.dir);
        other.write();
        let seal = fs::read_to_string(store.generation().join("SEAL")).unwrap();
        let output = other.output(caller);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            seal,
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn a_mapped_owner_appears_as_the_service_and_stays_the_owner_on_disk() {
    let scratch = Scratch::new(Caller::Root);
    fs::write(scratch.path.join("of-root"), "").unwrap();
    fs::write(scratch.path.join("mine"), "").unwrap();
    for path in [&scratch.path, &scratch.path.join("mine")] {
        chown(path, Some(1234), Some(1235)).unwrap();
    }
    let grant = format!("grant /data {} dir rw noexec 1234:1235", scratch.path.display());
    let script = "echo new >/data/new; stat -c '%n %u:%g' /data /data/*";
    let expected = format!(
        "/data {UID}:{GID}\n/data/mine {UID}:{GID}\n/data/new {UID}:{GID}\n/data/of-root 65534:65534\n"
    );
    check(&World::shell(Caller::Root, script).with(&[&grant, "allow /data read,modify,create"]), &expected);
    let made = fs::metadata(scratch.path.join("new")).unwrap();
    assert_eq!((made.uid(), made.gid()), (1234, 1235));
}

#[test]
fn state_is_made_and_given_to_the_service() {
    for caller in BOTH {
        let scratch = Scratch::new(caller);
        scratch.own();
        let state = scratch.path.join("state");
        let lines = [
            format!("state {}", state.display()),
            format!("grant /var/lib/it {} dir rw noexec plain", state.display()),
            "allow /var/lib/it read,modify,create".into(),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let world = World::shell(caller, "echo once >>/var/lib/it/log; cat /var/lib/it/log").with(&lines);
        check(&world, "once\n");
        check(&world, "once\nonce\n");
        let made = fs::metadata(&state).unwrap();
        assert_eq!(made.permissions().mode() & 0o7777, 0o700);
        if caller == Caller::Root {
            assert_eq!((made.uid(), made.gid()), (UID, GID));
            chown(&state, Some(0), Some(0)).unwrap();
            crate::world::refused(&world.output(), "it belongs to another and is not empty");
            assert_eq!(fs::metadata(&state).unwrap().uid(), 0);
        }
    }
}

#[test]
fn a_secret_is_a_private_file_and_its_source_is_nowhere() {
    for caller in BOTH {
        let scratch = Scratch::new(caller);
        let file = scratch.path.join("key");
        fs::write(&file, "hush\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        scratch.own();
        let secret = format!("secret /run/key {}", file.display());
        let script =
            format!("cat /run/key; stat -c '%a %u' /run/key; ls {} 2>/dev/null", scratch.path.display());
        let script = script + "; (echo x >>/run/key) 2>/dev/null || echo no";
        let world = World::shell(caller, &script).with(&[&secret, "allow /run/key read"]);
        check(&world, &format!("hush\n400 {UID}\nno\n"));
    }
}

#[test]
fn descriptors_are_those_granted_at_their_numbers() {
    for caller in BOTH {
        let scratch = Scratch::new(caller);
        let one = UnixListener::bind(scratch.path.join("one")).unwrap();
        let two = UnixListener::bind(scratch.path.join("two")).unwrap();
        let script = "cd /proc/self/fd; for f in *; do stat -c '%n %F' -L $f; done";
        let world =
            World::shell(caller, script).with(&["descriptor 4 listen one", "descriptor 9 channel two"]);
        let store = world.store();
        let mut command = store.waiting(caller);
        crate::world::pass(&mut command, &[one.as_raw_fd(), two.as_raw_fd(), one.as_raw_fd(), 2]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let expected = "0 character special file\n1 fifo\n2 fifo\n4 socket\n9 socket\n";
        assert_eq!(said, expected, "{}", String::from_utf8_lossy(&output.stderr));
        // Nothing that leaks from the init stays when nothing is granted.
        let store = World::shell(caller, script).store();
        let mut command = store.waiting(caller);
        crate::world::pass(&mut command, &[one.as_raw_fd(), two.as_raw_fd()]);
        let said = command.output().unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&said), "0 character special file\n1 fifo\n2 fifo\n");
    }
}

#[test]
fn a_facet_is_written_by_its_maker_and_read_by_its_holder() {
    for caller in BOTH {
        let maker = World::shell(caller, "echo x >/run/it/x; ls /run/it; stat -c %u:%g /run/it");
        let lines =
            ["facet /run/it it.sock make 4711 4712", "allow /run/it read,modify,create,remove,socket"];
        let maker = maker.with(&lines).with(&["unlink /run/it/left"]);
        let store = maker.store();
        let facet = crate::world::facet(
            &store,
            "it.sock",
            if caller == Caller::Root { (UID, GID) } else { (4000, 4000) },
        );
        let left = UnixListener::bind(facet.path.join("left")).unwrap();
        let output = store.output(caller);
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said, format!("x\n{UID}:{GID}\n"), "{}", String::from_utf8_lossy(&output.stderr));
        drop(left);
        let mut holder = World::shell(
            caller,
            "cat /run/theirs/x; stat -c %u:%g /run/theirs; (echo x >/run/theirs/y) 2>/dev/null || echo no",
        );
        let lines = ["facet /run/theirs it.sock hold 4711 4712", "allow /run/theirs read,modify,create"];
        holder = holder.with(&lines);
        let mut other = holder.manifest();
        if caller == Caller::Root {
            other = other.replace("uid 4711 4712", "uid 4800 4801");
        }
        let mut store = crate::generation::Store::new(&other);
        store.owner = if caller == Caller::Root { 0 } else { crate::generation::USER };
        fs::remove_dir_all(store.dir.join("run")).unwrap();
        store.runtime = Some(facet.runtime.clone());
        store.write();
        let output = store.output(caller);
        let own = if caller == Caller::Root { "4800:4801" } else { "4711:4712" };
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said, format!("x\n{own}\nno\n"), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_kept_privilege_is_the_only_one() {
    let script = "while read line; do case $line in Cap*) echo \"$line\";; esac; done </proc/self/status";
    let output = World::shell(Caller::Root, script).with(&["keep 10"]).output();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.matches("0000000000000400\n").count(), 5, "{said}");
}

#[test]
fn groups_and_limits_are_the_manifests() {
    let world = World::shell(Caller::Root, "id -G; ulimit -n; ulimit -Hn; ulimit -c");
    check(
        &world.with(&["groups 33 34", "rlimit nofile 100 200", "rlimit core 0 0"]),
        &format!("{GID} 33 34\n100\n200\n0\n"),
    );
}

#[test]
fn preparation_ends_before_the_program_begins() {
    for caller in BOTH {
        let lines = ["prepare /usr/bin/sh", "prepare-arg -c", "prepare-arg echo%20$$%20>/tmp/prepared"];
        check(&World::shell(caller, "cat /tmp/prepared; echo $$").with(&lines), "3\n2\n");
        let lines = ["prepare /usr/bin/sh", "prepare-arg -c", "prepare-arg exit%203"];
        let output = World::shell(caller, "echo never").with(&lines).output();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(126), &b""[..]));
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!(complained, "capc launcher: prepare: /usr/bin/sh: it ended with 3\n");
    }
}

#[test]
fn a_program_that_cannot_be_executed_is_told_as_a_shell_tells_it() {
    for caller in BOTH {
        let output = World::program(caller, &["/usr/bin/none"]).output();
        assert_eq!(output.status.code(), Some(127), "{}", String::from_utf8_lossy(&output.stderr));
        let output = World::program(caller, &["/etc/passwd"]).output();
        assert_eq!(output.status.code(), Some(126), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_private_network_is_empty_and_the_hosts_is_as_granted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, other) = (listener.local_addr().unwrap().port(), other.local_addr().unwrap().port());
    let script = |port| format!("(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo yes || echo no");
    for caller in BOTH {
        let bash = |script: &str| {
            let mut world = World::program(caller, &["/bin/bash", "-c", script]);
            world.programs.push("/bin/bash");
            world
        };
        check(
            &World::shell(caller, "while read d rest; do echo $d; done </proc/self/net/dev"),
            "Inter-|\nface\nlo:\n",
        );
        check(&bash(&script(port)).with(&[&format!("connect-port {port}")]), "no\n");
        let mut host =
            bash(&format!("{}; {}", script(port), script(other))).with(&[&format!("connect-port {port}")]);
        host.network = "host";
        check(&host, "yes\nno\n");
    }
}

#[test]
fn nobody_looks_into_what_shares_the_launchers_memory() {
    // With fs.suid_dumpable=1 a change of user would open it to everybody of that user.
    let store = World::shell(Caller::Root, "echo hello").store();
    let trace = store.dir.join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=setresuid,prctl,execve", "-o"]).arg(&trace);
    command.arg(store.launcher()).arg("--wait").arg(store.generation()).arg("test/it").env_clear();
    assert_eq!(command.output().unwrap().stdout, b"hello\n");
    let trace = fs::read_to_string(trace).unwrap();
    let changed = trace.lines().position(|line| line.contains("setresuid(")).unwrap();
    let service = trace.lines().nth(changed).unwrap().split(' ').next().unwrap();
    let mut after = trace.lines().skip(changed).filter(|line| line.starts_with(service));
    let closed = |line: &str| line.contains("prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE)");
    assert!(after.by_ref().take_while(|line| !line.contains("execve(")).any(closed), "{trace}");
}

#[test]
fn preparation_does_not_reach_the_launcher_through_the_service() {
    // Until its program runs, the service's process has the launcher's memory.
    let script = "(exec 3</proc/2/status) || exit 8; (exec 3<>/proc/2/mem) && exit 9; for f in environ mem maps auxv fd/1; do (exec 3</proc/2/$f) && exit 9; done; exit 0";
    let script = capc_schemas::token::Token::new(script.as_bytes()).to_string();
    let script = format!("prepare-arg {script}");
    for caller in BOTH {
        let mut world =
            World::shell(caller, "echo ran").with(&["prepare /usr/bin/sh", "prepare-arg -c", &script]);
        world.lines.push("allow /proc read,modify".into());
        check(&world, "ran\n");
        if caller == Caller::Root {
            // CAP_SYS_PTRACE
            check(&world.with(&["keep 19"]), "ran\n");
        }
    }
}

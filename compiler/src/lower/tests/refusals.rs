//! What a machine does not allow, in words.

use super::{lowered, machine};
use crate::lower::Mode;
use crate::machine::fake::FakeMachine;

/// Compares the refusals, `MESSAGE | HELP` a line; none when the configuration is accepted.
#[track_caller]
fn check_on(machine: &FakeMachine, mode: Mode, body: &str, expected: &str) {
    let found: String = match lowered(body, machine, mode) {
        Ok(_) => String::new(),
        Err(diagnostics) => {
            let line = |diagnostic: &crate::diag::Diagnostic| {
                format!("{} | {}\n", diagnostic.message, diagnostic.help.as_deref().unwrap_or(""))
            };
            diagnostics.iter().map(line).collect()
        }
    };
    assert_eq!(found, expected);
}

#[track_caller]
fn check(body: &str, expected: &str) {
    check_on(&machine(), Mode::Root, body, expected);
}

#[track_caller]
fn check_user(body: &str, expected: &str) {
    let mut machine = machine();
    machine.caller = 1000;
    check_on(&machine, Mode::User, body, expected);
}

const TOOL: &str = "run \"/usr/bin/tool\"";

#[test]
fn all_refusals_of_one_run_are_told_by_place() {
    check(
        "dir gone \"/gone\"\nfile site \"/srv/site\"\n\
         service a { run \"/usr/bin/none\"; holds gone }\nservice b { run \"/usr/bin/tool\"; holds site }",
        "`/usr/bin/none` cannot be read: entity not found | install it, or write the path of the program that you mean\n\
         `/gone` cannot be looked at: entity not found | make it first, or write the path that you mean\n\
         `/srv/site` is a directory, not a file | declare it as what it is: `dir`, `file`, `socket`, or `device`\n",
    );
}

#[test]
fn a_granted_path_that_crosses_a_link_names_the_place_to_write() {
    let mut machine = machine();
    machine.link("/srv/www", "site");
    let refusal = "`/srv/www` crosses the symbolic link `/srv/www` \
                   | write the place itself, \"/srv/site\", or say `alias` for the link\n";
    check_on(
        &machine,
        Mode::Root,
        &format!("dir www \"/srv/www\"\nservice a {{ {TOOL}; holds www }}"),
        refusal,
    );
    check_on(&machine, Mode::Root, &format!("service a {{ {TOOL}; config \"/srv/www\" }}"), refusal);
}

#[test]
fn what_is_roots_is_never_changed_in_its_name() {
    check(
        &format!("dir data \"/srv/root\"\nservice a {{ {TOOL}; holds data read write }}"),
        "`a` could not use `/srv/root`: it belongs to 0:0 with mode 0755, and what is root's is never changed in its name \
         | give it to a user of its own (`chown`), declare it as a `state`, or let the service run `as` its owner\n",
    );
    check(&format!("dir data \"/srv/root\"\nservice a {{ {TOOL}; holds data read }}"), "");
    let mut machine = machine();
    machine.owned("/srv/root", 0, 0, 0o1777);
    check_on(
        &machine,
        Mode::Root,
        &format!("dir data \"/srv/root\"\nservice a {{ {TOOL}; holds data read write }}"),
        "",
    );
}

#[test]
fn a_file_system_without_mapping_leaves_what_the_mode_allows() {
    let mut machine = machine();
    machine.file_system = 0x6969;
    check_on(
        &machine,
        Mode::Root,
        &format!("dir site \"/srv/site\"\nservice a {{ {TOOL}; holds site read }}"),
        "`a` could not use `/srv/site`: it belongs to 1000:1000 with mode 0750, and nfs has no id-mapped mounts \
         | give it to a user of its own (`chown`), declare it as a `state`, or let the service run `as` its owner: \
         `identity owner user=\"me\"` beside it, `as owner` in it\n",
    );
}

#[test]
fn configuration_and_code_must_be_readable_as_they_are() {
    check(
        &format!("service a {{ {TOOL}; config \"/etc/key\" }}"),
        "`/etc/key` could not be read by `a`: it belongs to 0:0 with mode 0600 \
         | make it readable for all, or let the service hold it as a `file` or a `secret`\n",
    );
    let mut machine = machine();
    machine.owned("/usr/bin/tool", 0, 0, 0o700);
    check_on(
        &machine,
        Mode::Root,
        &format!("service a {{ {TOOL} }}"),
        "`/usr/bin/tool` could not be executed by `a`: it belongs to 0:0 with mode 0700 | make it executable for all\n",
    );
    machine.socket("/etc/app/ctl").owned("/usr/bin/tool", 0, 0, 0o755);
    check_on(
        &machine,
        Mode::Root,
        &format!("service a {{ {TOOL}; config \"/etc/app\" }}"),
        "`/etc/app/ctl` is a socket, which cannot be sealed | take it out of the directory, or name the files one by one\n",
    );
}

#[test]
fn state_belongs_to_the_service_that_changes_it() {
    let kdl = format!("state data \"/var/lib/data\"\nservice a {{ {TOOL}; holds data read write }}");
    check(&kdl, "");
    let mut machine = machine();
    machine.dir("/var/lib/data").owned("/var/lib/data", 105, 109, 0o700);
    check_on(&machine, Mode::Root, &kdl, "");
    machine.file("/var/lib/data/PG_VERSION", "15");
    check_on(
        &machine,
        Mode::Root,
        &kdl,
        "`/var/lib/data` is not the state of `a`: it belongs to 105:109 with mode 0700 \
         | give it to that service (`chown -R 1879048192 /var/lib/data`), or let the service run `as` its owner: \
         `identity owner user=\"pg\"` beside it, `as owner` in it\n",
    );
    let as_owner = format!(
        "identity pg user=\"pg\"\nstate data \"/var/lib/data\"\nservice a {{ {TOOL}; as pg; holds pg; holds data read write }}"
    );
    check_on(&machine, Mode::Root, &as_owner, "");
    check(
        &format!("state data \"/gone/data\"\nservice a {{ {TOOL}; holds data read write }}"),
        "`/gone` cannot be looked at: entity not found | make it first, or write the path that you mean\n",
    );
}

#[test]
fn places_do_not_gain_rights_by_where_they_stand() {
    let kdl = |at: &str| {
        format!("dir site \"/srv/site\"\nservice a {{ {TOOL}; holds site read modify at=\"{at}\" }}")
    };
    check(
        &kdl("/tmp/site"),
        "what is granted of `/srv/site` would gain rights at `/tmp/site`, inside a private place in memory at `/tmp` \
         | let it be seen elsewhere with `at=`\n",
    );
    check(&kdl("/site"), "");
    // A private place gives up making sockets before what stands in it gets to.
    check(
        &format!("dir site \"/srv/site\"\nservice a {{ {TOOL}; holds site read write at=\"/tmp/site\" }}"),
        "",
    );
    check(&format!("dir site \"/srv/site\"\nservice a {{ {TOOL}; holds site read at=\"/tmp/site\" }}"), "");
}

#[test]
fn the_root_and_the_processes_of_a_world_are_its_own() {
    check(
        &format!("dir site \"/srv/site\"\nservice a {{ {TOOL}; holds site at=\"/\" }}"),
        "what is granted of `/srv/site` cannot be seen at `/`, which is every world's own | let it be seen elsewhere with `at=`\n",
    );
    check(
        &format!("dir site \"/srv/site\"\nservice a {{ {TOOL}; holds site at=\"/proc/1\" }}"),
        "what is granted of `/srv/site` cannot be seen at `/proc/1`, which is every world's own \
         | let it be seen elsewhere with `at=`\n",
    );
}

#[test]
fn a_place_inside_a_granted_directory_must_be_there() {
    let kdl = format!(
        "dir site \"/srv/site\"\ndir other \"/srv/root\"\nservice a {{ {TOOL}; holds site read; holds other at=\"/srv/site/sub\" }}"
    );
    check(
        &kdl,
        "what is granted of `/srv/root` cannot be seen at `/srv/site/sub`, which lies inside what is granted of `/srv/site`: \
         `/srv/site/sub` is not there to mount it on | make it there, or let it be seen elsewhere with `at=`\n",
    );
    let mut machine = machine();
    machine.dir("/srv/site/sub");
    check_on(&machine, Mode::Root, &kdl, "");
}

#[test]
fn what_no_layer_enforces_is_refused() {
    check(
        &format!("connect dns udp=\"192.0.2.1:53\"\nservice a {{ {TOOL}; holds dns }}"),
        "`a` could send UDP to anybody: no layer knows UDP ports \
         | use `connect tcp=`, or let a service of its own hold the network and ask it over a facet\n",
    );
    check(
        &format!("listen l unix=\"/srv/l.sock\"\nservice a {{ {TOOL}; holds l bind }}"),
        "`a` cannot bind `/srv/l.sock` itself: it would need its whole directory \
         | let it hold `accept`, or provide a facet with `socket=`\n",
    );
    check(
        &format!(
            "service a {{ {TOOL}; limits cpu=\"50%\" }}\nservice b {{ {TOOL}; limits cpu=\"50%\" best-effort=#true }}"
        ),
        "the processor time of `a` cannot be limited without control groups | leave `cpu` out, or say `best-effort=#true`\n",
    );
    check(
        &format!("identity x\nservice a {{ {TOOL}; as x; holds x; limits tasks=5 }}"),
        "the tasks of `a` cannot be counted apart: its identity may be shared \
         | leave `as` out for an identity of its own, or say `best-effort=#true`\n",
    );
}

#[test]
fn names_of_hosts_are_the_machines_own() {
    let kdl = |host: &str| format!("connect api tcp=\"{host}:443\"\nservice a {{ {TOOL}; holds api }}");
    check(&kdl("api.example"), "");
    check(&kdl("localhost"), "");
    check(
        &kdl("elsewhere.example"),
        "`elsewhere.example` is not in the machine's /etc/hosts, and a world asks no name server \
         | write the address, or put the name into /etc/hosts and reconfigure when it changes\n",
    );
}

#[test]
fn a_plain_user_gives_only_what_is_its_own() {
    let identity =
        |user: &str| format!("identity who user=\"{user}\"\nservice a {{ {TOOL}; as who; holds who }}");
    check_user(
        &identity("pg"),
        "`a` runs as another user, which a plain user cannot make it | run capc as root, or leave `as` out\n",
    );
    check_user(&identity("me"), "");
    check(
        &identity("nobody-here"),
        "this machine has no user `nobody-here` | make the user first, or leave `user=` out for a fresh one\n",
    );
    check_user(
        &format!("listen web tcp=\"[::]:80\"\nservice a {{ {TOOL}; holds web accept }}"),
        "port 80 for `a` takes a privilege that a plain user does not have | use a port from 1024 on, or run capc as root\n",
    );
    let mut machine = machine();
    machine.forbidden.push("/srv/site".into());
    check_on(
        &machine,
        Mode::User,
        &format!("dir site \"/srv/site\"\nservice a {{ {TOOL}; holds site read }}"),
        "`/srv/site` is not yours to read: it belongs to 1000:1000 with mode 0750 \
         | grant what you may use yourself, or run capc as root\n",
    );
}

#[test]
fn sockets_and_secrets_of_the_machine_are_what_they_are_declared() {
    let mut machine = machine();
    check(&format!("socket bus \"/run/host.sock\"\nservice a {{ {TOOL}; holds bus }}"), "");
    check(
        &format!("socket bus \"/etc/key\"\nservice a {{ {TOOL}; holds bus }}"),
        "`/etc/key` is a file, not a socket | start what makes the socket first\n",
    );
    machine.owned("/run/host.sock", 0, 50, 0o660);
    check_on(
        &machine,
        Mode::Root,
        &format!("socket bus \"/run/host.sock\"\nservice a {{ {TOOL}; holds bus }}"),
        "`a` could not connect to `/run/host.sock`: it belongs to 0:50 with mode 0660 \
         | let the service run `as` an identity that may, or change the socket's mode\n",
    );
    check(
        &format!("secret key \"/srv/site\"\nservice a {{ {TOOL}; holds key }}"),
        "`/srv/site` is a directory, not a file | a secret is a small file; hold anything else as a `dir` or a `file`\n",
    );
}

#[test]
fn a_working_directory_is_somewhere() {
    check(
        &format!("service a {{ {TOOL}; workdir \"/srv/site\" }}"),
        "`/srv/site` is not there in the world of `a` | work in a directory that it holds, or give it one with `scratch`\n",
    );
    check(
        &format!("dir site \"/srv/site\"\nservice a {{ {TOOL}; holds site read; workdir \"/srv/site\" }}"),
        "",
    );
    check(&format!("service a {{ {TOOL}; workdir \"/tmp\" }}"), "");
}

// Whatever is not enforced yet is refused: a service never starts with more than its model says, nor with less.
#[test]
fn what_no_world_enforces_yet_is_refused_by_name() {
    let all = [
        "dir site \"/srv/site\"",
        "program backup { run \"/usr/bin/tool\"; holds tty }",
        "powerbox ask-me { offers site; asks \"terminal\" }",
        "user me { holds backup.launch }",
        "trust a reason=\"a test\"",
        "service b { run \"/usr/bin/tool\" }",
        "service a { run \"/usr/bin/tool\"",
        "  holds b.control",
        "  holds backup.launch",
        "  holds ask-me.ask",
        "  unconfined \"not looked at\"",
        "  provides disk mount=\"/mnt/disk\"",
        "}",
    ];
    check(
        &all.join("\n"),
        "`a` holds `backup.launch`, a program's `launch`, which this version of the launcher cannot hand over | run the program as a service\n\
         `a` holds `ask-me.ask`, a powerbox's `ask`, which this version of the launcher cannot hand over | endow the service with what it needs\n\
         this version of the launcher starts nothing without a world | leave it to the init that starts it now\n\
         `disk` is a mount, and no service can mount: Landlock forbids it in every world | mount it outside of capc and declare it as a `dir`, or provide a `socket=` facet\n",
    );
}

#[test]
fn a_schedule_is_in_a_time_zone_that_the_machine_has() {
    let schedule = |zone: &str| format!("service a {{ {TOOL}; oneshot; schedule \"daily{zone}\" }}");
    check(&schedule(""), "");
    check(&schedule(" UTC"), "");
    check(
        &schedule(" Europe/Berlin"),
        "`Europe/Berlin` is no time zone of this machine: `/usr/share/zoneinfo/Europe/Berlin` is not there | \
         install the machine's time zones (`tzdata`), or write the time in UTC\n",
    );
}

#[test]
fn a_device_is_one_and_its_mode_lets_the_service_open_it() {
    let body = format!("device gpu \"/dev/gpu\"\nservice a {{ {TOOL}; holds gpu read write }}");
    let mut machine = machine();
    machine.file("/dev/gpu", "");
    let refusal =
        "`/dev/gpu` is a file, not a device | declare it as what it is: `dir`, `file`, or `socket`\n";
    check_on(&machine, Mode::Root, &body, refusal);
    machine.device("/dev/gpu").owned("/dev/gpu", 0, 44, 0o660);
    check_on(
        &machine,
        Mode::Root,
        &body,
        "`a` could not open `/dev/gpu`: it belongs to 0:44 with mode 0660 | let the service run `as` an identity of the \
         device's group (`identity NAME group=…`), or change its mode\n",
    );
    machine.owned("/dev/gpu", 0, 44, 0o666);
    check_on(&machine, Mode::Root, &body, "");
}

#[test]
fn a_privilege_is_roots_to_give_and_of_some_use() {
    let body = |name: &str| {
        format!("privilege p \"{name}\"\ntrust a reason=\"a test\"\nservice a {{ {TOOL}; holds p }}")
    };
    check(&body("CAP_SYS_TIME"), "");
    check_user(
        &body("CAP_SYS_TIME"),
        "`CAP_SYS_TIME` for `a` is not a plain user's to give | run capc as root\n",
    );
    check(
        &body("CAP_MKNOD"),
        "`CAP_MKNOD` would be of no use to `a`: no world makes devices \
         | declare the `device` that it needs, and let it hold that\n",
    );
}

#[test]
fn programs_users_and_powerboxes_may_be_declared_beside_what_runs() {
    check(
        "dir docs \"/srv/site\"\nprogram backup { run \"/usr/bin/none\"; holds docs; holds tty }\n\
         user me { holds docs; holds backup.launch }\npowerbox open { offers docs }\nservice a { run \"/usr/bin/tool\" }",
        "",
    );
}

#[test]
fn of_a_standard_image_only_what_the_machine_has_is_seen_and_nothing_at_all_is_refused() {
    let body = format!("service a {{ {TOOL}; image \"std:locale\" }}");
    check(
        &body,
        "this machine has nothing of this image | install it, or name the paths that it has on this machine\n",
    );
    let mut machine = machine();
    machine.dir("/usr/lib/locale");
    check_on(&machine, Mode::Root, &body, "");
}

#[test]
fn a_store_that_can_be_changed_is_refused() {
    let body = format!("integrity store \"/usr/bin\"\nservice a {{ {TOOL} }}");
    check(
        &body,
        "`/usr/bin/tool` could be changed where it lies: it is not mounted read-only | \
         mount its directory read-only, or write `integrity pinned` or `integrity memfd`\n",
    );
    let mut read_only = machine();
    read_only.read_only = vec!["/usr".into()];
    check_on(&read_only, Mode::Root, &body, "");
    let item = "/gnu/store/abc-tool/bin/tool";
    let mut guix = machine();
    guix.file(item, super::elf_files::program().bytes()).owned(item, 0, 0, 0o555);
    let body = format!("integrity store \"/gnu/store\"\nservice a {{ run \"{item}\" }}");
    check_on(&guix, Mode::Root, &body, "");
    guix.owned(item, 0, 0, 0o755);
    check_on(
        &guix,
        Mode::Root,
        &body,
        "`/gnu/store/abc-tool/bin/tool` could be changed where it lies: it is not mounted read-only | \
         mount its directory read-only, or write `integrity pinned` or `integrity memfd`\n",
    );
}

#[test]
fn what_is_executed_is_read() {
    let body = |rights: &str| format!("dir site \"/srv/site\"\nservice a {{ {TOOL}; holds site {rights} }}");
    check(&body("exec"), "`a` may execute `site` and not read it | say `read exec`\n");
    check(&body("read exec"), "");
    check(&body("read at=\"/here\"; holds site exec"), "");
}

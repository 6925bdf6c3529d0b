//! Which files a program is made of: against made-up machines, and against `ldd` on this one.

use super::elf_files::{Elf, dynamic, library};
use crate::lower::closure::{Closure, add_plugin, add_program};
use crate::lower::loader::Host;
use crate::machine::fake::FakeMachine;
use crate::machine::{RealMachine, walk};
use std::process::Command;

/// A machine with a loader whose default directory is Debian's.
fn machine() -> FakeMachine {
    let mut machine = FakeMachine::default();
    machine.link("/lib", "usr/lib").link("/lib64", "usr/lib64").link("/bin", "usr/bin");
    let mut loader = library("ld-linux-x86-64.so.2", &[]).bytes();
    loader.extend(b"/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0");
    machine.link("/usr/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
    machine.file("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", loader);
    machine
        .file("/usr/lib/x86_64-linux-gnu/libc.so.6", library("libc.so.6", &["ld-linux-x86-64.so.2"]).bytes());
    machine
}

/// Compares the closure of a program, one `AT FROM` or `AT -> TARGET` a line; loader and C library left out.
#[track_caller]
fn check(machine: &FakeMachine, program: &str, expected: &str) {
    let mut closure = Closure::default();
    let found = match add_program(&Host::new(machine), &mut closure, program) {
        Ok(()) => {
            let files =
                closure.files.iter().filter(|(at, _)| !at.contains("/ld-linux") && !at.contains("/libc.so"));
            let files = files.map(|(at, from)| format!("{at} {from}\n"));
            files.chain(closure.links.iter().map(|(at, target)| format!("{at} -> {target}\n"))).collect()
        }
        Err(wrong) => format!("{} | {}\n", wrong.message, wrong.help),
    };
    assert_eq!(found, expected);
}

#[test]
fn libraries_of_libraries_are_found_in_the_default_directories() {
    let mut machine = machine();
    machine.file("/usr/bin/p", dynamic(&["liba.so.1", "libc.so.6"]).bytes());
    machine.link("/usr/lib/x86_64-linux-gnu/liba.so.1", "liba.so.1.2");
    machine.file("/usr/lib/x86_64-linux-gnu/liba.so.1.2", library("liba.so.1", &["libb.so.1"]).bytes());
    machine.file("/usr/lib/libb.so.1", library("libb.so.1", &["libc.so.6"]).bytes());
    check(
        &machine,
        "/bin/p",
        "/usr/bin/p /usr/bin/p\n/usr/lib/libb.so.1 /usr/lib/libb.so.1\n\
         /usr/lib/x86_64-linux-gnu/liba.so.1 /usr/lib/x86_64-linux-gnu/liba.so.1.2\n",
    );
}

#[test]
fn rpath_is_inherited_and_runpath_is_not() {
    let mut machine = machine();
    machine.file("/opt/lib/liba.so", library("liba.so", &["libb.so"]).bytes());
    machine.file("/opt/lib/libb.so", library("libb.so", &[]).bytes());
    let program = Elf { rpath: Some("$ORIGIN/../lib"), ..dynamic(&["liba.so"]) };
    machine.file("/opt/bin/p", program.bytes());
    check(
        &machine,
        "/opt/bin/p",
        "/opt/bin/p /opt/bin/p\n/opt/lib/liba.so /opt/lib/liba.so\n/opt/lib/libb.so /opt/lib/libb.so\n",
    );
    let program = Elf { runpath: Some("${ORIGIN}/../lib"), ..dynamic(&["liba.so"]) };
    machine.file("/opt/bin/p", program.bytes());
    check(
        &machine,
        "/opt/bin/p",
        "`/opt/bin/p` needs libraries that are not here: `libb.so` (needed by `/opt/lib/liba.so`) \
         | install the packages that have them\n",
    );
}

#[test]
fn the_origin_of_a_linked_program_is_where_it_really_lies() {
    let mut machine = machine();
    machine.link("/usr/bin/p", "../../opt/app/bin/p").link("/opt/app", "app-2");
    machine.file("/opt/app-2/lib/liba.so", library("liba.so", &[]).bytes());
    machine
        .file("/opt/app-2/bin/p", Elf { runpath: Some("$ORIGIN/../lib"), ..dynamic(&["liba.so"]) }.bytes());
    check(
        &machine,
        "/usr/bin/p",
        "/opt/app-2/bin/p /opt/app-2/bin/p\n/opt/app-2/lib/liba.so /opt/app-2/lib/liba.so\n\
         /opt/app -> app-2\n/usr/bin/p -> ../../opt/app/bin/p\n",
    );
}

#[test]
fn a_library_that_only_the_cache_knows_is_put_where_the_loader_looks() {
    let mut machine = machine();
    machine.file("/etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n");
    machine
        .file("/etc/ld.so.conf.d/x.conf", "# odd places\n/opt/odd\n")
        .file("/etc/ld.so.conf.d/README", "/opt/other\n");
    machine.file("/opt/odd/liba.so.1", library("liba.so.1", &[]).bytes());
    machine.file("/usr/bin/p", dynamic(&["liba.so.1"]).bytes());
    check(
        &machine,
        "/usr/bin/p",
        "/usr/bin/p /usr/bin/p\n/usr/lib/x86_64-linux-gnu/liba.so.1 /opt/odd/liba.so.1\n",
    );
}

#[test]
fn files_for_other_processors_are_passed_over() {
    let mut machine = machine();
    machine.file("/usr/bin/p", Elf { rpath: Some("/opt/32"), ..dynamic(&["liba.so"]) }.bytes());
    let mut other = library("liba.so", &[]).bytes();
    other[18] = 3;
    machine.file("/opt/32/liba.so", other).file("/usr/lib/liba.so", library("liba.so", &[]).bytes());
    check(&machine, "/usr/bin/p", "/usr/bin/p /usr/bin/p\n/usr/lib/liba.so /usr/lib/liba.so\n");
}

// "libgcc_s.so.1 must be installed for pthread_exit to work" (glibc, sysdeps/nptl/unwind-forcedunwind.c).
#[test]
fn what_the_c_library_opens_by_name_to_end_threads_comes_along() {
    let mut machine = machine();
    let libgcc = "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1";
    machine.file("/usr/bin/p", Elf { names: vec!["pthread_exit"], ..dynamic(&["libc.so.6"]) }.bytes());
    check(&machine, "/usr/bin/p", "/usr/bin/p /usr/bin/p\n");
    machine.file(libgcc, library("libgcc_s.so.1", &["libc.so.6"]).bytes());
    check(&machine, "/usr/bin/p", &format!("/usr/bin/p /usr/bin/p\n{libgcc} {libgcc}\n"));
    machine.file("/usr/bin/p", Elf { names: vec!["fork"], ..dynamic(&["libc.so.6"]) }.bytes());
    check(&machine, "/usr/bin/p", "/usr/bin/p /usr/bin/p\n");
}

#[test]
fn scripts_bring_their_interpreter_and_say_it_by_its_path() {
    let mut machine = machine();
    machine.file("/usr/bin/dash", dynamic(&["libc.so.6"]).bytes()).link("/usr/bin/sh", "dash");
    machine
        .file("/opt/s", "#! /bin/sh -e\necho\n")
        .file("/opt/e", "#!/usr/bin/env -S dash -e\n")
        .file("/opt/r", "#!sh\n");
    machine.file("/opt/t", "just text");
    check(&machine, "/opt/s", "/opt/s /opt/s\n/usr/bin/dash /usr/bin/dash\n/usr/bin/sh -> dash\n");
    check(
        &machine,
        "/opt/e",
        "`/opt/e` begins with `#!/usr/bin/env -S dash -e`, which looks for `dash` in whatever $PATH says \
         | write the interpreter: \"/usr/bin/dash\" \"/opt/e\"\n",
    );
    check(
        &machine,
        "/opt/r",
        "`/opt/r` begins with `#!sh`, which names no interpreter by its path | write an absolute path after `#!`\n",
    );
    check(
        &machine,
        "/opt/t",
        "`/opt/t` is neither an x86_64 ELF program nor a script | write the path of a program that this kernel executes\n",
    );
    check(
        &machine,
        "/opt/none",
        "`/opt/none` cannot be read: entity not found | install it, or write the path of the program that you mean\n",
    );
}

#[test]
fn a_missing_library_of_a_plugin_is_only_noted() {
    let mut machine = machine();
    machine.file(
        "/opt/plug/x.so",
        Elf { names: vec![], ..library("x.so", &["libgone.so", "libc.so.6"]) }.bytes(),
    );
    let mut closure = Closure::default();
    add_plugin(&Host::new(&machine), &mut closure, "/opt/plug/x.so", "/opt/plug/x.so");
    assert!(closure.files.contains_key("/usr/lib/x86_64-linux-gnu/libc.so.6"), "{closure:?}");
    assert!(closure.missing.contains(&("libgone.so".to_owned(), "/opt/plug/x.so".to_owned())));
}

/// Compares with the loader itself.
#[track_caller]
fn check_with_ldd(program: &str) {
    let machine = RealMachine::here();
    let host = Host::new(&machine);
    let mut closure = Closure::default();
    add_program(&host, &mut closure, program).unwrap();
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // `name => /path (0x…)` or `/path (0x…)`
    let paths = text
        .lines()
        .filter_map(|line| line.split(" => ").last()?.split_whitespace().next())
        .filter(|path| path.starts_with('/'));
    let mut expected: Vec<String> = paths.map(|path| walk(&machine, path).unwrap().real).collect();
    expected.push(walk(&machine, program).unwrap().real);
    expected.sort();
    // It opens that one by name, so `ldd` does not know it.
    let mut found: Vec<String> = closure
        .files
        .values()
        .filter(|path| expected.contains(path) || !path.contains("/libgcc_s."))
        .cloned()
        .collect();
    found.sort();
    assert_eq!(found, expected, "{program}");
    assert!(expected.len() > 2);
}

#[test]
fn closures_are_what_the_loader_of_this_machine_loads() {
    check_with_ldd("/bin/sh");
    check_with_ldd("/usr/sbin/nginx");
    check_with_ldd("/usr/lib/postgresql/15/bin/postgres");
    check_with_ldd("/usr/bin/curl");
}

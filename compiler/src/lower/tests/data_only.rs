//! Which side of a `data-only` facet passes no descriptors, and what is refused since neither could do without.

use super::{lowered, machine};
use crate::lower::Mode;
use crate::lower::seccomp::Instruction;
use crate::lower::seccomp::tests::{ARCHITECTURE, Outcome, run};
use capc_schemas::manifest::{Line, Manifest};
use syscalls::x86_64::Sysno;

const TOOL: &str = "run \"/usr/bin/tool\"";

/// Returns whether a manifest's filter grants recvmsg(2).
fn takes_descriptors(manifest: &str) -> bool {
    let manifest = Manifest::parse(manifest.as_bytes()).unwrap();
    let program = manifest.lines().filter_map(|line| match line {
        Line::Bpf { code, jt, jf, k } => Some(Instruction { code, jt, jf, k }),
        _ => None,
    });
    let recvmsg = Sysno::recvmsg.id() as u32;
    run(&program.collect::<Vec<Instruction>>(), ARCHITECTURE, recvmsg, &[]) == Outcome::Allow
}

/// Compares who may pass no descriptors, and the notes.
#[track_caller]
fn check(body: &str, expected: &[&str], notes: &[&str]) {
    let lowered = lowered(body, &machine(), Mode::Root).unwrap();
    let bound = lowered.manifests.iter().filter(|(_, manifest)| !takes_descriptors(manifest));
    let bound: Vec<&str> = bound.map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        (bound.as_slice(), lowered.notes),
        (expected, notes.iter().map(ToString::to_string).collect())
    );
}

/// Compares the one refusal: message, then what each place has to do with it.
#[track_caller]
fn refused(body: &str, expected: &[&str]) {
    let diagnostics = lowered(body, &machine(), Mode::Root).unwrap_err();
    let [diagnostic] = diagnostics.as_slice() else { panic!("{diagnostics:#?}") };
    let labels = diagnostic.labels.iter().map(|label| label.text.as_str());
    let said: Vec<&str> = std::iter::once(diagnostic.message.as_str()).chain(labels).collect();
    assert_eq!(said, expected);
}

fn maker(more: &str) -> String {
    format!("service m {{ {TOOL}; provides x socket=\"/run/m/x\" {{ data-only }}; {more} }}\n")
}

fn holder(name: &str, more: &str) -> String {
    format!("service {name} {{ {TOOL}; holds m.x; {more} }}\n")
}

#[test]
fn the_maker_passes_none_if_it_needs_to_nowhere_else() {
    check(&(maker("") + &holder("h", "") + &holder("k", "")), &["m"], &[]);
    // Nobody talks to it.
    check(&maker(""), &[], &[]);
    // An ordinary facet that nobody holds, and one over TCP.
    check(&(maker("provides y socket=\"/run/m2/y\"") + &holder("h", "")), &["m"], &[]);
    let tcp = "provides y tcp=\"127.0.0.1:8080\" { data-only }";
    check(&(maker(tcp) + &holder("h", "holds m.y")), &["m"], &[]);
}

#[test]
fn a_maker_that_needs_to_leaves_it_to_all_holders() {
    let other = |more: &str| format!("service o {{ {TOOL}; {more} }}\n");
    for (needing, more) in [
        ("provides y channel=#true", other("holds m.y")),
        ("provides y socket=\"/run/m2/y\"", other("holds m.y")),
        ("holds o.z", other("provides z socket=\"/run/o/z\"")),
        ("holds bus", "socket bus \"/run/host.sock\"\n".to_owned()),
        ("holds l accept", "listen l unix=\"/srv/site/l\"\n".to_owned()),
        ("holds d", "dir d \"/srv/root\"\nlisten l unix=\"/srv/root/l\"\n".to_owned()),
        ("holds d", "dir d \"/srv/site\"\n".to_owned() + &other("holds d read write socket")),
        ("holds d read write socket", "dir d \"/srv/site\"\n".to_owned() + &other("holds d")),
        ("syscalls \"io_uring\"", String::new()),
    ] {
        check(&(more + &maker(needing) + &holder("h", "") + &holder("k", "")), &["h", "k"], &[]);
    }
    // A directory that nobody else makes sockets in is no way to anybody.
    let alone = "dir d \"/srv/site\"\n".to_owned() + &other("holds d");
    check(&(alone + &maker("holds d") + &holder("h", "")), &["m"], &[]);
}

#[test]
fn channels_and_listening_sockets_are_data_only_too() {
    let channel = format!(
        "service m {{ {TOOL}; provides x channel=#true {{ data-only }} }}\nservice h {{ {TOOL}; holds m.x }}"
    );
    check(&channel, &["m"], &[]);
    let listening = format!(
        "listen l unix=\"/srv/root/l\"\n\
         service m {{ {TOOL}; holds l accept; provides x listen=l {{ data-only }} }}\nservice h {{ {TOOL}; holds m.x }}"
    );
    check(&listening, &["m"], &[]);
}

#[test]
fn a_side_that_would_miss_messages_is_bound_last_and_told() {
    let network = "network net\n".to_owned();
    check(&(network.clone() + &maker("holds net") + &holder("h", "")), &["h"], &[]);
    check(
        &(network.clone() + &maker("holds net") + &holder("h", "ready \"notify\"")),
        &["m"],
        &["`m`: it may not call sendmsg or recvmsg, since `m.x` is `data-only`; \
            with `net` the C library asks name servers by sendmmsg, unless it says `env RES_OPTIONS=\"single-request\"`"],
    );
    let careful = maker("holds net; env RES_OPTIONS=\"timeout:1 single-request\"");
    check(&(network + &careful + &holder("h", "")), &["m"], &[]);
}

#[test]
fn where_neither_side_can_do_without_both_needs_are_told() {
    let other = format!("service o {{ {TOOL}; provides z socket=\"/run/o/z\" }}\n");
    refused(
        &(other.clone() + &maker("holds o.z") + &holder("h", "") + &holder("k", "holds o.z")),
        &[
            "no descriptor may cross `m.x`, and neither `m` nor `k` can be kept from passing any",
            "this is `data-only`",
            "`m` holds `o.z`, and descriptors may cross that",
            "`k` holds `o.z`, and descriptors may cross that",
        ],
    );
    refused(
        &(other + &maker("syscalls \"io_uring\"") + &holder("h", "holds o.z")),
        &[
            "no descriptor may cross `m.x`, and neither `m` nor `h` can be kept from passing any",
            "this is `data-only`",
            "by this `m` passes descriptors where no filter sees it",
            "`h` holds `o.z`, and descriptors may cross that",
        ],
    );
    // Over another facet of the same two they may, so that nothing keeps them from it.
    refused(
        &(maker("provides y socket=\"/run/m/y\"") + &holder("h", "holds m.y")),
        &[
            "no descriptor may cross `m.x`, and neither `m` nor `h` can be kept from passing any",
            "this is `data-only`",
            "descriptors may cross `m.y`",
            "`h` holds `m.y`, and descriptors may cross that",
        ],
    );
}

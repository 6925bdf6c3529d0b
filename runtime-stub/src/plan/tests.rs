//! What a manifest comes to, without a kernel.

use super::*;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

const BEFORE: &str =
    "capc-manifest 1\nservice a\nmode root\nlandlock-abi 3\nuid 990 991\nhostname a\nnetwork private\n";
const FILTER: &str = "bpf 6 0 0 2147418112\n";
const AFTER: &str = "workdir /\nready started\nrun /bin/a\nend\n";

fn with_plan<T>(text: &str, look: impl FnOnce(Result<&Plan<'_>, Refusal<'_>>) -> T) -> T {
    let manifest = Manifest::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut memory = vec![0; 1 << 20];
    look(plan(&manifest, Arena::new(&mut memory)))
}

/// Checks the places that come of these lines: each as `at ground`, or a refusal.
#[track_caller]
fn check(lines: &str, expected: &str) {
    let (places, rest) = lines.split_once("--\n").unwrap_or((lines, ""));
    let text = format!("{BEFORE}{places}proc\n{rest}{FILTER}{AFTER}");
    let answer = with_plan(&text, |plan| match plan {
        Ok(plan) => {
            let shown = |place: &Place| format!("{}{:?}", place.at.to_str().unwrap(), place.ground);
            plan.places.iter().map(shown).collect::<Vec<String>>().join(" ")
        }
        Err(refusal) => refusal.to_string(),
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_place_comes_after_those_that_it_lies_in() {
    check(
        "tmpfs /a 4096 755\ntmpfs /a-b 4096 755\nimage /usr /usr\ngrant /a/b/c /x dir ro noexec plain\ngrant /usr/d /y dir ro noexec plain\n",
        "/aOurs /a/b/cOurs /a-bOurs /procOurs /usrOurs /usr/dGiven",
    );
    check(
        "text /i/j/t 644 %\nimage /i /i\ngrant /i/j /x dir rw noexec plain\n",
        "/iOurs /i/jGiven /i/j/tGiven /procOurs",
    );
}

#[test]
fn places_are_put_in_order_however_they_come() {
    for count in (1..40).chain([1009]) {
        for step in [1, 7, 31, 500] {
            // Without a common divisor every number comes once.
            let numbers: Vec<usize> = (0..count).map(|at| (at * step + 3) % count).collect();
            let all_differ = numbers.iter().collect::<std::collections::BTreeSet<_>>().len() == count;
            if !all_differ {
                continue;
            }
            let lines: String =
                numbers.iter().map(|number| format!("tmpfs /a{number:04} 4096 755\n")).collect();
            let mut expected: Vec<String> = (0..count).map(|number| format!("/a{number:04}Ours")).collect();
            expected.push("/procOurs".to_string());
            check(&lines, &expected.join(" "));
        }
    }
}

#[test]
fn places_that_contradict_each_other_are_refused() {
    check("tmpfs /a 4096 755\nlink /a b\n", "place: /a: two things claim it");
    check(
        "text /a 644 %\ngrant /a/b /x dir ro noexec plain\n",
        "place: /a/b: it lies in something that holds no places",
    );
    check(
        "grant /proc/a /x dir ro noexec plain\n",
        "place: /proc/a: it lies in something that holds no places",
    );
    check("link /i/l x\nimage /i /i\n", "place: /i/l: it cannot stand in something granted");
    check("image / /\n", "place: /: the root itself is nobody's to fill");
    check(
        "facet /run/x k hold 1 1\nunlink /run/x/s\n",
        "facet: /run/x/s: it lies in no directory that the service makes facets in",
    );
    check("facet /run/x k make 990 991\nunlink /run/x/s\n", "/procOurs /run/xOurs");
}

#[test]
fn no_layer_can_be_left_out() {
    let text = format!("{BEFORE}proc\n{AFTER}");
    assert_eq!(
        with_plan(&text, |plan| plan.err().unwrap().to_string()),
        "seccomp: the manifest has no program"
    );
}

#[test]
fn strings_are_what_was_written() {
    let rest =
        "env A b%20c\nworkdir /\nprepare /p\nprepare-arg -x\nready started\nrun /bin/a\narg %0A\nend\n";
    let text = format!(
        "{BEFORE}tmpfs /a%20b 4096 755\nproc\nallow /a read,create\nkeep 10\nkeep 33\n{FILTER}{rest}"
    );
    with_plan(&text, |plan| {
        let plan = plan.ok().unwrap();
        assert_eq!(plan.places[0].at, c"/a b");
        assert_eq!(plan.kept, 1 << 10 | 1 << 33);
        assert_eq!((plan.run.at, plan.prepare.unwrap().at), (c"/bin/a", c"/p"));
        assert_eq!(plan.rules, [Rule { at: c"/a", rights: Rights::READ.or(Rights::CREATE) }]);
        assert_eq!(plan.outside, plan.identity);
    });
    let text = text.replace("mode root", "mode user").replace("keep 10\nkeep 33\n", "");
    with_plan(&text, |plan| assert_eq!(plan.ok().unwrap().outside, Identity { uid: 0, gid: 0 }));
}

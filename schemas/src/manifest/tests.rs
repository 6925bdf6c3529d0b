//! What a manifest may say, and that it may say it in one way only.

use super::*;
use std::string::{String, ToString};
use std::vec::Vec;

const WHOLE: &str = include_str!("../../samples/v1/whole.manifest");

#[track_caller]
fn check(text: &str, expected: &str) {
    let answer =
        Manifest::parse(text.as_bytes()).map_or_else(|error| error.to_string(), |_| "read".to_string());
    assert!(answer.contains(expected), "{answer:?} does not say {expected:?}");
}

fn without(word: &str) -> String {
    WHOLE
        .lines()
        .filter(|line| line.split(' ').next() != Some(word))
        .map(|line| line.to_string() + "\n")
        .collect()
}

#[test]
fn every_kind_of_line_is_read_and_written_again_byte_for_byte() {
    let manifest = Manifest::parse(WHOLE.as_bytes()).unwrap();
    let mut written = String::new();
    manifest.lines().for_each(|line| line.write(&mut written).unwrap());
    assert_eq!(written, WHOLE);
    assert_eq!(manifest.service().text(), "shop/nginx");
    let mut kinds: Vec<Kind> = manifest.lines().map(|line| line.kind()).collect();
    kinds.dedup();
    assert_eq!(kinds, Kind::ALL, "the sample shows every kind");
}

#[test]
fn no_changed_byte_reads_as_the_same_manifest() {
    let lines: Vec<Line> = Manifest::parse(WHOLE.as_bytes()).unwrap().lines().collect();
    let mut text = WHOLE.as_bytes().to_vec();
    for at in 0..text.len() {
        for flip in [1, 2, 0x20, 0x80] {
            text[at] ^= flip;
            if let Ok(manifest) = Manifest::parse(&text) {
                assert!(!manifest.lines().eq(lines.iter().copied()), "byte {at} xor {flip}");
                let mut written = String::new();
                manifest.lines().for_each(|line| line.write(&mut written).unwrap());
                assert_eq!(written.as_bytes(), text);
            }
            text[at] ^= flip;
        }
    }
    for length in 0..text.len() {
        assert!(Manifest::parse(&text[..length]).is_err());
    }
}

#[test]
fn order_and_multiplicity_hold() {
    check("", "`capc-manifest` is missing");
    check("capc-manifest 2\n", "another version");
    for kind in Kind::ALL {
        let text = without(kind.word());
        match (kind, kind.times()) {
            (_, Times::Once) => check(&text, &std::format!("`{}` is missing", kind.word())),
            (Kind::Notify, _) => check(&text, "`notify` is missing"),
            (Kind::Prepare, _) => check(&text, "`prepare-arg` stands without"),
            _ => check(&text, "read"),
        }
    }
    check(&WHOLE.replace("hostname nginx\n", "hostname nginx\nhostname nginx\n"), "`hostname` stands twice");
    check(&WHOLE.replace("end\n", "end\nend\n"), "`end` stands twice");
    check(&WHOLE.replace("end\n", "end\narg x\n"), "`arg` stands after");
    check(&WHOLE.replace("end\n", "end"), "newline");
    check(&WHOLE.replace("end\n", "unknown\nend\n"), "a word that begins no line");
}

#[test]
fn a_second_spelling_is_refused() {
    for (word, wrong) in [
        ("uid 990 991", "uid 0990 991"),
        ("uid 990 991", "uid +990 991"),
        ("uid 990 991", "uid  990 991"),
        ("uid 990 991", "uid 990 991 "),
        ("uid 990 991", "uid 990 4294967296"),
        ("tmpfs /tmp 67108864 1777", "tmpfs /tmp 67108864 01777"),
        ("tmpfs /tmp 67108864 1777", "tmpfs /tmp 67108864 4777"),
        ("tmpfs /tmp 67108864 1777", "tmpfs /tmp/ 67108864 1777"),
        ("groups 33 34", "groups 33  34"),
        ("groups 33 34", "groups"),
        ("allow /srv/www read", "allow /srv/www modify,read"),
        ("allow /srv/www read", "allow /srv/www read,read"),
        ("allow /srv/www read", "allow /srv/www %"),
        ("facet /run/x shop.x make", "facet /run/x shop/x make"),
        ("rlimit nofile", "rlimit files"),
    ] {
        assert!(WHOLE.contains(word), "{word}");
        check(&WHOLE.replacen(word, wrong, 1), "not written in the one way");
    }
}

#[test]
fn a_plain_user_is_promised_nothing_of_roots() {
    let text = WHOLE.replace("mode root", "mode user");
    check(&text, "`groups` asks for what only root");
    let text = text.replace("groups 33 34\n", "");
    check(&text, "`grant` asks for what only root");
    let text = text.replace(" 33:33\n", " plain\n");
    check(&text, "`keep` asks for what only root");
    check(&text.replace("keep 10\n", ""), "read");
}

#[test]
fn descriptors_ascend_and_strings_hold_no_nul() {
    check(&WHOLE.replace("descriptor 5", "descriptor 3"), "ascend");
    check(&WHOLE.replace("descriptor 3", "descriptor 2"), "ascend");
    check(&WHOLE.replace("arg daemon%20off;", "arg %00"), "not written");
    check(&WHOLE.replace("env NGINX ", "env NGINX= "), "not written");
    check(&WHOLE.replace("ready notify", "ready started"), "`notify` stands without");
}

// Instructions are read by a way of their own; it takes what the general one takes, and nothing else.
#[test]
fn instructions_have_one_spelling() {
    let numbers = ["0", "1", "255", "256", "65535", "65536", "4294967295", "4294967296", "99999999999"];
    let others = ["", "00", "01", "+1", "-1", "1 ", " 1", "1x", "0x1", "１"];
    for (place, most) in [u64::from(u16::MAX), 255, 255, u64::from(u32::MAX)].into_iter().enumerate() {
        for word in numbers.into_iter().chain(others) {
            let mut words = ["bpf", "2", "3", "4", "5"].map(String::from);
            words[place + 1] = word.to_string();
            let line = words.join(" ");
            let fits = numbers.contains(&word) && word.parse::<u64>().unwrap() <= most;
            match Line::parse(&line) {
                Ok(read) => {
                    let mut written = String::new();
                    read.write(&mut written).unwrap();
                    assert!(fits && written.trim_end() == line, "{line:?}");
                }
                Err(problem) => assert!(!fits && problem == Problem::BadValue(Kind::Bpf), "{line:?}"),
            }
        }
    }
    for line in ["bpf 1 2 3", "bpf 1 2 3 4 5", "bpf", "bpf  1 2 3 4", "bpf 1 2 3 4 "] {
        assert_eq!(Line::parse(line), Err(Problem::BadValue(Kind::Bpf)), "{line:?}");
    }
}

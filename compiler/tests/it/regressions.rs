//! Bytes that once broke something, or are of a kind that breaks readers, each a file below `fuzz/regressions/`.

use crate::scene::repository;

#[path = "../../../fuzz/judge.rs"]
mod judge;

#[track_caller]
fn check(target: &str, judge: fn(&[u8])) {
    let mut tried = 0;
    for entry in std::fs::read_dir(repository().join("fuzz/regressions").join(target)).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display());
        judge(&std::fs::read(path).unwrap());
        tried += 1;
    }
    assert!(tried > 0, "{target} has regressions");
}

#[test]
fn bytes_that_broke_the_reader_of_kdl_no_longer_do() {
    check("kdl", judge::kdl);
}

#[test]
fn bytes_that_broke_the_reader_of_toml_no_longer_do() {
    check("toml", judge::toml);
}

#[test]
fn bytes_that_broke_a_compilation_no_longer_do() {
    check("check", judge::check);
    check("kdl", judge::check);
}

#[test]
fn bytes_that_broke_a_reader_of_sealed_texts_no_longer_do() {
    check("seal", judge::seal);
    check("manifest", judge::manifest);
    check("sshsig", judge::sshsig);
    let sample = |name: &str| std::fs::read(repository().join("schemas/samples/v1").join(name)).unwrap();
    judge::seal(&sample("whole.seal"));
    judge::seal(&sample("fido.seal"));
    judge::manifest(&sample("whole.manifest"));
}

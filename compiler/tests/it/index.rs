//! What is read back from an index answers every question as the configuration itself does, byte for byte.

use crate::machine;
use crate::scene::{files_below, repository};
use capc::Compilation;
use capc::authority::Authority;
use capc::emit::selection::{Selection, Wanted};
use capc::emit::{dot, drawing, graph};
use capc::holdings::Holdings;
use capc::index::{Index, Restored, write};
use capc::model::{CapId, Model, SYSTEM};
use capc::query::{self, Breadth, Detail, Side};
use capc::resolve::Names;
use capc::source::{Files, RealFiles, SourceMap};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A configuration with what questions need of it.
struct Parts<'a> {
    model: &'a Model,
    holdings: &'a Holdings,
    names: &'a Names,
    sources: &'a SourceMap,
    authority: Authority<'a>,
}

/// Keeps one answer for people and for programs.
fn told(out: &mut Vec<String>, human: String, answer: &impl Serialize) {
    out.push(human);
    out.push(serde_json::to_string(answer).unwrap());
}

/// Every answer to every question; of something large, as many pairs as there is time for.
fn answers(parts: &Parts<'_>) -> Vec<String> {
    let Parts { model, holdings, names, sources, authority } = parts;
    let mut out = Vec::new();
    let order = query::order(model, &capc::order::waits(model, holdings), sources);
    told(&mut out, order.human(), &order);
    let all = Selection::new(authority, &Wanted::default());
    told(&mut out, dot::dot(&drawing::picture(authority, &all)), &graph::selected(authority, sources, &all));
    let capabilities: Vec<CapId> = (0..model.capabilities.len() as u32).map(CapId).collect();
    let subjects: Vec<_> = model.objects().filter(|(_, object)| object.is_subject()).collect();
    let step = 1 + subjects.len() * capabilities.len() / 60;
    for (at, capability) in capabilities.iter().enumerate() {
        let name = &model.capability(*capability).name;
        let who = query::who(authority, *capability, name);
        told(&mut out, who.human(), &who);
        for (subject, _) in subjects.iter().skip(at % step).step_by(step) {
            for breadth in [Breadth::Shortest, Breadth::All] {
                let why = query::why(authority, *subject, *capability, name, sources, breadth);
                told(&mut out, why.human(), &why);
            }
        }
    }
    for (subject, _) in &subjects {
        let what = query::what(authority, *subject);
        told(&mut out, what.human(), &what);
    }
    let known = names.known().map(|(name, capability)| format!("{name} {}", capability.0));
    out.extend(known);
    out
}

fn difference(old: &Parts<'_>, new: &Parts<'_>) -> [String; 2] {
    let sides = (Side::new(&old.authority, old.sources), Side::new(&new.authority, new.sources));
    let answer = query::diff(&sides.0, &sides.1, Detail::Pairs);
    [answer.human(), serde_json::to_string(&answer).unwrap()]
}

fn texts(sources: &SourceMap) -> impl Fn(&str) -> Option<Arc<str>> + '_ {
    |path| sources.files().find(|(_, file)| file.path == Path::new(path)).map(|(_, file)| file.text.clone())
}

/// Compares the answers of what was compiled with those of what was read back, and the two with something else.
#[track_caller]
fn check(parts: &Parts<'_>, other: Option<&Parts<'_>>, what: &str) {
    let files: Vec<String> = parts.sources.files().map(|(_, file)| file.name.clone()).collect();
    let bytes = write(&parts.authority, parts.names, parts.sources, &files);
    let index = Index::open(&bytes).unwrap();
    let read = |text: &dyn Fn(&str) -> Option<Arc<str>>| Restored::read(&index, text).unwrap();
    let (with_texts, without) = (read(&texts(parts.sources)), read(&|_| None));
    let expected = answers(parts);
    at_once(parts, &index, what);
    let sides = |other: &Parts<'_>, parts: &Parts<'_>| [difference(other, parts), difference(parts, other)];
    let expected_sides = other.map(|other| sides(other, parts));
    for (restored, has_texts) in [(with_texts, true), (without, false)] {
        let Restored { model, holdings, names, sources, drawn } = restored;
        let authority = Authority::restored(&model, &holdings, drawn);
        let read = Parts { model: &model, holdings: &holdings, names: &names, sources: &sources, authority };
        for (found, expected) in answers(&read).iter().zip(&expected) {
            assert_eq!(found, expected, "{what}");
        }
        assert_eq!(answers(&read).len(), expected.len(), "{what}");
        if has_texts {
            assert_eq!(other.map(|other| sides(other, &read)), expected_sides, "{what}");
        }
        let again = write(&read.authority, read.names, read.sources, &files);
        assert!(!has_texts || again == bytes, "{what}: what is read back is written as it was");
    }
}

/// Compares the answers that an index gives without being read back.
#[track_caller]
fn at_once(parts: &Parts<'_>, index: &Index<'_>, what: &str) {
    let Parts { model, names, sources, authority, .. } = parts;
    let lines = index.sources();
    for (subject, object) in model.objects() {
        let found = index.subject(&object.name);
        assert_eq!(found, Names::subject(model, &object.name), "{what}: {}", object.name);
        for at in (0..model.capabilities.len() as u32).filter(|_| object.is_subject()) {
            let name = &model.capability(CapId(at)).name;
            assert_eq!(index.capability(name), names.capability(model, name), "{what}: {name}");
            let found = query::why_held(index, subject, CapId(at), name, &lines);
            let expected = query::why_held(authority, subject, CapId(at), name, sources);
            let told = |answer: Option<query::WhyAnswer>| {
                answer.map(|answer| serde_json::to_string(&answer).unwrap())
            };
            assert_eq!(told(found), told(expected), "{what}: {} {name}", object.name);
        }
    }
    assert_eq!((index.subject("no such"), index.capability("no such")), (None, None));
}

/// Compiles a file; none when its names do not resolve.
fn compiled(path: &Path) -> Option<Compilation> {
    let compilation = capc::compile(&RealFiles, path, &path.to_string_lossy());
    (compilation.has_answers() && compilation.parts().is_some()).then_some(compilation)
}

fn parts(compilation: &Compilation) -> Parts<'_> {
    let (model, holdings) = compilation.parts().unwrap();
    let authority = Authority::new(model, holdings, SYSTEM);
    Parts { model, holdings, names: &compilation.names, sources: &compilation.sources, authority }
}

#[test]
fn every_answer_from_an_index_is_that_of_the_configuration() {
    let mut before: Option<Compilation> = None;
    let mut tried = 0;
    for below in ["accept", "system", "diff"] {
        for extension in ["kdl", "toml"] {
            for path in files_below(&repository().join("testdata").join(below), extension) {
                let Some(compilation) = compiled(&path) else { continue };
                let other = before.as_ref().map(parts);
                check(&parts(&compilation), other.as_ref(), &path.to_string_lossy());
                before = Some(compilation);
                tried += 1;
            }
        }
    }
    assert!(tried > 30, "{tried}");
}

#[test]
fn so_it_is_for_random_machines_that_use_every_rule() {
    for seed in 0..10 {
        let model = machine::random(seed);
        let holdings = capc::holdings::derive(&model);
        let authority = Authority::new(&model, &holdings, SYSTEM);
        let mut sources = SourceMap::default();
        sources.add("random.kdl".to_owned(), PathBuf::from("/random.kdl"), "word\n".repeat(2000).into());
        let names = Names::default();
        let parts = Parts { model: &model, holdings: &holdings, names: &names, sources: &sources, authority };
        check(&parts, None, &format!("seed {seed}"));
    }
}

// A generation's digest guards its index; whatever else lies there must be refused and not break anything.
#[test]
fn a_damaged_index_is_refused_or_answers_and_never_breaks_anything() {
    let path = repository().join("testdata/system/web/system.kdl");
    let compilation = compiled(&path).unwrap();
    let parts = parts(&compilation);
    let bytes = write(&parts.authority, parts.names, parts.sources, &["system.kdl".to_owned()]);
    let read = |bytes: &[u8]| Restored::read(&Index::open(bytes)?, |_| None);
    for length in (0..bytes.len()).step_by(3) {
        assert!(read(&bytes[..length]).is_err(), "{length} bytes are too few");
    }
    assert!(read(&[&bytes[..], b"\0"].concat()).is_err(), "something stands after the end");
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(5) {
        for value in [bytes[at] ^ 1, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            // Read where it lies, it breaks nothing either, whatever it then says.
            if let Ok(index) = Index::open(&damaged) {
                let ids = (index.subject("client"), index.capability("site"));
                if let (Some(subject), Some(capability)) = ids {
                    let _ = query::why_held(&index, subject, capability, "site", &index.sources());
                }
            }
            let Ok(Restored { model, holdings, names, sources, drawn }) = read(&damaged) else {
                refused += 1;
                continue;
            };
            let authority = Authority::restored(&model, &holdings, drawn);
            let parts =
                Parts { model: &model, holdings: &holdings, names: &names, sources: &sources, authority };
            if at % 320 == 0 {
                answers(&parts);
            }
        }
    }
    assert!(refused > bytes.len() / 15, "{refused} of {}", bytes.len() / 5 * 2);
}

/// Files of a directory, as if they lay in `/etc/capc`.
struct InEtc(PathBuf);

impl Files for InEtc {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        RealFiles.read(&self.0.join(path.strip_prefix("/etc/capc").unwrap_or(path)))
    }
}

// Generations outlive the capc that sealed them. Whoever changes what an index says gives the format another number, and this
// sample (`testdata/index/FORMAT.index`, made where there is none) stays for as long as that format is read.
#[test]
fn an_index_that_was_sealed_before_is_read_as_it_was() {
    let sample = repository().join("testdata/index/1.index");
    if !sample.exists() {
        let path = Path::new("/etc/capc/everything.kdl");
        let compilation = capc::compile(&InEtc(repository().join("testdata/accept")), path, "everything.kdl");
        let parts = parts(&compilation);
        let bytes = write(&parts.authority, parts.names, parts.sources, &["everything.kdl".to_owned()]);
        std::fs::create_dir_all(sample.parent().unwrap()).unwrap();
        std::fs::write(&sample, bytes).unwrap();
    }
    let bytes = std::fs::read(&sample).unwrap();
    let Restored { model, holdings, sources, drawn, .. } =
        Restored::read(&Index::open(&bytes).unwrap(), |_| None).unwrap();
    let authority = Authority::restored(&model, &holdings, drawn);
    let subjects = model.objects().filter(|(_, object)| object.is_subject());
    let mut told: Vec<String> = subjects.map(|(id, _)| query::what(&authority, id).human()).collect();
    told.push(query::order(&model, &capc::order::waits(&model, &holdings), &sources).human());
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../../../testdata/snapshots" }, {
        insta::assert_snapshot!("an_index_that_was_sealed_before", told.join("\n"));
    });
}

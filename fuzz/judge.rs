//! What must hold for any bytes; the fuzz targets look for bytes for which it does not, and the tests try those that were
//! found once.

#![allow(dead_code, reason = "each target uses its own part")]

use capc::authority::Authority;
use capc::emit::found::found as listed;
use capc::emit::report::{self, Colour};
use capc::emit::selection::{Selection, Wanted};
use capc::emit::{diagnostics, dot, drawing, github, graph, mermaid, sarif, svg};
use capc::model::SYSTEM;
use capc::resolve::Names;
use capc::source::Files;
use capc::syntax::SyntaxError;
use capc::syntax::tree::Tree;
use capc_schemas::manifest::Manifest;
use capc_schemas::seal::{ScopeKind, Seal};
use capc_schemas::sshsig;
use std::path::Path;
use std::sync::Arc;

/// The reader of KDL reads to the end, and what it underlines is in the text.
pub fn kdl(bytes: &[u8]) {
    reader(bytes, capc::syntax::kdl::read);
}

/// So does the reader of TOML; what it makes of a file is compiled like any other.
pub fn toml(bytes: &[u8]) {
    reader(bytes, capc::syntax::toml::read);
    compiles(bytes, "/fuzz/system.toml");
}

fn reader(bytes: &[u8], read: fn(Arc<str>) -> (Tree, Vec<SyntaxError>)) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (tree, errors) = read(Arc::from(text));
    for error in errors {
        let range = error.range.start as usize..error.range.end as usize;
        assert!(text.get(range).is_some(), "{error:?} underlines no text");
        assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error:?}");
    }
    let mut deepest = vec![tree.roots()];
    while let Some(nodes) = deepest.last_mut() {
        let Some(node) = nodes.next() else {
            deepest.pop();
            continue;
        };
        assert!(text.get(tree.name_range(node).as_usize()).is_some());
        for entry in tree.entries(node) {
            assert!(text.get(entry.range.as_usize()).is_some());
        }
        deepest.push(tree.children(node));
    }
}

/// One file, and nothing beside it.
struct OneFile<'a>(&'a str, &'a [u8]);

impl Files for OneFile<'_> {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        match path == Path::new(self.0) {
            true => Ok(self.1.to_vec()),
            false => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

/// A configuration is compiled to its end, every place is one, the same bytes give the same answer, and questions about what
/// resolves are answered.
pub fn check(bytes: &[u8]) {
    compiles(bytes, "/fuzz/system.kdl");
}

fn compiles(bytes: &[u8], path: &str) {
    let compile = || capc::compile(&OneFile(path, bytes), Path::new(path), "system");
    let compilation = compile();
    let found = json(&compilation);
    for diagnostic in found["diagnostics"].as_array().unwrap_or(&Vec::new()) {
        for label in diagnostic["labels"].as_array().unwrap_or(&Vec::new()) {
            let number = |key: &str| label[key].as_u64().unwrap_or(0);
            assert!(number("line") >= 1 && number("column") >= 1, "{label}");
            let (begin, end) =
                ((number("line"), number("column")), (number("end_line"), number("end_column")));
            assert!(begin <= end, "{label}");
        }
    }
    let human = report::human(&compilation.diagnostics, &compilation.sources, Colour::Off, 100);
    let all = listed([(&*compilation.diagnostics, &compilation.sources)]);
    let sarif = serde_json::to_string(&sarif::log(&all, Path::new("/fuzz"))).unwrap_or_default();
    assert!(sarif.len() > 2, "SARIF has room for everything");
    for text in [human, report::plain(&all), github::commands(&all, Path::new("/fuzz"))] {
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\0']), "a report moves no cursor");
    }
    assert_eq!(found, json(&compile()), "the same input gives the same answer");
    if let (Some(model), Some(holdings), true) =
        (&compilation.model, &compilation.holdings, compilation.resolves)
    {
        let authority = Authority::new(model, holdings, SYSTEM);
        let capabilities = compilation.names.capabilities(model).take(3);
        for id in capabilities.filter_map(|name| compilation.names.capability(model, name)) {
            let answer = capc::query::who(&authority, id, "asked");
            assert!(!answer.human().is_empty());
        }
        for id in Names::subjects(model).take(3).filter_map(|name| Names::subject(model, name)) {
            assert!(!capc::query::what(&authority, id).human().is_empty());
        }
        assert!(serde_json::to_string(&graph::document(model, holdings, &compilation.sources)).is_ok());
        let all = Selection::new(&authority, &Wanted::default());
        let picture = drawing::picture(&authority, &all);
        assert!(dot::dot(&picture).ends_with("}\n"));
        assert!(svg::svg(&picture).ends_with("</svg>\n"));
        assert!(mermaid::mermaid(&picture).starts_with("flowchart"));
    }
}

/// A SEAL that reads would be written again byte for byte, and knows each of its files.
pub fn seal(bytes: &[u8]) {
    let Ok(seal) = Seal::parse(bytes) else { return };
    let mut written = String::new();
    let parts = (seal.signers(), seal.sources(), seal.entries());
    let done = capc_schemas::seal::write(&mut written, &seal.header, parts.0, parts.1, parts.2);
    assert!(done.is_ok() && written.as_bytes() == bytes, "what is read is what is written");
    assert!(seal.entries().all(|entry| seal.digest_of(entry.path) == Some(entry.digest)));
}

/// So would a manifest, line by line.
pub fn manifest(bytes: &[u8]) {
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    let mut written = String::new();
    let done = manifest.lines().try_for_each(|line| line.write(&mut written));
    assert!(done.is_ok() && written.as_bytes() == bytes, "what is read is what is written");
}

/// So would a signature file, whosever it claims to be; and but for the signer's own, none is good.
pub fn sshsig(bytes: &[u8]) {
    let key = capc::seal::MemoryKey::new(&[7; 32]);
    let namespace = ScopeKind::System.namespace();
    for signer in [key.public()].into_iter().chain(sshsig::claimed_signer(bytes, namespace)) {
        let Some((signature, rest)) = sshsig::signature_of(bytes, namespace, &signer) else { continue };
        let mut written = String::new();
        let done = sshsig::write(&mut written, namespace, &signer, &signature);
        assert!(
            done.is_ok() && [written.as_bytes(), rest].concat() == bytes,
            "what is read is what is written"
        );
    }
    let only = capc::seal::Signers::all(&[key.public()]);
    if only.is_some_and(|only| capc::seal::verify(b"sealed\n", bytes, &only).is_ok()) {
        assert_eq!(bytes, key.sign(b"sealed\n").as_bytes(), "nobody else signs");
    }
}

fn json(compilation: &capc::Compilation) -> serde_json::Value {
    let document = diagnostics::document(
        &listed([(&*compilation.diagnostics, &compilation.sources)]),
        compilation.summary(),
    );
    serde_json::to_value(&document).unwrap_or_default()
}

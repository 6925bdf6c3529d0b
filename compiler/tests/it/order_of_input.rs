//! The law that permuting declarations changes no byte of output, but for the lines that it speaks of.

use crate::machine::Dice;
use crate::scene::repository;
use capc::authority::Authority;
use capc::model::{CapId, ObjectId, SYSTEM};
use capc::source::Files;
use capc::{Compilation, emit, query};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Every file as it is on disk, but for one.
struct Shuffled {
    path: PathBuf,
    text: String,
}

impl Files for Shuffled {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == self.path { Ok(self.text.clone().into_bytes()) } else { std::fs::read(path) }
    }
}

/// Returns the top-level statements of a fixture: lines, up to where all braces are closed.
fn statements(text: &str) -> Vec<String> {
    let (mut statements, mut open) = (vec![String::new()], 0i32);
    for line in text.lines() {
        let code = line.split("//").next().unwrap();
        let last = statements.last_mut().unwrap();
        last.push_str(line);
        last.push('\n');
        open += code.matches('{').count() as i32 - code.matches('}').count() as i32;
        if open == 0 && !code.trim().is_empty() {
            statements.push(String::new());
        }
    }
    statements
}

fn shuffle(dice: &mut Dice, text: &str) -> String {
    let mut all = statements(text);
    let header = all.remove(0);
    for at in (1..all.len()).rev() {
        all.swap(at, dice.below(at + 1));
    }
    header + &all.join("\n")
}

/// Leaves out what names a place, and by which of several equally short ways something is held.
fn without_places(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for place in ["file", "line", "column", "end_line", "end_column", "via", "steps"] {
                fields.remove(place);
            }
            fields.values_mut().for_each(without_places);
        }
        Value::Array(items) => {
            items.iter_mut().for_each(without_places);
            if items.iter().any(Value::is_object) {
                let sorted: BTreeSet<String> = items.iter().map(Value::to_string).collect();
                *items = sorted.into_iter().map(Value::String).collect();
            }
        }
        _ => {}
    }
}

/// Returns everything that is said about a configuration, without places.
fn said(compilation: &Compilation) -> Vec<String> {
    let (Some(model), Some(holdings)) = (&compilation.model, &compilation.holdings) else {
        return Vec::new();
    };
    let mut documents = vec![
        serde_json::to_value(emit::graph::document(model, holdings, &compilation.sources)).unwrap(),
        serde_json::to_value(query::order(model, &capc::order::waits(model, holdings), &compilation.sources))
            .unwrap(),
    ];
    let authority = Authority::new(model, holdings, SYSTEM);
    // Ids depend on the order of the input, names do not.
    let mut capabilities: Vec<(&str, CapId)> = Vec::new();
    for (index, known) in model.capabilities.iter().enumerate() {
        capabilities.push((&known.name, CapId(index as u32)));
    }
    capabilities.sort();
    for (name, capability) in capabilities {
        documents.push(serde_json::to_value(query::who(&authority, capability, name)).unwrap());
    }
    let subjects = model.objects().filter(|(_, object)| object.is_subject());
    let mut subjects: Vec<(&str, ObjectId)> = subjects.map(|(id, object)| (&*object.name, id)).collect();
    subjects.sort();
    for (_, subject) in subjects {
        documents.push(serde_json::to_value(query::what(&authority, subject)).unwrap());
    }
    if let Some(checked) = &compilation.checked {
        let certificate = capc::certificate::issue(model, holdings, checked.grounds());
        assert_eq!(capc::certificate::confirm(model, holdings, &certificate), Ok(()));
        documents.push(serde_json::to_value(certificate).unwrap());
    }
    documents.iter_mut().for_each(without_places);
    let codes: BTreeSet<&str> =
        compilation.diagnostics.iter().map(|diagnostic| diagnostic.code.word()).collect();
    documents.into_iter().map(|document| document.to_string()).chain([format!("{codes:?}")]).collect()
}

#[test]
fn permuting_declarations_changes_no_byte_of_output() {
    let mut dice = Dice::new(0x5417);
    let data = repository().join("testdata");
    let mut files = vec![data.join("system/web/system.kdl"), data.join("system/hello/system.kdl")];
    let accepted = std::fs::read_dir(data.join("accept")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(accepted.filter(|path| path.extension().is_some_and(|extension| extension == "kdl")));
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let compiled = |text: &str| {
            let files = Shuffled { path: path.clone(), text: text.to_owned() };
            said(&capc::compile(&files, &path, "x.kdl"))
        };
        let expected = compiled(&text);
        for _ in 0..5 {
            let shuffled = shuffle(&mut dice, &text);
            for (found, expected) in compiled(&shuffled).iter().zip(&expected) {
                assert_eq!(found, expected, "{}:\n{shuffled}", path.display());
            }
            assert_eq!(compiled(&shuffled).len(), expected.len(), "{}:\n{shuffled}", path.display());
        }
    }
}

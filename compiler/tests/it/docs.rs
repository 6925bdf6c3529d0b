//! What the documents show is what capc does.

use crate::scene::{Scene, repository};
use capc::diag::Code;
use capc::syntax::vocabulary::{FILE, Several, Slot, Word};
use capc::syntax::{Language, print};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Returns the KDL examples of a page.
fn examples(page: &Path) -> Vec<String> {
    blocks(page, "```kdl\n")
}

fn blocks(page: &Path, opening: &str) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split(opening).skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn each_code_has_a_page_whose_first_example_shows_it_and_whose_second_passes() {
    let scene = Scene::new("docs");
    for code in Code::ALL {
        let page = repository().join(format!("docs/diagnostics/{}.md", code.word()));
        let shown = scene.capc(["explain", code.word()]).exits(0);
        assert_eq!(shown.out, std::fs::read_to_string(&page).unwrap());
        // Besides what it shows a page of an error may be warned about.
        let counts = |word: &str| Code::named(word).is_some_and(|found| code.is_lint() || !found.is_lint());
        let check = |name: &str, example: &str, status| {
            let path = scene.write(name, example);
            let run = scene.capc(["check".as_ref(), "--format".as_ref(), "plain".as_ref(), path.as_os_str()]);
            let run = run.exits(status);
            run.out
                .lines()
                .filter_map(|line| line.split(": ").nth(1))
                .filter(|word| counts(word))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        match examples(&page).as_slice() {
            [] => {
                let excused = matches!(code, Code::ModuleCycle | Code::Refused);
                assert!(excused, "{} has no example", code.word());
            }
            [shown, instead] => {
                let status = if code.is_lint() { 0 } else { 1 };
                assert_eq!(check("shown.kdl", shown, status), [code.word()]);
                assert_eq!(check("instead.kdl", instead, 0), Vec::<String>::new(), "{}", code.word());
            }
            others => panic!("{} has {} examples", code.word(), others.len()),
        }
    }
}

#[test]
fn the_examples_of_the_language_page_compile() {
    let scene = Scene::new("language");
    let page = repository().join("docs/language.md");
    let examples = examples(&page);
    assert!(!examples.is_empty());
    for (number, example) in examples.iter().enumerate() {
        let path = scene.write(&format!("{number}.kdl"), example);
        scene.capc(["check".as_ref(), path.as_os_str()]).exits(0);
    }
}

#[test]
fn the_examples_in_toml_compile() {
    let scene = Scene::new("language-toml");
    let examples = blocks(&repository().join("docs/language.md"), "```toml\n");
    assert!(!examples.is_empty());
    for (number, example) in examples.iter().enumerate() {
        let path = scene.write(&format!("{number}.toml"), example);
        scene.capc(["check".as_ref(), path.as_os_str()]).exits(0);
        assert_eq!(&tidied(example, Language::Toml), example);
    }
}

fn tidied(text: &str, language: Language) -> String {
    print::tidied(&language.read(text.into()).0, text, language).unwrap()
}

/// Returns every page there is.
fn pages() -> Vec<PathBuf> {
    let root = repository();
    let mut pages = vec![root.join("README.md")];
    for directory in ["docs", "docs/diagnostics"] {
        let entries = std::fs::read_dir(root.join(directory)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    pages.sort();
    pages
}

#[test]
fn every_example_says_the_same_in_toml() {
    let scene = Scene::new("both");
    let mut compared = 0;
    for page in pages() {
        for example in examples(&page) {
            let (tree, errors) = Language::Kdl.read(example.as_str().into());
            let codes = |name: &str, text: &str| {
                let path = scene.write(name, text);
                let mut codes: Vec<&str> = capc::compile(&capc::source::RealFiles, &path, name)
                    .diagnostics
                    .iter()
                    .map(|found| found.code.word())
                    .collect();
                codes.sort_unstable();
                codes
            };
            let expected = codes("x.kdl", &example);
            match print::converted(&tree, &example, Language::Kdl) {
                Ok(toml) if errors.is_empty() => {
                    assert_eq!(codes("x.toml", &toml), expected, "{}\n{toml}", page.display());
                    compared += 1;
                }
                // What is no statement has no form in TOML.
                _ => assert!(
                    ["syntax", "unknown-word"].iter().any(|code| expected.contains(code)),
                    "{example}"
                ),
            }
        }
    }
    assert!(compared > 30, "{compared}");
}

#[test]
fn the_tables_of_the_language_page_are_those_of_the_reader() {
    let page = std::fs::read_to_string(repository().join("docs/language.md")).unwrap();
    let mut tables = String::new();
    table(&mut tables, "A file", FILE, "");
    for word in FILE.iter().filter(|word| !word.body.is_empty() && word.name != "program") {
        let title = if word.name == "service" {
            "`service` and `program`".to_owned()
        } else {
            format!("`{}`", word.name)
        };
        table(&mut tables, &title, word.body, word.name);
        for inner in word.body.iter().filter(|inner| !inner.body.is_empty()) {
            table(&mut tables, &format!("`{}`", inner.name), inner.body, word.name);
        }
    }
    assert!(page.contains(&tables), "docs/language.md should say\n{tables}");
}

fn table(out: &mut String, title: &str, words: &[Word], within: &str) {
    writeln!(out, "| {title} | in TOML | its words | its properties |\n| --- | --- | --- | --- |").unwrap();
    for word in words {
        let name = word.name;
        let statement = if word.is_named { format!("{name} NAME") } else { name.to_owned() };
        let mut slots: Vec<String> = Vec::new();
        for slot in word.slots {
            slots.push(match slot {
                Slot::One(key, _) => format!("`{key}`"),
                Slot::Rest(key, _) => format!("`{key}` (an array)"),
                Slot::Verb(keys) => {
                    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or ")
                }
            });
        }
        let properties: Vec<String> = word.properties.names().map(|name| format!("`{name}`")).collect();
        let properties = match word.properties {
            capc::syntax::vocabulary::Properties::Own(_) => "any".to_owned(),
            capc::syntax::vocabulary::Properties::Only(_) => properties.join(" "),
        };
        let is_alone = word.slots.len() == 1 && properties.is_empty();
        let form = match (word.is_named, within.is_empty()) {
            (true, true) => format!("[{name}.NAME]"),
            (true, false) => format!("[{within}.….{name}.NAME]"),
            _ if word.is_flag() => format!("{name} = true"),
            _ if is_alone => match word.slots {
                [Slot::Rest(..)] => format!("{name} = [\"…\"]"),
                _ => format!("{name} = \"…\""),
            },
            (false, true) if word.several == Several::Often => format!("[[{name}]]"),
            (false, true) => format!("[{name}]"),
            (false, false) if word.several == Several::Often => format!("{name} = [{{ … }}]"),
            (false, false) => format!("{name} = {{ … }}"),
        };
        writeln!(out, "| `{statement}` | `{form}` | {} | {properties} |", slots.join(", ")).unwrap();
    }
    out.push('\n');
}

//! `capc fmt`: what it writes says the same, in either language, and it writes with care.

use crate::scene::{Scene, repository};
use capc::diag::Code;
use capc::emit::graph;
use capc::source::{Files, RealFiles};
use capc::syntax::{Language, print};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The files of the machine, but for one.
struct Instead {
    path: PathBuf,
    text: String,
}

impl Files for Instead {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path == self.path {
            true => Ok(self.text.clone().into_bytes()),
            false => RealFiles.read(path),
        }
    }
}

/// Returns what a text means in the place of a file: its graph and the codes of what is wrong, all without places.
fn meaning(path: &Path, text: &str) -> String {
    let files = Instead { path: path.to_owned(), text: text.to_owned() };
    let compilation = capc::compile(&files, path, "x");
    let mut codes: Vec<&str> =
        compilation.diagnostics.iter().map(|diagnostic| diagnostic.code.word()).collect();
    codes.sort_unstable();
    let graph = match (&compilation.model, &compilation.holdings) {
        (Some(model), Some(holdings)) => {
            let document = graph::document(model, holdings, &compilation.sources);
            let mut graph = without_places(serde_json::to_value(document).unwrap());
            graph["edges"] = joined(&graph["edges"]);
            graph
        }
        _ => Value::Null,
    };
    format!("{codes:?}\n{graph:#}")
}

/// Returns edges with all that they carry together: of two, the graph keeps apart what stands at different places.
fn joined(edges: &Value) -> Value {
    let mut joined: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for edge in edges.as_array().unwrap() {
        let carries = edge["carries"].as_array().unwrap().iter().map(ToString::to_string);
        let ends = format!("{} {} {}", edge["from"], edge["rule"], edge["to"]);
        joined.entry(ends).or_default().extend(carries);
    }
    serde_json::to_value(joined).unwrap()
}

/// Leaves out where something is written, and which of several equal derivations came first there.
fn without_places(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let placed = ["file", "line", "text", "steps", "via"];
            let fields = fields.into_iter().filter(|(name, _)| !placed.contains(&name.as_str()));
            Value::Object(fields.map(|(name, value)| (name, without_places(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_places).collect()),
        other => other,
    }
}

/// Returns every fixture that is well-formed, with its language.
fn fixtures() -> Vec<(PathBuf, String, Language)> {
    let mut found = Vec::new();
    let mut directories = vec![repository().join("testdata").canonicalize().unwrap()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "kdl" || extension == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let language = Language::of(&path);
                if language.read(text.as_str().into()).1.is_empty() {
                    found.push((path, text, language));
                }
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(found.len() > 60, "there are fixtures");
    found
}

#[track_caller]
fn tidied(text: &str, language: Language) -> String {
    print::tidied(&language.read(text.into()).0, text, language).unwrap()
}

#[track_caller]
fn converted(text: &str, from: Language) -> String {
    print::converted(&from.read(text.into()).0, text, from).unwrap()
}

#[test]
fn a_file_in_order_stays_as_it_is_and_means_the_same() {
    for (path, text, language) in fixtures() {
        let once = tidied(&text, language);
        assert_eq!(tidied(&once, language), once, "{}", path.display());
        assert_eq!(meaning(&path, &once), meaning(&path, &text), "{}", path.display());
    }
}

#[test]
fn a_file_means_the_same_in_the_other_language_and_back() {
    let (mut there, mut back) = (0, 0);
    for (path, text, language) in fixtures() {
        // A file that uses itself does so under its own name.
        if path.to_string_lossy().contains("/module-cycle/modules/") {
            continue;
        }
        let (other, extension) = match language {
            Language::Kdl => (Language::Toml, "toml"),
            Language::Toml => (Language::Kdl, "kdl"),
        };
        let Ok(said) = print::converted(&language.read(text.as_str().into()).0, &text, language) else {
            assert!(path.to_string_lossy().contains("/unknown-word/"), "{}", path.display());
            continue;
        };
        assert_eq!(tidied(&said, other), said, "{}", path.display());
        let expected = meaning(&path, &text);
        assert_eq!(meaning(&path.with_extension(extension), &said), expected, "{}\n{said}", path.display());
        there += 1;
        // What is no word has no form in TOML.
        if said.contains("#null") {
            continue;
        }
        let again = converted(&said, other);
        assert_eq!(tidied(&again, language), again, "{}", path.display());
        assert_eq!(meaning(&path, &again), expected, "{}\n{again}", path.display());
        back += 1;
    }
    assert!(there > 60 && back > 60);
}

#[track_caller]
fn check_kdl(text: &str, expected: &str) {
    assert_eq!(tidied(text, Language::Kdl), expected);
    assert_eq!(tidied(expected, Language::Kdl), expected);
}

#[track_caller]
fn check_toml(text: &str, expected: &str) {
    assert_eq!(tidied(text, Language::Toml), expected);
    assert_eq!(tidied(expected, Language::Toml), expected);
}

#[test]
fn kdl_is_indented_and_spaced() {
    check_kdl("a{b  1;c k = 2\n  }\n\n\n\n  d", "a {\n    b 1\n    c k=2\n}\n\nd\n");
    check_kdl("a {\n\n  b\n\n}\n", "a {\n    b\n}\n");
    check_kdl("\n\n", "");
    check_kdl("a \\\n 1 \\\n\nb", "a \\\n 1\n\nb\n");
}

#[test]
fn a_block_on_one_line_stays_there_if_it_fits() {
    check_kdl("a { b;c 1 }", "a { b; c 1; }\n");
    check_kdl("a {b {c}}", "a {\n    b { c; }\n}\n");
    let long = "x".repeat(90);
    check_kdl(&format!("a {{ b \"{long}\"; }}"), &format!("a {{\n    b \"{long}\"\n}}\n"));
    check_kdl("a {}", "a {}\n");
}

#[test]
fn comments_stay_where_they_are() {
    check_kdl(
        "// a\n\n/* b */ c { // d\n// e\n f   // g\n\n // h\n} // i\n// j",
        "// a\n\n/* b */\nc { // d\n    // e\n    f   // g\n\n    // h\n} // i\n// j\n",
    );
    check_toml(
        "#a\n\n\n b = [ # c\n'd' #e\n ,# f\n]#g\n# h",
        "#a\n\nb = [ # c\n    'd', #e\n    # f\n] #g\n# h\n",
    );
}

#[test]
fn what_is_commented_out_stays_so() {
    check_kdl("/-a {\n  b \"}\"\n}\n c", "/-a {\n  b \"}\"\n}\nc\n");
    check_kdl("a /-1 2;  b", "a /-1 2\nb\n");
    check_kdl("a {\n/- b; c\n}", "a {\n    /- b\n    c\n}\n");
    check_kdl("a /-{ b } { c }\nd", "a /-{ b } { c }\nd\n");
}

#[test]
fn texts_are_left_as_they_are_written() {
    check_kdl("a #\"b\"# \"\\u{e9}\" \"\"\"\n  c\n  \"\"\"", "a #\"b\"# \"\\u{e9}\" \"\"\"\n  c\n  \"\"\"\n");
    check_toml(
        "a=\"\"\"\n b = 1\n\"\"\"\n[ b . 'c' ]\nd=1.5",
        "a = \"\"\"\n b = 1\n\"\"\"\n\n[b.'c']\nd = 1.5\n",
    );
}

#[test]
fn toml_is_spaced_and_arrays_keep_their_lines() {
    check_toml("a=[1,2 , 3,]\nb={c=1 ,d=[]}\ne = {}", "a = [1, 2, 3]\nb = { c = 1, d = [] }\ne = {}\n");
    check_toml(
        "a=[\n1,{b=[2,\n3]}]",
        "a = [\n    1,\n    {\n        b = [\n            2,\n            3,\n        ],\n    },\n]\n",
    );
    check_toml("a=2027-01-31 10:00:00", "a = 2027-01-31 10:00:00\n");
    check_toml("a=1\n[[b]]\n# c\n[d]", "a = 1\n\n[[b]]\n# c\n[d]\n");
}

#[test]
fn comments_go_into_the_other_language_with_their_statements() {
    let kdl = "// a\nsystem x // b\n\n// c\nservice d {\n    // e\n    run \"/f\" // g\n    holds h read // i\n    holds j\n} // k\n// l\n";
    let toml = "# a\nsystem = \"x\"  # b\n\n# c\n[service.d]  # k\n# e\nrun = [\"/f\"]  # g\nholds = [\n    { cap = \"h\", rights = [\"read\"] },  # i\n    \"j\",\n]\n# l\n";
    assert_eq!(converted(kdl, Language::Kdl), toml);
    let back = "// a\nsystem x  // b\n\n// c\nservice d {  // k\n    // e\n    run \"/f\"  // g\n    holds h read  // i\n    holds j\n}\n// l\n";
    assert_eq!(converted(toml, Language::Toml), back);
}

#[test]
fn big_files_are_formatted_in_linear_time() {
    let units = [
        (Language::Kdl, "", "a {b;}\n", ""),
        (Language::Kdl, "", "/-a\n", ""),
        (Language::Kdl, "", "/* x */ // y\n", ""),
        (Language::Kdl, "a", " /*x*/ 1", ""),
        (Language::Kdl, "a", " 1", ""),
        (Language::Kdl, "a {", "/-b {}; c;", "}"),
        (Language::Kdl, "", "a \"\"\"\n\"\"\";", ""),
        (Language::Toml, "", "[[never]]\nsubject = 'a'\n", ""),
        (Language::Toml, "", "# x\n", ""),
        (Language::Toml, "code = [", "'a', # x\n", "]"),
        (Language::Toml, "code = [", "'a' # x\n,\n", "]"),
        (Language::Toml, "code = [", "'a',", "]"),
        (Language::Toml, "service.a.holds = [", "{cap='a',rights=['b']},", "]"),
    ];
    for (language, before, unit, after) in units {
        let text = format!("{before}{}{after}", unit.repeat(10_000));
        let (tree, errors) = language.read(text.as_str().into());
        assert_eq!(errors, [], "{unit}");
        print::tidied(&tree, &text, language).unwrap();
        let _ = print::converted(&tree, &text, language);
    }
}

#[test]
fn blocks_too_deep_to_be_indented_are_refused() {
    let text = format!("{}{}", "a {".repeat(100_000), "}".repeat(100_000));
    let (tree, errors) = Language::Kdl.read(text.as_str().into());
    assert_eq!(errors, []);
    for written in [print::tidied(&tree, &text, Language::Kdl), print::converted(&tree, &text, Language::Kdl)]
    {
        assert_eq!(written.unwrap_err()[0].message, "this is nested deeper than 64 blocks");
    }
}

#[test]
fn a_file_with_mistakes_is_not_touched() {
    let scene = Scene::new("fmt-mistakes");
    for (name, text) in [("x.kdl", "system x\nservice a {\n"), ("x.toml", "system = x\n")] {
        scene.write(name, text);
        scene.capc(["fmt", name]).exits(1).complains("syntax");
        assert_eq!(std::fs::read_to_string(scene.path.join(name)).unwrap(), text);
    }
    scene.write("x.kdl", b"system \xff".as_slice());
    scene.capc(["fmt", "x.kdl"]).exits(1).complains("not UTF-8");
    scene.capc(["fmt", "no.kdl"]).exits(2).complains("no.kdl");
    scene.write("x.kdl", "(t)system x");
    scene.capc(["fmt", "x.kdl"]).exits(1).complains("type annotations");
}

#[test]
fn check_names_what_would_change_and_touches_nothing() {
    let scene = Scene::new("fmt-check");
    scene.write("a.kdl", "system   x");
    scene.write("b.kdl", "system x\n");
    let run = scene.capc(["fmt", "--check", "a.kdl", "b.kdl"]).exits(1);
    assert_eq!(run.out, "a.kdl\n");
    assert_eq!(std::fs::read_to_string(scene.path.join("a.kdl")).unwrap(), "system   x");
    scene.capc(["fmt", "a.kdl", "b.kdl"]).exits(0);
    scene.capc(["fmt", "--check", "a.kdl", "b.kdl"]).exits(0);
    assert_eq!(std::fs::read_to_string(scene.path.join("a.kdl")).unwrap(), "system x\n");
}

#[test]
fn the_file_keeps_its_permissions_and_a_link_stays_one() {
    let scene = Scene::new("fmt-keeps");
    let path = scene.write("a.kdl", "system   x");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let link = scene.path.join("link.kdl");
    std::os::unix::fs::symlink("a.kdl", &link).unwrap();
    scene.capc(["fmt", "link.kdl"]).exits(0);
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "system x\n");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
    let left: Vec<_> =
        std::fs::read_dir(&scene.path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{left:?}");
}

#[test]
fn the_other_language_goes_to_standard_output() {
    let scene = Scene::new("fmt-to");
    scene.write("a.kdl", "system x\ndir a \"/a\"\n");
    let run = scene.capc(["fmt", "--to", "toml", "a.kdl"]).exits(0);
    assert_eq!(run.out, "system = \"x\"\n\n[dir.a]\npath = \"/a\"\n");
    scene.write("b.toml", &run.out);
    assert_eq!(scene.capc(["fmt", "--to", "kdl", "b.toml"]).exits(0).out, "system x\ndir a \"/a\"\n");
    scene.capc(["fmt", "--to", "kdl", "a.kdl", "b.toml"]).exits(2);
    scene.write("c.kdl", "system x\nservise a { run \"/b\"; }\n");
    scene.capc(["fmt", "--to", "toml", "c.kdl"]).exits(1).complains("`servise` is no statement");
}

// What is written over a file is read again first; that this never refuses is what nobody can prove by looking.
#[test]
fn whatever_reads_without_mistakes_can_be_put_in_order_and_said_otherwise() {
    let scraps = [
        "\n", "\n\n", " ", "\t", ";", "{", "}", "[", "]", "=", ",", ".", "#", "/-", "//x\n", "/*y*/", "#z\n",
        "\"", "'", "\\", "\\\n", "a", "1", "k=2", "#true", "\"\"\"\n", "#\"", "(t)", "é", "\u{feff}", "\r\n",
        "- ", "[a.b]\n", "[[a]]\n",
    ];
    // Few and fixed, so that a new fixture is not tried with other dice than the last run's.
    let mut fixtures = fixtures();
    fixtures.retain(|(path, ..)| {
        [
            "accept/in-toml.toml",
            "accept/introduction.kdl",
            "accept/near-syntax.kdl",
            "accept/near-syntax.toml",
        ]
        .iter()
        .any(|name| path.ends_with(name))
    });
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut roll = |sides: usize| {
        seed ^= seed >> 12;
        seed ^= seed << 25;
        seed ^= seed >> 27;
        (seed.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    };
    let mut tried = [0, 0];
    for _ in 0..3_000 {
        let (_, text, language) = &fixtures[roll(fixtures.len())];
        let mut bytes = text.clone().into_bytes();
        for _ in 0..1 + roll(4) {
            let at = roll(bytes.len() + 1);
            match roll(3) {
                0 => drop(bytes.splice(at..at, scraps[roll(scraps.len())].bytes())),
                1 => drop(bytes.drain(at..(at + roll(6)).min(bytes.len()))),
                _ => {
                    let copied = bytes[at..(at + roll(30)).min(bytes.len())].to_vec();
                    let to = roll(bytes.len() + 1);
                    drop(bytes.splice(to..to, copied));
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (tree, errors) = language.read(text.as_str().into());
        if !errors.is_empty() {
            continue;
        }
        tried[usize::from(*language == Language::Toml)] += 1;
        match print::tidied(&tree, &text, *language) {
            Ok(once) => assert_eq!(tidied(&once, *language), once, "{text}"),
            Err(errors) => assert_eq!(errors[0].message, "the language has no type annotations", "{text}"),
        }
        let other = if *language == Language::Kdl { Language::Toml } else { Language::Kdl };
        if let Ok(said) = print::converted(&tree, &text, *language) {
            // A property that is a word's place in disguise is a mistake in either language.
            let mut errors = other.read(said.as_str().into()).1;
            errors.retain(|error| error.code == Code::Syntax);
            assert_eq!(errors, [], "{text}\nbecomes\n{said}");
        }
    }
    assert!(tried.iter().all(|tried| *tried > 50), "{tried:?}");
}

/// Runs `capc fmt` with words and a text on standard input; compares status and standard output.
#[track_caller]
fn piped(words: &[&str], text: &str, status: i32, expected: &str) {
    let scene = Scene::new("fmt-stdin");
    scene.write("text", text);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "exec \"$@\" < text", "sh", env!("CARGO_BIN_EXE_capc"), "fmt"]).args(words);
    command.current_dir(&scene.path);
    let run = crate::scene::run(command).exits(status);
    assert_eq!(run.out, expected, "{}", run.err);
}

#[test]
fn standard_input_is_put_in_order_on_standard_output() {
    piped(&["-"], "system   a\n\n", 0, "system a\n");
    piped(&["-"], "system a\n", 0, "system a\n");
    piped(&["--to", "toml", "-"], "system a\n", 0, "system = \"a\"\n");
    piped(&["--stdin-filename", "x/a.toml", "-"], "system   = \"a\"\n", 0, "system = \"a\"\n");
    piped(&["--check", "-"], "system   a\n", 1, "<stdin>\n");
    piped(&["--check", "-"], "system a\n", 0, "");
    // What has mistakes in it comes to nothing, so that an editor keeps what it had.
    piped(&["-"], "system a {\n", 1, "");
    piped(&["-", "other.kdl"], "system a\n", 2, "");
}

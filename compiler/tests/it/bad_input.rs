//! Bad input is a feature: a diagnostic with a place and a status, never a crash, a hang, or a store half written.

use crate::scene::{Run, Scene};

/// Checks for programs.
#[track_caller]
fn check_once(name: &str, text: impl AsRef<[u8]>) -> Run {
    let scene = Scene::new(name);
    scene.write("x.kdl", text);
    scene.capc(["check", "x.kdl", "--format", "json"])
}

/// Checks for programs and for people, and tries to run it.
#[track_caller]
fn check(name: &str, text: impl AsRef<[u8]>) -> Run {
    let scene = Scene::new(name);
    scene.write("x.kdl", text);
    let run = scene.capc(["check", "x.kdl", "--format", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(answer["format"], "capc/diagnostics/1");
    for diagnostic in answer["diagnostics"].as_array().unwrap() {
        assert!(diagnostic["labels"][0]["line"].as_u64().unwrap() >= 1, "{diagnostic}");
    }
    // `up` says the same and makes no store.
    let up = scene.capc(["up", "x.kdl", "--store", "store"]);
    assert_eq!(up.status, run.status);
    assert!(!scene.path.join("store").exists());
    scene.capc(["check", "x.kdl"]).exits(run.status.unwrap());
    run
}

#[test]
fn a_missing_file_is_unreadable() {
    let scene = Scene::new("missing");
    scene.capc(["check", "no.kdl"]).exits(2).complains("no.kdl:1:1");
    scene.capc(["check", "."]).exits(2);
}

#[test]
fn an_empty_file_lacks_its_header() {
    check("empty", "").exits(1).says("missing-word");
    check("comment", "// nothing\n").exits(1).says("missing-word");
}

#[test]
fn a_byte_that_is_not_utf8_is_named() {
    check("utf8", b"system x\ndir a \"/\xff\"\n".as_slice())
        .exits(1)
        .says("0xFF at offset 17")
        .says("\"line\":2,\"column\":9");
}

#[test]
fn one_string_of_64_mebibytes_is_refused_with_its_place() {
    let mut text = b"system x\ndir a \"".to_vec();
    text.resize(64 << 20, b'a');
    check("string", &text).exits(1).says("\"line\":2");
    text.extend(b"\"\n");
    check("closed-string", &text).exits(1).says("bad-value");
}

#[test]
fn nesting_a_hundred_thousand_deep_is_read_to_its_end() {
    let depth = 100_000;
    let text = format!("system x\n{}{}", "a {\n".repeat(depth), "}\n".repeat(depth));
    check("deep", &text).exits(1).says("unknown-word");
    check("unclosed", format!("system x\n{}", "a {\n".repeat(depth))).exits(1).says("syntax");
}

#[test]
fn all_mistakes_of_a_file_are_reported_in_one_run() {
    let text = r#"system x
dir site "srv"
dirr logs "/var/log"
service a {
    rum "/usr/bin/a"
    run "/usr/bin/a"
    holds site raed
    holds nothing
    restart "sometimes"
}
service a { run "/usr/bin/b"; }
"#;
    let run = check("many", text).exits(1);
    let answer: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let found: Vec<(String, u64)> = answer["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|diagnostic| {
            (
                diagnostic["code"].as_str().unwrap().to_owned(),
                diagnostic["labels"][0]["line"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("bad-value", 2),
        ("unknown-word", 3),
        ("unknown-word", 5),
        ("unknown-word", 7),
        ("unheld", 8),
        ("unknown-word", 9),
        ("duplicate-name", 11),
    ];
    assert_eq!(found, expected.map(|(code, line)| (code.to_owned(), line)), "{}", run.out);
}

#[test]
fn hostile_text_moves_no_cursor() {
    let run = check("hostile", "system x\nservice \"\\u{1b}[2J\" { run \"/x\"; }\n").exits(1);
    assert!(!run.err.contains('\u{1b}') && !run.out.contains('\u{1b}'));
}

#[test]
fn a_complete_graph_of_eleven_prints_one_circle() {
    let mut text = "system k11\n".to_owned();
    for a in 0..11 {
        text += &format!("service s{a} {{\n run \"/usr/bin/s\"\n provides f socket=\"/run/s{a}/f.sock\"\n");
        for b in (0..11).filter(|b| *b != a) {
            text += &format!(" holds s{b}.f\n");
        }
        text += "}\n";
    }
    let run = check("k11", text).exits(1);
    let answer: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(answer["diagnostics"].as_array().unwrap().len(), 1);
    assert_eq!(answer["diagnostics"][0]["cycle"].as_array().unwrap().len(), 2);
    assert_eq!(answer["diagnostics"][0]["members"].as_array().unwrap().len(), 11);
}

#[test]
fn a_token_of_ten_megabytes_is_refused_with_its_place() {
    let word = "a".repeat(10 << 20);
    for text in [
        format!("system x\n{word} y\n"),
        format!("system {word}\n"),
        format!("system x\nservice {word} {{ run \"/x\" }}\n"),
        format!("system x\ndir a \"/{word}\"\n"),
        format!("system x\nservice a {{ run \"/x\"; holds {word} }}\n"),
        format!("system x\nservice a {{ run \"/x\"; {word}=1 }}\n"),
        format!("system x\ndir a \"/x\" {}\n", "1".repeat(10 << 20)),
    ] {
        let run = check("token", &text).exits(1);
        assert!(run.out.len() < 100_000, "the report repeats the token: {} bytes", run.out.len());
    }
}

#[test]
fn two_hundred_thousand_declarations_on_one_line_are_read_to_the_last() {
    let mut text = "system x;".to_owned();
    for number in 0..200_000 {
        text += &format!("file f{number} \"/f/{number}\";");
    }
    text += "fil last \"/l\"";
    check_once("line", &text).exits(1).says("unknown-word").says("\"line\":1,\"column\":");
}

#[test]
fn ten_thousand_mistakes_are_all_counted_and_a_readable_number_is_shown() {
    let mut text = "system x\n".to_owned();
    for number in 0..10_000 {
        text += &format!("dirr d{number} \"/d\"\n");
    }
    let run = check_once("errors", &text).exits(1);
    let answer: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(answer["summary"]["errors"], 10_000);
    assert_eq!(answer["diagnostics"].as_array().unwrap().len(), 1000);
    assert_eq!(answer["omitted"]["unknown-word"], 9000);
    let scene = Scene::new("errors-human");
    scene.write("x.kdl", &text);
    let run = scene.capc(["check", "x.kdl"]).exits(1).complains("10000");
    assert!(run.err.lines().count() < 2000, "a person reads no {} lines", run.err.lines().count());
}

#[test]
fn unknown_names_are_not_each_compared_with_every_known_one() {
    let mut text = "system x\n".to_owned();
    for number in 0..10_000 {
        text += &format!("service s{number} {{\n    run \"/bin/true\"\n    holds sitf{number}\n}}\n");
    }
    text += "dir site1 \"/srv\"\n";
    let run = check_once("unknown", &text).exits(1);
    let answer: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(answer["summary"]["errors"], 10_000);
    let helps = answer["diagnostics"].as_array().unwrap().iter().map(|known| known["help"].as_str().unwrap());
    let suggested = helps.filter(|help| help.starts_with("did you mean")).count();
    assert!((100..=200).contains(&suggested), "{suggested} of the first 1,000 have a suggestion");
}

#[test]
fn of_a_hundred_thousand_variables_and_arguments_each_is_looked_up_once() {
    let scene = Scene::new("many-words");
    let words = |word: &str, value: &str| -> String {
        (0..100_000).map(|number| format!(" {word}{number}={value}")).collect()
    };
    scene.write("m.kdl", "module m\n");
    scene.write(
        "x.kdl",
        format!(
            "system x\ndir d \"/srv\"\nuse \"./m.kdl\" as=m{}\nservice s {{\n    run \"/bin/true\"\n    env{}\n    env V0=\"x\"\n}}\n",
            words("p", "d"),
            words("V", "\"x\""),
        ),
    );
    let run = scene.capc(["check", "x.kdl", "--format", "json"]).exits(1).says("`V0` is set twice");
    let answer: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(answer["summary"]["errors"], 100_001);
}

#[test]
fn a_module_that_uses_itself_is_no_endless_reading() {
    let scene = Scene::new("self");
    scene.write("x.kdl", "module x\nuse \"./x.kdl\" as=again\n");
    scene.capc(["check", "x.kdl"]).exits(1).complains("module-cycle");
    // By another spelling of its path, and by a link to itself.
    scene.write("y.kdl", "module y\nuse \"../self/../y.kdl\" as=again\n");
    assert_ne!(scene.capc(["check", "y.kdl"]).status, None);
    std::os::unix::fs::symlink("z.kdl", scene.path.join("link.kdl")).unwrap();
    scene.write("z.kdl", "module z\nuse \"link.kdl\" as=again\n");
    scene.capc(["check", "z.kdl"]).exits(1).complains("module-cycle");
}

#[test]
fn a_file_that_is_no_file_is_refused() {
    let scene = Scene::new("no-file");
    scene.capc(["check", "/dev/null"]).exits(2);
    rustix::fs::mkfifoat(rustix::fs::CWD, scene.path.join("fifo.kdl"), 0o644.into()).unwrap();
    scene.capc(["check", "fifo.kdl"]).exits(2);
    scene.capc(["check", "/dev/zero"]).exits(2);
}
#[test]
fn what_turns_text_round_is_refused_in_names_and_shown_harmless() {
    for control in
        ['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200f}', '\u{061c}', '\u{0}', '\u{7f}', '\u{9b}']
    {
        let text = format!(
            "system x\nservice \"we{control}b\" {{ run \"/x\" }}\ndir d \"/srv/{control}\"\n// {control}\n"
        );
        let run = check("bidi", &text).exits(1);
        assert!(!run.err.contains(control) && !run.out.contains(control), "{control:?}");
    }
}

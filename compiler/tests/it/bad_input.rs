//! Bad input is a feature: a diagnostic with a place and a status, never a crash, a hang, or a store half written.

use crate::scene::{Run, Scene};

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

//! What `capc check` prints for programs, and what its levels come to.

use crate::scene::{Run, Scene};
use serde_json::Value;

/// Two errors with a way each, a warning, and letters outside of ASCII before the words.
const SHOP: &str = r#"system web-1
dir ledger "/srv/ledger"
dir forgotten "/srv/forgotten"
service bank { /* ünïcödé */ run "/usr/bin/bank"; holds ledger read; provides api socket="/run/bank/api.sock"; }
service shop {
    run "/usr/bin/shop"
    holds bank.api
}
service a {
    run "/usr/bin/a"
    holds b.talk
    provides talk socket="/run/a/talk.sock"
}
service b {
    run "/usr/bin/b"
    holds a.talk
    provides talk socket="/run/b/talk.sock"
}
never shop reaches ledger
"#;

/// One warning and nothing else.
const IDLE: &str = "system idle\ndir forgotten \"/srv/forgotten\"\n";

#[track_caller]
fn sarif(run: &Run) -> Value {
    let log: Value = serde_json::from_str(&run.out).unwrap();
    // The types are made from the schema: what it does not know would be lost on the way, what it asks for and is not there
    // or is of another kind is refused.
    let typed: serde_sarif::sarif::Sarif = serde_json::from_value(log.clone()).unwrap();
    assert_eq!(serde_json::to_value(typed).unwrap(), log);
    for result in log["runs"][0]["results"].as_array().unwrap() {
        let rule = &log["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(!rule["help"]["text"].as_str().unwrap().is_empty());
        for location in locations(result) {
            let place = &location["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().unwrap();
            assert!(!uri.is_empty() && uri.bytes().all(|byte| byte.is_ascii_graphic()), "{uri}");
            let number = |name: &str| place["region"][name].as_u64().unwrap();
            assert!(number("startLine") >= 1 && number("startColumn") >= 1);
            assert!((number("startLine"), number("startColumn")) <= (number("endLine"), number("endColumn")));
        }
    }
    log
}

/// Returns every location that a result speaks of; the first list is never empty.
#[track_caller]
fn locations(result: &Value) -> Vec<&Value> {
    let mut all: Vec<&Value> = result["locations"].as_array().unwrap().iter().collect();
    assert!(!all.is_empty());
    all.extend(result["relatedLocations"].as_array().into_iter().flatten());
    for flow in result["codeFlows"].as_array().into_iter().flatten() {
        let steps = flow["threadFlows"][0]["locations"].as_array().unwrap();
        assert!(!steps.is_empty());
        all.extend(steps.iter().map(|step| &step["location"]));
    }
    all
}

#[track_caller]
fn fingerprints(log: &Value) -> Vec<String> {
    let results = log["runs"][0]["results"].as_array().unwrap();
    let mut all: Vec<String> = results
        .iter()
        .map(|result| result["partialFingerprints"]["capc/v1"].as_str().unwrap().to_owned())
        .collect();
    all.sort();
    all
}

#[test]
fn sarif_is_of_its_schema_with_a_place_a_page_and_the_way_of_each_result() {
    let scene = Scene::new("sarif");
    scene.write("shop.kdl", SHOP);
    let log = sarif(&scene.capc(["check", "shop.kdl", "--format", "sarif"]).exits(1));
    assert_eq!(log["runs"][0]["columnKind"], "unicodeCodePoints");
    let results = log["runs"][0]["results"].as_array().unwrap();
    let said: Vec<(&str, &str)> = results
        .iter()
        .map(|result| (result["ruleId"].as_str().unwrap(), result["level"].as_str().unwrap()))
        .collect();
    let expected =
        [("unused-capability", "warning"), ("bootstrap-cycle", "error"), ("assertion-failed", "error")];
    assert_eq!(said, expected);
    assert_eq!(results[1]["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap().len(), 2);
    let way = results[2]["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap();
    let bank =
        way.iter().find(|step| step["location"]["physicalLocation"]["region"]["startLine"] == 4).unwrap();
    // Columns count letters, of which `ünïcödé` has seven in eleven bytes.
    let column = SHOP.lines().nth(3).unwrap().split("holds").next().unwrap().chars().count() + 1;
    assert_eq!(bank["location"]["physicalLocation"]["region"]["startColumn"], column);
}

#[test]
fn fingerprints_stay_when_lines_come_in_above_and_tell_results_apart() {
    let scene = Scene::new("fingerprints");
    scene.write("x.kdl", SHOP);
    let before = fingerprints(&sarif(&scene.capc(["check", "x.kdl", "--format", "sarif"])));
    scene.write("x.kdl", SHOP.replacen('\n', "\n// a line more\n\n", 1));
    assert_eq!(fingerprints(&sarif(&scene.capc(["check", "x.kdl", "--format", "sarif"]))), before);
    let mut once = before.clone();
    once.dedup();
    assert_eq!(once, before);
    scene.write("x.kdl", SHOP.replace("forgotten", "other"));
    assert_ne!(fingerprints(&sarif(&scene.capc(["check", "x.kdl", "--format", "sarif"]))), before);
}

/// A module whose two services wait for each other and may change the configuration, and which rules that out.
const PAIR: &str = r#"module pair
takes files dir read write
service a { run "/usr/bin/a"; provides x socket="/run/a/x"; holds b.y; holds files read write; }
service b { run "/usr/bin/b"; provides y socket="/run/b/y"; holds a.x; }
only b hold files
colour "red"
"#;

// Every component, every subject that controls reconfigure, and every assertion is a report; a mistake of the text is one.
#[test]
fn what_instances_of_a_module_do_wrong_is_said_of_each_in_every_format() {
    let scene = Scene::new("instances");
    scene.write("pair.kdl", PAIR);
    let system = |more: &str| {
        scene.write("s.kdl", format!("system s\n{more}dir files \"/etc/capc\"\nuse \"pair.kdl\" as=i files=files\nuse \"pair.kdl\" as=j files=files\nservice app {{ run \"/usr/bin/app\"; holds files read; }}\n"));
    };
    system("");
    let check = |format: &str| scene.capc(["check", "s.kdl", "--format", format]).exits(1);
    let json: Value = serde_json::from_str(&check("json").out).unwrap();
    let said: Vec<(&str, &str)> = json["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["code"].as_str().unwrap(), one["message"].as_str().unwrap()))
        .filter(|(_, message)| !message.starts_with("`app` controls"))
        .collect();
    let of = |code: &str| {
        said.iter().filter(|(word, _)| *word == code).map(|(_, message)| *message).collect::<Vec<_>>()
    };
    assert_eq!(
        of("bootstrap-cycle"),
        [
            "`i/a`, `i/b` wait for each other, so none of them can start",
            "`j/a`, `j/b` wait for each other, so none of them can start"
        ]
    );
    assert_eq!(
        of("root-cycle"),
        [
            "`i/a` controls `reconfigure`, which is to control it",
            "`j/a` controls `reconfigure`, which is to control it"
        ]
    );
    assert_eq!(
        of("assertion-failed"),
        [
            "`app` holds `files` (`read`), and so can 3 others, which `i` rules out",
            "`app` holds `files` (`read`), and so can 3 others, which `j` rules out"
        ]
    );
    assert_eq!(of("unknown-word").len(), 1, "{said:?}");
    let errors = json["summary"]["errors"].as_u64().unwrap() as usize;
    assert_eq!(check("plain").out.lines().count(), json["diagnostics"].as_array().unwrap().len());
    assert_eq!(check("github").out.lines().filter(|line| line.starts_with("::error ")).count(), errors);
    check("human").complains(&format!("{errors} errors"));
    let log = sarif(&check("sarif"));
    let before = fingerprints(&log);
    let mut once = before.clone();
    once.dedup();
    assert_eq!(once, before);
    assert!(before.iter().all(|fingerprint| fingerprint.ends_with(":1")), "{before:?}");
    system("\n// lines more\n");
    assert_eq!(fingerprints(&sarif(&check("sarif"))), before);
}

#[test]
fn files_are_named_from_where_one_stands_and_encoded() {
    let scene = Scene::new("uri");
    scene.write("a dir/50%: ü.kdl", IDLE);
    let log = sarif(&scene.capc(["check", "a dir/50%: ü.kdl", "--format", "sarif"]).exits(0));
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(place, "a%20dir/50%25%3A%20%C3%BC.kdl");
    let run = scene.capc(["check", "a dir/50%: ü.kdl", "--format", "github"]).exits(0);
    assert!(
        run.out.starts_with("::warning file=a dir/50%25%3A ü.kdl,line=2,endLine=2,col=5,endColumn=13,title=unused-capability::`forgotten` is declared"),
        "{}",
        run.out
    );
}

#[test]
fn each_result_is_one_workflow_command() {
    let scene = Scene::new("github");
    scene.write("shop.kdl", SHOP);
    let run = scene.capc(["check", "shop.kdl", "--format", "github"]).exits(1);
    let commands: Vec<&str> = run.out.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(commands, ["::warning", "::error", "::error"], "{}", run.out);
    assert!(run.out.contains("%0Ahelp: "), "{}", run.out);
}

#[test]
fn several_files_make_one_document_and_what_both_say_is_said_once() {
    let scene = Scene::new("several");
    scene.write("idle.kdl", IDLE);
    scene.write("m.kdl", "module m\ntakes site dir\nservice x { run \"/usr/bin/x\"; holds site; provides talk channel=#true; }\n");
    scene.write("system.kdl", "system s\ndir site \"/srv\"\nuse \"m.kdl\" as=one site=site\n");
    let run = scene.capc(["check", "idle.kdl", "system.kdl", "m.kdl", "--format", "json"]).exits(0);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    let places: Vec<(&str, &str)> = document["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["labels"][0]["file"].as_str().unwrap(), found["code"].as_str().unwrap()))
        .collect();
    assert_eq!(places[0], ("idle.kdl", "unused-capability"));
    assert!(places.len() >= 2, "{places:?}");
    let summary = &document["summary"];
    assert_eq!((&summary["errors"], &summary["warnings"]), (&Value::from(0), &Value::from(places.len())));
    assert_eq!(summary["services"], 2);
    // The worst of them decides.
    scene.capc(["check", "idle.kdl", "nowhere.kdl", "--format", "plain"]).exits(2).says("forgotten");
}

#[test]
fn a_lint_is_a_warning_until_it_is_denied() {
    let scene = Scene::new("levels");
    scene.write("idle.kdl", IDLE);
    let check =
        |options: &[&str], status| scene.capc([&["check", "idle.kdl"], options].concat()).exits(status);
    check(&[], 0).says("0 services").complains("1 warning");
    check(&["--deny", "unused-capability"], 1).complains("1 error");
    check(&["--deny", "shared-identity"], 0);
    check(&["--deny-warnings"], 1).complains("error[unused-capability]");
    check(&["--deny-warnings", "--warn", "unused-capability"], 0).complains("1 warning");
    check(&["--deny", "syntax"], 0);
    check(&["--deny", "unused-capabilty"], 2).complains("did you mean `unused-capability`?");
    check(&["--warn", "conflict"], 2).complains("an error stays an error");
    check(&["--warn", "unconfined", "--deny", "unconfined"], 2);
    check(&["--at", "2027-02-29"], 2).complains("not a day");
    check(&["--at", "2027-02-28"], 0);
    let json = check(&["--deny-warnings", "--format", "json"], 1);
    let document: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(document["diagnostics"][0]["severity"], "error");
    assert_eq!(document["summary"]["errors"], 1);
}

#[test]
fn of_ten_thousand_a_person_sees_fifty_and_a_program_a_thousand_of_a_code() {
    let scene = Scene::new("many");
    let many: String = (0..10_000).map(|number| format!("dir d{number} \"/srv/{number}\"\n")).collect();
    scene.write(
        "many.kdl",
        format!("system many\n{many}dir late \"srv\"\nservice s {{ run \"/usr/bin/s\"; holds nothing; }}\n"),
    );
    let run = scene.capc(["check", "many.kdl"]).exits(1);
    assert_eq!(run.err.matches("error[").count(), 2, "{}", run.err);
    scene.write("many.kdl", format!("system many\n{many}"));
    let run =
        scene.capc(["check", "many.kdl"]).exits(0).complains("… and 9950 more").complains("10000 warnings");
    assert_eq!(run.err.matches("warning[").count(), 50);
    let json = scene.capc(["check", "many.kdl", "--format", "json"]).exits(0);
    let document: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(document["diagnostics"].as_array().unwrap().len(), 1000);
    assert_eq!(document["omitted"]["unused-capability"], 9000);
    assert_eq!(document["summary"]["warnings"], 10_000);
    let log = sarif(&scene.capc(["check", "many.kdl", "--format", "sarif"]).exits(0));
    assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 1000);
    scene.capc(["check", "many.kdl", "--format", "github"]).exits(0).says("::and 9000 more");
}

#[test]
fn nothing_printed_can_move_the_cursor_or_turn_the_reading_direction() {
    let scene = Scene::new("hostile");
    let name = "a\u{1b}[2J\u{202e}\nb.kdl";
    scene.write(name, "system x\ndir a \"/srv/a\u{202e}b\"\nservice s { run \"/x\\u{1b}[2J\\u{202e}\"; holds \"\\u{1b}\\u{202e}\"; }\n");
    for format in ["human", "plain", "json", "sarif", "github"] {
        let run = scene.capc(["check", name, "--format", format]).exits(1);
        for letter in (run.out + &run.err).chars() {
            let hostile = letter.is_control() && letter != '\n'
                || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            assert!(!hostile, "{format} prints {letter:?}");
        }
        if matches!(format, "plain" | "github") {
            let run = scene.capc(["check", name, "--format", format]);
            assert!(run.out.lines().all(|line| line.contains(": ") || line.starts_with("::")), "{}", run.out);
        }
    }
}

/// Compiles two databases under one identity, with a waiver, on a day.
#[track_caller]
fn waived(waiver: &str, at: &str, status: i32) -> Vec<String> {
    let scene = Scene::new("waived");
    scene.write(
        "x.kdl",
        format!(
            "system x\nidentity pg user=\"postgres\"\n\
             service red {{ run \"/usr/bin/red\"; as pg; }}\n\
             service blue {{ run \"/usr/bin/blue\"; as pg; }}\n{waiver}\n"
        ),
    );
    let run = scene.capc(["check", "x.kdl", "--format", "plain", "--at", at]).exits(status);
    run.out.lines().filter_map(|line| line.split(": ").nth(1)).map(str::to_owned).collect()
}

#[test]
fn a_waiver_takes_a_lint_away_until_its_day_and_is_an_error_when_it_does_nothing() {
    let allow =
        |what: &str| format!("allow {what} reason=\"two clusters, until the split\" until=\"2027-01-31\"");
    let check = |what: &str, at: &str, expected: &[&str]| {
        let status = i32::from(expected.contains(&"vacuous"));
        assert_eq!(waived(&allow(what), at, status), expected, "{what} at {at}");
    };
    check("shared-identity on=pg", "2027-01-31", &[]);
    check("shared-identity on=red", "2026-05-01", &[]);
    check("shared-identity on=pg", "2027-02-01", &["vacuous"]);
    check("unconfined on=red", "2026-05-01", &["shared-identity", "vacuous"]);
    check("bootstrap-cycle on=red", "2026-05-01", &["shared-identity", "vacuous"]);
}

//! Differences of authority: what is the same differs in nothing, and what differs is said, by the edit that did it.

use crate::machine;
use crate::scene::{Run, Scene, files_below, repository};
use capc::authority::{Authority, Carries};
use capc::holdings;
use capc::model::{Model, RECONFIGURE, SYSTEM};
use capc::query::{Detail, Side, diff};
use capc::source::{RealFiles, SourceMap};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

const BANK: &str = r#"system bank
dir ledger "/srv/ledger"
secret tls-key "/etc/tls/key"
service vault {
    run "/usr/bin/vault"
    holds ledger read write
    provides api socket="/run/vault/api.sock"
    trusted "answers questions"
}
service teller {
    run "/usr/bin/teller"
    holds vault.api
    provides desk socket="/run/teller/desk.sock"
}
service printer {
    run "/usr/bin/printer"
}
"#;

fn difference(old: (&Model, &SourceMap), new: (&Model, &SourceMap), detail: Detail) -> Value {
    let (before, after) = (holdings::derive(old.0), holdings::derive(new.0));
    let before = Authority::new(old.0, &before, SYSTEM);
    let after = Authority::new(new.0, &after, SYSTEM);
    let answer = diff(&Side::new(&before, old.1), &Side::new(&after, new.1), detail);
    serde_json::to_value(&answer).unwrap()
}

#[track_caller]
fn is_empty(answer: &Value) {
    for part in ["gained", "lost", "joined"] {
        assert_eq!(answer[part], Value::Array(Vec::new()), "{part}: {answer:#}");
    }
}

#[test]
fn a_new_holding_says_who_comes_by_it_through_its_holder() {
    let scene = Scene::new("diff-through");
    scene.write("old.kdl", BANK);
    let new = BANK.replace("    holds vault.api\n", "    holds vault.api\n    holds tls-key\n");
    scene
        .write("new.kdl", new.replace("/usr/bin/printer\"\n", "/usr/bin/printer\"\n    holds teller.desk\n"));
    let answer = |old: &str, new: &str| -> Value {
        serde_json::from_str(&scene.capc(["diff", old, new, "--format", "json"]).out).unwrap()
    };
    let gained = answer("old.kdl", "new.kdl")["gained"].clone();
    let key = gained.as_array().unwrap().iter().find(|change| change["capability"] == "tls-key").unwrap();
    assert_eq!(key["through"], serde_json::json!({ "hold": ["printer", "vault"], "reach": [] }));
    // What is lost through somebody may still be had through another: the groups would say more than is known.
    let lost = answer("new.kdl", "old.kdl")["lost"].clone();
    assert!(lost.as_array().unwrap().iter().all(|change| change.get("through").is_none()), "{lost:#}");
}

#[test]
fn a_configuration_does_not_differ_from_itself() {
    let mut tried = 0;
    for path in files_below(&repository().join("testdata"), "kdl") {
        let compile = || capc::compile(&RealFiles, &path, "x.kdl");
        let (one, other) = (compile(), compile());
        if let (Some(old), Some(new)) = (&one.model, &other.model) {
            is_empty(&difference((old, &one.sources), (new, &other.sources), Detail::Pairs));
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried}");
}

/// Bank with another text in one place.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(BANK.matches(from).count(), 1, "{from}");
    BANK.replace(from, to)
}

#[track_caller]
fn compared(new: &str, status: i32) -> (Run, Value) {
    let scene = Scene::new(&format!("diff-{}", std::panic::Location::caller().line()));
    scene.write("old.kdl", BANK);
    scene.write("new.kdl", new);
    let human = scene.capc(["diff", "old.kdl", "new.kdl"]).exits(status);
    let json = scene.capc(["diff", "old.kdl", "new.kdl", "--format", "json"]).exits(status);
    let json = serde_json::from_str(&json.out).unwrap();
    (human, json)
}

#[test]
fn moving_and_formatting_declarations_is_no_difference() {
    let mut parts: Vec<&str> = BANK.split_inclusive("\n}\n").collect();
    let (resources, first) = parts[0].split_once("service").unwrap();
    let (header, resources) = resources.split_once('\n').unwrap();
    let first = format!("service{first}");
    parts[0] = &first;
    parts.reverse();
    let permuted = format!("{header}\n// moved\n{}{resources}", parts.concat().replace("    ", "\t\t"));
    let (human, json) = compared(&permuted, 0);
    is_empty(&json);
    assert_eq!(human.out, "no authority gained, lost or widened\n");
}

#[test]
fn a_configuration_in_another_directory_is_the_same() {
    let scene = Scene::new("elsewhere");
    let text = BANK.replace("\"/srv/ledger\"", "\"./ledger\"")
        + "service other { run \"/usr/bin/other\"; holds ledger read }\n";
    scene.write("a/system.kdl", &text);
    scene.write("b/system.kdl", &text);
    scene.capc(["diff", "a/system.kdl", "b/system.kdl"]).exits(0).says("no authority gained");
}

#[test]
fn a_new_grant_is_told_with_its_line_its_step_and_what_follows() {
    let (human, json) = compared(&changed("holds vault.api", "holds vault.api\n    holds tls-key"), 1);
    let gained = &json["gained"];
    assert_eq!(gained.as_array().unwrap().len(), 1, "{json:#}");
    assert_eq!((&gained[0]["object"], &gained[0]["capability"]), (&"teller".into(), &"tls-key".into()));
    assert_eq!((&gained[0]["level"], &gained[0]["rights"]), (&"direct".into(), &serde_json::json!(["read"])));
    let steps = gained[0]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["line"], 13);
    assert_eq!(json["joined"], serde_json::json!([]));
    human
        .says("new.kdl:13  holds tls-key\n+ teller holds tls-key: read\n    endowment: the system endows `teller` with `tls-key`\n    so could come to hold it: vault\n")
        .says("\n1 holding gained\n");
}

#[test]
fn a_widened_holding_shows_only_what_is_new() {
    let (human, json) = compared(&changed("secret tls-key", "dir more \"/srv/more\"\nsecret tls-key"), 0);
    is_empty(&json);
    human.says("no authority");
    let scene = Scene::new("widened");
    let with = |rights: &str| {
        changed("run \"/usr/bin/printer\"", &format!("run \"/usr/bin/printer\"\nholds ledger {rights}"))
    };
    scene.write("old.kdl", with("read"));
    scene.write("new.kdl", with("read modify"));
    scene
        .capc(["diff", "old.kdl", "new.kdl"])
        .exits(1)
        .says("+ printer holds more of ledger: modify (had read)\n");
    scene
        .capc(["diff", "new.kdl", "old.kdl"])
        .says("- printer no longer holds ledger: modify (keeps read)\n");
}

#[test]
fn trust_that_is_gone_joins_those_it_kept_apart() {
    let (human, json) = compared(&changed("    trusted \"answers questions\"\n", ""), 1);
    assert_eq!(json["gained"], serde_json::json!([]));
    let joined = &json["joined"][0];
    assert_eq!((&joined["edit"]["file"], &joined["edit"]["line"]), (&"new.kdl".into(), &4.into()));
    assert_eq!(
        (&joined["from"], &joined["to"]),
        (&serde_json::json!(["teller"]), &serde_json::json!(["vault"]))
    );
    human.says("as `vault` is no longer trusted");
}

#[test]
fn an_exposure_joins_the_users_of_a_facet_with_its_maker() {
    let new = changed("api.sock\"", "api.sock\" { exposes ledger read; }");
    let (human, json) = compared(&new, 1);
    assert_eq!(json["joined"][0]["to"], serde_json::json!(["vault"]), "{json:#}");
    human.says("which is trusted, exposes `ledger read` to `teller`");
}

#[test]
fn a_name_that_stands_for_another_place_is_lost_and_gained() {
    let (human, _) = compared(&changed("\"/srv/ledger\"", "\"/srv\""), 1);
    human
        .says("new.kdl:2  dir ledger \"/srv\"\n+ vault holds ledger, which is now `/srv`")
        .says("was old.kdl:2  dir ledger");
}

// What an object made gives it nothing; its own `control` or `launch` comes to it as anything else does.
#[test]
fn an_object_that_comes_to_hold_its_own_control_or_launch_gains_it() {
    let control = changed("/usr/bin/printer\"\n", "/usr/bin/printer\"\n    holds printer.control replace\n");
    let (human, json) = compared(&control, 1);
    assert_eq!(json["gained"][0]["capability"], "printer.control", "{json:#}");
    assert_eq!(json["gained"][0]["rights"], serde_json::json!(["replace"]));
    human.says("+ printer holds printer.control: replace\n    endowment: the system endows `printer`");
    let (_, json) = compared(&changed("vault.api\n", "vault.api\n    provides spare channel=#true\n"), 0);
    is_empty(&json);

    let scene = Scene::new("own-launch");
    let program = |body: &str| {
        format!(
            "system s\nprogram backup {{ run \"/usr/bin/backup\"; {body} }}\nprogram other {{ run \"/usr/bin/other\"; holds backup.launch; holds other.launch }}"
        )
    };
    scene.write("old.kdl", program(""));
    scene.write("held.kdl", program("holds backup.launch"));
    scene.write(
        "granted.kdl",
        program("").replace("other.launch }", "other.launch; grants backup.launch to=backup.launch }"),
    );
    for new in ["held.kdl", "granted.kdl"] {
        for all in [&[][..], &["--all"]] {
            let run = scene.capc([&["diff", "old.kdl", new][..], all].concat());
            run.exits(1).says("+ backup holds backup.launch: launch\n").says("1 holding gained\n");
        }
        scene
            .capc(["diff", new, "old.kdl"])
            .exits(0)
            .says("- backup no longer holds backup.launch: launch\n");
    }
}

#[test]
fn what_is_taken_away_fails_no_check() {
    let (human, json) = compared(&changed("    holds vault.api\n", ""), 0);
    assert_eq!(json["lost"][0]["capability"], "vault.api");
    human.says("- teller no longer holds vault.api: connect").says("1 holding lost");
}

#[test]
fn reachable_authority_is_listed_pair_by_pair_when_asked() {
    let scene = Scene::new("pairs");
    scene.write("old.kdl", BANK);
    scene.write("new.kdl", changed("    trusted \"answers questions\"\n", ""));
    let run = scene.capc(["diff", "old.kdl", "new.kdl", "--all", "--format", "json"]).exits(1);
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    let gained = answer["gained"].as_array().unwrap();
    let ledger =
        gained.iter().find(|change| change["object"] == "teller" && change["capability"] == "ledger");
    assert_eq!(ledger.unwrap()["level"], "hold", "{answer:#}");
}

#[test]
fn a_side_whose_names_do_not_resolve_is_reported() {
    let scene = Scene::new("unresolved");
    scene.write("old.kdl", BANK);
    scene.write("new.kdl", changed("holds vault.api", "holds vault.apj"));
    scene
        .capc(["diff", "old.kdl", "new.kdl"])
        .exits(1)
        .complains("`new.kdl` cannot be compared")
        .complains("unheld");
    scene.capc(["diff", "old.kdl", "gone.kdl"]).exits(2).complains("there is no file `gone.kdl`");
    scene.capc(["diff", "old.kdl"]).exits(2).complains("name what to compare with");
    scene.capc(["diff", "old.kdl", "7", "--store", "nowhere"]).exits(2).complains("has no generation 7");
}

fn git(scene: &Scene, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]);
    let output = command.args(arguments).current_dir(&scene.path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn revisions_are_compared_without_a_checkout_modules_included() {
    let scene = Scene::new("revisions");
    let system = "system s\ndir data \"/srv/data\"\nuse \"modules/app.kdl\" as=one data=data\n";
    let module =
        "module app\ntakes data dir read write\nservice app { run \"/usr/bin/app\"; holds data read; }\n";
    scene.write("machines/system.kdl", system);
    scene.write("machines/modules/app.kdl", module);
    git(&scene, &["init", "-q"]);
    git(&scene, &["add", "."]);
    git(&scene, &["commit", "-qm", "one"]);
    scene.write("machines/modules/app.kdl", module.replace("data read;", "data read modify;"));
    git(&scene, &["commit", "-qam", "two"]);
    // What lies here is neither.
    scene.write("machines/modules/app.kdl", "module app\n");
    let widened = "machines/modules/app.kdl:3";
    let capc = |arguments: &[&str]| scene.capc(arguments);
    capc(&["diff", "HEAD~1..HEAD", "--", "machines/system.kdl"])
        .exits(1)
        .says(widened)
        .says("one/app holds more of data: modify (had read)");
    capc(&["diff", "HEAD~1..", "--", "machines/system.kdl"]).exits(1);
    capc(&["diff", "HEAD~1...HEAD", "--", "machines/system.kdl"]).exits(1);
    capc(&["diff", "HEAD~1", "HEAD", "--", "machines/system.kdl"]).exits(1);
    capc(&["diff", "HEAD:machines/system.kdl", "HEAD~1:machines/system.kdl"])
        .exits(0)
        .says("no longer holds data: modify");
    capc(&["diff", "HEAD", "--", "machines/system.kdl"]).exits(1).complains("cannot be compared");
    capc(&["diff", "nothing..HEAD", "--", "machines/system.kdl"])
        .exits(2)
        .complains("there is no revision `nothing`");
    capc(&["diff", "HEAD~1..HEAD", "--", "gone.kdl"]).exits(2).complains("`HEAD~1` has no file `gone.kdl`");
    capc(&["diff", "HEAD", "HEAD", "--", "../out.kdl"]).exits(2).complains("lies outside the repository");
    capc(&["diff", "HEAD", "HEAD", "--", "machines"]).exits(2).complains("cannot read `machines`");
    // A revision is never an option.
    capc(&["diff", "--", "--all..HEAD"]).exits(2);
    let mut below = Command::new(env!("CARGO_BIN_EXE_capc"));
    below.args(["diff", "HEAD~1..HEAD", "--", "system.kdl"]).current_dir(scene.path.join("machines"));
    crate::scene::run(below).exits(1).says("modules/app.kdl:3");
    let mut nowhere = Command::new(env!("CARGO_BIN_EXE_capc"));
    nowhere.args(["diff", "HEAD~1..HEAD", "--", "system.kdl"]).current_dir("/");
    crate::scene::run(nowhere).exits(2).complains("git: not a git repository");
}

/// Who reaches whom, along one traversal, by name and kind.
fn pairs(authority: &Authority<'_>, along: Carries) -> BTreeSet<(String, String)> {
    let model = authority.model;
    let name = |id| model.object(id).name.to_string();
    let subjects = model.objects().filter(|(_, object)| object.is_subject());
    let reached = subjects.flat_map(|(from, _)| {
        let to = authority.reached_from(from, along).into_iter();
        let to = to.filter(|to| *to == RECONFIGURE || model.object(*to).is_subject());
        to.map(move |to| (from, to)).collect::<Vec<_>>()
    });
    reached.filter(|(from, to)| from != to).map(|(from, to)| (name(from), name(to))).collect()
}

// Groups may join more than was apart, but every pair that is new is in one, and every group has a pair that is new.
#[test]
fn every_newly_reachable_pair_is_in_a_group_and_every_group_has_one() {
    let sources = SourceMap::default();
    for seed in 0..400 {
        let (old, new) = (machine::random(seed), machine::random(seed + 1));
        let (before, after) = (holdings::derive(&old), holdings::derive(&new));
        let before = Authority::new(&old, &before, SYSTEM);
        let after = Authority::new(&new, &after, SYSTEM);
        let answer = diff(&Side::new(&before, &sources), &Side::new(&after, &sources), Detail::Groups);
        let answer = serde_json::to_value(&answer).unwrap();
        let trusted = new.objects().filter(|(_, object)| object.trusted.is_some());
        let trusted: BTreeSet<String> = trusted.map(|(_, object)| object.name.to_string()).collect();
        for (along, word) in [(Carries::HOLD, "hold"), (Carries::LEARN, "learn"), (Carries::EFFECT, "effect")]
        {
            let fresh: BTreeSet<_> =
                pairs(&after, along).difference(&pairs(&before, along)).cloned().collect();
            let mut joined = BTreeSet::new();
            for group in answer["joined"].as_array().unwrap() {
                if !group["carries"].as_array().unwrap().contains(&word.into()) {
                    continue;
                }
                let names = |end: &str| {
                    group[end]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|name| name.as_str().unwrap().to_owned())
                        .collect::<Vec<_>>()
                };
                let own: BTreeSet<_> = names("from")
                    .iter()
                    .flat_map(|from| names("to").into_iter().map(|to| (from.clone(), to)))
                    .collect();
                // What a trusted object exposes joins without a way to all that it has.
                let exposed = names("to").iter().all(|name| trusted.contains(name));
                if !exposed {
                    assert!(own.intersection(&fresh).next().is_some(), "seed {seed}, {word}: {group:#}");
                }
                joined.extend(own);
            }
            let missing: Vec<_> = fresh.difference(&joined).collect();
            assert!(missing.is_empty(), "seed {seed}, {word}: {missing:?} in {answer:#}");
        }
    }
}

//! `capc why`: every way that begins differently, and what cuts the ways that there are not.

use crate::scene::Scene;
use serde_json::Value;

const BANK: &str = r#"system bank
dir ledger "/srv/ledger"
secret stamp "/etc/stamp"
service vault {
    run "/usr/bin/vault"
    holds ledger read write
    provides api socket="/run/vault/api.sock"
}
service teller {
    run "/usr/bin/teller"
    holds vault.api
    holds guard.door
    holds ledger read path="2026"
}
service guard {
    run "/usr/bin/guard"
    holds vault.api
    provides door socket="/run/guard/door.sock"
}
service notary {
    run "/usr/bin/notary"
    oneshot
    holds stamp
    provides signed done=#true
    provides desk socket="/run/notary/desk.sock" { data-only; }
    trusted "stamps what it is shown"
}
service printer {
    run "/usr/bin/printer"
    holds notary.signed
}
service visitor {
    run "/usr/bin/visitor"
    holds notary.desk
}
service hermit {
    run "/usr/bin/hermit"
}
"#;

fn bank(name: &str, text: &str) -> Scene {
    let scene = Scene::new(name);
    scene.write("bank.kdl", text);
    scene
}

#[test]
fn every_way_that_begins_differently_is_listed_the_shortest_first() {
    let scene = bank("why-all", BANK);
    let run =
        scene.capc(["why", "teller", "ledger", "--config", "bank.kdl", "--all", "--format", "json"]).exits(0);
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&answer["format"], &answer["level"]), (&"capc/why/1".into(), &"hold".into()));
    let ways: Vec<(String, Vec<String>)> = answer["ways"]
        .as_array()
        .unwrap()
        .iter()
        .map(|way| {
            let steps = way["steps"].as_array().unwrap().iter();
            let steps = steps
                .map(|step| format!("{} {}", step["rule"].as_str().unwrap(), step["to"].as_str().unwrap()));
            (way["level"].as_str().unwrap().to_owned(), steps.collect())
        })
        .collect();
    let way = |level: &str, steps: &[&str]| {
        (level.to_owned(), steps.iter().map(|step| (*step).to_owned()).collect())
    };
    let expected = [
        way("hold", &["endowment ledger"]),
        way("hold", &["use vault", "endowment ledger"]),
        way("hold", &["use guard", "use vault", "endowment ledger"]),
        way("reach", &["share vault", "endowment ledger"]),
    ];
    assert_eq!(ways, expected, "{answer:#}");
}

#[test]
fn each_derivation_of_what_is_held_is_a_way() {
    let text = BANK
        .replace("holds vault.api\n    holds guard.door", "holds ledger read\n    holds vault.api")
        + "service chief { run \"/usr/bin/chief\"; holds ledger modify; holds teller.t; grants ledger to=teller }\n";
    let text = text.replace("    holds ledger read path=\"2026\"", "    provides t channel=#true");
    let scene = bank("why-direct", &text);
    let run = scene.capc(["why", "teller", "ledger", "--config", "bank.kdl", "--all"]).exits(0);
    run.says("teller holds ledger:\n  1. held\n").says("2. held").says("`chief` grants `ledger` to `teller`");
}

#[track_caller]
fn cut(object: &str, capability: &str, level: &str, rule: &str, words: &str) {
    let scene = bank(&format!("cut-{}", std::panic::Location::caller().line()), BANK);
    let ask = |format: &str| {
        scene.capc(["why", object, capability, "--config", "bank.kdl", "--format", format]).exits(0)
    };
    let answer: Value = serde_json::from_str(&ask("json").out).unwrap();
    assert_eq!(answer["level"], level, "{answer:#}");
    assert!(answer["cuts"].as_array().unwrap().iter().any(|cut| cut["rule"] == rule), "{answer:#}");
    ask("human").says(words);
}

#[test]
fn trust_that_cuts_is_named_with_its_place() {
    cut("visitor", "stamp", "none", "trusted", "`notary` is trusted not to relay it  (bank.kdl:26)");
}

#[test]
fn a_facet_that_carries_nothing_is_named() {
    cut(
        "printer",
        "stamp",
        "none",
        "done",
        "`notary.signed` only says that it has ended, and carries nothing  (bank.kdl:24)",
    );
}

#[test]
fn a_missing_introduction_is_told_with_those_who_hold_it() {
    cut(
        "hermit",
        "ledger",
        "none",
        "introduction",
        "nobody introduces `hermit` to those who hold it (`teller`, `vault`)",
    );
}

#[test]
fn what_is_reached_and_not_held_says_what_keeps_it_so() {
    let text = BANK.replace("    trusted \"stamps what it is shown\"\n", "");
    let scene = bank("data-only", &text);
    let run = scene.capc(["why", "visitor", "stamp", "--config", "bank.kdl"]).exits(0);
    run.says("can reach it through others")
        .says("what keeps it from holding it:\n    `notary.desk` is data-only");
}

// Who may become an identity does not run as it, and is controlled by nobody who may become it too.
#[test]
fn two_who_may_become_an_identity_reach_each_other_by_who_runs_as_it() {
    let text = "system s\nidentity id\nsecret key \"/etc/k\"\nservice runs { run \"/usr/bin/a\"; as id; }\n\
        service other { run \"/usr/bin/b\"; holds id; holds key; }\nservice comes { run \"/usr/bin/c\"; holds id; }\n";
    let scene = bank("why-identity", text);
    let run = scene.capc(["why", "comes", "key", "--config", "bank.kdl", "--format", "json"]).exits(0);
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    let pairs = [("comes", "runs"), ("runs", "other")];
    let steps = answer["steps"].as_array().unwrap();
    let edges: Vec<(&str, &str)> = steps
        .iter()
        .map(|step| (step["from"].as_str().unwrap_or(""), step["to"].as_str().unwrap_or("")))
        .filter(|(from, to)| from != to && ["comes", "runs", "other"].contains(to))
        .collect();
    assert_eq!(edges, pairs, "{}", run.out);
}

// "A data-only facet of every service that … holds a `listen` of it": a person who holds one is none.
#[test]
fn a_port_leads_to_services_alone() {
    let holder = |what: &str| {
        format!(
            "system s\nlisten l tcp=\"127.0.0.1:8080\"\nconnect c tcp=\"127.0.0.1:8080\"\nsecret key \"/etc/k\"\n{what}\n\
             service a {{ run \"/usr/bin/a\"; holds c; }}\nnever a reaches key\n"
        )
    };
    bank("why-port-user", &holder("user u { holds l; holds key; }")).capc(["check", "bank.kdl"]).exits(0);
    let service = holder("service u { run \"/usr/bin/u\"; holds l; holds key; }");
    bank("why-port-service", &service).capc(["check", "bank.kdl"]).exits(1).complains("assertion-failed");
}

#[test]
fn the_file_may_stand_behind_what_is_asked() {
    let scene = Scene::new("why-positional");
    scene.write(
        "system.kdl",
        "system s\ndir site \"/srv/site\"\nservice web { run \"/usr/bin/web\"; holds site; }\n",
    );
    scene.capc(["why", "web", "site", "system.kdl"]).exits(0).says("web holds site");
    scene.capc(["who", "site", "system.kdl"]).exits(0).says("web");
    scene.capc(["what", "web", "system.kdl"]).exits(0).says("site");
}

#[test]
fn what_is_handed_over_where_two_talk_is_mended_by_a_facet_for_data_alone() {
    let scene = Scene::new("why-data-only");
    let system = |braces: &str| {
        format!(
            "system s\nfile key \"/etc/key\"\nservice web {{ run \"/usr/bin/web\"; holds key; holds app.http; }}\n\
             service app {{ run \"/usr/bin/app\"; provides http socket=\"/run/app/http\"{braces}; }}\nnever app holds key\n"
        )
    };
    scene.write("system.kdl", system(""));
    scene.capc(["check", "system.kdl"]).exits(1).complains("(`data-only` in the facet's braces)");
    scene.write("system.kdl", system(" { data-only; }"));
    scene.capc(["check", "system.kdl"]).exits(0);
}

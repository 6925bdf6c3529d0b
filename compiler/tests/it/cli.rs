//! Questions and formats: what programs read stays what it is.

use crate::scene::{Run, Scene, repository};
use serde_json::Value;

const BANK: &str = r#"system bank
dir ledger "/srv/ledger"
service vault {
    run "/usr/bin/vault"
    holds ledger read write
    provides api socket="/run/vault/api.sock"
}
service teller {
    run "/usr/bin/teller"
    holds vault.api
    provides desk socket="/run/teller/desk.sock"
}
service clerk {
    run "/usr/bin/clerk"
    oneshot
    holds ledger read path="2026"
    provides filed done=#true
}
service printer {
    run "/usr/bin/printer"
    holds clerk.filed
}
"#;

#[track_caller]
fn json(run: Run) -> Value {
    serde_json::from_str(&run.exits(0).out).unwrap()
}

#[test]
fn who_lists_every_subject_that_can_obtain_it() {
    let scene = Scene::new("who");
    scene.write("bank.kdl", BANK);
    let answer = json(scene.capc(["who", "ledger", "--config", "bank.kdl", "--format", "json"]));
    assert_eq!(answer["format"], "capc/who/1");
    let names: Vec<&str> =
        answer["hold"].as_array().unwrap().iter().map(|entry| entry["object"].as_str().unwrap()).collect();
    assert_eq!(names, ["clerk", "teller", "vault"]);
    let clerk = &answer["hold"][0];
    assert_eq!((&clerk["direct"], &clerk["part"]), (&Value::Bool(false), &Value::Bool(true)));
    assert_eq!(clerk["rights"], serde_json::json!(["read"]));
    assert_eq!(answer["hold"][2]["rights"], serde_json::json!(["read", "modify", "create", "remove"]));
}

#[test]
fn what_lists_all_that_an_object_can_obtain() {
    let scene = Scene::new("what");
    scene.write("bank.kdl", BANK);
    let answer = json(scene.capc(["what", "teller", "--config", "bank.kdl", "--format", "json"]));
    let names: Vec<&str> = answer["reach"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["capability"].as_str().unwrap())
        .collect();
    // `clerk.filed` because the vault, which the teller can ask, writes what the clerk reads.
    assert_eq!(names, ["clerk.filed", "ledger", "ledger/2026", "teller.desk", "vault.api"]);
}

#[test]
fn why_tells_the_levels_apart() {
    let scene = Scene::new("why");
    scene.write("bank.kdl", BANK);
    for (object, capability, level) in [
        ("vault", "ledger", "direct"),
        ("teller", "ledger", "hold"),
        ("printer", "ledger", "none"),
        ("outside", "ledger", "none"),
    ] {
        let answer =
            json(scene.capc(["why", object, capability, "--config", "bank.kdl", "--format", "json"]));
        assert_eq!(answer["level"], level, "{object} {capability}: {answer}");
    }
}

#[test]
fn order_says_waves_and_waits() {
    let scene = Scene::new("order");
    scene.write("bank.kdl", BANK);
    let answer = json(scene.capc(["order", "bank.kdl", "--format", "json"]));
    assert_eq!(answer["waves"], serde_json::json!([["clerk", "vault"], ["printer", "teller"]]));
    assert_eq!(answer["waits"][0]["kind"], "ready");
    assert_eq!(answer["waits"][1]["facet"], "vault.api");
}

#[test]
fn graph_is_sorted_by_name_and_the_same_for_permuted_declarations() {
    let scene = Scene::new("graph");
    scene.write("bank.kdl", BANK);
    let answer = json(scene.capc(["graph", "bank.kdl", "--format", "json"]));
    let names: Vec<&str> =
        answer["objects"].as_array().unwrap().iter().map(|object| object["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted(), "{names:?}");
    let (header, rest) = BANK.split_once("dir ledger").unwrap();
    let (resource, services) = rest.split_once('\n').unwrap();
    let permuted = format!("{header}{services}dir ledger{resource}\n");
    scene.write("permuted.kdl", permuted);
    let dot = |file: &str| scene.capc(["graph", file, "--format", "dot"]).exits(0).out;
    assert_eq!(dot("bank.kdl"), dot("permuted.kdl"));
}

#[test]
fn a_question_about_nothing_known_says_what_was_meant() {
    let scene = Scene::new("meant");
    scene.write("bank.kdl", BANK);
    scene.capc(["who", "leger", "--config", "bank.kdl"]).exits(2).complains("did you mean `ledger`?");
    scene.capc(["explain", "bootstrap-cicle"]).exits(2).complains("did you mean `bootstrap-cycle`?");
}

#[test]
fn questions_are_answered_for_a_configuration_with_a_circle() {
    let file = repository().join("testdata/reject/bootstrap-cycle/a-requires-b-requires-a.kdl");
    let scene = Scene::new("circle");
    let run = scene.capc(["who".as_ref(), "a.started".as_ref(), "--config".as_ref(), file.as_os_str()]);
    run.exits(0).says("b  connect").complains("bootstrap-cycle");
}

#[test]
fn who_leaves_the_instance_out_is_told_the_whole_name() {
    let scene = Scene::new("inside");
    scene.write("web.kdl", "module web\nservice nginx {\n    run \"/usr/sbin/nginx\"\n    provides status channel=#true\n}\ngives status=nginx.status\n");
    scene.write("x.kdl", "system x\nuse \"web.kdl\" as=shop\n");
    scene.capc(["what", "nginx", "--config", "x.kdl"]).exits(2).complains("did you mean `shop/nginx`?");
    scene
        .capc(["who", "nginx.status", "--config", "x.kdl"])
        .exits(2)
        .complains("did you mean `shop/nginx.status`?");
}

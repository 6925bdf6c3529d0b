//! Graphs in every format: stable, escaped, and cut to what was asked for.

use crate::scene::Scene;
use serde_json::Value;
use std::collections::BTreeSet;

const OFFICE: &str = r##"system office
dir desk "/srv/a \"quoted\" #1 %% <b>|`c`"
dir etc "/etc/capc"
secret seal-key "/etc/seal"
listen front tcp="0.0.0.0:80"
service porter {
    run "/usr/bin/porter"
    holds front accept fd=3
    holds clerk.bell
    holds desk read path="in tray"
}
service clerk {
    run "/usr/bin/clerk"
    holds desk read write
    holds archive.shelf
    provides bell socket="/run/clerk/bell.sock"
}
service archive {
    run "/usr/bin/archive"
    holds seal-key
    provides shelf channel=#true
    trusted "lends, never gives"
}
service caretaker {
    run "/usr/bin/caretaker"
    holds clerk.control replace
    holds etc read write
}
use "annex.kdl" as=annex desk=desk
"##;
const ANNEX: &str = r#"module annex
takes desk dir read
service reader {
    run "/usr/bin/reader"
    holds desk read
}
use "deeper.kdl" as=cellar desk=desk
"#;
const DEEPER: &str = r#"module deeper
takes desk dir read
service mole {
    run "/usr/bin/mole"
    holds desk read
}
"#;

fn office(name: &str) -> Scene {
    let scene = Scene::new(name);
    scene.write("office.kdl", OFFICE);
    scene.write("annex.kdl", ANNEX);
    scene.write("deeper.kdl", DEEPER);
    scene
}

#[test]
fn each_format_draws_what_it_drew() {
    let scene = office("pictures");
    for format in ["dot", "mermaid", "svg", "json"] {
        let mut drawn = scene.capc(["graph", "office.kdl", "--format", format]).exits(0).out;
        if format == "json" {
            let value: Value = serde_json::from_str(&drawn).unwrap();
            drawn = serde_json::to_string_pretty(&value).unwrap();
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../../../testdata/snapshots", omit_expression => true }, {
            insta::assert_snapshot!(format!("office.{format}"), drawn);
        });
    }
}

#[test]
fn the_order_of_declarations_changes_no_picture() {
    let scene = office("permuted");
    let (header, rest) = OFFICE.split_once('\n').unwrap();
    let (resources, rest) = rest.split_once("service").unwrap();
    let (services, used) = rest.split_once("use ").unwrap();
    scene.write("permuted.kdl", format!("{header}\nuse {used}service{services}{resources}"));
    for format in ["dot", "mermaid", "svg"] {
        let drawn = |file: &str| scene.capc(["graph", file, "--format", format]).exits(0).out;
        assert_eq!(drawn("office.kdl"), drawn("permuted.kdl"));
    }
}

/// Returns the objects of a graph under some options.
#[track_caller]
fn shown(scene: &Scene, options: &[&str]) -> BTreeSet<String> {
    let mut arguments = vec!["graph", "office.kdl", "--format", "json"];
    arguments.extend(options);
    let answer: Value = serde_json::from_str(&scene.capc(arguments).exits(0).out).unwrap();
    let names = |part: &str, key: &str| -> BTreeSet<String> {
        answer[part].as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
    };
    let objects = names("objects", "name");
    for end in ["from", "to"] {
        assert!(names("edges", end).is_subset(&objects), "an edge leads out of the picture");
    }
    assert!(names("holdings", "holder").is_subset(&objects));
    let objects = answer["objects"].as_array().unwrap().iter();
    let objects = objects.filter(|object| object["kind"] != "place");
    objects.map(|object| object["name"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn check(options: &[&str], expected: &[&str]) {
    let scene = office(&format!("selected-{}", std::panic::Location::caller().line()));
    let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(shown(&scene, options), expected);
}

#[test]
fn a_focus_shows_one_step_around_it() {
    check(&["--focus", "archive"], &["archive", "clerk", "seal-key"]);
    check(&["--focus", "seal-key"], &["archive", "seal-key"]);
}

#[test]
fn from_shows_what_is_reached_and_to_what_reaches() {
    let chain = ["porter", "clerk", "desk"];
    let scene = office("from");
    let from = shown(&scene, &["--from", "porter"]);
    assert!(chain.iter().all(|name| from.contains(*name)) && !from.contains("seal-key"), "{from:?}");
    let to = shown(&scene, &["--to", "front"]);
    assert!(to.contains("outside") && !to.contains("seal-key"), "{to:?}");
    let between = shown(&scene, &["--from", "caretaker", "--to", "reconfigure"]);
    assert_eq!(between, BTreeSet::from(["caretaker".to_owned(), "reconfigure".to_owned()]));
}

#[test]
fn a_kind_shows_its_objects_and_of_resources_who_holds_them() {
    check(&["--kind", "secret"], &["archive", "seal-key"]);
    check(
        &["--kind", "service"],
        &["annex/cellar/mole", "annex/reader", "archive", "caretaker", "clerk", "porter"],
    );
}

#[test]
fn a_level_shows_only_its_edges() {
    let scene = office("level");
    let edges = |level: &str| -> Vec<Value> {
        let run = scene.capc(["graph", "office.kdl", "--format", "json", "--level", level]).exits(0);
        let answer: Value = serde_json::from_str(&run.out).unwrap();
        answer["edges"].as_array().unwrap().clone()
    };
    let carry = |edge: &Value, word: &str| edge["carries"].as_array().unwrap().contains(&word.into());
    let hold = edges("hold");
    assert!(!hold.is_empty() && hold.iter().all(|edge| carry(edge, "hold")));
    assert!(edges("reach").iter().any(|edge| !carry(edge, "hold")));
}

#[test]
fn what_nobody_knows_is_refused_with_what_was_meant() {
    let scene = office("meant");
    scene.capc(["graph", "office.kdl", "--focus", "archiv"]).exits(2).complains("did you mean `archive`?");
    scene
        .capc(["graph", "office.kdl", "--from", "clerk", "--to", "seal-kay"])
        .exits(2)
        .complains("did you mean `seal-key`?");
    scene.capc(["graph", "office.kdl", "--kind", "servise"]).exits(2).complains("`service`");
}

const SHOP: &str = r#"system shop
listen https tcp="0.0.0.0:443"
dir site "/srv/site"
dir uploads "/srv/uploads"
secret tls-key "/etc/tls/key"
state pgdata "/var/lib/pg"
state cache "/var/lib/redis"
service nginx { run "/usr/sbin/nginx"; holds https accept; holds site; holds tls-key; holds app.http }
service app { run "/usr/bin/app"; holds uploads read write; holds postgres.sql; holds redis.api; holds mailer.queue; provides http socket="/run/app/http" }
service postgres { run "/usr/bin/postgres"; holds pgdata read write; provides sql socket="/run/pg/sql" }
service redis { run "/usr/bin/redis-server"; holds cache read write; provides api socket="/run/redis/api" }
service mailer { run "/usr/bin/mailer"; holds uploads read; provides queue channel=#true; holds postgres.sql }
service backup { run "/usr/bin/backup"; oneshot; holds uploads read; holds pgdata read; holds site read; holds cache read }
service deploy { run "/usr/bin/deploy"; holds site read write; holds nginx.control signal restart; holds app.control restart }
"#;

// Services that share directories with many: their lines and words crowd.
#[test]
fn no_word_of_a_line_stands_on_a_box() {
    let scene = Scene::new("pictures-crowded");
    scene.write("system.kdl", SHOP);
    let drawn = scene.capc(["graph", "system.kdl", "--format", "svg"]).exits(0).out;
    let number = |line: &str, key: &str| -> f64 {
        let value = line.split(&format!(" {key}=\"")).nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        value.parse().unwrap()
    };
    let boxes: Vec<(f64, f64, f64)> = drawn
        .lines()
        .filter(|line| line.starts_with("<rect") && line.contains("height=\"36\""))
        .map(|line| (number(line, "x"), number(line, "y"), number(line, "width")))
        .collect();
    let words: Vec<(f64, f64)> = drawn
        .lines()
        .filter(|line| line.starts_with("<text") && line.contains("font-size=\"10\" fill"))
        .map(|line| (number(line, "x"), number(line, "y")))
        .collect();
    assert!(boxes.len() >= 12 && words.len() > 20, "{} boxes and {} words", boxes.len(), words.len());
    for (x, y) in words {
        let on = boxes
            .iter()
            .find(|(left, top, width)| (*left..left + width).contains(&x) && (*top..top + 36.0).contains(&y));
        assert_eq!(on, None, "a word at {x}, {y} stands on a box");
    }
}

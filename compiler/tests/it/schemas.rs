//! What capc prints for programs is as the schemas say that are checked in.

use crate::scene::{Scene, repository};
use crate::transaction::{make_key, reconfigure};

#[track_caller]
fn check(schema: &str, text: &str) {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let path = repository().join(format!("schemas/json/{schema}.json"));
    let schema = read(&std::fs::read_to_string(path).unwrap());
    let validator = jsonschema::validator_for(&schema).unwrap();
    let document = read(text);
    let wrong: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?} in\n{text}");
    let mut other = document;
    other["unknown"] = 1.into();
    assert!(!validator.is_valid(&other), "a field that no schema knows passes");
}

const OLD: &str = "system shop\nlisten http tcp=\"127.0.0.1:1\"\ndir site \"./given\"\nservice web { run \"/usr/bin/true\"; holds http accept; holds site at=\"/srv\"; provides page listen=http; }\nservice client { run \"/usr/bin/true\"; holds web.page; oneshot; }\nnever client holds site\n";

#[test]
fn answers_are_as_their_schemas_say() {
    let scene = Scene::new("schemas");
    scene.write("given/file", "");
    scene.write("old.kdl", OLD);
    scene.write(
        "system.kdl",
        OLD.replace("holds web.page;", "holds web.page; holds site read at=\"/srv\";")
            .replace("never client holds site\n", ""),
    );
    let json = |words: &[&str]| scene.capc(words.iter().copied().chain(["--format", "json"])).out;
    check("graph", &json(&["graph", "system.kdl"]));
    check("order", &json(&["order", "system.kdl"]));
    check("who", &json(&["who", "site", "--config", "system.kdl"]));
    check("what", &json(&["what", "client", "--config", "system.kdl"]));
    for object in ["client", "web", "outside"] {
        check("why", &json(&["why", object, "site", "--config", "system.kdl", "--all"]));
    }
    check("diff", &json(&["diff", "old.kdl", "system.kdl", "--all"]));
    check("diff", &json(&["diff", "system.kdl", "old.kdl"]));
}

#[test]
fn diagnostics_are_as_their_schema_says() {
    let scene = Scene::new("schemas-check");
    for directory in ["accept", "reject", "lint"] {
        let files = crate::scene::files_below(&repository().join("testdata").join(directory), "kdl");
        let words = ["check", "--format", "json"].map(std::ffi::OsString::from);
        let run = scene.capc(words.into_iter().chain(files.into_iter().map(Into::into)));
        check("diagnostics", &run.out);
    }
}

#[test]
fn what_is_said_of_a_store_is_as_its_schemas_say() {
    let scene = Scene::new("schemas-store");
    make_key(&scene, "key", "");
    scene.program("bin/tool", "#!/bin/sh\n");
    let tool = "service tool { run \"./bin/tool\"; env A=\"1\"; limits files=16; oneshot; }\n";
    scene.write("given/file", "");
    scene.write("system.kdl", format!("{OLD}code \"/usr\" \"/bin\" \"/lib\" \"/lib64\" \"./bin\"\n{tool}"));
    reconfigure(&scene, &["--yes"]).exits(0);
    scene.program("bin/tool", "#!/bin/sh\nexit 0\n");
    reconfigure(&scene, &["--yes"]).exits(0);
    scene.program("bin/tool", "#!/bin/sh\nexit 1\n");
    let json = |words: &[&str]| {
        scene.capc(words.iter().copied().chain(["--store", "store", "--format", "json"])).out
    };
    check("generations", &json(&["generations"]));
    check("status", &json(&["status"]));
    for service in ["tool", "web", "client"] {
        check("manifest", &json(&["show", service]));
    }
    let graph = std::fs::read_to_string(scene.path.join("store/current/graph.json")).unwrap();
    check("graph", &graph);
}

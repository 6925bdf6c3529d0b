//! What the documents show is what capc does.

use crate::scene::{Scene, repository};
use capc::diag::Code;
use std::path::Path;

/// Returns the KDL examples of a page.
fn examples(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```kdl\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn each_code_has_a_page_whose_first_example_is_refused_for_it_and_whose_second_passes() {
    let scene = Scene::new("docs");
    for code in Code::ALL {
        let page = repository().join(format!("docs/diagnostics/{}.md", code.word()));
        let shown = scene.capc(["explain", code.word()]).exits(0);
        assert_eq!(shown.out, std::fs::read_to_string(&page).unwrap());
        match examples(&page).as_slice() {
            [] => {
                assert!(matches!(code, Code::ModuleCycle | Code::Refused), "{} has no example", code.word())
            }
            [refused, instead] => {
                let path = scene.write("refused.kdl", refused);
                let run = scene
                    .capc(["check".as_ref(), "--format".as_ref(), "plain".as_ref(), path.as_os_str()])
                    .exits(1);
                let codes: Vec<&str> = run.out.lines().filter_map(|line| line.split(": ").nth(1)).collect();
                assert_eq!(codes, [code.word()], "{}", run.out);
                let path = scene.write("instead.kdl", instead);
                scene.capc(["check".as_ref(), path.as_os_str()]).exits(0);
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

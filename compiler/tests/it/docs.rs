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

/// Lints whose examples need what this version does not have yet.
const WITHOUT_WORDS: [Code; 5] =
    [Code::UnusedParameter, Code::OverWideGrant, Code::CoarseNetwork, Code::Unconfined, Code::RootEquivalent];

#[test]
fn each_code_has_a_page_whose_first_example_shows_it_and_whose_second_passes() {
    let scene = Scene::new("docs");
    for code in Code::ALL {
        let page = repository().join(format!("docs/diagnostics/{}.md", code.word()));
        let shown = scene.capc(["explain", code.word()]).exits(0);
        assert_eq!(shown.out, std::fs::read_to_string(&page).unwrap());
        // Besides what it shows a page of an error may be warned about.
        let counts = |word: &str| Code::named(word).is_some_and(|found| code.is_lint() || !found.is_lint());
        let check = |name: &str, example: &str, status| {
            let path = scene.write(name, example);
            let run = scene.capc(["check".as_ref(), "--format".as_ref(), "plain".as_ref(), path.as_os_str()]);
            let run = run.exits(status);
            run.out
                .lines()
                .filter_map(|line| line.split(": ").nth(1))
                .filter(|word| counts(word))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        match examples(&page).as_slice() {
            [] => {
                let excused =
                    matches!(code, Code::ModuleCycle | Code::Refused) || WITHOUT_WORDS.contains(code);
                assert!(excused, "{} has no example", code.word());
            }
            [shown, instead] => {
                if WITHOUT_WORDS.contains(code) {
                    continue;
                }
                let status = if code.is_lint() { 0 } else { 1 };
                assert_eq!(check("shown.kdl", shown, status), [code.word()]);
                assert_eq!(check("instead.kdl", instead, 0), Vec::<String>::new(), "{}", code.word());
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

//! The page of questions shows what capc answers.

use crate::scene::repository;

/// Runs the commands of a page's `console` blocks in the repository; returns the page with what they print.
fn answered(text: &str) -> String {
    let mut out = String::new();
    let mut is_console = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        }
        let command = line.strip_prefix("$ capc ").filter(|_| is_console);
        if command.is_some() || !is_console || line.starts_with("```") {
            out += &format!("{line}\n");
        }
        if let Some(command) = command {
            let mut capc = std::process::Command::new(env!("CARGO_BIN_EXE_capc"));
            capc.args(command.split(' ')).current_dir(repository());
            out += &crate::scene::run(capc).out;
        }
    }
    out
}

#[test]
fn the_page_of_questions_shows_what_capc_answers() {
    let page = repository().join("docs/questions.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let answered = answered(&text);
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&page, &answered).unwrap();
    }
    assert!(answered.matches("\n$ capc ").count() > 6);
    assert_eq!(text, answered);
}

//! The reference of the command line, the man pages and the completions are what the arguments say.

use crate::scene::{Scene, repository};
use capc::cli::Cli;
use clap::{Arg, Command, CommandFactory};
use std::fmt::Write;

/// Returns docs/cli.md.
fn reference() -> String {
    let mut out = "# The command line\n\nMade from what `--help` says; a test compares the two.\n".to_owned();
    let mut capc = Cli::command();
    capc.build();
    let _ = write!(out, "\n```text\n{}\n```\n", capc.get_after_help().unwrap());
    for (name, command) in named(&capc) {
        let _ = write!(out, "\n## {name}\n\n{}.\n", command.get_about().unwrap());
        if let Some(long) = command.get_long_about() {
            let long = long.to_string();
            for sentence in long.split_once("\n\n").map(|(_, when)| when).into_iter() {
                let _ = writeln!(out, "{sentence}");
            }
        }
        let arguments: Vec<&Arg> = command
            .get_arguments()
            .filter(|argument| {
                !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version")
            })
            .collect();
        if !arguments.is_empty() {
            out.push_str("\n| argument | is |\n| --- | --- |\n");
        }
        for argument in arguments {
            let mut help = argument.get_help().unwrap().to_string();
            let values = argument.get_possible_values();
            if argument.get_action().takes_values() && !values.is_empty() {
                let names: Vec<String> =
                    values.iter().map(|value| format!("`{}`", value.get_name())).collect();
                let _ = write!(help, ". One of {}", names.join(", "));
            }
            if let [default] = argument.get_default_values()
                && argument.get_action().takes_values()
            {
                let _ = write!(help, ". By default `{}`", default.to_string_lossy());
            }
            let _ = writeln!(
                out,
                "| `{}` | {} |",
                argument.to_string().replace('|', "\\|"),
                help.replace('|', "\\|")
            );
        }
        let example = command.get_after_help().unwrap().to_string();
        // In the help further examples stand below the first.
        let examples: Vec<&str> = example.trim_start_matches("Example: ").lines().map(str::trim).collect();
        let _ = write!(out, "\n```sh\n{}\n```\n", examples.join("\n"));
    }
    out
}

/// Returns every command with its words, and after one those below it.
fn named(capc: &Command) -> Vec<(String, &Command)> {
    let pairs = commands(capc).flat_map(|command| {
        let own = format!("capc {}", command.get_name());
        let inner: Vec<_> =
            commands(command).map(|inner| (format!("{own} {}", inner.get_name()), inner)).collect();
        std::iter::once((own, command)).chain(inner)
    });
    pairs.collect()
}

fn commands(capc: &Command) -> impl Iterator<Item = &Command> {
    capc.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

#[test]
fn the_reference_says_what_the_help_says() {
    let path = repository().join("docs/cli.md");
    let made = reference();
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/cli.md is not what the arguments say: run this test with INSTA_UPDATE=always"
    );
}

#[test]
fn every_command_has_help_with_an_example() {
    let scene = Scene::new("help");
    for (name, _) in named(&Cli::command()) {
        scene.capc(name.split(' ').skip(1).chain(["--help"])).exits(0).says("Example: capc ");
    }
}

#[test]
fn there_is_a_page_for_each_command_and_words_for_each_shell() {
    let scene = Scene::new("manual");
    scene.capc(["man", "share/man1"]).exits(0);
    for command in commands(&Cli::command()) {
        let page = scene.path.join(format!("share/man1/capc-{}.1", command.get_name()));
        assert!(std::fs::read_to_string(&page).unwrap().contains("Example: capc "), "{}", page.display());
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        scene.capc(["completions", shell]).exits(0).says("deny-warnings");
    }
}

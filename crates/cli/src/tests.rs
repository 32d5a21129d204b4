//! The command line as people type it.

use clap::{CommandFactory as _, Parser};

use super::*;
use crate::args::{Kind, Output};

mod flow;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: ClientCommand,
}

fn parse(line: &str) -> Result<Line, clap::Error> {
    Line::try_parse_from(std::iter::once("strongroom").chain(line.split(' ')))
}

#[test]
fn the_command_line_is_consistent() {
    Line::command().debug_assert();
}

#[test]
fn short_and_plural_names_both_work() {
    for (kinds, kind) in [
        (["team", "teams"], Kind::Teams),
        (["req", "requests"], Kind::Requests),
        (["event", "events"], Kind::Events),
        (["binding", "bindings"], Kind::Bindings),
        (["doc", "documents"], Kind::Documents),
    ] {
        for word in kinds {
            let ClientCommand::Get(args) = parse(&format!("get {word}")).unwrap().command else {
                panic!("{word}")
            };
            assert_eq!(args.kind, kind, "{word}");
        }
    }
}

#[test]
fn global_options_stand_before_and_after_the_verb() {
    for line in ["-o json --yes get teams", "get teams -o json --yes"] {
        let line = parse(line).unwrap();
        assert!(line.globals.yes);
        assert_eq!(line.globals.output, Some(Output::Json));
    }
}

#[test]
fn help_texts_start_with_examples() {
    let command = Line::command();
    let mut leaves = Vec::new();
    for verb in command.get_subcommands() {
        match verb.get_subcommands().next() {
            Some(_) => leaves.extend(verb.get_subcommands()),
            None => leaves.push(verb),
        }
    }
    for verb in leaves {
        let before = verb.get_before_help().map(ToString::to_string).unwrap_or_default();
        assert!(before.starts_with("Examples:"), "{}", verb.get_name());
    }
}

#[tokio::test]
async fn verbs_without_a_context_ask_for_a_login_and_diff_stays_above_one() {
    let dir = tempfile::tempdir().unwrap();
    let context = dir.path().join("context.json");
    let end = async |line: &str| {
        let mut line = parse(line).unwrap();
        line.globals.context = Some(context.clone());
        line.globals.server = None;
        dispatch(&line.command, &line.globals, Screen::new(&line.globals)).await
    };
    assert_eq!(end("get teams").await.unwrap_err().exit, Exit::LoginNeeded);
    assert_eq!(end("diff -f x.yaml").await.unwrap_err().exit, Exit::LoginNeeded);
    assert_eq!(end("login").await.unwrap_err().exit, Exit::Usage);
    assert_eq!(end("logout").await.unwrap(), Exit::Ok);
    assert_eq!(end("version").await.unwrap(), Exit::Ok);
}

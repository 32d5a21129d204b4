//! The command line as people type it.

use clap::{CommandFactory as _, Parser};

use super::*;
use crate::args::{Kind, Output};

mod flow;

#[test]
fn help_texts_end_with_the_exit_codes() {
    let command = args::with_exit_codes(Line::command());
    command.clone().debug_assert();
    for verb in command.get_subcommands() {
        let last = verb.get_subcommands().last().unwrap_or(verb);
        for each in [verb, last] {
            let after = each.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.starts_with("Exit codes:"), "{}", each.get_name());
        }
    }
}

#[test]
fn verbs_of_other_tools_are_answered_with_ours() {
    for (word, told) in
        [("create", "apply -f"), ("lift", "--lift team/NAME"), ("delete", "removed: true")]
    {
        let error = parse(&format!("{word} team/payments")).unwrap_err();
        assert!(args::verb_hint(&error).unwrap().contains(told), "{word}");
    }
    assert!(args::verb_hint(&parse("xyz").unwrap_err()).is_none());
    assert!(args::verb_hint(&parse("get nothing").unwrap_err()).is_none());
}

/// A line as it is typed.
#[derive(Debug, Parser)]
pub(crate) struct Line {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: ClientCommand,
}

pub(crate) fn parse(line: &str) -> Result<Line, clap::Error> {
    Line::try_parse_from(std::iter::once("strongroom").chain(line.split(' ')))
}

/// The global options of a line that has none.
pub(crate) fn globals() -> Globals {
    parse("version").unwrap().globals
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
fn a_wrong_format_is_a_usage_error_that_says_what_is_right() {
    let line = parse("get teams -o jsonpath={.items[*].name}").unwrap();
    assert!(matches!(line.globals.output, Some(Output::JsonPath(_))));
    for (format, told) in [
        ("xml", "the formats are table, wide, csv, json, yaml, name, jsonpath=EXPR"),
        ("jsonpath={.items[}", "for example jsonpath='{.items[*].name}'"),
    ] {
        let error = parse(&format!("get teams -o {format}")).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{format}");
        assert!(error.to_string().contains(told), "{error}");
    }
    let words = Line::command();
    let output = words.get_arguments().find(|each| each.get_id() == "output").unwrap();
    let words = output.get_possible_values();
    assert!(words.iter().any(|word| word.get_name() == "jsonpath="), "completions have it");
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
    let good = dir.path().join("good.yaml");
    std::fs::write(&good, verify::tests::TEAM).unwrap();
    let bad = dir.path().join("bad.yaml");
    std::fs::write(&bad, "kind: Team\n").unwrap();
    // What is wrong with a file is told first, by both verbs with the same code.
    for verb in ["apply", "diff"] {
        let refused = end(&format!("{verb} -f {}", bad.display())).await.unwrap_err();
        assert_eq!(refused.exit, Exit::Usage, "{verb}");
        assert!(refused.render().contains("bad.yaml: line 1: spec"), "{}", refused.render());
        let refused = end(&format!("{verb} -f {}", good.display())).await.unwrap_err();
        assert_eq!(refused.exit, Exit::LoginNeeded, "{verb}");
        assert!(
            refused.render().contains("run `strongroom login --server"),
            "{}",
            refused.render()
        );
    }
    for line in [
        "get requests --state bogus",
        "get bindings --state bogus",
        "get teams --state bogus",
        "get events --state applied",
        "suspend payments --reason x",
        "request show 7",
    ] {
        assert_eq!(end(line).await.unwrap_err().exit, Exit::Usage, "{line}");
    }
    assert_eq!(end("login").await.unwrap_err().exit, Exit::Usage);
    assert_eq!(end("logout").await.unwrap(), Exit::Ok);
    assert_eq!(end("version").await.unwrap(), Exit::Ok);
}

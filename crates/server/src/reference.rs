//! `docs/cli.md`: the command line as one page, made from the help texts, so that it is never older
//! than they are. Nothing of it is in the program.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use crate::arguments::Arguments;

const HEAD: &str = "\
# The command line

Made from the program's help texts: `STRONGROOM_BLESS=1 cargo test -p strongroom-server reference` makes it
anew. The same stands in `strongroom help`, and in manual pages (`strongroom man`).

Verbs of people and automation talk to `strongroom serve`; `serve`, `execute`, `engine`, `cluster`, `migrate` and `config` are
for those who run it. Data goes to standard output, everything else to standard error, and nobody is asked
anything without a terminal.
";

#[test]
fn the_published_reference_is_fresh() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let text = reference();
    if std::env::var_os("STRONGROOM_BLESS").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let published = std::fs::read_to_string(file).unwrap_or_default();
    assert!(published == text, "docs/cli.md is stale: run with STRONGROOM_BLESS=1");
}

fn reference() -> String {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let mut out = HEAD.to_owned();
    let (title, codes) = strongroom_cli::exit::TABLE.split_once(":\n").unwrap();
    let _ = write!(out, "\n## {title}\n\n```text\n{codes}\n```\n");
    out.push_str("\n## Options of every verb\n\n");
    options(&mut out, command.get_arguments());
    for verb in command.get_subcommands_mut() {
        of_verb(verb, &mut out);
    }
    out
}

fn of_verb(verb: &mut Command, out: &mut String) {
    if verb.is_hide_set() {
        return;
    }
    let usage = verb.render_usage().to_string();
    let name = verb.get_bin_name().unwrap_or(verb.get_name()).to_owned();
    let _ = write!(out, "\n## {name}\n");
    if let Some(about) = verb.get_long_about().or(verb.get_about()) {
        let _ = write!(out, "\n{}\n", about.to_string().trim_end());
    }
    let _ = write!(out, "\n```text\n{}\n```\n", usage.trim_end());
    if let Some(examples) = verb.get_before_help() {
        let text = examples.to_string();
        let lines = text.lines().skip(1).map(|line| line.strip_prefix("  ").unwrap_or(line));
        let _ = write!(out, "\n```sh\n{}\n```\n", lines.collect::<Vec<_>>().join("\n"));
    }
    let own = verb.get_arguments().filter(|each| !each.is_global_set());
    let own: Vec<&Arg> = own.filter(|each| each.get_id() != "help").collect();
    if own.iter().any(|each| !each.is_hide_set()) {
        out.push('\n');
        options(out, own.into_iter());
    }
    for verb in verb.get_subcommands_mut() {
        of_verb(verb, out);
    }
}

fn options<'a>(out: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    out.push_str("| | |\n|---|---|\n");
    for each in arguments.filter(|each| !each.is_hide_set()) {
        let _ = writeln!(out, "| {} | {} |", cell(&spelling(each)), cell(&meaning(each)));
    }
}

/// How it is typed.
fn spelling(argument: &Arg) -> String {
    let values = argument.get_num_args().is_some_and(|range| range.takes_values());
    let names = argument.get_value_names().filter(|_| values);
    let names = names.map(|names| names.join(" ")).unwrap_or_default();
    if argument.is_positional() {
        return format!("`{names}`");
    }
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let both: Vec<String> = short.into_iter().chain(long).collect();
    format!("`{}`", format!("{} {names}", both.join(", ")).trim_end())
}

/// What it is for, what it takes, and what holds when it is left out.
fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help());
    let mut text = help.map(ToString::to_string).unwrap_or_default();
    let values = argument.get_num_args().is_some_and(|range| range.takes_values());
    let words = argument.get_possible_values();
    let words = words.iter().filter(|word| values && !word.is_hide_set());
    let words: Vec<String> = words
        .map(|word| match word.get_help() {
            Some(help) => format!("`{}` ({help})", word.get_name()),
            None => format!("`{}`", word.get_name()),
        })
        .collect();
    if !words.is_empty() {
        let _ = write!(text, ": {}", words.join(", "));
    }
    let default: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if values && default.iter().any(|value| !value.is_empty()) {
        let _ = write!(text, "; `{}` when left out", default.join(" "));
    }
    if let Some(variable) = argument.get_env() {
        let _ = write!(text, "; also `{}`", variable.to_string_lossy());
    }
    if argument.is_required_set() && !argument.is_positional() {
        text.push_str("; required");
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[test]
fn a_cell_keeps_its_table_whole() {
    assert_eq!(cell("a|b\nc"), "a\\|b c");
}

#[test]
fn options_are_told_as_they_are_typed() {
    let argument = Arg::new("output").short('o').long("output").value_name("FORMAT").num_args(1);
    let argument = argument.value_parser(["json", "yaml"]).default_value("json").help("How");
    assert_eq!(spelling(&argument), "`-o, --output FORMAT`");
    assert_eq!(meaning(&argument), "How: `json`, `yaml`; `json` when left out");
}

//! `man`: manual pages of every command, from the same descriptions as the help texts.
//!
//! They are made anew by each version and hold nothing else, so a page of an older one is written over.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;

/// One page on standard output, or all of them into a directory.
pub fn run(command: Command, words: &[String], dir: Option<&Path>) -> anyhow::Result<()> {
    let command = whole(command);
    let Some(dir) = dir else {
        let page = page(find(&command, words)?)?;
        // A reader that went away is no failure of ours.
        let _ = io::stdout().write_all(&page);
        return Ok(());
    };
    fs::create_dir_all(dir).with_context(|| format!("make the directory {}", dir.display()))?;
    for (name, page) in pages(&command)? {
        let path = dir.join(name);
        fs::write(&path, page).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// The tree as it is parsed: with global options in place, and without the verb `help`.
fn whole(command: Command) -> Command {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    command
}

fn find<'a>(command: &'a Command, words: &[String]) -> anyhow::Result<&'a Command> {
    words.iter().try_fold(command, |command, word| {
        command.find_subcommand(word).with_context(|| {
            let known = command.get_subcommands().filter(|verb| !verb.is_hide_set());
            let known: Vec<&str> = known.map(Command::get_name).collect();
            format!("there is no command {word:?} here, but: {}", known.join(", "))
        })
    })
}

/// Every page, by the name of its file.
fn pages(command: &Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut all = vec![(Man::new(command.clone()).get_filename(), page(command)?)];
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        all.extend(pages(verb)?);
    }
    Ok(all)
}

/// Examples come first here too; what other pages have at the end under EXTRA are the exit codes.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).manual("Strongroom");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    if let Some(text) = command.get_before_help() {
        section("EXAMPLES", &text.to_string(), &mut out);
    }
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.get_subcommands().any(|verb| !verb.is_hide_set()) {
        man.render_subcommands_section(&mut out)?;
    }
    if let Some(text) = command.get_after_help() {
        section("EXIT STATUS", &text.to_string(), &mut out);
    }
    Ok(out)
}

/// Text that stands as it is; its first line is the section's name in other words.
fn section(name: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!(".SH \"{name}\"\n.nf\n").as_bytes());
    for line in text.lines().skip(1) {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        out.extend_from_slice(format!("{guard}{line}\n").as_bytes());
    }
    out.extend_from_slice(b".fi\n");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::arguments::Arguments;

    fn command() -> Command {
        whole(strongroom_cli::args::with_exit_codes(Arguments::command()))
    }

    #[test]
    fn every_command_that_is_shown_has_a_page() {
        let pages = pages(&command()).unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in
            ["strongroom.1", "strongroom-get.1", "strongroom-kv-put.1", "strongroom-serve.1"]
        {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        assert!(!names.contains(&"strongroom-dev-browser.1"));
        assert!(!names.iter().any(|name| name.contains("help")));
        for (name, page) in &pages {
            let page = std::str::from_utf8(page).unwrap();
            assert!(page.contains(".SH \"EXIT STATUS\""), "{name}");
        }
    }

    #[test]
    fn a_page_begins_with_examples_and_one_is_found_by_its_words() {
        let command = command();
        let words = ["kv".to_owned(), "get".to_owned()];
        let page = page(find(&command, &words).unwrap()).unwrap();
        let page = String::from_utf8(page).unwrap();
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
        assert!(
            at("strongroom kv get payments/kv/prod/api/db \\-\\-field") < at(".SH DESCRIPTION")
        );
        assert!(at("strongroom\\-kv\\-get \\- Read one secret") < at(".SH SYNOPSIS"));
        let refused = find(&command, &["kv".to_owned(), "drop".to_owned()]).unwrap_err();
        assert!(
            refused.to_string().contains("but: put, patch, get, history, delete, undelete, list"),
            "{refused}"
        );
    }

    #[test]
    fn all_pages_go_into_a_directory_and_over_older_ones() {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("man1");
        fs::create_dir(&into).unwrap();
        fs::write(into.join("strongroom.1"), "old").unwrap();
        run(Arguments::command(), &[], Some(&into)).unwrap();
        let page = fs::read_to_string(into.join("strongroom.1")).unwrap();
        assert!(page.contains(".TH strongroom 1"), "{page}");
        assert!(into.join("strongroom-request-again.1").exists());
    }

    #[test]
    fn what_looks_like_a_request_of_roff_is_text() {
        let mut out = Vec::new();
        section("EXAMPLES", "Examples:\n.x -a \\\n'y", &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, ".SH \"EXAMPLES\"\n.nf\n\\&.x \\-a \\e\n\\&'y\n.fi\n");
    }
}

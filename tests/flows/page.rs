//! A page of `docs/` as a test reads it: fenced blocks, and what their info strings say of them.
//!
//! Readers of a rendered page see nothing of the info strings; whoever edits it does, beside the
//! block. Only what is in a block is read, so prose can be changed freely. Nothing is run here.

use std::collections::BTreeMap;
use std::path::Path;

/// One fenced block.
#[derive(Debug)]
pub struct Block {
    /// The page, and the line of the block's fence.
    pub place: String,
    /// `sh`, `yaml`, or what else stands first.
    pub language: String,
    /// What stands behind it: `as=bob exit=7 not-run="needs a cluster with nodes"`.
    words: BTreeMap<String, String>,
    /// What is in it.
    pub text: String,
}

impl Block {
    /// One word of the info string.
    pub fn word(&self, name: &str) -> Option<&str> {
        self.words.get(name).map(String::as_str)
    }

    /// How many commands of `strongroom` it runs when each is run once.
    pub fn commands(&self) -> usize {
        let begins = |line: &str| usize::from(line.trim_start().starts_with("strongroom "));
        let inside = |line: &str| {
            ["$(strongroom ", "| strongroom ", "-execute strongroom "]
                .iter()
                .map(|sign| line.matches(sign).count())
                .sum::<usize>()
        };
        let code = |line: &str| line.split(" # ").next().unwrap_or_default().to_owned();
        self.text.lines().map(code).map(|line| begins(&line) + inside(&line)).sum()
    }

    /// The codes with which its commands end, in their order: all of them are named, or the last
    /// one's alone; what is not named ends with 0.
    pub fn exits(&self) -> Vec<i32> {
        let named: Vec<i32> = self.word("exit").map_or_else(Vec::new, |codes| {
            codes.split(',').map(|code| code.parse().expect("exit= holds numbers")).collect()
        });
        let count = self.commands();
        assert!(
            named.len() <= 1 || named.len() == count,
            "{}: exit= names {} codes of {count} commands",
            self.place,
            named.len()
        );
        let mut exits = vec![0; count.saturating_sub(named.len())];
        exits.extend(named);
        exits
    }
}

/// All blocks of a page of `docs/`, in order.
pub fn blocks(page: &str) -> Vec<Block> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    read(page, &std::fs::read_to_string(file).unwrap())
}

fn read(page: &str, text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(info) => {
                let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
                open = true;
                found.push(Block {
                    place: format!("docs/{page}:{}", number + 1),
                    language: language.to_owned(),
                    words: words(rest),
                    text: String::new(),
                });
            }
            None if open => {
                let block = found.last_mut().expect("an open block is the last one");
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    assert!(!open, "docs/{page}: the last block has no end");
    found
}

/// `name=value` and `name="a value with spaces"`.
fn words(mut rest: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    while let Some((name, after)) = rest.trim_start().split_once('=') {
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect("a quoted word ends"),
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        found.insert(name.to_owned(), value.to_owned());
        rest = left;
    }
    assert_eq!(rest.trim(), "", "an info string holds name=value only");
    found
}

#[test]
fn a_page_is_read_as_it_is_meant() {
    let text = "prose `strongroom x`\n```sh as=bob exit=1,0\nstrongroom a  # or `| strongroom b`\n\
                x=$(strongroom b -o name) \\\n  --more\n```\n```sh not-run=\"no nodes; see kit\"\n\
                kubectl x\n```\n```yaml\na: 1\n```\n";
    let found = read("x.md", text);
    assert_eq!(found.len(), 3);
    assert_eq!((found[0].word("as"), found[0].commands()), (Some("bob"), 2));
    assert_eq!(found[0].exits(), [1, 0]);
    assert_eq!(found[0].place, "docs/x.md:2");
    assert_eq!(found[1].word("not-run"), Some("no nodes; see kit"));
    assert_eq!((found[1].commands(), found[1].exits().len()), (0, 0));
    assert_eq!((found[2].language.as_str(), found[2].text.as_str()), ("yaml", "a: 1\n"));
}

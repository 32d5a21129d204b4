//! The table: printed, and kept in `docs/benchmarks.md`, from which rows that are not measured again
//! are read. A figure that cannot be read from there is an error: none is lost by measuring another.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::measure::Row;

/// Where the table stands.
const PAGE: &str = "docs/benchmarks.md";

/// The rows of this run and, of those that were not run, the ones that are kept.
pub struct Report {
    root: PathBuf,
    rows: Vec<Row>,
    settings: Vec<String>,
}

impl Report {
    /// Takes up what the page holds; what this run knows of the machine takes its place.
    pub fn open(root: &Path, settings: Option<Vec<String>>) -> Result<Self> {
        let page = match std::fs::read_to_string(root.join(PAGE)) {
            Ok(page) => page,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).context(PAGE),
        };
        let written = page.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned);
        let settings = settings.unwrap_or_else(|| written.collect());
        let lines = page.lines().filter(|line| {
            line.strip_prefix("| ")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        });
        let rows = lines
            .map(|line| row(line).with_context(|| format!("{PAGE}: no row of a table: {line}")))
            .collect::<Result<_>>()?;
        Ok(Self { root: root.to_owned(), rows, settings })
    }

    /// Takes rows in place of what was known of the same measurement; prints them.
    #[expect(clippy::print_stdout, reason = "this program prints its figures")]
    pub fn add(&mut self, rows: Vec<Row>) -> Result<()> {
        for row in rows {
            println!(
                "{:>2}  {:<6}  {} [{}]: {}{}{}",
                row.number,
                row.verdict,
                row.what,
                row.size,
                row.measured,
                if row.target.is_empty() {
                    String::new()
                } else {
                    format!(" (target {})", row.target)
                },
                if row.beside.is_empty() { String::new() } else { format!("; {}", row.beside) },
            );
            let same = |known: &Row| {
                known.number == row.number && known.what == row.what && known.size == row.size
            };
            match self.rows.iter_mut().find(|known| same(known)) {
                Some(known) => *known = row,
                None => self.rows.push(row),
            }
        }
        self.rows.sort_by_key(|row| row.number);
        // Also when a later row fails.
        self.write()
    }

    /// The table as a page.
    pub fn write(&self) -> Result<()> {
        let mut out = String::from(
            "# Benchmarks\n\nWritten by `cargo xtask bench` (`--full` for the large sizes, row numbers \
             for single rows); not edited by hand. A row stands until it is \
             measured again, so rows may be of different runs; what stands in one row is of one. Targets are what a floor of the same run allows; \
             `missed` means missed. Counts are exact, from the engine's own audit log, its applied \
             index or a counting proxy. Ratios are medians of alternating pairs with smallest and \
             largest. Wall times are of a small shared machine: trust counts, ratios and growth.\n\n",
        );
        for setting in &self.settings {
            writeln!(out, "- {setting}")?;
        }
        out.push_str(
            "\n| row | what | size | target | measured | | beside |\n|---|---|---|---|---|---|---|\n",
        );
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        for row in &self.rows {
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} |",
                row.number,
                cell(&row.what),
                cell(&row.size),
                cell(&row.target),
                cell(&row.measured),
                row.verdict,
                cell(&row.beside),
            )?;
        }
        std::fs::write(self.root.join(PAGE), out)?;
        Ok(())
    }
}

/// One line of the table, as [`Report::write`] wrote it.
fn row(line: &str) -> Option<Row> {
    let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let mut cells = line.split(" | ").map(|cell| cell.replace("\\|", "|").trim().to_owned());
    let mut next = || cells.next();
    let row = Row {
        number: next()?.parse().ok()?,
        what: next()?,
        size: next()?,
        target: next()?,
        measured: next()?,
        verdict: next()?,
        beside: next()?,
    };
    cells.next().is_none().then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("docs")).unwrap();
        let mut report = Report::open(root.path(), Some(vec!["2 cores".into()])).unwrap();
        let first = Row::new(2, "a | b", "10 teams").against("≤ 1", "2.00×", false);
        let second = Row::new(7, "calls", "10, 100").shows("3").beside("group 1r+0w, role 2r+0w");
        report.add(vec![first.clone(), second.clone()]).unwrap();
        let again = Report::open(root.path(), None).unwrap();
        assert_eq!(again.rows, [first, second]);
        assert_eq!(again.settings, ["2 cores"]);
        let page = root.path().join(PAGE);
        let broken = std::fs::read_to_string(&page).unwrap().replace(" | missed |", " |");
        std::fs::write(&page, broken).unwrap();
        assert!(Report::open(root.path(), None).is_err(), "a row that cannot be read is not lost");
    }
}

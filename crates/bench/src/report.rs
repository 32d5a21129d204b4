//! The table: printed, kept beside the build, and written to `docs/benchmarks.md`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::measure::Row;

/// The rows of this run and, of those that were not run, the ones that are kept.
pub struct Report {
    root: PathBuf,
    rows: Vec<Row>,
    settings: Vec<String>,
}

impl Report {
    /// Takes up what earlier runs of single rows left.
    pub fn open(root: &Path, settings: Vec<String>) -> Self {
        let kept = std::fs::read(root.join("target/bench/rows.json")).unwrap_or_default();
        let rows = serde_json::from_slice(&kept).unwrap_or_default();
        Self { root: root.to_owned(), rows, settings }
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
        let dir = self.root.join("target/bench");
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join("rows.json"), serde_json::to_vec_pretty(&self.rows)?)?;
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
        std::fs::write(self.root.join("docs/benchmarks.md"), out)?;
        Ok(())
    }
}

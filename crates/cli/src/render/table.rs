//! Columns for people: no frames, two spaces between, the last column free.

use comfy_table::{Cell, ContentArrangement, Table, presets};

use super::csv::csv;
use super::text::clean;

/// Rows under their headers, before it is known how they are written.
#[derive(Debug)]
pub struct Columns {
    headers: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Columns {
    /// These rows under these headers.
    pub fn new(headers: &[&'static str], rows: Vec<Vec<String>>) -> Self {
        Self { headers: headers.to_vec(), rows }
    }

    /// For people.
    pub fn table(&self, no_headers: bool) -> String {
        table(&self.headers, &self.rows, no_headers)
    }

    /// For a spreadsheet.
    pub fn csv(&self, no_headers: bool) -> String {
        csv(&self.headers, &self.rows, no_headers)
    }
}

/// A table. Every cell is made harmless before it is shown.
pub fn table(headers: &[&str], rows: &[Vec<String>], no_headers: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if !no_headers {
        table.set_header(headers.iter().map(|header| Cell::new(*header)));
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| Cell::new(clean(cell))));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A cell that may be empty.
pub fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_hold_nothing_that_steers() {
        let rows = [
            vec!["payments".to_owned(), "4".to_owned(), "a\nb\u{1b}[2J".to_owned()],
            vec!["x".to_owned(), "12".to_owned(), or_dash(None)],
        ];
        insta::assert_snapshot!(table(&["NAME", "REVISION", "WHY"], &rows, false), @r"
        NAME      REVISION  WHY
        payments  4         a\u{a}b\u{1b}[2J
        x         12        -
        ");
        assert!(table(&["NAME", "REVISION", "WHY"], &rows, true).starts_with("payments"));
    }
}

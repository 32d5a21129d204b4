//! Columns for spreadsheets (RFC 4180, lines ended by LF).
//!
//! Names and reasons in it were written by others. A spreadsheet takes a cell that begins like a
//! formula for one and runs it, so such a cell gets an apostrophe before it.

use super::text::clean;

/// A spreadsheet's rows. Every cell is made harmless; a dash that stands for nothing is left out.
pub fn csv(headers: &[&str], rows: &[Vec<String>], no_headers: bool) -> String {
    let mut out = String::new();
    if !no_headers {
        line(headers.iter().map(|header| (*header).to_owned()), &mut out);
    }
    for row in rows {
        let cells = row.iter().map(|cell| if cell == "-" { String::new() } else { clean(cell) });
        line(cells.map(harmless), &mut out);
    }
    out
}

fn line(cells: impl Iterator<Item = String>, out: &mut String) {
    let cells: Vec<String> = cells.map(quoted).collect();
    out.push_str(&cells.join(","));
    out.push('\n');
}

/// Text, whatever it looks like.
fn harmless(cell: String) -> String {
    if cell.trim_start().starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell }
}

fn quoted(cell: String) -> String {
    let edge = cell.starts_with(' ') || cell.ends_with(' ');
    if edge || cell.contains([',', '"', ';']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_cell_is_a_formula() {
        let rows = [
            vec!["payments".to_owned(), "a, \"b\"".to_owned(), "-".to_owned()],
            vec!["=1+1".to_owned(), "+4".to_owned(), "-x".to_owned()],
            vec!["@SUM(A1)".to_owned(), " =1".to_owned(), "a\nb".to_owned()],
            vec![String::new(), "a;b".to_owned(), "2026-11-23 18:00:00Z".to_owned()],
        ];
        let text = csv(&["NAME", "MADE BY", "WHY"], &rows, false);
        insta::assert_snapshot!(text, @r#"
        NAME,MADE BY,WHY
        payments,"a, ""b""",
        '=1+1,'+4,'-x
        '@SUM(A1),' =1,a\u{a}b
        ,"a;b",2026-11-23 18:00:00Z
        "#);
        assert_eq!(csv(&["NAME"], &[vec!["x".to_owned()]], true), "x\n");
        assert_eq!(csv(&["NAME"], &[], false), "NAME\n");
    }
}

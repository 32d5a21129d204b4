//! Migrations must not take anything away from the version before: N and N-1 run together.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

/// Refuses migrations that drop, rename, or newly require something, and names out of pattern.
pub fn check(dir: &Path) -> Result<()> {
    let mut files: Vec<_> = dir.read_dir()?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut faults = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !is_named_well(&name) {
            faults.push(format!("{name}: call it YYYYMMDDHHMMSS_verb_object.sql"));
        }
        for fault in lint(&fs::read_to_string(&file)?) {
            faults.push(format!("{name}: {fault}"));
        }
    }
    ensure!(faults.is_empty(), "migrations:\n{}", faults.join("\n"));
    Ok(())
}

fn is_named_well(name: &str) -> bool {
    let Some((date, rest)) = name.split_once('_') else {
        return false;
    };
    let Some(words) = rest.strip_suffix(".sql") else {
        return false;
    };
    date.len() == 14
        && date.bytes().all(|b| b.is_ascii_digit())
        && words.split('_').count() >= 2
        && words.split('_').all(|w| {
            !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

/// What is wrong with one migration, statement by statement.
fn lint(sql: &str) -> Vec<String> {
    let text: String = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(" ");
    let mut faults = Vec::new();
    for statement in text.split(';') {
        let words: Vec<String> =
            statement.split_whitespace().map(str::to_ascii_uppercase).collect();
        let says = |phrase: &[&str]| {
            words.windows(phrase.len()).any(|window| window.iter().zip(phrase).all(|(a, b)| a == b))
        };
        let start: String = statement.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
        if says(&["DROP", "TABLE"]) || says(&["DROP", "COLUMN"]) || says(&["DROP", "SCHEMA"]) {
            faults.push(format!("drops something: {start}"));
        }
        if says(&["TRUNCATE"]) && words.first().is_some_and(|word| word == "TRUNCATE") {
            faults.push(format!("empties a table: {start}"));
        }
        if says(&["RENAME"]) {
            faults.push(format!("renames something: {start}"));
        }
        if says(&["SET", "NOT", "NULL"]) {
            faults.push(format!("requires a value that may be missing: {start}"));
        }
        let adds = says(&["ALTER", "TABLE"]) && says(&["ADD"]);
        if adds && says(&["NOT", "NULL"]) && !says(&["DEFAULT"]) {
            faults.push(format!("adds a required column without a default: {start}"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_away_is_refused() {
        for bad in [
            "DROP TABLE acts;",
            "ALTER TABLE acts DROP COLUMN comment;",
            "alter table acts rename column a to b;",
            "ALTER TABLE acts ADD COLUMN x text NOT NULL;",
            "ALTER TABLE acts ALTER COLUMN x SET NOT NULL;",
            "TRUNCATE acts;",
        ] {
            assert_eq!(lint(bad).len(), 1, "{bad}");
        }
        for good in [
            "ALTER TABLE acts ADD COLUMN x text;",
            "ALTER TABLE acts ADD COLUMN x text NOT NULL DEFAULT '';",
            "-- DROP TABLE acts;\nCREATE TABLE x (y text NOT NULL);",
            "CREATE TRIGGER t BEFORE TRUNCATE ON acts FOR EACH STATEMENT EXECUTE FUNCTION f();",
        ] {
            assert!(lint(good).is_empty(), "{good}");
        }
    }

    #[test]
    fn names_say_when_and_what() {
        assert!(is_named_well("20261123190000_create_schema.sql"));
        for bad in ["1_create_schema.sql", "20261123190000.sql", "20261123190000_Create_x.sql", "x"]
        {
            assert!(!is_named_well(bad), "{bad}");
        }
    }

    #[test]
    fn our_migrations_take_nothing_away() {
        check(&crate::parts::root().join("migrations")).unwrap();
    }
}

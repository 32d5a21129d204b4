//! What a check in a cluster says of itself: the status of each answer that the engine gave it.
//!
//! It is the word of whoever held the check's ticket. Nothing is ever decided by it, and it holds no
//! value of a secret: there is no place for one.

use serde::{Deserialize, Serialize};

/// The most reads that one check tells of.
pub const MOST_READS: usize = 100;

/// The most bytes of a secret's name.
pub const MOST_NAME: usize = 600;

/// The status of an answer: HTTP's, or 0 where there was none.
pub type Status = u16;

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Of the login.
    pub login: Status,
    /// Of each read, where the login gave a token.
    pub reads: Vec<Read>,
}

/// How one read went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The secret, as `strongroom kv` names it.
    pub secret: String,
    /// Of its read.
    pub status: Status,
}

impl Report {
    /// What cannot be: JSON pointers with a sentence each.
    pub fn faults(&self) -> Vec<(String, &'static str)> {
        const STATUS: &str = "a status is 100 to 599, or 0 where the engine was not reached";
        let is_status = |status: Status| status == 0 || (100..600).contains(&status);
        let mut faults = Vec::new();
        if !is_status(self.login) {
            faults.push(("/login".to_owned(), STATUS));
        }
        if self.reads.len() > MOST_READS {
            faults.push(("/reads".to_owned(), "a check tells of 100 reads at most"));
        }
        for (index, read) in self.reads.iter().enumerate().take(MOST_READS) {
            let name = &read.secret;
            if name.is_empty() || name.len() > MOST_NAME || name.chars().any(char::is_control) {
                let message = "a secret's name has 1 to 600 bytes and no control characters";
                faults.push((format!("/reads/{index}/secret"), message));
            }
            if !is_status(read.status) {
                faults.push((format!("/reads/{index}/status"), STATUS));
            }
        }
        faults
    }

    /// Whether the account logged in and may read all of it; a secret that is not there yet is no
    /// fault of the binding.
    pub fn is_green(&self) -> bool {
        let good = |read: &Read| matches!(read.status, 200 | 404);
        self.login == 200 && !self.reads.is_empty() && self.reads.iter().all(good)
    }

    /// What is red, in words; empty where nothing is.
    pub fn faulty(&self) -> Vec<String> {
        match self.login {
            200 if self.reads.is_empty() => vec!["nothing was read".to_owned()],
            200 => {
                let red = self.reads.iter().filter(|read| !matches!(read.status, 200 | 404));
                red.map(|read| format!("{} {}", read.secret, answered(read.status))).collect()
            }
            status => vec![format!("the login {}", answered(status))],
        }
    }
}

fn answered(status: Status) -> String {
    match status {
        0 => "did not reach the engine".to_owned(),
        400 | 403 => format!("is refused ({status})"),
        _ => format!("is answered with {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(login: Status, reads: &[(&str, Status)]) -> Report {
        let reads = reads
            .iter()
            .map(|(secret, status)| Read { secret: (*secret).to_owned(), status: *status });
        Report { login, reads: reads.collect() }
    }

    #[test]
    fn green_is_a_login_and_every_read_allowed() {
        let table = [
            (report(200, &[("a/kv/x", 200), ("a/kv/y", 404)]), ""),
            (report(200, &[("a/kv/x", 403)]), "a/kv/x is refused (403)"),
            (report(200, &[("a/kv/x", 200), ("a/kv/y", 0)]), "a/kv/y did not reach the engine"),
            (report(200, &[("a/kv/x", 503)]), "a/kv/x is answered with 503"),
            (report(200, &[]), "nothing was read"),
            (report(400, &[]), "the login is refused (400)"),
            (report(0, &[]), "the login did not reach the engine"),
        ];
        for (report, red) in table {
            assert_eq!(report.faulty().join("; "), red);
            assert_eq!(report.is_green(), red.is_empty(), "{report:?}");
            assert!(report.faults().is_empty(), "{report:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        let long = "x".repeat(MOST_NAME + 1);
        let found = report(99, &[("", 200), ("a\u{7}b", 200), (&long, 600)]).faults();
        let places: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
        let expected =
            ["/login", "/reads/0/secret", "/reads/1/secret", "/reads/2/secret", "/reads/2/status"];
        assert_eq!(places, expected);
        let many = report(200, &vec![("a", 200); MOST_READS + 1]).faults();
        assert_eq!(many.len(), 1, "{many:?}");
        assert_eq!(many[0].0, "/reads");
    }
}

//! What was found, check by check. Pure; `check` tells what it finds in the same way.

use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::text::{Style, clean};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it should be.
    Green,
    /// Not as it should be.
    Red,
    /// It could not be looked at.
    Unknown,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    #[serde(rename = "check")]
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// All checks, in the order of a sign-in's way.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) checks: Vec<Check>,
}

impl Report {
    /// As it should be.
    pub(in crate::verbs) fn green(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(check, Verdict::Green, text.into(), None);
    }

    /// Not as it should be.
    pub(in crate::verbs) fn red(
        &mut self,
        check: &'static str,
        text: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.add(check, Verdict::Red, text.into(), Some(next.into()));
    }

    /// Not to be said.
    pub(in crate::verbs) fn unknown(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(check, Verdict::Unknown, text.into(), None);
    }

    /// Not to be said of any of these.
    pub(super) fn unknown_all(&mut self, checks: &[&'static str], text: &str) {
        for check in checks {
            self.unknown(check, text);
        }
    }

    /// Red, as a failure tells it.
    pub(super) fn failed(&mut self, check: &'static str, failure: &Failure) {
        let why = failure.why.join("; ");
        let text =
            if why.is_empty() { failure.what.clone() } else { format!("{}: {why}", failure.what) };
        self.add(check, Verdict::Red, text, failure.next.clone());
    }

    fn add(&mut self, check: &'static str, verdict: Verdict, text: String, next: Option<String>) {
        self.checks.push(Check { name: check, verdict, text, next });
    }

    /// One line a check.
    pub(in crate::verbs) fn text(&self, style: Style) -> String {
        let line = |check: &Check| {
            let verdict = match check.verdict {
                Verdict::Green => style.green("green  "),
                Verdict::Red => style.red("red    "),
                Verdict::Unknown => style.yellow("unknown"),
            };
            let next = check.next.as_ref().map(|next| format!("; next: {}", clean(next)));
            let next = next.unwrap_or_default();
            format!("{verdict}  {:<9} {}{next}\n", check.name, clean(&check.text))
        };
        self.checks.iter().map(line).collect()
    }

    /// Well, unless something is red.
    pub(in crate::verbs) fn exit(&self) -> Exit {
        let red = self.checks.iter().any(|check| check.verdict == Verdict::Red);
        if red { Exit::Failed } else { Exit::Ok }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_one_line_with_what_to_do_next() {
        let mut report = Report::default();
        report.green("context", "/home/bob/context.json, mode 600");
        report.unknown("version", "the server does not tell it");
        assert_eq!(report.exit(), Exit::Ok);
        let failure = Failure::new(Exit::LoginNeeded, "read the session")
            .because("it has ended")
            .because("a\u{1b}b")
            .next("run `strongroom login`");
        report.failed("session", &failure);
        insta::assert_snapshot!(report.text(Style::PLAIN), @r"
        green    context   /home/bob/context.json, mode 600
        unknown  version   the server does not tell it
        red      session   read the session: it has ended; a\u{1b}b; next: run `strongroom login`
        ");
        assert_eq!(report.exit(), Exit::Failed);
        insta::assert_snapshot!(serde_json::to_string(&report.checks[1]).unwrap(), @r#"{"check":"version","verdict":"unknown","text":"the server does not tell it"}"#);
    }
}

//! What was found, line by line, with what to do next. Pure.

use std::process::ExitCode;

use strongroom_cli::exit::Exit;
use strongroom_cli::render::text::{Style, clean};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Green,
    Yellow,
    Red,
}

#[derive(Debug)]
struct Line {
    verdict: Verdict,
    about: &'static str,
    text: String,
    next: Option<String>,
}

/// All lines.
#[derive(Debug, Default)]
pub struct Report(Vec<Line>);

impl Report {
    /// As it should be.
    pub fn green(&mut self, about: &'static str, text: impl Into<String>) {
        self.0.push(Line { verdict: Verdict::Green, about, text: text.into(), next: None });
    }

    /// It works, and somebody has to know.
    pub fn yellow(
        &mut self,
        about: &'static str,
        text: impl Into<String>,
        next: impl Into<String>,
    ) {
        let (text, next) = (text.into(), Some(next.into()));
        self.0.push(Line { verdict: Verdict::Yellow, about, text, next });
    }

    /// Not as it should be.
    pub fn red(&mut self, about: &'static str, text: impl Into<String>, next: impl Into<String>) {
        let (text, next) = (text.into(), Some(next.into()));
        self.0.push(Line { verdict: Verdict::Red, about, text, next });
    }

    /// What is about the same stands together.
    pub fn in_order(&mut self) {
        self.0.sort_by_key(|line| line.about);
    }

    /// Whether anything is not as it should be.
    pub fn is_red(&self) -> bool {
        self.0.iter().any(|line| line.verdict == Verdict::Red)
    }

    /// Well, unless something is red.
    pub fn exit(&self) -> ExitCode {
        if self.is_red() { Exit::Failed.into() } else { Exit::Ok.into() }
    }

    /// As it is printed.
    pub fn text(&self, style: Style) -> String {
        let line = |line: &Line| {
            let verdict = match line.verdict {
                Verdict::Green => style.green("green "),
                Verdict::Yellow => style.yellow("yellow"),
                Verdict::Red => style.red("red   "),
            };
            // What a cluster says is somebody else's text.
            let next = line.next.as_ref().map(|next| format!("; next: {}", clean(next)));
            let next = next.unwrap_or_default();
            format!("{verdict}  {:<8}  {}{next}\n", line.about, clean(&line.text))
        };
        self.0.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_red_fails_and_every_line_says_what_to_do() {
        let mut report = Report::default();
        report.green("reader", "may list namespaces");
        report.yellow("reader", "its token ends in 3 days", "renew it");
        assert!(!report.is_red());
        report.red("reviewer", "may get secrets\u{1b}", "take that away");
        assert!(report.is_red());
        let text = "green   reader    may list namespaces\n\
                    yellow  reader    its token ends in 3 days; next: renew it\n\
                    red     reviewer  may get secrets\\u{1b}; next: take that away\n";
        assert_eq!(report.text(Style::PLAIN), text);
    }
}

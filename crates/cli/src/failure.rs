//! What a person reads when a command fails: what went wrong, why, and what to do next.

use std::error::Error;
use std::fmt::Write as _;

use crate::exit::Exit;
use crate::render::text::{clean, clean_block};

/// A failed command. It is shown once, at the edge, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What was attempted and did not work.
    pub what: String,
    /// Why, line by line.
    pub why: Vec<String>,
    /// What to do next.
    pub next: Option<String>,
}

impl Failure {
    /// A failure with its code and its sentence.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), why: Vec::new(), next: None }
    }

    /// A mistake on the command line.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Adds a line that says why.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Adds the whole chain of an error as the reason.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn Error) -> Self {
        self.why.push(chain(error));
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The text for the terminal. Parts of it may come from a server, so it is made harmless.
    pub fn render(&self) -> String {
        let mut out = format!("error: {}\n", clean(&self.what));
        for why in &self.why {
            for (number, line) in clean_block(why).lines().enumerate() {
                let head = if number == 0 { "  why:  " } else { "        " };
                let _ = writeln!(out, "{head}{line}");
            }
        }
        if let Some(next) = &self.next {
            let _ = writeln!(out, "  next: {}", clean(next));
        }
        out
    }
}

/// An error and its sources in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.ends_with(&more) {
            let _ = write!(text, ": {more}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_why_and_next_stand_on_their_own_lines() {
        let failure = Failure::new(Exit::Conflict, "propose team/payments")
            .because("revision 4 is applied, yours is based on 3")
            .because("two lines\nof reason")
            .next("run `strongroom diff -f payments.yaml`");
        insta::assert_snapshot!(failure.render(), @r"
        error: propose team/payments
          why:  revision 4 is applied, yours is based on 3
          why:  two lines
                of reason
          next: run `strongroom diff -f payments.yaml`
        ");
    }

    #[test]
    fn a_server_cannot_move_the_cursor() {
        let failure = Failure::new(Exit::Failed, "x\u{1b}[2Jy").because("a\u{202e}b");
        assert!(!failure.render().contains('\u{1b}') && !failure.render().contains('\u{202e}'));
    }
}

//! What a person reads when a command fails: what went wrong, why, and what to do next.

use std::error::Error;
use std::fmt::Write as _;

use strongroom_domain::document::field_path;

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
    /// What is wrong with what was sent: where (a JSON pointer into the body) and what.
    pub faults: Vec<(String, String)>,
    /// What to do next.
    pub next: Option<String>,
}

impl Failure {
    /// A failure with its code and its sentence.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), why: Vec::new(), faults: Vec::new(), next: None }
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

    /// Says of each fault in a document of the body where the person finds it. `place` gives that
    /// for a document's number and the pointer inside it.
    #[must_use]
    pub fn placed(mut self, place: impl Fn(usize, &str) -> Option<String>) -> Self {
        for (pointer, message) in std::mem::take(&mut self.faults) {
            let found = in_document(&pointer).and_then(|(number, inner)| place(number, inner));
            match found {
                Some(found) => self.why.push(format!("{found}: {message}")),
                None => self.faults.push((pointer, message)),
            }
        }
        self
    }

    /// The text for the terminal. Parts of it may come from a server, so it is made harmless.
    pub fn render(&self) -> String {
        let mut out = format!("error: {}\n", clean(&self.what));
        let faults = self.faults.iter().map(|(pointer, message)| fault_text(pointer, message));
        for why in self.why.iter().cloned().chain(faults) {
            for (number, line) in clean_block(&why).lines().enumerate() {
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

/// A document's number in the body, and the pointer inside the document.
fn in_document(pointer: &str) -> Option<(usize, &str)> {
    let bare = pointer.strip_prefix("/submission").unwrap_or(pointer);
    let rest = bare.strip_prefix("/documents/")?;
    let (number, inner) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // A submission says more of a document than the document itself.
    let inner = inner.strip_prefix("/document").unwrap_or(inner);
    Some((number.parse().ok()?, inner))
}

/// A fault without the API's own words for where it is.
fn fault_text(pointer: &str, message: &str) -> String {
    let place = if let Some((number, inner)) = in_document(pointer) {
        field_path(&format!("/{number}{inner}"))
    } else {
        let bare = pointer.strip_prefix("/submission").unwrap_or(pointer);
        match bare.split('/').nth(1).unwrap_or_default() {
            "attest" => "--reattest".to_owned(),
            "lift" => "--lift".to_owned(),
            "reason" => "--reason".to_owned(),
            "documents" => "the documents".to_owned(),
            _ => field_path(bare),
        }
    };
    if place.is_empty() { message.to_owned() } else { format!("{place}: {message}") }
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
    fn faults_are_told_where_people_find_them_and_never_as_the_api_does() {
        let mut failure = Failure::new(Exit::Usage, "preview the documents");
        failure.faults = [
            ("/documents/0/spec/mounts/0/name", "a"),
            ("/submission/documents/1/document/spec/people", "b"),
            ("/documents/1", "c"),
            ("/attest/0", "d"),
            ("/submission/lift/0", "e"),
            ("/documents", "f"),
            ("", "g"),
        ]
        .map(|(pointer, message)| (pointer.to_owned(), message.to_owned()))
        .to_vec();
        insta::assert_snapshot!(failure.render(), @r"
        error: preview the documents
          why:  document 1, spec.mounts[0].name: a
          why:  document 2, spec.people: b
          why:  document 2: c
          why:  --reattest: d
          why:  --lift: e
          why:  the documents: f
          why:  g
        ");
        let placed = failure.placed(|number, inner| {
            (number == 0).then(|| format!("a.yaml: line 8: {}", field_path(inner)))
        });
        assert!(placed.render().contains("a.yaml: line 8: spec.mounts[0].name: a"));
        assert!(placed.render().contains("document 2, spec.people: b"));
    }

    #[test]
    fn a_server_cannot_move_the_cursor() {
        let failure = Failure::new(Exit::Failed, "x\u{1b}[2Jy").because("a\u{202e}b");
        assert!(!failure.render().contains('\u{1b}') && !failure.render().contains('\u{202e}'));
    }
}

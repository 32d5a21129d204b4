//! What happened, line by line; kept only when a schedule is told again.

/// The lines, if they are kept.
#[derive(Debug, Default)]
pub(crate) struct Trace(Option<Vec<String>>);

impl Trace {
    pub(crate) fn new(kept: bool) -> Self {
        Self(kept.then(Vec::new))
    }

    /// Adds a line; it is not even made where nobody keeps it.
    pub(crate) fn say(&mut self, now: i64, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            lines.push(format!("{now:>5}s  {}", line()));
        }
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.0.unwrap_or_default()
    }
}

//! Numbers and rows: medians with their range, growth, and a target beside what was measured.
//!
//! A verdict follows from the numbers of this run only; no target counts as met by itself.

use std::fmt;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number in the list of rows; rows of one number stay together.
    pub number: u32,
    /// What was measured.
    pub what: String,
    /// What it should be.
    pub target: String,
    /// What it is.
    pub measured: String,
    /// `ok`, `missed`, or `shown` where there is no target.
    pub verdict: String,
    /// The peer or floor of the same run.
    pub beside: String,
    /// The size it was measured at.
    pub size: String,
}

impl Row {
    /// A line without verdict.
    pub fn new(number: u32, what: &str, size: impl fmt::Display) -> Self {
        Self {
            number,
            what: what.to_owned(),
            target: String::new(),
            measured: String::new(),
            verdict: "shown".to_owned(),
            beside: String::new(),
            size: size.to_string(),
        }
    }

    /// What was measured, where nothing is demanded of it.
    pub fn shows(mut self, measured: impl fmt::Display) -> Self {
        self.measured = measured.to_string();
        self
    }

    /// What was measured, and whether it keeps the target.
    pub fn against(mut self, target: &str, measured: impl fmt::Display, kept: bool) -> Self {
        target.clone_into(&mut self.target);
        self.measured = measured.to_string();
        (if kept { "ok" } else { "missed" }).clone_into(&mut self.verdict);
        self
    }

    /// What stands beside it.
    pub fn beside(mut self, text: impl fmt::Display) -> Self {
        self.beside = text.to_string();
        self
    }
}

/// Several values of the same thing.
#[derive(Debug, Clone, Default)]
pub struct Values(pub Vec<f64>);

impl Values {
    /// The value below which this share lies.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        if sorted.is_empty() {
            return f64::NAN;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a short list"
        )]
        let place = ((sorted.len() - 1) as f64 * share).round() as usize;
        sorted[place]
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Smallest and largest.
    pub fn range(&self) -> (f64, f64) {
        (self.quantile(0.0), self.quantile(1.0))
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.range();
        write!(f, "{:.2} ({least:.2}–{most:.2}, n={})", self.median(), self.0.len())
    }
}

/// Ratios of pairs.
pub fn ratios(ours: &[f64], theirs: &[f64]) -> Values {
    Values(ours.iter().zip(theirs).map(|(a, b)| a / b).collect())
}

/// The exponent of growth between the first and the last point: 0 is flat, 1 is linear.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    match (points.first(), points.last()) {
        (Some((n, a)), Some((m, b))) if n < m => (b.max(1e-9) / a.max(1e-9)).ln() / (m / n).ln(),
        _ => f64::NAN,
    }
}

/// A whole number as a fraction.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub fn float(number: u64) -> f64 {
    number as f64
}

/// The same of a length.
pub fn length(number: usize) -> f64 {
    float(number as u64)
}

//! Durations as documents write them: a whole number and one unit, `90s`, `20m`, `72h`, `14d`.

use std::fmt;
use std::str::FromStr;

/// A bounded number of whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(u32);

/// The text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a whole number and a unit: 90s, 20m, 72h or 14d, at most 366d")]
pub struct DurationError;

const MOST: u32 = 366 * 86_400;

impl Seconds {
    /// That many seconds; `None` for zero and for more than 366 days.
    pub fn new(seconds: u32) -> Option<Self> {
        (1..=MOST).contains(&seconds).then_some(Self(seconds))
    }

    /// The number of seconds.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for Seconds {
    type Err = DurationError;
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let number = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
        let unit = match text.as_bytes().last() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3600,
            Some(b'd') => 86_400,
            _ => return Err(DurationError),
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(DurationError);
        }
        let number: u32 = number.parse().map_err(|_| DurationError)?;
        number.checked_mul(unit).and_then(Self::new).ok_or(DurationError)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The largest unit that is exact, hours at most: people say 72h, not 3d, for ages.
        match self.0 {
            n if n % 3600 == 0 => write!(f, "{}h", n / 3600),
            n if n % 60 == 0 => write!(f, "{}m", n / 60),
            n => write!(f, "{n}s"),
        }
    }
}

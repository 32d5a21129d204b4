//! Session tokens of the API: opaque, random, stored as a hash.

use jiff::{SignedDuration, Timestamp};

use crate::opaque::{self, opaque};

/// What every session token starts with, so that scanners recognise one that leaked.
pub const PREFIX: &str = "srs_";

opaque! {
    /// A session token in clear. Shown to its owner once, never stored, never logged.
    SessionToken, PREFIX
}

/// How long sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Without use.
    pub idle: SignedDuration,
    /// At most, used or not.
    pub absolute: SignedDuration,
}

impl Lifetimes {
    /// When a session ends that was begun and last used at these times.
    pub fn end(&self, begun_at: Timestamp, used_at: Timestamp) -> Timestamp {
        let after = |at: Timestamp, by: SignedDuration| at.checked_add(by).unwrap_or(at);
        after(used_at, self.idle).min(after(begun_at, self.absolute))
    }

    /// Whether it lives. Its last moment is the one before its end.
    pub fn is_live(&self, begun_at: Timestamp, used_at: Timestamp, now: Timestamp) -> bool {
        now < self.end(begun_at, used_at)
    }
}

/// A random text for state parameters and nonces of sign-ins.
pub fn random_text() -> Result<String, getrandom::Error> {
    opaque::generate("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_parse_back_and_do_not_show() {
        let (one, two) = (SessionToken::generate().unwrap(), SessionToken::generate().unwrap());
        assert_ne!(one.hash(), two.hash());
        assert_eq!(SessionToken::parse(one.expose()).unwrap().hash(), one.hash());
        assert!(!format!("{one:?}").contains(&one.expose()[4..]));
        for bad in ["", "srs_", "srs_abc", "xyz_0123456789012345678901234567890123456789012"] {
            assert!(SessionToken::parse(bad).is_none());
        }
    }

    #[test]
    fn a_session_ends_unused_or_old_and_on_the_second() {
        let lives = Lifetimes {
            idle: SignedDuration::from_mins(30),
            absolute: SignedDuration::from_hours(12),
        };
        let at = |seconds: i64| Timestamp::from_second(1_795_000_000 + seconds).unwrap();
        let (minute, hour) = (60, 3600);
        for (used, now, live) in [
            (0, 0, true),
            (0, 30 * minute - 1, true),
            (0, 30 * minute, false),
            (10 * minute, 39 * minute, true),
            (12 * hour - minute, 12 * hour - 1, true),
            (12 * hour - minute, 12 * hour, false),
            (12 * hour + minute, 12 * hour + minute, false),
        ] {
            assert_eq!(lives.is_live(at(0), at(used), at(now)), live, "{used} {now}");
        }
        assert_eq!(lives.end(at(0), at(0)), at(30 * minute));
        assert_eq!(lives.end(at(0), at(12 * hour - 1)), at(12 * hour));
        // An absurd setting must not make a session immortal.
        let absurd = Lifetimes { idle: SignedDuration::MAX, absolute: SignedDuration::MAX };
        assert!(!absurd.is_live(at(0), at(0), at(1)));
    }
}

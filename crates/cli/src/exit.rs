//! Exit codes. Scripts depend on them; they are part of the contract and never change meaning.
//! One table for all verbs; `diff` alone says with 1 that there are differences.

use std::process::ExitCode;

/// The table, as help texts end with it.
pub const TABLE: &str = "\
Exit codes:
  0 done                      5 denied, or an act that does not count
  1 failed otherwise          6 in conflict with what is there
  2 wrong command line        7 stored; others must sign, or the executor must answer
    or document               8 timed out
  3 not there, or not seen  130 interrupted
  4 sign in first           `diff`: 0 no difference, 1 differences, all else as above (1 becomes 2)";

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Ok,
    /// It did not, for a reason no other code names.
    Failed,
    /// The command line, or a document that was given, is wrong.
    Usage,
    /// There is no such thing, or this person may not see it.
    NotFound,
    /// Nobody is signed in, or the session has ended.
    LoginNeeded,
    /// The person may not do this, or the executor does not count the act.
    Denied,
    /// The world is not as the command expects: another base, another owner, other trust.
    Conflict,
    /// Stored, and now somebody else must do something.
    Waiting,
    /// The time that was allowed ran out.
    TimedOut,
    /// Stopped by the person at the keyboard.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::LoginNeeded => 4,
            Self::Denied => 5,
            Self::Conflict => 6,
            Self::Waiting => 7,
            Self::TimedOut => 8,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, TABLE};

    #[test]
    fn the_codes_are_the_documented_ones() {
        let codes = [
            (Exit::Ok, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::NotFound, 3),
            (Exit::LoginNeeded, 4),
            (Exit::Denied, 5),
            (Exit::Conflict, 6),
            (Exit::Waiting, 7),
            (Exit::TimedOut, 8),
            (Exit::Interrupted, 130),
        ];
        for (exit, code) in codes {
            assert_eq!(exit.code(), code, "{exit:?}");
            let told = TABLE.split_whitespace().any(|word| word == code.to_string());
            assert!(told, "the help does not tell {code}");
        }
    }
}

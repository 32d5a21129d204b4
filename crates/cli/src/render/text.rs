//! Text for a terminal: made harmless, indented, coloured where that is wanted.
//!
//! Names, comments and values come from servers and from other people. None of it may move the
//! cursor, hide text or turn the reading direction, because people decide by what they see here.

use std::fmt::Write as _;

use jiff::Timestamp;

/// One line of text in which every invisible or steering character is written out.
pub fn clean(text: &str) -> String {
    escape(text, |_| false)
}

/// Like [`clean`], but line ends stay.
pub fn clean_block(text: &str) -> String {
    escape(text, |c| c == '\n')
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !keep(c) && (c.is_control() || is_steering(c)) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that are not shown, or that change how their neighbours are shown.
fn is_steering(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are written.
    pub colour: bool,
}

impl Style {
    /// No colours.
    pub const PLAIN: Self = Self { colour: false };

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A heading.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Something added, or good news.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Something removed, or bad news.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Something to look at.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Something less important.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// A risk word in its colour.
    pub fn risk(self, risk: &str) -> String {
        match risk {
            "critical" | "high" => self.red(&clean(risk)),
            "normal" => self.yellow(&clean(risk)),
            _ => clean(risk),
        }
    }

    /// A state word in its colour.
    pub fn state(self, state: &str) -> String {
        match state {
            "applied" | "attached" | "active" => self.green(&clean(state)),
            "failed" | "rejected" | "suspended" | "expired" => self.red(&clean(state)),
            "in_review" | "approved" | "applying" | "submitted" | "waiting" => {
                self.yellow(&clean(state))
            }
            _ => clean(state),
        }
    }
}

/// A time to read: UTC, to the second.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Unix seconds to read.
pub fn seconds(at: i64) -> String {
    Timestamp::from_second(at).map_or_else(|_| at.to_string(), time)
}

/// A time as a server wrote it; text that is no time is shown as it is.
pub fn time_text(text: &str) -> String {
    text.parse::<Timestamp>().map_or_else(|_| clean(text), time)
}

/// The first digits of a digest or id, enough to tell two apart by eye.
pub fn short(text: &str) -> String {
    clean(text).chars().take(16).collect()
}

/// `1 vote`, `2 votes`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        let hostile = "a\u{1b}]0;x\u{7}b\rc\u{202e}d\u{200b}e\u{e0041}\u{9b}2J";
        let shown = clean(hostile);
        assert_eq!(shown, "a\\u{1b}]0;x\\u{7}b\\u{d}c\\u{202e}d\\u{200b}e\\u{e0041}\\u{9b}2J");
        assert_eq!(clean_block("a\nb\tc"), "a\nb\\u{9}c");
        assert_eq!(clean("Zahlungen äöü 支払い"), "Zahlungen äöü 支払い");
    }
}

//! The two streams and the person at the keyboard.
//!
//! Data goes to standard output, everything else to standard error; progress is for terminals
//! only, and nobody is asked anything without one.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use tokio::sync::oneshot;

use crate::args::Globals;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::text::Style;
use crate::signin::browser::{self, Opened};

/// Where and how this run writes.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    quiet: bool,
    yes: bool,
    no_color: bool,
    /// How a page is opened in the person's browser.
    pub open: fn(&str) -> Opened,
}

impl Screen {
    /// By the global options and the environment.
    pub fn new(globals: &Globals) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            quiet: globals.quiet,
            yes: globals.yes,
            no_color: globals.no_color || unwanted,
            open: browser::open,
        }
    }

    /// Colours for standard output.
    pub fn style_out(self) -> Style {
        Style { colour: !self.no_color && std::io::stdout().is_terminal() }
    }

    /// Colours for standard error.
    pub fn style_err(self) -> Style {
        Style { colour: !self.no_color && std::io::stderr().is_terminal() }
    }

    /// Data. A reader that went away is no failure of ours.
    pub fn data(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        if !text.ends_with('\n') && !text.is_empty() {
            let _ = out.write_all(b"\n");
        }
        let _ = out.flush();
    }

    /// Exactly these bytes as data, with a line end only where a person looks at them.
    pub fn raw(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        if std::io::stdout().is_terminal() {
            let _ = out.write_all(b"\n");
        }
        let _ = out.flush();
    }

    /// A remark for the person; not with `--quiet`.
    pub fn say(self, text: &str) {
        if !self.quiet {
            self.must_say(text);
        }
    }

    /// Something the person has to see even with `--quiet`.
    pub fn must_say(self, text: &str) {
        let mut err = std::io::stderr().lock();
        let _ = err.write_all(text.as_bytes());
        if !text.ends_with('\n') {
            let _ = err.write_all(b"\n");
        }
    }

    /// What the person is about to agree to: left out only where nobody is asked and nobody looks.
    pub fn show(self, text: &str) {
        if !(self.quiet && self.yes) {
            self.must_say(text);
        }
    }

    /// Progress, on a terminal only.
    pub fn progress(self, text: &str) {
        if std::io::stderr().is_terminal() {
            self.say(text);
        }
    }

    /// Asks yes or no. `--yes` answers; without a terminal and without `--yes` it is refused.
    pub async fn confirm(self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !self.can_ask() {
            return Err(Failure::usage("confirm without a terminal")
                .because(format!("nobody can be asked: {question}"))
                .next("look at what is shown, then run it again with `--yes`"));
        }
        let answer = self.ask(&format!("{question} [y/N] ")).await?;
        if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            Ok(())
        } else {
            Err(Failure::new(Exit::Failed, "stopped before anything was signed or written"))
        }
    }

    /// Asks for one line.
    pub async fn ask(self, question: &str) -> Result<String, Failure> {
        prompt(question);
        on_a_thread(|| {
            let mut line = String::new();
            match terminal_behind_a_pipe() {
                Some(terminal) => std::io::BufReader::new(terminal).read_line(&mut line)?,
                None => std::io::stdin().lock().read_line(&mut line)?,
            };
            Ok(line)
        })
        .await
    }

    /// Whether somebody can be asked: at standard input, or at the terminal where a pipe is that.
    pub fn can_ask(self) -> bool {
        self.has_person() || terminal_behind_a_pipe().is_some()
    }

    /// Whether somebody sits at standard input.
    pub fn has_person(self) -> bool {
        std::io::stdin().is_terminal()
    }

    /// Asks for a value without showing it, or reads all of standard input where that is no
    /// terminal (one line end at the end is left out).
    pub async fn secret(self, question: &str) -> Result<SecretString, Failure> {
        if !self.has_person() {
            let mut text = on_a_thread(|| {
                let mut text = String::new();
                std::io::stdin().lock().read_to_string(&mut text)?;
                Ok(text)
            })
            .await?;
            strip_line_end(&mut text);
            return Ok(text.into());
        }
        prompt(question);
        // Restored when this future is dropped too, so that Ctrl-C leaves a usable terminal.
        let hidden = Hidden::start();
        let mut line = on_a_thread(|| {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            Ok(line)
        })
        .await?;
        drop(hidden);
        self.must_say("");
        strip_line_end(&mut line);
        Ok(line.into())
    }
}

/// The terminal of somebody who sees the question, where documents come in through a pipe.
fn terminal_behind_a_pipe() -> Option<std::fs::File> {
    let is_piped = !std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    is_piped.then(|| std::fs::File::open("/dev/tty").ok()).flatten()
}

fn prompt(question: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(question.as_bytes());
    let _ = err.flush();
}

fn strip_line_end(text: &mut String) {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
}

/// Reads on a thread of its own: the runtime would wait at its end for a blocked read.
async fn on_a_thread(
    read: impl FnOnce() -> std::io::Result<String> + Send + 'static,
) -> Result<String, Failure> {
    let (done, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = done.send(read());
    });
    let failed = || Failure::new(Exit::Failed, "read from standard input");
    answer.await.map_err(|_| failed())?.map_err(|error| failed().caused_by(&error))
}

/// The terminal while it does not show what is typed.
struct Hidden(Option<Termios>);

impl Hidden {
    fn start() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(&stdin) else {
            return Self(None);
        };
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(&stdin, OptionalActions::Flush, &hidden);
        Self(Some(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_left_out() {
        for (given, kept) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("", "")]
        {
            let mut text = given.to_owned();
            strip_line_end(&mut text);
            assert_eq!(text, kept);
        }
    }
}

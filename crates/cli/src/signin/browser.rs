//! Opening a page in the person's browser.

use std::process::Stdio;

use tokio::process::{Child, Command};

/// A browser that was asked to open a page.
#[derive(Debug)]
pub struct Opened(State);

#[derive(Debug)]
enum State {
    Failed(String),
    Running(Child),
    Done,
}

/// Opens a page: with `$BROWSER` (a command, its arguments separated by spaces, that gets the
/// address last), else with what the desktop offers. The browser is left running.
pub fn open(url: &str) -> Opened {
    let chosen = std::env::var("BROWSER").unwrap_or_default();
    let words = command(&chosen);
    let (program, arguments) = match words.split_first() {
        Some((program, arguments)) => (*program, arguments),
        None => (default_program(), &[][..]),
    };
    let started = Command::new(program)
        .args(arguments)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // What a chosen command says helps to put it right; desktops' openers only chatter.
        .stderr(if words.is_empty() { Stdio::null() } else { Stdio::inherit() })
        .spawn();
    Opened(match started {
        Ok(child) => State::Running(child),
        Err(error) => State::Failed(format!("{program}: {error}")),
    })
}

fn command(chosen: &str) -> Vec<&str> {
    chosen.split_whitespace().collect()
}

fn default_program() -> &'static str {
    if cfg!(target_os = "macos") { "open" } else { "xdg-open" }
}

impl Opened {
    /// A browser that does its work elsewhere.
    #[cfg(test)]
    pub(crate) fn elsewhere() -> Self {
        Self(State::Done)
    }

    /// Ends once, when the browser could not do it; otherwise never.
    pub async fn problem(&mut self) -> String {
        let problem = match &mut self.0 {
            State::Failed(why) => Some(std::mem::take(why)),
            State::Running(child) => match child.wait().await {
                Ok(status) if status.success() => None,
                Ok(status) => Some(format!("the command ended with {status}")),
                Err(error) => Some(error.to_string()),
            },
            State::Done => None,
        };
        self.0 = State::Done;
        match problem {
            Some(problem) => problem,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_have_arguments() {
        assert_eq!(command("lynx"), ["lynx"]);
        assert_eq!(command(" /bin/a  --user alice "), ["/bin/a", "--user", "alice"]);
        assert!(command(" ").is_empty());
    }
}

//! `edit`: what is applied, in the person's editor, proposed when it is saved.
//!
//! What was written is never lost: where it is refused, or the person stops, the file stays and is named.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use strongroom_domain::subject::Subject;

use super::get::{applied, as_file};
use super::propose::{Proposal, propose};
use crate::args::EditArgs;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Loaded};
use crate::screen::Screen;

/// What the person edits with when nothing is said.
const EDITOR: &str = "vi";

/// Opens a document in the editor and proposes what comes back.
pub async fn run(
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &EditArgs,
) -> Result<Exit, Failure> {
    let subject: Subject = args.target.parse().map_err(|error| {
        Failure::usage(format!("edit {:?}", args.target))
            .caused_by(&error)
            .next("for example team/payments, cluster/prod-eu or platform")
    })?;
    let client = client()?;
    let editor = editor(client.screen)?;
    let (document, revision) = applied(&client, &subject, None).await?;
    let before = as_file(&subject, &document, revision);
    let failed = |error: &dyn std::error::Error| {
        Failure::new(Exit::Failed, format!("edit {subject}")).caused_by(error)
    };
    let name = format!("strongroom-{}-{}-", subject.kind(), subject.name());
    let mut builder = tempfile::Builder::new();
    let mut file =
        builder.prefix(&name).suffix(".yaml").tempfile().map_err(|error| failed(&error))?;
    file.write_all(before.as_bytes()).map_err(|error| failed(&error))?;
    let path = file.path().to_owned();
    open(&editor, &path)?;
    let after = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
    if after == before {
        client.screen.say("nothing was changed, nothing is proposed");
        return Ok(Exit::Ok);
    }
    let done = match files::load(std::slice::from_ref(&path)) {
        Ok(Loaded { documents, places }) => {
            let mut proposal = Proposal::of(documents);
            proposal.places = places;
            propose(&client, proposal, &args.propose).await
        }
        Err(failure) => Err(failure),
    };
    let kept = || file.keep().map(|(_, path)| path.display().to_string());
    match done {
        Ok(exit @ (Exit::Ok | Exit::Waiting)) if !args.propose.dry_run => Ok(exit),
        Ok(exit) => {
            if let Ok(path) = kept() {
                client.screen.say(&format!("what you wrote is in {path}"));
            }
            Ok(exit)
        }
        Err(failure) => Err(match kept() {
            Ok(path) => failure.because(format!(
                "what you wrote is in {path} ; `strongroom apply -f` takes it from there"
            )),
            Err(_) => failure,
        }),
    }
}

/// The person's editor; without a terminal only one that is named.
fn editor(screen: Screen) -> Result<String, Failure> {
    let named = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok());
    match named.filter(|text| !text.trim().is_empty()) {
        Some(editor) => Ok(editor),
        None if screen.has_person() => Ok(EDITOR.to_owned()),
        None => Err(Failure::usage("open an editor")
            .because("there is no terminal here, and EDITOR names none that needs no terminal")
            .next(
                "`strongroom get document TARGET -o yaml > FILE`, then `strongroom apply -f FILE`",
            )),
    }
}

/// Runs the editor on a file, as `git` and `kubectl` do: what names it may hold options.
fn open(editor: &str, path: &Path) -> Result<(), Failure> {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(path);
    let failed = || Failure::new(Exit::Failed, format!("run the editor {editor:?}"));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(failed()
            .because("it did not end well; nothing is proposed")
            .next("set EDITOR to another one")),
        Err(error) => Err(failed().caused_by(&error).next("set EDITOR to another one")),
    }
}

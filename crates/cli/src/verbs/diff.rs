//! `diff`: what documents would change. It signs nothing and stores nothing.

use strongroom_domain::document::Document;

use crate::api::types::Preview;
use crate::args::{DiffArgs, Output};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Loaded};
use crate::output;
use crate::render::text::Style;
use crate::render::{diff, preview};
use crate::verbs::propose;

/// Exit 0 without, 1 with differences. Failures are moved above 1 by the caller.
pub async fn run(
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &DiffArgs,
) -> Result<Exit, Failure> {
    let Loaded { documents, places } = files::load(&args.files.filename)?;
    let client = &client()?;
    output::refuse(client.output.as_ref(), &[Output::Csv])?;
    let preview = client.api.preview(&documents, &[], &[]).await;
    let preview = preview.map_err(|failure| propose::placed(failure, &places))?;
    propose::check_preview(&documents, &preview)?;
    match &client.output {
        None | Some(Output::Table | Output::Wide) => {
            let text = differences(client, &documents, &preview, client.screen.style_out()).await?;
            client.screen.data(&text);
        }
        Some(Output::Name) => {
            let changed = preview.documents.iter().filter(|document| document.changed);
            let names: String = changed.map(|each| each.subject.to_string() + "\n").collect();
            client.screen.data(&names);
        }
        Some(shape) => client.screen.data(&output::value(&preview, shape)?),
    }
    Ok(if preview.unchanged { Exit::Ok } else { Exit::Failed })
}

/// A document whose exit code is moved: kubectl's `diff` keeps 1 for "there are differences".
pub fn above_one(mut failure: Failure) -> Failure {
    if failure.exit == Exit::Failed {
        failure.exit = Exit::Usage;
    }
    failure
}

async fn differences(
    client: &Client,
    documents: &[Document],
    found: &Preview,
    style: Style,
) -> Result<String, Failure> {
    let mut out = of_documents(client, documents, found, style).await?;
    if !found.steps.is_empty() {
        out.push_str(&style.bold("Writes to the engine\n"));
        out.push_str(&preview::steps(found, documents, style));
    }
    Ok(out)
}

/// What changes in the documents, line by line, from the bytes that would be signed.
pub async fn of_documents(
    client: &Client,
    documents: &[Document],
    found: &Preview,
    style: Style,
) -> Result<String, Failure> {
    let mut out = String::new();
    for (document, told) in documents.iter().zip(&found.documents) {
        if !told.changed {
            continue;
        }
        let before = match told.base_hash {
            None => String::new(),
            Some(hash) => {
                propose::base(client, &told.subject, told.base_revision, hash).await?.to_yaml()
            }
        };
        let from = match told.base_revision {
            0 => "nothing".to_owned(),
            revision => format!("revision {revision}"),
        };
        out.push_str(&style.bold(&format!("{} (from {from})\n", told.subject)));
        diff::lines(&mut out, &before, &document.to_yaml(), "", style);
        out.push('\n');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_never_mistaken_for_a_difference() {
        for exit in [Exit::Failed, Exit::Usage, Exit::NotFound, Exit::LoginNeeded, Exit::TimedOut] {
            assert!(above_one(Failure::new(exit, "x")).exit.code() > 1);
        }
    }
}

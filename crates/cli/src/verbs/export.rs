//! `export`: the applied documents of everything that the caller may read, as YAML that applies as
//! no change: a backup to read, or the beginning of a Git repository.
//!
//! It only reads the API. What was edited in the directory is never written over unasked.

mod folder;

use strongroom_domain::document::Document;
use strongroom_domain::name::TeamName;
use strongroom_domain::subject::Subject;

use crate::args::{ExportArgs, Output};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::read_from;
use crate::render::text::{clean, count};

/// One document as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exported {
    subject: Subject,
    text: String,
}

impl Exported {
    /// The document is decoded and written anew, so that what comes out applies as no change.
    fn new(subject: &Subject, revision: u64, value: &serde_json::Value) -> Result<Self, Failure> {
        let failed = || Failure::new(Exit::Failed, format!("read the document of {subject}"));
        let document = Document::from_value(value).map_err(|faults| {
            let mut failure =
                failed().next("a newer client may be able to; this one writes nothing");
            failure.why = faults.iter().map(ToString::to_string).collect();
            failure
        })?;
        // The name becomes a file's.
        if document.subject() != *subject {
            return Err(failed().because(format!(
                "the server answered with that of {}",
                clean(&document.subject().to_string())
            )));
        }
        let text = format!("{}\n{}", read_from(subject, revision), document.to_yaml());
        Ok(Self { subject: subject.clone(), text })
    }

    fn file_name(&self) -> String {
        match &self.subject {
            Subject::Platform => "platform.yaml".to_owned(),
            other => format!("{}-{}.yaml", other.kind(), other.name()),
        }
    }
}

/// Writes them. What was typed is looked at before anybody has to be signed in.
pub async fn run(
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &ExportArgs,
) -> Result<Exit, Failure> {
    let named = args.teams.iter().map(|text| team(text)).collect::<Result<Vec<_>, _>>()?;
    let client = &client()?;
    if let Some(shape) = client.output.as_ref().filter(|shape| **shape != Output::Yaml) {
        return Err(Failure::usage(format!("export as {}", shape.word()))
            .because("what is exported is YAML, to be applied again")
            .next("leave -o out; `strongroom get document team/NAME -o json` gives one as JSON"));
    }
    let documents = if named.is_empty() {
        everything(client).await?
    } else {
        let mut documents = Vec::new();
        for team in named {
            documents.push(document(client, &Subject::Team(team)).await?);
        }
        documents
    };
    if documents.is_empty() {
        client.screen.say("nothing is applied yet of what you may read");
        return Ok(Exit::Ok);
    }
    match &args.dir {
        Some(dir) => folder::write(client.screen, dir, &documents).await?,
        None => client.screen.data(&stream(&documents)),
    }
    client.screen.say(&count(documents.len(), "document", "documents"));
    Ok(Exit::Ok)
}

fn team(text: &str) -> Result<TeamName, Failure> {
    let name = text.strip_prefix("team/").unwrap_or(text);
    TeamName::new(name)
        .map_err(|error| Failure::usage(format!("export the team {text:?}")).caused_by(&error))
}

/// The platform first and the teams last, as one would read them.
async fn everything(client: &Client) -> Result<Vec<Exported>, Failure> {
    let mut subjects = vec![Subject::Platform];
    for (plural, kind) in [("clusters", "cluster"), ("teams", "team")] {
        let mut listed = client.api.named(plural).await?;
        // With nothing applied there is no document.
        listed.retain(|row| row.revision > 0);
        listed.sort_by(|one, two| one.name.cmp(&two.name));
        for row in listed {
            let name = format!("{kind}/{}", row.name);
            subjects.push(name.parse::<Subject>().map_err(|error| {
                Failure::new(Exit::Failed, format!("list {plural}")).caused_by(&error)
            })?);
        }
    }
    let mut documents = Vec::new();
    for subject in subjects {
        client.screen.progress(&format!("reading {subject} …"));
        match document(client, &subject).await {
            Ok(found) => documents.push(found),
            // Names are for everybody, what they stand for is not; and a platform may have no rules yet.
            Err(failure) if matches!(failure.exit, Exit::NotFound | Exit::Denied) => {
                let why = if subject == Subject::Platform {
                    "not there, or not yours"
                } else {
                    "not yours"
                };
                client.screen.say(&format!("left out: {subject} ({why} to read)"));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(documents)
}

async fn document(client: &Client, subject: &Subject) -> Result<Exported, Failure> {
    let answer = client.api.document(subject.kind(), subject.name(), None).await?;
    Exported::new(subject, answer.revision, &answer.document)
}

/// All of them as one stream of YAML documents.
fn stream(documents: &[Exported]) -> String {
    let texts: Vec<&str> = documents.iter().map(|each| each.text.as_str()).collect();
    texts.join("---\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tests::TEAM;

    fn exported(name: &str, revision: u64) -> Exported {
        let yaml = TEAM.replace("{ name: payments }", &format!("{{ name: {name} }}"));
        let value = Document::from_yaml(&yaml).unwrap().remove(0).to_value();
        let subject = Subject::Team(TeamName::new(name).unwrap());
        Exported::new(&subject, revision, &value).unwrap()
    }

    #[test]
    fn a_stream_is_read_back_as_the_same_documents_with_their_revisions() {
        let text = stream(&[exported("payments", 4), exported("menus", 12)]);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("all.yaml");
        std::fs::write(&file, &text).unwrap();
        let loaded = crate::files::load(&[file]).unwrap();
        let read: Vec<_> = loaded
            .documents
            .iter()
            .zip(&loaded.places)
            .map(|(document, place)| (document.subject().to_string(), place.revision))
            .collect();
        assert_eq!(read, [("team/menus".into(), Some(12)), ("team/payments".into(), Some(4))]);
        let told = Document::from_yaml(TEAM).unwrap().remove(0).to_value();
        assert_eq!(loaded.documents[1].to_value(), told);
    }

    #[test]
    fn files_are_called_by_what_is_in_them() {
        assert_eq!(exported("payments", 1).file_name(), "team-payments.yaml");
        let platform = Exported { subject: Subject::Platform, text: String::new() };
        assert_eq!(platform.file_name(), "platform.yaml");
        let cluster = Exported { subject: "cluster/prod-eu".parse().unwrap(), text: String::new() };
        assert_eq!(cluster.file_name(), "cluster-prod-eu.yaml");
    }

    #[test]
    fn a_server_cannot_give_one_document_for_another() {
        let value = Document::from_yaml(TEAM).unwrap().remove(0).to_value();
        let other = Subject::Team(TeamName::new("menus").unwrap());
        let refused = Exported::new(&other, 1, &value).unwrap_err();
        assert!(refused.render().contains("answered with that of team/payments"));
        assert!(Exported::new(&other, 1, &serde_json::json!({ "kind": "Team" })).is_err());
    }

    #[test]
    fn teams_are_named_with_and_without_their_kind() {
        assert_eq!(team("team/payments").unwrap(), team("payments").unwrap());
        assert_eq!(team("../x").unwrap_err().exit, Exit::Usage);
    }
}

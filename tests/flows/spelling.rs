//! Spellings that no name may have are refused before anything is stored, by the API and by the
//! client, with the same words at the same place.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_acts::{comment_digest, new_salt, submission_digest};
use strongroom_domain::act::{ActItem, ActKind, Statement, Submission, SubmittedDocument};
use strongroom_domain::document::field_path;
use strongroom_domain::hold::Target;

use crate::api::{Answer, Api, segment};
use crate::corpus::{Kind, spellings};
use crate::support::Lab;

/// Where names stand in a team's document.
const FIELDS: [(&str, Kind); 13] = [
    ("/metadata/name", Kind::Team),
    ("/spec/mounts/0/name", Kind::Mount),
    ("/spec/bindings/0/access/0/mount", Kind::Mount),
    ("/spec/bindings/0/name", Kind::Binding),
    ("/spec/namespaces/0/name", Kind::Namespace),
    ("/spec/bindings/0/namespace", Kind::Namespace),
    ("/spec/namespaces/0/cluster", Kind::Cluster),
    ("/spec/bindings/0/cluster", Kind::Cluster),
    ("/spec/bindings/0/serviceAccounts/0", Kind::Account),
    ("/spec/bindings/0/access/0/path", Kind::Path),
    ("/spec/people/owners/0/group", Kind::Group),
    ("/spec/people/editors/0/group", Kind::Group),
    ("/spec/bindings/1/people/group", Kind::Group),
];

fn document(slug: &str) -> Value {
    json!({
        "apiVersion": "strongroom.dev/v1", "kind": "Team", "metadata": { "name": slug },
        "spec": {
            "displayName": "Test", "contact": "test@example.com",
            "people": {
                "owners": [{ "group": "payments-leads" }],
                "editors": [{ "group": "payments-dev" }],
                "viewers": [],
            },
            "mounts": [{ "name": "kv", "type": "kv-v2", "maxVersions": 10 }],
            "namespaces": [{
                "cluster": "prod-eu", "name": slug, "environment": "development",
                "tokenTtl": "20m",
            }],
            "bindings": [
                {
                    "name": "api", "cluster": "prod-eu", "namespace": slug,
                    "serviceAccounts": ["api"],
                    "access": [{ "mount": "kv", "path": "dev/api", "level": "read" }],
                },
                {
                    "name": "eyes", "people": { "group": "payments-dev" },
                    "access": [{ "mount": "kv", "path": "dev/*", "level": "list" }],
                },
            ],
        },
    })
}

/// The document with another text at one place.
fn with(base: &Value, pointer: &str, text: &str) -> Value {
    let mut document = base.clone();
    *document.pointer_mut(pointer).unwrap() = json!(text);
    document
}

/// Somebody who sends submissions that nobody signed.
struct Sender {
    api: Api,
    statement: Statement,
    slug: String,
    reason: String,
}

impl Sender {
    async fn of(lab: &Lab, slug: &str) -> Self {
        let api = Api::of(lab, "alice").await;
        let trust = api.get("trust").await.body;
        let statement = Statement {
            deployment: trust["deployment"].as_str().unwrap().parse().unwrap(),
            issuer: trust["issuer"].as_str().unwrap().to_owned(),
            audience: trust["actClients"]["cli"].as_str().unwrap().to_owned(),
            act: ActKind::Submit,
            items: Vec::new(),
            comment: comment_digest(""),
            salt: new_salt().unwrap(),
        };
        let reason = format!("iso-03 {}", uuid::Uuid::new_v4());
        Self { api, statement, slug: slug.to_owned(), reason }
    }

    /// The submission as a client would send it; only the provider's signature is missing.
    fn body(&self, document: &Value) -> Value {
        let submission = Submission {
            request: uuid::Uuid::now_v7().to_string().parse().unwrap(),
            documents: vec![SubmittedDocument {
                subject: format!("team/{}", self.slug).parse().unwrap(),
                base_revision: 0,
                base_hash: None,
                document: document.clone(),
            }],
            attest: Vec::new(),
            lift: Vec::<Target>::new(),
            reason: self.reason.clone(),
        };
        let content = submission_digest(&submission);
        let item = ActItem { request: submission.request, round: 0, stage: String::new(), content };
        let statement = Statement { items: vec![item], ..self.statement.clone() };
        json!({
            "submission": submission,
            "act": { "statement": statement, "idToken": "e30.e30.e30", "comment": "" },
        })
    }

    async fn preview(&self, document: &Value) -> Answer {
        self.api.post("requests/preview", &json!({ "documents": [document] })).await
    }

    async fn submit(&self, document: &Value) -> Answer {
        self.api.post("requests", &self.body(document)).await
    }
}

/// What is told at this place.
fn told<'a>(answer: &'a Answer, pointer: &str) -> Vec<&'a str> {
    let faults = answer.faults().into_iter();
    faults.filter(|(at, _)| *at == pointer).map(|(_, message)| message).collect()
}

#[tokio::test]
async fn iso_03_odd_spellings_are_refused_before_storage_everywhere_alike() {
    let lab = Lab::get();
    let team = lab.new_team("spell-s").await;
    let (slug, base) = (team.slug.as_str(), document(&team.slug));
    let sender = Sender::of(&lab, slug).await;
    // The document as such is good, and the submission lacks nothing but the signature.
    let good = sender.preview(&base).await;
    assert_eq!(good.status, 200, "{:#}", good.body);
    let unsigned = sender.submit(&base).await;
    assert!(unsigned.is_invalid(), "{:#}", unsigned.body);
    assert_eq!(unsigned.faults().len(), 1, "{:#}", unsigned.body);
    assert_eq!(unsigned.faults()[0].0, "/act/idToken");

    let folder = lab.scratch.path().join("odd");
    std::fs::create_dir(&folder).unwrap();
    let (mut files, mut taken) = (BTreeMap::new(), 0);
    for (pointer, kind) in FIELDS {
        for spelling in spellings("spell-s0") {
            let odd = with(&base, pointer, &spelling.text);
            let what = format!("{pointer} with {}: {:?}", spelling.what, spelling.text);
            let preview = sender.preview(&odd).await;
            let submit = sender.submit(&odd).await;
            assert!(preview.status < 500 && submit.status < 500, "{what}: a failure of ours");
            let here = told(&preview, &format!("/documents/0{pointer}"));
            let there = told(&submit, &format!("/submission/documents/0/document{pointer}"));
            if spelling.fine_for.contains(&kind) {
                // Another rule may refuse it; the name's own does not.
                let rule = here.iter().any(|message| message.contains("is refused"));
                assert!(!rule, "{what} is refused: {here:?}");
                taken += 1;
                continue;
            }
            assert!(preview.is_invalid(), "{what} is taken by the preview: {}", preview.status);
            assert!(submit.is_invalid(), "{what} is taken: {}", submit.status);
            assert_eq!(here.len(), 1, "{what}: {:#}", preview.body);
            assert_eq!(here, there, "{what}: other words");
            let name = format!("{:04}.yaml", files.len());
            std::fs::write(folder.join(&name), odd.to_string()).unwrap();
            files.insert(name, (what, pointer, here[0].to_owned()));
        }
    }
    let clients = by_the_client(&lab, &folder, &files).await;
    let others = in_other_places(&lab, &sender).await;

    let server = lab.text("/postgres_admin_url").strip_suffix("/postgres").unwrap();
    let pool = sqlx::PgPool::connect(&format!("{server}/strongroom")).await.unwrap();
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM change_requests WHERE reason = $1")
        .bind(&sender.reason)
        .fetch_one(&pool)
        .await
        .unwrap();
    let revisions: i64 = sqlx::query_scalar("SELECT count(*) FROM subjects WHERE name = $1")
        .bind(slug)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!((stored, revisions), (0, 0), "something was stored");
    println!(
        "ISO-03: 0 accepted and 0 server errors of {} spellings (preview and submit), the same \
         words from the client for {clients}; {others} more as ids and references; {taken} that a \
         rule takes were not refused by it",
        files.len()
    );
}

/// The client refuses each file too, with the API's words where YAML can hold the text at all.
async fn by_the_client(
    lab: &Lab,
    folder: &std::path::Path,
    files: &BTreeMap<String, (String, &str, String)>,
) -> usize {
    let alice = lab.person("alice").await;
    let all = folder.display().to_string();
    let apply = |file: String| async move {
        let arguments = ["apply", "-f", &file, "--dry-run", "--reason", "odd"];
        lab.person("alice").await.run(&arguments).await.unwrap()
    };
    let printed = alice.run(&["apply", "-f", &all, "--dry-run", "--reason", "odd"]).await.unwrap();
    assert_ne!(printed.code, 0, "{}", printed.out);
    let mut same = 0;
    for (number, (name, (what, pointer, message))) in files.iter().enumerate() {
        let line = printed.err.lines().find(|line| line.contains(name.as_str()));
        let line = line.unwrap_or_else(|| panic!("{what} is taken by the client"));
        let as_told = line.contains(&format!("{}: {message}", field_path(pointer)));
        let no_yaml = line.contains("this is not YAML");
        assert!(as_told || no_yaml, "{what}: the client says {line:?}, the API {message:?}");
        same += usize::from(as_told);
        // Alone it is refused as well.
        if number % 40 == 0 {
            let alone = apply(folder.join(name).display().to_string()).await;
            assert_ne!(alone.code, 0, "{what} is taken by the client");
        }
    }
    same
}

/// The same spellings where a name is an id or a reference.
async fn in_other_places(lab: &Lab, sender: &Sender) -> usize {
    let sue = Api::of(lab, "sue").await;
    let base = document(&sender.slug);
    let mut tried = 0;
    for spelling in spellings("spell-s0") {
        let text = &spelling.text;
        if spelling.fine_for.contains(&Kind::Team) {
            continue;
        }
        // Ids in addresses: what cannot be is not there. Dots alone are tidied away by every
        // client before they are sent.
        if !text.is_empty() {
            let name = segment(text);
            for path in [
                format!("documents/team/{name}"),
                format!("documents/cluster/{name}"),
                format!("documents/{name}/{}", sender.slug),
                format!("teams/{name}/bindings"),
                format!("clusters/{name}/inventory"),
                format!("requests/{name}"),
                format!("suspensions/{name}"),
            ] {
                let answer = sue.get(&path).await;
                assert_eq!(answer.status, 404, "{path} ({}): {:#}", spelling.what, answer.body);
                tried += 1;
            }
        }
        // References beside the documents.
        for (field, value) in [
            ("attest", json!([format!("prod-eu/{text}")])),
            ("attest", json!([text])),
            ("lift", json!([format!("team/{text}")])),
            ("lift", json!([format!("cluster/{text}")])),
            ("lift", json!([format!("team/{}/{text}/x", sender.slug)])),
        ] {
            let body = json!({ "documents": [base], field: value });
            let answer = sender.api.post("requests/preview", &body).await;
            assert!(answer.is_invalid(), "{field} {value} is taken: {}", answer.status);
            let mut body = sender.body(&base);
            body["submission"][field] = value.clone();
            let answer = sender.api.post("requests", &body).await;
            assert!(answer.is_invalid(), "{field} {value} is taken: {}", answer.status);
            tried += 2;
        }
        let mut body = sender.body(&base);
        body["submission"]["documents"][0]["subject"] = json!(format!("team/{text}"));
        let answer = sender.api.post("requests", &body).await;
        assert!(answer.is_invalid(), "the subject team/{text} is taken: {}", answer.status);
        tried += 1;
    }
    // Half a character is no text at all.
    for half in ["\\ud800", "\\udc00x", "\\u0000\\ud800"] {
        let text = base.to_string().replacen(&sender.slug, half, 1);
        let body = format!("{{\"documents\":[{text}]}}");
        let answer = sender.api.post_text("requests/preview", body).await;
        assert!(matches!(answer.status, 400 | 422), "{half}: {}", answer.status);
        tried += 1;
    }
    tried
}

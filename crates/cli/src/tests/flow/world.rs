//! The scripted API, executor and provider, all at one address.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use strongroom_acts::receipt::Receipt;
use strongroom_acts::signing::Purpose;
use strongroom_acts::{SigningKey, nonce, submission_digest};
use strongroom_domain::Digest;
use strongroom_domain::act::{ActKind, Statement, Submission};
use strongroom_domain::clock::{Clock as _, SystemClock};
use strongroom_domain::document::Document;
use strongroom_domain::id::ActId;
use strongroom_domain::person::PersonId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use crate::trust;
use crate::verify::tests::{TEAM, answer, sample_plan};

/// How the scripted executor answers acts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Counts,
    Refuses,
    Sleeps,
    /// Says "counted" with a receipt for another act.
    Lies,
}

pub(super) struct World {
    pub(super) base: String,
    pub(super) key: SigningKey,
    mood: Mood,
    /// The claims of the code that was last given out.
    pub(super) asked: BTreeMap<String, String>,
    pub(super) acts: Vec<Value>,
    pub(super) state: &'static str,
    pub(super) session_ends: &'static str,
    pub(super) findings: Vec<Value>,
    /// Another engine than the one of the sample.
    pub(super) engine: Option<&'static str>,
}

pub(super) type Shared = Arc<Mutex<World>>;

pub(super) async fn world(mood: Mood) -> Shared {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = Arc::new(Mutex::new(World {
        base: format!("http://{}", listener.local_addr().unwrap()),
        key: SigningKey::generate().unwrap(),
        mood,
        asked: BTreeMap::new(),
        acts: Vec::new(),
        state: "in_review",
        session_ends: "2026-11-24T00:00:00Z",
        findings: Vec::new(),
        engine: None,
    }));
    let shared = world.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = Vec::new();
            let (head, mut body) = loop {
                let mut chunk = [0; 4096];
                let read = stream.read(&mut chunk).await.unwrap();
                seen.extend_from_slice(&chunk[..read]);
                if let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
                    let head = String::from_utf8(seen[..end].to_vec()).unwrap();
                    break (head, seen[end + 4..].to_vec());
                }
            };
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            while body.len() < length {
                let mut chunk = [0; 4096];
                let read = stream.read(&mut chunk).await.unwrap();
                body.extend_from_slice(&chunk[..read]);
            }
            let mut words = head.split(' ');
            let (method, target) = (words.next().unwrap(), words.next().unwrap());
            let (status, extra, body) = shared.lock().unwrap().respond(method, target, &body);
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{extra}\
                 content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    world
}

impl World {
    fn respond(&mut self, method: &str, target: &str, body: &[u8]) -> (u16, String, String) {
        let url = Url::parse(&format!("{}{target}", self.base)).unwrap();
        let path = url.path().trim_start_matches("/api/v1/");
        let json_body = || serde_json::from_slice::<Value>(body).unwrap();
        let plan = sample_plan(0);
        let request = plan.request.to_string();
        let ok = |value: Value| (200, String::new(), value.to_string());
        match (method, path) {
            ("GET", "/idp/.well-known/openid-configuration") => ok(json!({
                "issuer": format!("{}/idp", self.base),
                "authorization_endpoint": format!("{}/idp/authorize", self.base),
                "token_endpoint": format!("{}/idp/token", self.base),
                "jwks_uri": format!("{}/idp/keys", self.base),
            })),
            ("GET", "/idp/authorize") => {
                self.asked = url.query_pairs().into_owned().collect();
                let (redirect, state) = (&self.asked["redirect_uri"], &self.asked["state"]);
                let to = format!("location: {redirect}?code=c-1&state={state}\r\n");
                (302, to, String::new())
            }
            ("POST", "/idp/token") => ok(self.redeem(body)),
            ("GET", "trust") => ok(self.trust()),
            ("GET", "/livez") => {
                let date = SystemClock.now();
                let date = date.strftime("date: %a, %d %b %Y %H:%M:%S GMT\r\n").to_string();
                let version = env!("CARGO_PKG_VERSION");
                (200, date, json!({ "status": "ok", "version": version }).to_string())
            }
            ("GET", "what-can") => ok(json!({ "items": [], "beside": [],
                "observedAt": SystemClock.now() })),
            ("GET", "findings") => ok(json!({ "items": self.findings })),
            ("GET", "clusters") => ok(json!({ "items": [] })),
            ("GET", "teams") => ok(json!({ "items": [
                { "name": "payments", "revision": 4, "state": "applied" },
                { "name": "menus", "revision": 0, "state": "applying" }] })),
            ("GET", "documents/team/payments") => {
                let document = Document::from_yaml(TEAM).unwrap().remove(0).to_value();
                ok(json!({ "subject": "team/payments", "revision": 4,
                    "hash": Digest::of(b"x"), "document": document }))
            }
            ("POST", "sign-ins") => ok(json!({ "signInId": "s-1", "nonce": "sign-in-nonce",
                "issuer": format!("{}/idp", self.base), "clientId": "signin",
                "scopes": ["openid", "groups"], "expiresAt": "2026-11-23T20:00:00Z" })),
            ("POST", "sign-ins/s-1/complete") => {
                assert_eq!(self.asked["nonce"], "sign-in-nonce");
                assert!(json_body()["idToken"].as_str().unwrap().contains('.'));
                ok(json!({ "token": "srs_1", "expiresAt": "2026-11-24T00:00:00Z",
                    "person": person() }))
            }
            ("GET", "session") => {
                let mut session = person();
                session["expiresAt"] = json!(self.session_ends);
                ok(session)
            }
            ("POST", "requests/preview") => {
                let document = json_body()["documents"][0].clone();
                ok(json!({ "documents": [{ "subject": "team/payments", "baseRevision": 0,
                    "baseHash": null, "document": document, "changed": true }],
                    "unchanged": false, "risk": "high",
                    "reasons": [{ "risk": "high", "text": "production is reached" }] }))
            }
            ("POST", "requests") => {
                let body = json_body();
                let submission: Submission =
                    serde_json::from_value(body["submission"].clone()).unwrap();
                let document = Document::from_yaml(TEAM).unwrap().remove(0);
                assert_eq!(submission.documents[0].document, document.to_value());
                assert_eq!(submission.reason, "PAY-12");
                let digest = submission_digest(&submission);
                self.take(&body["act"], ActKind::Submit, 0, "", digest);
                ok(json!({ "requestId": submission.request, "state": "submitted" }))
            }
            ("GET", path) if path == format!("requests/{request}/plan") => {
                let answer = answer(&plan, &self.key);
                ok(json!({ "round": answer.round, "canonical": answer.canonical,
                    "hash": answer.hash, "signature": answer.signature, "keyId": answer.key_id }))
            }
            ("POST", path) if path == format!("requests/{request}/acts") => {
                let body = json_body();
                let hash = strongroom_plan::Plan::hash_of(&plan.canonical());
                self.take(&body, ActKind::Approve, 1, "owners of payments", hash);
                // A vote on `high` has the person sign in again, after the freeze.
                assert_eq!(self.asked["prompt"], "login");
                ok(json!({ "actId": self.acts[0]["actId"] }))
            }
            ("GET", path) if path.starts_with("requests/") && path.ends_with("/acts") => {
                ok(json!({ "items": self.acts }))
            }
            ("GET", path) if path.starts_with("requests/") => {
                ok(json!({ "requestId": path.trim_start_matches("requests/"),
                    "state": self.state, "round": 1, "reason": "PAY-12",
                    "submittedBy": { "issuer": "i", "person": "e-2", "display": "alice" },
                    "createdAt": "2026-11-23T18:00:00Z",
                    "documents": [] }))
            }
            _ => (404, String::new(), format!("{{\"detail\":\"{method} {path}\"}}")),
        }
    }

    fn trust(&self) -> Value {
        let mut view = trust::tests::view(&[self.key.public()]);
        view.issuer = format!("{}/idp", self.base);
        if let Some(engine) = self.engine {
            view.engine.address = engine.to_owned();
        }
        serde_json::to_value(view).unwrap()
    }

    fn redeem(&self, body: &[u8]) -> Value {
        let form: BTreeMap<String, String> =
            Url::parse(&format!("http://x/?{}", std::str::from_utf8(body).unwrap()))
                .unwrap()
                .query_pairs()
                .into_owned()
                .collect();
        assert_eq!(form["code"], "c-1");
        assert_eq!(form["redirect_uri"], self.asked["redirect_uri"]);
        let challenge =
            URL_SAFE_NO_PAD.encode(Digest::of(form["code_verifier"].as_bytes()).as_bytes());
        assert_eq!(challenge, self.asked["code_challenge"]);
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!(
            "{}.{}.{}",
            part(json!({ "alg": "RS256", "kid": "k" })),
            part(json!({ "iss": format!("{}/idp", self.base), "aud": self.asked["client_id"],
                "sub": "e-1", "iat": 1, "exp": 2, "nonce": self.asked["nonce"] })),
            URL_SAFE_NO_PAD.encode([1; 32])
        );
        json!({ "access_token": "a", "token_type": "Bearer", "id_token": token })
    }

    /// Takes an act and answers it as the executor would.
    fn take(&mut self, body: &Value, kind: ActKind, round: u32, stage: &str, content: Digest) {
        let statement: Statement = serde_json::from_value(body["statement"].clone()).unwrap();
        assert_eq!(statement.act, kind);
        assert_eq!(statement.audience, "act");
        assert_eq!(self.asked["client_id"], "act");
        let max_age: u32 = self.asked["max_age"].parse().unwrap();
        assert!((1..=300).contains(&max_age));
        let item = &statement.items[0];
        assert_eq!((item.round, item.stage.as_str(), item.content), (round, stage, content));
        // What the provider signed is the hash of exactly this statement.
        assert_eq!(nonce(&statement).unwrap(), self.asked["nonce"]);
        let id_token = body["idToken"].as_str().unwrap();
        let act = ActId::from_uuid(uuid::Uuid::from_u128(7));
        let token = if self.mood == Mood::Lies {
            Digest::of(b"other")
        } else {
            Digest::of(id_token.as_bytes())
        };
        let receipt = Receipt {
            version: 1,
            act,
            token,
            kind,
            items: statement.items.clone(),
            person: PersonId { issuer: "i".into(), person: "e-1".into() },
            display: "bob".into(),
            groups: [].into(),
            auth_time: 1,
            issued_at: 1,
            audience: "act".into(),
            key: json!({}),
            received_at: 1,
            late: false,
        };
        let bytes = receipt.canonical();
        let signed = json!({ "verdict": "counted", "person": person(), "authTime": 1,
            "keyId": self.key.public().id(), "canonical": STANDARD.encode(&bytes),
            "signature": STANDARD.encode(self.key.sign(Purpose::Receipt, &bytes)) });
        let receipt = match self.mood {
            Mood::Counts | Mood::Lies => signed,
            Mood::Refuses => {
                json!({ "verdict": "refused", "reason": "the submitter's own approval does not count" })
            }
            Mood::Sleeps => Value::Null,
        };
        self.acts = vec![json!({ "actId": act, "kind": kind, "round": round, "stage": stage,
            "comment": "", "receivedAt": "2026-11-23T18:00:01Z", "receipt": receipt })];
    }
}

pub(super) fn person() -> Value {
    json!({ "issuer": "i", "person": "e-1", "display": "bob", "groups": ["payments-leads"] })
}

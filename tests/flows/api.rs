//! Strongroom's API without its client: bodies and paths go out as the test says.

use serde_json::Value;

use crate::support::Lab;

/// A person's session in somebody's own HTTP client.
pub struct Api {
    http: reqwest::Client,
    server: String,
    session: String,
}

/// What the API answered.
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The faults that the API tells: pointer and message.
    pub fn faults(&self) -> Vec<(&str, &str)> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors
            .iter()
            .map(|error| (error["pointer"].as_str().unwrap(), error["message"].as_str().unwrap()))
            .collect()
    }

    /// Refused as a body whose faults are named, not in any other way.
    pub fn is_invalid(&self) -> bool {
        self.status == 422 && self.body["code"] == "invalid" && !self.faults().is_empty()
    }
}

impl Api {
    /// Signs the person in and takes the session over.
    pub async fn of(lab: &Lab, person: &str) -> Self {
        lab.person(person).await;
        let file = lab.scratch.path().join("people").join(format!("{person}.json"));
        let context: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        Self {
            http: strongroom_lab::engine::http_client(None).unwrap(),
            server: lab.server().trim_end_matches('/').to_owned(),
            session: context["session"]["token"].as_str().unwrap().to_owned(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.answer(self.http.get(self.url(path))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, body.to_string()).await
    }

    /// A body that need not be JSON.
    pub async fn post_text(&self, path: &str, body: String) -> Answer {
        let request = self.http.post(self.url(path)).header("content-type", "application/json");
        self.answer(request.body(body)).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.server)
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = request.bearer_auth(&self.session).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }
}

/// A name as one segment of a URL, each byte of it escaped.
pub fn segment(name: &str) -> String {
    use std::fmt::Write as _;
    name.bytes().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "%{byte:02x}");
        text
    })
}

//! A caller of the API, and answers in a form that can be compared.

use std::fmt::Write as _;

use reqwest::header::HeaderMap;
use serde_json::Value;

/// One caller.
#[derive(Clone)]
pub struct Client {
    url: String,
    token: Option<String>,
    /// Who it is.
    pub name: String,
    /// With which groups.
    pub groups: Vec<String>,
    http: reqwest::Client,
}

/// One answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null when there is none.
    pub body: Value,
}

impl Client {
    /// A caller with or without a session.
    pub fn new(url: &str, token: Option<&str>, who: Option<(&str, &[&str])>) -> Self {
        let (name, groups) = who.unwrap_or(("", &[]));
        Self {
            url: url.to_owned(),
            token: token.map(str::to_owned),
            name: name.to_owned(),
            groups: groups.iter().map(ToString::to_string).collect(),
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
        }
    }

    /// What it shows.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, |request| request).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, |request| request).await
    }

    /// `POST` with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, |request| request.json(body)).await
    }

    /// Anything else.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        with: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Answer {
        let url = format!("{}{path}", self.url);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = with(request).send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = response.bytes().await.unwrap();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap_or_else(|_| {
                panic!("{method} {path} answered {status} without JSON: {bytes:?}")
            })
        };
        Answer { status, headers, body }
    }
}

impl Answer {
    /// A text in the body.
    pub fn text(&self, pointer: &str) -> &str {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer} in {:#}", self.body))
    }

    /// How many items a list has.
    pub fn count(&self) -> usize {
        self.body["items"].as_array().unwrap_or_else(|| panic!("no list: {:#}", self.body)).len()
    }

    /// Where the faults are, in order.
    pub fn pointers(&self) -> Vec<&str> {
        assert_eq!(self.status, 422, "{:#}", self.body);
        let errors = self.body["errors"].as_array().unwrap();
        errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect()
    }

    /// Status and body without what differs from run to run.
    pub fn shown(&self) -> String {
        let mut body = self.body.clone();
        scrub(&mut body);
        let mut text = self.status.to_string();
        let _ = write!(text, "\n{body:#}");
        text
    }
}

/// Replaces ids, random texts and this run's addresses.
fn scrub(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(scrub),
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), &mut *value) {
                    ("traceId" | "nonce" | "token" | "issuer" | "hash" | "baseHash", text)
                        if text.is_string() =>
                    {
                        *text = Value::from(format!("[{key}]"));
                    }
                    _ => scrub(value),
                }
            }
        }
        Value::String(text) if uuid::Uuid::parse_str(text).is_ok() && text.len() == 36 => {
            *value = Value::from("[id]");
        }
        _ => {}
    }
}

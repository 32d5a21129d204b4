//! The HTTP client of the API: session token, problem+json, bounded answers, no redirects.
//!
//! Nothing that comes back here is believed further than the API can be believed: plans and
//! receipts are verified elsewhere, by keys that were pinned.

mod callers;
mod follow;
mod hello;
pub mod problem;
pub mod types;

use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strongroom_domain::document::Document;
use strongroom_domain::hold::Target;
use strongroom_domain::id::RequestId;

use crate::exit::Exit;
use crate::failure::Failure;
use problem::Problem;
use types::{
    ActItemView, ActPosted, AnswerView, AppliedDocument, BindingView, CheckMade, CheckWish,
    Completed, EventView, FindingView, Inbox, KitView, KnownPerson, Named, Page, Plan, Preview,
    RequestSummary, RequestView, SignIn, StatusView, SubmissionView, Submitted, SuspensionView,
    TrustView, WhatView, WhoView,
};

/// The most bytes of one answer that are read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most rows asked for at once.
const PAGE: usize = 200;

/// What a caller shows.
#[derive(Debug)]
pub enum Token {
    /// A session's token, or a key.
    Fixed(SecretString),
    /// What this file holds at each request.
    File(PathBuf),
}

impl Token {
    fn now(&self) -> Result<SecretString, std::io::Error> {
        match self {
            Self::Fixed(token) => Ok(token.clone()),
            Self::File(file) => {
                let text = std::fs::read_to_string(file)?;
                let text = text.trim();
                if text.is_empty() {
                    return Err(std::io::Error::other("the file is empty"));
                }
                Ok(SecretString::from(text))
            }
        }
    }
}

/// One server, with or without a session.
#[derive(Debug)]
pub struct Api {
    http: reqwest::Client,
    base: Url,
    token: Option<Token>,
}

impl Api {
    /// A client of the API at this address.
    pub fn new(server: &Url, token: Option<Token>) -> Result<Self, Failure> {
        let plain = server.scheme() == "http" && !is_loopback(server);
        if plain || !matches!(server.scheme(), "http" | "https") {
            return Err(Failure::usage(format!("use the server {server}"))
                .because("a session token goes over https only; http is taken for this machine")
                .next("give an address that starts with https://"));
        }
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("strongroom/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                Failure::new(Exit::Failed, "prepare HTTP")
                    .caused_by(&error)
                    .next("check that this machine has CA certificates, or set SSL_CERT_FILE")
            })?;
        let mut base = server.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { http, base, token })
    }

    /// The same client with another session.
    #[must_use]
    pub fn with_token(mut self, token: SecretString) -> Self {
        self.token = Some(Token::Fixed(token));
        self
    }

    /// What the deployment publishes for pinning.
    pub async fn trust(&self) -> Result<TrustView, Failure> {
        self.get("read the deployment's trust", &["trust"], &[]).await
    }

    /// Begins a sign-in.
    pub async fn begin_sign_in(&self) -> Result<SignIn, Failure> {
        self.post("begin a sign-in", &["sign-ins"], &json!({})).await
    }

    /// Ends a sign-in with the provider's token.
    pub async fn complete_sign_in(&self, id: &str, token: &str) -> Result<Completed, Failure> {
        let body = json!({ "idToken": token });
        self.post("complete the sign-in", &["sign-ins", id, "complete"], &body).await
    }

    /// What documents would change.
    pub async fn preview(
        &self,
        documents: &[Document],
        attest: &[String],
        lift: &[Target],
    ) -> Result<Preview, Failure> {
        let documents: Vec<Value> = documents.iter().map(Document::to_value).collect();
        let body = json!({ "documents": documents, "attest": attest, "lift": lift });
        self.post("preview the documents", &["requests", "preview"], &body).await
    }

    /// Stores a signed submission.
    pub async fn submit<T: Serialize + Sync>(&self, body: &T) -> Result<Submitted, Failure> {
        self.post("submit the request", &["requests"], body).await
    }

    /// One change request.
    pub async fn change_request(&self, id: RequestId) -> Result<RequestView, Failure> {
        let id = id.to_string();
        self.get(&format!("read the request {id}"), &["requests", &id], &[]).await
    }

    /// What was submitted, as it was signed.
    pub async fn submission(&self, id: RequestId) -> Result<SubmissionView, Failure> {
        let id = id.to_string();
        self.get(&format!("read the submission of {id}"), &["requests", &id, "submission"], &[])
            .await
    }

    /// The frozen plan of a request, not verified yet.
    pub async fn plan(&self, id: RequestId) -> Result<Plan, Failure> {
        let id = id.to_string();
        self.get(&format!("read the plan of {id}"), &["requests", &id, "plan"], &[]).await
    }

    /// The acts of a request.
    pub async fn acts(&self, id: RequestId) -> Result<Vec<ActItemView>, Failure> {
        let id = id.to_string();
        let what = format!("read the acts of {id}");
        let page: Page<ActItemView> = self.get(&what, &["requests", &id, "acts"], &[]).await?;
        Ok(page.items)
    }

    /// Stores a signed act.
    pub async fn post_act<T: Serialize + Sync>(
        &self,
        id: RequestId,
        body: &T,
    ) -> Result<ActPosted, Failure> {
        let id = id.to_string();
        self.post(&format!("send the act on {id}"), &["requests", &id, "acts"], body).await
    }

    /// Says something about a request.
    pub async fn comment(&self, id: RequestId, text: &str) -> Result<(), Failure> {
        let (id, what) = (id.to_string(), "comment on the request");
        let path = ["requests", &id, "comments"];
        let request = self.request(Method::POST, &path, &[]).json(&json!({ "text": text }));
        let answer = self.send(what, request).await?;
        refuse_problem(what, answer).await.map(drop)
    }

    /// How the deployment stands.
    pub async fn status(&self) -> Result<StatusView, Failure> {
        self.get("read the status", &["status"], &[]).await
    }

    /// People as of their last sign-ins, newest first.
    pub async fn people(
        &self,
        group: Option<&str>,
        limit: usize,
    ) -> Result<Vec<KnownPerson>, Failure> {
        let filters: Vec<_> = group.iter().map(|group| ("group", (*group).to_owned())).collect();
        self.pages("list people", "people", "cursor", &filters, limit).await
    }

    /// Stores a signed suspension.
    pub async fn suspend<T: Serialize + Sync>(&self, body: &T) -> Result<ActPosted, Failure> {
        self.post("suspend", &["suspensions"], body).await
    }

    /// A suspension with the executor's answer.
    pub async fn suspension(&self, id: &str) -> Result<SuspensionView, Failure> {
        self.get("read the suspension", &["suspensions", id], &[]).await
    }

    /// What is not as it should be.
    pub async fn findings(&self, all: bool) -> Result<Vec<FindingView>, Failure> {
        let query = [("all", all.to_string())];
        let page: Page<FindingView> = self.get("list findings", &["findings"], &query).await?;
        Ok(page.items)
    }

    /// Teams or clusters.
    pub async fn named(&self, plural: &str) -> Result<Vec<Named>, Failure> {
        let page: Page<Named> = self.get(&format!("list {plural}"), &[plural], &[]).await?;
        Ok(page.items)
    }

    /// One document; the applied revision when none is named.
    pub async fn document(
        &self,
        kind: &str,
        name: &str,
        revision: Option<u64>,
    ) -> Result<AppliedDocument, Failure> {
        let query: Vec<_> = revision.iter().map(|n| ("revision", n.to_string())).collect();
        self.get(&format!("read the document {kind}/{name}"), &["documents", kind, name], &query)
            .await
    }

    /// The bindings of a team.
    pub async fn bindings(&self, team: &str) -> Result<Vec<BindingView>, Failure> {
        let what = format!("list the bindings of {team}");
        let page: Page<BindingView> = self.get(&what, &["teams", team, "bindings"], &[]).await?;
        Ok(page.items)
    }

    /// The kit of a binding.
    pub async fn kit(
        &self,
        team: &str,
        binding: &str,
        query: &[(&'static str, String)],
    ) -> Result<KitView, Failure> {
        let what = format!("make the kit of {team}/{binding}");
        self.get(&what, &["teams", team, "bindings", binding, "kit"], query).await
    }

    /// Makes a check of a binding that reports to this server, once.
    pub async fn check_create(
        &self,
        team: &str,
        binding: &str,
        wish: &CheckWish,
    ) -> Result<CheckMade, Failure> {
        let what = format!("make a check of {team}/{binding}");
        let body = json!({
            "account": wish.account,
            "secret": wish.secret,
            "server": self.base.as_str(),
        });
        self.post(&what, &["teams", team, "bindings", binding, "checks"], &body).await
    }

    /// Who can reach a secret.
    pub async fn who_can(
        &self,
        path: &str,
        when: &[(&'static str, String)],
    ) -> Result<AnswerView<WhoView>, Failure> {
        let query = [&[("path", path.to_owned())], when].concat();
        self.get(&format!("ask who can reach {path}"), &["who-can"], &query).await
    }

    /// What an account or a group can reach.
    pub async fn what_can(
        &self,
        kind: &'static str,
        name: &str,
        when: &[(&'static str, String)],
    ) -> Result<AnswerView<WhatView>, Failure> {
        let query = [&[(kind, name.to_owned())], when].concat();
        self.get(&format!("ask what {name} can reach"), &["what-can"], &query).await
    }

    /// Change requests that fit the filters.
    pub async fn change_requests(
        &self,
        filters: &[(&'static str, String)],
        limit: usize,
    ) -> Result<Vec<RequestSummary>, Failure> {
        self.pages("list requests", "requests", "cursor", filters, limit).await
    }

    /// What waits for the caller's signature.
    pub async fn inbox(&self) -> Result<Inbox, Failure> {
        self.get("read the inbox", &["inbox"], &[]).await
    }

    /// Events that fit the filters, oldest first.
    pub async fn events(
        &self,
        filters: &[(&'static str, String)],
        limit: usize,
    ) -> Result<Vec<EventView>, Failure> {
        self.pages("list events", "events", "after", filters, limit).await
    }

    /// Events that fit the filters, newest first.
    pub async fn latest_events(
        &self,
        filters: &[(&'static str, String)],
        limit: usize,
    ) -> Result<Vec<EventView>, Failure> {
        let mut filters = filters.to_vec();
        filters.push(("before", i64::MAX.to_string()));
        self.pages("list events", "events", "before", &filters, limit).await
    }

    async fn pages<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        position: &'static str,
        filters: &[(&'static str, String)],
        limit: usize,
    ) -> Result<Vec<T>, Failure> {
        let mut items: Vec<T> = Vec::new();
        let mut next: Option<String> = None;
        while items.len() < limit {
            let mut query = filters.to_vec();
            query.push(("limit", (limit - items.len()).min(PAGE).to_string()));
            if let Some(cursor) = next.take() {
                query.retain(|(name, _)| *name != position);
                query.push((position, cursor));
            }
            let page: Page<T> = self.get(what, &[path], &query).await?;
            let none = page.items.is_empty();
            items.extend(page.items);
            match page.next_cursor.and_then(types::Cursor::into_text) {
                Some(cursor) if !none => next = Some(cursor),
                _ => break,
            }
        }
        items.truncate(limit);
        Ok(items)
    }

    fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&'static str, String)],
    ) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            // Every part is a segment of its own, so that no id can become another path.
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        let mut request = self.http.request(method, url);
        if !query.is_empty() {
            request = request.query(query);
        }
        request
    }

    /// With what the caller shows.
    fn authorized(&self, what: &str, request: RequestBuilder) -> Result<RequestBuilder, Failure> {
        let Some(token) = &self.token else { return Ok(request) };
        let shown = token.now().map_err(|error| {
            Failure::usage(format!("{what}: read the key"))
                .caused_by(&error)
                .next("name a file with the key alone in it (STRONGROOM_API_KEY_FILE)")
        })?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", shown.expose_secret()));
        if let Ok(value) = &mut value {
            value.set_sensitive(true);
        }
        let value = value.map_err(|_| {
            Failure::usage(what).because("the key holds characters that no key has")
        })?;
        Ok(request.header(AUTHORIZATION, value))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &[&str],
        query: &[(&'static str, String)],
    ) -> Result<T, Failure> {
        let answer = self.send(what, self.request(Method::GET, path, query)).await?;
        decode(what, refuse_problem(what, answer).await?).await
    }

    async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        what: &str,
        path: &[&str],
        body: &B,
    ) -> Result<T, Failure> {
        let answer = self.send(what, self.request(Method::POST, path, &[]).json(body)).await?;
        decode(what, refuse_problem(what, answer).await?).await
    }

    async fn send(&self, what: &str, request: RequestBuilder) -> Result<Response, Failure> {
        self.authorized(what, request)?.send().await.map_err(|error| {
            let exit = if error.is_timeout() { Exit::TimedOut } else { Exit::Failed };
            let at = self.base.origin().ascii_serialization();
            Failure::new(exit, what)
                .because(format!("no answer from {at}"))
                .caused_by(&error.without_url())
                .next("check the address (--server) and that `strongroom serve` runs there")
        })
    }
}

/// Whether an address is this very machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

async fn refuse_problem(what: &str, answer: Response) -> Result<Response, Failure> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let bytes = body(answer).await.unwrap_or_default();
    let problem: Problem = serde_json::from_slice(&bytes).unwrap_or_default();
    Err(problem.into_failure(what, status))
}

async fn decode<T: DeserializeOwned>(what: &str, answer: Response) -> Result<T, Failure> {
    let failed = || Failure::new(Exit::Failed, what);
    let status = answer.status();
    if status == StatusCode::NO_CONTENT {
        return Err(failed().because("the server sent no content where some is expected"));
    }
    let bytes = body(answer).await.map_err(|why| failed().because(why))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        failed()
            .because("the answer is not what this version of the client expects")
            .caused_by(&error)
            .next("compare `strongroom version` with the server's version")
    })
}

async fn body(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_ANSWER => bytes.extend(&chunk),
            Ok(Some(_)) => return Err("the answer is larger than 16 MiB".to_owned()),
            Ok(None) => return Ok(bytes),
            Err(error) => return Err(crate::failure::chain(&error.without_url())),
        }
    }
}

#[cfg(test)]
mod tests;

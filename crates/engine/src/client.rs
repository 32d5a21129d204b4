//! One call: check the path, send, bound the answer. Reads are tried again, writes never.
//!
//! What an answer means stands in `answer.rs`.

use std::fmt;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tracing::Instrument as _;

use crate::answer::{Envelope, Head, MAX_ANSWER, classify};
use crate::bulk;
use crate::error::{EngineError, Failure};
use crate::path;

/// How often a read is tried in all.
const READ_TRIES: u32 = 4;

/// The longest wait before a read is tried again; an engine that asks for more is told of.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How long a bulk read may take.
const BULK_TIMEOUT: Duration = Duration::from_mins(1);

/// Where an engine is and whom to trust there.
#[derive(Debug, Clone)]
pub struct EngineAddress {
    /// `https://host:port`.
    pub url: String,
    /// The CA to trust instead of the system's, PEM.
    pub ca_pem: Option<String>,
}

/// What is done at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// List names.
    List,
    /// Write.
    Post,
    /// Write some fields and keep the others.
    Patch,
    /// Delete.
    Delete,
}

impl Method {
    fn as_http(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::List => {
                reqwest::Method::from_bytes(b"LIST").expect("LIST is a valid method name")
            }
            Self::Post => reqwest::Method::POST,
            Self::Patch => reqwest::Method::PATCH,
            Self::Delete => reqwest::Method::DELETE,
        }
    }

    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::List)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "read",
            Self::List => "list",
            Self::Post => "write",
            Self::Patch => "patch",
            Self::Delete => "delete",
        })
    }
}

/// One call to make. Its `Debug` shows method and template only.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// What is done.
    pub method: Method,
    /// Where, without `v1/`.
    pub path: &'a str,
    /// The path without tenants' names, for spans and errors.
    pub template: &'static str,
    /// The body. Never logged.
    pub body: Option<&'a Value>,
    /// Query parameters (the sign-in callback has some).
    pub query: &'a [(&'a str, &'a str)],
    /// Whether the answer is about many objects: larger, and slower to come, than others.
    pub bulk: bool,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} {})", self.method, self.template)
    }
}

impl<'a> Call<'a> {
    /// A call without body.
    pub fn new(method: Method, path: &'a str, template: &'static str) -> Self {
        Self { method, path, template, body: None, query: &[], bulk: false }
    }

    /// A write.
    pub fn post(path: &'a str, template: &'static str, body: &'a Value) -> Self {
        Self { body: Some(body), ..Self::new(Method::Post, path, template) }
    }
}

/// The header that joins our journal with the engine's audit log.
pub const WRITE_ID_HEADER: &str = "x-strongroom-write";

/// A client of one engine node.
#[derive(Clone)]
pub struct EngineClient {
    http: reqwest::Client,
    base: String,
    namespace: Option<HeaderValue>,
    timeout: Duration,
}

impl fmt::Debug for EngineClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EngineClient({})", self.base)
    }
}

/// A client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The CA is no PEM certificate.
    #[error("read the engine's CA certificate")]
    Ca(#[source] reqwest::Error),
    /// The address is not `https://host[:port]`.
    #[error("the engine's address is https://host:port, nothing more")]
    Address,
    /// The HTTP client could not be built.
    #[error("build an HTTP client")]
    Client(#[source] reqwest::Error),
}

impl EngineClient {
    /// A client with a time-out per call.
    pub fn new(address: &EngineAddress, timeout: Duration) -> Result<Self, SetupError> {
        let url = url::Url::parse(&address.url).map_err(|_| SetupError::Address)?;
        let plain = url.scheme() == "https"
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !plain {
            return Err(SetupError::Address);
        }
        let mut builder = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // The library would repeat calls that a server says it has not looked at.
            .retry(reqwest::retry::never())
            .https_only(true);
        if let Some(pem) = &address.ca_pem {
            let certificates =
                reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(SetupError::Ca)?;
            builder = builder.tls_certs_only(certificates);
        }
        let http = builder.build().map_err(SetupError::Client)?;
        Ok(Self { http, base: format!("{}v1/", url.as_str()), namespace: None, timeout })
    }

    /// How long a call takes at most.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The same client inside a vault namespace.
    ///
    /// A server without namespaces ignores the header and answers with the root namespace's data,
    /// so the engine is first asked for something in a namespace that cannot be there: only one
    /// that refuses it is believed.
    pub async fn in_namespace(&self, namespace: &str) -> Result<Self, EngineError> {
        let template = "sys/internal/ui/mounts";
        let within =
            |name: &str| Self { namespace: HeaderValue::from_str(name).ok(), ..self.clone() };
        if !path::is_canonical(namespace) {
            return Err(EngineError::new(Failure::BadPath, template));
        }
        let nowhere = within(&format!("strongroom-probe-{}", uuid::Uuid::new_v4()));
        let probe = Call::new(Method::Get, template, template);
        match nowhere.call(probe, None).await {
            Ok(_) => Err(EngineError::new(Failure::NamespaceIgnored, template)),
            Err(error) if error.is_not_found() => Ok(within(namespace)),
            Err(error) => Err(error),
        }
    }

    /// Makes one call. Reads are tried again on temporary failures; writes never.
    pub async fn call(
        &self,
        call: Call<'_>,
        token: Option<&SecretString>,
    ) -> Result<Envelope, EngineError> {
        let (answer, write_id) = self.exchange(call, token, &mut classify).await?;
        Ok(Envelope { write_id, ..answer })
    }

    /// Makes one call and takes the answer apart in some way; gives our id of a write, too.
    pub(crate) async fn exchange<T>(
        &self,
        call: Call<'_>,
        token: Option<&SecretString>,
        open: &mut impl FnMut(&Call<'_>, &Head, &[u8]) -> Result<T, EngineError>,
    ) -> Result<(T, Option<String>), EngineError> {
        let told = |error| EngineError { operation: Some(call.method), ..error };
        path::check(call.method, call.path, call.template).map_err(told)?;
        let span = tracing::debug_span!("engine.call", method = %call.method, path = call.template);
        async {
            let mut tries = 0;
            loop {
                match self.once(&call, token, open).await {
                    Err(error) => tries = again(&call, error, tries).await.map_err(told)?,
                    answer => return answer,
                }
            }
        }
        .instrument(span)
        .await
    }

    /// Makes one call, of which the answer is about many objects, and gives the objects away as they
    /// come in. Where it is tried again, some are given twice.
    pub(crate) async fn each(
        &self,
        call: Call<'_>,
        token: Option<&SecretString>,
        section: &'static [&'static str],
        each: &mut impl FnMut(&str, Value),
    ) -> Result<(), EngineError> {
        let told = |error| EngineError { operation: Some(call.method), ..error };
        path::check(call.method, call.path, call.template).map_err(told)?;
        let mut tries = 0;
        loop {
            let sent = self.send(&call, token).await;
            let read = match sent {
                Ok((response, _)) => bulk::read(&call, response, section, each).await,
                Err(error) => Err(error),
            };
            match read {
                Err(error) => tries = again(&call, error, tries).await.map_err(told)?,
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn once<T>(
        &self,
        call: &Call<'_>,
        token: Option<&SecretString>,
        open: &mut impl FnMut(&Call<'_>, &Head, &[u8]) -> Result<T, EngineError>,
    ) -> Result<(T, Option<String>), EngineError> {
        let (response, write_id) = self.send(call, token).await?;
        let head = Head::of(response.status(), response.headers());
        let told = |error| EngineError { write_id: write_id.clone(), ..error };
        let body = whole(call, response).await.map_err(told)?;
        let answer = open(call, &head, &body).map_err(told)?;
        Ok((answer, write_id))
    }

    /// Sends one call; gives our id of a write, too.
    async fn send(
        &self,
        call: &Call<'_>,
        token: Option<&SecretString>,
    ) -> Result<(Response, Option<String>), EngineError> {
        let write_id = (!call.method.is_read()).then(|| uuid::Uuid::new_v4().to_string());
        let fail = |failure| EngineError {
            write_id: write_id.clone(),
            ..EngineError::new(failure, call.template)
        };
        let mut request = self
            .http
            .request(call.method.as_http(), format!("{}{}", self.base, call.path))
            .headers(headers(token).ok_or_else(|| fail(Failure::Denied))?)
            .query(call.query);
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(id) = &write_id {
            request = request.header(WRITE_ID_HEADER, id);
        }
        if call.method == Method::Patch {
            request = request.header(CONTENT_TYPE, "application/merge-patch+json");
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        if call.bulk {
            request = request.timeout(BULK_TIMEOUT);
        }
        let sent = request.send().await;
        let response = sent.map_err(|error| {
            let write_id = write_id.clone();
            EngineError { write_id, ..lost(call, &error) }
        })?;
        Ok((response, write_id))
    }
}

/// What it means that an answer did not come, or not whole.
pub(crate) fn lost(call: &Call<'_>, error: &reqwest::Error) -> EngineError {
    let why = transport(error);
    let failure = match call.method.is_read() {
        _ if error.is_connect() => Failure::Unreachable(why),
        true if error.is_timeout() => Failure::TimedOut(why),
        true => Failure::Unreachable(why),
        false => Failure::UnknownOutcome(why),
    };
    EngineError::new(failure, call.template)
}

/// An answer that is larger than any should be.
pub(crate) fn too_large(call: &Call<'_>, most: usize) -> EngineError {
    let why = format!("it is larger than {} MiB", most / 1024 / 1024);
    EngineError::new(Failure::Malformed(why), call.template)
}

/// The whole body of an answer, bounded.
pub(crate) async fn whole(call: &Call<'_>, mut response: Response) -> Result<Vec<u8>, EngineError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| lost(call, &error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(too_large(call, MAX_ANSWER));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Waits until the call may be tried again, and counts; the error where it may not.
async fn again(call: &Call<'_>, error: EngineError, tries: u32) -> Result<u32, EngineError> {
    let tries = tries + 1;
    let wait = wait_before_next(&error.failure, tries);
    let Some(wait) = wait.filter(|_| call.method.is_read() && tries < READ_TRIES) else {
        return Err(error);
    };
    tracing::debug!(%error, tries, "a read is tried again");
    tokio::time::sleep(wait).await;
    Ok(tries)
}

/// How long to wait before a read is tried again; `None` where trying again is no use.
///
/// A sealed engine, a standby and a time-out are told at once: the caller has other work.
fn wait_before_next(failure: &Failure, tries: u32) -> Option<Duration> {
    let asked = match failure {
        Failure::Unreachable(_) | Failure::Server(412 | 502 | 503) => Duration::ZERO,
        Failure::RateLimited(after) => after.unwrap_or(Duration::ZERO),
        _ => return None,
    };
    let step = Duration::from_millis(100 << tries.min(4));
    // Many readers that failed at the same moment must not come back at the same moment.
    let jitter = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
    let wait = step.mul_f64(0.5 + jitter / 2.0).max(asked);
    (wait <= LONGEST_WAIT).then_some(wait)
}

fn headers(token: Option<&SecretString>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert("x-vault-request", HeaderValue::from_static("true"));
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(token.expose_secret()).ok()?;
        value.set_sensitive(true);
        headers.insert("x-vault-token", value);
    }
    Some(headers)
}

/// The kind of a transport failure, never the URL: it names a path.
fn transport(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "time-out"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    let mut source: &dyn std::error::Error = error;
    while let Some(next) = source.source() {
        source = next;
    }
    format!("{kind}: {source}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_https_address_is_taken() {
        let client = |url: &str| {
            let address = EngineAddress { url: url.to_owned(), ca_pem: None };
            EngineClient::new(&address, Duration::from_secs(1))
        };
        assert!(client("https://engine.example:8200").is_ok());
        for bad in [
            "http://engine.example:8200",
            "https://engine.example/vault",
            "https://engine.example?x=1",
            "https://engine.example#x",
            "https://user@engine.example",
            "https://:password@engine.example",
            "engine.example:8200",
        ] {
            assert!(matches!(client(bad), Err(SetupError::Address)), "{bad}");
        }
    }

    #[test]
    fn waits_grow_and_stay_apart_and_a_long_one_is_not_made() {
        let lost = Failure::Unreachable(String::new());
        for tries in 1..READ_TRIES {
            let step = Duration::from_millis(100 << tries);
            for _ in 0..20 {
                let wait = wait_before_next(&lost, tries).unwrap();
                assert!(wait >= step / 2 && wait <= step, "{tries}: {wait:?}");
            }
        }
        let limited = |seconds| Failure::RateLimited(Some(Duration::from_secs(seconds)));
        assert!(wait_before_next(&limited(1), 1).unwrap() >= Duration::from_secs(1));
        assert_eq!(wait_before_next(&limited(30), 1), None);
        for failure in [
            Failure::Sealed,
            Failure::Standby,
            Failure::Denied,
            Failure::Server(500),
            Failure::TimedOut(String::new()),
        ] {
            assert_eq!(wait_before_next(&failure, 1), None, "{failure:?}");
        }
    }

    #[test]
    fn a_call_shows_neither_path_nor_body() {
        let body = serde_json::json!({ "secret_id": "hidden" });
        let call = Call::post("team/hidden/kv/data/hidden", "{mount}/data/{path}", &body);
        let shown = format!("{call:?}");
        assert_eq!(shown, "Call(write {mount}/data/{path})");
    }
}

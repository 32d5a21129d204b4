//! One call: send, bound, classify.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tracing::Instrument as _;

use crate::error::{EngineError, Failure};
use crate::path;

/// The largest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// How often a read is tried in all.
const READ_TRIES: u32 = 4;

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
            Self::Delete => reqwest::Method::DELETE,
        }
    }

    fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::List)
    }
}

/// One call to make.
#[derive(Debug)]
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
}

impl<'a> Call<'a> {
    /// A call without body.
    pub fn new(method: Method, path: &'a str, template: &'static str) -> Self {
        Self {
            method,
            path,
            template,
            body: None,
            query: &[],
        }
    }

    /// A write.
    pub fn post(path: &'a str, template: &'static str, body: &'a Value) -> Self {
        Self {
            body: Some(body),
            ..Self::new(Method::Post, path, template)
        }
    }
}

/// A good answer. Fields that we do not know stay in `data`.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// The HTTP status.
    pub status: u16,
    /// The answer's `data`, or the whole body where there is no envelope (`sys/health`).
    pub data: Value,
    /// The answer's `auth`, for logins.
    pub auth: Value,
    /// Warnings of the engine.
    pub warnings: Vec<String>,
    /// The engine's id of the request, where it told one: an answer without a body tells none.
    pub request_id: Option<String>,
    /// Our own id of a write. It travels in [`WRITE_ID_HEADER`], which the engine's audit log
    /// records beside its own id of the request.
    pub write_id: Option<String>,
}

/// The header that joins our journal with the engine's audit log.
pub const WRITE_ID_HEADER: &str = "x-strongroom-write";

/// A client of one engine node.
#[derive(Clone)]
pub struct EngineClient {
    http: reqwest::Client,
    base: String,
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
            && url.username().is_empty();
        if !plain {
            return Err(SetupError::Address);
        }
        let mut builder = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .https_only(true);
        if let Some(pem) = &address.ca_pem {
            let certificates =
                reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(SetupError::Ca)?;
            builder = builder.tls_certs_only(certificates);
        }
        let http = builder.build().map_err(SetupError::Client)?;
        Ok(Self {
            http,
            base: format!("{}v1/", url.as_str()),
        })
    }

    /// Makes one call. Reads are tried again on temporary failures; writes never.
    pub async fn call(
        &self,
        call: Call<'_>,
        token: Option<&SecretString>,
    ) -> Result<Envelope, EngineError> {
        path::check(call.path, call.template)?;
        let span = tracing::debug_span!("engine.call", method = ?call.method, path = call.template);
        async {
            let mut tries = 1;
            loop {
                let result = self.once(&call, token).await;
                match result {
                    Err(error)
                        if call.method.is_read() && error.is_temporary() && tries < READ_TRIES =>
                    {
                        tracing::debug!(%error, tries, "a read is tried again");
                        tokio::time::sleep(Duration::from_millis(50 << tries)).await;
                        tries += 1;
                    }
                    result => return result,
                }
            }
        }
        .instrument(span)
        .await
    }

    async fn once(
        &self,
        call: &Call<'_>,
        token: Option<&SecretString>,
    ) -> Result<Envelope, EngineError> {
        let fail = |failure| EngineError::new(failure, call.template);
        let write_id = (!call.method.is_read()).then(|| uuid::Uuid::new_v4().to_string());
        let mut request = self
            .http
            .request(call.method.as_http(), format!("{}{}", self.base, call.path))
            .headers(headers(token).ok_or_else(|| fail(Failure::Denied))?)
            .query(call.query);
        if let Some(id) = &write_id {
            request = request.header(WRITE_ID_HEADER, id);
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        let lost = |error: reqwest::Error| {
            let why = transport(&error);
            if error.is_connect() || call.method.is_read() {
                fail(Failure::Unreachable(why))
            } else {
                fail(Failure::UnknownOutcome(why))
            }
        };
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(fail(Failure::Malformed("it is larger than 16 MiB".into())));
            }
            body.extend_from_slice(&chunk);
        }
        let answer = classify(call, status, retry_after, &body)?;
        Ok(Envelope { write_id, ..answer })
    }
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

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn classify(
    call: &Call<'_>,
    status: StatusCode,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Result<Envelope, EngineError> {
    let malformed = |why: &str| EngineError::new(Failure::Malformed(why.into()), call.template);
    let json: Value = if body.is_empty() {
        Value::Null
    } else {
        match serde_json::from_slice(body) {
            Ok(json) => json,
            Err(_) if status.is_success() => return Err(malformed("it is not JSON")),
            Err(_) => Value::Null,
        }
    };
    let request_id = json
        .get("request_id")
        .and_then(Value::as_str)
        .map(str::to_owned);
    if status.is_success() {
        let texts = |name: &str| -> Vec<String> {
            let items = json.get(name).and_then(Value::as_array);
            items
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let warnings = texts("warnings");
        let enveloped = json.get("request_id").is_some();
        let auth = json.get("auth").cloned().unwrap_or_default();
        let data = if enveloped {
            json.get("data").cloned().unwrap_or_default()
        } else {
            json
        };
        let status = status.as_u16();
        return Ok(Envelope {
            status,
            data,
            auth,
            warnings,
            request_id,
            write_id: None,
        });
    }
    let errors: Vec<String> = json
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|text| text.trim().chars().take(500).collect())
        .collect();
    let says = |what: &str| errors.iter().any(|error| error.contains(what));
    let failure = match status.as_u16() {
        301..=308 => Failure::Malformed("a redirect; give the address of the active node".into()),
        400 if says("check-and-set parameter did not match") => Failure::CasMismatch,
        400 | 405 | 409 | 413 | 422 => Failure::Invalid(errors),
        401 | 403 => Failure::Denied,
        404 => Failure::NotFound,
        429 if call.path == "sys/health" => Failure::Standby,
        429 => Failure::RateLimited(retry_after),
        472..=474 => Failure::Standby,
        501 => Failure::NotInitialized,
        503 if says("sealed") || call.path == "sys/health" => Failure::Sealed,
        500.. => Failure::Server(status.as_u16()),
        other => Failure::Malformed(format!("status {other}")),
    };
    Err(EngineError {
        failure,
        template: call.template,
        request_id,
    })
}

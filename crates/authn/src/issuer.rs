//! The provider's discovery document and keys, fetched with care.
//!
//! The issuer must call itself exactly what we call it. A key counts as unknown only when the
//! provider was asked for it after the question came up: a caller refuses acts for good on that
//! word, so an old answer, a failure or our own restraint in asking must never sound like it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strongroom_domain::clock::{Clock, SystemClock};
use tokio::sync::Mutex;

use crate::http::Http;

/// How long one request to the provider may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a document of the provider is used before it is fetched again.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// How long we wait before we ask the provider for the same thing once more.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// The public members of a JWK. Nothing else is handed on, least of all a private one.
const PUBLIC_MEMBERS: &[&str] = &["kty", "kid", "use", "alg", "crv", "n", "e", "x", "y"];

/// The provider cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IssuerError {
    /// The issuer's own address is not taken.
    #[error("the issuer's address must be https (plain http on loopback only): {0}")]
    Address(String),
    /// A document sends us somewhere that is not listed.
    #[error("the provider's documents name the host {0}, which is not in the list of hosts")]
    Host(String),
    /// No answer.
    #[error("the identity provider cannot be reached ({0}); try again when it is back")]
    Unreachable(String),
    /// Not the document it must be.
    #[error("the identity provider's {what} is not usable: {why}")]
    Document {
        /// Which document.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The key is not among the provider's.
    #[error("the provider does not publish the key {0}")]
    UnknownKey(String),
    /// The keys were fetched a moment ago, and this one was not among them then.
    #[error("the provider was asked for its keys a moment ago; try the key {0} again in 5 seconds")]
    AskedLately(String),
}

/// What the discovery document says, as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The issuer.
    pub issuer: String,
    /// Where people sign in.
    pub authorization_endpoint: String,
    /// Where codes are redeemed.
    pub token_endpoint: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// `public` or `pairwise` subjects.
    #[serde(default)]
    pub subject_types_supported: Vec<String>,
}

/// One issuer.
pub struct Issuer {
    url: String,
    http: Http,
    clock: Arc<dyn Clock>,
    metadata: Mutex<Remembered<Metadata>>,
    keys: Mutex<Remembered<Vec<Value>>>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({:?})", self.url)
    }
}

/// A document as it was fetched last, and how the last try went.
#[derive(Debug)]
struct Remembered<T> {
    value: Option<(Timestamp, T)>,
    tried: Option<(Timestamp, Result<(), IssuerError>)>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { value: None, tried: None }
    }
}

impl<T> Remembered<T> {
    fn fresh(&self, now: Timestamp) -> Option<&T> {
        let (at, value) = self.value.as_ref()?;
        within(*at, now, FRESH).then_some(value)
    }

    /// How the last try went, if it is too early for another.
    fn lately(&self, now: Timestamp) -> Option<Result<(), IssuerError>> {
        let (at, outcome) = self.tried.as_ref()?;
        within(*at, now, PAUSE).then(|| outcome.clone())
    }

    /// Remembers how a try went that ended at `now`.
    fn put(&mut self, now: Timestamp, outcome: Result<T, IssuerError>) -> Result<(), IssuerError> {
        let told = outcome.map(|value| self.value = Some((now, value)));
        self.tried = Some((now, told.clone()));
        told
    }
}

/// Whether less than `limit` went by. A clock that was put back proves nothing and so is not less.
fn within(at: Timestamp, now: Timestamp, limit: SignedDuration) -> bool {
    let gone = now.duration_since(at);
    !gone.is_negative() && gone < limit
}

impl Issuer {
    /// An issuer with the hosts its documents may name; its own host when none are given.
    pub fn new(url: &str, ca_pem: Option<&str>, hosts: &[String]) -> Result<Self, IssuerError> {
        Ok(Self {
            url: url.to_owned(),
            http: Http::new(url, ca_pem, hosts, TIMEOUT)?,
            clock: Arc::new(SystemClock),
            metadata: Mutex::default(),
            keys: Mutex::default(),
        })
    }

    /// The same issuer by another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The issuer as tokens name it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What talks to this provider.
    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// The discovery document.
    pub async fn metadata(&self) -> Result<Metadata, IssuerError> {
        let mut remembered = self.metadata.lock().await;
        let now = self.clock.now();
        if let Some(metadata) = remembered.fresh(now) {
            return Ok(metadata.clone());
        }
        if let Some(Err(error)) = remembered.lately(now) {
            return Err(error);
        }
        let metadata = self.discover().await;
        remembered.put(self.clock.now(), metadata.clone())?;
        metadata
    }

    /// The provider's key of this id, as a JWK with its public members. An unknown id makes us
    /// fetch the keys again, but not more often than every few seconds.
    pub async fn key(&self, kid: &str) -> Result<Value, IssuerError> {
        let mut remembered = self.keys.lock().await;
        let now = self.clock.now();
        if let Some(key) = remembered.fresh(now).map(|keys| find(keys, kid)).transpose()?.flatten()
        {
            return Ok(key);
        }
        match remembered.lately(now) {
            Some(Err(error)) => return Err(error),
            Some(Ok(())) => return Err(IssuerError::AskedLately(short(kid))),
            None => {}
        }
        let fetched = self.fetch_keys().await;
        remembered.put(self.clock.now(), fetched.clone())?;
        find(&fetched?, kid)?.ok_or_else(|| IssuerError::UnknownKey(short(kid)))
    }

    async fn discover(&self) -> Result<Metadata, IssuerError> {
        let address =
            format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let document = self.http.document(&address, "discovery document").await?;
        let wrong = |why: String| IssuerError::Document { what: "discovery document", why };
        let metadata: Metadata =
            serde_json::from_value(document).map_err(|error| wrong(error.to_string()))?;
        if metadata.issuer != self.url {
            return Err(wrong(format!("it names the issuer {}", short(&metadata.issuer))));
        }
        for endpoint in
            [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri]
        {
            self.http.check(endpoint)?;
        }
        Ok(metadata)
    }

    async fn fetch_keys(&self) -> Result<Vec<Value>, IssuerError> {
        let metadata = self.metadata().await?;
        let mut document = self.http.document(&metadata.jwks_uri, "key set").await?;
        match document.get_mut("keys").map(Value::take) {
            Some(Value::Array(keys)) => Ok(keys),
            _ => Err(IssuerError::Document {
                what: "key set",
                why: "there is no list of keys".to_owned(),
            }),
        }
    }
}

/// The one public key for signatures with this id.
fn find(keys: &[Value], kid: &str) -> Result<Option<Value>, IssuerError> {
    let text = |key: &Value, name: &str| key.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut found = keys.iter().filter(|key| {
        text(key, "kid").as_deref() == Some(kid)
            && matches!(text(key, "kty").as_deref(), Some("RSA" | "EC" | "OKP"))
            && text(key, "use").is_none_or(|used| used == "sig")
    });
    let Some(key) = found.next() else {
        return Ok(None);
    };
    if found.next().is_some() {
        let why = format!("it holds two keys with the id {}", short(kid));
        return Err(IssuerError::Document { what: "key set", why });
    }
    let public: Map<String, Value> = PUBLIC_MEMBERS
        .iter()
        .filter_map(|member| Some(((*member).to_owned(), key.get(*member)?.clone())))
        .collect();
    Ok(Some(Value::Object(public)))
}

/// A stranger's text for a sentence.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests;

//! Whether the server answers, what it says of itself, and what time it has.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::Method;
use reqwest::header::DATE;
use serde::Deserialize;

use super::{Api, decode, refuse_problem};
use crate::failure::Failure;

/// What a server says without being shown anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Its version, where it tells one.
    pub version: Option<String>,
    /// Its clock, to the second, where a `Date` header came.
    pub at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    version: Option<String>,
}

impl Api {
    /// Asks whether it lives.
    pub async fn hello(&self) -> Result<Hello, Failure> {
        let what = "reach the server";
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("livez");
        }
        let answer = self.send(what, self.http.request(Method::GET, url)).await?;
        let date = answer.headers().get(DATE).and_then(|value| value.to_str().ok());
        let at = date.and_then(|text| rfc2822::parse(text).ok()).map(|at| at.timestamp());
        let body: Body = decode(what, refuse_problem(what, answer).await?).await?;
        Ok(Hello { version: body.version, at })
    }
}

//! A person with a browser, as far as the lab's provider needs one: signs in and follows the
//! redirect. Everything on the wire is real; only the clicks are not.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use url::Url;

/// A signed-in or not yet signed-in browser of one person.
#[derive(Debug, Clone)]
pub struct Browser {
    http: reqwest::Client,
    user: String,
    password: String,
    session: Option<String>,
}

impl Browser {
    /// A browser of this person, not signed in.
    pub fn new(user: &str, password: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(20))
            .no_proxy()
            .build()?;
        Ok(Self { http, user: user.into(), password: password.into(), session: None })
    }

    /// Signs in at the provider now; what follows uses this session.
    pub async fn sign_in(&mut self, provider_address: &str) -> Result<()> {
        let url = format!("{provider_address}/v1/auth/userpass/login/{}", self.user);
        let body = json!({ "password": self.password });
        let answer = self.http.post(url).json(&body).send().await?;
        let status = answer.status();
        let answer: Value = answer.json().await?;
        let token = answer.pointer("/auth/client_token").and_then(Value::as_str);
        self.session =
            Some(token.with_context(|| format!("{} cannot sign in: {status}", self.user))?.into());
        Ok(())
    }

    /// Opens a client's authorize URL and gives the URL that the provider redirects to.
    ///
    /// Without a session it signs in first, as a person would.
    pub async fn authorize(&mut self, authorize_url: &str) -> Result<Url> {
        let url = Url::parse(authorize_url).context("read the authorize URL")?;
        let provider = url
            .path()
            .strip_prefix("/ui/vault/identity/oidc/provider/")
            .and_then(|rest| rest.strip_suffix("/authorize"))
            .context("this is not an authorize page of the lab's provider")?;
        let origin = url.origin().ascii_serialization();
        if self.session.is_none() {
            self.sign_in(&origin).await?;
        }
        let query: Vec<(String, String)> =
            url.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        let answer = self
            .http
            .get(format!("{origin}/v1/identity/oidc/provider/{provider}/authorize"))
            .query(&query)
            .header("x-vault-token", self.session.as_deref().unwrap_or_default())
            .send()
            .await?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        let Some(code) = body.get("code").and_then(Value::as_str) else {
            bail!("the provider gave no code: {status} {body}");
        };
        let find = |name: &str| query.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone());
        let redirect = find("redirect_uri").context("no redirect_uri in the authorize URL")?;
        let mut target = Url::parse(&redirect)?;
        target.query_pairs_mut().append_pair("code", code);
        if let Some(state) = body.get("state").and_then(Value::as_str) {
            target.query_pairs_mut().append_pair("state", state);
        }
        Ok(target)
    }

    /// Does the whole thing: signs in freshly, authorizes, and visits the redirect.
    pub async fn visit(&mut self, authorize_url: &str) -> Result<String> {
        self.session = None;
        let target = self.authorize(authorize_url).await?;
        let answer = self.http.get(target).send().await.context("visit the redirect")?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("the client refused the sign-in: {status} {text}");
        }
        Ok(text)
    }
}

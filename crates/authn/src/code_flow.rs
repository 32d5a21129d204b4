//! The client side of a sign-in: code flow with PKCE, built with the `openidconnect` crate. Used
//! for sign-ins and for acts alike. Nothing about the token is verified here.

use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreJsonWebKeySet};
use openidconnect::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::issuer::{Issuer, IssuerError};

/// A flow that was begun in a browser and is not finished.
#[derive(Debug)]
pub struct CodeFlow {
    /// Where the browser goes.
    pub authorize_url: Url,
    /// What the callback must carry.
    pub state: String,
    verifier: PkceCodeVerifier,
    client_id: String,
    redirect_uri: String,
    secret: Option<SecretString>,
}

/// What the client asks of the provider.
#[derive(Debug, Clone)]
pub struct FlowRequest<'a> {
    /// The client.
    pub client_id: &'a str,
    /// The address the code comes to.
    pub redirect_uri: &'a str,
    /// Scopes besides `openid`.
    pub scopes: &'a [&'a str],
    /// The nonce that the provider signs.
    pub nonce: &'a str,
    /// How old the sign-in at the provider may be, seconds.
    pub max_age: Option<u32>,
    /// Ask for the password (or the key) again even when the sign-in is young enough.
    pub prompt_login: bool,
}

/// The flow cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The provider cannot be used.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// An address is not one.
    #[error("the address {0:?} is not a URL")]
    Address(String),
    /// The provider did not give a token for the code.
    #[error("the provider gave no ID token for the code: {0}")]
    NoToken(String),
}

impl CodeFlow {
    /// Makes the authorize URL, state and PKCE verifier.
    pub async fn begin(issuer: &Issuer, ask: &FlowRequest<'_>) -> Result<Self, FlowError> {
        let metadata = issuer.metadata().await?;
        let address = |text: &str| FlowError::Address(text.to_owned());
        let client = CoreClient::new(
            ClientId::new(ask.client_id.to_owned()),
            IssuerUrl::new(metadata.issuer.clone()).map_err(|_| address(&metadata.issuer))?,
            CoreJsonWebKeySet::new(Vec::new()),
        )
        .set_auth_uri(
            AuthUrl::new(metadata.authorization_endpoint.clone())
                .map_err(|_| address(&metadata.authorization_endpoint))?,
        )
        .set_redirect_uri(
            RedirectUrl::new(ask.redirect_uri.to_owned()).map_err(|_| address(ask.redirect_uri))?,
        );
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = ask.nonce.to_owned();
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                move || Nonce::new(nonce),
            )
            .set_pkce_challenge(challenge);
        for scope in ask.scopes {
            request = request.add_scope(Scope::new((*scope).to_owned()));
        }
        if let Some(seconds) = ask.max_age {
            request = request.set_max_age(std::time::Duration::from_secs(seconds.into()));
        }
        if ask.prompt_login {
            request = request.add_prompt(openidconnect::core::CoreAuthPrompt::Login);
        }
        let (authorize_url, state, _) = request.url();
        Ok(Self {
            authorize_url,
            state: state.secret().clone(),
            verifier,
            client_id: ask.client_id.to_owned(),
            redirect_uri: ask.redirect_uri.to_owned(),
            secret: None,
        })
    }

    /// The same flow of a confidential client.
    #[must_use]
    pub fn with_secret(mut self, secret: SecretString) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Redeems the code; gives the ID token as text. Nothing about it is verified here.
    pub async fn finish(self, issuer: &Issuer, code: &str) -> Result<String, FlowError> {
        let metadata = issuer.metadata().await?;
        let address = |text: &str| FlowError::Address(text.to_owned());
        let client = CoreClient::new(
            ClientId::new(self.client_id),
            IssuerUrl::new(metadata.issuer.clone()).map_err(|_| address(&metadata.issuer))?,
            CoreJsonWebKeySet::new(Vec::new()),
        )
        .set_token_uri(
            TokenUrl::new(metadata.token_endpoint.clone())
                .map_err(|_| address(&metadata.token_endpoint))?,
        )
        .set_redirect_uri(
            RedirectUrl::new(self.redirect_uri.clone()).map_err(|_| address(&self.redirect_uri))?,
        );
        let client = match &self.secret {
            Some(secret) => client
                .set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()))
                .set_auth_type(AuthType::BasicAuth),
            // A public client: no secret, PKCE instead, id in the body.
            None => client.set_auth_type(AuthType::RequestBody),
        };
        let http = issuer.http().clone();
        // The crate's own transport is on another reqwest; a closure over ours does.
        let send = move |request: HttpRequest| {
            let http = http.clone();
            async move {
                let request = request
                    .try_into()
                    .map_err(|_| IssuerError::Address("the token endpoint".to_owned()))?;
                let answer = http.send(request).await?;
                let mut response = HttpResponse::new(answer.body);
                *response.status_mut() = answer.status;
                *response.headers_mut() = answer.headers;
                Ok::<_, IssuerError>(response)
            }
        };
        let tokens = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(self.verifier)
            .request_async(&send)
            .await
            .map_err(|error| match error {
                RequestTokenError::Request(error) => FlowError::Issuer(error),
                RequestTokenError::ServerResponse(refusal) => {
                    FlowError::NoToken(readable(&refusal.to_string()))
                }
                RequestTokenError::Parse(..) => {
                    FlowError::NoToken("its answer is not one of a token endpoint".to_owned())
                }
                RequestTokenError::Other(why) => FlowError::NoToken(readable(&why)),
            })?;
        let token = tokens.id_token().map(ToString::to_string);
        token.ok_or_else(|| FlowError::NoToken("there is none in the answer".into()))
    }
}

/// The provider's own words for a sentence.
fn readable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

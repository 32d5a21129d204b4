//! A logged-in client: holds the token, renews it in time, logs in anew, revokes it at the end.
//!
//! The token never leaves this module except in the header of a call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::answer::{Envelope, Head, classify};
use crate::auth::{Login, approle_login};
use crate::client::{Call, EngineClient, Method};
use crate::error::{EngineError, Failure};
use crate::window::Window;

/// How the session logs in.
#[derive(Debug, Clone)]
pub struct AppRole {
    /// The public half.
    pub role_id: String,
    /// The secret half.
    pub secret_id: SecretString,
}

/// A client with a token of its own.
#[derive(Debug, Clone)]
pub struct Session {
    client: EngineClient,
    state: Arc<Mutex<State>>,
    window: Window,
}

#[derive(Debug)]
struct State {
    approle: Option<AppRole>,
    login: Option<Held>,
}

#[derive(Debug)]
struct Held {
    token: SecretString,
    renew_at: Instant,
    ends_at: Instant,
}

impl Held {
    /// `asked` is from before the call: the engine's time runs from some moment after it.
    fn new(login: Login, asked: Instant) -> Self {
        let ttl = Duration::from_secs(login.ttl_seconds);
        Self { token: login.token, renew_at: asked + ttl * 2 / 3, ends_at: asked + ttl }
    }

    fn is(&self, token: &SecretString) -> bool {
        self.token.expose_secret() == token.expose_secret()
    }
}

impl Session {
    /// A session that logs in by `AppRole` when it first needs a token.
    pub fn approle(client: EngineClient, approle: AppRole) -> Self {
        let state = State { approle: Some(approle), login: None };
        Self { client, state: Arc::new(Mutex::new(state)), window: Window::default() }
    }

    /// A session with a token from elsewhere (a person's sign-in, a workload's login).
    pub fn with_login(client: EngineClient, login: Login) -> Self {
        let state = State { approle: None, login: Some(Held::new(login, Instant::now())) };
        Self { client, state: Arc::new(Mutex::new(state)), window: Window::default() }
    }

    /// Until when this session sends what changes something.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// The client without the token.
    pub fn client(&self) -> &EngineClient {
        &self.client
    }

    /// Uses another `SecretID` from the next login on.
    pub async fn replace_secret_id(&self, secret_id: SecretString) {
        if let Some(approle) = &mut self.state.lock().await.approle {
            approle.secret_id = secret_id;
        }
    }

    /// Makes one call with the token.
    ///
    /// A token that ran out or was revoked is denied like one that may not. So after a denial the
    /// engine is asked whether it still knows the token, and only if not the call is made once more
    /// with a fresh one. A denied call did nothing, so this repeats no write.
    pub async fn call(&self, call: Call<'_>) -> Result<Envelope, EngineError> {
        let (answer, write_id) = self.exchange(call, &mut classify).await?;
        Ok(Envelope { write_id, ..answer })
    }

    /// Reads an answer about many objects: every member of the object at `section` (field names from
    /// the outside in) goes to `each`, one after the other. Only after `Ok` were they all.
    pub async fn read_each(
        &self,
        method: Method,
        path: &str,
        template: &'static str,
        section: &'static [&'static str],
        mut each: impl FnMut(&str, Value),
    ) -> Result<(), EngineError> {
        let call = Call { bulk: true, ..Call::new(method, path, template) };
        let token = self.token().await?;
        match self.client.each(call, Some(&token), section, &mut each).await {
            Err(error) if error.failure == Failure::Denied => {
                match self.token_after_denial(&token).await? {
                    Some(fresh) => self.client.each(call, Some(&fresh), section, &mut each).await,
                    None => Err(error),
                }
            }
            result => result,
        }
    }

    async fn exchange<T>(
        &self,
        call: Call<'_>,
        open: &mut impl FnMut(&Call<'_>, &Head, &[u8]) -> Result<T, EngineError>,
    ) -> Result<(T, Option<String>), EngineError> {
        let token = self.token().await?;
        self.in_time(&call)?;
        match self.client.exchange(call, Some(&token), open).await {
            Err(error) if error.failure == Failure::Denied => {
                match self.token_after_denial(&token).await? {
                    Some(fresh) => {
                        self.in_time(&call)?;
                        self.client.exchange(call, Some(&fresh), open).await
                    }
                    None => Err(error),
                }
            }
            result => result,
        }
    }

    /// Right before a call is sent: getting a token may have taken long.
    fn in_time(&self, call: &Call<'_>) -> Result<(), EngineError> {
        let changes = !call.method.is_read();
        if !changes || self.window.is_open_for(self.client.timeout()) {
            return Ok(());
        }
        Err(EngineError::new(Failure::TooLate, call.template))
    }

    /// Reads a path; `None` when nothing is there.
    ///
    /// A mount that is not there answers 400 with a sentence, not 404; so does what is beneath it, and an
    /// audit header that is not set.
    pub async fn get(
        &self,
        path: &str,
        template: &'static str,
    ) -> Result<Option<Envelope>, EngineError> {
        let absent =
            ["No auth engine at", "No secret engine mount at", "Could not find header in config"];
        let is_absent = |said: &str| absent.iter().any(|words| said.starts_with(words));
        match self.call(Call::new(Method::Get, path, template)).await {
            Ok(envelope) => Ok(Some(envelope)),
            Err(error) if error.is_not_found() || error.is_refused_with(is_absent) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a path's data; `None` when nothing is there.
    pub async fn read(
        &self,
        path: &str,
        template: &'static str,
    ) -> Result<Option<Value>, EngineError> {
        Ok(self.get(path, template).await?.map(|envelope| envelope.data))
    }

    /// Names beneath a path; none when nothing is there.
    pub async fn list(
        &self,
        path: &str,
        template: &'static str,
    ) -> Result<Vec<String>, EngineError> {
        let data = match self.call(Call::new(Method::List, path, template)).await {
            Ok(envelope) => envelope.data,
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let keys = data.get("keys").and_then(Value::as_array);
        Ok(keys.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Writes a path.
    pub async fn write(
        &self,
        path: &str,
        template: &'static str,
        body: &Value,
    ) -> Result<Envelope, EngineError> {
        self.call(Call::post(path, template, body)).await
    }

    /// Writes some fields of a path and keeps the others.
    pub async fn patch(
        &self,
        path: &str,
        template: &'static str,
        body: &Value,
    ) -> Result<Envelope, EngineError> {
        self.call(Call { body: Some(body), ..Call::new(Method::Patch, path, template) }).await
    }

    /// Deletes a path; one that is not there is done.
    pub async fn delete(
        &self,
        path: &str,
        template: &'static str,
    ) -> Result<Envelope, EngineError> {
        match self.call(Call::new(Method::Delete, path, template)).await {
            Err(error) if error.is_not_found() => Ok(Envelope {
                status: 404,
                request_id: error.request_id,
                write_id: error.write_id,
                ..Envelope::default()
            }),
            result => result,
        }
    }

    /// Gives the token back to the engine.
    pub async fn revoke_self(&self) -> Result<(), EngineError> {
        let held = self.state.lock().await.login.take();
        if let Some(held) = held {
            let body = json!({});
            let call = Call::post("auth/token/revoke-self", "auth/token/revoke-self", &body);
            self.client.call(call, Some(&held.token)).await?;
        }
        Ok(())
    }

    /// The token to use now: held, renewed or new.
    async fn token(&self) -> Result<SecretString, EngineError> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(held) = &state.login
            && now < held.renew_at
        {
            return Ok(held.token.clone());
        }
        if let Some(held) = &state.login
            && now < held.ends_at
            && let Ok(login) = renew(&self.client, &held.token).await
        {
            let renewed = Held::new(login, now);
            // A renewal that brings no time means that the token's longest life is reached.
            if renewed.ends_at > held.ends_at + Duration::from_secs(1) {
                let token = renewed.token.clone();
                state.login = Some(renewed);
                return Ok(token);
            }
        }
        match (state.log_in(&self.client).await, &state.login) {
            (Ok(token), _) => Ok(token),
            // Logging in fails for now, or cannot be done at all: what is left of the old one.
            (Err(_), Some(held)) if state.approle.is_none() || now < held.ends_at => {
                Ok(held.token.clone())
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Another token after this one was denied; `None` when the engine still knows it, so that the
    /// denial was meant.
    async fn token_after_denial(
        &self,
        denied: &SecretString,
    ) -> Result<Option<SecretString>, EngineError> {
        let mut state = self.state.lock().await;
        if state.approle.is_none() {
            return Ok(None);
        }
        if let Some(held) = &state.login
            && !held.is(denied)
        {
            // Somebody else has logged in meanwhile.
            return Ok(Some(held.token.clone()));
        }
        let template = "auth/token/lookup-self";
        let lookup = Call::new(Method::Get, template, template);
        match self.client.call(lookup, Some(denied)).await {
            Ok(_) => Ok(None),
            Err(error) if error.failure == Failure::Denied => {
                state.log_in(&self.client).await.map(Some)
            }
            Err(error) => Err(error),
        }
    }
}

impl State {
    async fn log_in(&mut self, client: &EngineClient) -> Result<SecretString, EngineError> {
        let Some(approle) = &self.approle else {
            return Err(EngineError::new(Failure::Denied, "auth/token"));
        };
        let asked = Instant::now();
        let login = approle_login(client, approle).await?;
        let token = login.token.clone();
        self.login = Some(Held::new(login, asked));
        Ok(token)
    }
}

async fn renew(client: &EngineClient, token: &SecretString) -> Result<Login, EngineError> {
    let template = "auth/token/renew-self";
    let body = json!({});
    let envelope = client.call(Call::post(template, template, &body), Some(token)).await?;
    Login::from_auth(&envelope.auth, template)
}

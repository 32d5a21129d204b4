//! A session at the engine: by the person's sign-in there, or with a token that they bring.

use std::time::Duration;

use secrecy::SecretString;
use strongroom_acts::new_salt;
use strongroom_acts::statement::NONCE_PREFIX;
use strongroom_engine::auth::{Login, oidc_auth_url, oidc_callback};
use strongroom_engine::{EngineAddress, EngineClient, Session};
use url::Url;

use super::{Wish, engine_failure};
use crate::api::is_loopback;
use crate::api::types::EngineView;
use crate::args::Globals;
use crate::context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::signin;
use crate::trust::Trust;

/// How long one call to the engine may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where the provider sends the browser back to.
const CALLBACK: &str = "/oidc/callback";

/// The first of these variables that is set.
pub(in crate::verbs) fn variable(names: [&str; 2]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Refuses to ask in another place than the one that is meant.
pub(in crate::verbs) fn no_namespace() -> Result<(), Failure> {
    if variable(["BAO_NAMESPACE", "VAULT_NAMESPACE"]).is_none() {
        return Ok(());
    }
    Err(Failure::usage("use a vault namespace")
        .because("BAO_NAMESPACE or VAULT_NAMESPACE is set, and this command cannot send it yet")
        .next("unset it"))
}

/// A session at the engine, and whether its token is the person's own from elsewhere.
pub(super) async fn open(globals: &Globals, screen: Screen) -> Result<(Session, bool), Failure> {
    no_namespace()?;
    let trust = context::pinned_trust(globals)?;
    let client = EngineClient::new(&address(trust.as_ref())?, TIMEOUT)
        .map_err(|error| Failure::new(Exit::Failed, "reach the engine").caused_by(&error))?;
    if let Some(token) = variable(["BAO_TOKEN", "VAULT_TOKEN"]) {
        let login = Login {
            token: SecretString::from(token),
            ttl_seconds: 0,
            entity_id: String::new(),
            policies: Vec::new(),
        };
        return Ok((Session::with_login(client, login), true));
    }
    let trust = trust.ok_or_else(|| {
        Failure::new(Exit::LoginNeeded, "sign in at the engine")
            .because("nothing is pinned about it yet")
            .next("run `strongroom login` once, or set BAO_TOKEN")
    })?;
    let login = sign_in(screen, &client, &trust).await?;
    Ok((Session::with_login(client, login), false))
}

fn address(trust: Option<&Trust>) -> Result<EngineAddress, Failure> {
    let own_ca = match variable(["BAO_CACERT", "VAULT_CACERT"]) {
        None => None,
        Some(file) => Some(std::fs::read_to_string(&file).map_err(|error| {
            Failure::new(Exit::Failed, format!("read the CA {file}")).caused_by(&error)
        })?),
    };
    let pinned = trust.map(|trust| &trust.view.engine);
    let pinned_ca =
        |engine: &EngineView| Some(engine.ca_pem.clone()).filter(|pem| !pem.trim().is_empty());
    match (variable(["BAO_ADDR", "VAULT_ADDR"]), pinned) {
        (Some(url), pinned) => {
            let url = url.trim_end_matches('/').to_owned();
            // The pinned CA is for the pinned address only.
            let same = pinned.filter(|engine| engine.address.trim_end_matches('/') == url);
            Ok(EngineAddress { url, ca_pem: own_ca.or_else(|| same.and_then(pinned_ca)) })
        }
        (None, Some(engine)) => Ok(EngineAddress {
            url: engine.address.clone(),
            ca_pem: own_ca.or_else(|| pinned_ca(engine)),
        }),
        (None, None) => Err(Failure::new(Exit::LoginNeeded, "find the engine")
            .next("run `strongroom login` once, or set BAO_ADDR")),
    }
}

async fn sign_in(screen: Screen, client: &EngineClient, trust: &Trust) -> Result<Login, Failure> {
    let what = "sign in at the engine";
    let engine = &trust.view.engine;
    let failed = |error: &dyn std::error::Error| Failure::new(Exit::Failed, what).caused_by(error);
    let client_nonce = new_salt().map_err(|error| failed(&error))?;
    let receiver = signin::Receiver::start(CALLBACK).await?;
    let redirect = receiver.redirect_uri().to_owned();
    let url =
        oidc_auth_url(client, &engine.people_mount, &engine.people_role, &redirect, &client_nonce)
            .await
            .map_err(|error| engine_failure(&error, what, Wish::SignIn))?;
    let (url, state) = check_auth_url(&url, trust)?;
    let back = signin::through_browser(screen, receiver, url.as_str(), &state, what).await?;
    oidc_callback(client, &engine.people_mount, &state, &back, &client_nonce).await.map_err(
        |error| {
            engine_failure(&error, what, Wish::SignIn)
                .next("the engine refused the sign-in; are you in a group that it knows?")
        },
    )
}

/// The page that the engine names must be an ordinary sign-in: an act's nonce or client there
/// would have the person sign something that nobody showed.
fn check_auth_url(text: &str, trust: &Trust) -> Result<(Url, String), Failure> {
    let wrong = |why: &str| {
        Failure::new(Exit::Conflict, "sign in at the engine")
            .because(why)
            .next("do not sign in there; tell the platform team")
    };
    let url: Url = text.parse().map_err(|_| wrong("the engine's sign-in address is no URL"))?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err(wrong("the engine's sign-in page is not an https address"));
    }
    let one = |name: &str| {
        let mut found = url.query_pairs().filter(|(key, _)| key == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value.into_owned()),
            _ => None,
        }
    };
    if one("client_id").is_none_or(|client| client == trust.act_client()) {
        return Err(wrong("the engine's sign-in page is for the client that signs acts"));
    }
    if one("nonce").is_some_and(|nonce| nonce.starts_with(NONCE_PREFIX)) {
        return Err(wrong("the engine's sign-in page carries the nonce of an act"));
    }
    let state = one("state").ok_or_else(|| wrong("the engine's sign-in page carries no state"))?;
    Ok((url, state))
}

#[cfg(test)]
mod tests {
    use strongroom_acts::SigningKey;

    use super::*;
    use crate::trust;

    #[test]
    fn the_engine_cannot_have_an_act_signed() {
        let key = SigningKey::generate().unwrap().public();
        let trust = Trust::new(trust::tests::view(&[key])).unwrap();
        let check = |query: &str| check_auth_url(&format!("https://idp/authorize?{query}"), &trust);
        assert_eq!(check("client_id=engine&state=st_1&nonce=n_1").unwrap().1, "st_1");
        for bad in [
            "client_id=act&state=s&nonce=n",
            "client_id=engine&state=s&nonce=srg1.abc",
            "client_id=engine&client_id=act&state=s&nonce=n",
            "client_id=engine&nonce=n",
            "state=s&nonce=n",
        ] {
            assert_eq!(check(bad).unwrap_err().exit, Exit::Conflict, "{bad}");
        }
        assert!(check_auth_url("http://idp/?client_id=e&state=s", &trust).is_err());
    }
}

//! `login`, `logout`, `whoami`.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use strongroom_acts::statement::NONCE_PREFIX;

use crate::api::types::{PersonView, SignIn};
use crate::api::{Api, Token};
use crate::args::{Globals, LoginArgs, Output};
use crate::client::{self, Client};
use crate::context::{self, Context, SavedSession};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::machine;
use crate::output;
use crate::render::text::{clean, time_text};
use crate::screen::Screen;
use crate::signin::{self, SignIn as Ask};
use crate::trust::{Trust, refuse_change};

/// Signs in; pins trust the first time, holds the server to it afterwards.
pub async fn login(globals: &Globals, screen: Screen, args: &LoginArgs) -> Result<Exit, Failure> {
    output::refuse(globals.output.as_ref(), &[Output::Csv])?;
    let path = context::path(globals)?;
    let known = context::read(&path)?;
    let server = match (&globals.server, &known) {
        (Some(given), _) => client::server(given)?,
        (None, Some(known)) => known.server.clone(),
        (None, None) => {
            return Err(Failure::usage("sign in without a server")
                .next("run `strongroom login --server https://strongroom.example.com`"));
        }
    };
    let api = Api::new(&server, None)?;
    let published = Trust::new(api.trust().await?).map_err(|error| {
        Failure::new(Exit::Conflict, "pin the deployment's trust").caused_by(&error)
    })?;
    pin(screen, &path, known.as_ref(), &published, args)?;

    let begun = api.begin_sign_in().await?;
    check_sign_in(&begun, &published)?;
    let scopes: Vec<&str> = begun.scopes.iter().map(String::as_str).collect();
    let ask = Ask {
        issuer: &published.view.issuer,
        client_id: &begun.client_id,
        scopes: &scopes,
        nonce: &begun.nonce,
        // Providers tell when the person signed in only when they are asked for an age.
        max_age: Some(86_400),
        login_again: false,
        purpose: "sign in",
    };
    let token = signin::id_token(screen, &ask).await?;
    let done = api.complete_sign_in(&begun.sign_in_id, token.expose_secret()).await?;
    let session = SavedSession {
        token: done.token,
        expires_at: done.expires_at.clone(),
        person: done.person.clone(),
    };
    context::write(&path, &Context::new(server, published.view, Some(session)))?;
    tell(screen, globals.output.as_ref(), &done.person, &done.expires_at)?;
    note(screen, globals);
    Ok(Exit::Ok)
}

/// Who signs in while a key is named goes on as a machine, and should know it.
fn note(screen: Screen, globals: &Globals) {
    if let Some(note) = machine::note(globals) {
        screen.must_say(&note);
    }
}

fn pin(
    screen: Screen,
    path: &Path,
    known: Option<&Context>,
    published: &Trust,
    args: &LoginArgs,
) -> Result<(), Failure> {
    let Some(known) = known else {
        screen.must_say(&format!(
            "first sign-in here; from now on this is pinned. Compare it with what the platform \
             team tells you by another way:\n{}",
            published.introduction()
        ));
        return Ok(());
    };
    let pinned = context::check(path, known.trust.clone())?;
    if !args.accept_new_trust {
        return refuse_change(&pinned, published);
    }
    for change in pinned.changes_to(published) {
        screen.must_say(&format!("accepted: {}", clean(&change)));
    }
    Ok(())
}

/// The server chooses the nonce of a sign-in. It must not choose one that is an act, nor a client
/// through which acts are signed: the token would be a signature of something nobody was shown.
fn check_sign_in(begun: &SignIn, trust: &Trust) -> Result<(), Failure> {
    let refused = |why: &str| {
        Err(Failure::new(Exit::Conflict, "begin a sign-in")
            .because(why)
            .next("do not sign in; tell the platform team"))
    };
    if begun.issuer != trust.view.issuer {
        return refused("the server names another issuer than is pinned");
    }
    if begun.client_id != trust.view.sign_in.client_id || begun.client_id == trust.act_client() {
        return refused("the server names another client than the pinned one for sign-ins");
    }
    if begun.nonce.starts_with(NONCE_PREFIX) || begun.nonce.is_empty() {
        return refused("the server wants the nonce of an act signed");
    }
    Ok(())
}

/// Ends the session; the pinned trust stays.
pub async fn logout(globals: &Globals, screen: Screen) -> Result<Exit, Failure> {
    let path = context::path(globals)?;
    let known = context::read(&path)?;
    let Some((known, session)) = known.and_then(|known| Some((known.clone(), known.session?)))
    else {
        screen.say("nobody is signed in");
        return Ok(Exit::Ok);
    };
    let token = Token::Fixed(SecretString::from(session.token));
    let api = Api::new(&known.server, Some(token))?;
    let ended = api.end_session().await;
    context::write(&path, &Context::new(known.server, known.trust, None))?;
    match ended {
        // A session that has run out is ended as well.
        Ok(()) => {}
        Err(failure) if failure.exit == Exit::LoginNeeded => {}
        Err(failure) => {
            return Err(failure.because("the session is forgotten here, and ends there by itself"));
        }
    }
    screen.say("signed out");
    note(screen, globals);
    Ok(Exit::Ok)
}

/// Who the server takes this session for.
pub async fn whoami(client: &Client) -> Result<Exit, Failure> {
    output::refuse(client.output.as_ref(), &[Output::Csv])?;
    let session = client.api.session().await?;
    match &client.output {
        Some(shape) if shape.is_value() => {
            client.screen.data(&output::value(&session, shape)?);
        }
        None | Some(Output::Table | Output::Wide) if session.machine.is_some() => {
            let machine = session.machine.iter().map(|own| {
                let team = own.team.as_deref();
                let of =
                    team.map_or_else(|| "all teams".into(), |team| format!("team {}", clean(team)));
                let may = machine::may(&own.scope);
                format!("may: {may}, {of}\n")
            });
            let machine: String = machine.collect();
            let (name, until) = (clean(&session.person.display), time_text(&session.expires_at));
            client.screen.data(&format!("{name}\n{machine}until: {until}"));
        }
        shape => tell(client.screen, shape.as_ref(), &session.person, &session.expires_at)?,
    }
    Ok(Exit::Ok)
}

fn tell(
    screen: Screen,
    shape: Option<&Output>,
    person: &PersonView,
    until: &str,
) -> Result<(), Failure> {
    match shape {
        Some(shape) if shape.is_value() => {
            let told = serde_json::json!({ "person": person, "expiresAt": until });
            screen.data(&output::value(&told, shape)?);
        }
        Some(Output::Name) => screen.data(&clean(&person.display)),
        _ => {
            let groups: Vec<String> = person.groups.iter().map(|group| clean(group)).collect();
            let groups = if groups.is_empty() { "none".to_owned() } else { groups.join(", ") };
            screen.data(&format!(
                "{} ({} at {})\ngroups: {groups}\nuntil: {}",
                clean(&person.display),
                clean(&person.person),
                clean(&person.issuer),
                time_text(until)
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use strongroom_acts::SigningKey;

    use super::*;

    #[test]
    fn a_server_cannot_turn_a_sign_in_into_an_act() {
        let key = SigningKey::generate().unwrap().public();
        let trust = Trust::new(crate::trust::tests::view(&[key])).unwrap();
        let good = SignIn {
            sign_in_id: "1".into(),
            nonce: "n".into(),
            issuer: "https://idp.example.com/v1".into(),
            client_id: "signin".into(),
            scopes: vec!["openid".into()],
        };
        check_sign_in(&good, &trust).unwrap();
        let refused = |change: &dyn Fn(&mut SignIn)| {
            let mut other = good.clone();
            change(&mut other);
            check_sign_in(&other, &trust).unwrap_err().exit
        };
        assert_eq!(refused(&|s| s.nonce = "srg1.abc".into()), Exit::Conflict);
        assert_eq!(refused(&|s| s.client_id = "act".into()), Exit::Conflict);
        assert_eq!(refused(&|s| s.client_id = "other".into()), Exit::Conflict);
        assert_eq!(refused(&|s| s.issuer = "https://evil".into()), Exit::Conflict);
    }
}

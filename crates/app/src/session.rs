//! Sign-ins and sessions. Who signed in was verified before; here it is kept.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use strongroom_authorization::{Resource, Verb};
use strongroom_domain::event::EventKind;
use strongroom_domain::id::{SessionId, SignInId};
use strongroom_domain::person::SignedPerson;
use strongroom_storage::StorageError;
pub use strongroom_storage::person::LiveSession;
use strongroom_storage::person::NewSession;

use crate::context::{App, Caller, Ctx};
use crate::error::AppError;

/// How long a person has to sign in at the provider.
const SIGN_IN_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// A sign-in that was begun.
#[derive(Debug, Clone)]
pub struct BegunSignIn {
    /// Its id.
    pub sign_in: SignInId,
    /// When it can no longer be completed.
    pub expires_at: Timestamp,
}

/// Begins a sign-in with this nonce.
pub async fn sign_in_begin(app: &App, nonce: &str) -> Result<BegunSignIn, AppError> {
    let sign_in = SignInId::from_uuid(app.new_id());
    let now = app.now();
    let expires_at = now + SIGN_IN_LIFETIME;
    app.store.sign_in_create(sign_in, nonce, now, expires_at).await?;
    Ok(BegunSignIn { sign_in, expires_at })
}

/// Uses up a sign-in and gives the nonce that its token must carry. It works once, whatever the
/// token turns out to be.
pub async fn sign_in_use(app: &App, sign_in: SignInId) -> Result<String, AppError> {
    Ok(app.store.sign_in_complete(sign_in, app.now()).await?)
}

/// Opens a session for a person whose sign-in was verified. Gives its end.
pub async fn session_create(
    app: &App,
    person: SignedPerson,
    token_hash: Vec<u8>,
) -> Result<Timestamp, AppError> {
    let at = app.now();
    let expires_at = at + app.rules.session_absolute;
    let session = SessionId::from_uuid(app.new_id());
    let groups = person.groups.len();
    let event =
        app.event(EventKind::SignedIn, &person, None, None, json!({ "groupCount": groups }));
    let idle_expires_at = expires_at.min(at + app.rules.session_idle);
    let new = NewSession { session, token_hash, person, at, idle_expires_at, expires_at };
    app.store.session_create(&new, &[event]).await?;
    Ok(expires_at)
}

/// The context of a live session; `None` when there is none for this token.
pub async fn session_use(app: &Arc<App>, token_hash: &[u8]) -> Result<Option<Ctx>, AppError> {
    let now = app.now();
    let row = match app.store.session_use(token_hash, now, now + app.rules.session_idle).await {
        Ok(row) => row,
        Err(StorageError::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let members = app.access.now(&app.store).await?;
    Ok(Some(Ctx {
        app: Arc::clone(app),
        members,
        person: row.person,
        caller: Caller::Session(row.session),
        expires_at: row.expires_at,
    }))
}

/// The caller's live sessions; everybody's for the platform and auditors, where asked for.
pub async fn session_list(ctx: &Ctx, all: bool) -> Result<Vec<LiveSession>, AppError> {
    if all && !ctx.may(None, Resource::Session, Verb::ListAll) {
        return Err(AppError::forbidden(
            "only the platform and auditors see other people's sessions",
            "leave out --all to see your own",
        ));
    }
    let own = (!all).then_some(&ctx.person.id);
    Ok(ctx.app.store.session_list(own, ctx.app.now()).await?)
}

/// Ends one of the caller's sessions; a platform member ends anybody's. What is not theirs to end is
/// not there.
pub async fn session_end_other(ctx: &Ctx, session: SessionId) -> Result<(), AppError> {
    let anybodys = ctx.may(None, Resource::Session, Verb::EndAny);
    let own = (!anybodys).then_some(&ctx.person.id);
    let detail = json!({ "session": session });
    let event = ctx.app.event(EventKind::SessionEnded, &ctx.person, None, None, detail);
    Ok(ctx.app.store.session_end_other(session, own, ctx.app.now(), &[event]).await?)
}

/// Ends the session.
pub async fn session_end(ctx: &Ctx) -> Result<(), AppError> {
    match &ctx.caller {
        Caller::Session(session) => Ok(ctx.app.store.session_end(*session, ctx.app.now()).await?),
        // There is none to end.
        Caller::Machine(_) => Err(AppError::NotFound),
    }
}

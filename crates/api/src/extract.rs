//! What handlers take out of a request besides its body.

use axum::extract::rejection::{QueryRejection, RawPathParamsRejection};
use axum::extract::{
    FromRequestParts, Path as RawPath, Query as RawQuery, RawPathParams, Request, State,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::de::DeserializeOwned;
use strongroom_app::machine::Account;
use strongroom_app::{Ctx, machine, session};
use strongroom_authn::{ApiKey, SessionToken, Workload, verify_workload};
use strongroom_domain::name::TeamName;

use crate::problem::Problem;
use crate::routes::{Guard, Within};
use crate::state::AppState;

/// A request of a person who is signed in, or of a machine. The guard of the route has put it there;
/// without it there is no answer.
pub(crate) struct SignedIn(pub(crate) Ctx);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.remove::<Ctx>().map(Self).ok_or_else(Problem::unauthenticated)
    }
}

/// The guard of every route that is not open: nobody who is known or no right, no handler.
pub(crate) async fn require(
    State((state, guard)): State<(AppState, Guard)>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let ctx = match credential(request.headers()) {
        Some(Credential::Session(token)) => session::session_use(&state.app, &token.hash()).await?,
        Some(Credential::Key(key)) => machine::machine_use_key(&state.app, &key.hash()).await?,
        Some(Credential::Token(token)) => workload(&state, &token).await?,
        None => None,
    };
    let Some(ctx) = ctx else {
        state.limits.take_nobody(&request)?;
        return Err(Problem::unauthenticated());
    };
    state.limits.take(&ctx)?;
    is_allowed(&ctx, guard, path)?;
    request.extensions_mut().insert(ctx);
    Ok(next.run(request).await)
}

/// Whether the person has the right that the route needs.
fn is_allowed(
    ctx: &Ctx,
    guard: Guard,
    path: Result<RawPathParams, RawPathParamsRejection>,
) -> Result<(), Problem> {
    let Guard::Right(resource, verb, within) = guard else { return Ok(()) };
    let path = path.map_err(|_| Problem::not_found())?;
    let part = |name| path.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    match within {
        Within::Nowhere => Ok(ctx.must(resource, verb)?),
        // The use case asks.
        Within::Subject if part("kind") != Some("team") => Ok(()),
        Within::Team | Within::Subject => {
            let team = part("name").and_then(|name| TeamName::new(name).ok());
            let may = team.is_some_and(|team| ctx.may(Some(&team), resource, verb));
            // What is in no team of one's own is not there.
            if may { Ok(()) } else { Err(Problem::not_found()) }
        }
    }
}

/// What a caller shows.
enum Credential {
    /// A person's session.
    Session(SessionToken),
    /// A machine's key.
    Key(ApiKey),
    /// What may be a service account's token.
    Token(String),
}

/// The machine that a service account's token stands for.
async fn workload(state: &AppState, token: &str) -> Result<Option<Ctx>, Problem> {
    let now = state.app.now().as_second();
    let Some(found) = verify_workload(&state.workloads, token, now).await else { return Ok(None) };
    let Workload { cluster, namespace, account, uid } = found;
    let account = Account { cluster, namespace, account, uid };
    Ok(machine::machine_use_account(&state.app, &account).await?)
}

fn credential(headers: &HeaderMap) -> Option<Credential> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())?;
    let session = SessionToken::parse(token).map(Credential::Session);
    let key = || ApiKey::parse(token).map(Credential::Key);
    let signed = || (token.matches('.').count() == 2).then(|| Credential::Token(token.to_owned()));
    session.or_else(key).or_else(signed)
}

/// Query fields; unknown ones are refused by the type.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found: Result<RawQuery<T>, QueryRejection> =
            RawQuery::from_request_parts(parts, state).await;
        match found {
            Ok(RawQuery(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem::malformed(rejection.body_text())),
        }
    }
}

/// Parts of the path. Bytes that are no text name nothing.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = RawPath::<T>::from_request_parts(parts, state).await;
        found.map(|RawPath(path)| Self(path)).map_err(|_| Problem::not_found())
    }
}

/// How many rows a page has at most.
const MAX_LIMIT: u32 = 200;

/// How many rows a page has when nothing is asked for.
const DEFAULT_LIMIT: u32 = 50;

/// The number of rows of a page.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(Problem::malformed("`limit` is 1 to 200")),
    }
}

/// The part of a path as an id or a name; what is none names nothing.
pub(crate) fn named<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

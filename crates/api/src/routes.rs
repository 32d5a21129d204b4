//! The table of routes, and the router that is made of it.
//!
//! A route is closed unless its line says `open`; the guard is put before the handler here, so a
//! new handler cannot forget it.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, delete, get, post};

use crate::body::MAX_BYTES;
use crate::edge::{unknown_method, unknown_path, wrap};
use crate::extract::require_session;
use crate::state::AppState;
use crate::v1::{acts, clusters, documents, events, findings, health, kit, preview, public};
use crate::v1::{requests, session, sign_ins, suspensions, teams};

/// One route.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: &'static str,
    /// Whether it needs no session.
    pub open: bool,
    handler: MethodRouter<AppState>,
}

/// Every route there is.
pub fn routes() -> Vec<Route> {
    let open = |method, path, handler| Route { method, path, open: true, handler };
    let closed = |method, path, handler| Route { method, path, open: false, handler };
    vec![
        open(Method::GET, "/livez", get(health::live)),
        open(Method::GET, "/readyz", get(health::ready)),
        open(Method::GET, "/api/v1/trust", get(public::trust)),
        open(Method::GET, "/api/v1/schema", get(public::schema)),
        open(Method::POST, "/api/v1/sign-ins", post(sign_ins::begin)),
        open(Method::POST, "/api/v1/sign-ins/{id}/complete", post(sign_ins::complete)),
        closed(Method::GET, "/api/v1/session", get(session::show)),
        closed(Method::DELETE, "/api/v1/session", delete(session::end)),
        closed(Method::GET, "/api/v1/sessions", get(session::list)),
        closed(Method::DELETE, "/api/v1/sessions/{id}", delete(session::end_other)),
        closed(Method::POST, "/api/v1/requests/preview", post(preview::make)),
        closed(Method::POST, "/api/v1/requests", post(requests::submit)),
        closed(Method::GET, "/api/v1/requests", get(requests::list)),
        closed(Method::GET, "/api/v1/requests/{id}", get(requests::show)),
        closed(Method::GET, "/api/v1/requests/{id}/submission", get(requests::submission)),
        closed(Method::GET, "/api/v1/requests/{id}/plan", get(requests::plan)),
        closed(Method::GET, "/api/v1/requests/{id}/acts", get(acts::list)),
        closed(Method::POST, "/api/v1/requests/{id}/acts", post(acts::create)),
        closed(Method::GET, "/api/v1/documents/{kind}/{name}", get(documents::show)),
        closed(Method::GET, "/api/v1/teams", get(teams::list)),
        closed(Method::GET, "/api/v1/teams/{name}/bindings", get(teams::bindings)),
        closed(Method::GET, "/api/v1/teams/{name}/bindings/{binding}/kit", get(kit::show)),
        closed(Method::GET, "/api/v1/clusters", get(clusters::list)),
        closed(Method::GET, "/api/v1/clusters/{name}/inventory", get(clusters::inventory)),
        closed(Method::GET, "/api/v1/events", get(events::list)),
        closed(Method::GET, "/api/v1/findings", get(findings::list)),
        closed(Method::POST, "/api/v1/suspensions", post(suspensions::create)),
        closed(Method::GET, "/api/v1/suspensions/{id}", get(suspensions::show)),
    ]
}

/// The whole API.
pub fn router(state: AppState) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let handler = if route.open {
            route.handler
        } else {
            route.handler.route_layer(from_fn_with_state(state.clone(), require_session))
        };
        router = router.route(route.path, handler);
    }
    router
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(MAX_BYTES))
        .layer(from_fn(wrap))
        .with_state(state)
}

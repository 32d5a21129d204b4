//! The table of routes, and the router that is made of it.
//!
//! A route is closed unless its line says `open`, and names the right that it needs; the guard is
//! put before the handler here, so a new handler cannot forget it.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::MethodRouter;
use strongroom_authorization::{Resource, Verb};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{RefOr, Schema};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::body::MAX_BYTES;
use crate::description::documentation;
use crate::edge::{unknown_method, unknown_path, wrap};
use crate::etag::marked;
use crate::extract::require;
use crate::idempotency::once;
use crate::limit::limit_nobody;
use crate::state::AppState;
use crate::v1::{
    acts, checks, clusters, comments, description, documents, events, findings, health, kit,
    machines,
};
use crate::v1::{
    inbox, preview, public, reach, requests, session, sign_ins, status, suspensions, teams,
};

/// One route.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// Who is let through.
    pub guard: Guard,
    /// What it takes and gives.
    pub(crate) operation: Operation,
    /// The shapes that it names.
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
    handler: MethodRouter<AppState>,
}

/// Who is let through to a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Everybody, without a session.
    Open,
    /// Whoever is signed in, or is a machine, and has this right.
    Right(Resource, Verb, Within),
}

/// In which team a right is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// Outside of all.
    Nowhere,
    /// In the team that the path calls `name`; what is in no team of one's own is not there.
    Team,
    /// The same where the path's `kind` is a team; of others the use case asks.
    Subject,
}

impl Route {
    fn of(described: UtoipaMethodRouter<AppState>, guard: Guard) -> Self {
        let (schemas, mut paths, handler) = described;
        let (path, item) = paths.paths.pop_first().expect("a handler says where it is");
        let (method, operation) =
            [(Method::GET, item.get), (Method::POST, item.post), (Method::DELETE, item.delete)]
                .into_iter()
                .find_map(|(method, operation)| Some((method, operation?)))
                .expect("a handler says its method");
        Self { method, path, guard, operation, schemas, handler }
    }

    /// Whether it needs no session.
    pub fn is_open(&self) -> bool {
        self.guard == Guard::Open
    }

    /// Whether it makes what could be made twice. A preview makes nothing, and what is open has no
    /// caller to keep an answer for.
    pub(crate) fn makes_something(&self) -> bool {
        let Guard::Right(_, verb, _) = self.guard else { return false };
        self.method == Method::POST && verb != Verb::Preview
    }

    /// The same, needed in a team.
    fn within(mut self, within: Within) -> Self {
        if let Guard::Right(.., place) = &mut self.guard {
            *place = within;
        }
        self
    }
}

/// Every route there is. Where each stands, and what it takes and gives, is said at its handler.
pub fn routes() -> Vec<Route> {
    use Resource as R;
    use Verb as V;
    let open = |described| Route::of(described, Guard::Open);
    let closed = |resource, verb, described| {
        Route::of(described, Guard::Right(resource, verb, Within::Nowhere))
    };
    vec![
        open(routes!(health::live)),
        open(routes!(health::ready)),
        open(routes!(public::trust)),
        open(routes!(public::schema)),
        open(routes!(sign_ins::begin)),
        open(routes!(sign_ins::complete)),
        closed(R::Session, V::Read, routes!(session::show)),
        closed(R::Session, V::End, routes!(session::end)),
        closed(R::Session, V::List, routes!(session::list)),
        closed(R::Session, V::End, routes!(session::end_other)),
        closed(R::Request, V::Preview, routes!(preview::make)),
        closed(R::Request, V::Submit, routes!(requests::submit)),
        closed(R::Request, V::List, routes!(requests::list)),
        closed(R::Request, V::List, routes!(inbox::list)),
        closed(R::Request, V::Read, routes!(requests::show)),
        closed(R::Request, V::Read, routes!(requests::submission)),
        closed(R::Request, V::Read, routes!(requests::plan)),
        closed(R::Request, V::Read, routes!(acts::list)),
        closed(R::Request, V::Act, routes!(acts::create)),
        closed(R::Request, V::Comment, routes!(comments::create)),
        closed(R::TeamDocument, V::Read, routes!(documents::show)).within(Within::Subject),
        closed(R::Team, V::List, routes!(teams::list)),
        closed(R::Binding, V::List, routes!(teams::bindings)).within(Within::Team),
        closed(R::Kit, V::Read, routes!(kit::show)).within(Within::Team),
        closed(R::Check, V::Create, routes!(checks::create)).within(Within::Team),
        open(routes!(checks::report)),
        closed(R::Machine, V::List, routes!(machines::list)),
        closed(R::Machine, V::Create, routes!(machines::create)),
        closed(R::Machine, V::End, routes!(machines::end)),
        closed(R::Machine, V::Create, routes!(machines::create_in_team)).within(Within::Team),
        closed(R::Machine, V::End, routes!(machines::end_in_team)).within(Within::Team),
        closed(R::Cluster, V::List, routes!(clusters::list)),
        closed(R::Inventory, V::Read, routes!(clusters::inventory)),
        closed(R::Reach, V::Read, routes!(reach::who_can)),
        closed(R::Reach, V::Read, routes!(reach::what_can)),
        closed(R::Event, V::List, routes!(events::list)),
        closed(R::Event, V::List, routes!(events::follow)),
        closed(R::Finding, V::List, routes!(findings::list)),
        closed(R::Suspension, V::Submit, routes!(suspensions::create)),
        closed(R::Suspension, V::Read, routes!(suspensions::show)),
        closed(R::Status, V::Read, routes!(status::show)),
        closed(R::Person, V::List, routes!(status::people)),
        open(routes!(description::show)),
    ]
}

/// The whole API.
pub fn router(state: AppState) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let handler = match route.guard {
            Guard::Open if route.method == Method::GET => route.handler,
            Guard::Open => {
                route.handler.route_layer(from_fn_with_state(state.clone(), limit_nobody))
            }
            guard @ Guard::Right(..) => {
                let layer = from_fn_with_state((state.clone(), guard), require);
                let handler = if route.makes_something() {
                    route.handler.route_layer(from_fn(once))
                } else {
                    route.handler.route_layer(from_fn(marked))
                };
                handler.route_layer(layer)
            }
        };
        router = router.route(&route.path, handler);
    }
    router
        .merge(documentation())
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(MAX_BYTES))
        .layer(from_fn(wrap))
        .with_state(state)
}

//! The table of routes, and the router that is made of it.
//!
//! A route is closed unless its line says `open`, and names the right that it needs; the guard is
//! put before the handler here, so a new handler cannot forget it.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, delete, get, post};
use strongroom_authorization::{Resource, Verb};

use crate::body::MAX_BYTES;
use crate::edge::{unknown_method, unknown_path, wrap};
use crate::extract::require;
use crate::state::AppState;
use crate::v1::{acts, clusters, documents, events, findings, health, kit, machines, preview};
use crate::v1::{public, reach, requests, session, sign_ins, suspensions, teams};

/// One route.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: &'static str,
    /// Who is let through.
    pub guard: Guard,
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
    /// Whether it needs no session.
    pub fn is_open(&self) -> bool {
        self.guard == Guard::Open
    }

    /// The same, needed in a team.
    fn within(mut self, within: Within) -> Self {
        if let Guard::Right(.., place) = &mut self.guard {
            *place = within;
        }
        self
    }
}

/// Every route there is.
pub fn routes() -> Vec<Route> {
    use Resource as R;
    use Verb as V;
    let open = |method, path, handler| Route { method, path, guard: Guard::Open, handler };
    let closed = |resource, verb, method, path, handler| {
        let guard = Guard::Right(resource, verb, Within::Nowhere);
        Route { method, path, guard, handler }
    };
    vec![
        open(Method::GET, "/livez", get(health::live)),
        open(Method::GET, "/readyz", get(health::ready)),
        open(Method::GET, "/api/v1/trust", get(public::trust)),
        open(Method::GET, "/api/v1/schema", get(public::schema)),
        open(Method::POST, "/api/v1/sign-ins", post(sign_ins::begin)),
        open(Method::POST, "/api/v1/sign-ins/{id}/complete", post(sign_ins::complete)),
        closed(R::Session, V::Read, Method::GET, "/api/v1/session", get(session::show)),
        closed(R::Session, V::End, Method::DELETE, "/api/v1/session", delete(session::end)),
        closed(R::Session, V::List, Method::GET, "/api/v1/sessions", get(session::list)),
        closed(
            R::Session,
            V::End,
            Method::DELETE,
            "/api/v1/sessions/{id}",
            delete(session::end_other),
        ),
        closed(
            R::Request,
            V::Preview,
            Method::POST,
            "/api/v1/requests/preview",
            post(preview::make),
        ),
        closed(R::Request, V::Submit, Method::POST, "/api/v1/requests", post(requests::submit)),
        closed(R::Request, V::List, Method::GET, "/api/v1/requests", get(requests::list)),
        closed(R::Request, V::Read, Method::GET, "/api/v1/requests/{id}", get(requests::show)),
        closed(
            R::Request,
            V::Read,
            Method::GET,
            "/api/v1/requests/{id}/submission",
            get(requests::submission),
        ),
        closed(R::Request, V::Read, Method::GET, "/api/v1/requests/{id}/plan", get(requests::plan)),
        closed(R::Request, V::Read, Method::GET, "/api/v1/requests/{id}/acts", get(acts::list)),
        closed(R::Request, V::Act, Method::POST, "/api/v1/requests/{id}/acts", post(acts::create)),
        closed(
            R::TeamDocument,
            V::Read,
            Method::GET,
            "/api/v1/documents/{kind}/{name}",
            get(documents::show),
        )
        .within(Within::Subject),
        closed(R::Team, V::List, Method::GET, "/api/v1/teams", get(teams::list)),
        closed(
            R::Binding,
            V::List,
            Method::GET,
            "/api/v1/teams/{name}/bindings",
            get(teams::bindings),
        )
        .within(Within::Team),
        closed(
            R::Kit,
            V::Read,
            Method::GET,
            "/api/v1/teams/{name}/bindings/{binding}/kit",
            get(kit::show),
        )
        .within(Within::Team),
        closed(R::Machine, V::List, Method::GET, "/api/v1/machines", get(machines::list)),
        closed(R::Machine, V::Create, Method::POST, "/api/v1/machines", post(machines::create)),
        closed(
            R::Machine,
            V::End,
            Method::DELETE,
            "/api/v1/machines/{machine}",
            delete(machines::end),
        ),
        closed(
            R::Machine,
            V::Create,
            Method::POST,
            "/api/v1/teams/{name}/machines",
            post(machines::create_in_team),
        )
        .within(Within::Team),
        closed(
            R::Machine,
            V::End,
            Method::DELETE,
            "/api/v1/teams/{name}/machines/{machine}",
            delete(machines::end_in_team),
        )
        .within(Within::Team),
        closed(R::Cluster, V::List, Method::GET, "/api/v1/clusters", get(clusters::list)),
        closed(
            R::Inventory,
            V::Read,
            Method::GET,
            "/api/v1/clusters/{name}/inventory",
            get(clusters::inventory),
        ),
        closed(R::Reach, V::Read, Method::GET, "/api/v1/who-can", get(reach::who_can)),
        closed(R::Reach, V::Read, Method::GET, "/api/v1/what-can", get(reach::what_can)),
        closed(R::Event, V::List, Method::GET, "/api/v1/events", get(events::list)),
        closed(R::Finding, V::List, Method::GET, "/api/v1/findings", get(findings::list)),
        closed(
            R::Suspension,
            V::Submit,
            Method::POST,
            "/api/v1/suspensions",
            post(suspensions::create),
        ),
        closed(
            R::Suspension,
            V::Read,
            Method::GET,
            "/api/v1/suspensions/{id}",
            get(suspensions::show),
        ),
    ]
}

/// The whole API.
pub fn router(state: AppState) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let handler = match route.guard {
            Guard::Open => route.handler,
            guard @ Guard::Right(..) => {
                let layer = from_fn_with_state((state.clone(), guard), require);
                route.handler.route_layer(layer)
            }
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

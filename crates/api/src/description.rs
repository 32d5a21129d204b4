//! The API's description (OpenAPI 3.1), made of the table of routes, and the page that shows it.
//!
//! It must not say anything of a route by hand: what is not declared at the handler or in the table
//! is the same for all, and added here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Router;
use axum::http::{Method, StatusCode};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathsBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr,
    Required, ResponseBuilder, Responses,
};
use utoipa::{PartialSchema as _, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::routes::{Guard, Route, routes};
use crate::state::AppState;

/// Where the page is.
pub(crate) const PAGE: &str = "/api/docs";

/// Where the page reads the description.
const FILE: &str = "/api/v1/openapi.json";

/// The name of what callers show.
const BEARER: &str = "bearer";

const ABOUT: &str = "The API of Strongroom. Documents say what teams, clusters and the platform should \
    have; they change by change requests that people sign with their own sign-in. Errors are \
    problem+json (RFC 9457): `detail` says what is wrong and `hint` what to do.";

/// What went wrong (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "its shape is described; the values are written by `problem`")]
struct ProblemShape {
    /// A name of the kind of problem.
    r#type: String,
    /// A few words.
    title: String,
    /// The status once more.
    status: u16,
    /// A word for programs.
    code: String,
    /// What is wrong.
    detail: String,
    /// What to do.
    hint: String,
    /// Faults in what was sent.
    errors: Vec<FieldFault>,
    /// By which the log is searched.
    #[schema(rename = "traceId")]
    trace_id: String,
}

/// One fault in what was sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its shape is described; the values are written by `problem`")]
struct FieldFault {
    /// The place (RFC 6901); empty for all of it.
    pointer: String,
    /// What is wrong there.
    message: String,
}

/// The description.
pub fn description() -> &'static OpenApi {
    static MADE: LazyLock<OpenApi> = LazyLock::new(make);
    &MADE
}

fn make() -> OpenApi {
    let mut components = ComponentsBuilder::new()
        .schema("Problem", ProblemShape::schema())
        .schema("FieldFault", FieldFault::schema())
        .security_scheme(
            BEARER,
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some(
                        "The token of a session, an API key, or the token of a service account \
                         that was enrolled as a machine.",
                    ))
                    .build(),
            ),
        );
    let mut paths = PathsBuilder::new();
    let mut known = BTreeMap::new();
    for route in routes() {
        for (name, schema) in route.schemas.clone() {
            let before = known.insert(name.clone(), schema.clone());
            // Of two shapes with one name the description would show one.
            debug_assert!(before.is_none_or(|before| before == schema), "two shapes named {name}");
            components = components.schema(name, schema);
        }
        let (path, method) = (route.path.clone(), http_method(&route));
        paths = paths.path(path, PathItem::new(method, whole(route)));
    }
    let info = InfoBuilder::new()
        .title("Strongroom")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build()
}

fn http_method(route: &Route) -> utoipa::openapi::HttpMethod {
    use utoipa::openapi::HttpMethod;
    match route.method.as_str() {
        "POST" => HttpMethod::Post,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// An operation with what is the same for all: who is let in, and how it fails.
fn whole(route: Route) -> Operation {
    let repeatable = route.makes_something();
    let mut operation = route.operation;
    if repeatable {
        operation.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
    }
    match route.guard {
        Guard::Open => operation.tags = Some(vec!["open".to_owned()]),
        Guard::Right(resource, verb, _) => {
            operation.tags = Some(vec![resource.to_string()]);
            operation.description = Some(format!("Needs the right to {verb} {resource}."));
            operation.security = Some(vec![SecurityRequirement::new(BEARER, Vec::<String>::new())]);
        }
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let known = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
        if response.description.is_empty() {
            let reason = known.and_then(|code| code.canonical_reason()).unwrap_or(status);
            reason.clone_into(&mut response.description);
        }
    }
    if route.guard != Guard::Open && route.method == Method::GET && gives_json(&operation) {
        not_modified(&mut operation.responses);
    }
    problems(&mut operation.responses);
    operation
}

fn gives_json(operation: &Operation) -> bool {
    let Some(RefOr::T(ok)) = operation.responses.responses.get("200") else { return false };
    ok.content.contains_key("application/json")
}

/// By which a call is known when it comes again.
fn idempotency_key() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!-~]{1,255}$"))
        .description(Some("The same call with the same key is answered as it was, for 24 hours"))
        .build();
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .schema(Some(schema))
        .build()
}

/// What a caller has already is not sent again.
fn not_modified(responses: &mut Responses) {
    let described = ResponseBuilder::new()
        .description("As `If-None-Match` says that the caller has it; `ETag` marks each answer")
        .build();
    responses.responses.insert("304".to_owned(), RefOr::T(described));
}

/// Every operation can fail, and says so in the same way.
fn problems(responses: &mut Responses) {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let problem = ResponseBuilder::new()
        .description("It was not done; `detail` and `hint` say why and what to do")
        .content("application/problem+json", content)
        .build();
    responses.responses.insert("default".to_owned(), RefOr::T(problem));
}

/// The page, from files that are in the binary.
pub(crate) fn documentation() -> Router<AppState> {
    // Without the bar in which another description could be asked for.
    SwaggerUi::new(PAGE).config(Config::from(FILE).use_base_layout().validator_url("none")).into()
}

//! `TestApp`: the API in process, with everything it needs made for this test alone.

pub mod act;
pub mod client;
pub mod database;
pub mod documents;
pub mod executor;
pub mod provider;

use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use strongroom_api::{AppState, CallsPerMinute, Limits, SignIn, router};
use strongroom_app::access::Access;
use strongroom_app::live::{self, Live};
use strongroom_app::reach::ReachCache;
use strongroom_app::{App, Rules};
use strongroom_authn::{Issuer, SignInRules};
use strongroom_domain::clock::{Clock as _, FixedClock};
use strongroom_storage::Store;

use client::{Answer, Client};
use database::Database;
use executor::Executor;
use provider::Provider;

/// The deployment of all tests.
pub const DEPLOYMENT: &str = "0199b5d0-0000-7000-8000-000000000001";
/// The client for ordinary sign-ins.
pub const SIGN_IN_CLIENT: &str = "strongroom-cli";
/// The client for acts.
pub const ACT_CLIENT: &str = "strongroom-cli-act";

/// The API of one test.
pub struct TestApp {
    /// Where it listens.
    pub url: String,
    /// Its clock.
    pub clock: Arc<FixedClock>,
    /// The identity provider.
    pub provider: Provider,
    /// Writes what the executor would write, as its role.
    pub executor: Executor,
    database: Database,
}

impl TestApp {
    /// An API whose executor has published its trust.
    pub async fn start() -> Self {
        let app = Self::start_without_trust().await;
        app.executor.publish_trust(&app.provider.url).await;
        app
    }

    /// An API whose executor never ran.
    pub async fn start_without_trust() -> Self {
        Self::start_with(NonZeroU32::MAX, NonZeroU32::MAX, NonZeroU32::MAX).await
    }

    /// The same that takes so many calls a minute: of a caller, of a team, of nobody.
    pub async fn start_with(caller: NonZeroU32, team: NonZeroU32, nobody: NonZeroU32) -> Self {
        let calls = CallsPerMinute { caller, team, nobody };
        let database = Database::fresh().await;
        let provider = Provider::start().await;
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let clock = Arc::new(FixedClock::new(now));
        let groups = |group: &str| [group.to_owned()].into();
        let state = AppState {
            app: Arc::new(App {
                store: Store::connect(&database.api_url, "test-api", 4).await.unwrap(),
                clock: clock.clone(),
                rules: Rules {
                    platform_groups: groups("platform-sre"),
                    auditor_groups: groups("auditors"),
                    open_requests_per_person: 5,
                    machine_clusters: [("prod-eu".to_owned(), "strongroom-api".to_owned())].into(),
                    session_idle: SignedDuration::from_mins(30),
                    session_absolute: SignedDuration::from_hours(12),
                },
                access: Access::default(),
                reach: ReachCache::default(),
                live: Live::default(),
            }),
            limits: Arc::new(Limits::new(calls, Vec::new())),
            workloads: Arc::new([]),
            issuer: Arc::new(Issuer::new(&provider.url, None, &[]).unwrap()),
            sign_in: Arc::new(SignIn {
                rules: SignInRules {
                    client: SIGN_IN_CLIENT.to_owned(),
                    person_claim: "sub".to_owned(),
                    groups_claim: "groups".to_owned(),
                },
                scopes: vec!["openid".to_owned(), "groups".to_owned()],
            }),
        };
        tokio::spawn(live::keep(Arc::clone(&state.app)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router(state)).await });
        let executor = Executor::connect(&database.executor_url, now).await;
        Self { url, clock, provider, executor, database }
    }

    /// The bodies of answers that are kept for calls that come again.
    pub async fn kept_answers(&self) -> Vec<Option<String>> {
        let pool = sqlx::PgPool::connect(&self.database.api_url).await.unwrap();
        sqlx::query_scalar("SELECT body FROM repeated_calls").fetch_all(&pool).await.unwrap()
    }

    /// A caller without a session.
    pub fn nobody(&self) -> Client {
        Client::new(&self.url, None, None)
    }

    /// A person who has just signed in.
    pub async fn sign_in(&self, name: &str, groups: &[&str]) -> Client {
        let begun = self.nobody().post("/api/v1/sign-ins", &json!({})).await;
        let claims = self.claims(name, groups, begun.text("/nonce"));
        let token = self.provider.sign(&claims);
        let done = self.complete(begun.text("/signInId"), &token).await;
        assert_eq!(done.status, 201, "{}", done.body);
        Client::new(&self.url, Some(done.text("/token")), Some((name, groups)))
    }

    /// Completes a sign-in with a token.
    pub async fn complete(&self, sign_in: &str, token: &str) -> Answer {
        let path = format!("/api/v1/sign-ins/{sign_in}/complete");
        self.nobody().post(&path, &json!({ "idToken": token })).await
    }

    /// The claims of a sign-in that is good.
    pub fn claims(&self, name: &str, groups: &[&str], nonce: &str) -> Value {
        let now = self.clock.now().as_second();
        json!({
            "iss": self.provider.url, "aud": SIGN_IN_CLIENT, "sub": format!("subject-of-{name}"),
            "preferred_username": name, "groups": groups, "nonce": nonce,
            "iat": now, "auth_time": now, "exp": now + 600,
        })
    }
}

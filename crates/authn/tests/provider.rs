//! Sign-ins at a real provider: flow, keys, tokens, and what must not pass for a sign-in.

#![expect(clippy::unwrap_used, reason = "a test ends when its lab cannot be set up")]

use secrecy::SecretString;
use strongroom_authn::code_flow::FlowRequest;
use strongroom_authn::session::random_text;
use strongroom_authn::{
    CodeFlow, FlowError, Issuer, IssuerError, SignInError, SignInRefusal, SignInRules,
    verify_sign_in,
};
use strongroom_domain::clock::{Clock as _, SystemClock};
use strongroom_domain::person::SignedPerson;
use strongroom_lab::{Browser, Client, Parts, Provider, ProviderOptions, User};
use url::Url;

const REDIRECT: &str = "http://127.0.0.1:7777/callback";

struct Lab {
    provider: Provider,
    issuer: Issuer,
    alice: Browser,
    _dir: tempfile::TempDir,
}

impl Lab {
    async fn start() -> Self {
        let client = |name: &str, confidential| Client {
            name: name.into(),
            confidential,
            redirect_uris: vec!["http://127.0.0.1/callback".into()],
        };
        let options = ProviderOptions {
            users: vec![User {
                name: "alice".into(),
                password: "pw".into(),
                groups: vec!["payments-dev".into()],
            }],
            clients: vec![client("cli", false), client("act", false), client("ballot", true)],
        };
        let dir = tempfile::Builder::new().prefix("strongroom-authn-").tempdir().unwrap();
        let provider =
            Provider::start(&Parts::find().unwrap(), dir.path(), &options).await.unwrap();
        let issuer = Issuer::new(&provider.issuer(), None, &[]).unwrap();
        let alice = Browser::new("alice", "pw").unwrap();
        Self { provider, issuer, alice, _dir: dir }
    }

    fn client(&self, name: &str) -> String {
        self.provider.client_id(name).unwrap().to_owned()
    }

    async fn begin(&self, client: &str, nonce: &str) -> CodeFlow {
        let request = FlowRequest {
            client_id: &self.client(client),
            redirect_uri: REDIRECT,
            scopes: &["groups"],
            nonce,
            max_age: Some(300),
            prompt_login: false,
        };
        CodeFlow::begin(&self.issuer, &request).await.unwrap()
    }

    /// The code that alice's browser brings back for this flow.
    async fn code(&mut self, flow: &CodeFlow) -> String {
        let back = self.alice.authorize(flow.authorize_url.as_str()).await.unwrap();
        assert_eq!(query(&back, "state").as_deref(), Some(flow.state.as_str()));
        query(&back, "code").unwrap()
    }

    async fn token(&mut self, client: &str, nonce: &str) -> String {
        let flow = self.begin(client, nonce).await;
        let code = self.code(&flow).await;
        flow.finish(&self.issuer, &code).await.unwrap()
    }

    async fn verify(&self, token: &str, nonce: &str) -> Result<SignedPerson, SignInError> {
        let rules = SignInRules {
            client: self.client("cli"),
            person_claim: "sub".into(),
            groups_claim: "groups".into(),
        };
        let now = SystemClock.now().as_second();
        verify_sign_in(&self.issuer, &rules, token, nonce, now).await
    }
}

fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_real_sign_in_is_taken_once_for_its_client_and_nonce() {
    let mut lab = Lab::start().await;
    let nonce = random_text().unwrap();
    let token = lab.token("cli", &nonce).await;
    let person = lab.verify(&token, &nonce).await.unwrap();
    assert_eq!(person.display, "alice");
    assert!(person.in_any(["payments-dev"]) && person.groups.len() == 1, "{person:?}");
    assert_eq!(person.id.issuer, lab.provider.issuer());
    let metadata = lab.issuer.metadata().await.unwrap();
    assert_eq!(metadata.subject_types_supported, ["public"]);

    let other = lab.verify(&token, &random_text().unwrap()).await;
    assert!(matches!(other, Err(SignInError::Refused(SignInRefusal::Nonce))), "{other:?}");
    // A token that was signed for an act opens no session.
    let act = lab.token("act", &nonce).await;
    let act = lab.verify(&act, &nonce).await;
    assert!(matches!(act, Err(SignInError::Refused(SignInRefusal::Audience))), "{act:?}");

    let (head, rest) = token.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    let second = lab.token("cli", &nonce).await;
    let (_, signature) = second.rsplit_once('.').unwrap();
    let mixed = format!("{head}.{payload}.{signature}");
    let mixed = lab.verify(&mixed, &nonce).await;
    assert!(matches!(mixed, Err(SignInError::Refused(SignInRefusal::Signature))), "{mixed:?}");
    lab.provider.stop().await.unwrap();
}

#[tokio::test]
async fn a_code_is_worth_nothing_to_another_flow_or_without_the_secret() {
    let mut lab = Lab::start().await;
    let nonce = random_text().unwrap();
    let refused = |outcome: Result<String, FlowError>| match outcome {
        Err(FlowError::NoToken(why)) => why,
        other => panic!("{other:?}"),
    };

    // Somebody who saw the code has not the verifier.
    let flow = lab.begin("cli", &nonce).await;
    let code = lab.code(&flow).await;
    let thief = lab.begin("cli", &nonce).await;
    refused(thief.finish(&lab.issuer, &code).await);

    let flow = lab.begin("cli", &nonce).await;
    let code = lab.code(&flow).await;
    let query = flow.authorize_url.query().unwrap().to_owned();
    for part in ["code_challenge_method=S256", "max_age=300", "scope=openid+groups"] {
        assert!(query.contains(part), "{query}");
    }
    flow.finish(&lab.issuer, &code).await.unwrap();
    let again = lab.begin("cli", &nonce).await;
    refused(again.finish(&lab.issuer, &code).await);

    let secret = SecretString::from(lab.provider.client_secret("ballot").unwrap());
    let flow = lab.begin("ballot", &nonce).await.with_secret(secret);
    let code = lab.code(&flow).await;
    flow.finish(&lab.issuer, &code).await.unwrap();
    for wrong in [None, Some("not-the-secret")] {
        let mut flow = lab.begin("ballot", &nonce).await;
        let code = lab.code(&flow).await;
        if let Some(wrong) = wrong {
            flow = flow.with_secret(SecretString::from(wrong));
        }
        refused(flow.finish(&lab.issuer, &code).await);
    }

    let unknown = lab.issuer.key("no-such-key").await.unwrap_err();
    assert!(matches!(unknown, IssuerError::UnknownKey(_)), "{unknown:?}");
    lab.provider.stop().await.unwrap();
    let nobody = Issuer::new("http://127.0.0.1:1", None, &[]).unwrap();
    let request = FlowRequest {
        client_id: "cli",
        redirect_uri: REDIRECT,
        scopes: &[],
        nonce: &nonce,
        max_age: None,
        prompt_login: true,
    };
    let gone = CodeFlow::begin(&nobody, &request).await.unwrap_err();
    assert!(matches!(gone, FlowError::Issuer(IssuerError::Unreachable(_))), "{gone:?}");
}

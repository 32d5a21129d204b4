//! Somebody who holds tokens and a session and sends whatever they like to the API.

use serde_json::{Value, json};
use strongroom_acts::{comment_digest, new_salt, nonce, submission_digest};
use strongroom_authn::code_flow::FlowRequest;
use strongroom_authn::{CodeFlow, Issuer};
use strongroom_domain::act::{ActItem, ActKind, Statement, Submission};

use crate::support::{Lab, browser};

/// Somebody who has taken over the API and a person's session, but not the provider.
pub struct Forger {
    http: reqwest::Client,
    server: String,
    session: String,
    issuer: Issuer,
    trust: Value,
    sign_in_client: String,
}

impl Forger {
    /// With this person's session.
    pub async fn of(lab: &Lab, user: &str) -> Self {
        let http = strongroom_lab::engine::http_client(None).unwrap();
        let server = lab.server().to_owned();
        let get = |path: &str| format!("{server}/api/v1/{path}");
        let trust: Value = http.get(get("trust")).send().await.unwrap().json().await.unwrap();
        let begun: Value =
            http.post(get("sign-ins")).json(&json!({})).send().await.unwrap().json().await.unwrap();
        let issuer = Issuer::new(trust["issuer"].as_str().unwrap(), None, &[]).unwrap();
        let client = begun["clientId"].as_str().unwrap().to_owned();
        let nonce = begun["nonce"].as_str().unwrap();
        let token = id_token(&issuer, user, &client, nonce).await;
        let id = begun["signInId"].as_str().unwrap();
        let session: Value = http
            .post(get(&format!("sign-ins/{id}/complete")))
            .json(&json!({ "idToken": token }))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        Self {
            session: session["token"].as_str().unwrap().to_owned(),
            sign_in_client: client,
            http,
            server,
            issuer,
            trust,
        }
    }

    pub fn sign_in_client(&self) -> &str {
        &self.sign_in_client
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/{path}", self.server);
        let request = self.http.get(url).bearer_auth(&self.session);
        request.send().await.unwrap().json().await.unwrap()
    }

    pub async fn plan(&self, request: &str) -> Value {
        self.get(&format!("requests/{request}/plan")).await
    }

    pub async fn acts(&self, request: &str) -> Vec<Value> {
        self.get(&format!("requests/{request}/acts")).await["items"].as_array().cloned().unwrap()
    }

    /// A submission's statement.
    pub fn submission(&self, submission: &Submission) -> Statement {
        let item = ActItem {
            request: submission.request,
            round: 0,
            stage: String::new(),
            content: submission_digest(submission),
        };
        self.about(ActKind::Submit, item)
    }

    /// An approval of a frozen plan.
    pub fn statement(&self, request: &str, plan: &Value, stage: &str) -> Statement {
        let item = ActItem {
            request: request.parse().unwrap(),
            round: u32::try_from(plan["round"].as_u64().unwrap()).unwrap(),
            stage: stage.to_owned(),
            content: plan["hash"].as_str().unwrap().parse().unwrap(),
        };
        self.about(ActKind::Approve, item)
    }

    fn about(&self, act: ActKind, item: ActItem) -> Statement {
        Statement {
            deployment: self.trust["deployment"].as_str().unwrap().parse().unwrap(),
            issuer: self.issuer.url().to_owned(),
            audience: self.trust["actClients"]["cli"].as_str().unwrap().to_owned(),
            act,
            items: vec![item],
            comment: comment_digest(""),
            salt: new_salt().unwrap(),
        }
    }

    pub async fn token(&self, user: &str, client: &str, statement: &Statement) -> String {
        // The sign-in of a vote must be after the freeze.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        id_token(&self.issuer, user, client, &nonce(statement).unwrap()).await
    }

    /// Sends an act once; the status and the answer.
    pub async fn post(&self, request: &str, statement: &Statement, token: &str) -> (u16, Value) {
        let body = json!({ "statement": statement, "idToken": token, "comment": "" });
        self.send(&format!("requests/{request}/acts"), &body).await
    }

    /// Sends a body; the status and the answer.
    pub async fn send(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1/{path}", self.server);
        let answer = self.http.post(url).bearer_auth(&self.session).json(body).send().await;
        let answer = answer.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Offers a token as a vote; the sentence it was refused with, if it was.
    pub async fn offer(&self, request: &str, statement: &Statement, token: &str) -> Option<String> {
        let (status, body) = self.post(request, statement, token).await;
        if (400..500).contains(&status) {
            return Some(body.to_string());
        }
        self.refusal(request, body["actId"].as_str().unwrap()).await
    }

    /// The sentence with which the executor refuses an act; `None` when it counts it.
    pub async fn refusal(&self, request: &str, id: &str) -> Option<String> {
        for _ in 0..600 {
            let acts = self.acts(request).await;
            let act = acts.iter().find(|act| act["actId"] == id).unwrap();
            match act["receipt"]["verdict"].as_str() {
                Some("refused") => return act["receipt"]["reason"].as_str().map(str::to_owned),
                Some(_) => return None,
                None => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
        panic!("the executor did not answer");
    }
}

async fn id_token(issuer: &Issuer, user: &str, client: &str, nonce: &str) -> String {
    let ask = FlowRequest {
        client_id: client,
        redirect_uri: "http://127.0.0.1:7/callback",
        scopes: &["groups"],
        nonce,
        max_age: Some(300),
        prompt_login: false,
    };
    let flow = CodeFlow::begin(issuer, &ask).await.unwrap();
    let target = browser(user).authorize(flow.authorize_url.as_str()).await.unwrap();
    let code = target.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    flow.finish(issuer, &code).await.unwrap()
}

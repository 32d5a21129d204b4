//! Who may decide: a person's own vote, a second one, an ordinary sign-in, a replay.

use serde_json::{Value, json};
use strongroom_acts::{comment_digest, new_salt, nonce};
use strongroom_authn::code_flow::FlowRequest;
use strongroom_authn::{CodeFlow, Issuer};
use strongroom_domain::act::{ActItem, ActKind, Statement};

use crate::support::{Lab, Team, browser};

/// Every way in which one person could decide alone is refused and recorded.
#[tokio::test]
async fn apr_02_nobody_decides_alone() {
    let lab = Lab::get();
    let team = lab.new_team("apr").await;
    let bob = lab.person("bob").await;
    // Bob is an owner and submits himself: his signature as submitter fills the owners' stage.
    let request = bob.submits(&team.file, "by an owner", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    let stages = lab.request(&request).await;
    let mut refused = Vec::new();

    // 1. His own approval, for each stage there could be.
    for stage in ["platform", &format!("owners of {}", team.slug)] {
        let printed = bob.run(&["approve", &request, "--stage", stage, "--yes"]).await.unwrap();
        assert_ne!(printed.code, 0, "the submitter's vote counts for {stage}: {stages}");
        refused.push(printed.err);
    }
    // 2. Somebody in no group that votes.
    for name in ["carol", "ada", "alice"] {
        let printed = lab
            .person(name)
            .await
            .run(&["approve", &request, "--stage", "platform", "--yes"])
            .await;
        assert_ne!(printed.unwrap().code, 0, "{name}'s vote counts");
    }
    // 3. A sign-in's token as a vote, and a vote's token made for another plan.
    let forger = Forger::new(&lab).await;
    let plan = forger.plan(&request).await;
    let statement = forger.statement(&request, &plan, "platform");
    let sign_in = forger.token("sue", forger.sign_in_client(), &statement).await;
    let answer = forger.offer(&request, &statement, &sign_in).await;
    assert_eq!(
        answer,
        Some("the token was made for another client: an ordinary sign-in is not an act".into())
    );
    let mut other = statement.clone();
    other.items[0].content = strongroom_domain::Digest::of(b"another plan");
    let act_client = statement.audience.clone();
    let elsewhere = forger.token("sue", &act_client, &other).await;
    let answer = forger.offer(&request, &statement, &elsewhere).await;
    assert!(answer.is_some(), "a token signed for another plan counts");

    // 4. One SRE, twice.
    let sue = lab.person("sue").await;
    assert_eq!(lab.request(&request).await["state"], "in_review", "decided by one person");
    sue.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;

    // 5. A replay of a token that counted.
    let acts = forger.acts(&request).await;
    let counted: Vec<&Value> =
        acts.iter().filter(|act| act["receipt"]["verdict"] == "counted").collect();
    assert_eq!(counted.len(), 2, "submission and one vote: {acts:#?}");
    let again = sue.run(&["approve", &request, "--yes"]).await.unwrap();
    assert_ne!(again.code, 0, "an applied request takes votes");

    // Everything refused is in the ledger.
    let events = lab
        .person("ada")
        .await
        .does(&["get", "events", "--request", &request, "-o", "json"])
        .await
        .unwrap();
    let events: Value = serde_json::from_str(&events).unwrap();
    let text = events.to_string();
    assert!(text.matches("act.refused").count() >= 2, "{text}");
    println!("APR-02: 0 votes counted of {} refused ways", refused.len() + 5);
    let _ = team;
}

/// What a person signs for one plan is void when what is there has changed meanwhile: the executor
/// plans again and puts a new round before the voters.
#[tokio::test]
async fn apr_01_a_changed_engine_makes_a_new_round() {
    let lab = Lab::get();
    let team = lab.new_team("round").await;
    let alice = lab.person("alice").await;
    let request = alice.submits(&team.file, "first round", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    lab.person("bob").await.approves(&request).await.unwrap();

    // Somebody with the engine's keys makes a policy where the plan creates one.
    let admin = lab.admin().await;
    let name = format!("team.{}.binding.api", team.slug);
    let path = format!("sys/policies/acl/{name}");
    let body = json!({ "policy": "path \"x\" { capabilities = [\"read\"] }" });
    admin.write(&path, "{policy}", &body).await.unwrap();
    lab.person("sue").await.approves(&request).await.unwrap();

    // The plan would overwrite what is not ours: nothing is written, and the request says why.
    let start = std::time::Instant::now();
    let shown = loop {
        let shown = lab.request(&request).await;
        let reason = shown["stateReason"].as_str().unwrap_or_default().to_owned();
        if reason.contains("not Strongroom's") {
            break shown;
        }
        assert_ne!(shown["state"], "applied", "a foreign policy was overwritten");
        assert!(start.elapsed() < std::time::Duration::from_secs(40), "{shown:#}");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    };
    assert_ne!(shown["state"], "applied");
    let kept = admin.read(&path, "{policy}").await.unwrap().unwrap();
    assert_eq!(kept["policy"], body["policy"], "the foreign policy was touched");
    let mount = format!("sys/mounts/team/{}/kv", team.slug);
    assert!(admin.read(&mount, "{mount}").await.unwrap().is_none(), "a step was done all the same");
    admin.delete(&path, "{policy}").await.unwrap();
    lab.until(&request, "applied").await;
    finish(&team);
}

fn finish(team: &Team) {
    println!("APR-01: {} applied only after the foreign policy was gone", team.slug);
}

/// Somebody who has taken over the API and a person's session, but not the provider.
struct Forger {
    http: reqwest::Client,
    server: String,
    session: String,
    issuer: Issuer,
    trust: Value,
    sign_in_client: String,
}

impl Forger {
    async fn new(lab: &Lab) -> Self {
        let http = strongroom_lab::engine::http_client(None).unwrap();
        let server = lab.server().to_owned();
        let get = |path: &str| format!("{server}/api/v1/{path}");
        let trust: Value = http.get(get("trust")).send().await.unwrap().json().await.unwrap();
        let begun: Value =
            http.post(get("sign-ins")).json(&json!({})).send().await.unwrap().json().await.unwrap();
        let issuer = Issuer::new(trust["issuer"].as_str().unwrap(), None, &[]).unwrap();
        let client = begun["clientId"].as_str().unwrap().to_owned();
        let nonce = begun["nonce"].as_str().unwrap();
        let token = id_token(&issuer, "sue", &client, nonce).await;
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

    fn sign_in_client(&self) -> &str {
        &self.sign_in_client
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/{path}", self.server);
        let request = self.http.get(url).bearer_auth(&self.session);
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn plan(&self, request: &str) -> Value {
        self.get(&format!("requests/{request}/plan")).await
    }

    async fn acts(&self, request: &str) -> Vec<Value> {
        self.get(&format!("requests/{request}/acts")).await["items"].as_array().cloned().unwrap()
    }

    fn statement(&self, request: &str, plan: &Value, stage: &str) -> Statement {
        Statement {
            deployment: self.trust["deployment"].as_str().unwrap().parse().unwrap(),
            issuer: self.issuer.url().to_owned(),
            audience: self.trust["actClients"]["cli"].as_str().unwrap().to_owned(),
            act: ActKind::Approve,
            items: vec![ActItem {
                request: request.parse().unwrap(),
                round: u32::try_from(plan["round"].as_u64().unwrap()).unwrap(),
                stage: stage.to_owned(),
                content: plan["hash"].as_str().unwrap().parse().unwrap(),
            }],
            comment: comment_digest(""),
            salt: new_salt().unwrap(),
        }
    }

    async fn token(&self, user: &str, client: &str, statement: &Statement) -> String {
        // The sign-in of a vote must be after the freeze.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        id_token(&self.issuer, user, client, &nonce(statement).unwrap()).await
    }

    /// Offers a token as a vote; the sentence it was refused with, if it was.
    async fn offer(&self, request: &str, statement: &Statement, token: &str) -> Option<String> {
        let answer = self
            .http
            .post(format!("{}/api/v1/requests/{request}/acts", self.server))
            .bearer_auth(&self.session)
            .json(&json!({ "statement": statement, "idToken": token, "comment": "" }))
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        if status.is_client_error() {
            return Some(body.to_string());
        }
        for _ in 0..100 {
            let acts = self.acts(request).await;
            let act = acts.iter().find(|act| act["actId"] == body["actId"]).unwrap();
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

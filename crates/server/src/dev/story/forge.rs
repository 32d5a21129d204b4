//! A dishonest caller of the API: an ordinary sign-in's token, offered as a vote.
//!
//! The token is real, of the right person in the right group, and its nonce is even the hash of the
//! vote: a client can ask for any nonce. Only its audience is wrong, and that must be enough.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use strongroom_acts::{comment_digest, new_salt, nonce};
use strongroom_authn::code_flow::FlowRequest;
use strongroom_authn::{CodeFlow, Issuer};
use strongroom_domain::act::{ActItem, ActKind, Statement};
use strongroom_lab::Browser;

use crate::dev::people::{PASSWORD, SIGN_IN_CLIENT};
use crate::dev::stack::Stack;

/// Offers bob's sign-in as his vote; gives the sentence it was refused with.
pub async fn sign_in_as_vote(stack: &Stack, request: &str) -> Result<String> {
    let http = strongroom_lab::engine::http_client(None)?;
    let api = |path: &str| format!("{}/api/v1/{path}", stack.server());
    let client_id = stack.provider().client_id(SIGN_IN_CLIENT)?;
    let issuer = Issuer::new(&stack.provider().issuer(), None, &[])?;

    // Bob's session, as a compromised API has it.
    let begun: Value = http.post(api("sign-ins")).json(&json!({})).send().await?.json().await?;
    let text = |value: &Value, name: &str| -> Result<String> {
        let found = value.get(name).and_then(Value::as_str);
        Ok(found.with_context(|| format!("no {name} in {value}"))?.to_owned())
    };
    let token = sign_in(&issuer, client_id, &text(&begun, "nonce")?).await?;
    let session: Value = http
        .post(api(&format!("sign-ins/{}/complete", text(&begun, "signInId")?)))
        .json(&json!({ "idToken": token }))
        .send()
        .await?
        .json()
        .await?;
    let session = text(&session, "token")?;
    let get = async |path: String| -> Result<Value> {
        Ok(http.get(api(&path)).bearer_auth(&session).send().await?.json().await?)
    };
    let plan = get(format!("requests/{request}/plan")).await?;
    let trust = get("trust".into()).await?;

    let statement = Statement {
        deployment: text(&trust, "deployment")?.parse()?,
        issuer: issuer.url().to_owned(),
        audience: trust
            .pointer("/actClients/cli")
            .and_then(Value::as_str)
            .context("no act client")?
            .to_owned(),
        act: ActKind::Approve,
        items: vec![ActItem {
            request: request.parse()?,
            round: u32::try_from(plan.get("round").and_then(Value::as_u64).unwrap_or(0))?,
            stage: "owners of payments".into(),
            content: text(&plan, "hash")?.parse()?,
        }],
        comment: comment_digest(""),
        salt: new_salt()?,
    };
    let forged = sign_in(&issuer, client_id, &nonce(&statement)?).await?;
    let answer = http
        .post(api(&format!("requests/{request}/acts")))
        .bearer_auth(&session)
        .json(&json!({ "statement": statement, "idToken": forged, "comment": "" }))
        .send()
        .await?;
    let status = answer.status();
    let body: Value = answer.json().await?;
    if status.is_client_error() {
        return text(&body, "detail");
    }
    let act = text(&body, "actId")?;
    for _ in 0..100 {
        let acts = get(format!("requests/{request}/acts")).await?;
        let items = acts.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let ours =
            items.iter().find(|item| item.get("actId").and_then(Value::as_str) == Some(&act));
        if let Some(receipt) = ours.and_then(|item| item.get("receipt")).filter(|r| !r.is_null()) {
            if receipt.get("verdict").and_then(Value::as_str) == Some("refused") {
                return text(receipt, "reason");
            }
            bail!("a sign-in was counted as a vote");
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    bail!("the executor did not answer the forged vote")
}

/// An ID token of bob for a client, with a nonce of the caller's choice.
async fn sign_in(issuer: &Issuer, client_id: &str, nonce: &str) -> Result<String> {
    let redirect_uri = "http://127.0.0.1:7/callback";
    let ask = FlowRequest {
        client_id,
        redirect_uri,
        scopes: &["groups"],
        nonce,
        max_age: Some(300),
        prompt_login: false,
    };
    let flow = CodeFlow::begin(issuer, &ask).await?;
    let target = Browser::new("bob", PASSWORD)?.authorize(flow.authorize_url.as_str()).await?;
    let code = target.query_pairs().find(|(name, _)| name == "code");
    let code = code.context("no code in the redirect")?.1.into_owned();
    Ok(flow.finish(issuer, &code).await?)
}

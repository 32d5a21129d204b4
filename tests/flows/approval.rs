//! Who may decide: a person's own vote, a second one, an ordinary sign-in, a replay.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::forger::Forger;
use crate::support::{Lab, Team};

/// Every way in which one person could decide alone is refused and recorded.
#[tokio::test]
async fn apr_02_nobody_decides_alone() {
    let lab = Lab::get();
    // What all teams of these people share is there already: no plan changes under the votes.
    lab.onboard(&lab.new_team("first").await).await;
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
        // Not his to sign, or no stage of this plan.
        assert!([2, 5].contains(&printed.code), "the client signs his vote: {}", printed.err);
        assert!(!printed.err.contains("sign in here"), "a sign-in is wasted: {}", printed.err);
        // Made to sign, the executor refuses.
        let vote = ["approve", &request, "--stage", stage, "--yes", "--anyway"];
        let printed = bob.run(&vote).await.unwrap();
        assert_ne!(printed.code, 0, "the submitter's vote counts for {stage}: {stages}");
        refused.push(printed.err);
    }
    // 2. Somebody in no group that votes.
    for name in ["carol", "ada", "alice"] {
        let printed = lab
            .person(name)
            .await
            .run(&["approve", &request, "--stage", "platform", "--yes", "--anyway"])
            .await;
        assert_ne!(printed.unwrap().code, 0, "{name}'s vote counts");
    }
    // 3. A sign-in's token as a vote, and a vote's token made for another plan.
    let forger = Forger::of(&lab, "sue").await;
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
    // What all teams of these people share is there already: no plan changes under the votes.
    lab.onboard(&lab.new_team("first").await).await;
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
    let start = Instant::now();
    let shown = loop {
        let shown = lab.request(&request).await;
        let reason = shown["stateReason"].as_str().unwrap_or_default().to_owned();
        if reason.contains("not Strongroom's") {
            break shown;
        }
        assert_ne!(shown["state"], "applied", "a foreign policy was overwritten");
        assert!(start.elapsed() < Duration::from_secs(40), "{shown:#}");
        tokio::time::sleep(Duration::from_millis(300)).await;
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

/// A request of which no plan can be made is ended by a no to the submission, of those who may.
#[tokio::test]
async fn a_request_that_cannot_be_frozen_can_be_ended() {
    let lab = Lab::get();
    let admin = lab.admin().await;
    let (alice, bob) = (lab.person("alice").await, lab.person("bob").await);
    for (end, person, state) in [("withdraw", &alice, "withdrawn"), ("reject", &bob, "rejected")] {
        let team = lab.new_team("stuck").await;
        // Somebody else's: Strongroom leaves it alone, so no plan is made until it is gone.
        let mount = format!("sys/mounts/team/{}/kv", team.slug);
        let body = json!({ "type": "kv", "description": "not Strongroom's" });
        admin.write(&mount, "{mount}", &body).await.unwrap();
        let request = alice.submits(&team.file, "it waits", &[]).await.unwrap();
        let start = Instant::now();
        loop {
            let shown = lab.request(&request).await;
            assert_eq!(shown["state"], "submitted", "{shown:#}");
            if shown["stateReason"].as_str().unwrap_or_default().contains("left alone") {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(40), "{shown:#}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        // A yes needs a plan, and a stranger does not even see it.
        bob.must(&["approve", &request, "--yes"], None, 7).await.unwrap();
        lab.person("carol").await.must(&[end, &request, "--yes"], None, 3).await.unwrap();
        let no = [end, &request, "--comment", "never mind", "--yes"];
        let printed = person.must(&no, None, 0).await.unwrap();
        assert!(printed.out.contains("counted"), "{} {}", printed.out, printed.err);
        lab.until(&request, state).await;
        // It stays so when the way is free.
        admin.delete(&mount, "{mount}").await.unwrap();
        let again = alice.submits(&team.file, "now", &[]).await.unwrap();
        lab.until(&again, "in_review").await;
        assert_eq!(lab.request(&request).await["state"], state);
        alice.must(&["withdraw", &again, "--yes"], None, 0).await.unwrap();
    }
}

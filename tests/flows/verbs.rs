//! Verbs that scripts use: what they print and how they end.

use serde_json::Value;

use crate::support::Lab;

#[tokio::test]
async fn wait_ends_when_the_request_is_there_and_says_how() {
    let lab = Lab::get();
    let team = lab.new_team("waits").await;
    let alice = lab.person("alice").await;
    let request = alice.submits(&team.file, "to be waited for", &[]).await.unwrap();
    let waits = |more: &'static [&'static str]| {
        let (alice, request) = (&alice, request.as_str());
        async move { alice.run(&[&["wait", request], more].concat()).await.unwrap() }
    };
    let printed = waits(&["--for", "in_review", "--timeout", "60"]).await;
    assert_eq!(printed.code, 0, "{}", printed.err);
    assert_eq!(printed.out.trim(), format!("request/{request} in_review"));
    // Others must sign: that is told apart from a request that takes too long.
    let printed = waits(&["--timeout", "0"]).await;
    assert_eq!(printed.code, 7, "{}", printed.err);
    assert!(printed.err.contains("strongroom approve"), "{}", printed.err);
    lab.decide(&request, &["bob", "sue"]).await;
    let printed = waits(&["-o", "name"]).await;
    assert_eq!((printed.code, printed.out.trim()), (0, format!("request/{request}").as_str()));
    // It has been there.
    assert_eq!(waits(&["--for", "approved"]).await.code, 0);

    let bob = lab.person("bob").await;
    let text = std::fs::read_to_string(&team.file).unwrap();
    let renamed = lab.write("waits.yaml", &text.replace("displayName: Test", "displayName: Other"));
    let other = bob.submits(&renamed, "to be refused", &[]).await.unwrap();
    lab.until(&other, "in_review").await;
    lab.person("sue").await.does(&["reject", &other, "--yes"]).await.unwrap();
    let printed = bob.run(&["wait", &other]).await.unwrap();
    assert_eq!(printed.code, 5, "rejected: {}", printed.err);
}

#[tokio::test]
async fn a_sign_in_elsewhere_can_be_seen_and_ended() {
    let lab = Lab::get();
    // Each of these signs in anew, with a context of its own.
    let (here, there) = (lab.person_at("kim", "here").await, lab.person_at("kim", "there").await);
    let out = here.does(&["get", "sessions", "-o", "json"]).await.unwrap();
    let sessions: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert!(sessions.len() >= 2, "{out}");
    let out = there.does(&["get", "sessions", "-o", "json"]).await.unwrap();
    let seen: Vec<Value> = serde_json::from_str(&out).unwrap();
    let theirs = seen.iter().find(|each| each["current"] == true).unwrap();
    let id = theirs["sessionId"].as_str().unwrap();
    here.does(&["logout", "--session", id]).await.unwrap();
    let ended = there.run(&["whoami"]).await.unwrap();
    assert_eq!(ended.code, 4, "{}", ended.err);
    here.does(&["whoami"]).await.unwrap();
}

/// One look tells what is applied and how it stands; names of secrets are listed, values are not.
#[tokio::test]
async fn a_team_is_described_and_its_names_are_listed() {
    let lab = Lab::get();
    let team = lab.new_team("told").await;
    lab.onboard(&team).await;
    let (bob, slug) = (lab.person("bob").await, &team.slug);
    lab.workload(slug, "api").await.reads_soon(&format!("team/{slug}/kv/data/prod/api/db")).await;
    let shown = bob.does(&["describe", &format!("team/{slug}")]).await.unwrap();
    for told in ["owners   payments-leads", "read kv/prod/api/*", "attached", "production", "Next"]
    {
        assert!(shown.contains(told), "{told:?} is not in\n{shown}");
    }
    let one = bob.does(&["describe", &format!("team/{slug}/api"), "-o", "json"]).await.unwrap();
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one["bindings"].as_array().unwrap().len(), 1, "{one:#}");
    assert_eq!(one["bindings"][0]["binding"], "api", "{one:#}");
    let none = bob.run(&["describe", &format!("team/{slug}/none")]).await.unwrap();
    assert_eq!(none.code, 3, "{}", none.err);
    assert!(none.err.contains("api, batch"), "{}", none.err);

    let names = bob.does(&["kv", "list", &format!("{slug}/kv/prod"), "-o", "json"]).await.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&names).unwrap(),
        serde_json::json!(["api/", "batch/"])
    );
    // Somebody without rights there reads who would have them, and of no token that is left over.
    let carol = lab.person("carol").await;
    let refused = carol.run(&["kv", "list", &format!("{slug}/kv")]).await.unwrap();
    assert_eq!(refused.code, 5, "{}", refused.err);
    assert!(refused.err.contains("people in a group of the team"), "{}", refused.err);
}

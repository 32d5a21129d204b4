//! Machines: what an API key and a service account's token may do, and that they never decide.

use serde_json::{Value, json};
use strongroom_lab::Person;

use crate::support::Lab;

/// Makes a machine of this team as bob, its owner; gives its key.
async fn key(bob: &Person, team: &str, name: &str, scope: &str) -> String {
    let made = ["machine", "create", name, "--team", team, "--scope", scope, "-o", "json"];
    let made: Value = serde_json::from_str(&bob.does(&made).await.unwrap()).unwrap();
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("srk_"), "a leaked key can be recognised");
    key
}

/// A machine proposes, and what it proposes needs the same people and one of the platform more.
#[tokio::test]
async fn what_a_machine_submits_counts_as_nobodys() {
    let lab = Lab::get();
    let team = lab.new_team("machine").await;
    lab.onboard(&team).await;
    let bob = lab.person("bob").await;
    let ci = bob.as_machine(&key(&bob, &team.slug, "ci", "propose").await);

    let me = ci.does(&["whoami", "-o", "json"]).await.unwrap();
    let me: Value = serde_json::from_str(&me).unwrap();
    assert_eq!(me["machine"], json!({ "team": team.slug, "scope": "propose" }), "{me:#}");
    let teams = ci.does(&["get", "teams", "-o", "name"]).await.unwrap();
    assert_eq!(teams.trim(), format!("team/{}", team.slug), "its own team and no other");

    // An own team's harmless change: bob's submission would need one vote of anybody who owns it.
    let text = std::fs::read_to_string(&team.file).unwrap();
    let renamed =
        lab.write("renamed.yaml", &text.replace("displayName: Test", "displayName: By CI"));
    let file = renamed.to_str().unwrap();
    assert_eq!(ci.run(&["diff", "-f", file]).await.unwrap().code, 1, "it can compare");
    let apply = ["apply", "-f", file, "--reason", "from the pipeline", "-o", "name"];
    let printed = ci.must(&apply, None, 7).await.unwrap();
    let request = printed.out.trim().trim_start_matches("request/").to_owned();
    assert!(printed.err.contains("one vote of the platform more"), "{}", printed.err);
    lab.until(&request, "in_review").await;

    let shown = lab.request(&request).await;
    let votes: Vec<(&str, i64)> = shown["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| (stage["name"].as_str().unwrap(), stage["votes"].as_i64().unwrap()))
        .collect();
    let owners = format!("owners of {}", team.slug);
    assert_eq!(votes, [(owners.as_str(), 1), ("platform", 1)], "{shown:#}");
    let plan = bob.run(&["approve", &request, "--yes"]).await.unwrap();
    assert_eq!(plan.code, 7, "one is not enough: {}", plan.err);
    assert!(plan.err.contains("nobody signed this"), "{}", plan.err);
    assert_eq!(lab.request(&request).await["state"], "in_review");
    lab.person("sue").await.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;

    // The trail says that it was a machine, and which.
    let told = bob.does(&["get", "events", "--request", &request, "-o", "json"]).await.unwrap();
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    let submitted = told.iter().find(|each| each["kind"] == "request.submitted").unwrap();
    assert_eq!(submitted["event"]["actor"]["type"], "machine", "{submitted:#}");
    assert!(told.iter().all(|each| each["kind"] != "act.received" || each != submitted));
    println!("a machine's change: {} votes of 2 stages, applied after the second", votes.len());
}

/// No machine signs, whatever it may otherwise do; nobody can take back what it asked, and whoever
/// votes can say no.
#[tokio::test]
async fn a_machine_signs_nothing_and_sees_its_team_only() {
    let lab = Lab::get();
    let (team, other) = (lab.new_team("keyed").await, lab.new_team("other").await);
    lab.onboard(&team).await;
    lab.onboard(&other).await;
    let bob = lab.person("bob").await;
    let ci = bob.as_machine(&key(&bob, &team.slug, "ci", "propose").await);
    let reader_key = key(&bob, &team.slug, "reader", "read").await;
    let reader = bob.as_machine(&reader_key);

    let text = std::fs::read_to_string(&team.file).unwrap();
    let renamed = lab.write("keyed.yaml", &text.replace("displayName: Test", "displayName: By CI"));
    let file = renamed.to_str().unwrap();
    let apply = ["apply", "-f", file, "--reason", "from the pipeline", "-o", "name"];
    let refused = reader.must(&apply, None, 5).await.unwrap();
    assert!(refused.err.contains("may only read"), "{}", refused.err);
    let printed = ci.must(&apply, None, 7).await.unwrap();
    let request = printed.out.trim().trim_start_matches("request/").to_owned();
    lab.until(&request, "in_review").await;
    let target = format!("team/{}", team.slug);
    for (what, verb) in [
        ("approve", vec!["approve", request.as_str(), "--yes", "--anyway"]),
        ("reject", vec!["reject", request.as_str(), "--yes", "--anyway"]),
        ("withdraw", vec!["withdraw", request.as_str(), "--yes", "--anyway"]),
        ("suspend", vec!["suspend", target.as_str(), "--reason", "x", "--yes", "--anyway"]),
        ("another key", vec!["machine", "create", "child", "--team", team.slug.as_str()]),
    ] {
        let printed = ci.run(&verb).await.unwrap();
        assert!(
            [3, 5].contains(&printed.code),
            "{what} ended with {}: {}",
            printed.code,
            printed.err
        );
    }
    // Another team is not there.
    let hidden = format!("team/{}", other.slug);
    ci.must(&["get", "document", &hidden], None, 3).await.unwrap();
    let foreign = std::fs::read_to_string(&other.file).unwrap();
    let foreign =
        lab.write("foreign.yaml", &foreign.replace("displayName: Test", "displayName: X"));
    let foreign = ["apply", "-f", foreign.to_str().unwrap(), "--reason", "x"];
    assert_ne!(ci.run(&foreign).await.unwrap().code, 7, "another team's document was proposed");

    let printed = bob.run(&["withdraw", &request, "--yes", "--anyway"]).await.unwrap();
    assert!(printed.err.contains("a machine submitted this"), "{}", printed.err);
    bob.does(&["reject", &request, "--yes"]).await.unwrap();
    lab.until(&request, "rejected").await;

    // Ended, it is refused with its next call.
    bob.does(&["machine", "end", "reader", "--team", &team.slug]).await.unwrap();
    reader.must(&["whoami"], None, 4).await.unwrap();
    // Nothing that is listed, told or logged has the key in it.
    let listed = bob.does(&["get", "machines", "-o", "json"]).await.unwrap();
    assert!(!listed.contains(&reader_key), "a key is listed");
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let own = listed.iter().filter(|each| each["team"] == team.slug.as_str());
    let own: Vec<&str> = own.map(|each| each["name"].as_str().unwrap()).collect();
    assert_eq!(own, ["ci"], "the ended one is not listed");
}

/// A service account is a machine by its UID: made anew it is a stranger, and a token for somebody
/// else as well is none for us.
#[tokio::test]
async fn a_service_account_asks_with_its_own_token() {
    let lab = Lab::get();
    let team = lab.new_team("runner").await;
    lab.onboard(&team).await;
    let (bob, cluster) = (lab.person("bob").await, lab.kubernetes());
    let token = async |audiences: &[&str]| {
        cluster.token(&team.slug, "batch", audiences, 900).await.unwrap()
    };
    let early = token(&["strongroom"]).await;
    let runs = async |token: &str| {
        bob.as_machine(token).run(&["get", "teams", "-o", "name"]).await.unwrap()
    };
    assert_eq!(runs(&early).await.code, 4, "nobody enrolled it");
    let account = format!("prod-eu/{}/batch", team.slug);
    let enrol = ["machine", "create", "batch", "--team", &team.slug, "--account", &account];
    bob.does(&enrol).await.unwrap();
    let seen = runs(&early).await;
    assert_eq!((seen.code, seen.out.trim()), (0, format!("team/{}", team.slug).as_str()));
    for audiences in [&["vault"][..], &["strongroom", "vault"], &[]] {
        assert_eq!(runs(&token(audiences).await).await.code, 4, "a token for {audiences:?}");
    }
    let other = cluster.token(&team.slug, "api", &["strongroom"], 900).await.unwrap();
    assert_eq!(runs(&other).await.code, 4, "another account of the namespace");
    // An account that is not there cannot be enrolled.
    let nobody = format!("prod-eu/{}/nobody", team.slug);
    let none = ["machine", "create", "none", "--team", &team.slug, "--account", &nobody];
    let none = bob.must(&none, None, 2).await.unwrap();
    assert!(none.err.contains("no such service account"), "{}", none.err);

    cluster.delete_service_account(&team.slug, "batch").await.unwrap();
    cluster.create_service_account(&team.slug, "batch").await.unwrap();
    assert_eq!(runs(&token(&["strongroom"]).await).await.code, 4, "it is another account now");
}

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

/// One call with this key; gives its status.
async fn raw(server: &str, key: &str, method: &str, path: &str, body: &Value) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let method = method.parse().unwrap();
    let request = client.request(method, format!("{server}{path}")).bearer_auth(key).json(body);
    request.send().await.unwrap().status().as_u16()
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
    assert_eq!(plan.code, 0, "it counts: {}", plan.err);
    assert!(plan.err.contains("nobody signed this"), "{}", plan.err);
    assert_eq!(lab.request(&request).await["state"], "in_review", "one is not enough");
    // Sue may stand in for the owners too; her vote goes where it is wanted.
    lab.person("sue").await.approves(&request).await.unwrap();
    lab.until(&request, "applied").await;

    // The trail says that it was a machine, and which.
    let told = bob.does(&["get", "events", "--request", &request, "-o", "json"]).await.unwrap();
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    let submitted = told.iter().find(|each| each["kind"] == "request.submitted").unwrap();
    assert_eq!(submitted["event"]["actor"]["type"], "machine", "{submitted:#}");
    let received = told.iter().filter(|each| each["kind"] == "act.received");
    assert!(received.clone().all(|each| each["event"]["detail"]["kind"] == "approve"));
    assert_eq!(received.count(), 2, "{told:#?}");

    // A pipeline that runs again while its request is open gets that one back.
    let file = lab.write("again.yaml", &text.replace("displayName: Test", "displayName: Again"));
    let apply = ["apply", "-f", file.to_str().unwrap(), "--reason", "run 1", "-o", "name"];
    let first = ci.must(&apply, None, 7).await.unwrap();
    let apply = ["apply", "-f", file.to_str().unwrap(), "--reason", "run 2", "-o", "name"];
    let second = ci.must(&apply, None, 7).await.unwrap();
    assert_eq!(first.out, second.out);
    assert!(second.err.contains("asks for the same already"), "{}", second.err);
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
    let ci_key = key(&bob, &team.slug, "ci", "propose").await;
    let ci = bob.as_machine(&ci_key);
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
    // Whatever its client does, the API lets no machine sign, and no one-team machine ask about others.
    let key = ci_key.as_str();
    for (method, path) in [
        ("POST", format!("/api/v1/requests/{request}/acts")),
        ("POST", "/api/v1/suspensions".to_owned()),
        ("POST", format!("/api/v1/teams/{}/machines", team.slug)),
        ("POST", "/api/v1/machines".to_owned()),
        ("GET", "/api/v1/sessions".to_owned()),
        ("DELETE", "/api/v1/session".to_owned()),
    ] {
        let status = raw(lab.server(), key, method, &path, &json!({})).await;
        assert!([403, 404].contains(&status), "{method} {path}: {status}");
    }
    let made_up = crate::support::document("nobodys-team", false);
    let made_up: Value = serde_yaml_ng::from_str(&made_up).unwrap();
    let preview = json!({ "documents": [made_up], "attest": [], "lift": [] });
    let status = raw(lab.server(), key, "POST", "/api/v1/requests/preview", &preview).await;
    assert_eq!(status, 403, "a made-up team was previewed by a machine of another");
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
    assert!(!listed.contains(&ci_key), "a key is listed");
    for log in ["serve.log", "execute.log"] {
        let log = std::fs::read_to_string(lab.dir().join(log)).unwrap();
        assert!(!log.contains(&ci_key) && !log.contains(&reader_key), "a key is logged");
    }
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let own = listed.iter().filter(|each| each["team"] == team.slug.as_str());
    let own: Vec<&str> = own.map(|each| each["name"].as_str().unwrap()).collect();
    assert_eq!(own, ["ci"], "the ended one is not listed");
}

/// A service account is a machine by its UID: made anew it is a stranger, and a token for somebody
/// else as well, or for the engine, is none for us.
#[tokio::test]
async fn a_service_account_asks_with_its_own_token() {
    let lab = Lab::get();
    let team = lab.new_team("runner").await;
    lab.onboard(&team).await;
    let (bob, cluster) = (lab.person("bob").await, lab.kubernetes());
    let token = async |audiences: &[&str]| {
        cluster.token(&team.slug, "batch", audiences, 900).await.unwrap()
    };
    let early = token(&["strongroom-api"]).await;
    let runs = async |token: &str| {
        bob.as_machine(token).run(&["get", "teams", "-o", "name"]).await.unwrap()
    };
    assert_eq!(runs(&early).await.code, 4, "nobody enrolled it");
    let account = format!("prod-eu/{}/batch", team.slug);
    let enrol = ["machine", "create", "batch", "--team", &team.slug, "--account", &account];
    bob.does(&enrol).await.unwrap();
    let seen = runs(&early).await;
    assert_eq!((seen.code, seen.out.trim()), (0, format!("team/{}", team.slug).as_str()));
    // What the engine takes is nothing here, and what is shown here is nothing to the engine.
    let engines = token(&["strongroom"]).await;
    assert_eq!(runs(&engines).await.code, 4, "the engine's own audience");
    assert!(lab.try_login("prod-eu", &team.slug, engines).await.is_ok());
    assert!(lab.try_login("prod-eu", &team.slug, early.clone()).await.is_err(), "the API's token");
    for audiences in [&["vault"][..], &["strongroom-api", "strongroom"], &[]] {
        assert_eq!(runs(&token(audiences).await).await.code, 4, "a token for {audiences:?}");
    }
    let other = cluster.token(&team.slug, "api", &["strongroom-api"], 900).await.unwrap();
    assert_eq!(runs(&other).await.code, 4, "another account of the namespace");
    // Neither can one be enrolled that is not there, nor in a namespace that the team does not claim.
    let elsewhere = lab.new_team("elsewhere").await;
    for (of, why) in [
        (format!("prod-eu/{}/nobody", team.slug), "no such service account"),
        (format!("prod-eu/{}/api", elsewhere.slug), "does not claim this namespace"),
        (format!("other/{}/api", team.slug), "does not take this cluster's tokens"),
    ] {
        let none = ["machine", "create", "none", "--team", &team.slug, "--account", &of];
        let none = bob.must(&none, None, 2).await.unwrap();
        assert!(none.err.contains(why), "{of}: {}", none.err);
    }

    cluster.delete_service_account(&team.slug, "batch").await.unwrap();
    cluster.create_service_account(&team.slug, "batch").await.unwrap();
    assert_eq!(runs(&token(&["strongroom-api"]).await).await.code, 4, "it is another account now");
    // The old one's token ends as soon as it is seen that the account is gone.
    let start = std::time::Instant::now();
    while runs(&early).await.code == 0 {
        assert!(start.elapsed() < std::time::Duration::from_secs(30), "a deleted account asks on");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

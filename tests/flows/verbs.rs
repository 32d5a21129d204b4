//! Verbs that scripts use: what they print and how they end.

use serde_json::Value;
use strongroom_lab::Person;

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

/// A slip in a date takes nobody's access away, and what is read from an old file is told.
#[tokio::test]
async fn a_day_that_is_over_is_refused_and_an_old_file_is_told() {
    let lab = Lab::get();
    let team = lab.new_team("slips").await;
    lab.onboard(&team).await;
    let bob = lab.person("bob").await;
    let subject = format!("team/{}", team.slug);
    let read = bob.does(&["get", "document", &subject, "-o", "yaml"]).await.unwrap();
    assert!(read.starts_with(&format!("# {subject}, revision 1\n")), "{read}");

    let text = std::fs::read_to_string(&team.file).unwrap();
    let day = "    - name: api\n      until: 2026-01-01\n";
    let slipped = lab.write("slipped.yaml", &text.replace("    - name: api\n", day));
    let slipped = slipped.display().to_string();
    let apply = ["apply", "-f", &slipped, "--reason", "a slip", "--yes"];
    let refused = bob.run(&apply).await.unwrap();
    assert_eq!(refused.code, 2, "{} {}", refused.out, refused.err);
    assert!(refused.err.contains("2026-01-01 is over"), "{}", refused.err);

    let renamed =
        lab.write("renamed.yaml", &read.replace("displayName: Test", "displayName: Other"));
    let request = bob.submits(&renamed, "another name", &[]).await.unwrap();
    lab.decide(&request, &["sue"]).await;
    let old = lab.write("old.yaml", &read.replace("test@example.com", "new@example.com"));
    let old = old.display().to_string();
    let told = bob.run(&["apply", "-f", &old, "--dry-run", "--reason", "look"]).await.unwrap();
    assert!(told.err.contains("was read from revision 1"), "{} {}", told.out, told.err);
}

/// Who signs in the browser is who the session belongs to.
#[tokio::test]
async fn a_signature_of_another_person_is_not_sent() {
    let lab = Lab::get();
    let team = lab.new_team("swapped").await;
    let place = lab.scratch.path().join("swapped");
    std::fs::create_dir_all(&place).unwrap();
    let program = strongroom_test_support::program();
    // The context is bob's, the browser is alice's.
    let bob = Person::new(&program, "bob", &place, lab.server()).unwrap();
    bob.does(&["login"]).await.unwrap();
    let file = team.file.display().to_string();
    let apply = ["apply", "-f", &file, "--reason", "whose", "--yes"];
    let refused = bob.with_browser_of("alice").run(&apply).await.unwrap();
    assert_eq!(refused.code, 5, "{} {}", refused.out, refused.err);
    assert!(refused.err.contains("logged in here as bob"), "{}", refused.err);
    let open = bob.does(&["get", "requests", "--subject", &format!("team/{}", team.slug)]).await;
    assert!(!open.unwrap().contains(&team.slug));
}

/// Values are kept or replaced as was asked, and nothing is stored by an empty answer.
#[tokio::test]
async fn values_are_kept_or_replaced_as_asked() {
    let lab = Lab::get();
    let team = lab.new_team("values").await;
    lab.onboard(&team).await;
    let bob = lab.person("bob").await;
    let path = format!("{}/kv/prod/api/db", team.slug);
    let empty = bob.run_with(&["kv", "put", &path, "password=-"], Some("")).await.unwrap();
    assert_eq!(empty.code, 2, "{} {}", empty.out, empty.err);
    assert!(empty.err.contains("nothing was stored"), "{}", empty.err);
    bob.does(&["kv", "put", &path, "a=1", "b=2"]).await.unwrap();
    bob.does(&["kv", "patch", &path, "b=3"]).await.unwrap();
    let workload = lab.workload(&team.slug, "api").await;
    let place = format!("team/{}/kv/data/prod/api/db", team.slug);
    workload.reads_soon(&place).await;
    let held = workload.read(&place).await.unwrap().unwrap();
    assert_eq!(held["data"], serde_json::json!({ "a": "1", "b": "3" }), "{held}");
    let replaced = bob.run(&["kv", "put", &path, "c=4"]).await.unwrap();
    assert!(replaced.err.contains("kv patch"), "{}", replaced.err);
    let held = workload.read(&place).await.unwrap().unwrap();
    assert_eq!(held["data"], serde_json::json!({ "c": "4" }), "{held}");

    // An owner deletes the newest version, and brings it back.
    let history = async || bob.does(&["kv", "history", &path, "-o", "csv"]).await.unwrap();
    let lines = |text: &str| -> Vec<String> {
        let line = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join(" ");
        text.lines().skip(1).map(line).collect()
    };
    assert_eq!(lines(&history().await), ["4 there", "3 there", "2 there", "1 there"]);
    let deleted = bob.does(&["kv", "delete", &path]).await.unwrap();
    assert!(deleted.contains("version 4 is deleted"), "{deleted}");
    assert!(!matches!(workload.read(&place).await, Ok(Some(_))), "a deleted version is read");
    assert_eq!(lines(&history().await), ["4 deleted", "3 there", "2 there", "1 there"]);
    let same = bob.run(&["kv", "delete", &path]).await.unwrap();
    assert!(same.code == 0 && same.err.contains("it is so already"), "{}", same.err);
    let none = bob.run(&["kv", "undelete", &path, "--versions", "4,9"]).await.unwrap();
    assert!(none.code == 3 && none.err.contains("no version 9"), "{} {}", none.code, none.err);
    assert_eq!(lines(&history().await)[0], "4 deleted", "nothing is done by halves");
    bob.does(&["kv", "undelete", &path]).await.unwrap();
    let held = workload.read(&place).await.unwrap().unwrap();
    assert_eq!(held["data"], serde_json::json!({ "c": "4" }), "{held}");
    // An editor sets values and deletes none.
    let refused = lab.person("alice").await.run(&["kv", "delete", &path]).await.unwrap();
    assert!(refused.code == 5 && refused.err.contains("owners group"), "{}", refused.err);
}

/// What waits for somebody's own vote is in their inbox until they have signed, and an edit says what else
/// is asked for.
#[tokio::test]
async fn an_inbox_holds_what_waits_for_ones_own_vote() {
    let lab = Lab::get();
    let team = lab.new_team("inbox").await;
    lab.onboard(&team).await;
    let target = format!("team/{}", team.slug);
    let (alice, bob, sue) =
        (lab.person("alice").await, lab.person("bob").await, lab.person("sue").await);
    let edit = async |from: &str, to: &str| {
        let editor = format!("sed -i 's/{from}/{to}/'");
        let words = ["edit", &target, "--reason", "more versions", "--yes"];
        let output = alice.command(&words).env("EDITOR", editor).output().await.unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = edit("nothing-like-it", "x").await;
    assert!(code == 0 && told.contains("nothing was changed"), "{told}");
    let (code, told) = edit("displayName:", "displayedName:").await;
    assert_eq!(code, 2, "{told}");
    let kept = told.split("what you wrote is in ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(std::fs::read_to_string(kept).unwrap().contains("displayedName:"), "{told}");
    std::fs::remove_file(kept).unwrap();

    let (code, told) = edit("level: read", "level: write").await;
    assert!([0, 7].contains(&code), "{code} {told}");
    let listed =
        alice.does(&["get", "requests", "--subject", &target, "-o", "json"]).await.unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let request = listed[0]["requestId"].as_str().unwrap().to_owned();
    lab.until(&request, "in_review").await;
    let waits = async |who: &Person| -> Vec<Value> {
        let inbox = who.does(&["inbox", "-o", "json"]).await.unwrap();
        let inbox: Vec<Value> = serde_json::from_str(&inbox).unwrap();
        inbox.into_iter().filter(|each| each["request"]["requestId"] == request).collect()
    };
    assert!(waits(&alice).await.is_empty(), "a submitter's own vote does not count");
    let (his, hers) = (waits(&bob).await, waits(&sue).await);
    assert_eq!(his[0]["stage"], format!("owners of {}", team.slug), "{his:?}");
    assert_eq!((&hers[0]["stage"], &hers[0]["risk"]), (&"platform".into(), &"high".into()));
    let (_, told) = edit("level: read", "level: admin").await;
    assert!(told.contains(&format!("note: request {request} of alice")), "{told}");

    bob.does(&["approve", &request, "--yes"]).await.unwrap();
    assert!(waits(&bob).await.is_empty(), "who has signed waits for others");
    assert_eq!(waits(&sue).await.len(), 1);
    sue.does(&["approve", &request, "--yes"]).await.unwrap();
    lab.until(&request, "applied").await;
    assert!(waits(&sue).await.is_empty());
}

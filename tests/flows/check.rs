//! `check`: an account's own token against its binding, in a pod where nobody is signed in and at the
//! terminal of somebody who is.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strongroom_lab::Person;
use strongroom_lab::person::Printed;
use strongroom_test_support::program;

use crate::support::{Lab, Team};
use crate::tokens::signed;

/// A terminal in the team's pod: no session, and no server that it could ask.
struct Pod<'a> {
    lab: &'a Lab,
    team: &'a Team,
    person: Person,
    ca_file: String,
}

impl<'a> Pod<'a> {
    fn new(lab: &'a Lab, team: &'a Team) -> Self {
        let ca_file = lab.write("engine-ca.crt", lab.text("/engine/ca_pem"));
        let person = Person::new(&program(), "pod", lab.scratch.path(), "http://127.0.0.1:1");
        Self { lab, team, person: person.unwrap(), ca_file: ca_file.display().to_string() }
    }

    /// What the pod has to say, besides the paths.
    fn line(&self) -> Vec<String> {
        let binding = format!("{}/api", self.team.slug);
        let engine = self.lab.text("/engine/address");
        ["check", &binding, "--token-file", "-", "--engine", engine, "--ca-file", &self.ca_file]
            .into_iter()
            .chain(["--mount", "k8s/prod-eu", "--audience", "strongroom"])
            .map(str::to_owned)
            .collect()
    }

    /// Checks with a token; nothing that is printed has it in it, or the value.
    async fn checks(&self, jwt: &str, paths: &[&str], more: &[&str]) -> Printed {
        let mut line = self.line();
        for path in paths {
            line.extend(["--path".to_owned(), format!("{}/kv/{path}", self.team.slug)]);
        }
        let line: Vec<&str> = line.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let printed = self.person.run_with(&line, Some(jwt)).await.unwrap();
        for text in [&printed.out, &printed.err] {
            assert!(!text.contains("s3cr3t") && !text.contains("hvs."), "a value is shown: {text}");
            let signature = jwt.rsplit('.').next().unwrap();
            assert!(!text.contains(signature), "the token is shown: {text}");
        }
        printed
    }

    /// Checks until it ends with this code.
    async fn ends_with(&self, code: i32, jwt: &str, paths: &[&str]) -> Printed {
        let start = Instant::now();
        loop {
            let printed = self.checks(jwt, paths, &[]).await;
            if printed.code == code {
                return printed;
            }
            let late = start.elapsed() > Duration::from_secs(40);
            assert!(!late, "not {code}: {} {}{}", printed.code, printed.out, printed.err);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn token(&self, account: &str, audience: &str) -> String {
        self.lab.kubernetes().token(&self.team.slug, account, &[audience], 900).await.unwrap()
    }
}

/// How often the engine was given a token of this namespace back.
fn given_back(lab: &Lab, namespace: &str) -> usize {
    let log = std::fs::read_to_string(Path::new(lab.text("/engine/audit_log"))).unwrap();
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|entry| entry["type"] == "response")
        .filter(|entry| entry.pointer("/request/path") == Some(&json!("auth/token/revoke-self")))
        .filter(|entry| entry["auth"]["metadata"].to_string().contains(namespace))
        .count()
}

#[tokio::test]
async fn check_01_a_pod_sees_red_and_green_as_its_binding_comes_and_goes() {
    let lab = Lab::get();
    let team = lab.new_team("checkpod").await;
    let pod = Pod::new(&lab, &team);
    let jwt = pod.token("api", "strongroom").await;

    // Nothing of it is applied.
    let early = pod.checks(&jwt, &["prod/api/db"], &[]).await;
    assert_eq!(early.code, 5, "{}{}", early.out, early.err);
    assert!(
        early.out.contains("red      login") && early.out.contains("get bindings"),
        "{}",
        early.out
    );
    println!("before it is applied:\n{}", early.out);

    lab.onboard(&team).await;
    let green = pod.ends_with(0, &jwt, &["prod/api/db", "prod/api/none"]).await;
    println!("applied:\n{}", green.out);
    for told in [
        "green    account   ",
        "green    audience  strongroom",
        "/kv/prod/api/db is read",
        "/kv/prod/api/none may be read; there is no such secret yet",
    ] {
        assert!(green.out.contains(told), "{told}: {}", green.out);
    }
    assert_eq!(green.err, "", "the engine's token is given back");
    assert!(given_back(&lab, &team.slug) > 0, "no token of the namespace was given back");

    // For a program.
    let told = pod.checks(&jwt, &["prod/api/db"], &["-o", "json"]).await;
    let told: Value = serde_json::from_str(&told.out).unwrap();
    let verdicts = told.as_array().unwrap().iter().map(|check| check["verdict"].as_str().unwrap());
    assert_eq!(verdicts.collect::<Vec<_>>(), ["green"; 5], "{told:#}");

    // Another binding's path among one's own.
    let mixed = pod.checks(&jwt, &["prod/api/db", "prod/batch/db"], &[]).await;
    assert_eq!(mixed.code, 5, "{}", mixed.out);
    assert!(mixed.out.contains("/kv/prod/batch/db is refused"), "{}", mixed.out);
    assert!(mixed.out.contains("/kv/prod/api/db is read"), "{}", mixed.out);

    let bob = lab.person("bob").await;
    let target = format!("team/{}/api", team.slug);
    bob.does(&["suspend", &target, "--reason", "INC-1", "--yes"]).await.unwrap();
    let red = pod.ends_with(5, &jwt, &["prod/api/db"]).await;
    println!("suspended:\n{}{}", red.out, red.err);
    assert!(red.out.contains("/kv/prod/api/db is refused"), "{}", red.out);

    // Who is signed in is told why as well.
    let file = lab.write("token", &jwt).display().to_string();
    let binding = format!("{}/api", team.slug);
    let signed_in = bob.run(&["check", &binding, "--token-file", &file]).await.unwrap();
    println!("suspended, signed in:\n{}", signed_in.out);
    assert_eq!(signed_in.code, 5, "{}{}", signed_in.out, signed_in.err);
    assert!(signed_in.out.contains("red      binding   suspended: "), "{}", signed_in.out);
    assert!(signed_in.out.contains("INC-1"), "{}", signed_in.out);
}

#[tokio::test]
async fn check_02_a_token_that_cannot_be_taken_is_told_before_the_engine_is_asked() {
    let lab = Lab::get();
    let team = lab.new_team("checkwrong").await;
    lab.onboard(&team).await;
    let pod = Pod::new(&lab, &team);
    let good = pod.token("api", "strongroom").await;
    pod.ends_with(0, &good, &["prod/api/db"]).await;

    let now = jsonwebtoken::get_current_timestamp();
    let expired = signed(&lab, &good, |claims| claims["exp"] = json!(now - 60));
    let elsewhere =
        lab.kubernetes().token("default", "default", &["strongroom"], 900).await.unwrap();
    let (nothing, role): (&[&str], &[&str]) = (&[], &["--role", team.slug.as_str()]);
    for (jwt, more, told) in [
        (
            pod.token("api", "elsewhere").await,
            nothing,
            "red      audience  the token is for elsewhere",
        ),
        (expired, nothing, "red      token     it ended at "),
        (elsewhere, role, "red      account   the token is of default/default"),
        (
            "hunter2.hunter2.hunter2".to_owned(),
            nothing,
            "red      token     it is not a service account's",
        ),
    ] {
        let red = pod.checks(&jwt, &["prod/api/db"], more).await;
        assert_eq!(red.code, 1, "{told}: {}{}", red.out, red.err);
        assert!(red.out.contains(told), "{told}: {}", red.out);
        assert!(red.out.contains("unknown  login     not tried"), "{}", red.out);
        println!("{}", red.out);
    }

    // An engine that is not there is red, and no denial.
    let mut line = pod.line();
    line.extend(["--path".to_owned(), format!("{}/kv/prod/api/db", team.slug)]);
    let address = lab.text("/engine/address");
    let elsewhere = |word| if word == address { "https://127.0.0.1:1" } else { word };
    let line: Vec<&str> = line.iter().map(|word| elsewhere(word.as_str())).collect();
    let gone = pod.person.run_with(&line, Some(&good)).await.unwrap();
    assert_eq!(gone.code, 1, "{}{}", gone.out, gone.err);
    assert!(gone.out.contains("look at the network"), "{}", gone.out);

    // In a pod that says nothing there is no session either.
    let binding = format!("{}/api", team.slug);
    let mute = pod.person.run_with(&["check", &binding, "--token-file", "-"], Some(&good)).await;
    let mute = mute.unwrap();
    assert_eq!(mute.code, 4, "{}{}", mute.out, mute.err);
    assert!(mute.err.contains("--mount"), "{}", mute.err);

    // Signed in, nothing has to be said; another account of the namespace is told by name.
    let bob = lab.person("bob").await;
    let kit = bob.does(&["kit", &binding]).await.unwrap();
    assert!(kit.contains(&format!("strongroom check {binding} --engine {address}")), "{kit}");
    let file = lab.write("token", &good).display().to_string();
    let green = bob.run(&["check", &binding, "--token-file", &file]).await.unwrap();
    assert_eq!(green.code, 0, "{}{}", green.out, green.err);
    assert!(green.out.contains("green    binding   attached"), "{}", green.out);
    assert!(green.out.contains("/kv/prod/api/* may be read"), "{}", green.out);
    let other = lab.write("other", &pod.token("batch", "strongroom").await).display().to_string();
    let red = bob.run(&["check", &binding, "--token-file", &other]).await.unwrap();
    assert_eq!(red.code, 1, "{}{}", red.out, red.err);
    assert!(red.out.contains("the binding is for api in the namespace"), "{}", red.out);
}

#[tokio::test]
async fn check_03_an_account_made_anew_is_told_apart_from_the_one_before() {
    let lab = Lab::get();
    let team = lab.new_team("checkanew").await;
    lab.onboard(&team).await;
    let pod = Pod::new(&lab, &team);
    let early = pod.token("api", "strongroom").await;
    pod.ends_with(0, &early, &["prod/api/db"]).await;

    let cluster = lab.kubernetes();
    cluster.delete_service_account(&team.slug, "api").await.unwrap();
    cluster.create_service_account(&team.slug, "api").await.unwrap();
    // The claims are as they should be; only the engine knows.
    let red = pod.ends_with(5, &early, &["prod/api/db"]).await;
    println!("of the account before:\n{}", red.out);
    assert!(red.out.contains("green    account   "), "{}", red.out);
    let anew = pod.token("api", "strongroom").await;
    let green = pod.ends_with(0, &anew, &["prod/api/db"]).await;
    assert!(green.out.contains("/kv/prod/api/db is read"), "{}", green.out);
    // The early token is good for nothing afterwards either.
    let red = pod.ends_with(5, &early, &["prod/api/db"]).await;
    assert!(red.out.contains("red      login") || red.out.contains("is refused"), "{}", red.out);
}

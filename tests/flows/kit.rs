//! The kit: what it gives runs as it is, with the account's own token.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use strongroom_lab::parts::Parts;
use tokio::process::Command;

use crate::support::{Lab, Team};

/// Where a pod has its token; here a file of the test.
const TOKEN: &str = "/var/run/secrets/strongroom/token";

/// A team whose binding `api` is attached, with the directory of its files and its token.
async fn ready(prefix: &str) -> (Lab, Team, tempfile::TempDir, PathBuf) {
    let lab = Lab::get();
    let team = lab.new_team(prefix).await;
    lab.onboard(&team).await;
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    lab.workload(&team.slug, "api").await.reads_soon(&path).await;
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    let jwt = lab.kubernetes().token(&team.slug, "api", &["strongroom"], 900).await.unwrap();
    std::fs::write(&token, jwt).unwrap();
    (lab, team, dir, token)
}

/// Writes the files of one format; gives the text of one of them, with the test's token file.
async fn file(lab: &Lab, team: &Team, dir: &Path, format: &str, name: &str) -> String {
    let binding = format!("{}/api", team.slug);
    let (bob, dir_text) = (lab.person("bob").await, dir.display().to_string());
    let wish = ["--secret", "prod/api/db", "--dir", &dir_text];
    let printed = bob.does(&[&["kit", &binding, "--format", format], &wish[..]].concat()).await;
    assert!(printed.unwrap().contains(name));
    let token = dir.join("token");
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    assert!(text.contains(TOKEN), "{text}");
    text.replace(TOKEN, &token.display().to_string())
}

/// What the newest check of the team's binding said.
async fn checked(lab: &Lab, team: &Team) -> String {
    let bob = lab.person("bob").await;
    let shown = bob.does(&["get", "bindings", "--team", &team.slug, "-o", "json"]).await.unwrap();
    let items: Value = serde_json::from_str(&shown).unwrap();
    let check = &items[0]["check"];
    let word = if check["green"] == true { "green" } else { "red" };
    format!("{word} {}", check["faulty"])
}

/// Runs a script of the kit; gives its code and what it wrote.
async fn script(dir: &Path, text: &str) -> (i32, String) {
    let output = Command::new("sh")
        .args(["-c", text])
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    (output.status.code().unwrap(), format!("{out}{}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test]
async fn kit_01_an_agent_renders_the_secret_from_its_configuration() {
    let (lab, team, dir, _) = ready("kitagent").await;
    let text = file(&lab, &team, dir.path(), "agent", "agent.hcl").await;
    std::fs::write(dir.path().join("agent.hcl"), text).unwrap();
    let start = Instant::now();
    let mut agent = Command::new(Parts::find().unwrap().bao)
        .args(["agent", "-config=agent.hcl", "-exit-after-auth"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let rendered = dir.path().join("secrets/prod-api-db");
    let found = loop {
        let text = std::fs::read_to_string(&rendered).unwrap_or_default();
        if text.contains("password=s3cr3t") {
            break text;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "the agent renders nothing: {text:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    agent.kill().await.unwrap();
    println!("KIT-01: a real agent rendered {} bytes after {:?}", found.len(), start.elapsed());
}

#[tokio::test]
async fn kit_02_the_scripts_read_and_the_check_says_green_and_red() {
    let (lab, team, dir, token) = ready("kitcheck").await;
    let text = file(&lab, &team, dir.path(), "http", "read.sh").await;
    let (code, out) = script(dir.path(), &text).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("s3cr3t"), "{out}");

    // The Job's own command, as the cluster would run it.
    let text = file(&lab, &team, dir.path(), "check", "check.yaml").await;
    let job: Value = serde_yaml_ng::from_str(&text).unwrap();
    let check = job.pointer("/spec/template/spec/containers/0/args/0").unwrap().as_str().unwrap();
    let (code, out) = script(dir.path(), check).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("green: ") && !out.contains("s3cr3t"), "{out}");
    // It has said so, once.
    assert!(out.contains("told Strongroom") && !out.contains("not told"), "{out}");
    assert!(checked(&lab, &team).await.starts_with("green "), "{}", checked(&lab, &team).await);
    let (code, out) = script(dir.path(), check).await;
    assert!(code == 0 && out.contains("not told to Strongroom: it answered 409"), "{code} {out}");

    // A token for another audience is refused at the login, and that is red too.
    let own = std::fs::read_to_string(&token).unwrap();
    let other = lab.kubernetes().token(&team.slug, "api", &["elsewhere"], 900).await.unwrap();
    std::fs::write(&token, other).unwrap();
    let (code, out) = script(dir.path(), check).await;
    assert!(code == 1 && out.contains("red: the login is refused"), "{code} {out}");
    std::fs::write(&token, own).unwrap();

    // A secret that is not there yet is no fault of the binding.
    let none = check.replace("prod/api/db", "prod/api/none");
    let (code, out) = script(dir.path(), &none).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("no such secret yet"), "{out}");

    // Another binding's path, and a suspended binding, are red with what to look at.
    let foreign = check.replace("prod/api/db", "prod/batch/db");
    let (code, out) = script(dir.path(), &foreign).await;
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("red: ") && out.contains("get bindings"), "{out}");
    let bob = lab.person("bob").await;
    let target = format!("team/{}/api", team.slug);
    bob.does(&["suspend", &target, "--reason", "INC-1", "--yes"]).await.unwrap();
    let start = Instant::now();
    loop {
        let (code, out) = script(dir.path(), check).await;
        if code == 1 {
            assert!(out.contains("red: "), "{out}");
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "a suspended binding is green: {out}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let binding = format!("{}/api", team.slug);
    let shown = bob.does(&["kit", &binding]).await.unwrap();
    assert!(shown.contains("suspended") && shown.contains("INC-1"), "{shown}");

    // Another check says so to the team; one that is to tell nobody has no ticket.
    let again = tempfile::tempdir().unwrap();
    std::fs::copy(&token, again.path().join("token")).unwrap();
    let text = file(&lab, &team, again.path(), "check", "check.yaml").await;
    let job: Value = serde_yaml_ng::from_str(&text).unwrap();
    let check = job.pointer("/spec/template/spec/containers/0/args/0").unwrap().as_str().unwrap();
    let (code, out) = script(again.path(), check).await;
    assert!(code == 1 && out.contains("told Strongroom"), "{code} {out}");
    let said = checked(&lab, &team).await;
    assert!(said.starts_with("red ") && said.contains("prod/api/db is refused (403)"), "{said}");
    let silent = bob.does(&["kit", &binding, "--format", "check", "--no-report"]).await.unwrap();
    assert!(!silent.contains("srt_") && silent.contains("exit $red"), "{silent}");
}

#[tokio::test]
async fn kit_03_only_what_is_the_bindings_and_the_readers() {
    let (lab, team, dir, _) = ready("kitonly").await;
    let (bob, carol) = (lab.person("bob").await, lab.person("carol").await);
    let binding = format!("{}/api", team.slug);
    let shown = bob.does(&["kit", &binding]).await.unwrap();
    for word in ["attached", "auth/k8s/prod-eu", "audience     strongroom", "prod/api/*"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let stranger = carol.run(&["kit", &binding]).await.unwrap();
    assert_eq!(stranger.code, 3, "{}", stranger.err);
    for (wish, word) in [
        (["--secret", "prod/batch/db"], "prod/api/*"),
        (["--account", "root"], "api"),
        (["--secret", "../x"], "segment"),
    ] {
        let refused = bob.run(&["kit", &binding, wish[0], wish[1]]).await.unwrap();
        assert!(refused.code != 0 && refused.err.contains(word), "{wish:?}: {}", refused.err);
    }
    // What is there is left alone; the same is no fault.
    let dir_text = dir.path().display().to_string();
    let again = ["kit", &binding, "--format", "vso", "--dir", &dir_text];
    bob.does(&again).await.unwrap();
    bob.does(&again).await.unwrap();
    let file = dir.path().join("vault-secrets-operator.yaml");
    std::fs::write(&file, "mine").unwrap();
    let refused = bob.run(&again).await.unwrap();
    assert!(refused.err.contains("another file is there"), "{}", refused.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

//! Thousands of calls that schemathesis makes up from the API's description, as every kind of caller.
//!
//! It must not say that nothing was found when nothing was asked: the calls are counted.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::documents::{orders, payments, prod_eu};

/// What each answer is held against: nothing is our fault, and the description is true.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance,unsupported_method";

/// Calls everything as one caller; gives how often.
async fn call_everything(app: &TestApp, who: &str, caller: &Client, examples: u32) -> u64 {
    let parts = std::env::var_os("STRONGROOM_PARTS").expect("run by cargo xtask test");
    let tool = PathBuf::from(parts).join("schemathesis-4.32.5");
    let mut command = Command::new("python3");
    command.arg(tool.join("bin/schemathesis")).arg("run");
    command.arg(format!("{}/api/v1/openapi.json", app.url));
    command.args(["--checks", CHECKS, "--seed", "20261128", "--no-color", "--warnings", "off"]);
    command.args(["--continue-on-failure", "--suppress-health-check", "all"]);
    command.args(["--max-examples", &examples.to_string(), "--request-timeout", "20"]);
    // It would be nobody from there on; it finds its own session in the list.
    command.args(["--exclude-operation-id", "session_end"]);
    command.args(["--exclude-operation-id", "session_end_other"]);
    // It goes on for 20 seconds each time.
    command.args(["--exclude-operation-id", "event_follow"]);
    if let Some(token) = caller.token() {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    let dir = tempfile::tempdir().unwrap();
    let output = command
        .env("PYTHONPATH", &tool)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "as {who}:\n{told}\n{errors}");
    let line = told.lines().find(|line| line.contains(" generated")).unwrap_or_default();
    let count = line.split_whitespace().next().and_then(|word| word.parse().ok());
    count.unwrap_or_else(|| panic!("as {who} it does not say how many calls it made:\n{told}"))
}

/// WEB-08 of the checks.
#[tokio::test(flavor = "multi_thread")]
async fn web_08_no_call_of_any_role_breaks_it() {
    let full = std::env::var_os("STRONGROOM_FULL").is_some();
    let app = TestApp::start().await;
    app.executor.apply(&prod_eu(), 1, json!({})).await;
    let alice = app.sign_in("alice", &["payments-dev"]).await;
    let request = app.submit(&alice, &[payments()]).await;
    for document in [payments(), orders()] {
        app.executor.apply(&document, 1, json!({})).await;
    }
    app.executor.see(&[("payments-prod", "1")], &[("payments-prod", "api", "2")]).await;
    app.executor.binding("payments").await;
    let callers = [
        ("nobody", app.nobody()),
        ("editor", alice),
        ("owner", app.sign_in("bob", &["payments-leads"]).await),
        ("a stranger", app.sign_in("eve", &["others"]).await),
        ("platform", app.sign_in("sue", &["platform-sre"]).await),
        ("auditor", app.sign_in("ada", &["auditors"]).await),
    ];
    let examples = if full { 240 } else { 4 };
    let mut sum = 0;
    for (who, caller) in &callers {
        let count = call_everything(&app, who, caller, examples).await;
        println!("WEB-08: {count} calls as {who}");
        sum += count;
    }
    // It still works, and nothing was changed that nobody signed.
    let sue = &callers[4].1;
    let shown = sue.get(&format!("/api/v1/requests/{request}")).await;
    assert_eq!((shown.status, shown.text("/state")), (200, "submitted"));
    let least = if full { 50_000 } else { 5_000 };
    assert!(sum >= least, "{sum} calls only");
    println!("WEB-08: 0 failures of {sum} calls");
}

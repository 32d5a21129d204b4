//! Who can and what can, against what the engine itself says of live tokens.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use strongroom_domain::clock::{Clock as _, SystemClock};
use strongroom_engine::sys;

use crate::support::{Lab, Workload};

/// What people ask about a secret, and the engine's path and word for it.
const DEEDS: [(&str, &str, &str); 7] = [
    ("see", "metadata", "read"),
    ("read", "data", "read"),
    ("write", "data", "update"),
    ("delete", "data", "delete"),
    ("undelete", "undelete", "update"),
    ("destroy", "destroy", "update"),
    ("purge", "metadata", "delete"),
];

async fn asked(lab: &Lab, arguments: &[&str]) -> Value {
    let out = lab.person("bob").await.does(&[arguments, &["-o", "json"]].concat()).await.unwrap();
    serde_json::from_str(&out).unwrap()
}

/// What who-can says that an account may do with a secret.
async fn told(lab: &Lab, secret: &str, account: &str) -> BTreeSet<String> {
    let answer = asked(lab, &["who-can", secret]).await;
    let items = answer["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["account"] == account);
    let deeds = found.and_then(|item| item["may"].as_array()).into_iter().flatten();
    let deeds = deeds.filter(|deed| deed["now"] == true);
    deeds.map(|deed| deed["deed"].as_str().unwrap().to_owned()).collect()
}

/// What the engine says to the account's own token.
async fn allowed(workload: &Workload, slug: &str, secret: &str) -> BTreeSet<String> {
    let path = |area: &str| format!("team/{slug}/kv/{area}/{secret}");
    let paths: Vec<String> = DEEDS.iter().map(|(_, area, _)| path(area)).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let words: BTreeMap<String, Vec<String>> =
        sys::capabilities_self(workload.session(), &paths).await.unwrap().into_iter().collect();
    let may = |(_, area, word): &&(&str, &str, &str)| {
        words.get(&path(area)).is_some_and(|words| words.iter().any(|each| each == word))
    };
    DEEDS.iter().filter(may).map(|(deed, ..)| (*deed).to_owned()).collect()
}

#[tokio::test]
async fn who_can_says_what_the_engine_says_of_live_tokens() {
    let lab = Lab::get();
    let mut team = lab.new_team("reach").await;
    // `batch` has a second binding, which reaches into what the first one has.
    let text = std::fs::read_to_string(&team.file).unwrap();
    let slug = team.slug.clone();
    let more = format!(
        "    - name: more\n      cluster: prod-eu\n      namespace: {slug}\n      \
         serviceAccounts: [batch]\n      access:\n        \
         - {{ mount: kv, path: prod/batch/own/*, level: admin }}\n        \
         - {{ mount: kv, path: prod/api/db, level: list }}\n  limits:"
    );
    team.file = lab.write("reach.yaml", &text.replacen("  limits:", &more, 1));
    lab.onboard(&team).await;
    let mut cells = 0;
    for account in ["api", "batch"] {
        let workload = lab.workload(&slug, account).await;
        workload.reads_soon(&format!("team/{slug}/kv/data/prod/{account}/db")).await;
        let name = format!("prod-eu/{slug}/{account}");
        for secret in
            ["prod/api/db", "prod/api", "prod/batch/db", "prod/batch/own/x", "prod/other", "x"]
        {
            let said = told(&lab, &format!("{slug}/kv/{secret}"), &name).await;
            assert_eq!(said, allowed(&workload, &slug, secret).await, "{account} {secret}");
            cells += DEEDS.len();
        }
    }
    // The chain, to the request that granted it.
    let answer = asked(&lab, &["what-can", &format!("prod-eu/{slug}/batch")]).await;
    let items = answer["items"].as_array().unwrap();
    let policy = format!("team.{slug}.binding.more");
    let through: Vec<&Value> = items
        .iter()
        .flat_map(|item| item["through"].as_array().unwrap())
        .filter(|through| through["policy"] == policy)
        .collect();
    assert!(!through.is_empty(), "{answer:#}");
    for each in &through {
        assert_eq!(each["state"], "attached", "{each:#}");
        assert!(each["request"].is_string() && each["accountUid"].is_string(), "{each:#}");
    }
    // People: an owner sets values and does not read them.
    let answer = asked(&lab, &["who-can", &format!("{slug}/kv/prod/api/db")]).await;
    let owners = answer["items"].as_array().unwrap().iter();
    let owners = owners.clone().find(|item| item["group"] == "payments-leads").unwrap();
    let deeds: Vec<&str> =
        owners["may"].as_array().unwrap().iter().map(|d| d["deed"].as_str().unwrap()).collect();
    assert!(deeds.contains(&"write") && !deeds.contains(&"read"), "{owners:#}");
    // What was suspended counts no more, and it is said.
    let bob = lab.person("bob").await;
    let target = format!("team/{slug}/api");
    bob.does(&["suspend", &target, "--reason", "INC-3", "--yes"]).await.unwrap();
    let start = std::time::Instant::now();
    loop {
        let shown = bob.does(&["who-can", &format!("{slug}/kv/prod/api/db")]).await.unwrap();
        if shown.contains("no (suspended: ") && shown.contains("INC-3") {
            break;
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{shown}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    // A suspended binding hides nothing of another, and gives nothing.
    let target = format!("team/{slug}/more");
    bob.does(&["suspend", &target, "--reason", "INC-4", "--yes"]).await.unwrap();
    let batch = lab.workload(&slug, "batch").await;
    let name = format!("prod-eu/{slug}/batch");
    for secret in ["prod/batch/own/x", "prod/api/db", "prod/batch/db"] {
        let start = std::time::Instant::now();
        loop {
            let said = told(&lab, &format!("{slug}/kv/{secret}"), &name).await;
            if said == allowed(&batch, &slug, secret).await
                && (secret != "prod/batch/own/x" || !said.contains("write"))
            {
                break;
            }
            assert!(start.elapsed() < std::time::Duration::from_secs(20), "{secret}: {said:?}");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        cells += DEEDS.len();
    }
    let misspelt = bob.run(&["who-can", &format!("{slug}/kx/prod/api/db")]).await.unwrap();
    assert!(misspelt.err.contains("has no mount kx; its mounts: kv"), "{}", misspelt.err);
    // Another team's people learn nothing, not even that it is there.
    let carol = lab.person("carol").await;
    let refused = carol.run(&["who-can", &format!("{slug}/kv/prod/api/db")]).await.unwrap();
    assert_eq!(refused.code, 3, "{}", refused.err);
    let nothing = carol.does(&["what-can", &format!("prod-eu/{slug}/api"), "-o", "json"]).await;
    let nothing: Value = serde_json::from_str(&nothing.unwrap()).unwrap();
    assert_eq!(nothing["items"], serde_json::json!([]), "{nothing:#}");
    println!("who-can: {cells} of {cells} cells as the engine says");
}

/// What an auditor asks: who could reach it then. Later suspensions, revisions and anew made accounts do not
/// change what is said of an earlier time.
#[tokio::test]
async fn who_could_reach_it_at_an_earlier_time() {
    let lab = Lab::get();
    let begun = SystemClock.now();
    let team = lab.new_team("then").await;
    lab.onboard(&team).await;
    let slug = team.slug.clone();
    let secret = format!("{slug}/kv/prod/batch/db");
    let account = format!("prod-eu/{slug}/batch");
    lab.workload(&slug, "batch")
        .await
        .reads_soon(&format!("team/{slug}/kv/data/prod/batch/db"))
        .await;
    let row = async |arguments: &[&str]| -> Option<(bool, Value)> {
        let answer = asked(&lab, arguments).await;
        let items = answer["items"].as_array().unwrap().clone();
        let item = items.into_iter().find(|item| item["account"] == account)?;
        let reads = |deed: &Value| deed["deed"] == "read" && deed["now"] == true;
        let may = item["may"].as_array().unwrap().iter().any(reads);
        Some((may, item["through"][0].clone()))
    };
    let start = std::time::Instant::now();
    let uid = loop {
        if let Some((true, through)) = row(&["who-can", &secret]).await {
            break through["accountUid"].clone();
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(30), "it is never attached");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    let then = SystemClock.now().to_string();

    let bob = lab.person("bob").await;
    let target = format!("team/{slug}/batch");
    bob.does(&["suspend", &target, "--reason", "INC-5", "--yes"]).await.unwrap();
    let start = std::time::Instant::now();
    while row(&["who-can", &secret]).await.is_some_and(|(may, _)| may) {
        assert!(start.elapsed() < std::time::Duration::from_secs(30), "it is never suspended");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let suspended = SystemClock.now().to_string();
    // The binding goes altogether.
    let without = crate::support::document(&slug, false);
    let file = lab.write("then.yaml", &without);
    let request = bob.submits(&file, "no batch any more", &["--lift", &target]).await.unwrap();
    lab.decide(&request, &["sue"]).await;
    lab.until(&request, "applied").await;
    assert_eq!(row(&["who-can", &secret]).await, None, "nobody has it now");

    let (may, through) = row(&["who-can", &secret, "--at", &then]).await.unwrap();
    assert!(may && through["state"] == "attached", "{through:#}");
    assert_eq!((&through["accountUid"], &through["revision"]), (&uid, &1.into()));
    let (may, through) = row(&["who-can", &secret, "--at", &suspended]).await.unwrap();
    assert!(!may && through["state"] == "suspended", "{through:#}");
    assert!(through["reason"].as_str().unwrap().contains("INC-5"), "{through:#}");
    // At the end of the first revision's time it was suspended.
    let (may, _) = row(&["who-can", &secret, "--revision", "1"]).await.unwrap();
    assert!(!may);
    let of_account = asked(&lab, &["what-can", &account, "--at", &then]).await;
    assert!(!of_account["items"].as_array().unwrap().is_empty(), "{of_account:#}");
    let of_account = asked(&lab, &["what-can", &account]).await;
    assert!(of_account["items"].as_array().unwrap().is_empty(), "{of_account:#}");

    let before = begun.to_string();
    let shown = bob.run(&["who-can", &secret, "--at", &before]).await.unwrap();
    assert!(shown.err.contains("was applied then"), "{}", shown.err);
    let table = bob.does(&["who-can", &secret, "--at", &then]).await.unwrap();
    assert!(table.contains("THEN") && !table.contains("NOW"), "{table}");
    let none = bob.run(&["who-can", &secret, "--revision", "9"]).await.unwrap();
    assert_eq!(none.code, 3, "{}", none.err);
    let carol = lab.person("carol").await;
    let refused = carol.run(&["who-can", &secret, "--at", &then]).await.unwrap();
    assert_eq!(refused.code, 3, "{}", refused.err);
    let refused = carol.run(&["who-can", &secret, "--revision", "1"]).await.unwrap();
    assert_eq!(refused.code, 3, "{}", refused.err);
}

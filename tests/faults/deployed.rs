//! `serve` and `execute` as an operator runs them: from the files in `deploy/`, with TLS to engine,
//! database, cluster and callers (the lab's provider speaks plain HTTP on loopback), secrets in files, and
//! a database role each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use strongroom_lab::Person;
use strongroom_lab::tls::ServerTls;
use strongroom_test_support::program;
use tokio::process::{Child, Command};

use crate::database_tls::DatabaseTls;
use crate::private::PrivateLab;

/// What a file of `deploy/` says, as data.
fn sample(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
    serde_yaml_ng::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// What an operator writes over: everything that is of this site. The rest is as it is delivered.
fn edited(mut sample: Value, site: &Value) -> Value {
    for (name, value) in site.as_object().unwrap() {
        assert!(sample.get(name).is_some(), "{name} does not stand in the delivered file");
        match (sample[name].is_object(), value) {
            (true, Value::Object(_)) => sample[name] = edited(sample[name].clone(), value),
            _ => sample[name] = value.clone(),
        }
    }
    sample
}

struct Site {
    dir: PathBuf,
    server: String,
    probes: BTreeMap<&'static str, String>,
    ca_file: PathBuf,
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The delivered files, edited for a lab.
async fn site(private: &PrivateLab) -> Site {
    let lab = private.dir();
    let dir = lab.join("site");
    std::fs::create_dir_all(dir.join("secrets")).unwrap();
    let of_lab = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(lab.join(name)).unwrap()).unwrap()
    };
    let (serve, execute, floor) =
        (of_lab("serve.yaml"), of_lab("execute.yaml"), of_lab("floor.yaml"));
    let absolute = |value: &Value| json!(lab.join(value.as_str().unwrap()));
    // Each role by its own URL, in a file, over TLS that is verified.
    let of_role = |verb: &str| {
        let url = std::fs::read_to_string(lab.join(format!("{verb}-database-url"))).unwrap();
        let port = url.rsplit_once('@').unwrap().1.split(['/', ':']).nth(1).unwrap().to_owned();
        (url, port.parse::<u16>().unwrap())
    };
    let (_, port) = of_role("serve");
    let database = DatabaseTls::before(port, &dir.join("database-tls")).await;
    for verb in ["serve", "execute"] {
        let url = database.url(&of_role(verb).0, port);
        std::fs::write(dir.join(format!("secrets/{verb}-database-url")), url).unwrap();
    }
    let tls = ServerTls::in_dir(&dir.join("tls"), &["127.0.0.1"]).unwrap();
    let (listen, serve_probes, execute_probes) = (free_address(), free_address(), free_address());
    let issuer = json!({ "url": serve["issuer"]["url"], "hosts": ["127.0.0.1"], "ca_file": null });
    let cluster = json!([{
        "name": "prod-eu",
        "issuer": serve["clusters"][0]["issuer"],
        "keys_file": absolute(&serve["clusters"][0]["keys_file"]),
    }]);
    let serve = edited(
        sample("serve.yaml"),
        &json!({
            "listen": listen,
            "tls": { "cert_file": tls.cert_file, "key_file": tls.key_file },
            "probes": serve_probes,
            "database": { "url_file": "secrets/serve-database-url" },
            "issuer": issuer,
            "sign_in_client": serve["sign_in_client"],
            "clusters": cluster,
        }),
    );
    let engine = &execute["engine"];
    let execute_config = edited(
        sample("execute.yaml"),
        &json!({
            "database": { "url_file": "secrets/execute-database-url" },
            "signing_key_file": absolute(&execute["signing_key_file"]),
            "state_dir": absolute(&execute["state_dir"]),
            "probes": execute_probes,
            "engine": {
                "id": engine["id"],
                "name": engine["name"],
                "address": engine["address"],
                "ca_file": absolute(&engine["ca_file"]),
                "role_id_file": absolute(&engine["role_id_file"]),
                "secret_id_file": absolute(&engine["secret_id_file"]),
                "auditor": {
                    "role_id_file": absolute(&engine["auditor"]["role_id_file"]),
                    "secret_id_file": absolute(&engine["auditor"]["secret_id_file"]),
                },
                "audit_file": engine["audit_file"],
            },
        }),
    );
    let mut clusters = floor["clusters"].clone();
    for name in ["ca_file", "reader_token_file", "reviewer_token_file"] {
        clusters[0][name] = absolute(&clusters[0][name]);
    }
    let floor = edited(
        sample("floor.yaml"),
        &json!({
            "deployment": floor["deployment"],
            "issuer": { "url": floor["issuer"]["url"], "hosts": ["127.0.0.1"] },
            "act_clients": floor["act_clients"],
            "executor_keys": floor["executor_keys"],
            "clusters": clusters,
        }),
    );
    for (name, value) in [("serve", serve), ("execute", execute_config), ("floor", floor)] {
        std::fs::write(dir.join(format!("{name}.yaml")), value.to_string()).unwrap();
    }
    Site {
        server: format!("https://{listen}"),
        probes: [("serve", serve_probes), ("execute", execute_probes)].into(),
        ca_file: dir.join("tls/ca.pem"),
        dir,
    }
}

fn start(site: &Site, verb: &str) -> Child {
    let log = std::fs::File::create(site.dir.join(format!("{verb}.log"))).unwrap();
    Command::new(program())
        .args([verb, "--config"])
        .arg(site.dir.join(format!("{verb}.yaml")))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// What a process answers on its port of probes.
async fn probe(site: &Site, verb: &str, path: &str) -> Option<(u16, String)> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://{}{path}", site.probes[verb])).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.unwrap()))
}

async fn until_ready(site: &Site, verb: &str, child: &mut Child) -> String {
    let start = Instant::now();
    loop {
        if let Some((200, text)) = probe(site, verb, "/readyz").await
            && !text.contains("[!]")
        {
            return text;
        }
        let log = || std::fs::read_to_string(site.dir.join(format!("{verb}.log"))).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "{verb} ended:\n{}", log());
        assert!(start.elapsed() < Duration::from_mins(1), "{verb} is not ready:\n{}", log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Whether the server shows a certificate of this CA.
async fn is_trusted_by(site: &Site, ca: &[u8]) -> bool {
    let ca = reqwest::Certificate::from_pem(ca).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    client.get(format!("{}/livez", site.server)).send().await.is_ok()
}

/// From the delivered files to a workload that reads, and back down.
#[tokio::test]
async fn the_delivered_files_run_a_deployment() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let team = lab.new_team("deployed").await;
    let site = site(&private).await;
    for verb in ["serve", "execute"] {
        let check = ["config", "check"];
        let file = site.dir.join(format!("{verb}.yaml"));
        let checked = Command::new(program()).args(check).arg(file).output().await.unwrap();
        let told = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.success(), "config check of {verb}:\n{told}");
    }
    private.executor_end(Signal::TERM).await;
    let (mut serve, mut execute) = (start(&site, "serve"), start(&site, "execute"));
    let told = until_ready(&site, "execute", &mut execute).await;
    assert!(told.contains("[+] lease ok"), "{told}");
    let told = until_ready(&site, "serve", &mut serve).await;
    for part in ["database", "executor", "provider"] {
        assert!(told.contains(&format!("[+] {part} ok")), "{told}");
    }

    // The whole way, over TLS alone.
    let person = async |name: &str| {
        let dir = lab.scratch.path().join("deployed");
        let person = Person::new(&program(), name, &dir, &site.server).unwrap();
        let person = person.trusting(&site.ca_file);
        person.does(&["login"]).await.unwrap();
        person
    };
    let alice = person("alice").await;
    let request = alice.submits(&team.file, "on delivered files", &[]).await.unwrap();
    alice.does(&["wait", &request, "--for", "in_review", "--timeout", "60"]).await.unwrap();
    for name in ["bob", "sue"] {
        person(name).await.does(&["approve", &request, "--yes"]).await.unwrap();
    }
    alice.does(&["wait", &request, "--timeout", "60"]).await.unwrap();
    let path = format!("{}/kv/prod/api/db", team.slug);
    person("bob").await.must(&["kv", "put", &path, "password=-"], Some("x"), 0).await.unwrap();
    lab.workload(&team.slug, "api")
        .await
        .reads_soon(&format!("team/{}/kv/data/prod/api/db", team.slug))
        .await;

    // What monitoring reads.
    let (_, metrics) = probe(&site, "execute", "/metrics").await.unwrap();
    for line in [
        "strongroom_executor_lease_held 1",
        "strongroom_executor_passes_total{outcome=\"ok\"}",
        "strongroom_engine_writes_total{operation=\"create\"",
        "strongroom_findings_open{severity=\"alarm\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains(&team.slug), "a tenant's name is a label");
    let (_, metrics) = probe(&site, "serve", "/metrics").await.unwrap();
    let route = "route=\"/api/v1/requests/{id}\"";
    assert!(metrics.contains(route) && !metrics.contains(&request), "{metrics}");
    assert!(!metrics.contains(&team.slug), "a tenant's name is a label");

    // A renewed certificate is taken up; one that does not fit its key is not.
    let old = std::fs::read(&site.ca_file).unwrap();
    assert!(is_trusted_by(&site, &old).await);
    let renewed = ServerTls::in_dir(&site.dir.join("renewed"), &["127.0.0.1"]).unwrap();
    let (cert, key) = (site.dir.join("tls/cert.pem"), site.dir.join("tls/key.pem"));
    std::fs::copy(&renewed.cert_file, &cert).unwrap();
    let log = || std::fs::read_to_string(site.dir.join("serve.log")).unwrap();
    let start = Instant::now();
    while !log().contains("the new certificate is not taken") {
        assert!(start.elapsed() < Duration::from_secs(30), "nobody looked at it");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(is_trusted_by(&site, &old).await, "a certificate without its key was taken");
    std::fs::copy(&renewed.key_file, &key).unwrap();
    let start = Instant::now();
    while !is_trusted_by(&site, renewed.ca_pem.as_bytes()).await {
        assert!(start.elapsed() < Duration::from_secs(30), "the renewed certificate is not shown");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }

    // Asked to stop, both end well; without an executor serve works on and says so.
    stop(&mut execute, "execute").await;
    let start = Instant::now();
    loop {
        let (status, told) = probe(&site, "serve", "/readyz").await.unwrap();
        assert_eq!(status, 200, "{told}");
        if told.contains("[!] executor degraded: no executor is at work") {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(40), "{told}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    stop(&mut serve, "serve").await;
    private.end().await;
}

async fn stop(child: &mut Child, verb: &str) {
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), child.wait()).await;
    let status = ended.unwrap_or_else(|_| panic!("{verb} does not end")).unwrap();
    assert!(status.success(), "{verb} ended with {status}");
}

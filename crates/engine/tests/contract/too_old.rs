//! An engine below the minimum: refused with one sentence, and nothing was written.

use std::time::Duration;

use serde_json::{Value, json};
use strongroom_engine::sys::{self, Product, Version};
use strongroom_engine::{EngineAddress, EngineClient};
use strongroom_lab::{Engine, EngineOptions, InitRequest, Parts};

use crate::server::audit_lines;

#[tokio::test]
async fn openbao_2_6_2_is_refused_in_one_sentence_and_nothing_is_written() {
    let parts = Parts::find().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let options = EngineOptions {
        binary: Some(parts.openbao("2.6.2").unwrap()),
        // So that the log is known to record writes.
        initialize: vec![InitRequest {
            name: "policy".into(),
            path: "sys/policies/acl/reader".into(),
            data: json!({ "policy": "path \"x\" { capabilities = [\"read\"] }" }),
        }],
        plain_http: false,
    };
    let engine = Engine::start(&parts, dir.path(), options).await.unwrap();
    let writes = || {
        let lines = audit_lines(&engine.audit_logs()[0]);
        let is_write = |line: &&Value| {
            let operation = line["request"]["operation"].as_str().unwrap_or_default();
            line["type"] == "request" && !matches!(operation, "read" | "list")
        };
        lines.iter().filter(is_write).count()
    };
    let before = writes();
    assert!(before > 0, "the log records what the server did to itself");

    let address = EngineAddress {
        url: engine.address().to_owned(),
        ca_pem: engine.ca_pem().map(str::to_owned),
    };
    let client = EngineClient::new(&address, Duration::from_secs(10)).unwrap();
    let about = sys::about(&client).await.unwrap();
    assert_eq!(about.product, Product::OpenBao);
    assert_eq!(about.version, Version(2, 6, 2));
    let refusal = about.ensure_supported(false).unwrap_err().to_string();
    assert!(
        refusal.starts_with("the engine is OpenBao 2.6.2; Strongroom writes to OpenBao 2.7.0 or"),
        "{refusal}"
    );
    assert!(!refusal.contains('\n'));
    assert_eq!(writes(), before, "asking what it is wrote nothing");
    engine.stop().await.unwrap();
}

//! What a write leaves in the engine's audit log, and what it leaves in ours.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use strongroom_engine::{Envelope, WRITE_ID_HEADER, kv};
use tracing_subscriber::fmt::MakeWriter;

use crate::cases::objects::EMPTY_POLICY;
use crate::server::Server;

/// The one line of the audit log that carries the id of this write.
async fn audited(server: &Server, write: &Envelope) -> Value {
    let id = json!([write.write_id.as_deref().unwrap()]);
    let lines = server.audited(|request| request["headers"][WRITE_ID_HEADER] == id).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0]["request"].clone()
}

/// A write without an answer body carries no request id of the engine; ours finds it all the same.
pub async fn every_write_is_found_in_the_audit_log(server: &Server) {
    let session = server.executor();
    let path = "sys/policies/acl/team.contract.binding.trail";
    let body = json!({ "policy": EMPTY_POLICY });
    let write = session.write(path, "sys/policies/acl/{name}", &body).await.unwrap();
    assert_eq!((write.status, &write.request_id), (204, &None));
    let line = audited(server, &write).await;
    assert_eq!(line["path"], path);
    assert!(uuid::Uuid::parse_str(line["id"].as_str().unwrap()).is_ok());

    let delete = session.delete(path, "sys/policies/acl/{name}").await.unwrap();
    assert_eq!(audited(server, &delete).await["operation"], "delete");

    // Where the engine tells its own id, both lead to the same line.
    let value = json!({ "revision": 1 });
    let (_, write) = kv::write_cas(&session, "strongroom", "trail", &value, 0).await.unwrap();
    let line = audited(server, &write).await;
    assert_eq!(line["id"].as_str(), write.request_id.as_deref());
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// With every library at its most talkative.
pub async fn nothing_secret_is_logged(server: &Server) {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::NEW)
        .with_writer(captured.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let session = server.admin();
    let value = json!({ "password": "the-value-itself" });
    kv::write(&session, "strongroom", "the-secret-path", &value).await.unwrap();
    let found = kv::read(&session, "strongroom", "the-secret-path").await.unwrap();
    assert!(found.is_some());
    let template = "auth/token/lookup-self";
    let token = session.read(template, template).await.unwrap().unwrap();
    let token = token["id"].as_str().unwrap().to_owned();
    let error = session.read("the-secret-path", "{path}").await;
    assert!(error.unwrap().is_none());
    drop(guard);

    let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("engine.call"), "nothing was captured");
    assert!(text.contains("{mount}/data/{path}"));
    let secrets = ["the-value-itself", "the-secret-path", "secret-id-of", token.as_str()];
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None);
    }
}

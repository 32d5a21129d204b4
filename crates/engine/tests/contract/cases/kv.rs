//! KV version 2, as heads need it.

use serde_json::json;
use strongroom_engine::error::Failure;
use strongroom_engine::kv;

use crate::server::Server;

const MOUNT: &str = "strongroom";

pub async fn check_and_set(server: &Server) {
    let session = server.executor();
    let path = "team/contract";
    assert_eq!(kv::read(&session, MOUNT, path).await.unwrap(), None);
    let (first, second) = (json!({ "revision": 1 }), json!({ "revision": 2 }));
    let (version, _) = kv::write_cas(&session, MOUNT, path, &first, 0).await.unwrap();
    assert_eq!(version, 1);
    for stale in [0, 7] {
        let refused = kv::write_cas(&session, MOUNT, path, &second, stale).await;
        assert_eq!(refused.unwrap_err().failure, Failure::CasMismatch);
    }
    let found = kv::read(&session, MOUNT, path).await.unwrap().unwrap();
    assert_eq!((found.version, &found.data), (1, &first));
    assert!(!format!("{found:?}").contains("revision"));
    let (version, envelope) = kv::write_cas(&session, MOUNT, path, &second, 1).await.unwrap();
    assert_eq!(version, 2);
    assert!(envelope.data.get("created_time").is_some(), "unknown fields are kept");
    assert_eq!(kv::write(&session, MOUNT, path, &first).await.unwrap(), 3);

    let template = "{mount}/metadata/{folder}";
    let names = session.list("strongroom/metadata/team", template).await.unwrap();
    assert!(names.contains(&"contract".to_owned()), "{names:?}");
    let names = session.list("strongroom/metadata/none/", template).await.unwrap();
    assert!(names.is_empty());
}

/// The engine answers 404 for both. Taken for one another, a deleted head would be a team that
/// never was.
pub async fn a_deleted_value_is_not_an_absent_one(server: &Server) {
    let admin = server.admin();
    let (path, template) = ("strongroom/data/deleted", "{mount}/data/{path}");
    kv::write_cas(&admin, MOUNT, "deleted", &json!({}), 0).await.unwrap();
    admin.delete(path, template).await.unwrap();
    let found = kv::read(&server.executor(), MOUNT, "deleted").await;
    assert_eq!(found.unwrap_err().failure, Failure::Deleted);
    let refused = kv::write_cas(&admin, MOUNT, "deleted", &json!({}), 0).await;
    assert_eq!(refused.unwrap_err().failure, Failure::CasMismatch);
}

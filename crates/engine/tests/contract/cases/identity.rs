//! Entities and aliases.

use serde_json::json;
use strongroom_engine::error::Failure;
use strongroom_engine::{identity, sys};

use crate::cases::objects::CLUSTER;
use crate::server::Server;

pub async fn entities_and_aliases(server: &Server) {
    let session = server.executor();
    let name = "sa.contract.contract-prod.api";
    let uid = "0e1c7c5e-8a0a-4f53-9d0b-6f0b0a4f7e11";
    let accessor = sys::auth_accessor(&session, &format!("k8s/{CLUSTER}")).await.unwrap();
    let accessor = accessor.unwrap();
    assert_eq!(identity::entity_by_name(&session, name).await.unwrap(), None);
    let by_alias = identity::entity_by_alias(&session, uid, &accessor).await;
    assert_eq!(by_alias.unwrap(), None);

    let metadata = json!({ "uid": uid });
    let (id, written) = identity::alias_create(&session, uid, &accessor).await.unwrap();
    assert!(written.request_id.is_some() && written.write_id.is_some());
    let id = id.expect("a new alias has a new entity");
    // Made again it stays where it is.
    let (again, _) = identity::alias_create(&session, uid, &accessor).await.unwrap();
    assert!(again.is_none_or(|again| again == id));
    identity::entity_rename(&session, &id, name, &metadata).await.unwrap();
    let entity = identity::entity_by_alias(&session, uid, &accessor).await.unwrap().unwrap();
    assert_eq!((entity.id.as_str(), entity.name.as_str()), (id.as_str(), name));
    assert!(!entity.disabled && entity.policies.is_empty() && entity.groups.is_empty());
    assert_eq!(entity.metadata, metadata);
    assert_eq!(entity.aliases.len(), 1);
    assert_eq!(entity.aliases[0].mount_accessor, accessor);

    // Nobody with the executor's policy ties a UID to an entity of their choice.
    let path = "identity/entity-alias";
    let body = json!({ "name": "another-uid", "canonical_id": id, "mount_accessor": accessor });
    let moved = session.write(path, path, &body).await;
    assert!(matches!(moved.unwrap_err().failure, Failure::Denied));

    let renamed = "sa.contract.contract-prod.other";
    identity::entity_rename(&session, &id, renamed, &metadata).await.unwrap();
    assert_eq!(identity::entity_by_name(&session, name).await.unwrap(), None);
    let entity = identity::entity_by_name(&session, renamed).await.unwrap().unwrap();
    assert_eq!(entity.id, id);
    for _ in 0..2 {
        identity::entity_delete(&session, &id).await.unwrap();
    }
    let by_alias = identity::entity_by_alias(&session, uid, &accessor).await;
    assert_eq!(by_alias.unwrap(), None);
}

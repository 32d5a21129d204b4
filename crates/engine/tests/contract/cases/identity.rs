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
    let (id, written) = identity::entity_create(&session, name, &metadata).await.unwrap();
    assert!(written.request_id.is_some() && written.write_id.is_some());
    identity::alias_create(&session, &id, uid, &accessor).await.unwrap();
    let entity = identity::entity_by_alias(&session, uid, &accessor).await.unwrap().unwrap();
    assert_eq!((entity.id.as_str(), entity.name.as_str()), (id.as_str(), name));
    assert!(!entity.disabled && entity.policies.is_empty() && entity.groups.is_empty());
    assert_eq!(entity.metadata, metadata);
    assert_eq!(entity.aliases.len(), 1);
    assert_eq!(entity.aliases[0].mount_accessor, accessor);

    // One alias per mount: the second UID cannot join.
    let second = identity::alias_create(&session, &id, "another-uid", &accessor).await;
    assert!(matches!(second.unwrap_err().failure, Failure::Invalid(_)));

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

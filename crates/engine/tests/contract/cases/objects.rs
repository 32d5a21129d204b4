//! Every kind of object that plans are made of, in the very spelling that the executor sends and
//! under the very policy that it has.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strongroom_engine::error::Failure;
use strongroom_engine::sys::{self, Product};
use strongroom_engine::{EngineError, Envelope, Session, audit};
use strongroom_vault_model::name::{ClusterName, GroupName, NamespaceName};
use strongroom_vault_model::object::{
    self, AnchorName, Fields, LoginMethod, ObjectKey, PEOPLE_MOUNT,
};
use strongroom_vault_model::path::TeamMount;
use strongroom_vault_model::policy::{Mark, TeamRole};
use strongroom_vault_model::wire::{self, Ids, REVIEWER_SET};

use crate::server::Server;

/// The group whose members own the team of these cases.
pub const GROUP: &str = "payments-dev";

/// The cluster of these cases.
pub const CLUSTER: &str = "contract";

/// A policy that gives nothing; the engine refuses an empty text.
pub const EMPTY_POLICY: &str = "# nothing";

fn team_mount() -> TeamMount {
    TeamMount { team: "contract".parse().unwrap(), mount: "kv".parse().unwrap() }
}

fn mark() -> Mark {
    Mark::new(uuid::Uuid::nil())
}

/// Nobody has its other half.
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaCeLR6gecmn7vGzFh/MbO2BjIc/N\n\
    DDEBsfi7jAibuSWfxnKs27/CifSYnPnaktsrSvMl25gjB83WSWusUsUdVw==\n\
    -----END PUBLIC KEY-----\n";

/// One object of each kind, in the order of a grant.
fn one_of_each(server: &Server) -> Vec<(ObjectKey, Fields)> {
    let (mark, at) = (mark(), team_mount());
    let cluster = ClusterName::new(CLUSTER).unwrap();
    let namespace = NamespaceName::new("contract-prod").unwrap();
    let group = GroupName::new(GROUP).unwrap();
    let anchor = AnchorName::of(&group);
    let owner = "team.contract.owner".parse().unwrap();
    let rules = object::people_rules(&at.team, std::slice::from_ref(&at), TeamRole::Owner);
    let text = rules.render_checked(&mark, &owner).unwrap();
    let end = (server.product == Product::OpenBao).then_some("2036-01-01T00:00:00Z");
    let accounts = BTreeSet::from(["api".parse().unwrap(), "web.v2".parse().unwrap()]);
    let ca = server.address().ca_pem.unwrap();
    let mut config = object::auth_config("https://127.0.0.1:1", &ca, &cluster);
    config.insert("token_reviewer".into(), json!(REVIEWER_SET));
    let keyed = ClusterName::new("contract-keyed").unwrap();
    let key = [PUBLIC_KEY.to_owned()];
    vec![
        (ObjectKey::AuthMount(keyed.clone()), object::auth_mount(&mark, &keyed, LoginMethod::Jwt)),
        (
            ObjectKey::AuthConfig(keyed.clone()),
            object::auth_config_jwt("https://kubernetes.default.svc", &key, None),
        ),
        (
            ObjectKey::Role(keyed, namespace.clone()),
            object::role(LoginMethod::Jwt, &namespace, &accounts, "strongroom", 1200, 3600),
        ),
        (
            ObjectKey::AuthMount(cluster.clone()),
            object::auth_mount(&mark, &cluster, LoginMethod::Kubernetes),
        ),
        (ObjectKey::AuthConfig(cluster.clone()), config),
        (ObjectKey::Mount(at.clone()), object::mount(&mark, &at, false)),
        (ObjectKey::MountConfig(at.clone()), object::mount_config(7)),
        (ObjectKey::RateLimit(at.clone()), object::rate_limit(&at, 100)),
        (ObjectKey::Policy(owner.clone()), object::policy(&text, end)),
        (
            ObjectKey::Role(cluster, namespace.clone()),
            object::role(LoginMethod::Kubernetes, &namespace, &accounts, "strongroom", 1200, 3600),
        ),
        (ObjectKey::Anchor(anchor.clone()), object::anchor(&mark)),
        (ObjectKey::AnchorAlias(anchor.clone()), object::anchor_alias(&group)),
        (
            ObjectKey::Group(owner.clone()),
            object::group(&mark, &owner, &BTreeSet::from([anchor]), &BTreeSet::new()),
        ),
    ]
}

/// Writes as the executor does: a new KV mount takes up to two seconds until it serves.
async fn write(
    session: &Session,
    key: &ObjectKey,
    fields: &Fields,
    exists: bool,
    ids: &Ids,
) -> Envelope {
    let (path, mut body) = wire::write(key, fields, exists, ids, &[]).unwrap();
    if matches!(key, ObjectKey::AuthConfig(_)) && body.get("kubernetes_host").is_some() {
        body["token_reviewer_jwt"] = json!("a.b.c");
    }
    let start = Instant::now();
    loop {
        match session.write(&path, wire::template(key), &body).await {
            Err(EngineError { failure: Failure::Invalid(errors), .. })
                if errors.iter().any(|error| error.contains("Upgrading from")) =>
            {
                assert!(start.elapsed() < Duration::from_secs(10), "{key}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            result => return result.unwrap_or_else(|error| panic!("{key}: {error}")),
        }
    }
}

async fn read(session: &Session, key: &ObjectKey) -> Option<Value> {
    let answer = session.read(&wire::read_path(key), wire::template(key)).await;
    answer.unwrap_or_else(|error| panic!("{key}: {error}"))
}

pub async fn written_objects_read_back_as_they_were_sent(server: &Server) {
    let session = server.executor();
    let accessor = sys::auth_accessor(&session, PEOPLE_MOUNT).await.unwrap();
    let mut ids = Ids { people_accessor: accessor.unwrap(), ..Ids::default() };
    assert_eq!(sys::auth_accessor(&session, "k8s/none").await.unwrap(), None);
    let objects = one_of_each(server);
    for exists in [false, true] {
        for (key, fields) in &objects {
            // A new mount comes with settings.
            if !exists && !matches!(key, ObjectKey::MountConfig(_)) {
                let found = read(&session, key).await;
                let found = found.and_then(|data| wire::observed(key, &data, &ids));
                assert_eq!(found, None, "{key} before it was written");
            }
            // These are made once: a second write is refused and changes nothing.
            let once = matches!(key, ObjectKey::AuthMount(_) | ObjectKey::AnchorAlias(_));
            if exists && once {
                let (path, body) = wire::write(key, fields, exists, &ids, &[]).unwrap();
                let again = session.write(&path, wire::template(key), &body).await;
                assert!(matches!(again.unwrap_err().failure, Failure::Invalid(_)));
            } else {
                write(&session, key, fields, exists, &ids).await;
            }
            let data = read(&session, key).await.expect("it was just written");
            if let ObjectKey::Anchor(anchor) = key {
                let id = data["id"].as_str().unwrap().to_owned();
                ids.anchors.insert(anchor.clone(), id);
            }
            let found = wire::observed(key, &data, &ids);
            assert_eq!(found.as_ref(), Some(fields), "{key}, exists: {exists}");
        }
    }
    fields_set_by_hand_show(&session, &objects, &ids).await;
    // What the executor may remove, removed twice: the second time there is nothing, and it is done.
    let policy = ObjectKey::Policy("team.contract.binding.gone".parse().unwrap());
    write(&session, &policy, &object::policy(EMPTY_POLICY, None), false, &ids).await;
    let removable = objects.iter().map(|(key, _)| key);
    let removable =
        removable.filter(|key| matches!(key, ObjectKey::RateLimit(_) | ObjectKey::Role(..)));
    for key in removable.chain([&policy]) {
        for _ in 0..2 {
            let path = wire::read_path(key);
            session.delete(&path, wire::template(key)).await.unwrap();
        }
        assert_eq!(read(&session, key).await, None, "{key}");
    }
    assert_eq!(audit::device_count(&session).await.unwrap(), 2);
}

/// Whatever somebody sets on a role that is never written shows up as a field of its own.
async fn fields_set_by_hand_show(session: &Session, objects: &[(ObjectKey, Fields)], ids: &Ids) {
    for (key, fields) in objects.iter().filter(|(key, _)| matches!(key, ObjectKey::Role(..))) {
        let mut by_hand = json!({
            "token_bound_cidrs": ["10.0.0.0/8"], "token_type": "batch",
        });
        if fields.contains_key("login") {
            by_hand["bound_subject"] = json!("somebody");
            by_hand["groups_claim"] = json!("groups");
            by_hand["clock_skew_leeway"] = json!(600);
        }
        let path = wire::read_path(key);
        let mut body = wire::write(key, fields, true, ids, &[]).unwrap().1;
        for (name, value) in by_hand.as_object().unwrap() {
            body[name] = value.clone();
        }
        session.write(&path, wire::template(key), &body).await.unwrap();
        let data = read(session, key).await.unwrap();
        let found = wire::observed(key, &data, ids).unwrap();
        for name in by_hand.as_object().unwrap().keys() {
            assert!(found.contains_key(name), "{key}: {name} is not seen in {data:#}");
        }
        // A write of what is wanted leaves them; only made anew they are gone.
        write(session, key, fields, true, ids).await;
        let data = read(session, key).await.unwrap();
        assert_ne!(wire::observed(key, &data, ids).as_ref(), Some(fields), "{key}");
        session.delete(&path, wire::template(key)).await.unwrap();
        write(session, key, fields, false, ids).await;
        let data = read(session, key).await.unwrap();
        assert_eq!(wire::observed(key, &data, ids).as_ref(), Some(fields), "{key}");
    }
}

pub async fn the_executor_may_do_no_more(server: &Server) {
    let session = server.executor();
    let role = "auth/k8s/contract/role/contract-prod";
    for (path, body) in [
        ("sys/policies/acl/other", json!({ "policy": "" })),
        ("sys/mounts/secret", json!({ "type": "kv" })),
        ("team/contract/kv/data/x", json!({ "data": {} })),
        ("sys/auth/k8s/other", json!({ "type": "userpass" })),
        (role, json!({ "token_policies": ["default"] })),
        (role, json!({ "token_policies": [] })),
        (role, json!({ "Token_Policies": "default" })),
        (role, json!({ "policies": "default" })),
        ("identity/entity", json!({ "name": "sa.x.y.z" })),
    ] {
        let refused = session.write(path, "{path}", &body).await.unwrap_err();
        assert_eq!(refused.failure, Failure::Denied, "{path} {body}");
    }
    let refused = session.read("team/contract/kv/data/x", "{path}").await;
    assert_eq!(refused.unwrap_err().failure, Failure::Denied);

    let paths = ["sys/mounts/team/a/kv", "team/a/kv/data/x", "strongroom/data/x"];
    let found = sys::capabilities_self(&session, &paths).await.unwrap();
    let words: Vec<String> = found
        .into_iter()
        .map(|(_, mut words)| {
            words.sort();
            words.join(" ")
        })
        .collect();
    assert_eq!(words, ["create read update", "deny", "create read update"]);
}

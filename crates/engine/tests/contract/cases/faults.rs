//! An engine that stops answering, is sealed, is gone.

use std::time::{Duration, Instant};

use serde_json::json;
use strongroom_engine::auth::approle_login;
use strongroom_engine::error::Failure;
use strongroom_engine::{EngineAddress, EngineClient, Session, kv, sys};

use crate::server::{Server, approle};

pub async fn a_write_without_an_answer_has_an_unknown_outcome(server: &Server) {
    let client = server.impatient_client(Duration::from_secs(1));
    let login = approle_login(&client, &approle("contract-admin")).await;
    let session = Session::with_login(client, login.unwrap());
    let before = kv::write(&session, "strongroom", "fault", &json!({ "n": 1 })).await.unwrap();
    server.pause();
    let write = kv::write(&session, "strongroom", "fault", &json!({ "n": 2 })).await;
    let read = kv::read(&session, "strongroom", "fault").await;
    server.resume();
    let write = write.unwrap_err();
    assert!(matches!(write.failure, Failure::UnknownOutcome(_)), "{write}");
    assert!(write.is_unknown_outcome());
    let write_id = write.write_id.unwrap();
    assert!(uuid::Uuid::parse_str(&write_id).is_ok());
    let read = read.unwrap_err();
    assert!(matches!(read.failure, Failure::TimedOut(_)), "{read}");
    assert!(!read.is_unknown_outcome(), "nothing can have come of a read");

    // Only reading back tells. Both are right: that is what unknown means.
    let start = Instant::now();
    let found = loop {
        match kv::read(&session, "strongroom", "fault").await {
            Ok(found) => break found.unwrap(),
            Err(error) => assert!(error.is_temporary(), "{error}"),
        }
        assert!(start.elapsed() < Duration::from_secs(30), "it does not come back");
    };
    assert!(
        (found.version, &found.data) == (before, &json!({ "n": 1 }))
            || (found.version, &found.data) == (before + 1, &json!({ "n": 2 })),
        "{}",
        found.data
    );
}

pub async fn sealed_and_gone_are_told_apart(server: &Server) {
    let session = server.admin();
    kv::read(&session, "strongroom", "fault").await.unwrap();
    session.write("sys/seal", "sys/seal", &json!({})).await.unwrap();
    let read = kv::read(&session, "strongroom", "fault").await.unwrap_err();
    assert_eq!(read.failure, Failure::Sealed);
    let write = kv::write(&session, "strongroom", "fault", &json!({})).await;
    let write = write.unwrap_err();
    assert_eq!(write.failure, Failure::Sealed);
    assert!(!write.is_unknown_outcome(), "a sealed engine did nothing");
    assert!(write.is_temporary());
    let about = sys::about(session.client()).await.unwrap_err();
    assert_eq!(about.failure, Failure::Sealed);

    // A port that nobody listens on: nothing was sent, so a write may be tried again.
    let address = EngineAddress { url: "https://127.0.0.1:1".to_owned(), ..server.address() };
    let gone = EngineClient::new(&address, Duration::from_secs(5)).unwrap();
    let login = approle_login(&gone, &approle("x")).await;
    let error = login.unwrap_err();
    assert!(matches!(error.failure, Failure::Unreachable(_)), "{error}");
    assert!(!error.is_unknown_outcome());
}

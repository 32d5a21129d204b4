//! A receipt comes back as it was signed, and nothing else does.

use serde_json::json;

use super::*;

fn receipt() -> Receipt {
    let uuid = |text: &str| text.parse().unwrap();
    let accepted = Accepted {
        token: Digest::of(b"token"),
        person: SignedPerson {
            id: PersonId { issuer: "https://idp.example.com/v1".into(), person: "bob".into() },
            display: "Bob".into(),
            groups: ["payments-leads".to_owned(), "all".to_owned()].into(),
        },
        auth_time: 1_795_000_000,
        issued_at: 1_795_000_005,
        audience: "strongroom-cli-act".into(),
        key: json!({ "kty": "OKP", "crv": "Ed25519", "kid": "key-1", "x": "AAAA" }),
        late: false,
    };
    let item = ActItem {
        request: strongroom_domain::id::RequestId::from_uuid(uuid(
            "0199b5d0-0000-7000-8000-000000000002",
        )),
        round: 1,
        stage: "owners of payments".into(),
        content: Digest::of(b"plan"),
    };
    let act = ActId::from_uuid(uuid("0199b5d0-0000-7000-8000-000000000003"));
    Receipt::new(act, ActKind::Approve, vec![item], &accepted, 1_795_000_010)
}

#[test]
fn bytes_are_golden() {
    insta::assert_snapshot!(String::from_utf8(receipt().canonical()).unwrap());
}

#[test]
fn a_signed_receipt_comes_back_and_tells_the_person() {
    let key = SigningKey::generate().unwrap();
    let (bytes, signature) = receipt().sign(&key);
    assert!(key.public().verifies(Purpose::Receipt, &bytes, &signature));
    // A receipt is no plan, whatever its bytes say.
    assert!(!key.public().verifies(Purpose::Plan, &bytes, &signature));
    let back: Receipt = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(back, receipt());
    assert_eq!(back.canonical(), bytes);
    assert_eq!(back.signed_person().groups.len(), 2);
    assert_eq!(back.signed_person().id, back.person);
}

#[test]
fn every_changed_field_breaks_the_signature() {
    let key = SigningKey::generate().unwrap();
    let (bytes, signature) = receipt().sign(&key);
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    let fields: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields.len(), 14);
    for field in fields {
        let mut changed = value.clone();
        changed[&field] = json!("other");
        let changed = canonical::to_bytes(&changed).unwrap();
        assert!(!key.public().verifies(Purpose::Receipt, &changed, &signature), "{field}");
    }
}

#[test]
fn unknown_and_missing_fields_are_refused() {
    let value: Value = serde_json::from_slice(&receipt().canonical()).unwrap();
    let mut more = value.clone();
    more["counts"] = json!(true);
    assert!(serde_json::from_value::<Receipt>(more).is_err());
    let mut deeper = value.clone();
    deeper["items"][0]["weight"] = json!(2);
    assert!(serde_json::from_value::<Receipt>(deeper).is_err());
    let mut person = value.clone();
    person["person"]["admin"] = json!(true);
    assert!(serde_json::from_value::<Receipt>(person).is_err());
    for field in value.as_object().unwrap().keys() {
        let mut less = value.clone();
        less.as_object_mut().unwrap().remove(field);
        assert!(serde_json::from_value::<Receipt>(less).is_err(), "{field}");
    }
}

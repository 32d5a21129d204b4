//! Tokens that the engine would refuse are told of before it is asked.

use serde_json::json;

use super::super::facts::tests::facts;
use super::*;
use crate::render::text::Style;

fn token(claims: &Value) -> SecretString {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = part("{\"alg\":\"RS256\"}");
    SecretString::from(format!("{header}.{}.c2lnbmF0dXJl", part(&claims.to_string())))
}

fn of(account: &str, audience: &Value, ends_at: i64) -> Claims {
    let subject = format!("system:serviceaccount:{account}");
    claims(&token(&json!({ "sub": subject, "aud": audience, "exp": ends_at }))).unwrap()
}

/// 2026-11-23T18:00:00Z.
const NOW: i64 = 1_795_456_800;

fn judged(claims: Option<&Claims>, facts: &Facts) -> (bool, String) {
    let mut report = Report::default();
    let is_fit = judge(claims, facts, Timestamp::from_second(NOW).unwrap(), &mut report);
    (is_fit, report.text(Style::PLAIN))
}

#[test]
fn a_token_for_the_engine_is_fit() {
    let good = of("payments-prod:worker", &json!(["other", "strongroom"]), NOW + 540);
    let (is_fit, text) = judged(Some(&good), &facts());
    assert!(is_fit);
    insta::assert_snapshot!(text, @r"
    green    token     until 2026-11-23 18:09:00Z (9 min more)
    green    account   payments-prod/worker
    green    audience  other, strongroom
    ");
    // Nothing is compared that is not known.
    let mut bare = facts();
    (bare.audience, bare.namespace) = (None, None);
    bare.accounts.clear();
    let other = of("ci:runner", &json!("elsewhere"), NOW + 540);
    let (is_fit, text) = judged(Some(&other), &bare);
    assert!(is_fit && text.contains("unknown  audience  the token is for elsewhere"), "{text}");
}

#[test]
fn every_fault_is_told_with_what_to_do() {
    let wrong = of("payments-test:web", &json!(["https://kubernetes.default.svc"]), NOW - 300);
    let (is_fit, text) = judged(Some(&wrong), &facts());
    assert!(!is_fit);
    insta::assert_snapshot!(text, @r"
    red      token     it ended at 2026-11-23 17:55:00Z; next: take it anew from its file, which the kubelet renews, or make another with `kubectl create token`; if it should be good still, look at this machine's clock
    red      account   the token is of payments-test/web; the binding is for api, worker in the namespace payments-prod; next: look at the pod's `serviceAccountName` and namespace, or at the binding's accounts
    red      audience  the token is for https://kubernetes.default.svc; the engine takes those for strongroom; next: a pod's ordinary token is for the API server: project another one, as `strongroom kit payments/api --format http` shows
    ");
    let (is_fit, text) = judged(None, &facts());
    assert!(!is_fit);
    insta::assert_snapshot!(text, @"red      token     it is not a service account's token; next: make one: `kubectl create token ACCOUNT -n NAMESPACE --audience strongroom`");
    for (account, audience, ends_at) in [
        ("payments-prod:api", "strongroom", NOW),
        ("payments-prod:api", "strongroom ", NOW + 1),
        ("payments-prod:API", "strongroom", NOW + 1),
        ("payments:api", "strongroom", NOW + 1),
    ] {
        let claims = of(account, &json!([audience]), ends_at);
        assert!(!judged(Some(&claims), &facts()).0, "{account} {audience} {ends_at}");
    }
    let mut by_role = facts();
    by_role.accounts.clear();
    let elsewhere = of("payments-test:api", &json!(["strongroom"]), NOW + 1);
    let (is_fit, text) = judged(Some(&elsewhere), &by_role);
    assert!(!is_fit && text.contains("the role is that of the namespace payments-prod"), "{text}");
}

#[test]
fn what_is_no_account_s_token_is_not_taken_for_one() {
    for text in ["", "hunter2", "a.b", "a.b.c.d", "hvs.AAAA.BBBB"] {
        assert_eq!(claims(&SecretString::from(text)), None, "{text}");
    }
    for subject in ["payments", "system:serviceaccount:payments-prod", "bob@example.com"] {
        assert_eq!(claims(&token(&json!({ "sub": subject }))), None, "{subject}");
    }
    let endless = of("a:b", &Value::Null, i64::MAX);
    assert_eq!((endless.ends_at, endless.audiences), (None, Vec::new()));
}

#[tokio::test]
async fn it_is_read_from_the_file_and_never_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let globals = crate::tests::globals();
    let screen = Screen::new(&globals);
    std::fs::write(&file, "abc.def.ghi\n").unwrap();
    assert_eq!(read(screen, Some(&file)).await.unwrap().expose_secret(), "abc.def.ghi");
    let missing = read(screen, Some(&dir.path().join("none"))).await.unwrap_err();
    assert!(missing.render().contains("none"), "{}", missing.render());
    let nowhere = read(screen, None).await.unwrap_err().render();
    assert!(nowhere.contains(PROJECTED) && nowhere.contains("kubectl create token"), "{nowhere}");
}

//! Spellings that are taken and spellings that are refused, per kind of name.

use super::*;

#[test]
fn slugs_take_only_one_spelling() {
    for good in ["payments", "ab", "a1", "team-a", "a-b-c", "x23456789012345678901234567890ab"] {
        assert_eq!(TeamName::new(good).unwrap().as_str(), good);
    }
    let bad = [
        "",
        "a",
        "A",
        "Payments",
        "1a",
        "-a",
        "a-",
        "a--b",
        "a.b",
        "a/b",
        "a b",
        "a\u{0}b",
        "..",
        "a%2fb",
        "payments\u{200b}",
        "ｐayments",
        "a*",
        "a+",
        "root",
        "sys",
        "strongroom",
        "team",
        "x23456789012345678901234567890abc",
        "a\nb",
        "${a}",
        "a\"b",
    ];
    for text in bad {
        assert!(TeamName::new(text).is_err(), "{text:?} was taken");
        assert!(MountName::new(text).is_err(), "{text:?} was taken");
        assert!(BindingName::new(text).is_err(), "{text:?} was taken");
    }
}

#[test]
fn namespaces_hold_no_dot_and_no_pattern() {
    for good in ["payments-prod", "a", "0a", "x1"] {
        assert!(NamespaceName::new(good).is_ok());
    }
    for bad in ["*", "pay*", "a.b", "a,b", "Payments", "-a", "a-", "", "kube-system", "a_b", "a/b"]
    {
        assert!(NamespaceName::new(bad).is_err(), "{bad:?} was taken");
    }
}

#[test]
fn service_accounts_may_hold_dots() {
    for good in ["api", "a.b", "my-app.v2"] {
        assert!(ServiceAccountName::new(good).is_ok());
    }
    for bad in ["*", "a*", "a,b", ".a", "a.", "a..b", "A", "", "a/b", "a b"] {
        assert!(ServiceAccountName::new(bad).is_err(), "{bad:?} was taken");
    }
}

#[test]
fn groups_are_bounded_data() {
    for good in ["payments-dev", "Team Leads", "cn=a/ou=b", ""] {
        assert_eq!(GroupName::new(good).is_ok(), !good.is_empty());
    }
    for bad in ["", " a", "a ", "a\"b", "a*b", "a\nb", "é", "a  b", "a,b", &"x".repeat(129)] {
        assert!(GroupName::new(bad).is_err(), "{bad:?} was taken");
    }
}

#[test]
fn an_error_names_kind_text_and_rule() {
    let error = NamespaceName::new("pay*").unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("namespace \"pay*\" is refused: use an exact DNS-1123 label"),
        "{text}"
    );
}

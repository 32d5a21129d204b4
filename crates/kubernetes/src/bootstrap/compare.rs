//! What a cluster holds of what Strongroom needs: the same, nothing, something older of ours, or
//! something of somebody else's. Pure.
//!
//! Whose an object is, its label alone says: a name can be anybody's choice.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rights::{Right, in_words, of_rules};
use super::{Needed, OWNER, OWNER_LABEL};

/// How the cluster stands to one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is there as it should be.
    Same,
    /// It is not there.
    New,
    /// It is ours, and holds something else: a sentence each.
    Differs(Vec<String>),
    /// It is somebody else's, or cannot become what is needed: it must not be touched.
    Foreign(String),
}

/// Compares what was read with what is needed.
pub fn compare(needed: &Needed, read: Option<&Value>) -> Standing {
    let Some(read) = read else { return Standing::New };
    if read.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null()) {
        return Standing::Foreign("it is being deleted; run this again when it is gone".to_owned());
    }
    let labels = read.pointer("/metadata/labels");
    match labels.and_then(|labels| labels.get(OWNER_LABEL)).and_then(Value::as_str) {
        Some(OWNER) => {}
        Some(other) => return Standing::Foreign(format!("{OWNER_LABEL} says {other:?}")),
        None => {
            return Standing::Foreign(format!(
                "it has no label {OWNER_LABEL}; if it was made for Strongroom by hand: kubectl label \
                 {} {OWNER_LABEL}={OWNER}",
                needed.shown()
            ));
        }
    }
    match needed.kind() {
        "ServiceAccount" => flag(needed, read, "automountServiceAccountToken"),
        "ClusterRole" => role(needed, read),
        "ClusterRoleBinding" => binding(needed, read),
        _ => Standing::Same,
    }
}

fn flag(needed: &Needed, read: &Value, name: &str) -> Standing {
    let (wanted, found) = (&needed.body[name], read.get(name).unwrap_or(&Value::Null));
    if wanted == found {
        return Standing::Same;
    }
    let found = if found.is_null() { "not set".to_owned() } else { found.to_string() };
    Standing::Differs(vec![format!("{name} is {found}, {wanted} is needed")])
}

fn role(needed: &Needed, read: &Value) -> Standing {
    if read.get("aggregationRule").is_some_and(|rule| !rule.is_null()) {
        return Standing::Foreign(
            "its rules are gathered from other roles (aggregationRule); delete it".to_owned(),
        );
    }
    let rights = |value: &Value| {
        of_rules(value.get("rules").and_then(Value::as_array).into_iter().flatten())
    };
    let (wanted, found) = (rights(&needed.body), rights(read));
    let told = |rights: Vec<&Right>| {
        let rights: Vec<_> = rights.into_iter().map(|right| (right.clone(), Vec::new())).collect();
        in_words(&rights, 0)
    };
    let more = told(found.difference(&wanted).collect());
    let less = told(wanted.difference(&found).collect());
    let why = more.iter().map(|right| format!("it allows to {right}, which nobody needs"));
    let why: Vec<String> =
        why.chain(less.iter().map(|right| format!("it does not allow to {right}"))).collect();
    if why.is_empty() { Standing::Same } else { Standing::Differs(why) }
}

fn binding(needed: &Needed, read: &Value) -> Standing {
    let role = |value: &Value| value.pointer("/roleRef/name").cloned().unwrap_or_default();
    let kind = |value: &Value| value.pointer("/roleRef/kind").cloned().unwrap_or_default();
    if role(&needed.body) != role(read) || kind(&needed.body) != kind(read) {
        return Standing::Foreign(format!(
            "it gives the role {}, which Kubernetes never changes in a binding; find out who made it, \
             and delete it",
            role(read)
        ));
    }
    let subjects = |value: &Value| -> BTreeSet<String> {
        let all = value.get("subjects").and_then(Value::as_array).into_iter().flatten();
        all.map(|subject| {
            let text = |name: &str| subject.get(name).and_then(Value::as_str).unwrap_or_default();
            let slash = if text("namespace").is_empty() { "" } else { "/" };
            format!("{} {}{slash}{}", text("kind"), text("namespace"), text("name"))
        })
        .collect()
    };
    let (wanted, found) = (subjects(&needed.body), subjects(read));
    let more = found.difference(&wanted).map(|who| format!("it gives its role to {who}, too"));
    let less = wanted.difference(&found).map(|who| format!("it does not give its role to {who}"));
    let why: Vec<String> = more.chain(less).collect();
    if why.is_empty() { Standing::Same } else { Standing::Differs(why) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bootstrap::tests::objects;

    fn needed(shown: &str) -> Needed {
        objects(true).into_iter().find(|needed| needed.shown().starts_with(shown)).unwrap()
    }

    /// As an API server tells it: with more than was sent.
    fn told(needed: &Needed) -> Value {
        let mut told = needed.body.clone();
        told["metadata"]["uid"] = "0199b5d0-0000-4000-8000-000000000001".into();
        told["metadata"]["labels"]["theirs"] = "x".into();
        told["metadata"]["annotations"] = json!({ "a": "b" });
        told
    }

    fn why(standing: Standing) -> String {
        match standing {
            Standing::Differs(why) => why.join("; "),
            Standing::Foreign(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_cluster_tells_of_our_own_is_the_same() {
        for needed in objects(true) {
            assert_eq!(compare(&needed, Some(&told(&needed))), Standing::Same, "{needed:?}");
            assert_eq!(compare(&needed, None), Standing::New);
        }
        // Rules written in another way are the same rules.
        let role = needed("clusterrole/");
        let mut other = told(&role);
        let reads = |kind: &str| json!({ "verbs": ["watch", "list", "get"], "apiGroups": [""], "resources": [kind] });
        other["rules"] = json!([reads("serviceaccounts"), reads("namespaces")]);
        assert_eq!(compare(&role, Some(&other)), Standing::Same);
    }

    #[test]
    fn what_has_another_label_or_none_is_foreign_and_stays() {
        for needed in objects(true) {
            let mut other = told(&needed);
            other["metadata"]["labels"] = json!({ OWNER_LABEL: "Helm" });
            let standing = compare(&needed, Some(&other));
            assert_eq!(standing, Standing::Foreign(format!("{OWNER_LABEL} says \"Helm\"")));
            other["metadata"]["labels"] = Value::Null;
            let why = why(compare(&needed, Some(&other)));
            let label = format!("kubectl label {} {OWNER_LABEL}=strongroom", needed.shown());
            assert!(why.ends_with(&label), "{why}");
        }
        let namespace = needed("namespace/");
        let mut going = told(&namespace);
        going["metadata"]["deletionTimestamp"] = "2026-11-23T00:00:00Z".into();
        assert!(matches!(compare(&namespace, Some(&going)), Standing::Foreign(_)));
    }

    #[test]
    fn a_change_of_ours_says_what_it_is() {
        let account = needed("serviceaccount/reader");
        let mut other = told(&account);
        other["automountServiceAccountToken"] = Value::Null;
        let said = why(compare(&account, Some(&other)));
        assert_eq!(said, "automountServiceAccountToken is not set, false is needed");

        let role = needed("clusterrole/");
        let mut other = told(&role);
        other["rules"] = json!([{
            "verbs": ["get", "list"], "apiGroups": [""], "resources": ["namespaces", "secrets"],
        }]);
        assert_eq!(
            why(compare(&role, Some(&other))),
            "it allows to get and list secrets, which nobody needs; it does not allow to watch \
             namespaces; it does not allow to get, list and watch serviceaccounts"
        );
        other["aggregationRule"] = json!({ "clusterRoleSelectors": [] });
        assert!(matches!(compare(&role, Some(&other)), Standing::Foreign(_)));

        let binding = needed("clusterrolebinding/strongroom-reader");
        let mut other = told(&binding);
        other["subjects"] = json!([{ "kind": "User", "name": "eve" }]);
        assert_eq!(
            why(compare(&binding, Some(&other))),
            "it gives its role to User eve, too; it does not give its role to ServiceAccount \
             strongroom-system/reader"
        );
        other["roleRef"]["name"] = "cluster-admin".into();
        assert!(why(compare(&binding, Some(&other))).contains("\"cluster-admin\""));
    }
}

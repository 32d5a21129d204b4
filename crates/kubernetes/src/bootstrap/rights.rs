//! What the two accounts must be able to do, what they must not, and what is more than they need.
//!
//! Pure. Rules are taken apart into single rights and compared as sets, so that two ways of writing
//! the same rules are the same. A wildcard is a right of its own that nobody here needs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{READER, REVIEWER};

const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

/// One thing that can be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// With objects.
    Object {
        /// The API group; empty for the first one.
        group: String,
        /// The kind, in the plural, with a subresource after `/`.
        resource: String,
        /// One object; empty for any.
        name: String,
        /// `get`, `create` and so on.
        verb: String,
    },
    /// With an address that is no object.
    Address {
        /// The path, with `*` at its end for all beneath it.
        path: String,
        /// `get` and so on.
        verb: String,
    },
}

/// One of the two accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Reads namespaces and service accounts.
    Reader,
    /// Reviews tokens.
    Reviewer,
}

/// What every account of a cluster may do: ask about itself.
const OWN: &[(&str, &str, &str)] = &[
    ("create", AUTHORIZATION, "selfsubjectaccessreviews"),
    ("create", AUTHORIZATION, "selfsubjectrulesreviews"),
    ("create", AUTHENTICATION, "selfsubjectreviews"),
];

/// Where every account of a cluster may look what the API server is.
const DISCOVERY: &[&str] =
    &[".well-known", "api", "apis", "healthz", "livez", "openapi", "openid", "readyz", "version"];

/// What is tried with either token, and must be refused where the account does not need it, the gravest
/// first. It is tried by name since not every cluster can list all rules.
const TRIED: &[(&str, &str, &str)] = &[
    ("*", "*", "*"),
    ("get", "", "secrets"),
    ("list", "", "secrets"),
    ("watch", "", "secrets"),
    ("create", "", "secrets"),
    ("update", "", "secrets"),
    ("patch", "", "secrets"),
    ("delete", "", "secrets"),
    ("create", "", "serviceaccounts/token"),
    ("create", "", "pods"),
    ("create", "", "pods/exec"),
    ("create", "", "serviceaccounts"),
    ("update", "", "serviceaccounts"),
    ("patch", "", "serviceaccounts"),
    ("delete", "", "serviceaccounts"),
    ("impersonate", "", "serviceaccounts"),
    ("impersonate", "", "users"),
    ("impersonate", "", "groups"),
    ("create", "", "namespaces"),
    ("update", "", "namespaces"),
    ("patch", "", "namespaces"),
    ("delete", "", "namespaces"),
    ("list", "", "namespaces"),
    ("list", "", "serviceaccounts"),
    ("get", "", "configmaps"),
    ("create", "", "configmaps"),
    ("update", "", "configmaps"),
    ("get", "", "pods"),
    ("delete", "", "pods"),
    ("get", "", "pods/log"),
    ("update", "", "pods/ephemeralcontainers"),
    ("create", "", "nodes/proxy"),
    ("create", "apps", "deployments"),
    ("patch", "apps", "deployments"),
    ("create", "batch", "jobs"),
    ("create", AUTHENTICATION, "tokenreviews"),
    ("create", AUTHORIZATION, "subjectaccessreviews"),
    ("create", RBAC, "rolebindings"),
    ("update", RBAC, "rolebindings"),
    ("create", RBAC, "clusterrolebindings"),
    ("update", RBAC, "clusterrolebindings"),
    ("update", RBAC, "clusterroles"),
    ("bind", RBAC, "clusterroles"),
    ("escalate", RBAC, "clusterroles"),
    ("create", "certificates.k8s.io", "certificatesigningrequests"),
    ("update", "certificates.k8s.io", "certificatesigningrequests/approval"),
    ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
];

impl Right {
    fn object((verb, group, resource): (&str, &str, &str)) -> Self {
        Self::Object {
            group: group.to_owned(),
            resource: resource.to_owned(),
            name: String::new(),
            verb: verb.to_owned(),
        }
    }

    /// As a review's `spec` asks about it.
    pub fn attributes(&self, namespace: Option<&str>) -> Value {
        match self {
            Self::Object { group, resource, name, verb } => {
                let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
                json!({ "resourceAttributes": {
                    "group": group, "resource": resource, "subresource": part, "name": name,
                    "verb": verb, "namespace": namespace.unwrap_or_default(),
                } })
            }
            Self::Address { path, verb } => {
                json!({ "nonResourceAttributes": { "path": path, "verb": verb } })
            }
        }
    }

    /// Everything but the verb.
    fn what(&self) -> (String, &str) {
        match self {
            Self::Object { group, resource, verb, .. }
                if (group.as_str(), resource.as_str()) == ("*", "*") =>
            {
                ("everything".to_owned(), verb)
            }
            Self::Object { group, resource, name, verb } => {
                let dot = if group.is_empty() { "" } else { "." };
                let called =
                    if name.is_empty() { String::new() } else { format!(" called {name}") };
                (format!("{resource}{dot}{group}{called}"), verb)
            }
            Self::Address { path, verb } if path == "*" => ("every address".to_owned(), verb),
            Self::Address { path, verb } => (format!("the address {path}"), verb),
        }
    }
}

impl Account {
    /// The name of its service account.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => READER,
            Self::Reviewer => REVIEWER,
        }
    }

    /// What it must be able to do, everywhere in the cluster.
    pub fn needed(self) -> Vec<Right> {
        let kinds = ["namespaces", "serviceaccounts"];
        match self {
            Self::Reader => kinds
                .iter()
                .flat_map(|kind| ["get", "list", "watch"].map(|verb| (verb, "", *kind)))
                .map(Right::object)
                .collect(),
            Self::Reviewer => vec![Right::object(("create", AUTHENTICATION, "tokenreviews"))],
        }
    }

    /// What it may do besides: the rest of `system:auth-delegator`.
    fn may_besides(self) -> &'static [(&'static str, &'static str, &'static str)] {
        match self {
            Self::Reader => &[],
            Self::Reviewer => &[("create", AUTHORIZATION, "subjectaccessreviews")],
        }
    }

    /// What is tried and must be refused, the gravest first.
    pub fn refused(self) -> Vec<Right> {
        let rights = TRIED.iter().copied().map(Right::object);
        rights.filter(|right| !self.has_reason(right)).collect()
    }

    /// What is more than it needs.
    pub fn beyond(self, found: &BTreeSet<Right>) -> Vec<Right> {
        found.iter().filter(|right| !self.has_reason(right)).cloned().collect()
    }

    fn has_reason(self, right: &Right) -> bool {
        match right {
            Right::Address { path, verb } => {
                let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
                verb == "get" && DISCOVERY.contains(&first)
            }
            Right::Object { group, resource, verb, .. } => {
                let any = Right::object((verb, group, resource));
                let known = OWN.iter().chain(self.may_besides()).copied().map(Right::object);
                self.needed().into_iter().chain(known).any(|known| known == any)
            }
        }
    }
}

/// Rules taken apart, as roles and rules reviews write them.
pub fn of_rules<'v>(rules: impl IntoIterator<Item = &'v Value>) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in rules {
        let texts = |name: &str| -> Vec<String> {
            let items = rule.get(name).and_then(Value::as_array);
            items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let names = Some(texts("resourceNames")).filter(|names| !names.is_empty());
        let names = names.unwrap_or_else(|| vec![String::new()]);
        let (groups, kinds, paths) =
            (texts("apiGroups"), texts("resources"), texts("nonResourceURLs"));
        for verb in texts("verbs") {
            for (group, resource) in groups.iter().flat_map(|g| kinds.iter().map(move |k| (g, k))) {
                rights.extend(names.iter().map(|name| Right::Object {
                    group: group.clone(),
                    resource: resource.clone(),
                    name: name.clone(),
                    verb: verb.clone(),
                }));
            }
            let address = |path: &String| Right::Address { path: path.clone(), verb: verb.clone() };
            rights.extend(paths.iter().map(address));
        }
    }
    rights
}

/// Rights in words, in the order given, the verbs for one thing together; each comes with the namespaces
/// where it holds, and `all` is how many namespaces were asked about.
pub fn in_words(rights: &[(Right, Vec<String>)], all: usize) -> Vec<String> {
    let mut grouped: Vec<(String, &[String], Vec<&str>)> = Vec::new();
    for (right, places) in rights {
        let (what, verb) = right.what();
        let known = grouped.iter_mut().find(|(w, p, _)| *w == what && p == places);
        match known {
            Some((_, _, verbs)) => verbs.push(verb),
            None => grouped.push((what, places, vec![verb])),
        }
    }
    let place = |places: &[String]| match places {
        [] => String::new(),
        many if many.len() == all && all > 1 => " in every namespace".to_owned(),
        [one] => format!(" in {one}"),
        [one, other] => format!(" in {one} and {other}"),
        [one, rest @ ..] => format!(" in {one} and {} others", rest.len()),
    };
    let words = |(what, places, verbs): (String, &[String], Vec<&str>)| {
        let verbs =
            if verbs.contains(&"*") { "do anything with".to_owned() } else { listed(&verbs) };
        format!("{verbs} {what}{}", place(places))
    };
    grouped.into_iter().map(words).collect()
}

/// `a`, `a and b`, `a, b and c`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(verb: &str, resource: &str) -> Right {
        Right::object((verb, "", resource))
    }

    #[test]
    fn what_an_account_needs_is_never_tried_as_what_it_must_not() {
        for account in [Account::Reader, Account::Reviewer] {
            let refused: BTreeSet<Right> = account.refused().into_iter().collect();
            assert!(account.needed().iter().all(|right| !refused.contains(right)));
            assert!(refused.contains(&object("get", "secrets")));
            assert!(refused.contains(&object("create", "serviceaccounts/token")));
        }
        assert!(!Account::Reader.refused().contains(&object("list", "namespaces")));
        assert!(Account::Reviewer.refused().contains(&object("list", "namespaces")));
        let review = Right::object(("create", AUTHENTICATION, "tokenreviews"));
        assert!(Account::Reader.refused().contains(&review));
        assert!(!Account::Reviewer.refused().contains(&review));
    }

    #[test]
    fn what_every_account_has_is_not_too_much_and_a_wildcard_is() {
        let rules = [
            json!({ "verbs": ["create"], "apiGroups": [AUTHORIZATION],
                "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"] }),
            json!({ "verbs": ["get"], "nonResourceURLs": ["/api/*", "/healthz", "/openid/v1/jwks"] }),
            json!({ "verbs": ["get", "list", "watch"], "apiGroups": [""],
                "resources": ["serviceaccounts", "namespaces"] }),
        ];
        assert_eq!(Account::Reader.beyond(&of_rules(&rules)), []);
        assert_eq!(Account::Reviewer.beyond(&of_rules(&rules)).len(), 6);
        let more = [
            json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }),
            json!({ "verbs": ["get"], "apiGroups": [""], "resources": ["secrets"],
                "resourceNames": ["one"] }),
            json!({ "verbs": ["get"], "nonResourceURLs": ["/metrics", "*"] }),
            json!({ "verbs": ["put"], "nonResourceURLs": ["/healthz"] }),
        ];
        let beyond = Account::Reader.beyond(&of_rules(&more)).into_iter();
        let beyond: Vec<_> = beyond.map(|right| (right, Vec::new())).collect();
        let all = [
            "get secrets called one",
            "do anything with everything",
            "get every address",
            "put the address /healthz",
            "get the address /metrics",
        ];
        assert_eq!(in_words(&beyond, 0), all);
    }

    #[test]
    fn a_question_names_the_part_of_a_resource_apart() {
        let asked = object("create", "serviceaccounts/token").attributes(Some("payments"));
        assert_eq!(asked["resourceAttributes"]["resource"], "serviceaccounts");
        assert_eq!(asked["resourceAttributes"]["subresource"], "token");
        assert_eq!(asked["resourceAttributes"]["namespace"], "payments");
    }

    #[test]
    fn rights_are_told_together_with_where_they_hold() {
        let places = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let rights = [
            (object("get", "secrets"), places(&["a"])),
            (object("get", "pods"), places(&["a", "b", "c"])),
            (object("list", "secrets"), places(&["a"])),
            (object("watch", "secrets"), places(&["b"])),
            (object("get", "events"), places(&["a", "b"])),
            (object("get", "nodes"), Vec::new()),
        ];
        let all = [
            "get and list secrets in a",
            "get pods in every namespace",
            "watch secrets in b",
            "get events in a and b",
            "get nodes",
        ];
        assert_eq!(in_words(&rights, 3), all);
    }
}

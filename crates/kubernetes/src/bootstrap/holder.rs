//! Who holds one of the two tokens, and what the cluster itself says that the token may do.
//!
//! It only asks: access and rules reviews, and the list of namespaces. Nothing that must be refused is
//! ever done to find out.

use std::collections::BTreeMap;
use std::fmt;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use super::call::{Call, CallError, answer, send};
use super::rights::{Right, of_rules};
use crate::access;
use crate::cluster::{ClusterAccess, ConnectError};
use crate::reason::reason;

const REVIEWS: &str = "/apis/authorization.k8s.io/v1";

/// How many questions are under way at a time.
const ABREAST: usize = 8;

/// How many namespaces are read with one call.
const PAGE: u32 = 500;

/// Somebody who is nothing but an account of the cluster: what they may do, every account may.
const STRANGER: &str = "system:serviceaccount:kube-public:strongroom-asks-for-nobody";
const STRANGERS: [&str; 3] =
    ["system:serviceaccounts", "system:serviceaccounts:kube-public", "system:authenticated"];

/// One of the two accounts, by its token.
pub struct Holder {
    client: Client,
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holder")
    }
}

/// All rules of a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Each right, and the namespaces where it holds.
    pub rights: BTreeMap<Right, Vec<String>>,
    /// Why there may be more, as the cluster says it.
    pub incomplete: Option<String>,
}

impl Holder {
    /// A client with the token, and with nothing out of the surroundings. Nothing is sent yet.
    #[expect(
        clippy::unused_async,
        reason = "the client spawns its worker when it is made, so it must be made inside a runtime"
    )]
    pub async fn connect(reached: &ClusterAccess) -> Result<Self, ConnectError> {
        let mut config = access::config(reached)?;
        // A cluster that is asked much says when to come again.
        config.default_retry = true;
        let client =
            Client::try_from(config).map_err(|error| ConnectError::Config(reason(&error)))?;
        Ok(Self { client })
    }

    /// The names of all namespaces.
    pub async fn namespaces(&self) -> Result<Vec<String>, CallError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let mut names = Vec::new();
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let read = answer("list the namespaces".to_owned(), api.list_metadata(&page)).await?;
            names.extend(read.items.into_iter().filter_map(|found| found.metadata.name));
            match read.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(names),
            }
        }
    }

    /// Whether the token may do it, in the whole cluster.
    pub async fn may(&self, right: &Right) -> Result<bool, CallError> {
        self.review("SelfSubjectAccessReview", right.attributes(None)).await
    }

    /// Whether any account of the cluster may do it in this namespace. Only a reviewer may ask.
    pub async fn anybody_may(&self, right: &Right, namespace: &str) -> Result<bool, CallError> {
        let mut spec = right.attributes(Some(namespace));
        spec["user"] = STRANGER.into();
        spec["groups"] = json!(STRANGERS);
        self.review("SubjectAccessReview", spec).await
    }

    async fn review(&self, kind: &str, spec: Value) -> Result<bool, CallError> {
        let told = self.ask(kind, spec).await?;
        Ok(told.pointer("/status/allowed") == Some(&Value::Bool(true)))
    }

    async fn ask(&self, kind: &str, spec: Value) -> Result<Value, CallError> {
        let body = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec });
        let collection = format!("{REVIEWS}/{}s", kind.to_ascii_lowercase());
        send(&self.client, &collection, "", Call::Ask(&body)).await
    }

    /// Those of these rights that the token has.
    pub async fn may_of(&self, rights: &[Right]) -> Result<Vec<Right>, CallError> {
        let asked = rights.iter().map(|right| async move { (right, self.may(right).await) });
        let mut asked = futures::stream::iter(asked).buffered(ABREAST);
        let mut has = Vec::new();
        while let Some((right, may)) = asked.next().await {
            if may? {
                has.push(right.clone());
            }
        }
        Ok(has)
    }

    /// All rules that hold for the token in these namespaces; those of the whole cluster are among them.
    pub async fn rules(&self, namespaces: &[String]) -> Result<Rules, CallError> {
        let asked = namespaces.iter().map(|namespace| async move {
            let spec = json!({ "namespace": namespace });
            (namespace, self.ask("SelfSubjectRulesReview", spec).await)
        });
        let mut asked = futures::stream::iter(asked).buffered(ABREAST);
        let mut rules = Rules::default();
        while let Some((namespace, told)) = asked.next().await {
            let told = told?;
            let status = told.get("status").unwrap_or(&Value::Null);
            let list =
                |name: &str| status.get(name).and_then(Value::as_array).into_iter().flatten();
            for right in of_rules(list("resourceRules").chain(list("nonResourceRules"))) {
                rules.rights.entry(right).or_default().push(namespace.clone());
            }
            if status.get("incomplete") == Some(&Value::Bool(true)) && rules.incomplete.is_none() {
                let why = status.get("evaluationError").and_then(Value::as_str);
                rules.incomplete = Some(why.unwrap_or("it does not say why").to_owned());
            }
        }
        Ok(rules)
    }
}

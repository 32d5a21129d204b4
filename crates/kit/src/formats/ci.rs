//! A CI job whose runner may make tokens of the service account.

use super::http::{login, read};
use super::{File, file};
use crate::kit::Kit;
use crate::text::{plain, shell};

pub fn files(kit: &Kit) -> (Vec<File>, Vec<String>) {
    let script = format!(
        "#!/bin/sh\n# Runs where kubectl reaches the cluster {cluster}.\nset -eu\n\
         jwt=$(kubectl create token {account} --namespace {namespace} --audience {audience} \
         --duration 10m)\n{login}{read}",
        cluster = kit.cluster,
        account = kit.account,
        namespace = kit.namespace,
        audience = shell(&kit.audience),
        login = login(kit),
        read = read(kit),
    );
    let rbac = format!(
        "# Lets the runner's own account make tokens of {account}, and of nobody else.\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  \
         name: {account}-token\n  namespace: {namespace}\nrules:\n  - apiGroups: [\"\"]\n    \
         resources: [serviceaccounts/token]\n    resourceNames: [{only}]\n    verbs: [create]\n\
         ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  \
         name: {account}-token\n  namespace: {namespace}\nroleRef:\n  \
         apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: {account}-token\n\
         subjects:\n  - kind: ServiceAccount\n    name: runner # the account your runner has\n    \
         namespace: ci # and where it is\n",
        account = kit.account,
        only = plain(kit.account.as_str()),
        namespace = plain(kit.namespace.as_str()),
    );
    (
        vec![file("ci.sh", script), file("rbac.yaml", rbac)],
        vec![
        "whoever may make the account's tokens reads what it reads: give that to the runner only"
            .to_owned(),
    ],
    )
}

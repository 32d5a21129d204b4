//! From a document to an applied plan: the cluster, then the first team on it.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Story, forge};

impl Story<'_> {
    /// Sue submits the cluster; two more people of the platform approve.
    pub(super) async fn cluster(&self) -> Result<((), String)> {
        let api = self.stack.kubernetes().api();
        let document = json!({
            "apiVersion": "strongroom.dev/v1",
            "kind": "Cluster",
            "metadata": { "name": "prod-eu" },
            "spec": {
                "server": api.server(),
                "ca": api.ca_pem(),
                "auth": { "method": "kubernetes" },
                "audience": "strongroom",
                "credentials": "prod-eu",
            },
        });
        let file = self.documents.write("prod-eu.yaml", &format!("{document:#}\n"))?;
        let sue = self.sign_in("sue").await?;
        let request = sue.submits(&file, "our first cluster", &[]).await?;
        self.in_review("sue", &request, "critical").await?;
        for name in ["sam", "kim"] {
            self.sign_in(name).await?;
        }
        self.approved_by(&request, &["sam", "kim"]).await?;
        Ok(((), "critical, two besides the submitter".into()))
    }

    /// Alice looks at the preview, then submits; gives the request.
    pub(super) async fn propose(&self) -> Result<(String, String)> {
        let file = self.documents.payments()?;
        let alice = self.sign_in("alice").await?;
        let preview = self.until_previewed(&alice, &file, &[]).await?;
        ensure!(
            preview.contains("high"),
            "the preview does not say that the risk is high:\n{preview}"
        );
        let request = alice.submits(&file, "payments moves its secrets here", &[]).await?;
        self.in_review("alice", &request, "high").await?;
        Ok((request, "high, by a real OIDC act".into()))
    }

    /// Who may not, whose act is no act, and who may.
    pub(super) async fn decide(&self, request: &str) -> Result<((), String)> {
        // Her own vote: she is in no group that votes, and she is the submitter. Her client says so
        // before it signs; made to sign all the same, the executor refuses.
        let own = self.stack.person("alice")?;
        let stage = "owners of payments";
        let vote = ["approve", request, "--stage", stage, "--yes", "--anyway"];
        for (words, where_to) in [(&vote[..5], "approve the request"), (&vote, "refused: ")] {
            let printed = own.must(words, None, 5).await?;
            ensure!(
                printed.err.contains("does not count") && printed.err.contains(where_to),
                "alice's vote is not refused as the submitter's ({where_to}):\n{}{}",
                printed.out,
                printed.err
            );
        }
        let refused = forge::sign_in_as_vote(self.stack, request).await?;
        self.sign_in("bob").await?;
        self.approved_by(request, &["bob", "sue"]).await?;
        Ok(((), format!("the sign-in token was refused: {refused}")))
    }
}

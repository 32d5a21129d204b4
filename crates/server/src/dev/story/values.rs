//! Values: owners set them as themselves, the accounts they are for read them, nobody else does.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::workload::Workload;
use super::{API_PATH, BATCH_PATH, NAMESPACE, Story};

impl Story<'_> {
    /// Bob sets a value for each account.
    pub(super) async fn set_values(&self) -> Result<((), String)> {
        let bob = self.stack.person("bob")?;
        for secret in ["payments/kv/prod/api/db", "payments/kv/prod/batch/db"] {
            bob.must(&["kv", "put", secret, "password=-"], Some("s3cr3t-of-payments"), 0).await?;
        }
        let denied = bob.run(&["kv", "get", "payments/kv/prod/api/db"]).await?;
        ensure!(denied.code != 0, "an owner reads a value without a binding");
        Ok(((), "owners set values and do not read them".into()))
    }

    /// Two accounts of one namespace with different paths; gives the first one's live token.
    pub(super) async fn read(&self) -> Result<(Workload, String)> {
        let api = Workload::log_in(self.stack, NAMESPACE, "api").await?;
        let batch = Workload::log_in(self.stack, NAMESPACE, "batch").await?;
        for (account, own) in [(&api, API_PATH), (&batch, BATCH_PATH)] {
            let value = account.read_until(own).await.context("the account reads its secret")?;
            ensure!(
                value.pointer("/data/password") == Some(&json!("s3cr3t-of-payments")),
                "the secret at {own} is not the one that bob set"
            );
            account.renew().await.context("the token renews itself")?;
            account.cannot_write(own).await?;
        }
        api.is_refused(BATCH_PATH).await.context("api reads what is batch's")?;
        batch.is_refused(API_PATH).await.context("batch reads what is api's")?;
        for other in
            ["team/payments/kv/config", "sys/policies/acl/team.payments.binding.api", "sys/mounts"]
        {
            api.is_refused(other).await?;
            batch.is_refused(other).await?;
        }
        Ok((api, "the neighbour's path, sys/ and writing are refused".into()))
    }
}

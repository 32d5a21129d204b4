//! A second team on the same cluster, with the same names for other things: neither reads what is
//! the other's.

use anyhow::{Context as _, Result, ensure};

use super::workload::Workload;
use super::{API_PATH, NAMESPACE, Story};

/// The second team's namespace.
pub(super) const ORDERS_NAMESPACE: &str = "orders-prod";

/// Where its service account `api` reads.
pub(super) const ORDERS_API_PATH: &str = "team/orders/kv/data/prod/api/db";

impl Story<'_> {
    /// Carol's team moves in beside payments.
    pub(super) async fn neighbours(&self, payments: &Workload) -> Result<((), String)> {
        let carol = self.sign_in("carol").await?;
        let orders = self.documents.orders()?;
        let request = carol.submits(&orders, "orders moves its secrets here", &[]).await?;
        // She is an owner and asked for it herself: only the platform is left to say yes.
        self.in_review("carol", &request, "high").await?;
        self.approved_by(&request, &["sue"]).await?;
        for account in ["api", "report", "worker"] {
            let secret = format!("orders/kv/prod/{account}/db");
            let put = ["kv", "put", &secret, "password=-"];
            carol.must(&put, Some("s3cr3t-of-orders"), 0).await?;
        }

        let theirs = Workload::log_in(self.stack, ORDERS_NAMESPACE, "api").await?;
        theirs.read_until(ORDERS_API_PATH).await.context("orders reads its own secret")?;
        let fresh = Workload::log_in(self.stack, NAMESPACE, "api").await?;
        for ours in [payments, &fresh] {
            ours.read_until(API_PATH).await.context("payments still reads its own secret")?;
            ours.is_refused(ORDERS_API_PATH).await.context("payments reads what is orders'")?;
        }
        theirs.is_refused(API_PATH).await.context("orders reads what is payments'")?;

        // Nor does an owner of one team set the other's values.
        for (name, secret) in
            [("bob", "orders/kv/prod/api/db"), ("carol", "payments/kv/prod/api/db")]
        {
            let put = ["kv", "put", secret, "password=-"];
            let printed = self.stack.person(name)?.run_with(&put, Some("x")).await?;
            ensure!(printed.code != 0, "{name} sets the value at {secret}");
        }
        Ok(((), "both directions are refused, for accounts and for owners".into()))
    }
}

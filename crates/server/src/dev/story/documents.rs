//! The documents of the story, as files that one can go on with afterwards.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Files that people of the story apply.
#[derive(Debug)]
pub(super) struct Documents {
    dir: PathBuf,
    /// Today, as the executor counts days.
    today: Date,
}

impl Documents {
    /// Documents in a directory.
    pub(super) fn new(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self { dir: dir.to_owned(), today: super::now().to_zoned(TimeZone::UTC).date() })
    }

    /// Writes one and gives its file.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.dir.join(name);
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        Ok(file)
    }

    /// Team payments: the design's document with a second binding.
    pub(super) fn payments(&self) -> Result<PathBuf> {
        let until = self.today.checked_add(200.days())?;
        self.write("payments.yaml", &PAYMENTS.replace("{until}", &until.to_string()))
    }

    /// Team payments without its second binding.
    pub(super) fn payments_without_batch(&self) -> Result<PathBuf> {
        let whole = std::fs::read_to_string(self.payments()?)?;
        self.write("payments-narrowed.yaml", &without(&whole, "batch")?)
    }

    /// Team orders; its reports end soon.
    pub(super) fn orders(&self) -> Result<PathBuf> {
        let until = self.reports_end()?.to_string();
        self.write("orders.yaml", &ORDERS.replace("{until}", &until))
    }

    /// Team orders without its reports.
    pub(super) fn orders_without_reports(&self) -> Result<PathBuf> {
        let whole = std::fs::read_to_string(self.orders()?)?;
        self.write("orders-narrowed.yaml", &without(&whole, "report")?)
    }

    /// The last day of the reports of team orders.
    pub(super) fn reports_end(&self) -> Result<Date> {
        Ok(self.today.checked_add(1.day())?)
    }
}

/// A team's document without one of its bindings.
fn without(document: &str, binding: &str) -> Result<String> {
    let begin = document.find(&format!("    - name: {binding}\n")).context("no such binding")?;
    let (before, rest) = document.split_at(begin);
    let next = rest[1..].find("    - name: ").map(|at| at + 1);
    let end = next.or_else(|| rest.find("  limits:")).context("the document ends early")?;
    Ok(format!("{before}{}", &rest[end..]))
}

const PAYMENTS: &str = "\
apiVersion: strongroom.dev/v1
kind: Team
metadata: { name: payments }
spec:
  displayName: Payments
  contact: payments@example.com
  people:
    owners:  [{ group: payments-leads }]
    editors: [{ group: payments-dev }]
    viewers: []
  mounts:
    - { name: kv, type: kv-v2, maxVersions: 10 }
  namespaces:
    - { cluster: prod-eu, name: payments-prod, environment: production, tokenTtl: 20m }
  bindings:
    - name: api
      cluster: prod-eu
      namespace: payments-prod
      serviceAccounts: [api]
      access:
        - { mount: kv, path: prod/api/*, level: read }
      until: {until}
    - name: batch
      cluster: prod-eu
      namespace: payments-prod
      serviceAccounts: [batch]
      access:
        - { mount: kv, path: prod/batch/*, level: read }
  limits: { requestsPerSecond: 100 }
";

/// The same names for other things: only the team, the mount and the namespace tell them apart.
const ORDERS: &str = "\
apiVersion: strongroom.dev/v1
kind: Team
metadata: { name: orders }
spec:
  displayName: Orders
  contact: orders@example.com
  people:
    owners:  [{ group: orders-leads }]
    editors: []
    viewers: []
  mounts:
    - { name: kv, type: kv-v2, maxVersions: 10 }
  namespaces:
    - { cluster: prod-eu, name: orders-prod, environment: production, tokenTtl: 20m }
  bindings:
    - name: api
      cluster: prod-eu
      namespace: orders-prod
      serviceAccounts: [api]
      access:
        - { mount: kv, path: prod/api/*, level: read }
    - name: report
      cluster: prod-eu
      namespace: orders-prod
      serviceAccounts: [report]
      access:
        - { mount: kv, path: prod/report/*, level: read }
      until: {until}
    - name: worker
      cluster: prod-eu
      namespace: orders-prod
      serviceAccounts: [worker]
      access:
        - { mount: kv, path: prod/worker/*, level: read }
  limits: { requestsPerSecond: 100 }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_cut_out_and_nothing_else() {
        let narrowed = without(ORDERS, "report").unwrap();
        assert!(!narrowed.contains("report") && !narrowed.contains("until"), "{narrowed}");
        assert!(narrowed.contains("name: api\n") && narrowed.contains("name: worker\n"));
        let narrowed = without(PAYMENTS, "batch").unwrap();
        assert!(!narrowed.contains("batch") && narrowed.contains("limits:"), "{narrowed}");
        assert!(without(PAYMENTS, "report").is_err());
    }
}

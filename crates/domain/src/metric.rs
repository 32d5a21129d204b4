//! The names of all metrics, with what they count. Dashboards and alert rules use them: a name never
//! changes its meaning. No label holds what a tenant chose: their number is bounded.

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it counts, and in what unit.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $kind:literal, [$($label:literal),*], $help:literal;)*) => {
        $($(#[$doc])* pub const $constant: &str = $name;)*

        /// Every metric there is.
        pub const ALL: &[Metric] = &[$(Metric {
            name: $name, kind: $kind, labels: &[$($label),*], help: $help,
        },)*];
    };
}

metrics! {
    /// Requests to the API.
    API_REQUESTS = "strongroom_api_requests_total", "counter", ["method", "route", "status"],
        "requests that the API answered, by the route's template";
    /// How long they took.
    API_SECONDS = "strongroom_api_request_seconds", "histogram", ["route"],
        "how long the API took, in seconds, by the route's template";
    /// Whether this executor holds the lease.
    LEASE_HELD = "strongroom_executor_lease_held", "gauge", [],
        "1 while this executor holds the lease and may write, 0 while it does not";
    /// Which lease it is.
    EPOCH = "strongroom_executor_epoch", "gauge", [],
        "the epoch of the lease that this executor holds, 0 while it stands by";
    /// Looks at everything that is open.
    PASSES = "strongroom_executor_passes_total", "counter", ["outcome"],
        "passes of the executor's loop: ok, failed or lease_lost";
    /// How long they took.
    PASS_SECONDS = "strongroom_executor_pass_seconds", "histogram", [],
        "how long one pass took, in seconds";
    /// The last one that went well.
    LAST_PASS = "strongroom_executor_last_pass_timestamp_seconds", "gauge", [],
        "when the last pass under the lease ended well, Unix time";
    /// Applied documents.
    HEADS = "strongroom_executor_heads", "gauge", [],
        "teams, clusters and platform rules whose heads are loaded";
    /// What stands still.
    HOLDS = "strongroom_executor_holds", "gauge", [],
        "bindings, teams, clusters that were made to stand still, the platform included";
    /// What is not as it should be.
    FINDINGS = "strongroom_findings_open", "gauge", ["severity"],
        "findings that stand, by severity: info, warning, alarm";
    /// Writes to the engine.
    WRITES = "strongroom_engine_writes_total", "counter", ["operation", "object", "outcome"],
        "writes to the engine that were recorded, by what was done to which kind of object";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_say_their_unit() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.starts_with("strongroom_"), "{}", metric.name);
            assert_eq!(
                metric.kind == "counter",
                metric.name.ends_with("_total"),
                "{}",
                metric.name
            );
            assert!(["counter", "gauge", "histogram"].contains(&metric.kind), "{}", metric.name);
        }
    }

    /// What operators read is what there is.
    #[test]
    fn the_documentation_lists_every_metric() {
        let text = include_str!("../../../docs/operations.md");
        for metric in ALL {
            assert!(text.contains(&format!("`{}`", metric.name)), "{} is not told", metric.name);
        }
    }

    /// Alerts ask for what there is, and point to a place that there is.
    #[test]
    fn alert_rules_name_metrics_and_runbooks_that_are_there() {
        let rules = include_str!("../../../deploy/prometheus-rules.yaml");
        let runbook = include_str!("../../../docs/operations.md");
        let mut asked = 0;
        for (place, _) in rules.match_indices("strongroom_") {
            let name: String = rules[place..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            assert!(ALL.iter().any(|metric| metric.name == name), "{name} is no metric");
            asked += 1;
        }
        assert!(asked >= 6, "the rules lost their metrics");
        let headings: BTreeSet<String> = runbook
            .lines()
            .filter_map(|line| line.strip_prefix("### "))
            .map(|title| title.to_lowercase().replace(' ', "-"))
            .collect();
        for (place, what) in rules.match_indices("docs/operations.md#") {
            let anchor = rules[place + what.len()..].lines().next().unwrap_or_default().trim();
            assert!(headings.contains(anchor), "{anchor} is no heading of the runbook");
        }
    }
}

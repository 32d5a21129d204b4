//! What is counted and told about a running executor: metrics, and whether it can work.
//!
//! It only tells. Nothing is decided by it, and no label holds what a tenant chose.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use strongroom_domain::metric;

use crate::error::ExecutorError;
use crate::finding::Severity;
use crate::pass::LEASE;
use crate::start::Executor;

/// What others in the process may know of a running executor.
#[derive(Debug, Default)]
pub struct Health(Mutex<Option<Known>>);

#[derive(Debug, Clone)]
struct Known {
    at: Instant,
    held: bool,
    failed: Option<String>,
}

/// How a running executor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Working {
    /// It has not ended a pass yet.
    Starting,
    /// It holds the lease and its last pass ended well.
    AtWork,
    /// Another one holds the lease; it would take over.
    StandingBy,
    /// Its last pass ended early, or it has been in one for long.
    Failing {
        /// Whether it holds the lease.
        held: bool,
        /// Why.
        why: String,
    },
}

/// How long a pass takes that is still no sign of trouble. A long look takes turns of less than a
/// second; a large plan, and loading a large estate, are one pass.
const SILENCE: Duration = Duration::from_mins(2);

impl Health {
    fn put(&self, known: Known) {
        if let Ok(mut place) = self.0.lock() {
            *place = Some(known);
        }
    }

    /// How it is now.
    pub fn now(&self) -> Working {
        let known = self.0.lock().ok().and_then(|known| known.clone());
        match known {
            None => Working::Starting,
            Some(known) if known.at.elapsed() > SILENCE => {
                let seconds = known.at.elapsed().as_secs();
                let why = format!("it has been in one pass for {seconds} seconds");
                Working::Failing { held: known.held, why }
            }
            Some(Known { failed: Some(why), held, .. }) => Working::Failing { held, why },
            Some(Known { held: true, .. }) => Working::AtWork,
            Some(_) => Working::StandingBy,
        }
    }
}

impl Executor {
    /// Counts one pass, and tells how it ended.
    pub(crate) fn measure(&self, ended: &Result<(), ExecutorError>, took: Duration) {
        let outcome = match ended {
            Ok(()) => "ok",
            Err(ExecutorError::LeaseLost) => "lease_lost",
            Err(_) => "failed",
        };
        metrics::counter!(metric::PASSES, "outcome" => outcome).increment(1);
        metrics::histogram!(metric::PASS_SECONDS).record(took.as_secs_f64());
        // Without its database it cannot renew the lease, and writes nothing once that is over.
        let held = self.epoch != 0 && self.renewed.is_some_and(|at| at.elapsed() < LEASE);
        metrics::gauge!(metric::LEASE_HELD).set(f64::from(u8::from(held)));
        // What an executor that stands by last knew is not so any more.
        let known = |number: usize| if held { approximate(number as u64) } else { 0.0 };
        let epoch = if held { self.epoch.unsigned_abs() } else { 0 };
        metrics::gauge!(metric::EPOCH).set(approximate(epoch));
        metrics::gauge!(metric::HEADS).set(known(self.heads.len()));
        metrics::gauge!(metric::HOLDS).set(known(self.held.len()));
        for severity in Severity::ALL {
            let word = severity.as_str();
            let open = self.findings.values().filter(|found| found.severity == word).count();
            metrics::gauge!(metric::FINDINGS, "severity" => word).set(known(open));
        }
        if held && ended.is_ok() {
            let now = self.clock.now().as_second();
            metrics::gauge!(metric::LAST_PASS).set(approximate(now.unsigned_abs()));
        }
        let failed = match ended {
            // Another one may have it: that is standing by.
            Ok(()) | Err(ExecutorError::LeaseLost) => None,
            Err(error) => Some(error.to_string()),
        };
        self.health.put(Known { at: Instant::now(), held, failed });
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact far beyond what there can be of anything")]
fn approximate(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_that_is_silent_or_fails_is_told() {
        let health = Health::default();
        assert_eq!(health.now(), Working::Starting);
        let known = Known { at: Instant::now(), held: true, failed: None };
        health.put(known.clone());
        assert_eq!(health.now(), Working::AtWork);
        health.put(Known { held: false, ..known.clone() });
        assert_eq!(health.now(), Working::StandingBy);
        health.put(Known { failed: Some("engine is sealed".into()), ..known.clone() });
        let why = "engine is sealed".to_owned();
        assert_eq!(health.now(), Working::Failing { held: true, why });
        if let Some(at) = Instant::now().checked_sub(SILENCE + Duration::from_secs(5)) {
            health.put(Known { at, ..known });
            assert!(matches!(health.now(), Working::Failing { held: true, .. }));
        }
    }
}

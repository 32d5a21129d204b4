//! What `dev` says: one line per step with its time.

use std::future::Future;
use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, Result};

/// Tells steps as they happen.
#[derive(Debug)]
pub struct Teller {
    begun: Instant,
}

impl Teller {
    /// Starts the clock.
    pub fn new() -> Self {
        Self { begun: Instant::now() }
    }

    /// Says something between the steps.
    pub fn say(text: &str) {
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// Runs one step and says how long it took; its result may add a remark.
    pub async fn step<T>(
        &mut self,
        what: &str,
        work: impl Future<Output = Result<(T, String)>>,
    ) -> Result<T> {
        let start = Instant::now();
        match work.await {
            Ok((value, remark)) => {
                let remark = if remark.is_empty() { remark } else { format!(": {remark}") };
                Self::say(&format!("  ok {:>6.1}s  {what}{remark}", start.elapsed().as_secs_f64()));
                Ok(value)
            }
            Err(error) => {
                Self::say(&format!("FAIL {:>6.1}s  {what}", start.elapsed().as_secs_f64()));
                Err(error).with_context(|| format!("not so: {what}"))
            }
        }
    }

    /// How long everything took so far, seconds.
    pub fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}

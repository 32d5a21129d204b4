//! The loop: hold the lease, take requests on, keep accounts, store the inventory.
//!
//! It is woken by new work, by the clusters' watches and by time. What woke it is never an input:
//! it looks at everything that is open. One request or binding that fails stops no other, and what
//! takes long takes turns: no pass is so long that a suspension waits for it.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use strongroom_domain::subject::Subject;
use strongroom_kubernetes::InventoryState;
use strongroom_storage::inventory::Inventory;

use crate::error::ExecutorError;
use crate::fault;
use crate::finding::{Severity, finding};
use crate::open::Open;
use crate::start::Executor;

/// How long the lease lasts unless it is renewed, seconds.
const LEASE_SECONDS: i32 = 20;

/// The same.
pub(crate) const LEASE: Duration = Duration::from_secs(20);

/// How often it is renewed: an estate in which nothing happens should write nothing else. What is
/// left of it then is longer than any write may take, and each write looks at it again.
const RENEW: Duration = Duration::from_secs(5);

/// How long the executor sleeps at most.
const TICK: Duration = Duration::from_millis(500);

/// How many subjects are published before the lease is looked at again.
const AT_ONCE: usize = 200;

/// How far two clocks may be apart before somebody is told.
const MOST_SKEW_SECONDS: i64 = 60;

/// How often everything is looked at although nothing is known to have changed.
const SLOW: Duration = Duration::from_secs(15);

/// Runs until `stop` resolves; then gives back the lease and the token.
pub async fn run(
    mut executor: Executor,
    stop: impl Future<Output = ()>,
) -> Result<(), ExecutorError> {
    let mut stop = pin!(stop);
    let mut wakeup = executor.store.wakeup().await?;
    let mut looked = None;
    tracing::info!(
        engine = %executor.config.engine.address,
        product = %executor.about.product,
        version = %executor.about.version,
        key = %executor.signing_key.public().id(),
        "executor is up"
    );
    loop {
        let begun = Instant::now();
        let ended = {
            let stopping = std::sync::Arc::clone(&executor.stopping);
            let mut pass = Box::pin(executor.pass(&mut looked));
            loop {
                tokio::select! {
                    ended = &mut pass => break ended,
                    // What is under way is ended at the next place where nothing is.
                    () = &mut stop, if !stopping.load(Ordering::Relaxed) => {
                        stopping.store(true, Ordering::Relaxed);
                    }
                }
            }
        };
        if executor.is_stopping() {
            break;
        }
        if matches!(ended, Err(ExecutorError::LeaseLost)) {
            executor.epoch = 0;
        }
        executor.measure(&ended, begun.elapsed());
        let went_well = ended.is_ok();
        match ended {
            Ok(()) => {}
            Err(ExecutorError::LeaseLost) => {
                tracing::warn!("the lease is lost; another executor may write now");
            }
            Err(error @ ExecutorError::Refused(_)) => return Err(error),
            Err(error) => tracing::error!(%error, "pass ended early; the next one tries again"),
        }
        // A long look goes on at once.
        let pause = if went_well && executor.is_under_way() { Duration::ZERO } else { TICK };
        tokio::select! {
            () = wakeup.wait(pause) => {}
            () = &mut stop => break,
        }
    }
    tracing::info!("executor stops");
    executor.store.lease_release(&executor.lease, &executor.holder).await?;
    executor.engine.revoke_self().await?;
    Ok(())
}

impl Executor {
    async fn pass(&mut self, looked: &mut Option<(Instant, Date)>) -> Result<(), ExecutorError> {
        if self.epoch == 0 || self.renewed.is_none_or(|at| at.elapsed() > RENEW) {
            self.renewed = None;
            if !self.lease_renew(looked).await? {
                return Ok(());
            }
        }
        self.pass_held(looked).await
    }

    /// Takes or renews the lease, and loads everything where it is newly taken. `false`: somebody
    /// else holds it.
    async fn lease_renew(
        &mut self,
        looked: &mut Option<(Instant, Date)>,
    ) -> Result<bool, ExecutorError> {
        let asked = Instant::now();
        let acquired = self.lease_ask().await?;
        let Some(epoch) = acquired else {
            self.epoch = 0;
            return Ok(false);
        };
        self.engine.window().closes_at(asked + LEASE);
        self.renewed = Some(asked);
        if epoch != self.epoch {
            tracing::info!(epoch, "lease is taken");
            *looked = None;
            let loaded = self.load(epoch).await;
            if loaded.is_err() {
                // Of what was not loaded nothing is known: it is loaded again, all of it.
                self.epoch = 0;
            }
            loaded?;
        }
        Ok(true)
    }

    /// Loads what heads and database say, for a lease that is newly taken.
    async fn load(&mut self, epoch: i64) -> Result<(), ExecutorError> {
        self.epoch = 0;
        self.attached.start_anew();
        self.heads_load(epoch).await?;
        self.epoch = self.epoch_above_heads(epoch).await?;
        self.store.fence(&self.lease, &self.holder, self.epoch);
        self.findings_load().await?;
        self.drift.forget();
        self.accessors.clear();
        self.open = Open::default();
        self.differing.clear();
        self.published.clear();
        self.followed_to = None;
        fault::point("load")?;
        self.clock_compare().await?;
        self.records_compare(None).await?;
        let subjects: Vec<Subject> = self.heads.keys().cloned().collect();
        for some in subjects.chunks(AT_ONCE) {
            self.lease_keep().await?;
            self.subjects_publish(some.to_vec()).await?;
        }
        Ok(())
    }

    async fn lease_ask(&self) -> Result<Option<i64>, ExecutorError> {
        let (lease, holder, looked) = (&self.lease, &self.holder, self.drift.looked);
        Ok(self.store.lease_acquire(lease, holder, LEASE_SECONDS, looked).await?)
    }

    /// Whether a long look goes on with the next pass.
    fn is_under_way(&self) -> bool {
        self.epoch != 0 && (self.drift.is_under_way() || self.attached.is_under_way())
    }

    /// Whether the process was asked to end.
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Renews the lease in the middle of a long look, where it is time to. Who lost it stops, and so
    /// does who was asked to end: nothing is under way here, and the next one goes on.
    pub(crate) async fn lease_keep(&mut self) -> Result<(), ExecutorError> {
        match self.epoch {
            0 => Err(ExecutorError::LeaseLost),
            epoch => self.lease_keep_as(epoch).await,
        }
    }

    /// The same while it is not used yet: what has to be loaded first may take longer than it lasts.
    pub(crate) async fn lease_keep_as(&mut self, epoch: i64) -> Result<(), ExecutorError> {
        if self.is_stopping() {
            return Err(ExecutorError::LeaseLost);
        }
        if self.renewed.is_some_and(|at| at.elapsed() < RENEW) {
            return Ok(());
        }
        let asked = Instant::now();
        self.lease_again(epoch).await?;
        self.renewed = Some(asked);
        Ok(())
    }

    async fn lease_again(&self, held: i64) -> Result<(), ExecutorError> {
        let asked = Instant::now();
        if self.lease_ask().await? != Some(held) {
            return Err(ExecutorError::LeaseLost);
        }
        self.engine.window().closes_at(asked + LEASE);
        Ok(())
    }

    /// Does one long thing that only reads, and renews the lease meanwhile.
    pub(crate) async fn lease_keep_during<T>(
        &self,
        work: impl Future<Output = Result<T, ExecutorError>>,
    ) -> Result<T, ExecutorError> {
        let mut work = pin!(work);
        let mut asked = Instant::now();
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(TICK) => {}
            }
            if self.is_stopping() {
                return Err(ExecutorError::LeaseLost);
            }
            if asked.elapsed() > RENEW {
                asked = Instant::now();
                self.lease_again(self.epoch).await?;
            }
        }
    }

    async fn pass_held(
        &mut self,
        looked: &mut Option<(Instant, Date)>,
    ) -> Result<(), ExecutorError> {
        self.clusters_refresh().await?;
        let work = self.store.work_claim(&self.holder, LEASE_SECONDS, 200).await?;
        // What ends at a date ends as soon as the day is another.
        let today = self.today();
        let slow = looked.is_none_or(|(at, day)| at.elapsed() > SLOW || day != today);
        if slow && looked.is_some() {
            self.clock_compare().await?;
            self.unbelieved_again().await?;
            self.records_compare(None).await?;
            self.published_compare().await?;
        }
        if slow {
            *looked = Some((Instant::now(), today));
        }
        self.capabilities_look().await?;
        // What only takes away comes first.
        self.orders_take().await?;
        if slow || !work.is_empty() {
            self.suspensions_take().await?;
        }
        if let Err(error) = self.drift_look().await {
            if matches!(error, ExecutorError::LeaseLost) {
                return Err(error);
            }
            // What it was told of is told once: everything is looked at again.
            self.drift.forget();
            tracing::warn!(%error, "the look for drift ended early");
        }
        // Accounts first: one that is seen to be gone loses its rights before others get new ones.
        let news = self.clusters.values().any(|c| c.inventory.has_changed().unwrap_or(true));
        self.inventory_store().await?;
        if slow || news || self.attached.is_due() {
            self.bindings_keep().await?;
        }
        if slow || !work.is_empty() || self.open.is_pending {
            self.begun_resume().await?;
            self.requests_advance().await?;
            self.clusters_refresh().await?;
            self.bindings_keep().await?;
        }
        for piece in &work {
            self.store.work_finish(&self.holder, piece).await?;
        }
        Ok(())
    }

    /// A database that lost its newest rows would give out old epochs again: the heads know better.
    async fn epoch_above_heads(&self, epoch: i64) -> Result<i64, ExecutorError> {
        let newest = self.heads.values().map(|head| head.head.epoch).max().unwrap_or(0);
        if newest < epoch {
            return Ok(epoch);
        }
        let (name, holder) = (&self.lease, &self.holder);
        let raised = self.store.lease_raise(name, holder, epoch, newest + 1).await?;
        if !raised {
            return Err(ExecutorError::LeaseLost);
        }
        tracing::warn!(epoch, raised = newest + 1, "the database gave an old epoch");
        Ok(newest + 1)
    }

    /// How far the database's clock is from ours; more than a minute is told.
    async fn clock_compare(&mut self) -> Result<(), ExecutorError> {
        let before = self.clock.now();
        let theirs = self.store.now().await?;
        self.database_ahead = theirs.duration_since(before);
        let skew = self.database_ahead.as_secs().abs();
        let mut found = Vec::new();
        if skew > MOST_SKEW_SECONDS {
            found.push(finding(
                "clock-skew",
                "database",
                Severity::Alarm,
                format!("the database's clock and the executor's differ by {skew} seconds"),
                "set both by NTP; until then ends and ages are judged by the one that is ahead",
            ));
        }
        self.settle("clock-skew", found).await
    }

    /// Stores what the clusters hold, for people.
    pub(crate) async fn inventory_store(&mut self) -> Result<(), ExecutorError> {
        let (engine, now) = (self.config.engine.id, self.clock.now());
        for (name, watched) in &mut self.clusters {
            let state = watched.inventory.borrow_and_update().clone();
            if watched.stored.as_ref() == Some(&state) {
                continue;
            }
            self.attached.look_at(self.places.concerned(name, watched.stored.as_ref(), &state));
            match &state {
                InventoryState::Unknown { reason } => {
                    self.store.inventory_unknown(engine, name.as_str(), reason, now).await?;
                }
                InventoryState::Known(known) => {
                    let inventory = Inventory {
                        namespaces: known.namespaces.clone().into_iter().collect(),
                        accounts: known
                            .accounts
                            .iter()
                            .map(|((namespace, name), uid)| {
                                (namespace.clone(), name.clone(), uid.clone())
                            })
                            .collect(),
                    };
                    self.store.inventory_replace(engine, name.as_str(), &inventory, now).await?;
                }
            }
            watched.stored = Some(state);
        }
        Ok(())
    }
}

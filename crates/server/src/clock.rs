//! The clock of the processes of this binary. Tests shift it while a process runs, in debug builds
//! only, so that no release can be told another time.

use std::sync::Arc;

use strongroom_domain::clock::{Clock, SystemClock};

/// The machine's clock.
#[cfg(not(debug_assertions))]
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Debug builds may be told another time, for tests of what ends by itself.
#[cfg(debug_assertions)]
pub fn clock() -> Arc<dyn Clock> {
    match std::env::var_os("STRONGROOM_CLOCK_FILE") {
        Some(file) => Arc::new(shifted::ShiftedClock { file: file.into() }),
        None => Arc::new(SystemClock),
    }
}

#[cfg(debug_assertions)]
mod shifted {
    use std::path::PathBuf;

    use jiff::{SignedDuration, Timestamp};
    use strongroom_domain::clock::{Clock, SystemClock};

    /// The machine's clock, shifted by the seconds that stand in a file; not at all without one.
    #[derive(Debug)]
    pub struct ShiftedClock {
        /// The file with the seconds.
        pub file: PathBuf,
    }

    impl Clock for ShiftedClock {
        fn now(&self) -> Timestamp {
            let text = std::fs::read_to_string(&self.file).unwrap_or_default();
            let seconds = text.trim().parse().unwrap_or(0);
            let now = SystemClock.now();
            now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
        }
    }
}
